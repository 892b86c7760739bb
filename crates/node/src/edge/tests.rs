use std::sync::Arc;
use std::time::Duration;

use tabellion_client::{NodeClient, NodeTrust};
use tabellion_ledger::{KeyId, TimeMs};
use tabellion_pki::{Staleness, Status};
use tokio::time::Instant;

use super::peers::Peers;
use super::status::EdgeStatus;

fn peers(count: usize) -> Peers {
    let node = |place: usize| {
        let url = format!("https://node-{place}.example");
        Arc::new(NodeClient::new(&[url], &NodeTrust::PinnedKey(KeyId::default())).unwrap())
    };
    Peers::new((0..count).map(node).collect())
}

fn present(peers: &mut Peers, at: Instant) -> Option<String> {
    peers.present(at).map(|node| node.node())
}

fn name(place: usize) -> Option<String> {
    Some(format!("https://node-{place}.example"))
}

/// X.1409 C22: one node at a time; whoever fails rests, longer each time; whoever lies rests for long.
#[test]
fn a_node_that_fails_or_lies_rests_while_others_are_asked() {
    let (mut peers, begin) = (peers(3), Instant::now());
    let after = |seconds| begin + Duration::from_secs(seconds);
    assert_eq!(present(&mut peers, begin), name(0));
    peers.answered();
    assert_eq!(present(&mut peers, begin), name(0));
    peers.failed(begin);
    assert_eq!(present(&mut peers, begin), name(1));
    peers.lied(begin);
    assert_eq!(present(&mut peers, begin), name(2));
    peers.failed(begin);
    assert_eq!(present(&mut peers, begin), None);
    assert_eq!(present(&mut peers, after(1)), name(0));
    peers.failed(after(1));
    // The second rest is twice as long.
    assert_eq!(present(&mut peers, after(2)), name(2));
    peers.turn();
    assert_eq!(present(&mut peers, after(3)), name(0));
    peers.turn();
    assert_eq!(present(&mut peers, after(599)), name(2));
    peers.turn();
    peers.turn();
    assert_eq!(present(&mut peers, after(600)), name(1));
}

#[test]
fn an_edge_without_nodes_asks_nobody() {
    let mut peers = peers(0);
    peers.failed(Instant::now());
    peers.turn();
    assert_eq!(present(&mut peers, Instant::now()), None);
}

/// X.1409 C22: beyond the limit nothing is told but what nothing undoes.
#[test]
fn beyond_the_limit_only_revoked_is_told() {
    let status = EdgeStatus::new(Staleness { limit_ms: 1000 });
    let rows = [
        (Some(Status::Normal), 2000, true),
        (Some(Status::Normal), 2001, false),
        (Some(Status::Suspended), 2001, false),
        (None, 2001, false),
        (Some(Status::Revoked), 1_000_000, true),
    ];
    for (known, now, told) in rows {
        assert_eq!(status.may_tell(known, TimeMs(1000), TimeMs(now)).is_ok(), told, "{known:?} at {now}");
    }
}
