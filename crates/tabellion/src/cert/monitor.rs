//! `tabellion cert monitor`: tells a domain owner what happens under its names.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use tabellion_client::ClientError;
use tabellion_client::monitor::{Alert, AlertKind, CaRegister, Monitor, Seen, Watch, WatchedName, Webhook};
use tabellion_ledger::{CertificateId, Height};

use super::input;
use crate::cli::MonitorArgs;
use crate::context::{Context, read_file};
use crate::failure::{Code, Done, Failure};
use crate::node_commands::write_public;
use crate::output::{Output, moment};

/// How often the ledger is asked for the next block.
const PAUSE: Duration = Duration::from_secs(1);
/// The longest pause while nodes or the webhook do not answer.
const PAUSE_MAX: Duration = Duration::from_secs(60);

/// What is watched. Paths are relative to the file's folder.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct MonitorFile {
    /// `www.example.com`, or `.example.com` for all below it.
    names: Vec<String>,
    /// CAs that are to issue for these names: certificate files or SHA-256.
    #[serde(default)]
    issuers: Vec<String>,
    /// CAs that are held to names of their own.
    #[serde(default)]
    ca: Vec<RegisterFile>,
    /// Where alerts are sent.
    webhook: Option<String>,
    /// The CAs of its server, PEM.
    webhook_ca: Option<PathBuf>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RegisterFile {
    certificate: String,
    names: Vec<String>,
}

/// What is kept over a restart.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Memory {
    next: u64,
    certificates: BTreeSet<CertificateId>,
}

/// An alert as it is told.
#[derive(Serialize)]
struct Told<'a> {
    #[serde(flatten)]
    alert: &'a Alert,
    /// A proof file: `tabellion cert verify --offline`. Base64.
    proof: String,
}

/// Watches until it is interrupted, or up to the newest block.
pub async fn run(args: MonitorArgs, context: &Context, output: Output) -> Done {
    let (watch, webhook) = settings(&args.file, output)?;
    let memory: Option<Memory> = match args.state.as_ref().filter(|path| path.exists()) {
        None => None,
        Some(path) => Some(serde_json::from_slice(&read_file(path, "state")?).map_err(|error| {
            Failure::new(Code::Error, format!("{} is no state of a monitor: {error}", path.display()))
        })?),
    };
    let from = args.from_block.or(memory.as_ref().map(|memory| memory.next)).map(Height);
    let certificates = memory.map(|memory| memory.certificates).unwrap_or_default();
    let watch = Watch { certificates, ..watch };
    let mut monitor = Monitor::new(context.relying_party()?, watch, from).await?;
    output.say(format!("watching from block {} on", monitor.next_height()));
    let mut pause = PAUSE;
    loop {
        match monitor.step().await {
            Ok(Some(seen)) => {
                tell(&seen, webhook.as_ref(), output).await?;
                keep(args.state.as_deref(), &monitor)?;
                pause = PAUSE;
            }
            Ok(None) if args.once => {
                context.remember(monitor.party());
                return Ok(());
            }
            Ok(None) => tokio::time::sleep(PAUSE).await,
            Err(error @ ClientError::Node(_)) if !args.once => {
                output.warn(format!("{}; asking again", Failure::from(error)));
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(PAUSE_MAX);
            }
            Err(error) => return Err(error.into()),
        }
    }
}

fn settings(path: &Path, output: Output) -> Result<(Watch, Option<Webhook>), Failure> {
    let refused = |error: &dyn std::fmt::Display| {
        Failure::new(Code::Usage, format!("{}: {error}", path.display()))
            .hint("names = [\".example.com\"]; issuers, webhook and [[ca]] are optional")
    };
    let text = String::from_utf8(read_file(path, "monitor's file")?).map_err(|error| refused(&error))?;
    let file: MonitorFile = toml::from_str(&text).map_err(|error| refused(&error))?;
    let names = |names: &[String]| -> Result<Vec<WatchedName>, Failure> {
        names.iter().map(|name| name.parse().map_err(|error| refused(&error))).collect()
    };
    let folder = path.parent().unwrap_or(Path::new("."));
    let id = |argument: &String| -> Result<CertificateId, Failure> {
        let file = folder.join(argument);
        let argument = if file.is_file() { file.display().to_string() } else { argument.clone() };
        let found = input::subjects(&argument, output)?.into_iter().next().map(|subject| subject.id);
        found.ok_or_else(|| refused(&format!("{argument} holds no certificate")))
    };
    let register = |entry: &RegisterFile| -> Result<CaRegister, Failure> {
        Ok(CaRegister { ca: id(&entry.certificate)?, names: names(&entry.names)? })
    };
    let watch = Watch {
        names: names(&file.names)?,
        issuers: file.issuers.iter().map(id).collect::<Result<_, _>>()?,
        registers: file.ca.iter().map(register).collect::<Result<_, _>>()?,
        certificates: BTreeSet::new(),
    };
    let authorities =
        file.webhook_ca.map(|ca| read_file(&folder.join(ca), "webhook's CA file")).transpose()?;
    let webhook = file.webhook.map(|url| Webhook::new(&url, authorities.as_deref())).transpose();
    Ok((watch, webhook.map_err(|error| refused(&error))?))
}

/// Tells all alerts of a block. The webhook is called until it takes each: the block counts as looked at only
/// then.
async fn tell(seen: &Seen, webhook: Option<&Webhook>, output: Output) -> Done {
    if seen.is_gone {
        output.warn(format!("block {}: no node has its body; it was not looked at", seen.height));
    }
    for (alert, proof) in &seen.alerts {
        let told = Told { alert, proof: STANDARD.encode(proof) };
        output.value(&told);
        output.line(line(alert, output));
        let json = serde_json::to_string(&told);
        let (Some(webhook), Ok(json)) = (webhook, json) else { continue };
        let mut pause = PAUSE;
        while let Err(error) = webhook.deliver(json.clone()).await {
            output.warn(format!("{}; trying again", Failure::of(Code::Error, &error)));
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }
    Ok(())
}

fn line(alert: &Alert, output: Output) -> String {
    let (word, good) = match &alert.kind {
        AlertKind::NewCertificate => ("new certificate".to_owned(), true),
        AlertKind::UnexpectedIssuer => ("UNEXPECTED ISSUER".to_owned(), false),
        AlertKind::RogueCa { name } => (format!("ROGUE CA for {name}"), false),
        AlertKind::StatusChanged { status, reason } => {
            let reason = reason.map(|reason| format!(" ({reason})")).unwrap_or_default();
            (format!("{status}{reason}"), true)
        }
        AlertKind::Renewed { by } => (format!("renewed by {by}"), true),
    };
    let issuer = alert.issuer.map(|issuer| format!("  issued by {issuer}")).unwrap_or_default();
    let (time, height) = (moment(alert.time), alert.height);
    let (word, names) = (output.verdict(&word, good), alert.dns_names.join(", "));
    format!("{time}  block {height}  {word}  {}  {names}{issuer}", alert.certificate)
}

fn keep(state: Option<&Path>, monitor: &Monitor) -> Done {
    let Some(path) = state else { return Ok(()) };
    let memory = Memory { next: monitor.next_height().0, certificates: monitor.watch.certificates.clone() };
    let bytes = serde_json::to_vec(&memory).unwrap_or_default();
    write_public(path, &bytes).map_err(Failure::from)
}
