//! What a reader is told: plain values, the same in every face and in the client.
//!
//! Identifiers and hashes are 64 hexadecimal digits, times are milliseconds since 1970, proofs and other
//! bytes are base64 of their CBOR form (`docs/format.md`).

mod change;
mod composed;
mod consortium;
mod history;

use serde::{Deserialize, Serialize};
use tabellion_ledger::Header;
use tabellion_pki::{CertificateRecord, Evidence, Standing};
use utoipa::ToSchema;

pub use change::ChangeAnswer;
pub use composed::{
    ForeignLedgerAnswer, ForeignLedgersAnswer, ForeignStatusAnswer, OutboxAnswer, ResultAnswer,
};
pub use consortium::{
    BallotAnswer, DifferenceAnswer, DifferenceLine, MemberAnswer, MembersAnswer, NodeAnswer, NodesAnswer,
    ParametersAnswer, PermissionAnswer, PermissionsAnswer, ProposalAnswer, ProposalsAnswer, StateAnswer,
    TallyAnswer,
};
pub use history::{HistoryAnswer, HistoryRecordAnswer};

/// An error or a refusal, as RFC 9457 problem details.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProblemDetails {
    /// A URI reference that names the kind of problem: `/problems/<code>`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The kind of problem in words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What happened, with the facts.
    pub detail: String,
    /// A stable code for programs.
    pub code: String,
    /// What to do next, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// For a publish request: the certificates that are refused.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub entries: Vec<RefusedEntryAnswer>,
}

/// One refused certificate of a publish request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RefusedEntryAnswer {
    /// Place in the request, from 0.
    pub index: usize,
    /// SHA-256 of the certificate.
    pub certificate: String,
    /// Stable code of the refusal.
    pub code: String,
    /// The refusal in words, with the facts.
    pub message: String,
}

/// A block's header.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HeaderAnswer {
    /// SHA-256 of the header.
    pub hash: String,
    /// Height.
    pub height: u64,
    /// Hash of the header before.
    pub previous: String,
    /// Time. Unit: ms since 1970.
    pub time_ms: u64,
    /// The proposer's place in the roster.
    pub proposer: u16,
    /// Root over the lane headers.
    pub lanes_root: String,
    /// Root of the state after the block.
    pub state_root: String,
    /// Root over all earlier headers.
    pub history_root: String,
    /// The roster that finalised the block.
    pub roster: String,
}

impl From<&Header> for HeaderAnswer {
    fn from(header: &Header) -> Self {
        Self {
            hash: header.hash().to_string(),
            height: header.height.0,
            previous: header.previous.to_string(),
            time_ms: header.time.0,
            proposer: header.proposer,
            lanes_root: header.lanes_root.to_string(),
            state_root: header.state_root.to_string(),
            history_root: header.history_root.to_string(),
            roster: header.roster.to_string(),
        }
    }
}

/// A block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BlockAnswer {
    /// The header.
    pub header: HeaderAnswer,
    /// The lanes with records.
    pub lanes: Vec<LaneAnswer>,
    /// Whether this node still holds the bodies of all lanes.
    pub complete: bool,
}

/// One lane of a block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LaneAnswer {
    /// The lane's name.
    pub lane: String,
    /// SHA-256 of the lane header.
    pub hash: String,
    /// Root over the records.
    pub records_root: String,
    /// Number of records.
    pub record_count: u32,
    /// Identifiers of the transactions, in order; empty where the body is gone.
    pub transactions: Vec<String>,
}

/// Where a transaction stands on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TransactionStanding {
    /// Checked and waiting for a block.
    Pending,
    /// In a finalised block that is durable on the answering node.
    Recorded,
    /// Refused; nothing was recorded.
    Refused,
    /// This node knows nothing of it.
    Unknown,
}

/// A transaction's way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TransactionAnswer {
    /// The identifier.
    pub id: String,
    /// Where it stands.
    pub standing: TransactionStanding,
    /// The block that holds it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub height: Option<u64>,
    /// The lane that holds it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lane: Option<String>,
    /// Its place in the lane.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<u32>,
    /// Why it was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refusal: Option<ProblemDetails>,
}

/// The record of a certificate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RecordAnswer {
    /// `normal`, `suspended` or `revoked`.
    pub status: String,
    /// Why it is suspended or revoked, by the words of RFC 5280: `key-compromise`, `superseded`, ...
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// 0 for the first record, one more for each change.
    pub sequence: u64,
    /// The block since which the record holds.
    pub since_height: u64,
    /// Time of that block. Unit: ms since 1970.
    pub since_ms: u64,
    /// First moment of the validity. Unit: ms since 1970.
    pub valid_from_ms: u64,
    /// Last moment of the validity. Unit: ms since 1970.
    pub valid_until_ms: u64,
    /// SHA-256 of the certificate's SubjectPublicKeyInfo.
    pub key: String,
    /// SHA-256 of the issuer's certificate.
    pub issuer: String,
    /// SHA-256 of the root certificate.
    pub root: String,
    /// The block whose body holds the publication.
    pub published_height: u64,
    /// The key on the ledger that signed the transaction.
    pub submitter: String,
    /// What the status rests on; none for the first record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<EvidenceAnswer>,
    /// SHA-256 of the record before; none for the first one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<String>,
}

