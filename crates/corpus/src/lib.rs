//! Certificates for tests and benches. Never part of the product.
//!
//! Purpose: every real public CA certificate with a chain to its root ([`real_chains`]), and certificates
//! issued on the spot in any accepted algorithm, well formed or broken on purpose ([`TestCa`], [`Draft`]),
//! with the feedback of their CAs ([`CrlDraft`], [`OcspDraft`]; by the `openssl` command: [`OpensslCa`]).
//!
//! Absent: validation. Chains are put together by names and key identifiers only; whether they are valid is
//! for the product to say.
mod draft;
pub mod extensions;
mod feedback;
mod openssl;
mod real_chains;
mod test_ca;
mod vectors;

pub use draft::{Draft, DraftExtension, KeyKind, TestKey, name, reissue, rsa_public_key, spki};
pub use feedback::{CrlDraft, OcspDraft, OcspSingle, OcspStatus};
pub use openssl::{OpensslCa, openssl_verdicts};
pub use real_chains::{RealChain, real_chains, real_roots};
pub use test_ca::{Issued, TestCa};
pub use vectors::pkits_certificates;
