//! The ledger of the vectors: a genesis document and three blocks, made by the product from fixed seeds.
//!
//! Block 1 records a certificate (Ed25519). Block 2 records a second one (ES256) and schedules a third
//! (ML-DSA-65). Block 3 is an empty heartbeat.

use std::collections::BTreeMap;

use ed25519_consensus::SigningKey;
use tabellion_consortium::{Genesis, GenesisMember, GenesisValidator, Parameters, Role};
use tabellion_corpus::{KeyKind, TestCa};
use tabellion_ledger::trie::TrieProof;
use tabellion_ledger::{
    Algorithm, Block, CertificateId, Content, Envelope, FinalityProof, FinalitySignature, Header, Lane,
    LedgerId, PublicKey, Roster, StateKey, TimeMs, Transaction, Validator, Writes, attachments_root, cbor,
};
use tabellion_machine::{Replay, genesis, submit};
use tabellion_pki::{Action, Entry, Facts, Status, Window};

use super::keys::{MemberKey, seed, validator_key};

/// 2026-06-01T00:00:00Z.
const GENESIS_TIME: TimeMs = TimeMs(1_780_272_000_000);
/// The members; each runs one validator.
const MEMBERS: [&str; 4] = ["alpha", "bravo", "charlie", "delta"];
/// The certificates, made once and kept: X.509 signatures with P-256 differ each time.
pub const CERTIFICATES: [&str; 5] = [
    "certificate-root",
    "certificate-intermediate",
    "certificate-first",
    "certificate-second",
    "certificate-third",
];

pub type Frozen = BTreeMap<String, Vec<u8>>;

/// The frozen certificates, or new ones where there are none.
pub fn certificates(frozen: &Frozen) -> Vec<Vec<u8>> {
    let kept: Option<Vec<_>> = CERTIFICATES.iter().map(|name| frozen.get(*name).cloned()).collect();
    kept.unwrap_or_else(|| {
        let mut ca = TestCa::new(KeyKind::P256);
        let mut made = vec![ca.root().to_vec(), ca.intermediates()[0].to_vec()];
        made.extend(["first", "second", "third"].map(|host| ca.issue(&format!("{host}.example"))));
        made
    })
}

/// A genesis document, three blocks, and the state that they leave.
pub struct Chain {
    pub document: Genesis,
    pub roster: Roster,
    /// Blocks 0 to 3.
    pub blocks: Vec<Block>,
    /// Publications of blocks 1 and 2, in order.
    pub transactions: Vec<Transaction>,
    /// The state after block 3.
    pub state: BTreeMap<StateKey, Vec<u8>>,
    pub certificates: Vec<Vec<u8>>,
    replay: Replay,
}

impl Chain {
    pub fn new(frozen: &Frozen) -> Self {
        let certificates = certificates(frozen);
        let document = document(&certificates[0]);
        let first = genesis(&document).unwrap();
        let mut chain = Self {
            roster: document.roster(),
            blocks: vec![first.block],
            transactions: Vec::new(),
            state: BTreeMap::new(),
            replay: Replay::new(&document).unwrap(),
            document,
            certificates,
        };
        chain.write(first.writes);
        let start = GENESIS_TIME.0;
        chain.publish(frozen, "ed25519", Algorithm::Ed25519, 2, None);
        chain.block(1, start + 1_000);
        chain.publish(frozen, "es256", Algorithm::Es256, 3, None);
        let window = Window { from: TimeMs(start + 86_400_000), until: TimeMs(start + 30 * 86_400_000) };
        chain.publish(frozen, "ml-dsa-65", Algorithm::MlDsa65, 4, Some(window));
        chain.block(2, start + 2_000);
        chain.block(0, start + 62_000);
        chain
    }

    pub fn ledger(&self) -> LedgerId {
        self.document.ledger_id()
    }

    fn write(&mut self, writes: Writes) {
        for (key, record) in writes {
            match record {
                Some(record) => self.state.insert(key, record),
                None => self.state.remove(&key),
            };
        }
    }

