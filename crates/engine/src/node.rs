//! The wiring of one node, for any runtime and network.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use commonware_broadcast::buffered;
use commonware_consensus::marshal::core::{Actor, Processed};
use commonware_consensus::marshal::resolver::p2p as backfill;
use commonware_consensus::marshal::standard::Standard;
use commonware_consensus::marshal::{self, Start};
use commonware_consensus::simplex;
use commonware_consensus::types::{Epoch, Epocher, FixedEpocher, Height as EngineHeight, Round, ViewDelta};
use commonware_cryptography::ed25519::PublicKey;
use commonware_macros::select;
use commonware_p2p::utils::mux::{Builder, MuxHandle, Muxer, prefixed};
use commonware_p2p::{AddressableManager, Blocker, Channel, Receiver, Sender, max_message_size};
use commonware_parallel::Sequential;
use commonware_runtime::buffer::paged::CacheRef;
use commonware_runtime::{Handle, Quota};
use commonware_utils::channel::{mpsc, oneshot};
use commonware_utils::{NZDuration, NZU16, NZU32, NZU64, NZUsize};
use tabellion_ledger::Height;
use tabellion_ledger::limits::VALIDATORS_MAX;

use crate::application::Application;
use crate::block::{Digest, EngineBlock};
use crate::config::NodeConfig;
use crate::delivery::{Delivery, Inbox};
use crate::driver::Shared;
use crate::epoch::{EpochWires, Epochs, JOURNAL_BUFFER, MAILBOX, VIEWS_KEPT, epoch_after, warn_of};
use crate::fault::{EngineError, Fault};
use crate::gates::Gates;
use crate::gossip::{Gossip, To, run_receiver, run_sender};
use crate::guard::{Guard, Record};
use crate::proof::Certified;
use crate::runtime::Runtime;
use crate::scheme::{Scheme, Seats, node_key};
use crate::status::EngineStatus;
use crate::store::{BlockKey, BlockShelf, BlockStore, VoteShelf};
use crate::waker::Waker;
use crate::watched::Watched;

/// Finalised blocks that the application may be behind before the engine waits for it.
const UNCOMMITTED_MAX: usize = 16;
/// Missing blocks that are fetched at a time.
const FETCHES_MAX: usize = 32;
/// Blocks of one sender kept for the votes of a view.
const BLOCKS_KEPT: usize = 8;

/// The channels between nodes, by number. Part of the wire format between nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    /// Votes, by epoch.
    Votes,
    /// Certificates, by epoch.
    Certificates,
    /// Requests for certificates, by epoch.
    Requests,
    /// Requests for finalised blocks.
    Backfill,
    /// Proposed blocks.
    Blocks,
    /// The pool's messages.
    Pool,
}

impl Wire {
    /// All channels, in the order of their numbers.
    pub const ALL: [Self; 6] =
        [Self::Votes, Self::Certificates, Self::Requests, Self::Backfill, Self::Blocks, Self::Pool];

    /// The channel's number.
    pub fn number(self) -> Channel {
        match self {
            Self::Votes => 0,
            Self::Certificates => 1,
            Self::Requests => 2,
            Self::Backfill => 3,
            Self::Blocks => 4,
            Self::Pool => 5,
        }
    }

    /// Messages per second that a peer may send, and this node to it.
    ///
    /// Limit: every channel keeps about 0.55 KB x quota x peers x peer sets, so these numbers are memory. A
    /// view takes two votes and two certificates of each validator: 512 carry 250 views per second, far above
    /// what disks allow.
    pub fn quota(self) -> Quota {
        Quota::per_second(match self {
            Self::Votes | Self::Certificates | Self::Backfill => NZU32!(512),
            Self::Requests => NZU32!(128),
            Self::Blocks | Self::Pool => NZU32!(256),
        })
    }
}

