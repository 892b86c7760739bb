//! Records of the state.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tabellion_consortium::{
    Account, Accounts, Agenda, Boundary, Committee, Invitation, Invitations, Link, Member, Members,
    Node, Nodes, Pending, Proposal, Usage,
};
use tabellion_fuzz::same_bytes_again;
use tabellion_ledger::{HistoryState, LaneState, PublicKey, TimeMs};
use tabellion_pki::{
    CertificateRecord, FollowedLedger, ForeignRecord, KeyRecord, NoticeRecord, Outbox, OutboxEntry,
    Scheduled, Standing, foreign_standing, record_hash,
};

fuzz_target!(|bytes: &[u8]| {
    if let Some(record) = same_bytes_again::<CertificateRecord>(bytes) {
        record_hash(&record);
        let _ = Standing::of(Some(&record), TimeMs::MAX);
    }
    same_bytes_again::<KeyRecord>(bytes);
    same_bytes_again::<Scheduled>(bytes);
    same_bytes_again::<NoticeRecord>(bytes);
    same_bytes_again::<Outbox>(bytes);
    same_bytes_again::<OutboxEntry>(bytes);
    same_bytes_again::<FollowedLedger>(bytes);
    same_bytes_again::<Link>(bytes);
    if let Some(record) = same_bytes_again::<ForeignRecord>(bytes) {
        let _ = foreign_standing(Some(&record), None, None, TimeMs::MAX);
    }
    same_bytes_again::<Member>(bytes);
    same_bytes_again::<Members>(bytes);
    same_bytes_again::<Account>(bytes);
    same_bytes_again::<Accounts>(bytes);
    same_bytes_again::<Node>(bytes);
    same_bytes_again::<Nodes>(bytes);
    same_bytes_again::<Invitation>(bytes);
    same_bytes_again::<Invitations>(bytes);
    same_bytes_again::<Committee>(bytes);
    same_bytes_again::<Pending>(bytes);
    same_bytes_again::<Boundary>(bytes);
    same_bytes_again::<Agenda>(bytes);
    same_bytes_again::<Usage>(bytes);
    if let Some(proposal) = same_bytes_again::<Proposal>(bytes) {
        proposal.hash();
    }
    same_bytes_again::<tabellion_consortium::KeyRecord>(bytes);
    if let Some(key) = same_bytes_again::<PublicKey>(bytes) {
        assert_eq!(PublicKey::from_spki(&key.to_spki()), Some(key));
    }
    if let Some(HistoryState(mut history)) = same_bytes_again::<HistoryState>(bytes) {
        history.push(history.root());
        let _ = history.root();
    }
    same_bytes_again::<LaneState>(bytes);
});
