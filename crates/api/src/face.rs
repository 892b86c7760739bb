//! What all handlers share: the node, the limits, the counters.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use axum::extract::{ConnectInfo, Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tokio::sync::Semaphore;

use crate::anchors::AnchorCache;
use crate::backend::{Backend, Fault};
use crate::config::FaceConfig;
use crate::ct::CtLog;
use crate::problem::Problem;
use crate::rate::{RateLimit, client_of};
use crate::status_faces::StatusFaces;

/// Shared by all handlers.
pub(crate) struct Face {
    pub(crate) backend: Arc<dyn Backend>,
    pub(crate) config: FaceConfig,
    pub(crate) anchors: AnchorCache,
    pub(crate) waits: Semaphore,
    pub(crate) uploads: Semaphore,
    pub(crate) streams: Arc<Semaphore>,
    /// OCSP, CRLs and IKEv2, where the node has them.
    pub(crate) status: Option<Arc<StatusFaces>>,
    /// Certificate Transparency, where the node has it.
    pub(crate) ct: Option<Arc<CtLog>>,
    /// Whether clients come over plain HTTP.
    pub(crate) is_plain: bool,
    requests: Semaphore,
    store_reads: Semaphore,
    rate: RateLimit,
    counters: Counters,
}

/// The state of every handler.
pub(crate) type Shared = Arc<Face>;

#[derive(Default)]
struct Counters {
    /// Answers by the first digit of their status, 2 to 5.
    answers: [AtomicU64; 4],
    rate_limited: AtomicU64,
    overloaded: AtomicU64,
}

impl Face {
    pub(crate) fn new(backend: Arc<dyn Backend>, config: FaceConfig) -> Self {
        let rate =
            RateLimit::new(config.rate_per_second, config.rate_burst, config.clients_max, Instant::now());
        Self {
            backend,
            anchors: AnchorCache::default(),
            waits: Semaphore::new(config.waits_max),
            uploads: Semaphore::new(config.uploads_max),
            streams: Arc::new(Semaphore::new(config.streams_max)),
            status: None,
            ct: None,
            is_plain: false,
            requests: Semaphore::new(config.requests_max),
            store_reads: Semaphore::new(config.store_reads_max),
            rate,
            counters: Counters::default(),
            config,
        }
    }

    /// With OCSP, CRLs and IKEv2 beside.
    pub(crate) fn with_status(mut self, status: Option<Arc<StatusFaces>>) -> Self {
        self.status = status;
        self
    }

    /// With Certificate Transparency beside.
    pub(crate) fn with_ct(mut self, ct: Option<Arc<CtLog>>) -> Self {
        self.ct = ct;
        self
    }

    /// Reads the store on a blocking thread; at most `store_reads_max` at a time.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&dyn Backend) -> T + Send + 'static,
    ) -> Result<T, Problem> {
        let _permit = self.store_reads.acquire().await.map_err(Fault::new)?;
        let backend = self.backend.clone();
        Ok(tokio::task::spawn_blocking(move || read(&*backend)).await.map_err(Fault::new)?)
    }

    /// Admits a request by the client's rate and by the work at hand.
    fn admit(&self, client: IpAddr) -> Result<tokio::sync::SemaphorePermit<'_>, Problem> {
        if let Err(seconds) = self.rate.take(client_of(client), Instant::now()) {
            self.counters.rate_limited.fetch_add(1, Ordering::Relaxed);
            let limit = self.config.rate_per_second;
            let detail = format!("more than {limit} requests per second from {client}");
            return Err(
                Problem::new("rate-limited", detail).retry_after(Duration::from_secs_f64(seconds).as_secs())
            );
        }
        self.requests.try_acquire().map_err(|_| {
            self.counters.overloaded.fetch_add(1, Ordering::Relaxed);
            let detail = format!("{} requests are in work already", self.config.requests_max);
            Problem::new("overloaded", detail).retry_after(1)
        })
    }

    fn count(&self, status: StatusCode) {
        let class = usize::from(status.as_u16() / 100).saturating_sub(2).min(3);
        self.counters.answers[class].fetch_add(1, Ordering::Relaxed);
    }

    /// The face's own metrics as Prometheus text.
    pub(crate) fn metrics(&self) -> String {
        let mut text = String::from(
            "# HELP tabellion_http_answers_total Answers of the REST face by class of status.\n\
             # TYPE tabellion_http_answers_total counter\n",
        );
        let counters = &self.counters;
        for (class, count) in (2..).zip(&counters.answers) {
            let count = count.load(Ordering::Relaxed);
            let _ = writeln!(text, "tabellion_http_answers_total{{class=\"{class}xx\"}} {count}");
        }
        text.push_str(
            "# HELP tabellion_http_turned_away_total Requests answered 429 before any work.\n\
             # TYPE tabellion_http_turned_away_total counter\n",
        );
        for (reason, count) in [("rate", &counters.rate_limited), ("overload", &counters.overloaded)] {
            let count = count.load(Ordering::Relaxed);
            let _ = writeln!(text, "tabellion_http_turned_away_total{{reason=\"{reason}\"}} {count}");
        }
        let in_work = self.config.requests_max.saturating_sub(self.requests.available_permits());
        let streams = self.config.streams_max.saturating_sub(self.streams.available_permits());
        let _ = writeln!(
            text,
            "# HELP tabellion_http_requests_in_work Requests in work.\n\
             # TYPE tabellion_http_requests_in_work gauge\n\
             tabellion_http_requests_in_work {in_work}\n\
             # HELP tabellion_http_event_streams Open event streams.\n\
             # TYPE tabellion_http_event_streams gauge\n\
             tabellion_http_event_streams {streams}"
        );
        if let Some(status) = &self.status {
            text.push_str(&status.metrics());
        }
        text
    }
}

/// Around every handler: rate, number of requests in work, time, counting.
///
/// The limit on time leaves room for a wait for finality, which has a limit of its own.
pub(crate) async fn guard(State(face): State<Shared>, request: Request, next: Next) -> Response {
    let address = request.extensions().get::<ConnectInfo<SocketAddr>>();
    let client = address.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |info| info.0.ip());
    let response = match face.admit(client) {
        Err(problem) => problem.into_response(),
        Ok(_permit) => {
            let limit = face.config.request_timeout + face.config.wait_max;
            match tokio::time::timeout(limit, next.run(request)).await {
                Ok(response) => response,
                Err(_) => Problem::new("timed-out", format!("no answer within {limit:?}")).into_response(),
            }
        }
    };
    face.count(response.status());
    response
}