/// Sender and receiver of each channel.
pub struct Wires<S, R> {
    /// [`Wire::Votes`].
    pub votes: (S, R),
    /// [`Wire::Certificates`].
    pub certificates: (S, R),
    /// [`Wire::Requests`].
    pub requests: (S, R),
    /// [`Wire::Backfill`].
    pub backfill: (S, R),
    /// [`Wire::Blocks`].
    pub blocks: (S, R),
    /// [`Wire::Pool`].
    pub pool: (S, R),
}

/// Bytes of the largest message between nodes with this configuration.
pub fn message_bytes_max(config: &NodeConfig) -> u32 {
    let validators = u32::try_from(VALIDATORS_MAX).expect("invariant: a roster's limit fits");
    let votes = simplex::max_payload_size::<Scheme, Digest>(validators);
    let blocks =
        marshal::max_payload_size::<Standard<EngineBlock>, Scheme>(validators, &config.block_bytes_max);
    max_message_size(&[prefixed(votes), blocks, config.gossip_bytes_max])
}

/// What outside threads hold of a node: its ears and voice, usable before it runs and after it ended.
#[derive(Clone, Debug)]
pub struct Controls {
    /// Wakes a waiting leader.
    pub waker: Waker,
    /// Sends the pool's messages.
    pub gossip: Gossip,
    /// The engine's state.
    pub status: EngineStatus,
}

/// The node's ends of [`Controls`].
pub struct Ends {
    controls: Controls,
    messages: mpsc::Receiver<(To, Bytes)>,
    pub(crate) fault: Fault,
}

impl Ends {
    /// The controls of a node that is to be run with this configuration.
    pub fn new(config: &NodeConfig) -> (Controls, Self) {
        let (gossip, messages) = Gossip::new(config.gossip_bytes_max);
        let controls = Controls { waker: Waker::default(), gossip, status: EngineStatus::default() };
        (controls.clone(), Self { controls, messages, fault: Fault::default() })
    }
}

/// Runs one node until `stop` resolves or is dropped, or until something fails.
///
/// Generic over the runtime and the network, so that a simulation runs what production runs. The network's
/// peers are tracked here; its channels must have been registered with the quotas of [`Wire::quota`].
///
/// Errors: a store or journal that fails, a committee that is unknown, a part that ends by itself. All parts
/// stop when this returns; starting again over the same store and journals continues.
pub async fn run<E, S, R, M, B>(
    context: E,
    config: NodeConfig,
    application: Arc<dyn Application>,
    store: Arc<dyn BlockStore>,
    ends: Ends,
    network: (Wires<S, R>, M, B),
    stop: oneshot::Receiver<()>,
) -> Result<(), EngineError>
where
    E: Runtime,
    S: Sender<PublicKey = PublicKey>,
    R: Receiver<PublicKey = PublicKey>,
    M: AddressableManager<PublicKey = PublicKey>,
    B: Blocker<PublicKey = PublicKey>,
{
    check(&config)?;
    let fault = ends.fault.clone();
    let context = Watched::new(context, fault.clone());
    let node = Node { context, config, application, store, fault: fault.clone() };
    let (wires, peers, blocker) = network;
    select! {
        _ = stop => Ok(()),
        _ = fault.raised() => Err(fault.take().unwrap_or(EngineError::Ended("node"))),
        error = node.run(ends, wires, peers, blocker) => Err(fault.take().unwrap_or(error)),
    }
}

pub(crate) fn check(config: &NodeConfig) -> Result<(), EngineError> {
    let pace = &config.pace;
    let refuse = |reason: &str| Err(EngineError::Config(reason.to_owned()));
    if config.epoch_blocks.get() < 2 {
        return refuse("an epoch has at least two blocks");
    }
    if pace.leader_ms == 0 || pace.retry_ms == 0 || pace.fetch_ms == 0 {
        return refuse("leader_ms, retry_ms and fetch_ms are above zero");
    }
    if pace.view_ms <= pace.leader_ms || pace.skip_ms <= pace.view_ms || pace.skip_ms <= pace.retry_ms {
        return refuse("leader_ms < view_ms < skip_ms, and retry_ms < skip_ms");
    }
    if config.block_bytes_max == 0 || config.gossip_bytes_max == 0 {
        return refuse("block_bytes_max and gossip_bytes_max are above zero");
    }
    Ok(())
}

