//! What a proposal would change, before anybody votes on it.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tabellion_ledger::cbor::{self, Wire};
use tabellion_ledger::limits::RECORD_BYTES_MAX;
use tabellion_ledger::{Context, Effects, Roster, Staged, StateKey, View, Writes};

use crate::account::Account;
use crate::change::Change;
use crate::draft::{Draft, Judge};
use crate::execute::execute;
use crate::link::Link;
use crate::member::{Member, Moment};
use crate::node::Node;
use crate::parameters::Parameters;
use crate::refusal::Refusal;
use crate::roster::end_epoch;
use crate::signing::KeyRecord;
use crate::state::Stop;
use crate::view;

/// One value that a change sets, adds or takes away.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// The record, for example `member/alpha` or `parameters`.
    pub record: String,
    /// The field within it, for example `block.heartbeat_ms`; an item of a list stands alone.
    pub field: String,
    /// The value before; none where there was none.
    pub before: Option<Value>,
    /// The value after; none where there is none.
    pub after: Option<Value>,
}

/// Everything that a change would change, by record and field.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// The lines.
    pub lines: Vec<Line>,
}

/// Shows what a change would change if it took effect with the next block; a change of the roster as if the
/// epoch ended then, after all changes that wait already.
///
/// Refuses: what the proposal itself would be refused for.
pub fn dry_run(
    change: &Change,
    ctx: &Context,
    judge: &dyn Judge,
    view: &dyn View,
) -> Result<Difference, Refusal> {
    let number = view::agenda(view).next;
    let mut draft = Draft::new(ctx, judge, view);
    execute(change, number, &mut draft)?;
    let mut before = Writes::new();
    if change.seat().is_some() {
        end_epoch(usize::MAX, &mut draft);
        let mut without = Draft::new(ctx, judge, view);
        end_epoch(usize::MAX, &mut without);
        before = without.into_effects().writes;
    }
    let Effects { writes: after, .. } = draft.into_effects();
    Ok(difference(before, after, view))
}

fn difference(before: Writes, after: Writes, view: &dyn View) -> Difference {
    let keys: BTreeSet<StateKey> = before.keys().chain(after.keys()).cloned().collect();
    let (mut old, mut new) = (Staged::over(view), Staged::over(view));
    old.merge(before);
    new.merge(after);
    let lines = keys.iter().flat_map(|key| {
        let name = record_name(key);
        name.map(|name| compare(&name, values(key, &old), values(key, &new))).unwrap_or_default()
    });
    Difference { lines: lines.collect() }
}

/// The values of a record by field.
type Fields = BTreeMap<String, Field>;

enum Field {
    One(Value),
    List(Vec<Value>),
}

impl Field {
    fn items(&self) -> &[Value] {
        match self {
            Self::One(value) => std::slice::from_ref(value),
            Self::List(items) => items,
        }
    }
}

fn compare(record: &str, mut before: Fields, after: Fields) -> Vec<Line> {
    let mut lines = Vec::new();
    let line = |field: &str, before: Option<&Value>, after: Option<&Value>| Line {
        record: record.to_owned(),
        field: field.to_owned(),
        before: before.cloned(),
        after: after.cloned(),
    };
    for (field, new) in after {
        let old = before.remove(&field).unwrap_or_else(|| Field::List(Vec::new()));
        if let (Field::One(old), Field::One(new)) = (&old, &new) {
            lines.extend((old != new).then(|| line(&field, Some(old), Some(new))));
            continue;
        }
        let (old, new) = (old.items(), new.items());
        let gone = old.iter().filter(|value| !new.contains(value));
        lines.extend(gone.map(|value| line(&field, Some(value), None)));
        let come = new.iter().filter(|value| !old.contains(value));
        lines.extend(come.map(|value| line(&field, None, Some(value))));
    }
    for (field, old) in before {
        lines.extend(old.items().iter().map(|value| line(&field, Some(value), None)));
    }
    lines
}

/// The name of a record that a reader knows; none for lists and agendas, which follow from the others.
fn record_name(key: &StateKey) -> Option<String> {
    let text = |rest: &[u8]| String::from_utf8(rest.to_vec()).ok();
    let key = key.key.as_slice();
    for (prefix, binary) in
        [("member/", false), ("account/", false), ("key/", true), ("link/", true), ("node/", true)]
    {
        if let Some(rest) = key.strip_prefix(prefix.as_bytes()) {
            return Some(format!("{prefix}{}", if binary { hex::encode(rest) } else { text(rest)? }));
        }
    }
    if let Some(rest) = key.strip_prefix(b"anchor/") {
        return Some(format!("anchor/{}", hex::encode(rest)));
    }
    text(key).filter(|name| ["outbox", "parameters", "roster", "stop"].contains(&name.as_str()))
}

fn values(key: &StateKey, view: &dyn View) -> Fields {
    let Some(bytes) = view.get(key) else {
        return Fields::new();
    };
    let name = key.key.as_slice();
    let value = match name {
        b"parameters" => json::<Parameters>(&bytes),
        b"stop" => json::<Stop>(&bytes),
        b"outbox" => json::<Moment>(&bytes),
        b"roster" => roster(&bytes),
        _ if name.starts_with(b"member/") => json::<Member>(&bytes),
        _ if name.starts_with(b"account/") => json::<Account>(&bytes),
        _ if name.starts_with(b"key/") => json::<KeyRecord>(&bytes),
        _ if name.starts_with(b"link/") => json::<Link>(&bytes),
        _ if name.starts_with(b"node/") => json::<Node>(&bytes),
        _ => Some(Value::from("trusted")),
    };
    let mut fields = Fields::new();
    flatten("", value.unwrap_or_default(), &mut fields);
    fields
}

fn json<T: Wire + Serialize>(bytes: &[u8]) -> Option<Value> {
    let record: T = cbor::from_bytes(bytes, RECORD_BYTES_MAX).ok()?;
    serde_json::to_value(record).ok()
}

fn roster(bytes: &[u8]) -> Option<Value> {
    let roster: Roster = cbor::from_bytes(bytes, RECORD_BYTES_MAX).ok()?;
    let validator = |validator: &tabellion_ledger::Validator| {
        format!("{} {} {}", validator.member, validator.name, hex::encode(validator.key))
    };
    let validators: Vec<String> = roster.validators().iter().map(validator).collect();
    Some(serde_json::json!({ "number": roster.number(), "validators": validators }))
}

/// Lays a value out: fields of fields by dots, items of a list each for itself.
fn flatten(field: &str, value: Value, fields: &mut Fields) {
    match value {
        Value::Object(object) => {
            for (name, value) in object {
                let field = if field.is_empty() { name } else { format!("{field}.{name}") };
                flatten(&field, value, fields);
            }
        }
        Value::Array(items) => {
            fields.insert(field.to_owned(), Field::List(items));
        }
        Value::Null => {}
        value => {
            fields.insert(field.to_owned(), Field::One(value));
        }
    }
}
