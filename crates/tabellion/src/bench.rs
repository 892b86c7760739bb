//! `tabellion bench`

use std::path::{Path, PathBuf};
use std::time::Duration;

use rcgen::KeyPair;
use rustls::pki_types::ServerName;
use tabellion_client::bench::{
    BenchCa, BenchError, IssuingCa, PublishLoad, PublishReport, StatusLoad, TlsCost, TlsEnd, bench_proofs,
    bench_publish, bench_status, bench_tls, physical_limit,
};
use tabellion_client::peer::{Patience, PeerResolver};
use tabellion_client::{Certificate, CertificateFilter, ChainPool, Publication, Publisher, Signer};
use tabellion_ledger::CertificateId;

use crate::cert::record;
use crate::cli::{BenchCommand, BenchIssuerArgs, BenchPublishArgs, BenchStatusArgs, BenchTlsArgs};
use crate::context::{Context, read_file, write_file};
use crate::failure::{Code, Done, Failure};
use crate::moment::{Span, now};
use crate::output::Output;

/// What `bench ca` writes.
const ROOT_FILE: &str = "root.pem";
const ISSUING_FILE: &str = "issuing.pem";
const ISSUING_KEY_FILE: &str = "issuing-key.pem";
/// Certificates that are asked for in turn.
const ASKED: usize = 1000;
/// Validators of the in-process measurement: the smallest network that bears a fault.
const VALIDATORS: usize = 4;

/// Runs a benchmark.
pub async fn run(command: BenchCommand, context: &Context, output: Output) -> Done {
    match command {
        BenchCommand::Ca { folder } => make_ca(&folder, output),
        BenchCommand::Publish(args) => publish(args, context, output).await,
        BenchCommand::Tls(args) => tls(&args, context, output).await,
        BenchCommand::Status(args) if args.in_process => in_process(&args, output),
        BenchCommand::Status(args) => status(&args, context, output).await,
    }
}

impl From<BenchError> for Failure {
    fn from(error: BenchError) -> Self {
        match error {
            BenchError::Client(error) => Self::from(error),
            error @ (BenchError::Chain(_) | BenchError::Refused(_)) => Self::of(Code::Refused, &error).hint(
                "the issuing CA must stand under one of the ledger's trusted CAs: `tabellion ledger cas`",
            ),
            error => Self::of(Code::Error, &error),
        }
    }
}

fn make_ca(folder: &Path, output: Output) -> Done {
    let fault =
        |error| Failure::new(Code::Error, format!("cannot make folder {}: {error}", folder.display()));
    std::fs::create_dir(folder).map_err(fault)?;
    let BenchCa { root_pem, issuing_pem, issuing_key_pem } = BenchCa::new(now())?;
    write_file(&folder.join(ROOT_FILE), root_pem.as_bytes())?;
    write_file(&folder.join(ISSUING_FILE), issuing_pem.as_bytes())?;
    write_file(&folder.join(ISSUING_KEY_FILE), issuing_key_pem.as_bytes())?;
    output.value(&serde_json::json!({ "root": folder.join(ROOT_FILE), "issuer": folder.join(ISSUING_FILE) }));
    output.line(format!("{}", folder.join(ROOT_FILE).display()));
    output.say("For load only: the issuing CA's key lies open. Begin a network that trusts the root:");
    output.say(format!("  tabellion dev --data bench-net --anchors {}", folder.join(ROOT_FILE).display()));
    Ok(())
}

fn issuing_ca(args: &BenchIssuerArgs, context: &Context) -> Result<IssuingCa, Failure> {
    let in_folder = |file: &str| args.ca_dir.as_ref().map(|folder| folder.join(file));
    let named = |from_args: &Option<PathBuf>, from_file: &Option<PathBuf>, what: &str| {
        from_args.clone().or_else(|| from_file.clone()).ok_or_else(|| {
            Failure::new(Code::Usage, format!("no {what} of an issuing CA is named")).hint(
                "`tabellion bench ca DIR` makes one for --ca-dir; or name one with --issuer and --issuer-key",
            )
        })
    };
    let certificate =
        named(&in_folder(ISSUING_FILE).or(args.issuer.clone()), &context.bench.issuer, "certificate")?;
    let key =
        named(&in_folder(ISSUING_KEY_FILE).or(args.issuer_key.clone()), &context.bench.issuer_key, "key")?;
    let key_pem = String::from_utf8(read_file(&key, "key of the issuing CA")?);
    let key_pem = key_pem.map_err(|_| Failure::new(Code::Error, format!("{} is no PEM", key.display())))?;
    Ok(IssuingCa::new(&read_file(&certificate, "certificate of the issuing CA")?, &key_pem)?)
}

