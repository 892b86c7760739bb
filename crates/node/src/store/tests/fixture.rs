//! A small ledger that fills a store: real encodings and roots; signatures are zeros, which no store looks
//! at.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tabellion_ledger::cbor::to_bytes;
use tabellion_ledger::merkle::Frontier;
use tabellion_ledger::{
    Algorithm, Block, Content, Envelope, FORMAT_VERSION, Hash, Header, HeaderHash, Height, KeyId, Lane,
    LaneBody, LaneHeader, LaneHeaderHash, LedgerId, RosterHash, Signature, StateKey, TimeMs, Transaction,
    TransactionId, attachments_root, sha256, sha256_parts,
};

use super::super::{Change, Snapshot, Store, StoreConfig, Tree};

pub(super) const LEDGER: LedgerId = LedgerId([7; 32]);
pub(super) const NOW: TimeMs = TimeMs(1_800_000_000_000);
const LANES: [Lane; 2] = [Lane::Certificate, Lane::Perimeter];

/// Small caches, so that tests reach the file.
pub(super) fn quick() -> StoreConfig {
    let small = 1 << 20;
    StoreConfig {
        page_cache_bytes: small / 8,
        state_cache_bytes: small,
        chain_cache_bytes: small,
        ..StoreConfig::default()
    }
}

/// What the ledger of a test is expected to hold.
pub(super) struct Ledger {
    seed: u64,
    pub(super) blocks: Vec<Arc<Block>>,
    pub(super) records: BTreeMap<StateKey, Vec<u8>>,
    pub(super) transactions: BTreeMap<TransactionId, Height>,
}

impl Ledger {
    pub(super) fn new(seed: u64) -> Self {
        Self { seed, blocks: Vec::new(), records: BTreeMap::new(), transactions: BTreeMap::new() }
    }

    /// Key of the record that holds the height.
    pub(super) fn counter() -> StateKey {
        StateKey::new(0, b"counter")
    }

    /// Transactions so far.
    pub(super) fn known(&self) -> BTreeSet<TransactionId> {
        self.transactions.keys().copied().collect()
    }

    fn chance(&self, height: Height, what: u64) -> u64 {
        let hash = sha256_parts(&[&self.seed.to_be_bytes(), &height.0.to_be_bytes(), &what.to_be_bytes()]);
        hash[..8].iter().fold(0, |value, byte| value << 8 | u64::from(*byte))
    }

    /// The writes of the block at this height: a function of seed and height, as if executed.
    fn writes(&self, height: Height) -> BTreeMap<StateKey, Option<Vec<u8>>> {
        let mut writes = BTreeMap::from([(Self::counter(), Some(height.0.to_be_bytes().to_vec()))]);
        for number in 0..self.chance(height, 0) % 12 {
            let key = StateKey::new(1, &(self.chance(height, number + 1) % 200).to_be_bytes());
            let length = usize::try_from(self.chance(height, number + 50) % 300).unwrap();
            let record = vec![u8::try_from(height.0 % 251).unwrap(); length];
            let removed = self.chance(height, number + 100).is_multiple_of(4);
            writes.insert(key, (!removed).then_some(record));
        }
        writes
    }

    fn transaction(&self, height: Height, lane: Lane, index: u64) -> Transaction {
        let nonce = sha256_parts(&[
            &self.seed.to_be_bytes(),
            &height.0.to_be_bytes(),
            &lane.number().to_be_bytes(),
            &index.to_be_bytes(),
        ]);
        let content = Content {
            ledger: LEDGER,
            lane,
            valid_until: NOW,
            nonce: nonce[..16].try_into().unwrap(),
            action: vec![9; usize::try_from(self.chance(height, index) % 900).unwrap()],
            attachments: attachments_root(&[]),
        };
        let envelope = Envelope {
            algorithm: Algorithm::Ed25519,
            key_id: KeyId([3; 32]),
            payload: to_bytes(&content),
            signature: Signature(vec![0; 64]),
        };
        Transaction::new(envelope, Vec::new()).unwrap()
    }

    fn lanes(&self, height: Height) -> Vec<LaneBody> {
        let body = |lane: Lane| {
            let transactions: Vec<_> = (0..1 + self.chance(height, 200 + u64::from(lane.number())) % 4)
                .map(|index| self.transaction(height, lane, index))
                .collect();
            let header = LaneHeader {
                ledger: LEDGER,
                lane,
                height,
                time: NOW,
                previous: LaneHeaderHash::default(),
                records_root: LaneBody::records_root(&transactions),
                record_count: u32::try_from(transactions.len()).unwrap(),
                latest_expiry: Self::latest_expiry(height, lane),
                history_root: Hash::default(),
            };
            LaneBody { header, transactions }
        };
        LANES.into_iter().map(body).collect()
    }

