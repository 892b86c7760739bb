//! What a node shows before anybody trusts it.

use std::sync::Arc;
use std::time::Duration;

use reqwest::Url;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::node::{NodeError, address};
use crate::tls::tls_config_of_anybody;

/// How long connection and handshake may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// The certificates that a node shows, its own first, DER. The other end has shown that it holds the key of
/// the first one, and nothing else: what to make of them only proofs say. Nothing but the handshake is sent.
pub async fn shown_certificates(node: &str) -> Result<Vec<Vec<u8>>, NodeError> {
    let url = address(node)?;
    let config = Arc::new(tls_config_of_anybody()?);
    let failed = |reason: String| NodeError::Unreachable { node: node.to_owned(), reason };
    let shake_hands = async {
        let (host, port) = host_and_port(&url).ok_or_else(|| failed("it has no host".to_owned()))?;
        let name = ServerName::try_from(host.clone()).map_err(|error| failed(error.to_string()))?;
        let stream = TcpStream::connect((host, port)).await.map_err(|error| failed(error.to_string()))?;
        TlsConnector::from(config).connect(name, stream).await.map_err(|error| failed(error.to_string()))
    };
    let stream = timeout(PATIENCE, shake_hands).await;
    let stream = stream.map_err(|_| failed("the handshake takes too long".to_owned()))??;
    let shown = stream.get_ref().1.peer_certificates().unwrap_or_default();
    Ok(shown.iter().map(|der| der.to_vec()).collect())
}

/// Without the brackets around an IPv6 address.
fn host_and_port(url: &Url) -> Option<(String, u16)> {
    let host = url.host_str()?.trim_matches(['[', ']']).to_owned();
    Some((host, url.port_or_known_default()?))
}