/// What the status of a certificate rests on (X.1409 C13).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EvidenceAnswer {
    /// `statement`, `ocsp`, `crl` or `renewal`.
    pub kind: String,
    /// SHA-256 of the evidence; of a renewal, of the new certificate.
    pub hash: String,
    /// SHA-256 of the certificate whose key signed it.
    pub signer: String,
    /// The moment of which it speaks. Unit: ms since 1970.
    pub at_ms: u64,
    /// Number of a CRL or statement, hexadecimal; `0` for others.
    pub number: String,
}

impl From<&Evidence> for EvidenceAnswer {
    fn from(evidence: &Evidence) -> Self {
        Self {
            kind: evidence.kind.to_string(),
            hash: evidence.hash.to_string(),
            signer: evidence.signer.to_string(),
            at_ms: evidence.at.0,
            number: evidence.number.to_string(),
        }
    }
}

impl From<&CertificateRecord> for RecordAnswer {
    fn from(record: &CertificateRecord) -> Self {
        Self {
            status: record.status.to_string(),
            reason: record.reason.map(|reason| reason.to_string()),
            sequence: record.sequence,
            since_height: record.since_height.0,
            since_ms: record.since_time.0,
            valid_from_ms: record.validity.from.0,
            valid_until_ms: record.validity.until.0,
            key: record.key.to_string(),
            issuer: record.issuer.to_string(),
            root: record.root.to_string(),
            published_height: record.published_height.0,
            submitter: record.submitter.to_string(),
            evidence: record.evidence.as_ref().map(EvidenceAnswer::from),
            previous: record.previous.map(|hash| hash.to_string()),
        }
    }
}

/// The status of a certificate, with its proof (X.1409 C10, C17, clause A.2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StatusAnswer {
    /// SHA-256 of the certificate.
    pub certificate: String,
    /// `valid`, `expired`, `suspended`, `revoked` or `unknown`, which a normal one is before its start. Only
    /// `valid` may be relied upon.
    pub standing: String,
    /// The record; none where the certificate is unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<RecordAnswer>,
    /// Where a publication waits for its start: when it will be recorded. A statement of its CA is for
    /// record 1 meanwhile. Unit: ms since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheduled_ms: Option<u64>,
    /// The finalised header under which the answer is proved.
    pub header: HeaderAnswer,
    /// The proof: base64 of a StateProof.
    pub proof: String,
    /// The certificate, PEM, where it was asked for and the node holds it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pem: Option<String>,
}

impl StatusAnswer {
    /// Judges a record under a finalised header at its time.
    pub fn new(
        certificate: String,
        record: Option<&CertificateRecord>,
        scheduled_ms: Option<u64>,
        header: &Header,
        proof: String,
    ) -> Self {
        Self {
            certificate,
            standing: Standing::of(record, header.time).word().to_owned(),
            record: record.map(RecordAnswer::from),
            scheduled_ms,
            header: HeaderAnswer::from(header),
            proof,
            pem: None,
        }
    }
}

/// A certificate in a list, as the query index has it. Lists carry no proof: ask for each one's status.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CertificateRow {
    /// SHA-256 of the certificate.
    pub certificate: String,
    /// SHA-256 of its SubjectPublicKeyInfo.
    pub key: String,
    /// Subject, RFC 4514; empty on a ledger of identifiers.
    pub subject: String,
    /// Issuer, RFC 4514; empty on a ledger of identifiers.
    pub issuer: String,
    /// Serial number, hexadecimal; empty on a ledger of identifiers.
    pub serial: String,
    /// `normal`, `suspended` or `revoked`.
    pub status: String,
    /// First moment of the validity. Unit: ms since 1970.
    pub valid_from_ms: u64,
    /// Last moment of the validity. Unit: ms since 1970.
    pub valid_until_ms: u64,
    /// The block whose body holds the publication.
    pub height: u64,
}

/// A page of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CertificateList {
    /// The certificates.
    pub certificates: Vec<CertificateRow>,
    /// Where the next page begins; none on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// The block up to which the index is filled.
    pub indexed_height: u64,
}

/// The certificates that carry one key, newest first, each with its status and proof.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct KeyAnswer {
    /// SHA-256 of the SubjectPublicKeyInfo.
    pub key: String,
    /// The newest certificate that is valid, if one is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid: Option<String>,
    /// All certificates of the key, newest first.
    pub certificates: Vec<StatusAnswer>,
    /// The proof of the list itself: base64 of a StateProof.
    pub proof: String,
}

