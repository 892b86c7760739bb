//! A ledger of four validators in memory, with a user and a certification authority.

use tabellion_consortium::{Genesis, GenesisMember, GenesisValidator, Parameters, Role};
use tabellion_corpus::{KeyKind, TestCa};
use tabellion_ledger::limits::MERKLE_PATH_MAX;
use tabellion_ledger::{
    Algorithm, Block, CertificateId, FinalityProof, FinalitySignature, LaneBody, ProvedHeader, RecordProof,
    StateKey, StateProof, TimeMs, Transaction, Validator, merkle,
};
use tabellion_machine::Replay;
use tabellion_pki::certificate_key;

use crate::{Certificate, ChainPool, Publication, Signer, SigningKey, Trust};

/// 2026-11-21T00:00:00Z, in the validity of all test certificates.
pub const NOW: TimeMs = TimeMs(1_795_219_200_000);

/// The members; each runs a validator, and the user signs for the first.
const OPERATORS: [&str; 4] = ["alpha", "bravo", "charlie", "delta"];

pub struct World {
    pub ca: TestCa,
    pub user: SigningKey,
    /// Keys of the other members.
    pub others: Vec<SigningKey>,
    pub trust: Trust,
    pub ledger: Replay,
    pub blocks: Vec<Block>,
    validators: Vec<SigningKey>,
}

impl World {
    pub fn new() -> Self {
        Self::with_parameters(Parameters::default())
    }

    pub fn with_parameters(parameters: Parameters) -> Self {
        let ca = TestCa::new(KeyKind::P256);
        let anchors = vec![ca.root().to_vec()];
        Self::of(ca, parameters, anchors)
    }

    pub fn with_anchors(anchors: Vec<Vec<u8>>) -> Self {
        Self::of(TestCa::new(KeyKind::P256), Parameters::default(), anchors)
    }

