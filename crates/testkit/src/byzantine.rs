//! The dishonest validator of a plan: how it lies, and its hands on the wires.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tabellion_engine::NodeKey;
use tabellion_engine::sim::{Tap, Wire};
use tabellion_ledger::Transaction;

use crate::chance::Chance;
use crate::spoiler::Spoiler;

/// How the one dishonest validator of a plan lies. It may also crash, lag and be cut off, as any other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strategy {
    /// Not at all: all validators are honest.
    Honest,
    /// Two nodes of its key vote and propose side by side, each before a part of the others: it signs two
    /// ways in one view.
    Twins,
    /// It proposes invalid blocks.
    SpoiledBlocks,
    /// It gets everything, and sends only some of its votes, proposals, transactions and answers.
    Withholding,
    /// Its messages are broken, repeated, mixed up or noise.
    Garbage,
}

impl Strategy {
    /// All strategies.
    pub const ALL: [Self; 5] =
        [Self::Honest, Self::Twins, Self::SpoiledBlocks, Self::Withholding, Self::Garbage];

    /// The strategy of a seed: seeds in a row go through all of them.
    pub fn of(seed: u64) -> Self {
        let count = u64::try_from(Self::ALL.len()).unwrap_or(1);
        Self::ALL[usize::try_from(seed % count).unwrap_or(0)]
    }
}

/// The dishonest validator.
pub struct Byzantine {
    /// Its place among the nodes.
    pub index: usize,
    /// How it lies.
    pub strategy: Strategy,
    /// Spoils the blocks that it builds.
    pub spoiler: Option<Arc<Spoiler>>,
    /// On its wires; two for twins.
    taps: Vec<Arc<dyn Tap>>,
    circles: Vec<Arc<Circle>>,
    peers: Vec<NodeKey>,
}

impl Byzantine {
    /// The validator at this place, beside honest peers. `supply` are valid transactions that nobody else
    /// knows.
    pub fn new(
        index: usize,
        strategy: Strategy,
        peers: Vec<NodeKey>,
        supply: Vec<Transaction>,
        chance: &mut Chance,
    ) -> Self {
        let spoiler =
            (strategy == Strategy::SpoiledBlocks).then(|| Arc::new(Spoiler::new(chance.fork(), supply)));
        let mut new = Self { index, strategy, spoiler, taps: Vec::new(), circles: Vec::new(), peers };
        match strategy {
            Strategy::Honest | Strategy::SpoiledBlocks => {}
            Strategy::Twins => {
                new.circles = vec![Arc::default(), Arc::default()];
                new.taps = new.circles.iter().map(|circle| circle.clone() as Arc<dyn Tap>).collect();
                new.turn(chance);
            }
            Strategy::Withholding => new.taps.push(Arc::new(Withholding::new(new.peers.clone(), chance))),
            Strategy::Garbage => new.taps.push(Arc::new(Garbage::new(new.peers.clone(), chance))),
        }
        new
    }

    /// Whether two nodes run with its key.
    pub fn is_twins(&self) -> bool {
        self.strategy == Strategy::Twins
    }

    /// The hand on its wires, or on those of one of its twins.
    pub fn tap(&self, twin: usize) -> Option<Arc<dyn Tap>> {
        self.taps.get(twin).cloned()
    }

    /// Turns twins to other peers: each peer hears the first, the second or, half of the time, both.
    pub fn turn(&self, chance: &mut Chance) {
        let [one, other] = self.circles.as_slice() else { return };
        let (mut first, mut second) = (Vec::new(), Vec::new());
        for peer in &self.peers {
            let hears = chance.below(4);
            if hears != 0 {
                first.push(*peer);
            }
            if hears != 1 {
                second.push(*peer);
            }
        }
        *lock(&one.peers) = first;
        *lock(&other.peers) = second;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whom a twin talks to and hears.
#[derive(Default)]
struct Circle {
    peers: Mutex<Vec<NodeKey>>,
}

impl Tap for Circle {
    fn peers(&self) -> Vec<NodeKey> {
        lock(&self.peers).clone()
    }

    fn pass(&self, _: Wire, message: Bytes) -> Option<Bytes> {
        Some(message)
    }
}

/// Sends less than it should.
struct Withholding {
    peers: Vec<NodeKey>,
    /// Of four messages on a wire, how many stay: by number of the wire.
    withheld: Vec<u64>,
    chance: Mutex<Chance>,
}

impl Withholding {
    fn new(peers: Vec<NodeKey>, chance: &mut Chance) -> Self {
        // Half of the wires are honest, so that each kind of silence is seen alone as well.
        let mut withheld = || [0, 0, 2, 4][chance.place(4)];
        let mut withheld: Vec<u64> = Wire::ALL.iter().map(|_| withheld()).collect();
        withheld[chance.place(Wire::ALL.len())] = 4;
        Self { peers, withheld, chance: Mutex::new(chance.fork()) }
    }
}

impl Tap for Withholding {
    fn peers(&self) -> Vec<NodeKey> {
        self.peers.clone()
    }

    fn pass(&self, wire: Wire, message: Bytes) -> Option<Bytes> {
        let place = Wire::ALL.iter().position(|one| *one == wire)?;
        (lock(&self.chance).below(4) >= self.withheld[place]).then_some(message)
    }
}

/// Messages that are kept to be sent again on whatever wire.
const KEPT_MAX: usize = 32;

/// Sends what no honest node sends.
struct Garbage {
    peers: Vec<NodeKey>,
    /// Messages of which one is spoiled.
    one_in: u64,
    state: Mutex<(Chance, VecDeque<Bytes>)>,
}

impl Garbage {
    fn new(peers: Vec<NodeKey>, chance: &mut Chance) -> Self {
        let one_in = [2, 8, 32, 128][chance.place(4)];
        Self { peers, one_in, state: Mutex::new((chance.fork(), VecDeque::new())) }
    }
}

impl Tap for Garbage {
    fn peers(&self) -> Vec<NodeKey> {
        self.peers.clone()
    }

    fn pass(&self, _: Wire, message: Bytes) -> Option<Bytes> {
        let (chance, kept) = &mut *lock(&self.state);
        let spoiled = chance.once_in(self.one_in).then(|| garbage(&message, kept, chance));
        if kept.len() == KEPT_MAX {
            kept.pop_front();
        }
        kept.push_back(message.clone());
        Some(spoiled.unwrap_or(message))
    }
}

fn garbage(message: &Bytes, kept: &VecDeque<Bytes>, chance: &mut Chance) -> Bytes {
    let mut bytes = message.to_vec();
    match chance.below(6) {
        0 if !bytes.is_empty() => {
            let place = chance.place(bytes.len());
            bytes[place] ^= 1 << chance.below(8);
        }
        1 => bytes.truncate(chance.place(bytes.len() + 1)),
        2 => bytes.extend_from_slice(message),
        3 => bytes = (0..chance.below(2_000)).map(|_| chance.byte()).collect(),
        4 => bytes.iter_mut().skip(8).for_each(|byte| *byte = chance.byte()),
        _ if !kept.is_empty() => return kept[chance.place(kept.len())].clone(),
        _ => bytes.clear(),
    }
    bytes.into()
}