/// A ledger at a glance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LedgerAnswer {
    /// The ledger's identifier: SHA-256 of its genesis document.
    pub ledger: String,
    /// Its name.
    pub name: String,
    /// `full` or `identifiers`.
    pub kind: String,
    /// Height of the newest finalised block on this node.
    pub height: u64,
    /// Time of that block. Unit: ms since 1970.
    pub time_ms: u64,
    /// The validators, in the order of the roster.
    pub validators: Vec<ValidatorAnswer>,
    /// Signatures that finalise a block.
    pub quorum: usize,
    /// Transactions on the ledger, as far as this node's index knows.
    pub transactions: u64,
    /// Number of trusted CAs.
    pub trusted_cas: usize,
    /// How old this node's knowledge is; only of an edge node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub knowledge: Option<KnowledgeAnswer>,
}

/// How old the knowledge of an edge node is, which follows the ledger from outside (X.1409 I.1.2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct KnowledgeAnswer {
    /// Height of the newest block whose signatures the node holds.
    pub height: u64,
    /// Its time. Unit: ms since 1970.
    pub time_ms: u64,
    /// Its age by the node's clock. Unit: ms.
    pub age_ms: u64,
    /// The age beyond which the node says nothing but `revoked`. Unit: ms.
    pub limit_ms: u64,
    /// Whether the age is within the limit.
    pub fresh: bool,
    /// The node from which blocks come at present; none where nobody is reached, and without a network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// What went wrong last: a node that does not answer or lied, a file that was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
}

/// A validator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ValidatorAnswer {
    /// Its place in the roster.
    pub index: u16,
    /// Its name.
    pub name: String,
    /// The organisation that runs it.
    pub member: String,
    /// SHA-256 of its key's SubjectPublicKeyInfo.
    pub key: String,
}

/// How a node is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HealthAnswer {
    /// `ok`, or what is wrong.
    pub status: String,
    /// The node's name.
    pub node: String,
    /// `validator`, `full` or `edge`.
    pub role: String,
    /// Height of the newest finalised block.
    pub height: u64,
    /// Milliseconds since the newest finalised block was committed here.
    pub since_block_ms: u64,
    /// Peers that this node is connected to.
    pub peers: usize,
    /// Transactions in the pool.
    pub pool: usize,
    /// Height of the newest block that this node knows to be finalised; it has committed `height` of them.
    #[serde(default)]
    pub finalised: u64,
    /// The Ed25519 key that the node runs under, 64 hexadecimal digits.
    #[serde(default)]
    pub key: String,
    /// Whether the node is being taken out of service: it takes no more transactions.
    #[serde(default)]
    pub draining: bool,
    /// Blocks of which the node lacks certificates or the body; only of a backup node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lacking_blocks: Option<u64>,
    /// How old the node's knowledge is; only of an edge node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub knowledge: Option<KnowledgeAnswer>,
}

/// A publish request that a gateway took: the certificate, and the transaction that carries it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PublishAnswer {
    /// SHA-256 of the certificate: its status is at `/v1/certificates/<this>`.
    pub certificate: String,
    /// SHA-256 of its SubjectPublicKeyInfo.
    pub key: String,
    /// The transaction.
    pub transaction: TransactionAnswer,
}

/// A proof as text, with the header under which it holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProofAnswer {
    /// The finalised header whose quorum the proof shows.
    pub header: HeaderAnswer,
    /// base64 of the proof's CBOR form.
    pub proof: String,
}

/// A header of a range of the chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ChainHeaderAnswer {
    /// The header.
    pub header: HeaderAnswer,
    /// base64 of its FinalityProof; none where only a later block makes it final.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finality: Option<String>,
}

/// A range of headers, ascending by height.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HeadersAnswer {
    /// The headers.
    pub headers: Vec<ChainHeaderAnswer>,
    /// Height at which the next page begins; none where this node has no further header.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<u64>,
}

/// A change of validators, as a node tells it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HandOverAnswer {
    /// Number of the next roster.
    pub roster: u64,
    /// The last block of the validators before.
    pub last_height: u64,
    /// Key identifiers of the next validators, in the order of their places.
    pub validators: Vec<String>,
    /// The HandOver, base64 of its CBOR.
    pub proof: String,
}

/// Changes of validators, ascending.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HandOversAnswer {
    /// The changes.
    pub hand_overs: Vec<HandOverAnswer>,
}

/// States held for nodes that join, newest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SnapshotsAnswer {
    /// The blocks after which the states are.
    pub snapshots: Vec<ProofAnswer>,
}

/// A new block, as the event stream tells it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BlockEventAnswer {
    /// Height.
    pub height: u64,
    /// SHA-256 of the header.
    pub hash: String,
    /// Time. Unit: ms since 1970.
    pub time_ms: u64,
    /// Number of transactions.
    pub transactions: u64,
    /// Number of events of the block, before this one.
    pub events: usize,
}
