//! What becomes of bodies, and what an archive gives back.

use tabellion_consortium::{Genesis, GenesisMember, GenesisValidator, Parameters, Role};
use tabellion_corpus::{KeyKind, TestCa};
use tabellion_ledger::{
    Algorithm, Block, CertificateId, Content, Envelope, Hash, KeyId, LaneHeader, LaneHeaderHash, LedgerId,
    PublicKey, Signature, Validator, attachments_root, cbor,
};
use tabellion_machine::{GenesisState, genesis};
use tabellion_pki::{Entry, Status, Window};

use super::*;
use crate::store::{Change, StoreConfig};

const END: TimeMs = TimeMs(5_000);

/// X.1409 C21, A.3: on a ledger of identifiers a forged or premature notice deletes nothing, a true one does.
#[test]
fn a_body_goes_by_a_true_notice_only_where_one_is_needed() {
    let needed = Found::NeededUntil(END);
    let (none, absent) = (None, Some(None));
    let (early, at_the_end, late) = (Some(Some(TimeMs(4_000))), Some(Some(END)), Some(Some(TimeMs(5_001))));
    let rows = [
        ("full ledger, not over", false, none, false, needed, Noticed::Fine),
        ("full ledger, over", true, none, false, Found::Ended, Noticed::Fine),
        ("not over, no notice", false, absent, false, needed, Noticed::Fine),
        ("over, no notice", true, absent, false, Found::Settled, Noticed::Awaited),
        ("not over, premature notice comes", false, early, true, needed, Noticed::Untrue),
        ("over, premature notice came once", true, early, false, Found::Settled, Noticed::Awaited),
        ("over, premature notice comes again", true, early, true, Found::Settled, Noticed::Untrue),
        ("over, notice of the last moment", true, at_the_end, true, Found::Settled, Noticed::Untrue),
        ("over, true notice comes", true, late, true, Found::Ended, Noticed::Fine),
        ("over, true notice came once", true, late, false, Found::Ended, Noticed::Fine),
        ("kept beyond its end, true notice", false, late, true, needed, Noticed::Fine),
    ];
    for (name, is_over, given, is_marked, found, noticed) in rows {
        assert_eq!(verdict(is_over, END, given, is_marked), (found, noticed), "{name}");
    }
}

/// A ledger of identifiers of some epochs, of which two blocks record a certificate that nobody needs any
/// more.
struct Identifiers {
    store: Arc<Store>,
    blocks: Vec<Block>,
    _folder: tempfile::TempDir,
}

const NOW: TimeMs = TimeMs(1_800_000_000_000);

fn document() -> Genesis {
    let key = |seed: u8| ed25519_consensus::SigningKey::from([seed; 32]).verification_key().to_bytes();
    let member: tabellion_ledger::MemberId = "member".parse().unwrap();
    let mut parameters = Parameters::default();
    parameters.block.epoch_blocks = 4;
    parameters.certificate.kind = LedgerKind::Identifiers;
    let genesis = Genesis {
        name: "identifiers".to_owned(),
        time: NOW,
        members: vec![GenesisMember {
            id: member.clone(),
            name: "A member".to_owned(),
            keys: vec![PublicKey::new(Algorithm::Ed25519, &key(1)).unwrap()],
            roles: vec![Role::CertificateUser],
        }],
        validators: vec![GenesisValidator {
            validator: Validator { key: key(2), member, name: "one".to_owned() },
            address: "127.0.0.1:1".to_owned(),
        }],
        parameters,
        anchors: vec![TestCa::new(KeyKind::P256).root().to_vec()],
    };
    genesis.new().unwrap()
}

