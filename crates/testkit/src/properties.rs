//! What must hold after every step of a plan, for the nodes that do not lie.

use std::collections::BTreeMap;

use tabellion_ledger::{HeaderHash, Height, RosterHash};
use tabellion_node::core::Core;

use crate::ledger::EPOCH_BLOCKS;
use crate::world::Nodes;

/// No two finalised blocks at one height; no two rosters in one epoch; every state root is its header's;
/// nothing acknowledged is lost; no honest node ends, is accused or is shut out by another one.
pub async fn check(nodes: &mut Nodes) {
    check_chains(nodes);
    check_accusations(nodes);
    let ends = nodes.ends();
    assert!(ends.is_empty(), "honest nodes ended by themselves: {ends:?}");
    let honest: Vec<_> = nodes.honest().into_iter().map(|index| nodes.key(index)).collect();
    let blocked = nodes.world.blocked().await;
    let wronged = blocked.iter().find(|(by, whom)| honest.contains(by) && honest.contains(whom));
    assert_eq!(wronged, None, "an honest node shuts another one out");
}

fn check_chains(nodes: &Nodes) {
    let mut chain: BTreeMap<Height, (usize, HeaderHash)> = BTreeMap::new();
    for index in nodes.running() {
        let Some(core) = nodes.core(index) else { continue };
        let newest = core.newest();
        assert_eq!(
            core.store().tip().root(),
            newest.state_root,
            "node {index} has another state than its header"
        );
        for height in (0..=newest.height.0).map(Height) {
            let header = core.store().header(height).expect("the store reads");
            let hash = header.unwrap_or_else(|| panic!("node {index} lacks block {height}")).hash();
            let (first, expected) = chain.entry(height).or_insert((index, hash));
            assert_eq!(hash, *expected, "nodes {first} and {index} finalised two blocks at height {height}");
        }
        rosters_by_epoch(core);
        // A node that lags does not have it yet; at the end of a plan none lags.
        let owed = nodes.acknowledged.iter().filter(|(_, height)| **height <= newest.height);
        for (id, height) in owed {
            let found =
                core.store().transaction(id).expect("the store reads").map(|found| found.place.height);
            assert_eq!(found, Some(*height), "node {index} lost acknowledged transaction {id}");
        }
    }
}

/// The rosters by epoch, as the headers of an honest node name them; panics where an epoch has two.
fn rosters_by_epoch(core: &Core) -> BTreeMap<u64, RosterHash> {
    let mut rosters = BTreeMap::new();
    for height in (1..=core.newest().height.0).map(Height) {
        let header = core.store().header(height).expect("the store reads").expect("checked before");
        let epoch = height.0 / EPOCH_BLOCKS;
        let roster = rosters.entry(epoch).or_insert(header.roster);
        assert_eq!(*roster, header.roster, "two rosters in epoch {epoch}, block {height}");
    }
    rosters
}

/// How many different rosters there were, one after the other.
pub fn rosters(nodes: &Nodes) -> usize {
    let cores = nodes.running().into_iter().filter_map(|index| nodes.core(index));
    let longest = cores.max_by_key(|core| core.newest().height);
    let mut rosters: Vec<_> = longest.map(|core| rosters_by_epoch(core)).into_iter().flatten().collect();
    rosters.dedup_by_key(|(_, roster)| *roster);
    rosters.len()
}

/// Evidence is only ever against the liar, and it holds.
fn check_accusations(nodes: &Nodes) {
    let liar = nodes.key(nodes.byzantine.index);
    for evidence in nodes.evidence.all() {
        assert!(nodes.byzantine.is_twins(), "nobody votes two ways here: {evidence:?}");
        assert_eq!(evidence.verify(&nodes.ledger.id(), &liar.0), Ok(()), "{evidence:?}");
    }
}

/// All honest nodes stand at one height.
pub fn is_level(nodes: &Nodes) -> bool {
    let heights: Vec<_> = nodes
        .running()
        .into_iter()
        .filter_map(|index| nodes.core(index))
        .map(|core| core.newest().height)
        .collect();
    heights.len() == nodes.honest().len() && heights.windows(2).all(|pair| pair[0] == pair[1])
}