    /// When a body ends: that of certificates a second later with each block, the other never.
    pub(super) fn latest_expiry(height: Height, lane: Lane) -> TimeMs {
        match lane {
            Lane::Certificate => NOW.plus(height.0 * 1000),
            _ => TimeMs::MAX,
        }
    }

    fn change(&self, height: Height, lanes: &[LaneBody]) -> Change {
        let mut frontier = Frontier::default();
        let mut completed = Vec::new();
        for block in self.blocks.iter().take(usize::try_from(height.0).unwrap()) {
            completed = frontier.push(block.header.leaf());
        }
        Change {
            writes: self.writes(height),
            transactions: lanes.iter().flat_map(|body| &body.transactions).map(Transaction::id).collect(),
            history: completed.into_iter().map(|node| (Tree::Headers, node)).collect(),
        }
    }

    /// The next block upon `parent`, and the state after it.
    pub(super) fn propose(&self, parent: &Snapshot) -> (Arc<Block>, Snapshot) {
        let height = parent.height().map_or(Height(0), Height::next);
        let lanes = self.lanes(height);
        let next = parent.extend(&self.change(height, &lanes)).unwrap();
        let below =
            height.0.checked_sub(1).and_then(|below| self.blocks.get(usize::try_from(below).unwrap()));
        let header = Header {
            version: FORMAT_VERSION,
            ledger: LEDGER,
            height,
            previous: below.map_or(HeaderHash::default(), |block| block.digest()),
            time: NOW,
            proposer: 0,
            lanes_root: Block::lanes_root(&lanes),
            state_root: next.root(),
            roster: RosterHash::default(),
            next_roster: RosterHash::default(),
            history_root: Hash::default(),
        };
        (Arc::new(Block { header, lanes, carried: Vec::new() }), next)
    }

    /// The next block, known to nobody yet.
    pub(super) fn unwritten(&self, store: &Store) -> Arc<Block> {
        self.propose(&store.tip()).0
    }

    /// A state that differs by `mark` upon `parent`.
    pub(super) fn fork(&self, parent: &Snapshot, mark: u8) -> Snapshot {
        let writes = BTreeMap::from([(StateKey::new(2, &[mark]), Some(vec![mark]))]);
        parent.extend(&Change { writes, ..Change::default() }).unwrap()
    }

    pub(super) fn seed(&self) -> u64 {
        self.seed
    }

    /// Remembers a block as recorded.
    pub(super) fn finalised(&mut self, block: &Arc<Block>) {
        let height = block.header.height;
        for (key, record) in self.writes(height) {
            match record {
                Some(record) => self.records.insert(key, record),
                None => self.records.remove(&key),
            };
        }
        self.transactions.extend(block.transactions().map(|transaction| (transaction.id(), height)));
        if self.blocks.len() as u64 == height.0 {
            self.blocks.push(Arc::clone(block));
        }
    }

    /// Acknowledges a block and commits the state after it.
    pub(super) fn finalise(&mut self, store: &Store, block: &Arc<Block>, next: &Snapshot) {
        store.put_block(block.digest(), block);
        store.put_votes(block.header.height, block.digest(), &sha256(b"votes"));
        store.sync().unwrap();
        store.commit(next).unwrap();
        self.finalised(block);
    }

    /// Builds, acknowledges and commits the next block.
    pub(super) fn advance(&mut self, store: &Store) {
        let (block, next) = self.propose(&store.tip());
        self.finalise(store, &block, &next);
    }

    /// Applies what a store holds above its state, as a node does at start.
    pub(super) fn replay(&mut self, store: &Store) {
        for block in store.blocks_above_checkpoint() {
            let block = block.unwrap();
            if self.blocks.len() as u64 == block.header.height.0 {
                self.blocks.push(Arc::clone(&block));
            }
            let next = store.tip().extend(&self.change(block.header.height, &block.lanes)).unwrap();
            assert_eq!(next.root(), block.header.state_root, "replay reaches the same root");
            store.commit(&next).unwrap();
            self.finalised(&block);
        }
    }

    /// Compares a state with what is expected.
    pub(super) fn check(&self, state: &Snapshot) {
        for (key, record) in &self.records {
            assert_eq!(state.record(key).unwrap().as_ref(), Some(record));
            let proof = state.prove(key).unwrap();
            assert_eq!(proof.verify(&state.root(), &key.path(), Some(&sha256(record))), Ok(()));
        }
        for number in 0..200_u64 {
            let key = StateKey::new(1, &number.to_be_bytes());
            assert_eq!(state.record(&key).unwrap(), self.records.get(&key).cloned());
        }
    }
}