async fn publish(args: BenchPublishArgs, context: &Context, output: Output) -> Done {
    let key = context.key()?;
    let ca = issuing_ca(&args.issuer, context)?;
    let (party, rules) = context.rules().await?;
    let ruleset = rules.ruleset().map_err(|error| Failure::of(Code::Error, &error))?;
    output.say(format!("Making {} certificates ...", args.certificates));
    let publications = ca.publications(args.certificates, &ruleset, &rules.anchors, now())?;
    let sharing = args.validators_here.unwrap_or(party.light().trust().roster().validators().len());
    output.say("Measuring what this machine could do at most ...");
    let limit =
        physical_limit(&publications, &ruleset, now(), args.per_transaction, sharing, args.limit_span.0)?;
    output.say("Publishing ...");
    let bar = output.progress(u64::try_from(args.certificates).unwrap_or_default(), "recorded");
    let publisher = Publisher {
        nodes: party.nodes(),
        ledger: party.light().trust().ledger(),
        parameters: &rules.parameters,
        key: &key,
        wait: Duration::from_secs(60),
        all_or_none: true,
    };
    let load =
        PublishLoad { per_transaction: args.per_transaction, in_flight: args.in_flight, rate: args.rate };
    let progress = |count: usize| bar.set_position(u64::try_from(count).unwrap_or_default());
    let report = bench_publish(&publisher, publications, load, now(), limit, progress).await?;
    bar.finish_and_clear();
    output.value(&report);
    show_publish(&report, output);
    ended(report.failed, report.first_failure)
}

fn show_publish(report: &PublishReport, output: Output) {
    let (finality, limit) = (&report.finality, &report.limit);
    output.line(format!("certificates         {:>10}  in {:.1} s", report.certificates, report.seconds));
    output.line(format!("transactions         {:>10}  {} failed", report.transactions, report.failed));
    output.line(format!("certificates / s     {:>10.0}", report.certificates_per_second));
    if let Some(rate) = report.offered_per_second {
        output.line(format!("offered / s          {rate:>10.0}"));
    }
    output.line(format!("finality p50         {:>10.1} ms", finality.p50_ms));
    output.line(format!("finality p90         {:>10.1} ms", finality.p90_ms));
    output.line(format!("finality p99         {:>10.1} ms", finality.p99_ms));
    output.line(format!("finality max         {:>10.1} ms", finality.max_ms));
    output.line(format!(
        "validations / s      {:>10.0}  raw, {} cores",
        limit.validations_per_second, limit.cores
    ));
    output.line(format!(
        "signature checks / s {:>10.0}  raw, {} cores",
        limit.signature_checks_per_second, limit.cores
    ));
    output.line(format!(
        "limit                {:>10.0}  certificates / s with {} validators on this machine",
        limit.certificates_per_second, limit.validators_sharing
    ));
    output.line(format!("of the limit         {:>10.1} %", report.ratio * 100.0));
}

fn ended(failed: usize, first: Option<String>) -> Done {
    match (failed, first) {
        (0, _) | (_, None) => Ok(()),
        (failed, Some(first)) => {
            Err(Failure::new(Code::Error, format!("{failed} failed; the first: {first}")))
        }
    }
}

async fn status(args: &BenchStatusArgs, context: &Context, output: Output) -> Done {
    let (trust, nodes) = (context.trust()?, context.nodes()?);
    let list = nodes.certificates(&CertificateFilter::default(), ASKED, None).await?;
    let ids: Vec<_> = list.certificates.iter().filter_map(|row| row.certificate.parse().ok()).collect();
    if ids.is_empty() {
        return Err(Failure::new(Code::Error, "the ledger holds no certificates to ask for")
            .hint("publish some first, for example with: tabellion bench publish"));
    }
    output.say(format!("Asking for {} certificates ...", ids.len()));
    let load =
        StatusLoad { in_flight: args.in_flight, duration: args.span.0, verify_every: args.verify_every };
    let report = bench_status(&nodes, &trust, &ids, load).await?;
    output.value(&report);
    output.line(format!(
        "answers          {:>10}  in {:.1} s, {} failed",
        report.answers, report.seconds, report.failed
    ));
    output.line(format!("answers / s      {:>10.0}", report.answers_per_second));
    output.line(format!("latency p50      {:>10.2} ms", report.latency.p50_ms));
    output.line(format!("latency p99      {:>10.2} ms", report.latency.p99_ms));
    output.line(format!("proofs verified  {:>10}", report.verified));
    output.line(format!("verification p50 {:>10.3} ms", report.verification.p50_ms));
    output.line(format!("largest proof    {:>10} bytes", report.proof_bytes_max));
    ended(report.failed, report.first_failure)
}

