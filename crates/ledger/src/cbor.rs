//! Deterministic CBOR (RFC 8949 section 4.2) under limits.
//!
//! The format uses unsigned and negative integers, byte and text strings, arrays, `true`, `false`, `null`,
//! one tag and one map, always with the shortest head and a definite length. [`Reader`] refuses everything
//! else, so a value has exactly one encoding and what decodes re-encodes to the same bytes.

use std::fmt;

const UINT: u8 = 0;
const NEGATIVE: u8 = 1;
const BYTES: u8 = 2;
const TEXT: u8 = 3;
const ARRAY: u8 = 4;
const MAP: u8 = 5;
const TAG: u8 = 6;
const FALSE: u8 = 0xf4;
const TRUE: u8 = 0xf5;
const NULL: u8 = 0xf6;

/// Why bytes are not a value of the format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DecodeError {
    /// The bytes end before the value does.
    Truncated {
        /// Offset of the missing byte.
        at: usize,
    },
    /// Bytes follow the value.
    Trailing {
        /// How many.
        count: usize,
    },
    /// More bytes than the limit of this value.
    TooLong {
        /// Bytes found.
        length: usize,
        /// The limit.
        limit: usize,
    },
    /// Another item stands where the format wants one of this kind.
    Unexpected {
        /// Offset of the item.
        at: usize,
        /// What the format wants here.
        expected: &'static str,
    },
    /// An item that deterministic encoding forbids: a longer head than needed, or an indefinite length.
    NotCanonical {
        /// Offset of the item.
        at: usize,
    },
    /// A value that the field does not allow.
    Value {
        /// The field.
        field: &'static str,
    },
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated { at } => write!(f, "the bytes end at offset {at}, before the value does"),
            Self::Trailing { count } => write!(f, "{count} bytes follow the value"),
            Self::TooLong { length, limit } => write!(f, "{length} items or bytes, the limit is {limit}"),
            Self::Unexpected { at, expected } => write!(f, "{expected} expected at offset {at}"),
            Self::NotCanonical { at } => {
                write!(f, "the item at offset {at} is not in deterministic encoding")
            }
            Self::Value { field } => write!(f, "the field {field} holds a value that is not allowed"),
        }
    }
}

impl std::error::Error for DecodeError {}

/// A value of the format.
pub trait Wire: Sized {
    /// Appends the value's only encoding.
    fn encode(&self, out: &mut Writer);
    /// Reads one value.
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError>;
}

/// The value's bytes.
pub fn to_bytes<T: Wire>(value: &T) -> Vec<u8> {
    let mut out = Writer::default();
    value.encode(&mut out);
    out.into_bytes()
}

/// The value that `bytes` encode, and nothing else.
///
/// Limit: `bytes_max` bytes.
pub fn from_bytes<T: Wire>(bytes: &[u8], bytes_max: usize) -> Result<T, DecodeError> {
    if bytes.len() > bytes_max {
        return Err(DecodeError::TooLong { length: bytes.len(), limit: bytes_max });
    }
    let mut input = Reader::new(bytes);
    let value = T::decode(&mut input)?;
    input.finish()?;
    Ok(value)
}

