//! One consensus instance per epoch, and the way from one to the next.
//!
//! ```text
//!  enter(e): seat in e? ── validator ─> simplex engine on sub-channels e ─┐
//!                       └─ follower ──> listener for finalisations        ├─> marshal ─> delivery ─> commit
//!  last block of e committed ─> enter(e + 1), leave(e), acknowledge ──────┘
//!  the guard lets votes go ─> simplex anew, over its journal
//!  a message of a later epoch arrives ─> ask its sender for the last block of this one
//!  a follower hears votes but no block ─> ask their sender for the next one
//! ```

use std::num::NonZeroUsize;
use std::time::Duration;

use commonware_codec::Decode;
use commonware_consensus::marshal::Identifier;
use commonware_consensus::simplex::config::{Floor, ForwardPolicy, SkipBudget, SkipPolicy};
use commonware_consensus::simplex::elector::RoundRobin;
use commonware_consensus::simplex::types::{Activity, Certificate};
use commonware_consensus::simplex::{self};
use commonware_consensus::types::{Epoch, Epocher, FixedEpocher, Height as EngineHeight, ViewDelta};
use commonware_consensus::{Epochable, Reporter, Viewable};
use commonware_cryptography::ed25519::PublicKey;
use commonware_macros::select;
use commonware_p2p::utils::mux::{MuxHandle, SubReceiver};
use commonware_p2p::{
    Address, AddressableManager, AddressableTrackedPeers, Blocker, CheckedSender, Ingress, Message, Receiver,
    Recipients, Sender,
};
use commonware_parallel::Sequential;
use commonware_runtime::Handle;
use commonware_runtime::buffer::paged::CacheRef;
use commonware_utils::channel::mpsc;
use commonware_utils::ordered::Map;
use commonware_utils::vec::NonEmptyVec;
use commonware_utils::{Hostname, NZDuration, NZU64, NZUsize};

use crate::block::Digest;
use crate::committee::{Committee, Peer, PeerAddress};
use crate::config::Pace;
use crate::delivery::Ack;
use crate::driver::{Driver, Shared};
use crate::fault::EngineError;
use crate::guard::{Doubt, Ears, LOOK, Record, Verdict};
use crate::runtime::{Runtime, now};
use crate::scheme::{Scheme, Seat, Seats, certificate_bound, key_of, public_key};
use crate::tasks::Tasks;
use crate::watched::Watched;

/// Views behind the finalised one whose votes are kept for peers that ask.
pub(crate) const VIEWS_KEPT: u64 = 64;
/// Undecided views that may be skipped at once. Idle views count, so the bound lies far above those of a
/// heartbeat.
const SKIPS_MAX: u64 = 4_096;
/// How long no block must have come before a follower asks for one that it may have missed. Unit: ms.
const QUIET_MS: u64 = 2_000;
/// Longer than a guard that holds nothing back has to look at anything.
const NEVER: Duration = Duration::from_secs(3_600);
/// Messages that wait for one of the engine's actors before its own rules for overload hold.
pub(crate) const MAILBOX: NonZeroUsize = NZUsize!(1_024);
/// Bytes of one buffer of a journal.
pub(crate) const JOURNAL_BUFFER: NonZeroUsize = NZUsize!(256 * 1_024);

/// The channels whose messages belong to an epoch.
pub(crate) struct EpochWires<S: Sender> {
    pub votes: MuxHandle<S>,
    pub later: mpsc::Receiver<(u64, Message<PublicKey>)>,
    pub certificates: MuxHandle<S>,
    pub requests: MuxHandle<S>,
}

/// Starts and stops the epochs of a node.
pub(crate) struct Epochs<E: Runtime, S: Sender, M, B> {
    pub context: E,
    pub shared: Shared,
    pub seats: Seats,
    pub epocher: FixedEpocher,
    pub pace: Pace,
    pub journal_prefix: String,
    pub wires: EpochWires<S>,
    pub peers: M,
    pub blocker: B,
    pub page_cache: CacheRef,
    pub ended: mpsc::Receiver<(u64, Ack)>,
    /// The guard's place on disk.
    pub record: Record<E>,
    /// A voice that says who is connected, and says nothing itself.
    pub connected: S,
    /// Whether the store held nothing but the genesis block at the start.
    pub is_new: bool,
    /// Starts of consensus, which name its metrics.
    pub starts: u64,
}

