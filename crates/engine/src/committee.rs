//! Who takes part: keys, addresses, committees.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

/// A node's Ed25519 key: signs votes, names the node on the wire, pinned by its peers.
///
/// Shape: the 32 raw key bytes; as text 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeKey(pub [u8; 32]);

impl fmt::Display for NodeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for NodeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NodeKey({})", hex::encode(&self.0[..6]))
    }
}

/// Where a peer listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PeerAddress {
    /// An address and port.
    Socket(SocketAddr),
    /// A host name, resolved at each dial, and port.
    Name {
        /// The host name.
        host: String,
        /// The port.
        port: u16,
    },
    /// Unknown: the peer dials us, we never dial it. Only a follower may have none.
    Unknown,
}

/// A text that is neither `address:port` nor `host:port`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{text}' is no peer address; write host:port")]
pub struct AddressError {
    /// The text.
    pub text: String,
}

impl FromStr for PeerAddress {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        if let Ok(socket) = text.parse() {
            return Ok(Self::Socket(socket));
        }
        let parts = text.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse().ok()?)));
        match parts {
            Some((host, port)) if commonware_utils::Hostname::new(host).is_ok() => {
                Ok(Self::Name { host: host.to_owned(), port })
            }
            _ => Err(AddressError { text: text.to_owned() }),
        }
    }
}

impl fmt::Display for PeerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Socket(address) => address.fmt(f),
            Self::Name { host, port } => write!(f, "{host}:{port}"),
            Self::Unknown => f.write_str("unknown"),
        }
    }
}

/// A node that this node talks to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its key.
    pub key: NodeKey,
    /// Where it listens.
    pub address: PeerAddress,
}

/// Who votes and who listens in one epoch.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Committee {
    /// The validators. A validator's place among the keys in ascending order is its index in votes and
    /// headers.
    pub validators: Vec<Peer>,
    /// Nodes that receive everything and vote for nothing: full, backup and joining nodes.
    pub followers: Vec<Peer>,
}

impl Committee {
    /// The validators' keys in ascending order, which is the order of their indices.
    pub fn keys(&self) -> Vec<NodeKey> {
        let mut keys: Vec<_> = self.validators.iter().map(|peer| peer.key).collect();
        keys.sort();
        keys.dedup();
        keys
    }
}
