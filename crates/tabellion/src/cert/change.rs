//! `tabellion cert revoke`, `suspend`, `resume`, `statement`.

use std::path::Path;

use serde::Serialize;
use tabellion_client::{
    Certificate, ChangeRequest, FeedbackError, NodeClient, RelyingParty, Signer, Submitted, leaves,
};
use tabellion_ledger::{CertificateId, LedgerId, Transaction, TransactionId, cbor};
use tabellion_pki::{EvidenceKind, Reason, Scheduled, Statement, Status, scheduled_key};

use super::input;
use crate::cli::{ChangeArgs, StatementArgs};
use crate::context::{Context, read_file, write_file};
use crate::failure::{Code, Done, Failure};
use crate::moment::{Span, now};
use crate::output::Output;

/// Bytes of a statement's file; the longest has 120.
const STATEMENT_FILE_BYTES_MAX: usize = 256;

/// A changed certificate, as JSON.
#[derive(Serialize)]
struct Told {
    certificate: CertificateId,
    status: Status,
    reason: Option<Reason>,
    evidence: EvidenceKind,
    outcome: &'static str,
    transaction: TransactionId,
    #[serde(skip_serializing_if = "Option::is_none")]
    height: Option<u64>,
}

/// Changes the status of all of the named certificates to `wanted`, or of none.
pub async fn run(wanted: Status, args: ChangeArgs, context: &Context, output: Output) -> Done {
    let issuer = only(&args.issuer.display().to_string(), output)?;
    let mut certificates = Vec::new();
    for file in &args.files {
        certificates.extend(leaves(&input::read(file, output)?).into_iter().cloned());
    }
    let (party, rules) = context.rules().await?;
    let ledger = party.light().trust().ledger();
    let mut requests = Vec::new();
    for certificate in &certificates {
        let request = request(&args, certificate, &issuer, &ledger)?;
        let said = request.change.status();
        if said != wanted {
            let name = input::name_of(certificate);
            let message = format!("{name}: the CA's feedback gives {said}, not {wanted}");
            let failure = Failure::new(Code::Refused, message);
            return Err(Failure { kind: "status-differs".to_owned(), ..failure });
        }
        requests.push(request);
    }
    let key = context.key()?;
    let valid_until = now().plus(rules.parameters.transaction.lifetime_ms_max / 2);
    let transaction = Signer { key: &key, ledger }
        .change(&requests, valid_until)
        .map_err(|error| Failure::of(Code::Error, &error))?;
    let recorded = record(party.nodes(), &transaction, args.wait).await?;
    for (certificate, request) in certificates.iter().zip(&requests) {
        tell(certificate, request, &recorded, output);
    }
    recorded.done()
}

/// What became of a transaction.
pub struct RecordedAt {
    /// Its identifier.
    pub transaction: TransactionId,
    /// `recorded` or `pending`.
    pub outcome: &'static str,
    /// The block that holds it.
    pub height: Option<u64>,
}

impl RecordedAt {
    /// Whether it stands on the ledger.
    pub fn done(&self) -> Done {
        match self.height {
            Some(_) => Ok(()),
            None => Err(Failure::new(Code::Error, "not recorded within the time to wait")
                .hint("wait longer with --wait, or ask later: tabellion ledger tx <transaction>")),
        }
    }
}

/// Has a transaction recorded.
pub async fn record(
    nodes: &NodeClient,
    transaction: &Transaction,
    wait: Span,
) -> Result<RecordedAt, Failure> {
    let id = transaction.id();
    let (outcome, height) = match nodes.submit(id, transaction.to_bytes(), wait.0).await? {
        Submitted::Recorded(answer) => ("recorded", answer.height),
        Submitted::Pending(_) => ("pending", None),
        Submitted::Refused(problem) => {
            let failure = Failure::new(Code::Refused, format!("the ledger refused: {}", problem.detail));
            return Err(Failure { kind: problem.code.clone(), ..failure });
        }
    };
    Ok(RecordedAt { transaction: id, outcome, height })
}

fn tell(certificate: &Certificate, request: &ChangeRequest, recorded: &RecordedAt, output: Output) {
    let change = &request.change;
    let RecordedAt { transaction, outcome, height } = *recorded;
    output.value(&Told {
        certificate: change.certificate,
        status: change.status(),
        reason: change.reason,
        evidence: change.evidence.kind,
        outcome,
        transaction,
        height,
    });
    let word = output.verdict(outcome, outcome == "recorded");
    let reason = change.reason.map(|reason| format!(" ({reason})")).unwrap_or_default();
    let place = height.map(|height| format!("block {height}, ")).unwrap_or_default();
    let (name, status) = (input::name_of(certificate), change.status());
    output.line(format!("{word} {name}  {status}{reason}  {place}transaction {transaction}"));
}

