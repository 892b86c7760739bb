//! How often one client may ask: a bucket of tokens per client, in a table of bounded size.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// Tables that share the clients, so that requests on several cores seldom wait for one lock.
const SHARDS: usize = 16;

/// The unit of a client: an IPv4 address, or an IPv6 network of 64 bits, since one host owns all of it.
pub(crate) fn client_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        address => address,
    }
}

#[derive(Clone, Copy)]
struct Bucket {
    tokens: f64,
    filled_at: Instant,
}

impl Bucket {
    fn full(burst: f64, now: Instant) -> Self {
        Self { tokens: burst, filled_at: now }
    }

    fn fill(&mut self, per_second: f64, burst: f64, now: Instant) {
        let seconds = now.saturating_duration_since(self.filled_at).as_secs_f64();
        self.tokens = (self.tokens + seconds * per_second).min(burst);
        self.filled_at = now;
    }

    /// Takes a token, or says after how many seconds there is one.
    fn take(&mut self, per_second: f64) -> Result<(), f64> {
        if self.tokens >= 1.0 {
            self.tokens -= 1.0;
            Ok(())
        } else {
            Err((1.0 - self.tokens) / per_second)
        }
    }
}

struct Shard {
    clients: HashMap<IpAddr, Bucket>,
    /// Shared by the clients for whom the table has no room.
    others: Bucket,
}

/// The allowance of every client.
pub(crate) struct RateLimit {
    per_second: f64,
    burst: f64,
    shard_clients_max: usize,
    shards: Vec<Mutex<Shard>>,
}

impl RateLimit {
    /// `per_second` = 0 sets no limit.
    pub(crate) fn new(per_second: u32, burst: u32, clients_max: usize, now: Instant) -> Self {
        let burst = f64::from(burst.max(1));
        let shard = || Mutex::new(Shard { clients: HashMap::new(), others: Bucket::full(burst, now) });
        Self {
            per_second: f64::from(per_second),
            burst,
            shard_clients_max: clients_max.div_ceil(SHARDS),
            shards: (0..SHARDS).map(|_| shard()).collect(),
        }
    }

    /// Takes one request of `client`, or says after how many seconds it may ask again.
    pub(crate) fn take(&self, client: IpAddr, now: Instant) -> Result<(), f64> {
        if self.per_second == 0.0 {
            return Ok(());
        }
        let (per_second, burst) = (self.per_second, self.burst);
        let mut shard = self.shards[shard_of(client)].lock().unwrap_or_else(PoisonError::into_inner);
        let is_new = !shard.clients.contains_key(&client);
        if is_new && shard.clients.len() >= self.shard_clients_max {
            // A client that has all its tokens again is as good as one that was never seen.
            shard.clients.retain(|_, bucket| {
                bucket.fill(per_second, burst, now);
                bucket.tokens < burst
            });
        }
        let bucket = match is_new && shard.clients.len() >= self.shard_clients_max {
            true => &mut shard.others,
            false => shard.clients.entry(client).or_insert(Bucket::full(burst, now)),
        };
        bucket.fill(per_second, burst, now);
        bucket.take(per_second)
    }
}

fn shard_of(client: IpAddr) -> usize {
    let mix =
        |bytes: &[u8]| bytes.iter().fold(0_usize, |mix, byte| mix.wrapping_mul(31) + usize::from(*byte));
    match client {
        IpAddr::V4(address) => mix(&address.octets()) % SHARDS,
        IpAddr::V6(address) => mix(&address.octets()) % SHARDS,
    }
}

#[cfg(test)]
mod tests;