/// Appends items to a byte string.
#[derive(Default, Debug)]
pub struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    /// What was written.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    fn head(&mut self, major: u8, value: u64) {
        let major = major << 5;
        let big = value.to_be_bytes();
        match value {
            0..24 => self.bytes.push(major | big[7]),
            24..0x100 => self.bytes.extend_from_slice(&[major | 24, big[7]]),
            0x100..0x1_0000 => {
                self.bytes.push(major | 25);
                self.bytes.extend_from_slice(&big[6..]);
            }
            0x1_0000..0x1_0000_0000 => {
                self.bytes.push(major | 26);
                self.bytes.extend_from_slice(&big[4..]);
            }
            _ => {
                self.bytes.push(major | 27);
                self.bytes.extend_from_slice(&big);
            }
        }
    }

    fn length(&mut self, major: u8, length: usize) {
        self.head(major, u64::try_from(length).expect("invariant: usize fits u64"));
    }

    /// An unsigned integer.
    pub fn uint(&mut self, value: u64) {
        self.head(UINT, value);
    }

    /// A signed integer.
    pub fn int(&mut self, value: i64) {
        match u64::try_from(value) {
            Ok(positive) => self.head(UINT, positive),
            Err(_) => self.head(NEGATIVE, (-1 - value).unsigned_abs()),
        }
    }

    /// A byte string.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.length(BYTES, bytes.len());
        self.bytes.extend_from_slice(bytes);
    }

    /// A text string.
    pub fn text(&mut self, text: &str) {
        self.length(TEXT, text.len());
        self.bytes.extend_from_slice(text.as_bytes());
    }

    /// The head of an array of `count` items; the items follow.
    pub fn array(&mut self, count: usize) {
        self.length(ARRAY, count);
    }

    /// The head of a map of `count` pairs; the pairs follow in the order of their encoded keys.
    pub fn map(&mut self, count: usize) {
        self.length(MAP, count);
    }

    /// A tag; the tagged item follows.
    pub fn tag(&mut self, tag: u64) {
        self.head(TAG, tag);
    }

    /// `true` or `false`.
    pub fn bool(&mut self, value: bool) {
        self.bytes.push(if value { TRUE } else { FALSE });
    }

    /// `null`, which stands for an absent value.
    pub fn null(&mut self) {
        self.bytes.push(NULL);
    }

    /// A value, or `null`.
    pub fn option<T: Wire>(&mut self, value: Option<&T>) {
        match value {
            Some(value) => value.encode(self),
            None => self.null(),
        }
    }

    /// Appends bytes that are encoded already.
    pub(crate) fn raw(&mut self, encoded: &[u8]) {
        self.bytes.extend_from_slice(encoded);
    }

    /// An array of values.
    pub fn list<T: Wire>(&mut self, values: &[T]) {
        self.array(values.len());
        for value in values {
            value.encode(self);
        }
    }
}