/// An epoch under way.
struct Running {
    epoch: Epoch,
    seat: Seat,
    last: EngineHeight,
    task: Handle<()>,
    tasks: Tasks,
}

impl<E, S, M, B> Epochs<E, S, M, B>
where
    E: Runtime,
    S: Sender<PublicKey = PublicKey>,
    M: AddressableManager<PublicKey = PublicKey>,
    B: Blocker<PublicKey = PublicKey>,
{
    /// Runs epochs from the given one on. Returns only with an error.
    pub(crate) async fn run(mut self, first: Epoch) -> EngineError {
        let mut running = match self.enter(first).await {
            Ok(running) => running,
            Err(err) => return err,
        };
        loop {
            let look = self.context.current() + if self.shared.guard.holds() { LOOK } else { NEVER };
            select! {
                ended = self.ended.recv() => {
                    let Some((epoch, ack)) = ended else { return EngineError::Ended("delivery") };
                    // A redelivered block may end an epoch that is over already.
                    if epoch == running.epoch.get() {
                        let next = match self.enter(running.epoch.next()).await {
                            Ok(next) => next,
                            Err(err) => return err,
                        };
                        running.task.abort();
                        running = next;
                    }
                    ack.done();
                },
                later = self.wires.later.recv() => {
                    let Some((epoch, (peer, _))) = later else { return EngineError::Ended("vote channel") };
                    if epoch > running.epoch.get() {
                        self.fall_behind();
                        self.shared.marshal.hint_finalized(running.last, NonEmptyVec::new(peer));
                    } else if epoch == running.epoch.get() && running.seat.index.is_none() {
                        self.ask_for_missed(peer);
                    }
                },
                _ = self.context.sleep_until(look) => {
                    if self.shared.guard.holds()
                        && let Err(err) = self.heed(&mut running).await
                    {
                        return err;
                    }
                },
                _ = &mut running.task => return EngineError::Ended("consensus"),
            }
        }
    }

    async fn enter(&mut self, epoch: Epoch) -> Result<Running, EngineError> {
        let seat = self
            .seats
            .seat(epoch)
            .ok_or_else(|| EngineError::Config(format!("no valid committee is known for epoch {epoch}")))?;
        let last = self
            .epocher
            .last(epoch)
            .ok_or_else(|| EngineError::Config(format!("epoch {epoch} overflows")))?;
        self.peers.track(epoch.get(), tracked(&seat.committee)?);
        self.shared.status.enter(epoch.get(), seat.index.is_some());
        let Seat { index, validators, .. } = &seat;
        tracing::info!(epoch = epoch.get(), validators, ?index, "epoch begins");
        self.shared.guard.pass();
        self.shared.status.hold(&self.shared.guard);
        let tasks = Tasks::default();
        let task = match seat.index {
            Some(_) => self.validate(epoch, &seat, last, &tasks).await?,
            None => self.follow(epoch, seat.clone()).await?,
        };
        Ok(Running { epoch, seat, last, task, tasks })
    }

    /// A follower hears of a finalised block once, when it is broadcast. One that it missed, entering an
    /// epoch late, would show with the next block only, and an idle ledger may make none for long: so whoever
    /// votes is asked for it once nothing has come for a while.
    fn ask_for_missed(&self, peer: PublicKey) {
        let status = self.shared.status.view();
        if now(&self.context) >= status.committed_at.plus(QUIET_MS) {
            let next = EngineHeight::new(status.committed.next().0);
            self.shared.marshal.hint_finalized(next, NonEmptyVec::new(peer));
        }
    }

    /// The others are in a later epoch: what is heard in this one says nothing of them.
    fn fall_behind(&self) {
        self.shared.guard.pass();
        if !self.shared.guard.holds() && self.is_new {
            // A disk without history in a ledger with one: it may be a validator's that was emptied.
            self.shared.guard.listen();
            self.shared.status.hold(&self.shared.guard);
        }
    }

    /// Does what the guard says. Consensus runs anew where votes are free: it holds what it was not allowed
    /// to sign for signed.
    async fn heed(&mut self, running: &mut Running) -> Result<(), EngineError> {
        let Running { epoch, seat, last, task, tasks } = running;
        if seat.index.is_none() {
            return Ok(());
        }
        let others = quorum(seat.validators) - 1;
        let connected = match others {
            0 => 0,
            _ => self.validators_connected(seat),
        };
        let guard = self.shared.guard.clone();
        match guard.look(self.context.current(), &self.pace, others, connected) {
            Verdict::Wait => {}
            Verdict::Doubt(doubt) => warn_of(&doubt),
            Verdict::Vote(barrier) => {
                task.abort();
                let _ = (&mut *task).await;
                // Its journal and channels are opened again: nobody else may hold them any more.
                if !tasks.gone(&self.context).await {
                    return Err(EngineError::Ended("consensus"));
                }
                self.record.keep(barrier).await?;
                let doubted = guard.doubts();
                guard.release(barrier);
                let (epoch_, above) = (epoch.get(), barrier.view().get());
                match doubted {
                    true => tracing::warn!(
                        epoch = epoch_,
                        above,
                        "the others have moved on: this node votes again"
                    ),
                    false => tracing::info!(epoch = epoch_, above, "this node votes"),
                }
                *task = self.validate(*epoch, seat, *last, tasks).await?;
            }
        }
        self.shared.status.hold(&guard);
        Ok(())
    }

    fn validators_connected(&mut self, seat: &Seat) -> usize {
        let validators = seat.committee.keys();
        match self.connected.check(Recipients::All) {
            Ok(checked) => {
                checked.recipients().iter().filter(|key| validators.contains(&key_of(key))).count()
            }
            Err(_) => 0,
        }
    }

    async fn validate(
        &mut self,
        epoch: Epoch,
        seat: &Seat,
        last: EngineHeight,
        tasks: &Tasks,
    ) -> Result<Handle<()>, EngineError> {
        let genesis = self.genesis(epoch).await?;
        self.starts += 1;
        let context = self.context.child("consensus").with_attribute("start", self.starts);
        let driver = Driver::new(context.child("driver"), self.shared.clone(), seat.clone(), last);
        let context = Watched::new(context, tasks.clone());
        let ms = Duration::from_millis;
        let config = simplex::Config {
            scheme: seat.scheme.as_ref().clone(),
            elector: <RoundRobin>::default(),
            blocker: self.blocker.clone(),
            automaton: driver.clone(),
            relay: driver.clone(),
            reporter: driver,
            track_historical_votes: false,
            strategy: Sequential,
            partition: format!("{}consensus-{epoch}", self.journal_prefix),
            mailbox_size: MAILBOX,
            epoch,
            floor: Floor::Genesis(genesis),
            replay_buffer: JOURNAL_BUFFER,
            write_buffer: JOURNAL_BUFFER,
            page_cache: self.page_cache.clone(),
            leader_timeout: ms(self.pace.leader_ms),
            certification_timeout: ms(self.pace.view_ms),
            timeout_retry: ms(self.pace.retry_ms),
            view_retention: ViewDelta::new(VIEWS_KEPT),
            skip: SkipPolicy::Enabled {
                timeout: ms(self.pace.skip_ms),
                budget: SkipBudget::Fixed(NZU64!(SKIPS_MAX)),
            },
            fetch_timeout: NZDuration!(ms(self.pace.fetch_ms)),
            fetch_retry_delay: ms(self.pace.fetch_ms / 10),
            forward: ForwardPolicy::SilentLeader,
        };
        let (votes, certificates, requests) = (
            register(&mut self.wires.votes, epoch).await?,
            register(&mut self.wires.certificates, epoch).await?,
            register(&mut self.wires.requests, epoch).await?,
        );
        let ears = Ears::new(certificates.1, self.shared.guard.clone(), seat.committee.keys());
        let certificates = (certificates.0, ears);
        Ok(simplex::Engine::new(context, config).start(votes, certificates, requests))
    }

    /// What the epoch builds upon: the genesis block, or the last block of the epoch before.
    async fn genesis(&self, epoch: Epoch) -> Result<Digest, EngineError> {
        let before =
            epoch.previous().and_then(|epoch| self.epocher.last(epoch)).unwrap_or(EngineHeight::zero());
        match self.shared.marshal.get_info(Identifier::<Digest>::Height(before)).await {
            Some((_, digest)) => Ok(digest),
            None => Err(EngineError::Config(format!(
                "the store misses block {before}, the base of epoch {epoch}"
            ))),
        }
    }

    async fn follow(&mut self, epoch: Epoch, seat: Seat) -> Result<Handle<()>, EngineError> {
        let (_, certificates) = register(&mut self.wires.certificates, epoch).await?;
        let follower = Follower { epoch, seat, shared: self.shared.clone(), blocker: self.blocker.clone() };
        let context = self.context.child("follower");
        Ok(context.spawn(move |context| follower.run(context, certificates)))
    }
}