/// A publication that ended at once, as recorded, and what travelled beside it.
fn publication(ledger: LedgerId, number: u8) -> (Transaction, Vec<Vec<u8>>) {
    let attachments = vec![vec![number; 100]];
    let window = Window { from: TimeMs(NOW.0 - 1000), until: NOW };
    let entry = Entry {
        certificate: CertificateId::of(&attachments[0]),
        key: KeyId::default(),
        status: Status::Normal,
        validity: window,
        window: None,
        intermediates: Vec::new(),
        root: CertificateId::default(),
    };
    let content = Content {
        ledger,
        lane: Lane::Certificate,
        valid_until: NOW,
        nonce: [number; 16],
        action: cbor::to_bytes(&Action::Publish(vec![entry])),
        attachments: attachments_root(&attachments),
    };
    let payload = cbor::to_bytes(&content);
    let (key_id, signature) = (KeyId::default(), Signature(vec![0; 64]));
    let envelope = Envelope { algorithm: Algorithm::Ed25519, key_id, payload, signature };
    (Transaction::new(envelope, Vec::new()).unwrap(), attachments)
}

impl Identifiers {
    fn new() -> Self {
        let (folder, document) = (tempfile::tempdir().unwrap(), document());
        let store = Store::open(folder.path(), document.ledger_id(), StoreConfig::default()).unwrap();
        let GenesisState { block, writes, .. } = genesis(&document).unwrap();
        let next = store.tip().extend(&Change { writes, ..Change::default() }).unwrap();
        let mut it = Self { store: Arc::new(store), blocks: Vec::new(), _folder: folder };
        it.put(block, &next);
        for height in 1..=13 {
            let published = matches!(height, 2 | 3).then(|| publication(document.ledger_id(), height));
            it.advance(published);
        }
        it.store.checkpoint(NOW).unwrap();
        it
    }

    fn put(&mut self, block: Block, next: &Snapshot) {
        self.store.put_block(block.digest(), &Arc::new(block.clone().recorded()));
        self.store.sync().unwrap();
        self.store.commit(next).unwrap();
        self.blocks.push(block);
    }

    fn advance(&mut self, published: Option<(Transaction, Vec<Vec<u8>>)>) {
        let next = self.store.tip().extend(&Change::default()).unwrap();
        let before = &self.blocks.last().unwrap().header;
        let (ledger, height, time) = (before.ledger, before.height.next(), before.time.plus(1));
        let (transactions, carried): (Vec<_>, Vec<_>) = published.into_iter().unzip();
        let lane = LaneHeader {
            ledger,
            lane: Lane::Certificate,
            height,
            time,
            previous: LaneHeaderHash::default(),
            records_root: LaneBody::records_root(&transactions),
            record_count: 1,
            latest_expiry: NOW,
            history_root: Hash::default(),
        };
        let body = LaneBody { header: lane, transactions };
        let lanes: Vec<_> = Some(body).into_iter().filter(|body| !body.transactions.is_empty()).collect();
        let header = Header {
            height,
            previous: before.hash(),
            time,
            lanes_root: Block::lanes_root(&lanes),
            state_root: next.root(),
            ..before.clone()
        };
        self.put(Block { header, lanes, carried }, &next);
    }

    fn to_notice(&self) -> Vec<u64> {
        let heights = Pruner::new(self.store.clone(), 0).to_notice().unwrap();
        heights.into_iter().map(|height| height.0).collect()
    }
}

/// X.1409 C18, C21: a backup node gives no notice of a block of which it lacks certificates; once it has
/// them, it does.
#[test]
fn a_backup_node_gives_no_notice_of_what_it_lacks() {
    let it = Identifiers::new();
    assert_eq!(it.to_notice(), [0_u64; 0], "both lack what travelled beside them");
    assert!(it.store.put_beside(&it.blocks[3]).unwrap());
    assert_eq!(it.to_notice(), [3]);
    it.store.asked_in_vain(&[Height(2)]).unwrap();
    assert_eq!(it.to_notice(), [3], "what nobody else holds is lacking too");
    assert!(it.store.put_beside(&it.blocks[2]).unwrap());
    assert_eq!(it.to_notice(), [2, 3]);
}
