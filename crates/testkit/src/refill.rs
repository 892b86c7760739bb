//! A disk that is lost: the node takes over the state that another one holds, piece by piece, and goes on
//! from there under its old key, with no memory of its votes.

use std::path::Path;

use tabellion_engine::FinalityVotes;
use tabellion_ledger::{Block, FinalityProof, HandOver, Height, TimeMs, cbor};
use tabellion_node::core::Core;
use tabellion_node::store::{Finish, Intake, StoreConfig, Target};

use crate::ledger::EPOCH_BLOCKS;

/// Fills a folder with the state that a node holds, as a joining node does. Whether the node had all that it
/// takes: one that was filled itself lacks old bodies.
pub fn refill(folder: &Path, source: &Core, config: &StoreConfig, now: TimeMs) -> bool {
    let Some(proof) = source.held_states().into_iter().next() else { return false };
    let Some(blocks) = bodies(source, &proof) else { return false };
    let ledger = source.ledger();
    let intake = Intake::open(folder, ledger, config).expect("a new folder");
    if !take_chain(&intake, source, &proof) {
        return false;
    }
    let header = &proof.header;
    let target = Target { height: header.height, digest: header.hash(), root: header.state_root };
    intake.aim(target).expect("an intake works");
    while let Some((id, hash)) = intake.wanted().expect("an intake works").pop() {
        let piece = source.piece(target.height, &id, now).expect("the store reads").expect("a held state");
        let piece = piece.open(&id, &hash).expect("an honest node's piece");
        intake.put_pieces(&[(id, piece)]).expect("an intake works");
    }
    let hand_overs: Vec<_> = source
        .store()
        .hand_overs(0, usize::MAX)
        .expect("the store reads")
        .into_iter()
        .filter_map(|bytes| Some((roster_number(&bytes)?, bytes)))
        .collect();
    let votes = [votes_of(&proof)];
    let finish = Finish { blocks: &blocks, votes: &votes, hand_overs: &hand_overs };
    intake.finish(&finish).expect("the intake is whole");
    true
}

fn roster_number(record: &[u8]) -> Option<u64> {
    cbor::from_bytes::<HandOver>(record, record.len()).ok().map(|record| record.roster.number())
}

/// The bodies that the engine begins with: the state's block, and the last one of the epoch before the next
/// block's.
fn bodies(source: &Core, proof: &FinalityProof) -> Option<Vec<Block>> {
    let newest = proof.header.height;
    let first = (newest.0 + 1) / EPOCH_BLOCKS * EPOCH_BLOCKS;
    let mut heights = vec![newest];
    if first > 0 && first - 1 != newest.0 {
        heights.insert(0, Height(first - 1));
    }
    let body = |height| Some((*source.store().block(height).expect("the store reads")?).clone());
    heights.into_iter().map(body).collect()
}

fn take_chain(intake: &Intake, source: &Core, proof: &FinalityProof) -> bool {
    let genesis = source.store().block(Height(0)).expect("the store reads");
    let Some(genesis) = genesis else { return false };
    let mut end = intake.begin_chain(&genesis).expect("an intake works");
    let mut entries = Vec::new();
    for height in (1..=proof.header.height.0).map(Height) {
        let header = source.store().header(height).expect("the store reads").expect("a block of the chain");
        match source.store().outline(height, true).expect("the store reads") {
            Some(outline) => entries.push((header, outline)),
            None => return false,
        }
    }
    intake.put_chain(&mut end, &entries, &[votes_of(proof)]).expect("an intake works");
    true
}

fn votes_of(proof: &FinalityProof) -> (Height, tabellion_ledger::HeaderHash, Vec<u8>) {
    let FinalityProof { header, epoch, view, parent_view, signatures } = proof.clone();
    let votes = FinalityVotes { epoch, view, parent_view, signatures };
    (header.height, header.hash(), cbor::to_bytes(&votes))
}
