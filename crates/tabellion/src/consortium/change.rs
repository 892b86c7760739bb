//! From the arguments of `tabellion propose` to a change.

use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use tabellion_consortium::{
    AlgorithmRules, BlockLimits, CertificateLimits, Change, Der, Genesis, KeyOffer, MemberQuota, NewLink,
    NewMember, Parameters, PolicyRules, ProposalNumber, VotingRules, parameters_key,
};
use tabellion_ledger::CertificateId;

use super::args::{ChangeArgs, OutboxState, SetArgs};
use super::desk::{Desk, Sought};
use crate::cert::read_certificates_of;
use crate::context::read_file;
use crate::failure::{Code, Failure};
use crate::output::Output;

/// The change that the arguments mean; values that are not named stay as the proved parameters have them.
pub async fn change(args: ChangeArgs, desk: &mut Desk<'_>) -> Result<Change, Failure> {
    Ok(match args {
        ChangeArgs::AddMember { offer } => Change::AddMember(read_json::<NewMember>(&offer)?),
        ChangeArgs::SuspendMember { member } => Change::SuspendMember { member },
        ChangeArgs::ResumeMember { member } => Change::ResumeMember { member },
        ChangeArgs::RemoveMember { member } => Change::RemoveMember { member },
        ChangeArgs::ReplaceKeys { member, offers } => {
            let keys: Result<Vec<KeyOffer>, Failure> = offers.iter().map(|file| read_json(file)).collect();
            Change::ReplaceKeys { member, keys: keys? }
        }
        ChangeArgs::GrantRole { member, role } => Change::GrantRole { member, role },
        ChangeArgs::RevokeRole { member, role } => Change::RevokeRole { member, role },
        ChangeArgs::AddValidator { node } => {
            Change::AddValidator { node: desk.find_node(&node, Sought::WithoutVote).await?.id }
        }
        ChangeArgs::ReplaceValidator { old, by } => {
            let old = desk.find_node(&old, Sought::Validator).await?;
            let new = match by {
                Some(new) => desk.find_node(&new, Sought::WithoutVote).await?,
                None => desk.successor(&old).await?,
            };
            Change::ReplaceValidator { old: old.id, new: new.id }
        }
        ChangeArgs::RemoveValidator { node } => {
            Change::RemoveValidator { node: desk.find_node(&node, Sought::Validator).await?.id }
        }
        ChangeArgs::TrustedCas { add, remove } => trusted_cas(&add, remove, desk.output)?,
        ChangeArgs::MemberQuota { member, quota } => {
            Change::MemberQuota { member, quota: member_quota(&quota)? }
        }
        ChangeArgs::VerifierVersion { version } => Change::VerifierVersion { version },
        ChangeArgs::LedgerVersion { version } => Change::LedgerVersion { version },
        ChangeArgs::Stop => Change::Stop,
        ChangeArgs::Resume => Change::Resume,
        ChangeArgs::Cancel { proposal } => Change::Cancel { proposal: ProposalNumber(proposal) },
        ChangeArgs::Decision { text } => Change::Decision { text },
        ChangeArgs::FollowLedger { document, name, stale_after } => {
            let genesis = read_genesis(&document)?;
            let (ledger, roster) = (genesis.ledger_id(), genesis.roster());
            let name = name.unwrap_or(genesis.name);
            Change::FollowLedger(NewLink { ledger, name, roster, stale_after_ms: stale_after.ms() })
        }
        ChangeArgs::UnfollowLedger { ledger } => Change::UnfollowLedger { ledger },
        ChangeArgs::FollowAnew { document } => {
            let genesis = read_genesis(&document)?;
            Change::FollowAnew { ledger: genesis.ledger_id(), roster: genesis.roster() }
        }
        ChangeArgs::Outbox { state } => Change::Outbox { open: state == OutboxState::Open },
        ChangeArgs::Policies(_)
        | ChangeArgs::Algorithms(_)
        | ChangeArgs::Names(_)
        | ChangeArgs::Blocks(_)
        | ChangeArgs::Transactions(_)
        | ChangeArgs::CertificateLimits(_)
        | ChangeArgs::Retention(_)
        | ChangeArgs::Quotas(_)
        | ChangeArgs::Voting(_) => parameters(&args, &desk.founded(parameters_key()).await?)?,
    })
}

