//! From a raw connection to an authenticated one.

use std::io::Write as _;
use std::sync::Arc;

use commonware_cryptography::ed25519::PublicKey;
use commonware_runtime::{Clock, Sink, Stream};
use commonware_stream::Upgrader;
use commonware_utils::sync::Mutex;
use rand_core::CryptoRng;
use rustls::pki_types::ServerName;
use rustls::{ClientConnection, Connection, ServerConnection};
use tabellion_ledger::sha256;

use super::certificate;
use super::credentials::Credentials;
use super::frame::{FrameReceiver, FrameSender, TlsError, give_out, read_record, take_in};
use crate::committee::NodeKey;
use crate::scheme::{key_of, public_key};
use crate::status::EngineStatus;

/// Bytes of the admission: SHA-256 of the purpose of the connection.
const ADMISSION: usize = 32;

/// Turns connections of the node's transport into TLS.
#[derive(Clone)]
pub(crate) struct Tls {
    credentials: Credentials,
    pub(super) status: EngineStatus,
}

/// A connection under way.
pub(super) struct Raw<I, O> {
    connection: Connection,
    stream: I,
    sink: O,
    plain: Vec<u8>,
}

impl<I: Stream, O: Sink> Raw<I, O> {
    pub(super) fn new(connection: Connection, stream: I, sink: O) -> Self {
        Self { connection, stream, sink, plain: Vec::new() }
    }

    async fn flush(&mut self) -> Result<(), TlsError> {
        let out = give_out(&mut self.connection)?;
        if !out.is_empty() {
            self.sink.send(out).await?;
        }
        Ok(())
    }

    pub(super) async fn read(&mut self) -> Result<(), TlsError> {
        let record = read_record(&mut self.stream).await?;
        let taken = take_in(&mut self.connection, &record, &mut self.plain);
        if taken.is_err() {
            // The alert tells the peer why; if it cannot be sent, the peer sees the end of the connection.
            let _ = self.flush().await;
        }
        taken
    }

    pub(super) async fn handshake(&mut self) -> Result<(), TlsError> {
        while self.connection.is_handshaking() {
            self.flush().await?;
            if self.connection.is_handshaking() {
                self.read().await?;
            }
        }
        self.flush().await
    }

    /// The peer's key, once the handshake proved it and the protocol is this ledger's.
    fn peer(&self, protocol: &[u8]) -> Result<NodeKey, TlsError> {
        if self.connection.alpn_protocol() != Some(protocol) {
            return Err(TlsError::Protocol);
        }
        let shown = self.connection.peer_certificates().and_then(|chain| chain.first());
        shown.and_then(certificate::key).ok_or(TlsError::NoKey)
    }

    async fn admit(&mut self, purpose: &[u8; ADMISSION]) -> Result<(), TlsError> {
        self.connection.writer().write_all(purpose)?;
        self.flush().await
    }

    async fn admitted(&mut self, purpose: &[u8; ADMISSION]) -> Result<(), TlsError> {
        while self.plain.len() < ADMISSION {
            self.read().await.map_err(|err| match err {
                TlsError::Closed | TlsError::Transport(_) => TlsError::NotAdmitted,
                other => other,
            })?;
        }
        match self.plain.drain(..ADMISSION).as_slice() == purpose {
            true => Ok(()),
            false => Err(TlsError::NotAdmitted),
        }
    }

    fn split(mut self, limit: u32, status: &EngineStatus) -> (FrameSender<O>, FrameReceiver<I>) {
        // Frames bound what goes in and out; the library's own bound would cut long ones short.
        self.connection.set_buffer_limit(None);
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let connection = Arc::new(Mutex::new(self.connection));
        let counted = Arc::new(status.connected());
        let sender =
            FrameSender { connection: connection.clone(), sink: self.sink, limit, _counted: counted.clone() };
        let receiver =
            FrameReceiver { connection, stream: self.stream, limit, plain: self.plain, _counted: counted };
        (sender, receiver)
    }
}

impl Tls {
    pub(crate) fn new(credentials: Credentials, status: EngineStatus) -> Self {
        Self { credentials, status }
    }
}

impl Upgrader for Tls {
    /// Far above any message of this engine; the length field would carry more.
    const MAX_SIZE: u32 = 1 << 30;

    type PublicKey = PublicKey;
    type Error = TlsError;
    type Sender<I: Stream, O: Sink> = FrameSender<O>;
    type Receiver<I: Stream, O: Sink> = FrameReceiver<I>;

    fn public_key(&self) -> PublicKey {
        public_key(&self.credentials.key()).expect("invariant: a key made from a seed is a key")
    }

    async fn dial<C, I, O>(
        self,
        _: C,
        namespace: &[u8],
        limit: u32,
        peer: PublicKey,
        stream: I,
        sink: O,
    ) -> Result<(FrameSender<O>, FrameReceiver<I>), TlsError>
    where
        C: Clock + CryptoRng,
        I: Stream,
        O: Sink,
    {
        let purpose = sha256(namespace);
        let client = self.credentials.client(key_of(&peer))?;
        let name = ServerName::try_from("node.tabellion.invalid").map_err(|_| TlsError::Protocol)?;
        let connection = ClientConnection::new(client, name)?;
        let mut raw = Raw::new(connection.into(), stream, sink);
        raw.handshake().await?;
        raw.peer(self.credentials.protocol())?;
        raw.admitted(&purpose).await?;
        Ok(raw.split(limit, &self.status))
    }

    async fn listen<C, I, O, B, F>(
        self,
        _: C,
        namespace: &[u8],
        limit: u32,
        bouncer: B,
        stream: I,
        sink: O,
    ) -> Result<(PublicKey, FrameSender<O>, FrameReceiver<I>), TlsError>
    where
        C: Clock + CryptoRng,
        I: Stream,
        O: Sink,
        B: FnOnce(PublicKey) -> F + Send,
        F: Future<Output = bool> + Send,
    {
        let purpose = sha256(namespace);
        let connection = ServerConnection::new(self.credentials.server())?;
        let mut raw = Raw::new(connection.into(), stream, sink);
        raw.handshake().await?;
        let peer = public_key(&raw.peer(self.credentials.protocol())?).ok_or(TlsError::NoKey)?;
        if !bouncer(peer.clone()).await {
            return Err(TlsError::Refused);
        }
        raw.admit(&purpose).await?;
        let (sender, receiver) = raw.split(limit, &self.status);
        Ok((peer, sender, receiver))
    }
}