struct Node<E> {
    context: E,
    config: NodeConfig,
    application: Arc<dyn Application>,
    store: Arc<dyn BlockStore>,
    fault: Fault,
}

type Shelves<E> = (BlockShelf<E>, VoteShelf<E>);

impl<E: Runtime> Node<E> {
    async fn run<S, R, M, B>(self, ends: Ends, wires: Wires<S, R>, peers: M, blocker: B) -> EngineError
    where
        S: Sender<PublicKey = PublicKey>,
        R: Receiver<PublicKey = PublicKey>,
        M: AddressableManager<PublicKey = PublicKey>,
        B: Blocker<PublicKey = PublicKey>,
    {
        let context = &self.context;
        let epocher = FixedEpocher::new(self.config.epoch_blocks);
        let page_cache = CacheRef::new(NZU16!(4_084), NZUsize!(64));
        let (guard, record, is_new) = match self.guard().await {
            Ok(guard) => guard,
            Err(err) => return err,
        };
        let seats =
            Seats::new(self.application.clone(), &self.config.seed, &self.config.ledger, guard.clone());
        let shelves = match self.shelves(&seats) {
            Ok(shelves) => shelves,
            Err(err) => return err,
        };

        let (blocks, buffer) = self.broadcast(seats.me(), peers.clone(), wires.blocks);
        let resolver = backfill::init(
            context.child("backfill"),
            self.resolver(seats.me(), peers.clone(), blocker.clone()),
            wires.backfill,
        );
        let marshal_config = self.marshal(&seats, &epocher, &page_cache);
        let (marshal, mailbox, floor) =
            Actor::init(context.child("marshal"), shelves.1, shelves.0, marshal_config).await;

        let processed = floor.processed().map(Processed::height);
        let committed = match self.floor_above(processed) {
            Some(height) => match self.certified_floor(height, &epocher, &seats) {
                // The first message to the keeper of blocks: nothing is fetched or delivered below the floor.
                Ok(certified) => {
                    mailbox.set_floor(certified);
                    EngineHeight::new(height.0)
                }
                Err(err) => return err,
            },
            None => processed.unwrap_or(EngineHeight::zero()),
        };
        let shared = self.shared(&ends.controls, mailbox, guard);
        shared.status.see_committed(committed.get(), tabellion_ledger::TimeMs(0));
        let Some(first) = epoch_after(&epocher, committed) else {
            return EngineError::Config("heights beyond the last epoch".into());
        };

        let (ended_sender, ended) = mpsc::channel(1);
        let (inbox, updates) = Inbox::new();
        let delivery = Delivery {
            context: context.child("delivery"),
            shared: shared.clone(),
            epocher: epocher.clone(),
            ended: ended_sender,
        };
        let delivery = context.child("deliver").spawn(move |_| delivery.run(updates));
        let marshal = marshal.start(inbox, buffer, resolver);

        let Ends { controls: _controls, messages, .. } = ends;
        let pool = self.pool(wires.pool, messages, shared.clone());

        let connected = wires.votes.0.clone();
        let (wires, muxers) = self.multiplex(wires.votes, wires.certificates, wires.requests);
        let epochs = Epochs {
            context: context.child("epochs"),
            shared,
            seats,
            epocher,
            pace: self.config.pace,
            journal_prefix: self.config.journal_prefix.clone(),
            wires,
            peers,
            blocker,
            page_cache,
            ended,
            record,
            connected,
            is_new,
            starts: 0,
        };
        select! {
            error = epochs.run(first) => error,
            _ = marshal => EngineError::Ended("keeper of blocks"),
            _ = delivery => EngineError::Ended("delivery"),
            _ = blocks => EngineError::Ended("block channel"),
            _ = pool => EngineError::Ended("pool channel"),
            _ = muxers => EngineError::Ended("channels"),
        }
    }

