//! The faces that existing PKI tools use: OCSP, CRLs and IKEv2 "hash and URL".
//!
//! They say in other words what the state says, signed with keys that the CAs gave to the node. A relying
//! party that uses them trusts the node as it trusted the CA's own responder: the proofs of the ledger are
//! not in these formats.
//!
//! ```text
//!            GET, POST /ocsp -> ocsp ----.                     .--> Snapshot: record (status, reason, time)
//!  client -> GET /crl/<name>.crl -> crl -+-> StatusFaces ------+--> Lookup: issuer, serial, SHA-1 -> certificate
//!            GET /ikev2/<sha1> ----------'    | authorities    `--> Staleness: too old -> tryLater, 503
//!                                             `- keys, names
//! ```
//!
//! Absent: TLS, listeners, files; a word on certificates that the ledger does not know.
mod authority;
mod counters;
mod crl;
mod der;
mod http;
mod ocsp;
mod signer;

use std::sync::Arc;

use tabellion_ledger::{CertificateId, TimeMs};
use tabellion_pki::Staleness;
use tokio::sync::Semaphore;

pub use self::authority::{AuthorityConfig, StatusAuthorities};
pub(crate) use self::http::{at_any_path, index, ocsp_post, routes};
pub use self::ocsp::{OcspRefusal, precheck_ocsp_request};
pub use self::signer::{AuthorityFault, SignerConfig};

use self::authority::Authority;
use self::counters::Counters;
use self::crl::CrlShelf;
use self::ocsp::{AnswerCache, NameCache};
use crate::backend::{Backend, Fault};
use crate::lookup::Lookup;

/// Tells the time. Unit: ms since 1970.
pub type Clock = Arc<dyn Fn() -> TimeMs + Send + Sync>;

/// Reads of the store at one time; further ones wait for their turn.
const READS_MAX: usize = 32;

/// How the faces answer.
#[derive(Clone)]
pub struct StatusConfig {
    /// How old knowledge may be that is told.
    pub staleness: Staleness,
    /// From `thisUpdate` to `nextUpdate` of OCSP responses. Must be longer than the staleness. Unit: ms.
    pub ocsp_validity_ms: u64,
    /// The same of CRLs; a new one is made at half of it. Unit: ms.
    pub crl_validity_ms: u64,
    /// The clock.
    pub clock: Clock,
}

/// The faces' common state.
pub struct StatusFaces {
    backend: Arc<dyn Backend>,
    authorities: Arc<StatusAuthorities>,
    config: StatusConfig,
    answers: AnswerCache,
    names: NameCache,
    crls: CrlShelf,
    counters: Counters,
    reads: Semaphore,
}

impl StatusFaces {
    /// Joins a node and the CAs for which it answers.
    pub fn new(
        backend: Arc<dyn Backend>,
        authorities: Arc<StatusAuthorities>,
        config: StatusConfig,
    ) -> Arc<Self> {
        Arc::new(Self {
            backend,
            authorities,
            config,
            answers: AnswerCache::default(),
            names: NameCache::default(),
            crls: CrlShelf::default(),
            counters: Counters::default(),
            reads: Semaphore::new(READS_MAX),
        })
    }

    fn now(&self) -> TimeMs {
        (self.config.clock)()
    }

    fn authorities(&self) -> Arc<Vec<Authority>> {
        self.authorities.now()
    }

    /// Looks something up on a blocking thread.
    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&dyn Lookup) -> T + Send + 'static,
    ) -> Result<T, Fault> {
        let _permit = self.reads.acquire().await.map_err(Fault::new)?;
        let backend = self.backend.clone();
        let look = move || backend.lookup().map(read);
        let read = tokio::task::spawn_blocking(look).await.map_err(Fault::new)?;
        read.ok_or_else(|| Fault::new("the node keeps no index"))
    }

    /// Whether what the node knows is new enough to be told.
    fn follows(&self) -> Result<(), tabellion_pki::Stale> {
        self.config.staleness.check(self.backend.snapshot().finality().header.time, self.now())
    }

    /// A certificate by the SHA-1 of its DER: a published one or a trusted CA's. Source: RFC 7296 3.6.
    async fn certificate_by_sha1(&self, sha1: [u8; 20]) -> Result<Option<bytes::Bytes>, Fault> {
        let Some(id) = self.read(move |lookup| lookup.by_sha1(&sha1)).await?? else { return Ok(None) };
        self.certificate(id).await
    }

    async fn certificate(&self, id: CertificateId) -> Result<Option<bytes::Bytes>, Fault> {
        let _permit = self.reads.acquire().await.map_err(Fault::new)?;
        let backend = self.backend.clone();
        tokio::task::spawn_blocking(move || backend.certificate_der(&id)).await.map_err(Fault::new)?
    }

    /// The faces' metrics as Prometheus text.
    pub(crate) fn metrics(&self) -> String {
        let mut text = self.counters.text();
        text.push_str(&format!(
            "# HELP tabellion_ocsp_kept_responses OCSP responses in memory.\n\
             # TYPE tabellion_ocsp_kept_responses gauge\n\
             tabellion_ocsp_kept_responses {}\n",
            self.answers.len()
        ));
        text.push_str(&self.signer_metrics());
        text.push_str(&self.crls.metrics());
        text
    }

    /// When the certificates of the keys end.
    fn signer_metrics(&self) -> String {
        let mut text = String::from(
            "# HELP tabellion_status_signer_ends_ms End of the certificate that signs for a CA (ms).\n\
             # TYPE tabellion_status_signer_ends_ms gauge\n",
        );
        for authority in self.authorities().iter() {
            for (what, signer) in [("ocsp", &authority.ocsp), ("crl", &authority.crl)] {
                if let Some(signer) = signer {
                    let (ca, until) = (authority.id, signer.until);
                    text.push_str(&format!(
                        "tabellion_status_signer_ends_ms{{ca=\"{ca}\",for=\"{what}\"}} {until}\n"
                    ));
                }
            }
        }
        text
    }
}
