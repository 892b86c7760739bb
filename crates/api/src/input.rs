//! What comes in: identifiers, queries, bodies.

use axum::extract::{FromRequestParts, Path, Query, Request};
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::request::Parts;
use bytes::{Bytes, BytesMut};
use futures::TryStreamExt;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tabellion_ledger::{CertificateId, Height, KeyId, LedgerId, TransactionId};

use crate::face::Face;
use crate::problem::Problem;

/// An identifier that a path may name.
pub(crate) trait Named32: Sized {
    const WHAT: &'static str;
    fn from_bytes(bytes: [u8; 32]) -> Self;
}

macro_rules! named {
    ($($name:ident, $what:literal;)*) => {$(
        impl Named32 for $name {
            const WHAT: &'static str = $what;
            fn from_bytes(bytes: [u8; 32]) -> Self {
                Self(bytes)
            }
        }
    )*};
}

named! {
    CertificateId, "the SHA-256 of a certificate";
    KeyId, "the SHA-256 of a SubjectPublicKeyInfo";
    LedgerId, "a ledger identifier";
    TransactionId, "a transaction identifier";
}

/// Reads an identifier as people have it: in either case, with or without colons, also as OpenSSL prints it
/// (`sha256 Fingerprint=AB:CD:...`).
pub(crate) fn parse_id<T: Named32>(text: &str) -> Result<T, Problem> {
    let digits: String = text.rsplit('=').next().unwrap_or_default().chars().filter(|c| *c != ':').collect();
    let mut bytes = [0; 32];
    hex::decode_to_slice(digits.trim(), &mut bytes).map_err(|_| {
        let shown: String = text.chars().take(100).collect();
        let detail = format!("'{shown}' is not {}: 64 hexadecimal digits", T::WHAT);
        Problem::new("malformed-identifier", detail)
    })?;
    Ok(T::from_bytes(bytes))
}

/// Where a body may come from.
#[derive(Clone, Copy, Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Here {
    /// Whether to answer only with what this node itself holds. Otherwise it asks other nodes for what it has
    /// deleted or never had, and compares it with the header or the identifier.
    #[serde(default)]
    pub(crate) here: bool,
}

/// What a block's bytes are to hold.
#[derive(Clone, Copy, Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct BlockBytes {
    /// Whether to answer only with what this node itself holds. Otherwise it asks other nodes for what it has
    /// deleted or never had, and compares it with the header.
    #[serde(default)]
    pub(crate) here: bool,
    /// Whether to add, on a ledger of identifiers, the certificates that travelled beside the block, as far
    /// as this node keeps them.
    #[serde(default)]
    pub(crate) attachments: bool,
}

/// The identifier in the path.
pub(crate) struct IdPath<T>(pub(crate) T);

impl<S: Send + Sync, T: Named32> FromRequestParts<S> for IdPath<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Path(text) = path_text(parts, state).await?;
        parse_id(&text).map(Self)
    }
}

/// The height in the path: a number, or `latest`.
pub(crate) struct HeightPath(pub(crate) Option<Height>);

impl<S: Send + Sync> FromRequestParts<S> for HeightPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Path(text) = path_text(parts, state).await?;
        if text == "latest" {
            return Ok(Self(None));
        }
        let shown: String = text.chars().take(100).collect();
        let malformed = |_| Problem::new("malformed-request", format!("'{shown}' is not a height"));
        text.parse().map(|height| Self(Some(Height(height)))).map_err(malformed)
    }
}

async fn path_text<S: Send + Sync>(parts: &mut Parts, state: &S) -> Result<Path<String>, Problem> {
    let path = Path::from_request_parts(parts, state).await;
    path.map_err(|rejection| Problem::new("malformed-request", rejection.body_text()))
}

/// The query string, read into `T`.
pub(crate) struct Asks<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Asks<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let query = Query::from_request_parts(parts, state).await;
        let Query(asks) =
            query.map_err(|rejection| Problem::new("malformed-query", rejection.body_text()))?;
        Ok(Self(asks))
    }
}

/// A request body.
pub(crate) struct Body {
    /// The media type without parameters, in lower case; empty where none is named.
    pub(crate) media_type: String,
    /// The bytes.
    pub(crate) bytes: Bytes,
}

/// Media types that say nothing: what curl and others send when they are not told.
const UNSAID: [&str; 4] = ["", "application/x-www-form-urlencoded", "application/octet-stream", "text/plain"];

