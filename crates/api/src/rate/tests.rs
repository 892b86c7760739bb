use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::{RateLimit, client_of};

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[test]
fn a_client_gets_its_burst_and_then_its_rate() {
    let start = Instant::now();
    let limit = RateLimit::new(10, 3, 1024, start);
    let client = address("192.0.2.1");
    for _ in 0..3 {
        assert_eq!(limit.take(client, start), Ok(()));
    }
    let wait = limit.take(client, start).unwrap_err();
    assert!((wait - 0.1).abs() < 1e-9, "{wait}");
    assert_eq!(limit.take(address("192.0.2.2"), start), Ok(()), "another client has its own");
    assert_eq!(limit.take(client, start + Duration::from_millis(100)), Ok(()));
    assert!(limit.take(client, start + Duration::from_millis(100)).is_err());
}

#[test]
fn a_full_table_forgets_idle_clients_and_lets_the_rest_share() {
    let start = Instant::now();
    let limit = RateLimit::new(1, 2, 16, start);
    let clients: Vec<IpAddr> = (0..=255).map(|last| address(&format!("192.0.2.{last}"))).collect();
    for client in &clients {
        let _ = limit.take(*client, start);
    }
    let known: usize = limit.shards.iter().map(|shard| shard.lock().unwrap().clients.len()).sum();
    assert!(known <= 16, "{known} clients in the table");
    let later = start + Duration::from_secs(10);
    for client in &clients {
        let _ = limit.take(*client, later);
    }
    let known: usize = limit.shards.iter().map(|shard| shard.lock().unwrap().clients.len()).sum();
    assert!(known <= 16, "{known} clients in the table");
}

#[test]
fn one_ipv6_network_is_one_client() {
    assert_eq!(client_of(address("2001:db8:1:2::3")), client_of(address("2001:db8:1:2:ffff::4")));
    assert_ne!(client_of(address("2001:db8:1:2::3")), client_of(address("2001:db8:1:3::3")));
    assert_eq!(client_of(address("::ffff:192.0.2.7")), address("192.0.2.7"));
}
