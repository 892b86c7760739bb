//! Node to node: TLS 1.3, mutual, keys pinned.
//!
//! ```text
//!  dialler                                            listener
//!   pins the key it dials                              asks the tracker whether the key may come in
//!   <──────────── TLS 1.3, X25519MLKEM768 or X25519 ────────────>
//!   node certificate (self-signed, Ed25519)            node certificate
//!   ALPN tabellion-node/1/<ledger id>                  the same, or no connection
//!   <──────────── admission: SHA-256(namespace) ──────
//!   <──── frames: length (4 bytes, big endian), message ────>
//! ```
//!
//! The certificate is only a vessel for the key: who may connect is the committee's matter, so neither an
//! expiry date nor an authority can cut validators off from each other. There is no resumption and no early
//! data: every connection proves the key.

mod certificate;
mod credentials;
#[cfg(test)]
mod dates;
mod frame;
mod handshake;
#[cfg(test)]
mod tests;

pub use credentials::{CredentialError, Credentials};
pub(crate) use handshake::Tls;
