//! A ledger in memory: genesis, a user's key, a CA, blocks, proofs.

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use tabellion_client::{
    Certificate, ChainPool, Protection, Publication, Signer, SigningKey, Trust, write_key_file,
};
use tabellion_consortium::{Genesis, GenesisMember, GenesisValidator, Parameters, Role};
use tabellion_corpus::{KeyKind, TestCa};
use tabellion_ledger::{
    Algorithm, Block, CertificateId, FinalityProof, FinalitySignature, LaneBody, ProvedHeader, RecordProof,
    StateKey, StateProof, TimeMs, Transaction, TransactionId, Validator, View, cbor, merkle,
};
use tabellion_machine::{Refusal, Replay, would_apply};
use tabellion_pki::certificate_key;

/// The members; each runs a validator, and the user signs for the first.
const OPERATORS: [&str; 4] = ["alpha", "bravo", "charlie", "delta"];

pub struct Ledger {
    pub ca: TestCa,
    pub user: SigningKey,
    pub trust: Trust,
    pub replay: Replay,
    pub blocks: Vec<Block>,
    validators: Vec<SigningKey>,
}

pub fn now() -> TimeMs {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    TimeMs(u64::try_from(since.as_millis()).unwrap())
}

impl Ledger {
    pub fn new() -> Self {
        let ca = TestCa::new(KeyKind::P256);
        let generate = || SigningKey::generate(Algorithm::Ed25519).unwrap();
        let (user, mut validators) = (generate(), (0..4).map(|_| generate()).collect::<Vec<_>>());
        validators.sort_by_key(raw);
        let validator = |(number, key): (usize, &SigningKey)| GenesisValidator {
            validator: Validator {
                key: raw(key),
                member: OPERATORS[number].parse().unwrap(),
                name: format!("node {number}"),
            },
            address: format!("127.0.0.1:{}", 9000 + number),
        };
        let member = |(number, id): (usize, &&str)| GenesisMember {
            id: id.parse().unwrap(),
            name: (*id).to_owned(),
            keys: vec![if number == 0 { user.public().clone() } else { generate().public().clone() }],
            roles: vec![Role::CertificateUser],
        };
        let members = OPERATORS.iter().enumerate().map(member).collect();
        let genesis = Genesis {
            name: "test".to_owned(),
            time: TimeMs(now().0 - 60_000),
            members,
            validators: validators.iter().enumerate().map(validator).collect(),
            parameters: Parameters::default(),
            anchors: vec![ca.root().to_vec()],
        };
        let genesis = genesis.new().unwrap();
        let replay = Replay::new(&genesis).unwrap();
        let mut ledger =
            Self { ca, user, trust: Trust::new(genesis), replay, blocks: Vec::new(), validators };
        // The first block, as a network makes it before its first client comes.
        ledger.publish("first.example");
        ledger
    }

    /// Issues a certificate and records it.
    pub fn publish(&mut self, name: &str) -> Vec<u8> {
        let der = self.ca.issue(name);
        let certificate = Certificate::from_der(&der).unwrap();
        let publication = Publication::new(&self.pool().chain_of(&certificate, None).unwrap(), None, "");
        let signer = Signer { key: &self.user, ledger: self.trust.ledger() };
        self.record(signer.publish(&[publication], now().plus(60_000)).unwrap()).unwrap();
        der
    }

    fn pool(&self) -> ChainPool {
        let mut pool = ChainPool::new([self.ca.root()]);
        for der in self.ca.intermediates() {
            pool.add(Certificate::from_der(der).unwrap());
        }
        pool
    }

    /// Records a transaction in a block of its own.
    pub fn record(&mut self, transaction: Transaction) -> Result<u64, Refusal> {
        let checked = self.replay.check(transaction)?;
        let rules = self.replay.rules().clone();
        would_apply(&checked, self.replay.header(), now(), &rules, self.replay.state())?;
        let proposal = self.replay.build(&[checked], now(), 0).unwrap();
        assert!(proposal.refused.is_empty());
        self.blocks.push(proposal.outcome.block.as_ref().clone().recorded());
        self.replay.advance(&proposal.outcome);
        Ok(self.replay.header().height.0)
    }

    pub fn finality(&self) -> FinalityProof {
        let header = self.replay.header().clone();
        let (view, parent_view) = (header.height.0 + 1, header.height.0);
        let mut proof = FinalityProof { header, epoch: 0, view, parent_view, signatures: Vec::new() };
        let message = proof.message(&self.trust.ledger());
        for (validator, key) in (0..).zip(&self.validators).take(3) {
            let signature = key.sign(&message).unwrap().0.try_into().unwrap();
            proof.signatures.push(FinalitySignature { validator, signature });
        }
        proof
    }

    pub fn state_proof(&self, key: StateKey) -> StateProof {
        let record = self.replay.state().get(&key);
        StateProof { record, trie: self.replay.prove(&key).unwrap(), finality: self.finality(), key }
    }

    pub fn status_proof(&self, id: &CertificateId) -> StateProof {
        self.state_proof(certificate_key(id))
    }

    pub fn record_proof(&self, id: &TransactionId) -> Option<RecordProof> {
        let height = usize::try_from(self.replay.state().transaction_height(id)?.0).unwrap();
        let block = &self.blocks[height - 1];
        let body: &LaneBody = &block.lanes[0];
        let index = body.transactions.iter().position(|transaction| transaction.id() == *id)?;
        let leaves: Vec<_> = body.transactions.iter().map(Transaction::record_leaf).collect();
        let older = (height != self.blocks.len()).then(|| {
            let genesis = tabellion_machine::genesis(self.trust.genesis()).unwrap().block;
            let headers = std::iter::once(&genesis).chain(&self.blocks);
            let history: Vec<_> = headers.take(self.blocks.len()).map(|block| block.header.leaf()).collect();
            (block.header.clone(), merkle::inclusion_path(&history, height))
        });
        Some(RecordProof {
            header: ProvedHeader { finality: self.finality(), older },
            lanes: vec![body.header.hash()],
            lane: body.header.clone(),
            record_index: u64::try_from(index).unwrap(),
            record_path: merkle::inclusion_path(&leaves, index),
            transaction: body.transactions[index].to_bytes(),
        })
    }

    /// Writes what a user has: genesis.cbor, user.pem (the key), ca.pem (the intermediate).
    pub fn write_files(&self, folder: &Path) {
        std::fs::write(folder.join("genesis.cbor"), cbor::to_bytes(self.trust.genesis())).unwrap();
        write_key_file(&folder.join("user.pem"), &self.user, &Protection::PlainText).unwrap();
        write_pem(folder, "ca.pem", &[self.ca.intermediates()[0]]);
    }
}

fn raw(key: &SigningKey) -> [u8; 32] {
    key.public().as_bytes().try_into().unwrap()
}

/// Writes certificates as PEM.
pub fn write_pem(folder: &Path, name: &str, ders: &[&[u8]]) -> PathBuf {
    let path = folder.join(name);
    let text: String =
        ders.iter().map(|der| pem::encode(&pem::Pem::new("CERTIFICATE", der.to_vec()))).collect();
    std::fs::write(&path, text).unwrap();
    path
}
