//! Messages over an established TLS connection.

use std::io::{Read as _, Write as _};
use std::sync::Arc;

use commonware_runtime::{Buf, Error as RuntimeError, IoBufMut, IoBufs, Sink, Stream};
use commonware_stream::{Receiver, Sender};
use commonware_utils::sync::Mutex;
use rustls::Connection;

use crate::status::Connection as Counted;

/// Bytes of a TLS record's head: type, version, length.
const RECORD_HEAD: usize = 5;
/// Bytes of a protected TLS record's body at most (RFC 8446 section 5.2).
const RECORD_BODY_MAX: usize = (1 << 14) + 256;
/// Bytes of a frame's head.
const FRAME_HEAD: usize = 4;
/// Bytes handed to the TLS library at once; it makes records of 16 KiB of them.
const SEND_CHUNK: usize = 64 * 1_024;

/// Why a connection failed or was refused.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TlsError {
    /// The bytes are no TLS record.
    #[error("the peer sent something that is no TLS record")]
    Record,
    /// TLS failed: a version, a certificate, a key, a broken record.
    #[error("tls")]
    Tls(#[from] rustls::Error),
    /// Reading or writing inside the TLS library.
    #[error("tls buffer")]
    Buffer(#[from] std::io::Error),
    /// The peer speaks for another ledger, or another protocol.
    #[error("the peer does not speak this ledger's protocol")]
    Protocol,
    /// The peer showed no certificate with a node's key.
    #[error("the peer shows no node key")]
    NoKey,
    /// This node does not let the peer in.
    #[error("the peer is not let in")]
    Refused,
    /// The peer did not let this node in, or for another purpose.
    #[error("the peer did not admit this node")]
    NotAdmitted,
    /// A message above the limit.
    #[error("a message of {length} bytes, the limit is {limit}")]
    TooLong {
        /// Bytes of the message.
        length: usize,
        /// The limit.
        limit: usize,
    },
    /// The peer closed the connection.
    #[error("the peer closed the connection")]
    Closed,
    /// The transport failed.
    #[error("transport")]
    Transport(#[from] RuntimeError),
}

/// The state of TLS, shared by both directions. Held only while bytes are transformed, never while they
/// travel.
pub(super) type Shared = Arc<Mutex<Connection>>;

/// Reads one TLS record, without trusting its length.
pub(super) async fn read_record<I: Stream>(stream: &mut I) -> Result<Vec<u8>, TlsError> {
    let mut head = [0; RECORD_HEAD];
    stream.recv(RECORD_HEAD).await?.copy_to_slice(&mut head);
    let body = usize::from(u16::from_be_bytes([head[3], head[4]]));
    // Content types of RFC 8446 section 5.1; the version field is 0x0301 or 0x0303 in every record.
    if !(20..=23).contains(&head[0]) || head[1] != 3 || body > RECORD_BODY_MAX {
        return Err(TlsError::Record);
    }
    let mut record = vec![0; RECORD_HEAD + body];
    record[..RECORD_HEAD].copy_from_slice(&head);
    if body > 0 {
        stream.recv(body).await?.copy_to_slice(&mut record[RECORD_HEAD..]);
    }
    Ok(record)
}

/// Lets TLS take in a record, and what there is to read after it.
pub(super) fn take_in(
    connection: &mut Connection,
    record: &[u8],
    plain: &mut Vec<u8>,
) -> Result<(), TlsError> {
    let mut rest = record;
    while !rest.is_empty() {
        connection.read_tls(&mut rest)?;
        let state = connection.process_new_packets()?;
        let readable = state.plaintext_bytes_to_read();
        if readable > 0 {
            let start = plain.len();
            plain.resize(start + readable, 0);
            connection.reader().read_exact(&mut plain[start..])?;
        }
        if state.peer_has_closed() {
            return Err(TlsError::Closed);
        }
    }
    Ok(())
}

/// What TLS wants to have sent.
pub(super) fn give_out(connection: &mut Connection) -> Result<Vec<u8>, TlsError> {
    let mut out = Vec::new();
    while connection.wants_write() {
        connection.write_tls(&mut out)?;
    }
    Ok(out)
}

/// Sends messages.
pub(crate) struct FrameSender<O> {
    pub(super) connection: Shared,
    pub(super) sink: O,
    pub(super) limit: usize,
    pub(super) _counted: Arc<Counted>,
}

impl<O: Sink> FrameSender<O> {
    async fn send_bytes(&mut self, mut bytes: impl Buf) -> Result<(), TlsError> {
        while bytes.has_remaining() {
            let mut chunk = vec![0; bytes.remaining().min(SEND_CHUNK)];
            bytes.copy_to_slice(&mut chunk);
            let out = {
                let mut connection = self.connection.lock();
                connection.writer().write_all(&chunk)?;
                give_out(&mut connection)?
            };
            self.sink.send(out).await?;
        }
        Ok(())
    }

    /// Appends a frame to bytes that go out together.
    fn frame(&self, out: &mut Vec<u8>, mut message: IoBufs) -> Result<(), TlsError> {
        let length = message.remaining();
        let head = u32::try_from(length).ok().filter(|_| length <= self.limit);
        let head = head.ok_or(TlsError::TooLong { length, limit: self.limit })?;
        out.extend_from_slice(&head.to_be_bytes());
        let start = out.len();
        out.resize(start + length, 0);
        message.copy_to_slice(&mut out[start..]);
        Ok(())
    }
}

impl<O: Sink> Sender for FrameSender<O> {
    type Error = TlsError;

    async fn send(&mut self, message: impl Into<IoBufs> + Send) -> Result<(), TlsError> {
        self.send_many([message]).await
    }

    async fn send_many<M>(&mut self, messages: M) -> Result<(), TlsError>
    where
        M: IntoIterator + Send,
        M::Item: Into<IoBufs> + Send,
        M::IntoIter: Send,
    {
        let mut out = Vec::new();
        for message in messages {
            self.frame(&mut out, message.into())?;
        }
        self.send_bytes(out.as_slice()).await
    }
}

/// Receives messages.
pub(crate) struct FrameReceiver<I> {
    pub(super) connection: Shared,
    pub(super) stream: I,
    pub(super) limit: usize,
    pub(super) plain: Vec<u8>,
    pub(super) _counted: Arc<Counted>,
}

impl<I: Stream> FrameReceiver<I> {
    /// Reads records until this many bytes are there to read.
    async fn fill(&mut self, bytes: usize) -> Result<(), TlsError> {
        while self.plain.len() < bytes {
            let record = read_record(&mut self.stream).await?;
            take_in(&mut self.connection.lock(), &record, &mut self.plain)?;
        }
        Ok(())
    }

    fn take(&mut self, bytes: usize) -> IoBufMut {
        let taken = IoBufMut::from(&self.plain[..bytes]);
        self.plain.drain(..bytes);
        taken
    }
}

impl<I: Stream> Receiver for FrameReceiver<I> {
    type Error = TlsError;

    async fn recv(&mut self) -> Result<IoBufs, TlsError> {
        self.fill(FRAME_HEAD).await?;
        let mut head = [0; FRAME_HEAD];
        head.copy_from_slice(&self.plain[..FRAME_HEAD]);
        let length = u32::from_be_bytes(head) as usize;
        if length > self.limit {
            return Err(TlsError::TooLong { length, limit: self.limit });
        }
        self.plain.drain(..FRAME_HEAD);
        self.fill(length).await?;
        Ok(self.take(length).freeze().into())
    }
}
