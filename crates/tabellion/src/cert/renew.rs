//! `tabellion cert renew`: a certificate in the place of another one, signed with the old one's key.

use std::path::Path;

use rcgen::{KeyPair, SigningKey as _};
use serde::Serialize;
use tabellion_client::{Certificate, Publication, Signer, renewal_signature};
use tabellion_ledger::{CertificateId, LedgerId, TransactionId};
use tabellion_pki::{KeySignature, renewal_message};

use super::change::{only, record, refused};
use super::input;
use super::publish::{Given, Prepared, prepare};
use crate::cli::RenewArgs;
use crate::context::{Context, read_file, write_file};
use crate::failure::{Code, Done, Failure};
use crate::moment::now;
use crate::output::Output;

/// A renewal, as JSON.
#[derive(Serialize)]
struct Told {
    certificate: CertificateId,
    replaces: CertificateId,
    outcome: &'static str,
    transaction: TransactionId,
    #[serde(skip_serializing_if = "Option::is_none")]
    height: Option<u64>,
}

/// Publishes the new certificate and ends the old one, in one transaction; or writes what is to be signed.
pub async fn run(args: RenewArgs, context: &Context, output: Output) -> Done {
    let old = only(&args.old, output)?;
    let given = Given::read(std::slice::from_ref(&args.new), &args.inputs, output)?;
    let (party, rules) = context.rules().await?;
    let ledger = party.light().trust().ledger();
    let Prepared { mut publications, refused } = prepare(given, &args.inputs, &rules)?;
    if let Some((_, failure)) = refused.into_iter().next() {
        return Err(failure);
    }
    let (Some(new), None) = (publications.pop(), publications.pop()) else {
        return Err(Failure::new(Code::Usage, format!("{} holds several certificates", args.new))
            .hint("a renewal has one new certificate; beside it the file holds its chain"));
    };
    if let Some(file) = &args.message_out {
        write_file(file, &renewal_message(&ledger, &old.id(), &new.id()))?;
        output.say(format!("to be signed with the key of {}, the old certificate", input::name_of(&old)));
        return Ok(());
    }
    let signature = signature(&args, &old, &new, &ledger)?;
    let key = context.key()?;
    let valid_until = now().plus(rules.parameters.transaction.lifetime_ms_max / 2);
    let transaction = Signer { key: &key, ledger }
        .renew(&new, &old, signature, valid_until)
        .map_err(|error| Failure::of(Code::Error, &error))?;
    let recorded = record(party.nodes(), &transaction, args.inputs.wait).await?;
    let (outcome, height, transaction) = (recorded.outcome, recorded.height, recorded.transaction);
    output.value(&Told { certificate: new.id(), replaces: old.id(), outcome, transaction, height });
    let word = output.verdict(outcome, height.is_some());
    let place = height.map(|height| format!("block {height}, ")).unwrap_or_default();
    let (name, old) = (input::name_of(&old), old.id());
    output
        .line(format!("{word} {name}  {} in the place of {old}  {place}transaction {transaction}", new.id()));
    recorded.done()
}

/// The old key's signature: made here, or by another tool.
fn signature(
    args: &RenewArgs,
    old: &Certificate,
    new: &Publication,
    ledger: &LedgerId,
) -> Result<KeySignature, Failure> {
    let (path, signature) = match (&args.old_key, &args.signature) {
        (Some(path), _) => (path, sign(path, &renewal_message(ledger, &old.id(), &new.id()))?),
        (None, Some(path)) => (path, read_file(path, "signature")?),
        (None, None) => {
            return Err(Failure::new(Code::Usage, "the old certificate's key signs its renewal")
                .hint("name it with --old-key; or --message-out, and then --signature"));
        }
    };
    renewal_signature(old, &new.id(), ledger, &signature).map_err(|error| refused(path, &error))
}

fn sign(path: &Path, message: &[u8]) -> Result<Vec<u8>, Failure> {
    let refused = |error: &dyn std::fmt::Display| {
        Failure::new(Code::Error, format!("{} is refused: {error}", path.display())).hint(
            "a private key in PEM, not encrypted; for any other, write what is to be signed with \
             --message-out",
        )
    };
    let text = String::from_utf8(read_file(path, "key of the old certificate")?);
    let key = KeyPair::from_pem(&text.map_err(|error| refused(&error))?).map_err(|error| refused(&error))?;
    key.sign(message).map_err(|error| refused(&error))
}
