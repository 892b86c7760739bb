//! What a client asks of a face in JSON; the answers stand in `answer`.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A request to publish one certificate through a node's gateway (X.1409 C2, C12).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PublishRequest {
    /// The certificate, PEM.
    pub certificate: String,
    /// The intermediate certificates in any order, and the root if at hand, PEM.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub chain: String,
    /// SHA-256 of the root certificate; where none is named, the trusted CA that the chain leads to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root: Option<String>,
    /// The first status; `normal` where none is named, and no other is accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// The validity that is asked for, within the certificate's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<WindowRequest>,
}

/// A span of time, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WindowRequest {
    /// First moment. Unit: ms since 1970.
    pub from_ms: u64,
    /// Last moment. Unit: ms since 1970.
    pub until_ms: u64,
}

/// A question for the status of a certificate; exactly one field is given (X.1409 C10, C17).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct VerifyRequest {
    /// The certificate, PEM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<String>,
    /// SHA-256 of the certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// SHA-256 of the certificate's SubjectPublicKeyInfo; answered for all certificates of the key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}
