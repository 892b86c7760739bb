//! Who is at the other end of a TLS connection, as the ledger says it.
//!
//! A peer shows its bare public key (RFC 7250) in place of a certificate chain, or its certificate alone. The
//! identifier of either, SHA-256, is looked up on the ledger: what holds is the latest status, proved, and
//! then X.509's own checks of name and usage. No chain travels, and nobody asks the CA.
//!
//! Source: X.1409 A.2, II.1, II.2.
//!
//! ```text
//! handshake -> PeerVerifier -> PeerResolver -> cache, or its thread -> RelyingParty -> proof -> Peer
//!                                   `-> Patience: how old an answer may be, while nodes are silent
//! ```

mod config;
mod refusal;
mod resolver;
mod verifier;

pub use self::config::{Identity, IdentityError, connector, listener};
pub(crate) use self::config::{connector_by, listener_by};
pub use self::refusal::PeerRefusal;
pub use self::resolver::{Patience, Peer, PeerResolver, Question};
pub use self::verifier::{PeerVerifier, Shown};
