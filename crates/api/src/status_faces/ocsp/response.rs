//! OCSP responses (RFC 6960 4.2), written and signed.

use tabellion_ledger::TimeMs;
use tabellion_pki::Reason;

use super::super::der::{ENUMERATED, OCTET_STRING, SEQUENCE, bit_string, explicit, generalized_time, tlv};
use super::super::signer::Signer;

/// id-pkix-ocsp-basic, DER.
const BASIC: [u8; 11] = [6, 9, 0x2b, 6, 1, 5, 5, 7, 0x30, 1, 1];

/// A response without an answer. Source: RFC 6960 4.2.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::status_faces) enum ErrorStatus {
    /// The request cannot be read, or asks for too much.
    MalformedRequest,
    /// The node failed, or its responder's certificate is over.
    InternalError,
    /// The node knows nothing new enough.
    TryLater,
    /// The node does not answer for this CA.
    Unauthorized,
}

impl ErrorStatus {
    pub fn to_der(self) -> Vec<u8> {
        let number = match self {
            Self::MalformedRequest => 1,
            Self::InternalError => 2,
            Self::TryLater => 3,
            Self::Unauthorized => 6,
        };
        tlv(SEQUENCE, &[&[ENUMERATED, 1, number]])
    }
}

/// What a response says of a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::status_faces) enum Said {
    Good,
    Revoked { at: TimeMs, reason: Reason },
    Unknown,
}

impl Said {
    fn to_der(self) -> Vec<u8> {
        match self {
            Self::Good => vec![0x80, 0],
            Self::Unknown => vec![0x82, 0],
            // A reason that says nothing is left out. Source: RFC 5280 5.3.1.
            Self::Revoked { at, reason: Reason::Unspecified } => tlv(0xa1, &[&generalized_time(at)]),
            Self::Revoked { at, reason } => {
                let reason = explicit(0, &[ENUMERATED, 1, reason.number()]);
                tlv(0xa1, &[&generalized_time(at), &reason])
            }
        }
    }
}

/// All of a response but its signature.
pub(in crate::status_faces) struct Answer<'a> {
    /// CertIDs, DER, each with what is said.
    pub said: Vec<(&'a [u8], Said)>,
    pub produced_at: TimeMs,
    pub this_update: TimeMs,
    pub next_update: TimeMs,
    /// The nonce's extension, DER.
    pub nonce: Option<&'a [u8]>,
}

impl Answer<'_> {
    /// What is to be signed.
    pub fn signed_part(&self, signer: &Signer) -> Vec<u8> {
        let this_update = generalized_time(self.this_update);
        let next_update = explicit(0, &generalized_time(self.next_update));
        let single = |(cert_id, said): &(&[u8], Said)| {
            tlv(SEQUENCE, &[cert_id, &said.to_der(), &this_update, &next_update])
        };
        let singles: Vec<u8> = self.said.iter().flat_map(single).collect();
        let responder = explicit(2, &tlv(OCTET_STRING, &[&signer.key_sha1]));
        let extensions = self.nonce.map(|nonce| explicit(1, &tlv(SEQUENCE, &[nonce]))).unwrap_or_default();
        let produced_at = generalized_time(self.produced_at);
        tlv(SEQUENCE, &[&responder, &produced_at, &tlv(SEQUENCE, &[&singles]), &extensions])
    }
}

/// The response: its signed part, the signature, and the delegate's certificate where a delegate signed.
pub(in crate::status_faces) fn response(signed_part: &[u8], signature: &[u8], signer: &Signer) -> Vec<u8> {
    let delegate = signer.delegate.as_ref().map(|der| explicit(0, &tlv(SEQUENCE, &[der])));
    let parts = [signed_part, &signer.algorithm, &bit_string(signature), &delegate.unwrap_or_default()];
    let bytes = tlv(SEQUENCE, &[&BASIC, &tlv(OCTET_STRING, &[&tlv(SEQUENCE, &parts)])]);
    tlv(SEQUENCE, &[&[ENUMERATED, 1, 0], &explicit(0, &bytes)])
}
