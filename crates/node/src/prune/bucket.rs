//! Archived bodies in a bucket of an object store that speaks S3.
//!
//! A body is an object whose key is the name that it has in a folder, below the bucket's prefix. A PUT
//! carries the SHA-256 of its bytes, which the server compares. Not every server that speaks S3 does: so a
//! body counts as kept once the server has acknowledged it and gives it back. What comes back shows by itself
//! whose it is, so the server need not be believed.

use std::fmt;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::{Client, Response, Url};
use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, RootCertStore};
use rusty_s3::actions::{ListObjectsV2, S3Action};
use rusty_s3::{Credentials, UrlStyle};
use tabellion_ledger::sha256;
use thiserror::Error;

/// How long a signed request is good for.
const SIGNED_FOR: Duration = Duration::from_secs(300);
/// How long a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a request may take.
const TIMEOUT: Duration = Duration::from_secs(120);
/// Bytes of one page of a list: a thousand keys.
const PAGE_BYTES_MAX: usize = 4 << 20;
/// Bytes of what a server says when it refuses.
const SAID_BYTES_MAX: usize = 2048;
/// Header with the SHA-256 of an object, base64.
const CHECKSUM: &str = "x-amz-checksum-sha256";

/// Where a bucket is, and who may write to it.
#[derive(Clone, PartialEq, Eq)]
pub struct BucketSettings {
    /// URL of the server; without one, Amazon's of the region.
    pub endpoint: Option<String>,
    /// The region that requests are signed for.
    pub region: String,
    /// The bucket's name.
    pub bucket: String,
    /// What stands before the key of each object, without a slash at either end; may be empty.
    pub prefix: String,
    /// The identifier of the access key.
    pub key: String,
    /// The access key.
    pub secret: String,
    /// The token of temporary credentials.
    pub token: Option<String>,
}