/// The one certificate of a file that issued no other one there.
pub fn only(file: &str, output: Output) -> Result<Certificate, Failure> {
    let certificates = input::read(file, output)?;
    match leaves(&certificates).as_slice() {
        [certificate] => Ok((*certificate).clone()),
        found => {
            let message = format!("{file} holds {} certificates; one is wanted", found.len());
            Err(Failure::new(Code::Usage, message))
        }
    }
}

/// Reads the feedback that the arguments name as every validator will.
fn request(
    args: &ChangeArgs,
    certificate: &Certificate,
    issuer: &Certificate,
    ledger: &LedgerId,
) -> Result<ChangeRequest, Failure> {
    let feedback = &args.feedback;
    let missing = || Failure::new(Code::Usage, "name the CA's feedback: --ocsp, --crl or --statement");
    let (path, made) = match (&feedback.ocsp, &feedback.crl, &feedback.statement) {
        (Some(path), ..) => {
            let bytes = read_file(path, "OCSP response")?;
            (path, ChangeRequest::new((EvidenceKind::Ocsp, &bytes), certificate, issuer, ledger))
        }
        (_, Some(path), _) => {
            let bytes = der_of(read_file(path, "CRL")?);
            (path, ChangeRequest::new((EvidenceKind::Crl, &bytes), certificate, issuer, ledger))
        }
        (_, _, Some(path)) => {
            let signature = read_file(args.signature.as_ref().ok_or_else(missing)?, "signature")?;
            let statement = statement_of(path)?;
            (path, ChangeRequest::of_statement(statement, &signature, certificate, issuer))
        }
        _ => return Err(missing()),
    };
    made.map_err(|error| refused(path, &error))
}

fn statement_of(path: &Path) -> Result<Statement, Failure> {
    let bytes = read_file(path, "statement")?;
    cbor::from_bytes(&bytes, STATEMENT_FILE_BYTES_MAX).map_err(|_| {
        Failure::new(Code::Error, format!("{}: not a statement", path.display()))
            .hint("`tabellion cert statement` writes one")
    })
}

/// The DER inside of PEM; anything else as it is.
fn der_of(bytes: Vec<u8>) -> Vec<u8> {
    match pem::parse(&bytes) {
        Ok(block) if block.tag() == "X509 CRL" => block.into_contents(),
        _ => bytes,
    }
}

pub fn refused(path: &Path, error: &FeedbackError) -> Failure {
    let (kind, reason) = match error {
        FeedbackError::Certificate(refusal) => (refusal.code(), refusal.to_string()),
        FeedbackError::Evidence(refusal) => (refusal.code(), refusal.to_string()),
    };
    let failure = Failure::new(Code::Refused, format!("{}: refused ({kind}): {reason}", path.display()));
    Failure { kind: kind.to_owned(), ..failure }
}

/// Whether it is proved that a certificate's publication waits for its start.
async fn waits(party: &mut RelyingParty, certificate: &CertificateId) -> Result<bool, Failure> {
    let (found, _) = party.record::<Scheduled>(&scheduled_key(certificate), now()).await?;
    Ok(found.is_some())
}

/// Writes the bytes that a CA signs.
pub async fn statement(args: StatementArgs, context: &Context, output: Output) -> Done {
    let reason = match args.reason.as_str() {
        "none" => None,
        text => Some(text.parse::<Reason>().map_err(|_| {
            let words: Vec<_> = Reason::ALL.iter().map(|(reason, _)| reason.word()).collect();
            let hint = format!("one of none, {}", words.join(", "));
            Failure { hint: Some(hint), ..Failure::new(Code::Usage, format!("{text} is no reason")) }
        })?),
    };
    let certificate = only(&args.certificate, output)?;
    let mut party = context.relying_party()?;
    let proved = party.status(&certificate.id(), now()).await?;
    let before = match &proved.status.record {
        Some(record) => record.sequence,
        // Its first record will be made together with the one that the statement asks for.
        None if waits(&mut party, &certificate.id()).await? => 0,
        None => return Err(Failure::new(Code::Refused, "the certificate is not recorded on this ledger")),
    };
    let statement = Statement {
        ledger: party.light().trust().ledger(),
        certificate: certificate.id(),
        reason,
        at: now(),
        sequence: before + 1,
    };
    write_file(&args.out, &statement.signed_bytes())?;
    let (name, status, sequence) = (input::name_of(&certificate), Reason::status(reason), statement.sequence);
    output.say(format!("to be signed with the CA's key: {name} becomes {status}, as record {sequence}"));
    context.remember(&party);
    Ok(())
}
