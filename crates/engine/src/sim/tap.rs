//! A hand on a node's wires: what a dishonest node does to its own messages, and twins of one key.

use std::collections::{BTreeMap, BTreeSet};
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
use commonware_utils::sync::Mutex;

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

/// Whom a node is connected to.
#[derive(Clone)]
pub(super) struct Reach {
    pub me: NodeKey,
    /// Linked nodes, in both directions.
    pub links: Arc<Mutex<BTreeSet<(NodeKey, NodeKey)>>>,
    /// How often each node runs.
    pub running: Arc<Mutex<BTreeMap<NodeKey, usize>>>,
}

impl Reach {
    fn peers(&self) -> Vec<PublicKey> {
        let (links, running) = (self.links.lock(), self.running.lock());
        let peers = running.keys().filter(|peer| links.contains(&(self.me, **peer)));
        peers.filter_map(public_key).collect()
    }
}

/// Counts a node as running until it is dropped.
pub(super) struct Presence(Reach);

impl Presence {
    pub(super) fn new(reach: Reach) -> Self {
        *reach.running.lock().entry(reach.me).or_default() += 1;
        Self(reach)
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        let mut running = self.0.running.lock();
        if let Some(count) = running.get_mut(&self.0.me) {
            *count -= 1;
        }
        running.retain(|_, count| *count > 0);
    }
}

type Plain = simulated::Sender<PublicKey, Context>;

/// The sending end of a channel, with or without a tap.
#[derive(Clone)]
pub(super) struct TapSender {
    inner: Plain,
    wire: Wire,
    tap: Option<Arc<dyn Tap>>,
    reach: Reach,
}

impl TapSender {
    pub(super) fn new(inner: Plain, wire: Wire, tap: Option<Arc<dyn Tap>>, reach: Reach) -> Self {
        Self { inner, wire, tap, reach }
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
        // As in production, where only connected peers are sent to.
        let recipients = among(recipients, &self.reach.peers());
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
