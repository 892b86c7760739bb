//! The pool's channel: messages that the engine carries and does not understand.

use bytes::Bytes;
use commonware_cryptography::ed25519::PublicKey;
use commonware_p2p::{CheckedSender, LimitedSender, Receiver, Recipients, Sender};
use commonware_runtime::Clock;
use commonware_utils::channel::mpsc;

use crate::committee::NodeKey;
use crate::driver::Shared;
use crate::scheme::{key_of, public_key};

/// Messages that wait to be sent at most: a burst of a busy interface, not a store.
const WAITING_MAX: usize = 1_024;

/// To whom a message goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum To {
    /// All connected peers.
    All,
    /// One peer, if it is connected.
    One(NodeKey),
}

/// Why a message was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GossipRefusal {
    /// Longer than the channel carries.
    #[error("a message of {length} bytes, the limit is {limit}")]
    TooLong {
        /// Bytes of the message.
        length: usize,
        /// The limit.
        limit: usize,
    },
    /// Too many messages wait to be sent; try again later.
    #[error("too many messages wait to be sent")]
    Full,
    /// The engine has ended.
    #[error("the engine has ended")]
    Ended,
}

/// Sends messages of the pool to peers. Delivery is best effort: whoever sends must be ready to send again.
#[derive(Clone, Debug)]
pub struct Gossip {
    queue: mpsc::Sender<(To, Bytes)>,
    bytes_max: usize,
}

impl Gossip {
    pub(crate) fn new(bytes_max: usize) -> (Self, mpsc::Receiver<(To, Bytes)>) {
        let (queue, messages) = mpsc::channel(WAITING_MAX);
        (Self { queue, bytes_max }, messages)
    }

    /// Takes a message to send. Never waits.
    pub fn send(&self, to: To, message: Bytes) -> Result<(), GossipRefusal> {
        let length = message.len();
        if length > self.bytes_max {
            return Err(GossipRefusal::TooLong { length, limit: self.bytes_max });
        }
        self.queue.try_send((to, message)).map_err(|err| match err {
            mpsc::error::TrySendError::Full(_) => GossipRefusal::Full,
            mpsc::error::TrySendError::Closed(_) => GossipRefusal::Ended,
        })
    }
}

/// Sends what the node gives, no faster than the channel's quota.
pub(crate) async fn run_sender<E: Clock>(
    context: E,
    mut sender: impl Sender<PublicKey = PublicKey>,
    mut messages: mpsc::Receiver<(To, Bytes)>,
) {
    while let Some((to, message)) = messages.recv().await {
        let recipients = match to {
            To::All => Recipients::All,
            To::One(key) => match public_key(&key) {
                Some(key) => Recipients::One(key),
                None => continue,
            },
        };
        loop {
            match LimitedSender::check(&mut sender, recipients.clone()) {
                Ok(checked) => {
                    // A full buffer drops the message; the pool sends again what stays undecided.
                    let _ = checked.send(message, false);
                    break;
                }
                Err(until) => context.sleep_until(until).await,
            }
        }
    }
}

/// Hands what peers send to the application.
pub(crate) async fn run_receiver(
    mut receiver: impl Receiver<PublicKey = PublicKey>,
    shared: Shared,
    bytes_max: usize,
) {
    while let Ok((peer, message)) = receiver.recv().await {
        // The transport's limit is the largest of all channels; this channel's own may be less.
        if message.len() <= bytes_max {
            shared.application.receive(key_of(&peer), message.into());
        }
    }
}
