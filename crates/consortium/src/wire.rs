//! What the decoders of this crate share.

use tabellion_ledger::cbor::{DecodeError, Reader, Wire};
use tabellion_ledger::{MemberId, PublicKey, Signature};

use crate::limits::ADDRESS_BYTES_MAX;

/// A text on one line: no control characters, so that it cannot pretend to be something else on a terminal.
pub(crate) fn line(input: &mut Reader<'_>, field: &'static str, max: usize) -> Result<String, DecodeError> {
    let text = input.text(max)?;
    match text.chars().any(char::is_control) {
        true => Err(DecodeError::Value { field }),
        false => Ok(text.to_owned()),
    }
}

/// A text of several lines.
pub(crate) fn prose(input: &mut Reader<'_>, field: &'static str, max: usize) -> Result<String, DecodeError> {
    let text = input.text(max)?;
    match text.chars().any(|character| character.is_control() && character != '\n') {
        true => Err(DecodeError::Value { field }),
        false => Ok(text.to_owned()),
    }
}

/// An address, `host:port`.
pub(crate) fn address(input: &mut Reader<'_>) -> Result<String, DecodeError> {
    let text = input.text(ADDRESS_BYTES_MAX)?;
    match is_address(text) {
        true => Ok(text.to_owned()),
        false => Err(DecodeError::Value { field: "address" }),
    }
}

/// Whether a text is `host:port` with a port above zero.
pub(crate) fn is_address(text: &str) -> bool {
    let Some((host, port)) = text.rsplit_once(':') else {
        return false;
    };
    let is_host = !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_graphic());
    is_host && port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse().is_ok_and(|port: u16| port > 0)
}

/// A list whose items ascend, none twice.
pub(crate) fn ascending<T: Wire + Ord>(
    input: &mut Reader<'_>,
    field: &'static str,
    max: usize,
) -> Result<Vec<T>, DecodeError> {
    let items: Vec<T> = input.list(max)?;
    match items.is_sorted_by(|before, after| before < after) {
        true => Ok(items),
        false => Err(DecodeError::Value { field }),
    }
}

/// A number that stands for one of a few values.
pub(crate) fn one_of<T: Copy>(
    input: &mut Reader<'_>,
    field: &'static str,
    values: &[(u64, T)],
) -> Result<T, DecodeError> {
    let number = input.uint()?;
    let found = values.iter().find(|(value, _)| *value == number);
    found.map(|(_, value)| *value).ok_or(DecodeError::Value { field })
}

/// The signature of a key, in the length of its algorithm.
pub(crate) fn signature_of(key: &PublicKey, input: &mut Reader<'_>) -> Result<Signature, DecodeError> {
    let length = key.algorithm().signature_bytes();
    let bytes = input.bytes(length)?;
    match bytes.len() == length {
        true => Ok(Signature(bytes.to_vec())),
        false => Err(DecodeError::Value { field: "signature" }),
    }
}

/// A short name: 1 to 32 characters of `a-z 0-9 -`, as a member's.
pub(crate) fn short_name(text: &str) -> bool {
    text.parse::<MemberId>().is_ok()
}
