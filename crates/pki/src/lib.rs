//! X.509 certificate management (X.1409 clause 8 and Annex A).
//!
//! Purpose: publish certificates after verification, change their status upon their CA's own feedback, renew
//! them, keep the latest status, answer whether one may rely on them.
//!
//! Composed systems: results numbered for other ledgers, and the statuses that these prove.
//!
//! Absent: clocks, sockets, files; a certification authority (certificates are made elsewhere); trust of its
//! own: the trusted CAs, policies and names come from the ledger's parameters.
//!
//! ```text
//! action + attachments --check (parallel, no state)--> Checked --apply (in order)--> records + events
//!                          |- verify: pre-check, X.509 path validation   `- close: scheduled starts
//!                          `- evidence: the CA's own feedback
//! ```
mod action;
mod apply;
mod change;
mod check;
mod composed;
mod event;
mod evidence;
mod facts;
mod issuer;
mod key;
mod notice;
mod refusal;
mod retention;
mod staleness;
mod state;
mod verify;
mod view;

pub use action::{Action, ENTRIES_MAX, Entry, INTERMEDIATES_MAX, Window};
pub use apply::{Rules, apply, close, next_start};
pub use change::{Evidence, EvidenceKind, KeySignature, Number, Reason, Renewal, StatusChange};
pub use check::{Checked, CheckedEntry, CheckedPublish, check, check_recorded};
pub use composed::{
    CheckedRelay, Complete, Delivered, Delivery, Doubt, FollowedLedger, ForeignHeader, ForeignRecord,
    ForeignStanding, Freeze, Link, Outbox, OutboxEntry, ProvedRecord, RELAY_HAND_OVERS_MAX,
    RELAY_RESULTS_MAX, Relay, RelayRefusal, followed_ledger, foreign_record, foreign_standing,
    number_results, outbox, outbox_entry,
};
pub use event::Event;
pub use evidence::{
    CRL_BYTES_MAX, EvidenceRefusal, Feedback, OCSP_BYTES_MAX, STATEMENT_BYTES_MAX, SignedStatement,
    Statement, feedback, precheck_evidence, renewal_message, renewal_signature,
};
pub use facts::{Facts, NO_EXPIRY};
pub use issuer::{IssuerName, is_issued_by};
pub use key::{
    certificate_key, certificates_of_key_key, followed_ledger_key, foreign_record_key, notice_key,
    outbox_entry_key, outbox_key, scheduled_key,
};
pub use notice::{NOTICE_BLOCKS_MAX, NoticeRecord, OptimisationNotice, notice};
pub use refusal::{ChangeRefusal, EntryRefusal, NoticeRefusal, Refusal, RefusedEntry};
pub use retention::{retained_until, shortened};
pub use staleness::{Stale, Staleness};
pub use state::{CertificateRecord, KeyRecord, Scheduled, Status, record_hash};
pub use verify::{
    ANY_POLICY, AlgorithmSet, CertificateLimits, CertificateRefusal, Chain, ChainCache, DistinguishedName,
    Interval, KeyAlgorithm, Learned, NameRule, NameRules, NameScope, ParameterFault, Place,
    PreparedParameters, Profile, RSA_BITS_MAX, RSA_BITS_MIN, Root, SignatureAlgorithm, TrustAnchor,
    VERIFIER_VERSION, ValidationParameters, Verdict, VerifiedChain, precheck_bytes, verify_chain,
    verify_chain_timeless,
};
pub use view::{Standing, certificate, certificates_of_key, scheduled};