impl Body {
    /// Receives a body of one of these media types, or of one that says nothing.
    ///
    /// Limit: `bytes_max`, the face's number of uploads, and its time for a body.
    pub(crate) async fn receive(
        face: &Face,
        request: Request,
        media_types: &[&str],
        bytes_max: usize,
    ) -> Result<Self, Problem> {
        let media_type = check_head(request.headers(), media_types, bytes_max)?;
        let _permit = face.uploads.try_acquire().map_err(|_| {
            let detail = format!("{} request bodies are being received already", face.config.uploads_max);
            Problem::new("overloaded", detail).retry_after(1)
        })?;
        let limit = face.config.body_timeout;
        let received = tokio::time::timeout(limit, collect(request.into_body(), bytes_max)).await;
        match received {
            Err(_) => Err(Problem::new("body-too-slow", format!("it was not there within {limit:?}"))),
            Ok(Err(error)) => Err(Problem::new("malformed-request", format!("the body broke off: {error}"))),
            Ok(Ok(None)) => Err(too_large(bytes_max)),
            Ok(Ok(Some(bytes))) => Ok(Self { media_type, bytes }),
        }
    }

    /// The body as JSON.
    pub(crate) fn json<'a, T: Deserialize<'a>>(&'a self) -> Result<T, Problem> {
        serde_json::from_slice(&self.bytes).map_err(|error| Problem::new("malformed-json", error.to_string()))
    }

    /// Whether the body is JSON: by its media type, or by its first character where that says nothing.
    pub(crate) fn is_json(&self) -> bool {
        let first = self.bytes.iter().find(|byte| !byte.is_ascii_whitespace());
        self.media_type == "application/json"
            || (UNSAID.contains(&self.media_type.as_str()) && first == Some(&b'{'))
    }

    /// The certificates of a body that is PEM, or one as DER.
    pub(crate) fn certificates(&self) -> Result<Vec<Vec<u8>>, Problem> {
        // The first octet of DER is a SEQUENCE's.
        match self.bytes.first() == Some(&0x30) {
            true => Ok(vec![self.bytes.to_vec()]),
            false => certificates_of_pem(&self.bytes),
        }
    }
}

/// The media type, of those that are taken, and a length within the limit where one is announced.
fn check_head(headers: &HeaderMap, media_types: &[&str], bytes_max: usize) -> Result<String, Problem> {
    let header = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media_type = header(CONTENT_TYPE).split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if !UNSAID.contains(&media_type.as_str()) && !media_types.contains(&media_type.as_str()) {
        let detail = format!("'{media_type}'; this path takes {}", media_types.join(", "));
        return Err(Problem::new("unsupported-media-type", detail));
    }
    match header(CONTENT_LENGTH).parse().is_ok_and(|length: usize| length > bytes_max) {
        true => Err(too_large(bytes_max)),
        false => Ok(media_type),
    }
}

fn too_large(bytes_max: usize) -> Problem {
    Problem::new("body-too-large", format!("the limit is {bytes_max} bytes"))
}

/// All of a body; `None` where it is longer than `bytes_max`.
async fn collect(body: axum::body::Body, bytes_max: usize) -> Result<Option<Bytes>, axum::Error> {
    let mut chunks = body.into_data_stream();
    let mut bytes = BytesMut::new();
    while let Some(chunk) = chunks.try_next().await? {
        if bytes.len() + chunk.len() > bytes_max {
            return Ok(None);
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(Some(bytes.freeze()))
}

/// The certificates of a PEM text, in their order, at least one.
///
/// Refuses: text without certificates, and what [`pem_blocks`] refuses.
pub(crate) fn certificates_of_pem(text: &[u8]) -> Result<Vec<Vec<u8>>, Problem> {
    let parts = pem_blocks(text)?;
    let certificates: Vec<Vec<u8>> =
        parts.into_iter().filter(|part| part.tag() == "CERTIFICATE").map(pem::Pem::into_contents).collect();
    match certificates.is_empty() {
        true => Err(Problem::new("malformed-pem", "no -----BEGIN CERTIFICATE----- in it")),
        false => Ok(certificates),
    }
}

/// The blocks of a PEM text.
///
/// Refuses: text that holds a private key: it has no business here.
pub(crate) fn pem_blocks(text: &[u8]) -> Result<Vec<pem::Pem>, Problem> {
    let malformed = |detail: String| Problem::new("malformed-pem", detail);
    let parts = pem::parse_many(text).map_err(|error| malformed(error.to_string()))?;
    match parts.iter().find(|part| part.tag().contains("PRIVATE KEY")) {
        Some(key) => Err(malformed(format!(
            "the text holds a {}: it was not used, and should never be sent to anybody",
            key.tag()
        ))),
        None => Ok(parts),
    }
}
