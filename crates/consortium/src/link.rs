//! Which foreign ledgers this one follows (X.1409 C16, A.1: composed systems).

use serde::{Deserialize, Serialize};
use tabellion_ledger::cbor::{DecodeError, Reader, Wire, Writer};
use tabellion_ledger::limits::NAME_BYTES_MAX;
use tabellion_ledger::{LedgerId, Roster};

use crate::limits::LINKS_MAX;
use crate::member::Moment;
use crate::text::as_roster;
use crate::wire::{ascending, line};

/// A foreign ledger that is to be followed, as members propose it.
///
/// The identifier is the hash of the genesis document, the roster the one with which following begins:
/// most often that of the same document. Whoever votes compares both with its own copy.
///
/// Shape: [ledger id, name, roster, stale after (ms)].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewLink {
    /// The ledger.
    pub ledger: LedgerId,
    /// Its name, for people.
    pub name: String,
    /// The validators with whom following begins.
    #[serde(with = "as_roster")]
    pub roster: Roster,
    /// How old what is known of it may be until it counts as stale. Unit: ms.
    pub stale_after_ms: u64,
}

impl Wire for NewLink {
    fn encode(&self, out: &mut Writer) {
        out.array(4);
        self.ledger.encode(out);
        out.text(&self.name);
        self.roster.encode(out);
        out.uint(self.stale_after_ms);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.array_exact(4)?;
        Ok(Self {
            ledger: LedgerId::decode(input)?,
            name: line(input, "name", NAME_BYTES_MAX)?,
            roster: Roster::decode(input)?,
            stale_after_ms: input.uint()?,
        })
    }
}

/// The record of a foreign ledger that is or was followed.
///
/// Shape: [ledger id, name, roster, stale after (ms), generation, since, ended or null].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// The ledger.
    pub ledger: LedgerId,
    /// Its name, for people.
    pub name: String,
    /// The validators with whom following begins.
    #[serde(with = "as_roster")]
    pub roster: Roster,
    /// How old what is known of it may be until it counts as stale. Unit: ms.
    pub stale_after_ms: u64,
    /// How often following began: 1, and one more each time that the members let it begin anew.
    pub generation: u64,
    /// Since when this generation holds.
    pub since: Moment,
    /// When the members ended it; none while it holds.
    pub ended: Option<Moment>,
}

impl Wire for Link {
    fn encode(&self, out: &mut Writer) {
        out.array(7);
        self.ledger.encode(out);
        out.text(&self.name);
        self.roster.encode(out);
        out.uint(self.stale_after_ms);
        out.uint(self.generation);
        self.since.encode(out);
        out.option(self.ended.as_ref());
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.array_exact(7)?;
        Ok(Self {
            ledger: LedgerId::decode(input)?,
            name: line(input, "name", NAME_BYTES_MAX)?,
            roster: Roster::decode(input)?,
            stale_after_ms: input.uint()?,
            generation: input.uint()?,
            since: Moment::decode(input)?,
            ended: input.option()?,
        })
    }
}

/// The foreign ledgers that are followed.
///
/// Shape: [ledger id, ...], ascending.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Links(pub Vec<LedgerId>);

impl Wire for Links {
    fn encode(&self, out: &mut Writer) {
        out.list(&self.0);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        ascending(input, "links", LINKS_MAX).map(Self)
    }
}