    /// A request to publish one of the certificates.
    fn publish(&mut self, frozen: &Frozen, name: &str, by: Algorithm, which: usize, window: Option<Window>) {
        let facts = Facts::of(&self.certificates[which]).unwrap();
        let entry = Entry {
            certificate: facts.certificate,
            key: facts.key,
            status: Status::Normal,
            validity: Window { from: facts.not_before, until: facts.not_after },
            window,
            intermediates: vec![CertificateId::of(&self.certificates[1])],
            root: CertificateId::of(&self.certificates[0]),
        };
        let action = cbor::to_bytes(&Action::Publish(vec![entry]));
        let attachments = vec![self.certificates[which].clone(), self.certificates[1].clone()];
        let transaction = self.sign(frozen, name, by, Lane::Certificate, action, attachments);
        self.transactions.push(transaction);
    }

    /// A transaction of `alpha`; its envelope is the vector `envelope-<name>`.
    pub fn sign(
        &self,
        frozen: &Frozen,
        name: &str,
        by: Algorithm,
        lane: Lane,
        action: Vec<u8>,
        attachments: Vec<Vec<u8>>,
    ) -> Transaction {
        let mut nonce = [0; 16];
        nonce.copy_from_slice(&seed(&format!("nonce/{name}"))[..16]);
        let valid_until = GENESIS_TIME.plus(600_000);
        let root = attachments_root(&attachments);
        let content = Content { ledger: self.ledger(), lane, valid_until, nonce, action, attachments: root };
        let known = frozen.get(&format!("envelope-{name}"));
        let known = known.and_then(|bytes| cbor::from_bytes::<Envelope>(bytes, bytes.len()).ok());
        let envelope = MemberKey::new(by).envelope(cbor::to_bytes(&content), known);
        Transaction::new(envelope, attachments).unwrap()
    }

    /// The next block, of the last `count` transactions, as a leader builds it.
    fn block(&mut self, count: usize, time: u64) {
        let ledger = self.ledger();
        let mut checked = Vec::new();
        for transaction in &self.transactions[self.transactions.len() - count..] {
            let submitted = submit(&transaction.to_bytes(), &ledger).unwrap();
            checked.push(self.replay.check(submitted).unwrap());
        }
        let proposal = self.replay.build(&checked, TimeMs(time), 1).unwrap();
        assert_eq!(proposal.refused, []);
        self.replay.advance(&proposal.outcome);
        self.write(proposal.outcome.writes);
        self.blocks.push(proposal.outcome.block.as_ref().clone());
    }

    /// The newest header.
    pub fn header(&self) -> &Header {
        self.replay.header()
    }

    /// The proof of what stands under a key in the newest state.
    pub fn prove(&self, key: &StateKey) -> TrieProof {
        self.replay.prove(key).unwrap()
    }

    /// The header under the votes of validators 0, 1 and 3.
    pub fn finalise(&self, header: &Header) -> FinalityProof {
        let view = 200 + header.height.0;
        let header = header.clone();
        let mut proof =
            FinalityProof { header, epoch: 0, view, parent_view: view - 1, signatures: Vec::new() };
        let message = proof.message(&self.ledger());
        for validator in [0, 1, 3_u16] {
            let member = &self.roster.validators()[usize::from(validator)].member;
            let signature = validator_key(member.as_str()).sign(&message).to_bytes();
            proof.signatures.push(FinalitySignature { validator, signature });
        }
        proof
    }
}

fn document(root: &[u8]) -> Genesis {
    let member = |id: &&str| {
        let own = SigningKey::from(seed(&format!("member/{id}"))).verification_key();
        let own = PublicKey::new(Algorithm::Ed25519, own.as_bytes()).unwrap();
        let (keys, roles) = match *id {
            "alpha" => (
                Algorithm::ALL.map(|by| MemberKey::new(by).public()).to_vec(),
                vec![Role::CertificationAuthority, Role::Operator],
            ),
            _ => (vec![own], vec![Role::Auditor, Role::Operator]),
        };
        GenesisMember { id: id.parse().unwrap(), name: format!("Organisation {id}"), keys, roles }
    };
    let validator = |id: &&str| {
        let key = validator_key(id).verification_key().to_bytes();
        let validator = Validator { key, member: id.parse().unwrap(), name: format!("{id}-1") };
        GenesisValidator { validator, address: format!("{id}.example:7000") }
    };
    let genesis = Genesis {
        name: "vectors".to_owned(),
        time: GENESIS_TIME,
        members: MEMBERS.iter().map(member).collect(),
        validators: MEMBERS.iter().map(validator).collect(),
        parameters: Parameters::default(),
        anchors: vec![root.to_vec()],
    };
    genesis.new().unwrap()
}