fn read_genesis(path: &Path) -> Result<Genesis, Failure> {
    let bytes = read_file(path, "genesis document")?;
    Genesis::from_bytes(&bytes).map_err(|fault| {
        Failure::new(Code::Error, format!("{} is refused: {fault}", path.display()))
            .hint("genesis.cbor of the foreign network, as its operators gave it to you")
    })
}

/// A change of a group of parameters.
fn parameters(args: &ChangeArgs, now: &Parameters) -> Result<Change, Failure> {
    let certificate = &now.certificate;
    let lifetime_ms_max = now.transaction.lifetime_ms_max;
    let (kind, set, group) = match args {
        ChangeArgs::Policies(set) => ("policies", set, json(&PolicyRules::of(certificate))),
        ChangeArgs::Algorithms(set) => ("algorithms", set, json(&AlgorithmRules::of(now))),
        ChangeArgs::Names(set) => ("names", set, serde_json::json!({ "names": certificate.names })),
        ChangeArgs::Blocks(set) => ("blocks", set, json(&BlockLimits::of(&now.block))),
        ChangeArgs::Transactions(set) => {
            ("transactions", set, serde_json::json!({ "lifetime_ms_max": lifetime_ms_max }))
        }
        ChangeArgs::CertificateLimits(set) => {
            ("certificate-limits", set, json(&CertificateLimits::of(certificate)))
        }
        ChangeArgs::Retention(set) => ("retention", set, serde_json::json!({ "lanes": now.retention })),
        ChangeArgs::Quotas(set) => ("quotas", set, json(&now.quota)),
        ChangeArgs::Voting(set) => ("voting", set, json(&VotingRules::of(now))),
        _ => return Err(Failure::new(Code::Usage, "this change sets no parameters")),
    };
    let Value::Object(mut fields) = group else {
        return Err(Failure::new(Code::Error, format!("the parameters of {kind} have no fields")));
    };
    assign(set, kind, &mut fields)?;
    fields.insert("change".to_owned(), Value::from(kind));
    serde_json::from_value(Value::Object(fields))
        .map_err(|error| Failure::new(Code::Usage, format!("{kind}: {error}")))
}

fn assign(set: &SetArgs, kind: &str, fields: &mut Map<String, Value>) -> Result<(), Failure> {
    for text in &set.values {
        let known = fields.keys().cloned().collect::<Vec<_>>().join(", ");
        let wrong = |message: String| {
            Failure::new(Code::Usage, message).hint(format!("{kind} has the fields {known}"))
        };
        let (name, value) =
            text.split_once('=').ok_or_else(|| wrong(format!("'{text}' is not FIELD=VALUE")))?;
        let field = fields.get_mut(name).ok_or_else(|| wrong(format!("{kind} has no field '{name}'")))?;
        *field = value_of(value);
    }
    Ok(())
}

/// JSON, or else a text.
fn value_of(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| Value::from(text))
}

fn member_quota(text: &str) -> Result<MemberQuota, Failure> {
    serde_json::from_value(value_of(text)).map_err(|error| {
        Failure::new(Code::Usage, format!("'{text}' is no quota: {error}")).hint(
            "default, unlimited, or for example '{\"own\": {\"transactions\": 1000, \"bytes\": 1000000}}'",
        )
    })
}

fn trusted_cas(add: &[PathBuf], mut remove: Vec<CertificateId>, output: Output) -> Result<Change, Failure> {
    let mut ders = Vec::new();
    for file in add {
        let found = read_certificates_of(&file.display().to_string(), output)?;
        ders.extend(found.into_iter().map(|certificate| Der(certificate.der.to_vec())));
    }
    ders.sort_by_key(Der::id);
    ders.dedup();
    remove.sort();
    remove.dedup();
    if ders.is_empty() && remove.is_empty() {
        return Err(Failure::new(Code::Usage, "no trusted CA comes or goes")
            .hint("name certificates with --add FILE, or identifiers with --remove ID"));
    }
    Ok(Change::TrustedCas { add: ders, remove })
}

fn json(value: &impl Serialize) -> Value {
    serde_json::to_value(value).unwrap_or_default()
}

fn read_json<T: DeserializeOwned>(file: &Path) -> Result<T, Failure> {
    serde_json::from_slice(&read_file(file, "offer")?).map_err(|error| {
        Failure::new(Code::Error, format!("{} is not what it should be: {error}", file.display()))
            .hint("`tabellion member offer` and `tabellion member key offer` write such files")
    })
}