async fn register<S: Sender<PublicKey = PublicKey>>(
    wire: &mut MuxHandle<S>,
    epoch: Epoch,
) -> Result<(commonware_p2p::utils::mux::SubSender<S>, SubReceiver<PublicKey>), EngineError> {
    wire.register(epoch.get()).await.map_err(|_| EngineError::Ended("channel"))
}

/// The committee as the transport wants it.
fn tracked(committee: &Committee) -> Result<AddressableTrackedPeers<PublicKey>, EngineError> {
    let map = |peers: &[Peer]| {
        let pairs = peers.iter().map(|peer| {
            let key = public_key(&peer.key)
                .ok_or_else(|| EngineError::Config(format!("{} is no key", peer.key)))?;
            Ok((key, address(&peer.address)?))
        });
        pairs.collect::<Result<Vec<_>, EngineError>>().map(Map::from_iter_dedup)
    };
    Ok(AddressableTrackedPeers::new(map(&committee.validators)?, map(&committee.followers)?))
}

fn address(address: &PeerAddress) -> Result<Address, EngineError> {
    let anywhere = std::net::SocketAddr::from(([0, 0, 0, 0], 0));
    Ok(match address {
        PeerAddress::Socket(socket) => Address::Symmetric(*socket),
        PeerAddress::Unknown => Address::Symmetric(anywhere),
        PeerAddress::Name { host, port } => {
            let host = Hostname::new(host)
                .map_err(|err| EngineError::Config(format!("host name '{host}': {err}")))?;
            Address::Asymmetric { ingress: Ingress::Dns { host, port: *port }, egress: anywhere }
        }
    })
}

