//! `tabellion node cas`: the file by which clients know nodes, brought up to date from the ledger.
//!
//! ```text
//! node --shows--> its CA --whose key?--> record of a node, proved from the genesis document --> file
//!                   `-> the answers come over a connection whose other end this very CA vouches for
//! ```
//!
//! What clients hold may be as old as it likes: proofs are believed here, TLS is not. Nothing is sent but
//! questions for proofs.

use std::path::{Path, PathBuf};

use serde::Serialize;
use tabellion_client::{Certificate, NodeTrust, RelyingParty, read_certificates, shown_certificates};
use tabellion_consortium::{Node, Owner, node_key};
use tabellion_ledger::{CertificateId, KeyId};
use tabellion_pki::{AlgorithmSet, is_issued_by};

use crate::context::{Context, read_file};
use crate::failure::{Code, Done, Failure};
use crate::moment::now;
use crate::node_commands::{pem_of, write_public};
use crate::output::Output;

/// What becomes of a CA.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Outcome {
    /// Shown by the node whose key it is.
    Proved,
    /// Held already, and the ledger still has its node, which was not asked or does not answer.
    Kept,
    /// Held already, of a key that a node had before: until it shows its new CA, this one leads to it.
    Outdated,
    /// Held already, and not a node's: somebody put it there.
    Foreign,
    /// Held until now.
    Dropped,
}

/// A CA and what becomes of it, as JSON.
#[derive(Serialize)]
struct Told<'a> {
    outcome: Outcome,
    ca: CertificateId,
    key: KeyId,
    #[serde(skip_serializing_if = "Option::is_none")]
    node: Option<&'a Node>,
}

/// Asks each node, writes the file, and says what was kept and what was refused.
pub async fn cas(out: Option<PathBuf>, context: &Context, output: Output) -> Done {
    let file = out.or_else(|| context.ca_file().map(Path::to_owned)).ok_or_else(|| {
        Failure::new(Code::Usage, "no file is named").hint("name it with --out FILE, or --ca FILE")
    })?;
    let (mut kept, mut last) = (Vec::new(), None);
    for node in context.node_urls() {
        match ca_at(node, context).await {
            Ok((ca, record, party)) => {
                tell(Outcome::Proved, &ca, Some(&record), output);
                kept.push(ca);
                context.remember(&party);
                last = Some(party);
            }
            Err(failure) => output.warn(format!("{node}: {failure}")),
        }
    }
    let Some(mut party) = last else {
        let message =
            format!("no node showed a CA that the ledger proves; {} stays as it is", file.display());
        return Err(Failure::new(Code::Unreachable, message)
            .hint("name the nodes with --node URL, as in `--node https://192.0.2.9:8441`"));
    };
    for ca in held(&file)? {
        if kept.iter().any(|known| known.id() == ca.id()) {
            continue;
        }
        let (outcome, node) = judge(&ca, &kept, &mut party).await?;
        tell(outcome, &ca, node.as_ref(), output);
        if !matches!(outcome, Outcome::Dropped) {
            kept.push(ca);
        }
    }
    let certificates: Vec<_> = kept.iter().map(|ca| ca.der.to_vec().into()).collect();
    write_public(&file, pem_of(&certificates).as_bytes())?;
    output.say(format!("CAs in {}: {}", file.display(), kept.len()));
    Ok(())
}

/// A node's CA, the node's record, and who proved it.
async fn ca_at(node: &str, context: &Context) -> Result<(Certificate, Node, RelyingParty), Failure> {
    let shown = shown_certificates(node).await?;
    let shown: Vec<_> = shown.iter().filter_map(|der| Certificate::from_der(der).ok()).collect();
    let own = shown
        .split_first()
        .and_then(|(face, others)| others.iter().find(|ca| is_nodes(ca) && face.may_be_issued_by(ca)));
    let ca = own.cloned().ok_or_else(|| {
        Failure::new(Code::Refused, "its certificate is not of its own making: name its CA by hand")
    })?;
    let key = ca.facts.key;
    let mut party = context.through(node.to_owned(), NodeTrust::PinnedKey(key)).relying_party()?;
    match node_of(&key, &mut party).await? {
        Some(record) if has_key(&record, &key) => Ok((ca, record, party)),
        _ => Err(Failure::new(Code::Refused, format!("the ledger has no node with key {key}"))),
    }
}

/// Whether a node made this CA with its key: it bears the key's name, and its own signature.
fn is_nodes(ca: &Certificate) -> bool {
    let names_its_key = ca.facts.subject.text().contains(&ca.facts.key.to_string());
    let is_signed = || is_issued_by(&ca.der, &ca.der, &AlgorithmSet::default());
    names_its_key && ca.is_self_issued() && matches!(is_signed(), Ok(Ok(())))
}

/// The node whose key this is, was or will be, unless it was removed; proved.
async fn node_of(key: &KeyId, party: &mut RelyingParty) -> Result<Option<Node>, Failure> {
    let Some(owner) = party.owner(key, now()).await? else { return Ok(None) };
    let Owner::Node(id) = owner.owner else { return Ok(None) };
    let node: Option<Node> = party.consortium(node_key(&id), now()).await?;
    Ok(node.filter(|node| node.removed.is_none()))
}

/// Whether a node has a key now, or from the next epoch on.
fn has_key(node: &Node, key: &KeyId) -> bool {
    [Some(node.key), node.next_key].iter().flatten().any(|has| has.id() == *key)
}

fn held(file: &Path) -> Result<Vec<Certificate>, Failure> {
    let bytes = if file.exists() { read_file(file, "CA file")? } else { Vec::new() };
    if bytes.trim_ascii().is_empty() {
        return Ok(Vec::new());
    }
    let held = read_certificates(&bytes);
    let held = held.map_err(|error| Failure::new(Code::Error, format!("{}: {error}", file.display())))?;
    Ok(held.certificates)
}

/// What becomes of a CA that the file holds already, beside those that are kept.
async fn judge(
    ca: &Certificate,
    kept: &[Certificate],
    party: &mut RelyingParty,
) -> Result<(Outcome, Option<Node>), Failure> {
    if !is_nodes(ca) {
        return Ok((Outcome::Foreign, None));
    }
    let Some(node) = node_of(&ca.facts.key, party).await? else { return Ok((Outcome::Dropped, None)) };
    let outcome = match has_key(&node, &ca.facts.key) {
        true => Outcome::Kept,
        false if kept.iter().any(|known| has_key(&node, &known.facts.key)) => Outcome::Dropped,
        false => Outcome::Outdated,
    };
    Ok((outcome, Some(node)))
}

fn tell(outcome: Outcome, ca: &Certificate, node: Option<&Node>, output: Output) {
    let whose = node.map(|node| format!("node {} of {}", node.name, node.member)).unwrap_or_default();
    let key = ca.facts.key;
    output.line(match outcome {
        Outcome::Proved => format!("proved   {key}  {whose}"),
        Outcome::Kept => format!("kept     {key}  {whose}, which did not show it now"),
        Outcome::Outdated => {
            format!("kept     {key}  {whose}, which has another key now: ask it with --node")
        }
        Outcome::Foreign => format!("kept     {key}  made by no node: {}", ca.facts.subject),
        Outcome::Dropped => format!("dropped  {key}  no node has this key any more"),
    });
    output.value(&Told { outcome, ca: ca.id(), key, node });
}
