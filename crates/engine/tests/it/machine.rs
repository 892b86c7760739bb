//! The least machine that a ledger can have: a block carries one job, each job once.
//!
//! The job stands in the first eight bytes of the header's state root, the rest of which chains to the
//! parent's. Job zero is a heartbeat.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, OnceLock};

use bytes::Bytes;
use tabellion_engine::{Application, Committee, Controls, NodeKey, StoreError, To, Work};
use tabellion_ledger::{
    Block, Equivocation, FinalityProof, Hash, Header, HeaderHash, Height, LedgerId, MemberId, Roster,
    StateRoot, TimeMs, Validator, sha256_parts,
};

use crate::shelf::Shelf;

/// Jobs from here on are refused by every honest machine.
pub const REFUSED: u64 = 1 << 60;
/// Milliseconds a block's time may run ahead.
const DRIFT_MS: u64 = 5_000;

/// The ledger of all tests.
pub fn ledger() -> LedgerId {
    LedgerId([7; 32])
}

/// The roster of a committee.
pub fn roster(epoch: u64, committee: &Committee) -> Roster {
    let member = |index: usize| format!("member-{index}").parse::<MemberId>().unwrap();
    let validators = committee.keys().into_iter().enumerate();
    let validators = validators.map(|(index, key)| Validator {
        key: key.0,
        member: member(index),
        name: format!("node {index}"),
    });
    Roster::new(epoch, validators.collect()).unwrap()
}

/// The block at height 0.
pub fn genesis() -> Arc<Block> {
    let header = Header {
        version: tabellion_ledger::FORMAT_VERSION,
        ledger: LedgerId::default(),
        height: Height(0),
        previous: HeaderHash::default(),
        time: TimeMs(0),
        proposer: 0,
        lanes_root: Block::lanes_root(&[]),
        state_root: StateRoot::default(),
        roster: Default::default(),
        next_roster: Default::default(),
        history_root: Hash::default(),
    };
    Arc::new(Block { header, lanes: Vec::new(), carried: Vec::new() })
}

/// The job that a block carries.
pub fn job_of(block: &Block) -> u64 {
    u64::from_be_bytes(block.header.state_root.0[..8].try_into().unwrap())
}

fn state_root(parent: &Header, job: u64) -> StateRoot {
    let mut root = sha256_parts(&[&parent.state_root.0, &job.to_be_bytes()]);
    root[..8].copy_from_slice(&job.to_be_bytes());
    StateRoot(root)
}

/// How a machine misbehaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mischief {
    /// Not at all.
    None,
    /// Proposes refused jobs only.
    RefusedJobs,
}

/// Who sits in which epoch.
pub type Committees = Arc<dyn Fn(u64) -> Option<Committee> + Send + Sync>;

struct State {
    tip: Arc<Block>,
    /// Jobs of committed blocks.
    done: BTreeSet<u64>,
    /// Undecided blocks that were executed here.
    overlays: BTreeMap<HeaderHash, Arc<Block>>,
    pool: BTreeSet<u64>,
    proofs: BTreeMap<u64, Option<FinalityProof>>,
    refused: u64,
    evidence: Vec<Equivocation>,
}

/// A machine over a store. Its state is rebuilt from the store at start.
pub struct Machine {
    committees: Committees,
    epoch_blocks: u64,
    heartbeat_ms: u64,
    mischief: Mischief,
    shelf: Shelf,
    controls: OnceLock<Controls>,
    state: Mutex<State>,
}

impl Machine {
    pub fn new(
        committees: Committees,
        epoch_blocks: u64,
        heartbeat_ms: u64,
        mischief: Mischief,
        shelf: Shelf,
    ) -> Arc<Self> {
        let mut tip = genesis();
        let mut done = BTreeSet::new();
        for block in shelf.blocks().into_iter().skip(1) {
            if block.header.previous != tip.digest() {
                break;
            }
            done.insert(job_of(&block));
            tip = block;
        }
        let state = State {
            tip,
            done,
            overlays: BTreeMap::new(),
            pool: BTreeSet::new(),
            proofs: BTreeMap::new(),
            refused: 0,
            evidence: Vec::new(),
        };
        Arc::new(Self {
            committees,
            epoch_blocks,
            heartbeat_ms,
            mischief,
            shelf,
            controls: OnceLock::new(),
            state: Mutex::new(state),
        })
    }

    pub fn connect(&self, controls: Controls) {
        self.controls.set(controls).ok().unwrap();
    }

    /// Takes a job here and tells the others.
    pub fn submit(&self, job: u64) {
        self.state.lock().unwrap().pool.insert(job);
        self.push();
    }

    /// Tells the others of all jobs that are not done, and wakes a waiting leader.
    pub fn push(&self) {
        let jobs: Vec<_> = self.state.lock().unwrap().pool.iter().copied().take(64).collect();
        let Some(controls) = self.controls.get() else { return };
        for job in &jobs {
            let _ = controls.gossip.send(To::All, Bytes::copy_from_slice(&job.to_be_bytes()));
        }
        if !jobs.is_empty() {
            controls.waker.wake();
        }
    }

    pub fn height(&self) -> u64 {
        self.state.lock().unwrap().tip.header.height.0
    }

    pub fn has_done(&self, job: u64) -> bool {
        self.state.lock().unwrap().done.contains(&job)
    }

    pub fn refused(&self) -> u64 {
        self.state.lock().unwrap().refused
    }

    pub fn evidence(&self) -> Vec<Equivocation> {
        self.state.lock().unwrap().evidence.clone()
    }

    pub fn proofs(&self) -> BTreeMap<u64, Option<FinalityProof>> {
        self.state.lock().unwrap().proofs.clone()
    }

