//! DER as OCSP responses and CRLs need it. Names, keys and certificates go in as the bytes they came as.

use der::asn1::{GeneralizedTime, UtcTime};
use der::{DateTime, Encode};
use std::time::Duration;
use tabellion_ledger::TimeMs;

pub(super) const SEQUENCE: u8 = 0x30;
pub(super) const OCTET_STRING: u8 = 0x04;
pub(super) const ENUMERATED: u8 = 0x0a;
const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;

/// The last moment that X.509 can say: 9999-12-31T23:59:59Z. Unit: s since 1970.
const SECONDS_MAX: u64 = 253_402_300_799;

/// Tag, length, and the parts one after the other.
pub(super) fn tlv(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let mut out = Vec::with_capacity(length + 6);
    out.push(tag);
    match u8::try_from(length) {
        Ok(short) if short < 0x80 => out.push(short),
        _ => {
            let bytes = length.to_be_bytes();
            let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
            let bytes = &bytes[zeros..];
            out.push(0x80 | u8::try_from(bytes.len()).expect("invariant: a length has at most 8 bytes"));
            out.extend_from_slice(bytes);
        }
    }
    parts.iter().for_each(|part| out.extend_from_slice(part));
    out
}

/// `[number] EXPLICIT`.
pub(super) fn explicit(number: u8, content: &[u8]) -> Vec<u8> {
    tlv(0xa0 | number, &[content])
}

/// A BIT STRING of whole octets.
pub(super) fn bit_string(bytes: &[u8]) -> Vec<u8> {
    tlv(BIT_STRING, &[&[0], bytes])
}

/// An INTEGER that is not negative, from octets with or without leading zeros.
pub(super) fn integer(octets: &[u8]) -> Vec<u8> {
    let zeros = octets.iter().take_while(|octet| **octet == 0).count();
    match &octets[zeros..] {
        [] => tlv(INTEGER, &[&[0]]),
        octets if octets[0] >= 0x80 => tlv(INTEGER, &[&[0], octets]),
        octets => tlv(INTEGER, &[octets]),
    }
}

fn date(time: TimeMs) -> DateTime {
    let seconds = (time.0 / 1000).min(SECONDS_MAX);
    let date = DateTime::from_unix_duration(Duration::from_secs(seconds));
    date.expect("invariant: a moment before the year 10000")
}

/// GeneralizedTime, in whole seconds.
pub(super) fn generalized_time(time: TimeMs) -> Vec<u8> {
    let encoded = GeneralizedTime::from_date_time(date(time)).to_der();
    encoded.expect("invariant: a date encodes")
}

/// Time as in certificates and CRLs. Source: RFC 5280 4.1.2.5 (required): UTCTime until 2049.
pub(super) fn time(time: TimeMs) -> Vec<u8> {
    match UtcTime::from_date_time(date(time)).and_then(|utc| utc.to_der()) {
        Ok(utc) => utc,
        Err(_) => generalized_time(time),
    }
}

/// An extension whose value is DER.
pub(super) fn extension(oid: &[u8], value: &[u8]) -> Vec<u8> {
    tlv(SEQUENCE, &[oid, &tlv(OCTET_STRING, &[value])])
}

/// The moment cut to whole seconds, as X.509 has them.
pub(super) fn whole_second(time: TimeMs) -> TimeMs {
    TimeMs(time.0 / 1000 * 1000)
}
