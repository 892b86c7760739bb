//! Bytes as text.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// Characters of a line of PEM (RFC 7468 section 2).
const PEM_LINE: usize = 64;

/// base64 with padding, in one line.
pub(crate) fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// A certificate as PEM.
pub(crate) fn pem_of(der: &[u8]) -> String {
    let text = base64(der);
    let mut out = String::with_capacity(text.len() + text.len() / PEM_LINE + 60);
    out.push_str("-----BEGIN CERTIFICATE-----\n");
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let (line, next) = rest.split_at(rest.len().min(PEM_LINE));
        out.push_str(line);
        out.push('\n');
        rest = next;
    }
    out.push_str("-----END CERTIFICATE-----\n");
    out
}