    fn of(ca: TestCa, parameters: Parameters, anchors: Vec<Vec<u8>>) -> Self {
        let generate = || SigningKey::generate(Algorithm::Ed25519).unwrap();
        let (user, mut validators) = (generate(), (0..4).map(|_| generate()).collect::<Vec<_>>());
        validators.sort_by_key(raw);
        let others: Vec<_> = (1..4).map(|_| generate()).collect();
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
            keys: vec![if number == 0 { &user } else { &others[number - 1] }.public().clone()],
            roles: vec![Role::CertificateUser],
        };
        let members = OPERATORS.iter().enumerate().map(member).collect();
        let genesis = Genesis {
            name: "test".to_owned(),
            time: TimeMs(NOW.0 - 10_000),
            members,
            validators: validators.iter().enumerate().map(validator).collect(),
            parameters,
            anchors,
        };
        let genesis = genesis.new().unwrap();
        let ledger = Replay::new(&genesis).unwrap();
        Self { ca, user, others, trust: Trust::new(genesis), ledger, blocks: Vec::new(), validators }
    }

    pub fn pool(&self) -> ChainPool {
        let mut pool = ChainPool::new([self.ca.root()]);
        for der in self.ca.intermediates() {
            pool.add(Certificate::from_der(der).unwrap());
        }
        pool
    }

    pub fn publication(&mut self, name: &str) -> Publication {
        let certificate = Certificate::from_der(&self.ca.issue(name)).unwrap();
        Publication::new(&self.pool().chain_of(&certificate, None).unwrap(), None, name)
    }

    pub fn transaction(&self, publications: &[Publication]) -> Transaction {
        let signer = Signer { key: &self.user, ledger: self.trust.ledger() };
        signer.publish(publications, NOW.plus(600_000)).unwrap()
    }

    /// Records transactions in the next block.
    pub fn record(&mut self, transactions: Vec<Transaction>) {
        let checked: Vec<_> = transactions.into_iter().map(|tx| self.ledger.check(tx).unwrap()).collect();
        let time = NOW.plus(u64::try_from(self.blocks.len()).unwrap() * 1000);
        let proposal = self.ledger.build(&checked, time, 0).unwrap();
        assert!(proposal.refused.is_empty(), "{:?}", proposal.refused);
        self.blocks.push(proposal.outcome.block.as_ref().clone().recorded());
        self.ledger.advance(&proposal.outcome);
    }

    /// Records an action of the consortium lane in the next block.
    pub fn govern(&mut self, key: usize, action: &tabellion_consortium::Action) {
        let key = if key == 0 { &self.user } else { &self.others[key - 1] };
        let signer = Signer { key, ledger: self.trust.ledger() };
        let lane = tabellion_ledger::Lane::Consortium;
        let transaction = signer.transaction(lane, action.to_bytes(), Vec::new(), NOW.plus(600_000)).unwrap();
        self.record(vec![transaction]);
    }

    /// Three of the four members decide a change.
    pub fn decide(&mut self, change: tabellion_consortium::Change) {
        use tabellion_consortium::{Action, Ballot, Choice, Proposed, agenda, proposal};
        let number = agenda(self.ledger.state()).next;
        let deadline = NOW.plus(3_600_000);
        let effect = tabellion_ledger::Height(0);
        self.govern(0, &Action::Propose(Proposed { change, reason: String::new(), deadline, effect }));
        let hash = proposal(self.ledger.state(), number).unwrap().hash();
        for voter in [1, 2] {
            let reason = String::new();
            self.govern(voter, &Action::Vote(Ballot { proposal: number, hash, choice: Choice::For, reason }));
        }
    }

    /// Publishes one new certificate in a block of its own.
    pub fn publish(&mut self, name: &str) -> (CertificateId, Transaction) {
        let publication = self.publication(name);
        let transaction = self.transaction(std::slice::from_ref(&publication));
        self.record(vec![transaction.clone()]);
        (publication.id(), transaction)
    }

    /// A header under the signatures of these validators.
    pub fn finality_of(&self, header: tabellion_ledger::Header, signers: &[u16]) -> FinalityProof {
        let (view, parent_view) = (header.height.0 + 1, header.height.0);
        let mut proof = FinalityProof { header, epoch: 0, view, parent_view, signatures: Vec::new() };
        let message = proof.message(&self.trust.ledger());
        for validator in signers {
            let signature = self.validators[usize::from(*validator)].sign(&message).unwrap();
            let signature = signature.0.try_into().unwrap();
            proof.signatures.push(FinalitySignature { validator: *validator, signature });
        }
        proof
    }

    /// The finality proof of the newest block.
    pub fn finality(&self) -> FinalityProof {
        self.finality_of(self.ledger.header().clone(), &[0, 1, 3])
    }

    pub fn state_proof(&self, key: StateKey) -> StateProof {
        use tabellion_ledger::View;
        let record = self.ledger.state().get(&key);
        StateProof { record, trie: self.ledger.prove(&key).unwrap(), finality: self.finality(), key }
    }

    pub fn status_proof(&self, id: &CertificateId) -> StateProof {
        self.state_proof(certificate_key(id))
    }

    /// The proof of the first transaction of the block at `height`, under the newest header.
    pub fn record_proof(&self, height: usize) -> RecordProof {
        let block = &self.blocks[height - 1];
        let body: &LaneBody = &block.lanes[0];
        let leaves: Vec<_> = body.transactions.iter().map(Transaction::record_leaf).collect();
        let older = (height != self.blocks.len()).then(|| {
            let genesis = tabellion_machine::genesis(self.trust.genesis()).unwrap().block;
            let headers = std::iter::once(&genesis).chain(&self.blocks);
            let history: Vec<_> = headers.take(self.blocks.len()).map(|block| block.header.leaf()).collect();
            let path = merkle::inclusion_path(&history, height);
            assert!(path.len() <= MERKLE_PATH_MAX);
            (block.header.clone(), path)
        });
        RecordProof {
            header: ProvedHeader { finality: self.finality(), older },
            lanes: vec![body.header.hash()],
            lane: body.header.clone(),
            record_index: 0,
            record_path: merkle::inclusion_path(&leaves, 0),
            transaction: body.transactions[0].to_bytes(),
        }
    }
}

fn raw(key: &SigningKey) -> [u8; 32] {
    key.public().as_bytes().try_into().unwrap()
}
