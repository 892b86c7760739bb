//! The rules of today: proved parameters, and trusted CAs known by their hash.

use std::sync::{Arc, Mutex};

use tabellion_consortium::{Change, Der};
use tabellion_corpus::{KeyKind, TestCa};
use tabellion_ledger::{CertificateId, StateKey, cbor};
use tempfile::tempdir;

use super::rest::{client, ok, serve_by};
use super::world::{NOW, World};
use crate::{Certificate, ChainError, ChainPool, LightClient, RelyingParty, Verifier};

/// X.1409 C4
#[tokio::test]
async fn a_ca_that_was_voted_in_is_fetched_once_and_one_voted_out_is_trusted_no_more() {
    let mut world = World::new();
    let mut other = TestCa::new(KeyKind::P256);
    let (old, new) = (world.ca.root().to_vec(), other.root().to_vec());
    let (old_id, new_id) = (CertificateId::of(&old), CertificateId::of(&new));
    world.publish("a.example");
    world.decide(Change::TrustedCas { add: vec![Der(new.clone())], remove: vec![old_id] });
    let (trust, leaf) = (world.trust.clone(), world.ca.issue("b.example"));
    // What the node shows as the certificate of the new CA: first another one.
    let shown = Arc::new(Mutex::new(old.clone()));
    let (node_shows, world) = (shown.clone(), Mutex::new(world));
    let server = serve_by(move |line| match line.strip_prefix("get /v1/state/") {
        Some(rest) => {
            let (map, key) = rest.split(' ').next().unwrap().split_once('/').unwrap();
            let key = StateKey::new(map.parse().unwrap(), &hex::decode(key).unwrap());
            ok(cbor::to_bytes(&world.lock().unwrap().state_proof(key)))
        }
        None => ok(node_shows.lock().unwrap().clone()),
    })
    .await;
    let folder = tempdir().unwrap();
    let cache = folder.path().join("cas");
    let mut party = RelyingParty::new(client(&[&server]), LightClient::new(trust), u64::MAX);
    let wrong = party.rules(Some(&cache), NOW).await.unwrap_err();
    assert!(wrong.to_string().contains(&old_id.to_string()), "{wrong}");

    *shown.lock().unwrap() = new.clone();
    let fetched = || server.asked.lock().unwrap().iter().filter(|line| line.contains("/der")).count();
    let begin = fetched();
    let rules = party.rules(Some(&cache), NOW).await.unwrap();
    assert_eq!((rules.anchors.clone(), fetched() - begin), (vec![new.clone()], 1));
    party.rules(Some(&cache), NOW).await.unwrap();
    assert_eq!(fetched() - begin, 1, "kept");
    std::fs::write(cache.join(format!("{new_id}.der")), b"damaged").unwrap();
    assert_eq!(party.rules(Some(&cache), NOW).await.unwrap().anchors, vec![new]);
    assert_eq!(fetched() - begin, 2, "what is kept is checked too");

    let ruleset = rules.ruleset().unwrap();
    let verifier = Verifier { rules: &ruleset, at: NOW };
    let mut pool = ChainPool::new(rules.anchors.iter().map(Vec::as_slice));
    let intermediates = other.intermediates().iter().map(|der| der.to_vec()).collect::<Vec<_>>();
    intermediates.iter().for_each(|der| pool.add(Certificate::from_der(der).unwrap()));
    pool.add(Certificate::from_der(&old).unwrap());
    let good = Certificate::from_der(&other.issue("c.example")).unwrap();
    assert_eq!(pool.chain_of(&good, Some(&verifier)).unwrap().refusal, None);
    let bad = pool.chain_of(&Certificate::from_der(&leaf).unwrap(), Some(&verifier));
    assert!(matches!(bad, Err(ChainError::NoIssuer { .. } | ChainError::UntrustedRoot { .. })), "{bad:?}");
}