fn in_process(args: &BenchStatusArgs, output: Output) -> Done {
    output.say(format!("Making a state of {} records ...", args.records));
    let report = bench_proofs(args.records, VALIDATORS, args.span.0)?;
    output.value(&report);
    output.line(format!("records                {:>10}  {} validators", report.records, report.validators));
    output.line(format!("proofs / s             {:>10.0}  one core", report.proofs_per_second));
    output.line(format!("JSON answers / s       {:>10.0}  one core", report.answers_per_second));
    output.line(format!("verifications / s      {:>10.0}  one core", report.verifications_per_second));
    output.line(format!("largest proof          {:>10} bytes", report.proof_bytes_max));
    Ok(())
}

/// How long the certificates of both ends may take to be recorded.
const RECORDED_WITHIN: Span = Span(Duration::from_secs(60));
/// Names of the two ends.
const TLS_SERVER: &str = "server.tls.bench.example";
const TLS_CLIENT: &str = "client.tls.bench.example";

/// Publishes a certificate for each end, then has them shake hands in memory.
async fn tls(args: &BenchTlsArgs, context: &Context, output: Output) -> Done {
    let (key, ca) = (context.key()?, issuing_ca(&args.issuer, context)?);
    let (party, rules) = context.rules().await?;
    let mut pool = ChainPool::new(rules.anchors.iter().map(Vec::as_slice));
    ca.chain().iter().cloned().for_each(|certificate| pool.add(certificate));
    let mut publications = Vec::new();
    let mut ends = Vec::new();
    let mut root = Vec::new();
    for name in [TLS_SERVER, TLS_CLIENT] {
        let own = KeyPair::generate().map_err(|error| Failure::of(Code::Error, &error))?;
        let der = ca.issue_for(name, &own, now())?;
        let certificate = Certificate::from_der(&der).map_err(|error| Failure::of(Code::Error, &error))?;
        let found = pool.chain_of(&certificate, None).map_err(|error| Failure::of(Code::Refused, &error))?;
        let publication = Publication::new(&found, None, name);
        let anchor = rules.anchors.iter().find(|der| CertificateId::of(der) == publication.entry.root);
        root = anchor.cloned().unwrap_or_default();
        let above = ca.chain().iter().map(|certificate| certificate.der.to_vec());
        let chain = std::iter::once(der).chain(above).collect();
        publications.push(publication);
        ends.push(TlsEnd { chain, key: own });
    }
    let signer = Signer { key: &key, ledger: party.light().trust().ledger() };
    let valid_until = now().plus(rules.parameters.transaction.lifetime_ms_max / 2);
    let transaction =
        signer.publish(&publications, valid_until).map_err(|error| Failure::of(Code::Error, &error))?;
    record(party.nodes(), &transaction, RECORDED_WITHIN).await?.done()?;
    let patience = Patience { fresh_ms: u64::MAX, ..Patience::default() };
    let resolver = PeerResolver::start(context.relying_party()?, patience)
        .map_err(|error| Failure::of(Code::Error, &error))?;
    let name = ServerName::try_from(TLS_SERVER).map_err(|error| Failure::of(Code::Error, &error))?;
    let span = args.span.0;
    let measured =
        tokio::task::spawn_blocking(move || bench_tls(&resolver, &ends[0], &ends[1], &root, &name, span));
    let costs = measured.await.map_err(|error| Failure::of(Code::Error, &error))??;
    show_tls(&costs, output);
    Ok(())
}

fn show_tls(costs: &[TlsCost], output: Output) {
    output.line("mutual TLS 1.3 handshakes     key exchange      client    server     total   one core");
    for cost in costs {
        output.value(cost);
        output.line(format!(
            "{:<28}  {:<14}  {:>6} B  {:>6} B  {:>6} B  {:>6.0} us",
            cost.shown,
            cost.key_exchange,
            cost.client_bytes,
            cost.server_bytes,
            cost.bytes(),
            cost.handshake_us
        ));
    }
    for pair in costs.chunks_exact(2) {
        let share = pair[1].bytes() as f64 * 100.0 / pair[0].bytes() as f64;
        output.line(format!("raw key to chain, {:<14}  {share:.1} % of the bytes", pair[0].key_exchange));
    }
}
