//! The form of an answer: what the client's Accept header and program ask for.

use axum::extract::FromRequestParts;
use axum::http::header::{ACCEPT, CONTENT_TYPE, USER_AGENT};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use std::convert::Infallible;

const CBOR: HeaderValue = HeaderValue::from_static("application/cbor");
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// What the client asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Style {
    /// JSON on several lines: for people, whom curl and browsers serve.
    pretty: bool,
    named: Option<Named>,
}

/// The first media type of the Accept header that we have answers in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Named {
    Json,
    Cbor,
}

impl<S: Sync> FromRequestParts<S> for Style {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        let text = |name| parts.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let agent = text(USER_AGENT);
        let is_person = ["curl/", "Wget/", "HTTPie/", "Mozilla/"].iter().any(|name| agent.starts_with(name));
        let named = text(ACCEPT).split(',').find_map(|range| match range.split(';').next()?.trim() {
            "application/json" => Some(Named::Json),
            "application/cbor" => Some(Named::Cbor),
            _ => None,
        });
        Ok(Self { pretty: is_person, named })
    }
}

impl Style {
    /// Whether the client asks for JSON by name.
    pub(crate) fn names_json(self) -> bool {
        self.named == Some(Named::Json)
    }

    /// Whether the client asks for CBOR by name.
    pub(crate) fn names_cbor(self) -> bool {
        self.named == Some(Named::Cbor)
    }

    /// `value` as JSON.
    pub(crate) fn json<T: Serialize>(self, status: StatusCode, value: &T) -> Response {
        let mut body = Vec::with_capacity(2048);
        let written = match self.pretty {
            true => serde_json::to_writer_pretty(&mut body, value),
            false => serde_json::to_writer(&mut body, value),
        };
        written.expect("invariant: answers have text keys and no failing serializers");
        body.push(b'\n');
        (status, [(CONTENT_TYPE, JSON)], body).into_response()
    }

    /// `value` as JSON with status 200.
    pub(crate) fn ok<T: Serialize>(self, value: &T) -> Response {
        self.json(StatusCode::OK, value)
    }
}

/// Bytes of the ledger's format.
pub(crate) fn cbor(body: impl Into<axum::body::Body>) -> Response {
    (StatusCode::OK, [(CONTENT_TYPE, CBOR)], body.into()).into_response()
}
