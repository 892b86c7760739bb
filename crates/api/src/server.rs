//! Serves a router over TLS, or over plain HTTP, with limits on connections and on time.
//!
//! X.1409 L7 (8.2.1(2), A.2): TLS 1.3 protects what runs between clients and nodes. One task accepts; each
//! connection is a task of its own, counted, with a time limit on its handshake, on the head of each request
//! and on unread bytes.

use std::collections::HashMap;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::{ConnectInfo, Request};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot, watch};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt;

use crate::config::ServerConfig;
use crate::rate::client_of;

/// Bytes of one request's head, and of what is read ahead.
const BUFFER_BYTES: usize = 64 * 1024;
/// Pause after a failed accept (out of file descriptors, say), so that the loop does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Serves `router` until `shutdown` ends, then lets open requests finish for [`ServerConfig::grace`].
///
/// `tls` brings the certificate and the key, see [`crate::tls_config`]; a connection of an older version than
/// TLS 1.3 is closed whatever it says. HTTP/1.1 is spoken, with keep-alive. A connection that fails ends
/// alone.
pub async fn serve(
    listener: TcpListener,
    tls: Arc<rustls::ServerConfig>,
    router: Router,
    config: ServerConfig,
    shutdown: impl Future<Output = ()>,
) {
    let server = Arc::new(Server::new(Some(TlsAcceptor::from(tls)), router, config));
    server.accept_until(listener, shutdown).await;
}

/// [`serve`] without TLS, for protocols whose answers are signed, and whose clients must be able to ask
/// before they have a certificate that they trust (OCSP, CRLs, IKEv2). Source: RFC 6960 A.1, RFC 5280 8.
///
/// It runs on `threads` threads of its own, each with an event loop that wakes no other: many short requests
/// then cost a sixth less, and a flood of them leaves the other cores to the rest of the node.
///
/// Connections are taken when this returns; the future ends after `shutdown`, when all have ended.
///
/// Errors: a thread or its event loop could not be made.
pub fn serve_plain(
    listener: TcpListener,
    threads: NonZeroUsize,
    router: Router,
    config: ServerConfig,
    shutdown: impl Future<Output = ()>,
) -> io::Result<impl Future<Output = ()>> {
    let listener = listener.into_std()?;
    let (stop, stopped) = watch::channel(false);
    let server = Arc::new(Server::new(None, router, config));
    let mut ends = Vec::new();
    for number in 0..threads.get() {
        let (server, mut stopped) = (server.clone(), stopped.clone());
        let events = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let listener = {
            let _registers_here = events.enter();
            TcpListener::from_std(listener.try_clone()?)?
        };
        let (ended, end) = oneshot::channel::<()>();
        std::thread::Builder::new().name(format!("status-{number}")).spawn(move || {
            let _ended = ended;
            // An error means that nobody waits any more, which is a stop too.
            let stopped = async move { drop(stopped.wait_for(|stopped| *stopped).await) };
            events.block_on(server.accept_until(listener, stopped));
        })?;
        ends.push(end);
    }
    Ok(async move {
        shutdown.await;
        stop.send_replace(true);
        for end in ends {
            // Nothing is sent: the thread's end drops the other half.
            let _ = end.await;
        }
    })
}

/// Waits for room, then for a connection.
async fn accept(
    listener: &TcpListener,
    connections_max: &Arc<Semaphore>,
) -> Option<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let permit = connections_max.clone().acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, client)) => Some((stream, client, permit)),
        Err(error) => {
            tracing::warn!(%error, "accepting a connection failed");
            tokio::time::sleep(ACCEPT_PAUSE).await;
            None
        }
    }
}

/// How a connection ended.
type Ended = Result<(), Box<dyn std::error::Error + Send + Sync>>;

struct Server {
    /// `None`: plain HTTP.
    acceptor: Option<TlsAcceptor>,
    router: Router,
    per_client: Mutex<HashMap<IpAddr, usize>>,
    connections_max: Arc<Semaphore>,
    config: ServerConfig,
}

/// One of the connections that a client may have.
struct ClientSlot {
    server: Arc<Server>,
    client: IpAddr,
}

