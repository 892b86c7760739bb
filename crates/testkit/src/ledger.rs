//! A ledger for plans: its genesis document, its CA and its publisher.

use tabellion_client::SigningKey;
use tabellion_consortium::{
    Action as MemberAction, Genesis, GenesisMember, GenesisValidator, Parameters, Role,
};
use tabellion_corpus::{TestCa, TestKey};
use tabellion_engine::node_key;
use tabellion_ledger::{
    CertificateId, Content, Lane, LedgerId, TimeMs, Transaction, Validator, attachments_root, cbor, sha256,
};
use tabellion_pki::{Action, Entry, Facts, Status, Window};

/// Blocks of an epoch: few, so that every plan passes the ends of some.
pub const EPOCH_BLOCKS: u64 = 12;
/// How long a published transaction may wait: longer than any partition of a plan. Unit: ms.
const LIFETIME_MS: u64 = 1_800_000;

/// Transactions of a block: few, so that plans see full blocks.
pub const TRANSACTIONS_MAX: usize = 32;
/// Bytes of a block.
const BLOCK_BYTES_MAX: u64 = 128 * 1024;
/// What stands before the seed in a PKCS#8 private key of Ed25519 (RFC 8410).
const ED25519_PKCS8: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];

/// The seed of a node's key.
pub fn node_seed(index: usize) -> [u8; 32] {
    [u8::try_from(index + 1).expect("a plan has few nodes"); 32]
}

/// The seed of another key; `kind` tells members' from certificates'.
fn seed(kind: &str, number: u64) -> [u8; 32] {
    sha256(format!("{kind}/{number}").as_bytes())
}

fn signing_key(kind: &str, number: u64) -> SigningKey {
    let pkcs8 = [ED25519_PKCS8.as_slice(), &seed(kind, number)].concat();
    SigningKey::from_pkcs8(&pkcs8).expect("any 32 bytes are an Ed25519 seed")
}

/// A ledger whose certificates are made on the spot. All keys come from seeds: every run of a plan signs the
/// same bytes.
pub struct TestLedger {
    /// The genesis document.
    pub genesis: Genesis,
    ca: TestCa,
    publisher: SigningKey,
    published: u64,
}

impl TestLedger {
    /// A ledger of as many validators, each of a member of its own.
    pub fn new(validators: usize, time: TimeMs) -> Self {
        let ca = TestCa::of_keys((0..2).map(|number| TestKey::from_seed(&seed("authority", number))));
        let publisher = signing_key("publisher", 0);
        let member = |index: usize| format!("member-{index}").parse().expect("a member id");
        let mut members: Vec<_> = (0..validators)
            .map(|index| GenesisMember {
                id: member(index),
                name: format!("Member {index}"),
                keys: vec![signing_key("member", u64::try_from(index).unwrap_or(0)).public().clone()],
                roles: Vec::new(),
            })
            .collect();
        members[0].keys.push(publisher.public().clone());
        members[0].roles.push(Role::CertificateUser);
        let validator = |index: usize| {
            let key = node_key(&node_seed(index)).0;
            let validator = Validator { key, member: member(index), name: format!("node-{index}") };
            GenesisValidator { validator, address: format!("127.0.0.1:{}", 9000 + index) }
        };
        let mut parameters = Parameters::default();
        parameters.block.epoch_blocks = EPOCH_BLOCKS;
        parameters.block.block_transactions_max = u64::try_from(TRANSACTIONS_MAX).unwrap_or(u64::MAX);
        parameters.block.block_bytes_max = BLOCK_BYTES_MAX;
        // A validator that lost its seat may get it back within a plan.
        parameters.governance.probation_epochs = 0;
        let genesis = Genesis {
            name: "plan".to_owned(),
            time,
            members,
            validators: (0..validators).map(validator).collect(),
            parameters,
            anchors: vec![ca.root().to_vec()],
        };
        let genesis = genesis.new().expect("the document is sound");
        Self { genesis, ca, publisher, published: 0 }
    }

    /// The ledger's identifier.
    pub fn id(&self) -> LedgerId {
        self.genesis.ledger_id()
    }

    /// A transaction by which a member acts in the consortium.
    pub fn act(&mut self, member: usize, action: &MemberAction, now: TimeMs) -> Transaction {
        self.published += 1;
        let key = signing_key("member", u64::try_from(member).unwrap_or(0));
        let content = Content {
            ledger: self.id(),
            lane: Lane::Consortium,
            valid_until: now.plus(LIFETIME_MS),
            nonce: self.nonce(),
            action: cbor::to_bytes(action),
            attachments: attachments_root(&[] as &[Vec<u8>]),
        };
        let envelope = key.envelope(&content).expect("a key can sign");
        Transaction::new(envelope, Vec::new()).expect("a transaction of our own")
    }

    fn nonce(&self) -> [u8; 16] {
        let mut nonce = [0; 16];
        nonce[..8].copy_from_slice(&self.published.to_be_bytes());
        nonce
    }

    /// A transaction that publishes a fresh certificate.
    pub fn publish(&mut self, now: TimeMs) -> Transaction {
        self.published += 1;
        let key = TestKey::from_seed(&seed("certificate", self.published));
        let draft = self.ca.leaf_draft(&format!("n{}.example", self.published), &key.spki());
        let der = self.ca.sign(&draft);
        let facts = Facts::of(&der).expect("a certificate of our own");
        let entry = Entry {
            certificate: facts.certificate,
            key: facts.key,
            status: Status::Normal,
            validity: Window { from: facts.not_before, until: facts.not_after },
            window: None,
            intermediates: self.ca.intermediates().into_iter().map(CertificateId::of).collect(),
            root: CertificateId::of(self.ca.root()),
        };
        let intermediates = self.ca.intermediates().into_iter().map(<[u8]>::to_vec);
        let attachments: Vec<Vec<u8>> = [der].into_iter().chain(intermediates).collect();
        let content = Content {
            ledger: self.id(),
            lane: Lane::Certificate,
            valid_until: now.plus(LIFETIME_MS),
            nonce: self.nonce(),
            action: cbor::to_bytes(&Action::Publish(vec![entry])),
            attachments: attachments_root(&attachments),
        };
        let envelope = self.publisher.envelope(&content).expect("a key can sign");
        Transaction::new(envelope, attachments).expect("a transaction of our own")
    }
}