/// Learns what is finalised without voting.
struct Follower<B> {
    epoch: Epoch,
    seat: Seat,
    shared: Shared,
    blocker: B,
}

impl<B: Blocker<PublicKey = PublicKey>> Follower<B> {
    /// Every validator broadcasts each finalisation; the first one counts.
    async fn run<E: Runtime>(mut self, mut context: E, mut certificates: SubReceiver<PublicKey>) {
        let bound = certificate_bound(&self.seat.scheme);
        let mut seen = 0;
        while let Ok((peer, message)) = certificates.recv().await {
            let Ok(certificate) = Certificate::<Scheme, Digest>::decode_cfg(message, &bound) else {
                commonware_p2p::block!(self.blocker, peer, "certificate does not decode");
                continue;
            };
            let Certificate::Finalization(finalization) = certificate else { continue };
            let view = finalization.view().get();
            if finalization.epoch() != self.epoch || view <= seen {
                continue;
            }
            if !finalization.verify(&mut context, self.seat.scheme.as_ref(), &Sequential) {
                commonware_p2p::block!(self.blocker, peer, "certificate does not verify");
                continue;
            }
            seen = view;
            self.shared.status.see_view(self.epoch.get(), view);
            self.shared.marshal.report(Activity::Finalization(finalization));
        }
    }
}

/// Votes of a committee of this size that decide.
fn quorum(validators: usize) -> usize {
    validators - validators.saturating_sub(1) / 3
}

/// Tells the operator why the node holds its votes back, and what it does.
pub(crate) fn warn_of(doubt: &Doubt) {
    tracing::warn!(
        %doubt,
        "this node may have forgotten votes that it sent: it follows, and votes again when the others have \
         moved on"
    );
}

/// The epoch of the block after the given one.
pub(crate) fn epoch_after(epocher: &FixedEpocher, height: EngineHeight) -> Option<Epoch> {
    epocher.containing(height.next()).map(|info| info.epoch())
}
