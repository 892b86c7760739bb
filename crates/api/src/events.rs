//! `/v1/events`: what is new, as Server-Sent Events.
//!
//! Each event has the id `height:index`. The notices of a block come first, in order, the block itself last,
//! so that a reader that has seen `7:3` has seen all before it, and asks for the rest with
//! `Last-Event-ID: 7:3`.

use std::convert::Infallible;
use std::str::FromStr;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::sse::{Event as SseEvent, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures::{StreamExt, stream};
use serde::Deserialize;
use tabellion_ledger::{CertificateId, Height, Lane};
use tabellion_machine::{BlockEventAnswer, Event, Notice, ProblemDetails};
use utoipa::IntoParams;

use crate::backend::Announcement;
use crate::face::Shared;
use crate::input::{Asks, parse_id};
use crate::problem::Problem;

/// How often an idle stream shows that it is alive.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// How long a browser waits before it asks again after a break.
const RETRY: Duration = Duration::from_secs(1);

pub(crate) fn routes() -> Router<Shared> {
    Router::new().route("/v1/events", get(events))
}

/// Which events.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct EventQuery {
    /// Only events of this lane, for example `certificate`.
    lane: Option<String>,
    /// Only events of the certificate with this SHA-256.
    certificate: Option<String>,
    /// Begin at this block and not with what comes next.
    from: Option<u64>,
    /// Whether blocks are told too. Default: yes, unless the events are narrowed by `lane` or `certificate`.
    blocks: Option<bool>,
}

/// A place in the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct EventId {
    height: u64,
    index: usize,
}

impl FromStr for EventId {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        let parts = text
            .split_once(':')
            .and_then(|(height, index)| Some((height.parse().ok()?, index.parse().ok()?)));
        let Some((height, index)) = parts else {
            let shown: String = text.chars().take(100).collect();
            return Err(Problem::new(
                "malformed-request",
                format!("Last-Event-ID '{shown}' is not height:index"),
            ));
        };
        Ok(Self { height, index })
    }
}

/// What a stream tells.
struct Filter {
    lane: Option<Lane>,
    certificate: Option<CertificateId>,
    blocks: bool,
    seen: Option<EventId>,
}

impl Filter {
    fn new(asked: &EventQuery, seen: Option<EventId>) -> Result<Self, Problem> {
        let unknown = |_| Problem::new("malformed-query", "there is no lane of that name");
        let lane: Option<Lane> = asked.lane.as_deref().map(str::parse).transpose().map_err(unknown)?;
        let certificate = asked.certificate.as_deref().map(parse_id).transpose()?;
        let blocks = asked.blocks.unwrap_or(lane.is_none() && certificate.is_none());
        Ok(Self { lane, certificate, blocks, seen })
    }

    fn is_seen(&self, height: Height, index: usize) -> bool {
        self.seen.is_some_and(|seen| (height.0, index) <= (seen.height, seen.index))
    }

    fn wants(&self, notice: &Notice) -> bool {
        let certificate = match &notice.event {
            Event::Consortium(_) => None,
            Event::Certificate(event) => event.certificate(),
        };
        self.lane.is_none_or(|lane| lane == lane_of(notice))
            && (self.certificate.is_none() || self.certificate == certificate)
    }

    fn tell(&self, block: &Announcement) -> Vec<SseEvent> {
        let height = block.header.height;
        let id = |index: usize| format!("{height}:{index}");
        let notices = block.notices.iter().enumerate();
        let wanted = notices.filter(|(index, notice)| !self.is_seen(height, *index) && self.wants(notice));
        let mut told: Vec<SseEvent> =
            wanted.map(|(index, notice)| event(&lane_of(notice).to_string(), id(index), notice)).collect();
        let end = block.notices.len();
        if self.blocks && !self.is_seen(height, end) {
            let answer = BlockEventAnswer {
                height: height.0,
                hash: block.header.hash().to_string(),
                time_ms: block.header.time.0,
                transactions: block.transactions,
                events: end,
            };
            told.push(event("block", id(end), &answer));
        }
        told
    }
}

fn lane_of(notice: &Notice) -> Lane {
    match notice.event {
        Event::Consortium(_) => Lane::Consortium,
        Event::Certificate(_) => Lane::Certificate,
    }
}

fn event<T: serde::Serialize>(name: &str, id: String, data: &T) -> SseEvent {
    let data =
        serde_json::to_string(data).expect("invariant: notices have text keys and no failing serializers");
    SseEvent::default().event(name).id(id).data(data)
}

/// What is new, as Server-Sent Events
///
/// `curl -N` shows them. An event is named after its lane, `consortium` or `certificate`; events named
/// `block` end each block. Ids are `height:index`; after a break the stream goes on behind the id in the
/// Last-Event-ID header. A reader that is too slow is cut off and asks again.
#[utoipa::path(
    get, path = "/v1/events", tag = "Events",
    params(EventQuery, ("Last-Event-ID" = Option<String>, Header,
        description = "The id of the last event seen")),
    responses(
        (status = 200, description = "The stream", body = String, content_type = "text/event-stream"),
        (status = 410, description = "No longer kept", body = ProblemDetails,
         content_type = "application/problem+json"),
    )
)]
pub(crate) async fn events(
    State(face): State<Shared>,
    headers: HeaderMap,
    Asks(asked): Asks<EventQuery>,
) -> Result<Response, Problem> {
    let seen = headers.get("last-event-id").and_then(|id| id.to_str().ok()).filter(|id| !id.is_empty());
    let seen: Option<EventId> = seen.map(str::parse).transpose()?;
    let filter = Filter::new(&asked, seen)?;
    let permit = face.streams.clone().try_acquire_owned().map_err(|_| {
        let detail = format!("{} event streams are open already", face.config.streams_max);
        Problem::new("overloaded", detail).retry_after(5)
    })?;
    let from = seen.map(|seen| seen.height).or(asked.from).map(Height);
    let blocks = face.read(move |backend| backend.subscribe(from)).await??;
    let first = SseEvent::default().retry(RETRY).comment("events of this ledger; each id is height:index");
    let told = blocks.flat_map(move |block| {
        // The permit lives as long as the stream.
        let _held = &permit;
        stream::iter(filter.tell(&block))
    });
    let events = stream::iter([first]).chain(told).map(Ok::<_, Infallible>);
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response())
}