    fn broadcast<S, R, M>(
        &self,
        me: PublicKey,
        peers: M,
        wire: (S, R),
    ) -> (Handle<()>, buffered::Mailbox<PublicKey, EngineBlock>)
    where
        S: Sender<PublicKey = PublicKey>,
        R: Receiver<PublicKey = PublicKey>,
        M: AddressableManager<PublicKey = PublicKey>,
    {
        let config = buffered::Config {
            public_key: me,
            mailbox_size: MAILBOX,
            deque_size: BLOCKS_KEPT,
            priority: true,
            codec_config: self.config.block_bytes_max,
            peer_provider: peers,
            strategy: Sequential,
        };
        let (engine, mailbox) = buffered::Engine::new(self.context.child("broadcast"), config);
        (engine.start(wire), mailbox)
    }

    fn pool<S, R>(&self, wire: (S, R), messages: mpsc::Receiver<(To, Bytes)>, shared: Shared) -> Handle<()>
    where
        S: Sender<PublicKey = PublicKey>,
        R: Receiver<PublicKey = PublicKey>,
    {
        let (sender, receiver) = wire;
        let received = run_receiver(receiver, shared, self.config.gossip_bytes_max);
        self.context.child("pool").spawn(move |context| async move {
            let sent = context.child("out").spawn(move |context| run_sender(context, sender, messages));
            select! {
                _ = sent => {},
                _ = received => {},
            }
        })
    }

    fn shelves(&self, seats: &Seats) -> Result<Shelves<E>, EngineError> {
        let (store, fault) = (self.store.clone(), self.fault.clone());
        let blocks = BlockShelf::open(self.context.child("blocks"), store.clone(), fault.clone())?;
        let votes = VoteShelf::open(self.context.child("votes"), store, fault, seats.clone())?;
        Ok((blocks, votes))
    }

    /// The guard of this node's votes, its place on disk, and whether the store is new.
    async fn guard(&self) -> Result<(Guard, Record<E>, bool), EngineError> {
        let NodeConfig { seed, disk, floor, vouched, journal_prefix, .. } = &self.config;
        let is_new = self.store.block_ranges()?.iter().all(|(_, last)| *last == Height(0));
        let partition = format!("{journal_prefix}guard");
        let mut record = Record::open(self.context.child("guard"), partition, node_key(seed), disk).await?;
        // A node that came by state sync joins, unless it had a seat in that state already.
        let joins = floor.is_some_and(|floor| !self.was_seated(floor));
        let (guard, doubt) = record.guard(is_new, joins, *vouched);
        if let Some(doubt) = doubt {
            warn_of(&doubt);
        }
        if !guard.holds() {
            // A disk without a record is new; from now on it has one.
            record.keep(Round::zero()).await?;
        }
        Ok((guard, record, is_new))
    }

    /// Whether the key of this node voted, or was to vote, in the epoch of the block after this one.
    fn was_seated(&self, height: Height) -> bool {
        let epoch = height.next().0 / self.config.epoch_blocks;
        let key = node_key(&self.config.seed);
        let committee = self.application.committee(epoch);
        committee.is_some_and(|committee| committee.validators.iter().any(|peer| peer.key == key))
    }

    /// The configured floor, where the node has not gone on from it yet.
    fn floor_above(&self, processed: Option<EngineHeight>) -> Option<Height> {
        self.config.floor.filter(|floor| processed.is_none_or(|processed| processed.get() < floor.0))
    }

    /// The votes for the floor's block, as the store has them and as its committee signed them.
    fn certified_floor(
        &self,
        height: Height,
        epocher: &FixedEpocher,
        seats: &Seats,
    ) -> Result<Certified, EngineError> {
        let refuse = |problem: &str| EngineError::Config(format!("floor {height}: {problem}"));
        let epoch = epocher
            .containing(EngineHeight::new(height.0))
            .map(|info| info.epoch())
            .ok_or_else(|| refuse("beyond the last epoch"))?;
        let block = self.store.block(BlockKey::Height(height))?;
        let block = block.ok_or_else(|| refuse("the store misses its block"))?;
        let votes = self.store.votes(BlockKey::Height(height))?;
        let (hash, votes) = votes.ok_or_else(|| refuse("the store misses its votes"))?;
        let seat = seats.seat(epoch).ok_or_else(|| refuse("the committee of its epoch is unknown"))?;
        let certified = votes.certified(hash, seat.validators).filter(|certified| {
            let named = hash == block.digest() && Epoch::new(votes.epoch) == epoch;
            named && certified.verify(&mut self.context.child("floor"), seat.scheme.as_ref(), &Sequential)
        });
        certified.ok_or_else(|| refuse("the votes in the store are not its committee's for its block"))
    }

