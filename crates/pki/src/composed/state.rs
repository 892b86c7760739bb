//! Records of composed systems in the state.

use serde::{Deserialize, Serialize};
use tabellion_ledger::cbor::{DecodeError, Reader, Wire, Writer};
use tabellion_ledger::{
    CertificateId, Hash, Header, HeaderHash, Height, KeyId, Roster, TimeMs, TransactionId,
};

use crate::action::Window;
use crate::change::Reason;
use crate::state::Status;

/// How many results the ledger has numbered.
///
/// Shape: [next number].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outbox {
    /// The number of the next result; the first one has 0.
    pub next: u64,
}

impl Wire for Outbox {
    fn encode(&self, out: &mut Writer) {
        out.array(1);
        out.uint(self.next);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.array_exact(1)?;
        Ok(Self { next: input.uint()? })
    }
}

/// A result: the status that a request gave a certificate.
///
/// Shape: [certificate id, status, reason or null, sequence, since height, since time (ms), validity, hash of
/// the certificate record, transaction id of the request or null].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutboxEntry {
    /// The certificate.
    pub certificate: CertificateId,
    /// Its new status.
    pub status: Status,
    /// Why it is suspended or revoked.
    pub reason: Option<Reason>,
    /// Sequence of the certificate's record.
    pub sequence: u64,
    /// The block that recorded it.
    pub since_height: Height,
    /// That block's time.
    pub since_time: TimeMs,
    /// When the certificate is valid, as published.
    pub validity: Window,
    /// SHA-256 of the certificate's record.
    pub record: Hash,
    /// The request; none where the start of a scheduled publication made the record.
    pub request: Option<TransactionId>,
}

impl Wire for OutboxEntry {
    fn encode(&self, out: &mut Writer) {
        out.array(9);
        self.certificate.encode(out);
        self.status.encode(out);
        out.option(self.reason.as_ref());
        out.uint(self.sequence);
        self.since_height.encode(out);
        self.since_time.encode(out);
        self.validity.encode(out);
        self.record.encode(out);
        out.option(self.request.as_ref());
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.array_exact(9)?;
        Ok(Self {
            certificate: CertificateId::decode(input)?,
            status: Status::decode(input)?,
            reason: input.option()?,
            sequence: input.uint()?,
            since_height: Height::decode(input)?,
            since_time: TimeMs::decode(input)?,
            validity: Window::decode(input)?,
            record: Hash::decode(input)?,
            request: input.option()?,
        })
    }
}

/// A header of a foreign ledger.
///
/// Shape: [height, header hash, time (ms)].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForeignHeader {
    /// Its height.
    pub height: Height,
    /// Its hash.
    pub hash: HeaderHash,
    /// Its time.
    pub time: TimeMs,
}

impl From<&Header> for ForeignHeader {
    fn from(header: &Header) -> Self {
        Self { height: header.height, hash: header.hash(), time: header.time }
    }
}

impl Wire for ForeignHeader {
    fn encode(&self, out: &mut Writer) {
        out.array(3);
        self.height.encode(out);
        self.hash.encode(out);
        self.time.encode(out);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.array_exact(3)?;
        Ok(Self {
            height: Height::decode(input)?,
            hash: HeaderHash::decode(input)?,
            time: TimeMs::decode(input)?,
        })
    }
}

/// Up to where every result of a foreign ledger is recorded here.
///
/// Shape: [foreign height, foreign time (ms)].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Complete {
    /// Height of the foreign header under which nothing was missing.
    pub height: Height,
    /// That header's time, or the time of this ledger's block where that was earlier.
    pub time: TimeMs,
}

impl Wire for Complete {
    fn encode(&self, out: &mut Writer) {
        out.array(2);
        self.height.encode(out);
        self.time.encode(out);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.array_exact(2)?;
        Ok(Self { height: Height::decode(input)?, time: TimeMs::decode(input)? })
    }
}

/// The fact that a foreign quorum finalised two headers at one height; both proofs stand in the block.
///
/// Shape: [since height, since time (ms), foreign height, header hash known, header hash found].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Freeze {
    /// The block of this ledger that recorded it.
    pub since_height: Height,
    /// That block's time.
    pub since_time: TimeMs,
    /// The height at which there are two headers.
    pub height: Height,
    /// The header that was recorded before.
    pub known: HeaderHash,
    /// The other one.
    pub found: HeaderHash,
}

impl Wire for Freeze {
    fn encode(&self, out: &mut Writer) {
        out.array(5);
        self.since_height.encode(out);
        self.since_time.encode(out);
        self.height.encode(out);
        self.known.encode(out);
        self.found.encode(out);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.array_exact(5)?;
        Ok(Self {
            since_height: Height::decode(input)?,
            since_time: TimeMs::decode(input)?,
            height: Height::decode(input)?,
            known: HeaderHash::decode(input)?,
            found: HeaderHash::decode(input)?,
        })
    }
}

/// The light client of a foreign ledger: what this ledger knows of it.
///
/// Shape: [generation of the link, roster, newest header or null, next number, complete or null, freeze or
/// null].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FollowedLedger {
    /// The generation of the link to which all this belongs.
    pub generation: u64,
    /// The foreign validators.
    pub roster: Roster,
    /// The newest header that they finalised.
    pub newest: Option<ForeignHeader>,
    /// The number of the next result.
    pub next: u64,
    /// Up to where nothing is missing.
    pub complete: Option<Complete>,
    /// That the link is frozen.
    pub frozen: Option<Freeze>,
}

impl FollowedLedger {
    /// How following begins.
    pub fn begin(generation: u64, roster: Roster) -> Self {
        Self { generation, roster, newest: None, next: 0, complete: None, frozen: None }
    }
}

impl Wire for FollowedLedger {
    fn encode(&self, out: &mut Writer) {
        out.array(6);
        out.uint(self.generation);
        self.roster.encode(out);
        out.option(self.newest.as_ref());
        out.uint(self.next);
        out.option(self.complete.as_ref());
        out.option(self.frozen.as_ref());
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.array_exact(6)?;
        Ok(Self {
            generation: input.uint()?,
            roster: Roster::decode(input)?,
            newest: input.option()?,
            next: input.uint()?,
            complete: input.option()?,
            frozen: input.option()?,
        })
    }
}

/// The status of a certificate on a foreign ledger, as recorded here with its request and result; the proof
/// stands in the block.
///
/// Shape: [generation, number, result, foreign height, since height, since time (ms), submitter's key id].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForeignRecord {
    /// The generation of the link.
    pub generation: u64,
    /// The result's number on the foreign ledger.
    pub number: u64,
    /// The result.
    pub result: OutboxEntry,
    /// Height of the foreign header that proved it.
    pub proved_height: Height,
    /// The block of this ledger that recorded it.
    pub since_height: Height,
    /// That block's time.
    pub since_time: TimeMs,
    /// The key that signed the relay.
    pub submitter: KeyId,
}

impl Wire for ForeignRecord {
    fn encode(&self, out: &mut Writer) {
        out.array(7);
        out.uint(self.generation);
        out.uint(self.number);
        self.result.encode(out);
        self.proved_height.encode(out);
        self.since_height.encode(out);
        self.since_time.encode(out);
        self.submitter.encode(out);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.array_exact(7)?;
        Ok(Self {
            generation: input.uint()?,
            number: input.uint()?,
            result: OutboxEntry::decode(input)?,
            proved_height: Height::decode(input)?,
            since_height: Height::decode(input)?,
            since_time: TimeMs::decode(input)?,
            submitter: KeyId::decode(input)?,
        })
    }
}
