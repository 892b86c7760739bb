//! Sends alerts to a URL.

use std::time::Duration;

use reqwest::Url;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use thiserror::Error;

use crate::certificate::{InputError, read_certificates};

/// How long the receiver may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Where alerts are sent, as JSON by POST.
pub struct Webhook {
    url: Url,
    http: reqwest::Client,
}

/// Why an alert was not delivered.
#[derive(Debug, Error)]
pub enum WebhookError {
    /// A text that is no URL.
    #[error("'{0}' is no URL of a webhook; expected is https://... or http://127.0.0.1...")]
    Address(String),
    /// The file with CAs.
    #[error("the webhook's CA file is refused: {0}")]
    Authorities(#[from] InputError),
    /// No CA is named, and https needs one.
    #[error("a webhook by https needs the CA of its server")]
    NoAuthorities,
    /// The HTTP client cannot be set up, or the receiver does not answer.
    #[error("the webhook cannot be called")]
    Http(#[source] reqwest::Error),
    /// The receiver said no.
    #[error("the webhook answered {0}")]
    Refused(u16),
}

impl Webhook {
    /// A webhook at a URL; `authorities` are the CAs, PEM or DER, of its server. Plain HTTP is for this
    /// machine alone.
    pub fn new(url: &str, authorities: Option<&[u8]>) -> Result<Self, WebhookError> {
        let refused = || WebhookError::Address(url.to_owned());
        let url = Url::parse(url).map_err(|_| refused())?;
        let is_here = matches!(url.host_str(), Some("127.0.0.1" | "localhost" | "[::1]"));
        let mut builder = reqwest::Client::builder()
            .timeout(TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("tabellion/", env!("CARGO_PKG_VERSION")));
        let mut roots = RootCertStore::empty();
        match (url.scheme(), authorities) {
            ("http", _) if is_here => {}
            ("https", Some(bytes)) => {
                for certificate in read_certificates(bytes)?.certificates {
                    // One that rustls does not take is none that it could verify a server with.
                    let _ = roots.add(CertificateDer::from(certificate.der.to_vec()));
                }
            }
            ("https", None) => return Err(WebhookError::NoAuthorities),
            _ => return Err(refused()),
        }
        let tls =
            rustls::ClientConfig::builder_with_provider(rustls::crypto::aws_lc_rs::default_provider().into())
                .with_safe_default_protocol_versions()
                .map_err(|_| refused())?
                .with_root_certificates(roots)
                .with_no_client_auth();
        builder = builder.tls_backend_preconfigured(tls);
        Ok(Self { url, http: builder.build().map_err(WebhookError::Http)? })
    }

    /// Delivers a JSON value. What fails is to be delivered again: the receiver may see an alert twice.
    pub async fn deliver(&self, json: String) -> Result<(), WebhookError> {
        let request = self.http.post(self.url.clone()).header("content-type", "application/json").body(json);
        let response = request.send().await.map_err(WebhookError::Http)?;
        match response.status() {
            status if status.is_success() => Ok(()),
            status => Err(WebhookError::Refused(status.as_u16())),
        }
    }
}