    fn shared(&self, controls: &Controls, marshal: crate::driver::Marshal, guard: Guard) -> Shared {
        Shared {
            ledger: self.config.ledger,
            application: self.application.clone(),
            marshal,
            gates: Gates::default(),
            guard,
            waker: controls.waker.clone(),
            status: controls.status.clone(),
            fault: self.fault.clone(),
            block_bytes_max: self.config.block_bytes_max,
        }
    }

    fn resolver<M, B>(&self, me: PublicKey, peers: M, blocker: B) -> backfill::Config<PublicKey, M, B>
    where
        M: AddressableManager<PublicKey = PublicKey>,
        B: Blocker<PublicKey = PublicKey>,
    {
        backfill::Config {
            public_key: me,
            peer_provider: peers,
            blocker,
            mailbox_size: MAILBOX,
            fetch_timeout: NZDuration!(Duration::from_millis(self.config.pace.fetch_ms)),
            fetch_retry_delay: Duration::from_millis(self.config.pace.fetch_ms / 10),
            priority_requests: false,
            priority_responses: false,
        }
    }

    fn marshal(
        &self,
        seats: &Seats,
        epocher: &FixedEpocher,
        page_cache: &CacheRef,
    ) -> marshal::Config<
        Seats,
        FixedEpocher,
        Sequential,
        EngineBlock,
        commonware_cryptography::Digested<EngineBlock>,
    > {
        marshal::Config {
            provider: seats.clone(),
            epocher: epocher.clone(),
            start: Start::Genesis(EngineBlock::new(self.application.genesis()).digested()),
            partition_prefix: format!("{}blocks", self.config.journal_prefix),
            mailbox_size: MAILBOX,
            view_retention: ViewDelta::new(VIEWS_KEPT),
            prunable_items_per_section: NZU64!(256),
            page_cache: page_cache.clone(),
            replay_buffer: JOURNAL_BUFFER,
            key_write_buffer: JOURNAL_BUFFER,
            value_write_buffer: JOURNAL_BUFFER,
            block_codec_config: self.config.block_bytes_max,
            max_repair: NZUsize!(FETCHES_MAX),
            max_pending_acks: NZUsize!(UNCOMMITTED_MAX),
            strategy: Sequential,
        }
    }

    /// Splits the channels of consensus by epoch. Votes of epochs that do not run here are told apart: they
    /// say that others are ahead.
    fn multiplex<S, R>(
        &self,
        votes: (S, R),
        certificates: (S, R),
        requests: (S, R),
    ) -> (EpochWires<S>, Handle<()>)
    where
        S: Sender<PublicKey = PublicKey>,
        R: Receiver<PublicKey = PublicKey>,
    {
        let context = &self.context;
        let (vote_mux, votes, later) =
            Muxer::builder(context.child("vote_mux"), votes.0, votes.1).with_backup().build();
        let (certificate_mux, certificates): (_, MuxHandle<S>) =
            Muxer::new(context.child("certificate_mux"), certificates.0, certificates.1);
        let (request_mux, requests) = Muxer::new(context.child("request_mux"), requests.0, requests.1);
        let muxers = [vote_mux.start(), certificate_mux.start(), request_mux.start()];
        let watch = context.child("mux").spawn(move |_| async move {
            let _ = futures::future::select_all(muxers).await;
        });
        (EpochWires { votes, later, certificates, requests }, watch)
    }
}