    pub fn chain(&self) -> Vec<HeaderHash> {
        let height = self.height();
        let blocks = self.shelf.blocks();
        blocks.iter().filter(|block| block.header.height.0 <= height).map(|block| block.digest()).collect()
    }

    fn epoch_at(&self, height: u64) -> u64 {
        height / self.epoch_blocks
    }

    fn roster_at(&self, height: u64) -> tabellion_ledger::RosterHash {
        let epoch = self.epoch_at(height);
        let committee = (self.committees)(epoch).expect("a committee");
        roster(epoch, &committee).hash()
    }

    fn header(&self, parent: &Block, proposer: u16, time: TimeMs, job: u64) -> Header {
        let height = parent.header.height.next();
        Header {
            version: tabellion_ledger::FORMAT_VERSION,
            ledger: ledger(),
            height,
            previous: parent.digest(),
            time,
            proposer,
            lanes_root: Block::lanes_root(&[]),
            state_root: state_root(&parent.header, job),
            roster: self.roster_at(height.0),
            next_roster: self.roster_at(height.0 + 1),
            history_root: Hash::default(),
        }
    }

    fn execute(&self, parent: &Arc<Block>, block: &Arc<Block>) -> Result<(), String> {
        let mut state = self.state.lock().unwrap();
        let before = state.jobs_until(parent.digest()).ok_or("the parent is unknown")?;
        let job = job_of(block);
        let expected = self.header(parent, block.header.proposer, block.header.time, job);
        if expected != block.header {
            return Err("the header is not what execution gives".into());
        }
        if job >= REFUSED {
            return Err(format!("job {job} is refused"));
        }
        if job != 0 && before.contains(&job) {
            return Err(format!("job {job} was done before"));
        }
        state.overlays.insert(block.digest(), block.clone());
        Ok(())
    }
}

impl State {
    /// The jobs on the chain up to a block. `None`: its state is not at hand.
    fn jobs_until(&self, block: HeaderHash) -> Option<BTreeSet<u64>> {
        let mut jobs = self.done.clone();
        let mut at = block;
        while at != self.tip.digest() {
            let block = self.overlays.get(&at)?;
            jobs.insert(job_of(block));
            at = block.header.previous;
        }
        Some(jobs)
    }
}

impl Application for Machine {
    fn genesis(&self) -> Arc<Block> {
        genesis()
    }

    fn committee(&self, epoch: u64) -> Option<Committee> {
        (self.committees)(epoch)
    }

    fn knows(&self, block: HeaderHash) -> bool {
        self.state.lock().unwrap().jobs_until(block).is_some()
    }

    fn work(&self, parent: HeaderHash, _: TimeMs) -> Work {
        let state = self.state.lock().unwrap();
        let Some(done) = state.jobs_until(parent) else { return Work::Idle };
        if self.mischief == Mischief::RefusedJobs || state.pool.iter().any(|job| !done.contains(job)) {
            return Work::Now;
        }
        let block = state.overlays.get(&parent).unwrap_or(&state.tip);
        match self.heartbeat_ms {
            0 => Work::Idle,
            heartbeat_ms => Work::At(block.header.time.plus(heartbeat_ms)),
        }
    }

    fn build(&self, parent: &Arc<Block>, proposer: u16, now: TimeMs) -> Option<Arc<Block>> {
        let job = {
            let state = self.state.lock().unwrap();
            let done = state.jobs_until(parent.digest())?;
            let next = state.pool.iter().copied().find(|job| !done.contains(job));
            match self.mischief {
                Mischief::None => next.unwrap_or(0),
                Mischief::RefusedJobs => REFUSED,
            }
        };
        let time = now.max(parent.header.time);
        let block = Arc::new(Block {
            header: self.header(parent, proposer, time, job),
            lanes: Vec::new(),
            carried: Vec::new(),
        });
        if self.mischief == Mischief::None {
            self.execute(parent, &block).expect("an honest block is valid");
        }
        Some(block)
    }

    fn check(&self, parent: &Arc<Block>, block: &Arc<Block>, now: TimeMs) -> Result<(), String> {
        let time = block.header.time;
        let verdict = if time < parent.header.time || time > now.plus(DRIFT_MS) {
            Err(format!("time {time} is out of bounds"))
        } else {
            self.execute(parent, block)
        };
        if verdict.is_err() {
            self.state.lock().unwrap().refused += 1;
        }
        verdict
    }

    fn adopt(&self, parent: &Arc<Block>, block: &Arc<Block>) -> Result<(), String> {
        self.execute(parent, block)
    }

    fn commit(&self, block: Arc<Block>, proof: Option<FinalityProof>) -> Result<(), StoreError> {
        let mut state = self.state.lock().unwrap();
        let height = block.header.height;
        state.proofs.insert(height.0, proof);
        if height <= state.tip.header.height {
            return Ok(());
        }
        assert_eq!(height, state.tip.header.height.next(), "blocks come in order");
        assert_eq!(block.header.previous, state.tip.digest(), "blocks are linked");
        let job = job_of(&block);
        assert!(job == 0 || state.done.insert(job), "a job was done twice");
        state.pool.remove(&job);
        state.overlays.retain(|_, overlay| overlay.header.height > height);
        state.tip = block;
        Ok(())
    }

    fn receive(&self, _: NodeKey, message: Bytes) {
        let job = u64::from_be_bytes(message.as_ref().try_into().expect("eight bytes"));
        let new = {
            let mut state = self.state.lock().unwrap();
            !state.done.contains(&job) && state.pool.insert(job)
        };
        if new && let Some(controls) = self.controls.get() {
            controls.waker.wake();
        }
    }
    fn accuse(&self, evidence: Equivocation) {
        self.state.lock().unwrap().evidence.push(evidence);
    }
}
