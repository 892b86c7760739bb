//! Limits of the faces. Nothing that a client sends may make a queue grow without end.

use std::time::Duration;

/// Limits of the faces, with defaults for a node on ordinary hardware.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FaceConfig {
    /// Requests per second that one client (an IPv4 address, an IPv6 /64) may send for long. 0 = no limit.
    ///
    /// The default is above what one node answers on two cores: it stops a flood, not a busy relying party.
    pub rate_per_second: u32,
    /// Requests that one client may send at once after a pause.
    pub rate_burst: u32,
    /// Clients that the rate limit tells apart; beyond that the new ones share one allowance.
    pub clients_max: usize,
    /// Requests in work at one time.
    pub requests_max: usize,
    /// Requests that wait for finality at one time; beyond that the answer is `pending` at once.
    pub waits_max: usize,
    /// Request bodies that are being received at one time: with [`FaceConfig::body_timeout`] bounds memory.
    pub uploads_max: usize,
    /// Event streams at one time.
    pub streams_max: usize,
    /// Reads of the store at one time; further ones wait for their turn.
    pub store_reads_max: usize,
    /// How long a request body may take to arrive.
    pub body_timeout: Duration,
    /// How long a request may take, waiting for finality aside.
    pub request_timeout: Duration,
    /// The longest wait for finality.
    pub wait_max: Duration,
}

impl Default for FaceConfig {
    fn default() -> Self {
        Self {
            rate_per_second: 20_000,
            rate_burst: 40_000,
            clients_max: 65_536,
            requests_max: 2_048,
            waits_max: 1_024,
            uploads_max: 256,
            streams_max: 256,
            store_reads_max: 32,
            body_timeout: Duration::from_secs(10),
            request_timeout: Duration::from_secs(20),
            wait_max: Duration::from_secs(60),
        }
    }
}

/// Limits of the listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerConfig {
    /// Connections at one time; further ones wait in the kernel's queue.
    pub connections_max: usize,
    /// Connections of one client (an IPv4 address, an IPv6 /64) at one time; further ones are closed.
    pub connections_per_client_max: usize,
    /// How long the TLS handshake may take.
    pub handshake_timeout: Duration,
    /// How long the head of a request may take to arrive, and how long a connection may stay idle.
    pub header_timeout: Duration,
    /// How long a client may leave bytes unread that were sent to it.
    pub unread_timeout: Duration,
    /// How long open requests may go on after the stop.
    pub grace: Duration,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            connections_max: 4_096,
            connections_per_client_max: 512,
            handshake_timeout: Duration::from_secs(10),
            header_timeout: Duration::from_secs(30),
            unread_timeout: Duration::from_secs(30),
            grace: Duration::from_secs(10),
        }
    }
}
