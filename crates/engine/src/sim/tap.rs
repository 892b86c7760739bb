//! A hand on a node's wires: what a dishonest node does to its own messages, and twins of one key.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use commonware_actor::{Feedback, Unreliable};
use commonware_cryptography::ed25519::PublicKey;
use commonware_p2p::simulated::{self, SplitTarget};
use commonware_p2p::{CheckedSender, LimitedSender, Message, Recipients};
use commonware_runtime::IoBufs;
use commonware_runtime::deterministic::Context;

use crate::committee::NodeKey;
use crate::node::Wire;
use crate::scheme::{key_of, public_key};

/// What happens between a node and its peers. All answers must follow from a seed.
pub trait Tap: Send + Sync + 'static {
    /// The peers that the node talks to now. A twin hears no others either.
    fn peers(&self) -> Vec<NodeKey>;

    /// What becomes of a message on its way out. `None`: it is not sent.
    fn pass(&self, wire: Wire, message: Bytes) -> Option<Bytes>;
}

type Plain = simulated::Sender<PublicKey, Context>;

/// The sending end of a channel, with or without a tap.
#[derive(Clone)]
pub(super) struct TapSender {
    inner: Plain,
    wire: Wire,
    tap: Option<Arc<dyn Tap>>,
}

impl TapSender {
    pub(super) fn new(inner: Plain, wire: Wire, tap: Option<Arc<dyn Tap>>) -> Self {
        Self { inner, wire, tap }
    }
}

impl fmt::Debug for TapSender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TapSender").field("wire", &self.wire).finish_non_exhaustive()
    }
}

impl LimitedSender for TapSender {
    type PublicKey = PublicKey;
    type Checked<'a> = TapChecked<'a>;

    fn check(&mut self, recipients: Recipients<PublicKey>) -> Result<TapChecked<'_>, SystemTime> {
        let recipients = match &self.tap {
            Some(tap) => among(recipients, &engine_keys(tap.as_ref())),
            None => recipients,
        };
        let inner = self.inner.check(recipients)?;
        Ok(TapChecked { inner, wire: self.wire, tap: self.tap.clone() })
    }
}

/// A [`TapSender`] whose recipients are known.
pub(super) struct TapChecked<'a> {
    inner: <Plain as LimitedSender>::Checked<'a>,
    wire: Wire,
    tap: Option<Arc<dyn Tap>>,
}

impl CheckedSender for TapChecked<'_> {
    type PublicKey = PublicKey;

    fn recipients(&self) -> Vec<PublicKey> {
        self.inner.recipients()
    }

    fn send(self, message: impl Into<IoBufs> + Send, priority: bool) -> Unreliable<Feedback> {
        let Some(tap) = &self.tap else { return self.inner.send(message, priority) };
        match tap.pass(self.wire, message.into().coalesce().into()) {
            Some(message) => self.inner.send(message, priority),
            // For the node itself the message is on its way.
            None => Unreliable::new(Feedback::Ok),
        }
    }
}

fn engine_keys(tap: &dyn Tap) -> Vec<PublicKey> {
    tap.peers().iter().filter_map(public_key).collect()
}

fn among(recipients: Recipients<PublicKey>, peers: &[PublicKey]) -> Recipients<PublicKey> {
    let some =
        |keys: Vec<PublicKey>| Recipients::Some(keys.into_iter().filter(|key| peers.contains(key)).collect());
    match recipients {
        Recipients::All => Recipients::Some(peers.to_vec()),
        Recipients::Some(keys) => some(keys),
        Recipients::One(key) => some(vec![key]),
    }
}

/// Which of two twins hears a message.
pub(super) fn hears(taps: [Arc<dyn Tap>; 2]) -> impl Fn(&Message<PublicKey>) -> SplitTarget {
    move |(sender, _)| {
        let sender = key_of(sender);
        match taps.each_ref().map(|tap| tap.peers().contains(&sender)) {
            [true, true] => SplitTarget::Both,
            [true, false] => SplitTarget::Primary,
            [false, true] => SplitTarget::Secondary,
            [false, false] => SplitTarget::None,
        }
    }
}
