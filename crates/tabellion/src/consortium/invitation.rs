//! The file by which a node joins: what it must know to believe nobody, and the key that lets it in once.

use serde::{Deserialize, Serialize};
use tabellion_consortium::NodeRole;
use tabellion_ledger::{KeyId, LedgerId, MemberId, TimeMs};

/// An invitation for one node. Whoever has it may join a node, until it was used, expires or is cancelled.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InvitationFile {
    /// The ledger: SHA-256 of its genesis document, which the node fetches from anybody.
    pub ledger: LedgerId,
    /// The member that answers for the node.
    pub member: MemberId,
    /// The node's name.
    pub name: String,
    /// What it is for.
    pub role: NodeRole,
    /// The last moment at which it may be used. Unit: ms since 1970.
    pub expires_ms: TimeMs,
    /// Where nodes of the ledger answer clients.
    pub nodes: Vec<String>,
    /// The CA by which those are known, PEM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<String>,
    /// Or the SHA-256 of the public key of their certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pin: Option<KeyId>,
    /// The invitation's Ed25519 key, PKCS#8 PEM. Secret.
    pub key: String,
}
