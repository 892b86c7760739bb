//! What is told of a connection.

use rustls::CommonState;
use serde::Serialize;
use tabellion_client::peer::{Peer, PeerRefusal, PeerResolver, PeerVerifier};
use tabellion_pki::Facts;

use super::counted::Counted;
use crate::failure::chain;
use crate::moment::now;
use crate::output::{Output, moment};

/// A connection that stands.
#[derive(Serialize)]
struct Stands {
    event: &'static str,
    address: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    certificate: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    since_height: Option<u64>,
    /// Bytes of the handshake in each direction.
    handshake_in: usize,
    handshake_out: usize,
}

/// A connection that was refused.
#[derive(Serialize)]
struct Refused {
    event: &'static str,
    address: String,
    reason: String,
}

/// A line on a connection that stands, for people or for programs.
pub fn stands(
    word: &'static str,
    address: &str,
    connection: (&CommonState, &Counted),
    party: Option<(&PeerVerifier, &PeerResolver)>,
    output: Output,
) -> String {
    let (state, counted) = connection;
    let shown = state.peer_certificates().and_then(<[_]>::first);
    let peer = party
        .zip(shown)
        .and_then(|((verifier, resolver), shown)| resolver.remembered(&verifier.question(shown), now()));
    let subject = peer.as_ref().and_then(|peer| subject(peer, shown.map(AsRef::as_ref)));
    let since = peer.as_ref().and_then(|peer| peer.status.record.as_ref());
    if output.is_json() {
        let stands = Stands {
            event: word,
            address: address.to_owned(),
            certificate: peer.as_ref().map(|peer| peer.certificate.to_string()),
            subject,
            since_height: since.map(|record| record.since_height.0),
            handshake_in: counted.read,
            handshake_out: counted.written,
        };
        return serde_json::to_string(&stands).unwrap_or_default();
    }
    let who = match (&peer, since) {
        (Some(peer), Some(record)) => format!(
            "{}  certificate {}  {} since block {} ({})",
            subject.unwrap_or_default(),
            peer.certificate,
            record.status,
            record.since_height,
            moment(record.since_time)
        ),
        _ => "anybody".to_owned(),
    };
    let bytes = format!("handshake {} bytes in, {} out", counted.read, counted.written);
    format!("{} {address}  {who}  {bytes}", output.verdict(word, true))
}

fn subject(peer: &Peer, shown: Option<&[u8]>) -> Option<String> {
    let facts = Facts::of(peer.der.as_deref().or(shown)?).ok()?;
    Some(facts.subject.to_string())
}

/// Tells why there is no connection.
pub fn refused(address: &str, reason: &str, output: Output) {
    output.value(&Refused { event: "refused", address: address.to_owned(), reason: reason.to_owned() });
    output.line(format!("{} {address}  {reason}", output.verdict("refused", false)));
}

/// Why a handshake failed, where the ledger is the reason.
pub fn refusal(error: &std::io::Error) -> Option<PeerRefusal> {
    let error = error.get_ref()?.downcast_ref::<rustls::Error>()?;
    match error {
        rustls::Error::InvalidCertificate(rustls::CertificateError::Other(other)) => {
            other.0.downcast_ref::<PeerRefusal>().cloned()
        }
        _ => None,
    }
}

/// Why a handshake failed, in full.
pub fn reason(error: &std::io::Error) -> String {
    if let Some(refusal) = refusal(error) {
        return refusal.to_string();
    }
    chain(error)
}