impl ClientSlot {
    fn take(server: &Arc<Server>, address: SocketAddr) -> Option<Self> {
        let client = client_of(address.ip());
        let mut per_client = server.per_client.lock().unwrap_or_else(PoisonError::into_inner);
        let count = per_client.entry(client).or_default();
        if *count >= server.config.connections_per_client_max {
            return None;
        }
        *count += 1;
        Some(Self { server: server.clone(), client })
    }
}

impl Drop for ClientSlot {
    fn drop(&mut self) {
        let mut per_client = self.server.per_client.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = per_client.get_mut(&self.client) {
            *count -= 1;
            if *count == 0 {
                per_client.remove(&self.client);
            }
        }
    }
}

impl Server {
    fn new(acceptor: Option<TlsAcceptor>, router: Router, config: ServerConfig) -> Self {
        let connections_max = Arc::new(Semaphore::new(config.connections_max));
        Self { acceptor, router, per_client: Mutex::default(), connections_max, config }
    }

    /// Accepts connections until `shutdown` ends, then waits for the open ones.
    async fn accept_until(self: &Arc<Self>, listener: TcpListener, shutdown: impl Future<Output = ()>) {
        let (stop, stopped) = watch::channel(false);
        let mut connections = JoinSet::new();
        tokio::pin!(shutdown);
        loop {
            tokio::select! {
                biased;
                () = &mut shutdown => break,
                Some(_) = connections.join_next() => {}
                accepted = accept(&listener, &self.connections_max) => {
                    if let Some((stream, client, permit)) = accepted
                        && let Some(slot) = ClientSlot::take(self, client)
                    {
                        let (server, stopped) = (self.clone(), stopped.clone());
                        connections.spawn(server.connection(stream, client, stopped, (slot, permit)));
                    }
                }
            }
        }
        drop(listener);
        stop.send_replace(true);
        let all_done = async { while connections.join_next().await.is_some() {} };
        if tokio::time::timeout(self.config.grace, all_done).await.is_err() {
            tracing::warn!(open = connections.len(), "connections cut off at the end of the grace period");
            connections.shutdown().await;
        }
    }

    /// One connection from its handshake to its end; gives its slot back then.
    async fn connection<S>(
        self: Arc<Self>,
        stream: TcpStream,
        client: SocketAddr,
        stopped: watch::Receiver<bool>,
        slot: S,
    ) {
        if let Err(error) = self.speak(stream, client, stopped).await {
            tracing::debug!(%client, error = &*error, "connection ended");
        }
        drop(slot);
    }

    async fn speak(&self, stream: TcpStream, client: SocketAddr, stopped: watch::Receiver<bool>) -> Ended {
        stream.set_nodelay(true)?;
        // Covers unacknowledged bytes and a receive window that stays shut.
        SockRef::from(&stream).set_tcp_user_timeout(Some(self.config.unread_timeout))?;
        let Some(acceptor) = &self.acceptor else {
            return self.exchange(stream, client, stopped).await;
        };
        let handshake = acceptor.accept(stream);
        let stream = tokio::time::timeout(self.config.handshake_timeout, handshake).await??;
        if stream.get_ref().1.protocol_version() != Some(rustls::ProtocolVersion::TLSv1_3) {
            return Err("a TLS version below 1.3".into());
        }
        self.exchange(stream, client, stopped).await
    }

    /// Requests and answers of one connection.
    async fn exchange<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: S,
        client: SocketAddr,
        mut stopped: watch::Receiver<bool>,
    ) -> Ended {
        let service = service_fn(|mut request: Request<Incoming>| {
            request.extensions_mut().insert(ConnectInfo(client));
            self.router.clone().oneshot(request)
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.config.header_timeout)
            .max_buf_size(BUFFER_BYTES)
            .serve_connection(TokioIo::new(stream), service);
        tokio::pin!(connection);
        tokio::select! {
            ended = connection.as_mut() => return Ok(ended?),
            _ = stopped.wait_for(|stopped| *stopped) => connection.as_mut().graceful_shutdown(),
        }
        Ok(connection.await?)
    }
}