/// Reads items of the deterministic encoding and refuses all others.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    /// A reader at the first of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Bytes read so far.
    pub fn offset(&self) -> usize {
        self.at
    }

    /// The bytes read since the given offset.
    pub(crate) fn since(&self, offset: usize) -> &'a [u8] {
        &self.bytes[offset..self.at]
    }

    /// Refuses bytes behind the value.
    pub fn finish(&self) -> Result<(), DecodeError> {
        match self.bytes.len() - self.at {
            0 => Ok(()),
            count => Err(DecodeError::Trailing { count }),
        }
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], DecodeError> {
        let rest = &self.bytes[self.at..];
        let taken = rest.get(..count).ok_or(DecodeError::Truncated { at: self.bytes.len() })?;
        self.at += count;
        Ok(taken)
    }

    fn peek(&self) -> Result<u8, DecodeError> {
        self.bytes.get(self.at).copied().ok_or(DecodeError::Truncated { at: self.at })
    }

    fn head(&mut self, major: u8, expected: &'static str) -> Result<u64, DecodeError> {
        let at = self.at;
        let first = self.peek()?;
        if first >> 5 != major {
            return Err(DecodeError::Unexpected { at, expected });
        }
        self.at += 1;
        let (value, least) = match first & 0x1f {
            small @ 0..24 => return Ok(u64::from(small)),
            24 => (u64::from(self.take(1)?[0]), 24),
            25 => (self.big_endian(2)?, 0x100),
            26 => (self.big_endian(4)?, 0x1_0000),
            27 => (self.big_endian(8)?, 0x1_0000_0000),
            _ => return Err(DecodeError::NotCanonical { at }),
        };
        if value < least {
            return Err(DecodeError::NotCanonical { at });
        }
        Ok(value)
    }

    fn big_endian(&mut self, count: usize) -> Result<u64, DecodeError> {
        Ok(self.take(count)?.iter().fold(0, |value, byte| value << 8 | u64::from(*byte)))
    }

    fn length(&mut self, major: u8, limit: usize, expected: &'static str) -> Result<usize, DecodeError> {
        let length = usize::try_from(self.head(major, expected)?).unwrap_or(usize::MAX);
        if length > limit {
            return Err(DecodeError::TooLong { length, limit });
        }
        Ok(length)
    }

    /// An unsigned integer.
    pub fn uint(&mut self) -> Result<u64, DecodeError> {
        self.head(UINT, "an unsigned integer")
    }

    /// An unsigned integer of at most 16 bits.
    pub fn u16(&mut self, field: &'static str) -> Result<u16, DecodeError> {
        u16::try_from(self.uint()?).map_err(|_| DecodeError::Value { field })
    }

    /// An unsigned integer of at most 32 bits.
    pub fn u32(&mut self, field: &'static str) -> Result<u32, DecodeError> {
        u32::try_from(self.uint()?).map_err(|_| DecodeError::Value { field })
    }

    /// A signed integer.
    pub fn int(&mut self) -> Result<i64, DecodeError> {
        let at = self.at;
        let out_of_range = DecodeError::Unexpected { at, expected: "an integer of 64 bits" };
        if self.peek()? >> 5 == NEGATIVE {
            let value = self.head(NEGATIVE, "an integer")?;
            return i64::try_from(value).map(|value| -1 - value).map_err(|_| out_of_range);
        }
        i64::try_from(self.head(UINT, "an integer")?).map_err(|_| out_of_range)
    }

    /// A byte string of at most `limit` bytes.
    pub fn bytes(&mut self, limit: usize) -> Result<&'a [u8], DecodeError> {
        let length = self.length(BYTES, limit, "a byte string")?;
        self.take(length)
    }

    /// A byte string of exactly `N` bytes.
    pub fn bytes_exact<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let at = self.at;
        let bytes = self.bytes(N)?;
        bytes
            .try_into()
            .map_err(|_| DecodeError::Unexpected { at, expected: "a byte string of fixed length" })
    }

    /// A text string of at most `limit` bytes.
    pub fn text(&mut self, limit: usize) -> Result<&'a str, DecodeError> {
        let at = self.at;
        let length = self.length(TEXT, limit, "a text string")?;
        std::str::from_utf8(self.take(length)?)
            .map_err(|_| DecodeError::Unexpected { at, expected: "a text string in UTF-8" })
    }

    /// The head of an array of at most `limit` items.
    pub fn array(&mut self, limit: usize) -> Result<usize, DecodeError> {
        self.length(ARRAY, limit, "an array")
    }

    /// The head of an array of exactly `count` items.
    pub fn array_exact(&mut self, count: usize) -> Result<(), DecodeError> {
        let at = self.at;
        match self.array(count)? == count {
            true => Ok(()),
            false => Err(DecodeError::Unexpected { at, expected: "an array of fixed length" }),
        }
    }

    /// The head of a map of exactly `count` pairs.
    pub fn map_exact(&mut self, count: usize) -> Result<(), DecodeError> {
        let at = self.at;
        match self.length(MAP, count, "a map")? == count {
            true => Ok(()),
            false => Err(DecodeError::Unexpected { at, expected: "a map of fixed size" }),
        }
    }

    /// This tag.
    pub fn tag(&mut self, tag: u64) -> Result<(), DecodeError> {
        let at = self.at;
        match self.head(TAG, "a tag")? == tag {
            true => Ok(()),
            false => Err(DecodeError::Unexpected { at, expected: "another tag" }),
        }
    }

    /// `true` or `false`.
    pub fn bool(&mut self) -> Result<bool, DecodeError> {
        let at = self.at;
        match self.take(1)?[0] {
            FALSE => Ok(false),
            TRUE => Ok(true),
            _ => Err(DecodeError::Unexpected { at, expected: "true or false" }),
        }
    }

    /// Whether `null` stands here; if so it is read.
    pub fn null(&mut self) -> Result<bool, DecodeError> {
        let is_null = self.peek()? == NULL;
        if is_null {
            self.at += 1;
        }
        Ok(is_null)
    }

    /// A value, or `null`.
    pub fn option<T: Wire>(&mut self) -> Result<Option<T>, DecodeError> {
        if self.null()? { Ok(None) } else { T::decode(self).map(Some) }
    }

    /// An array of at most `limit` values.
    pub fn list<T: Wire>(&mut self, limit: usize) -> Result<Vec<T>, DecodeError> {
        let count = self.array(limit)?;
        // Each value takes a byte at least: a head that lies cannot make us reserve more than the bytes at
        // hand.
        let mut values = Vec::with_capacity(count.min(self.bytes.len() - self.at));
        for _ in 0..count {
            values.push(T::decode(self)?);
        }
        Ok(values)
    }
}

#[cfg(test)]
mod tests;