/// Why a bucket does not do what was asked.
#[derive(Debug, Error)]
pub enum BucketFault {
    /// The settings make no address.
    #[error("{0}")]
    Settings(String),
    /// The server cannot be reached, or broke off.
    #[error("the server does not answer")]
    Http(#[source] reqwest::Error),
    /// The server refuses.
    #[error("the server answers {status}: {said}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The beginning of what it says.
        said: String,
    },
    /// The answer is longer than a body may be.
    #[error("the answer has more than {limit} bytes")]
    TooLong {
        /// The limit.
        limit: usize,
    },
    /// The server gives back something else than it took.
    #[error("the server took the object and gives back another one")]
    Differs,
    /// The list of objects cannot be read.
    #[error("the list of objects cannot be read: {0}")]
    List(String),
    /// No thread can be started.
    #[error("no thread can be started")]
    Thread(#[source] std::io::Error),
}

/// A bucket.
#[derive(Clone)]
pub(super) struct Bucket {
    settings: BucketSettings,
    bucket: Arc<rusty_s3::Bucket>,
    credentials: Arc<Credentials>,
    http: Client,
}

impl Bucket {
    pub(super) fn open(settings: BucketSettings) -> Result<Self, BucketFault> {
        let wrong = |fault: &dyn fmt::Debug| BucketFault::Settings(format!("no such bucket: {fault:?}"));
        let BucketSettings { endpoint, region, bucket, key, secret, token, .. } = settings.clone();
        // Names with a dot are not in the certificates of Amazon's servers; others know no names of hosts.
        let style = match endpoint.is_some() || bucket.contains('.') {
            true => UrlStyle::Path,
            false => UrlStyle::VirtualHost,
        };
        let endpoint = endpoint.unwrap_or_else(|| format!("https://s3.{region}.amazonaws.com"));
        let endpoint: Url = endpoint
            .parse()
            .map_err(|fault| BucketFault::Settings(format!("'{endpoint}' is no URL: {fault}")))?;
        let bucket = rusty_s3::Bucket::new(endpoint, style, bucket, region).map_err(|fault| wrong(&fault))?;
        let credentials = match token {
            Some(token) => Credentials::new_with_token(key, secret, token),
            None => Credentials::new(key, secret),
        };
        let http = Client::builder()
            .tls_backend_preconfigured(tls_config()?)
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            // Each call has a runtime of its own, and no connection outlives it.
            .pool_max_idle_per_host(0)
            .user_agent(concat!("tabellion/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(BucketFault::Http)?;
        Ok(Self { settings, bucket: Arc::new(bucket), credentials: Arc::new(credentials), http })
    }

    fn key(&self, name: &str) -> String {
        match self.settings.prefix.as_str() {
            "" => name.to_owned(),
            prefix => format!("{prefix}/{name}"),
        }
    }

    /// Keeps an object; durable as the server understands it when this returns, and compared.
    pub(super) fn put(&self, name: &str, bytes: &[u8]) -> Result<(), BucketFault> {
        let (key, checksum) = (self.key(name), STANDARD.encode(sha256(bytes)));
        let mut action = self.bucket.put_object(Some(&self.credentials), &key);
        action.headers_mut().insert(CHECKSUM, checksum.clone());
        let request = self.http.put(action.sign(SIGNED_FOR)).header(CHECKSUM, checksum).body(bytes.to_vec());
        run(async move { acknowledged(request.send().await).await.map(drop) })?;
        match self.get(name, bytes.len())? == bytes {
            true => Ok(()),
            false => Err(BucketFault::Differs),
        }
    }

    /// An object of at most so many bytes.
    pub(super) fn get(&self, name: &str, bytes_max: usize) -> Result<Vec<u8>, BucketFault> {
        let key = self.key(name);
        let request = self.http.get(self.bucket.get_object(Some(&self.credentials), &key).sign(SIGNED_FOR));
        run(async move { body(acknowledged(request.send().await).await?, bytes_max).await })
    }

    /// The names of all objects that begin so, ascending.
    pub(super) fn names(&self, beginning: &str) -> Result<Vec<String>, BucketFault> {
        let (before, mut names, mut token) = (self.key(""), Vec::new(), None::<String>);
        loop {
            let mut action = self.bucket.list_objects_v2(Some(&self.credentials));
            action.with_prefix(self.key(beginning));
            if let Some(token) = token.take() {
                action.with_continuation_token(token);
            }
            let request = self.http.get(action.sign(SIGNED_FOR));
            let page =
                run(async move { body(acknowledged(request.send().await).await?, PAGE_BYTES_MAX).await })?;
            let page = String::from_utf8(page).map_err(|fault| BucketFault::List(fault.to_string()))?;
            let page =
                ListObjectsV2::parse_response(&page).map_err(|fault| BucketFault::List(fault.to_string()))?;
            let keys = page.contents.into_iter().map(|object| object.key);
            names.extend(keys.filter_map(|key| Some(key.strip_prefix(&before)?.to_owned())));
            match page.next_continuation_token {
                Some(next) => token = Some(next),
                None => break,
            }
        }
        names.sort();
        Ok(names)
    }
}

/// The system's certificates, as curl has them.
fn tls_config() -> Result<ClientConfig, BucketFault> {
    let mut roots = RootCertStore::empty();
    // What cannot be read there is no reason to trust less of the rest.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
    let builder = builder.with_safe_default_protocol_versions();
    let builder = builder.map_err(|fault| BucketFault::Settings(fault.to_string()))?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

/// Runs a request to its end. Callers may stand on a thread of a runtime, where no other one may be waited
/// for: so it has a thread of its own.
fn run<T: Send>(request: impl Future<Output = Result<T, BucketFault>> + Send) -> Result<T, BucketFault> {
    std::thread::scope(|scope| {
        let worker = scope.spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.map_err(BucketFault::Thread)?.block_on(request)
        });
        worker.join().unwrap_or_else(|panic| resume_unwind(panic))
    })
}

/// The error without the address, which has a signature in it.
fn failed(error: reqwest::Error) -> BucketFault {
    BucketFault::Http(error.without_url())
}

async fn acknowledged(answer: Result<Response, reqwest::Error>) -> Result<Response, BucketFault> {
    let answer = answer.map_err(failed)?;
    let status = answer.status();
    if status.is_success() {
        return Ok(answer);
    }
    let said = body(answer, SAID_BYTES_MAX).await.unwrap_or_default();
    Err(BucketFault::Refused { status: status.as_u16(), said: String::from_utf8_lossy(&said).into_owned() })
}

async fn body(mut answer: Response, bytes_max: usize) -> Result<Vec<u8>, BucketFault> {
    let mut bytes = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(failed)? {
        if bytes.len() + chunk.len() > bytes_max {
            return Err(BucketFault::TooLong { limit: bytes_max });
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

impl PartialEq for Bucket {
    fn eq(&self, other: &Self) -> bool {
        self.settings == other.settings
    }
}

impl Eq for Bucket {}

impl fmt::Debug for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.settings.fmt(f)
    }
}

/// Without what gives access.
impl fmt::Debug for BucketSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl fmt::Display for BucketSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}/{}", self.bucket, self.prefix)
    }
}
