//! Errors and refusals as they are told: RFC 9457 problem details with a stable code.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use tabellion_ledger::TimeMs;
use tabellion_machine::{ProblemDetails, Refusal, RefusedEntryAnswer};
use tabellion_pki::Stale;

use crate::backend::{Fault, QueryError, SubmitError, SubscribeError};
use crate::status::problem_kind;

/// Refused entries that one answer lists; a batch of 256 with long names would be a long answer otherwise.
const ENTRIES_TOLD_MAX: usize = 256;

/// An answer that is a problem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    details: Box<ProblemDetails>,
    retry_after_s: Option<u64>,
}

impl Problem {
    /// The problem with this code, and what happened.
    pub fn new(code: &'static str, detail: impl Into<String>) -> Self {
        let kind = problem_kind(code);
        let details = ProblemDetails {
            kind: format!("/problems/{code}"),
            title: kind.title.to_owned(),
            status: kind.status.as_u16(),
            detail: detail.into(),
            code: code.to_owned(),
            hint: kind.hint.map(str::to_owned),
            entries: Vec::new(),
        };
        Self { details: Box::new(details), retry_after_s: None }
    }

    /// With the seconds after which to try again, at least one.
    pub fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after_s = Some(seconds.max(1));
        self
    }

    /// The details.
    pub fn details(&self) -> &ProblemDetails {
        &self.details
    }

    /// The details, to be part of another answer.
    pub fn into_details(self) -> ProblemDetails {
        *self.details
    }
}

impl From<&Refusal> for Problem {
    fn from(refusal: &Refusal) -> Self {
        let mut problem = Self::new(refusal.code(), refusal.to_string());
        let told = |entry: &tabellion_pki::RefusedEntry| RefusedEntryAnswer {
            index: entry.index,
            certificate: entry.certificate.to_string(),
            code: entry.refusal.code().to_owned(),
            message: entry.refusal.to_string(),
        };
        problem.details.entries = refusal.entries().iter().take(ENTRIES_TOLD_MAX).map(told).collect();
        problem
    }
}

impl From<Fault> for Problem {
    fn from(fault: Fault) -> Self {
        tracing::error!(error = &fault as &dyn std::error::Error, "a request failed inside the node");
        Self::new("internal", fault.to_string())
    }
}

/// What is known here is too old; `known_at` is the time of the newest block.
impl From<(TimeMs, Stale)> for Problem {
    fn from((known_at, stale): (TimeMs, Stale)) -> Self {
        let Stale { age_ms, limit_ms } = stale;
        let detail = format!(
            "the newest block here is of {known_at} ms since 1970, {age_ms} ms ago; {limit_ms} ms are allowed"
        );
        Self::new("knowledge-too-old", detail)
    }
}

impl From<SubmitError> for Problem {
    fn from(error: SubmitError) -> Self {
        let text = error.to_string();
        match error {
            SubmitError::Refused(refusal) => Self::from(&refusal),
            SubmitError::Overloaded { retry_after_ms } => {
                Self::new("overloaded", text).retry_after(retry_after_ms.div_ceil(1000))
            }
            SubmitError::Draining { retry_after_ms } => {
                Self::new("draining", text).retry_after(retry_after_ms.div_ceil(1000))
            }
            SubmitError::FollowsOnly => Self::new("follows-only", text),
            SubmitError::Stopping => Self::new("stopping", text),
            SubmitError::Fault(fault) => Self::from(fault),
        }
    }
}

impl From<QueryError> for Problem {
    fn from(error: QueryError) -> Self {
        match error {
            QueryError::NoIndex => Self::new("no-index", error.to_string()),
            QueryError::Cursor => Self::new("malformed-query", error.to_string()),
            QueryError::Fault(fault) => Self::from(fault),
        }
    }
}

impl From<SubscribeError> for Problem {
    fn from(error: SubscribeError) -> Self {
        match error {
            SubscribeError::Gone { .. } => Self::new("events-gone", error.to_string()),
            SubscribeError::Fault(fault) => Self::from(fault),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.details.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        // Read by people more often than by programs: always on several lines.
        let mut body = serde_json::to_vec_pretty(&self.details).unwrap_or_default();
        body.push(b'\n');
        let media_type = HeaderValue::from_static("application/problem+json");
        let mut response = (status, [(header::CONTENT_TYPE, media_type)], body).into_response();
        if let Some(seconds) = self.retry_after_s {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
