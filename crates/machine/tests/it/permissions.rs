//! The permission matrix: as it is written for readers, and as the machine acts upon it.

use ed25519_consensus::SigningKey;
use tabellion_consortium::{
    AccountName, Action, ActionKind, Ballot, Boundary, Change, Choice, Genesis, GenesisMember,
    GenesisValidator, Invite, Join, KeyOffer, NewAccount, NodeId, NodeKey, NodeRole, Parameters, Permission,
    ProposalNumber, Proposed, Purpose, Role, Rotation, permission_matrix, possession_message, roster,
};
use tabellion_corpus::{KeyKind, TestCa};
use tabellion_ledger::{
    Algorithm, CertificateId, Content, Envelope, Hash, HeaderHash, Height, Lane, LedgerId, MemberId,
    PublicKey, Signature, TimeMs, Transaction, Validator, attachments_root, cbor,
};
use tabellion_machine::{Refusal, Replay, permissions, submit, would_apply};
use tabellion_pki::{Entry, Facts, KeySignature, OptimisationNotice, Relay, Renewal, Status, Window};

/// X.1409 L9: what readers are told is what the code does.
#[test]
fn the_written_matrix_is_the_one_of_the_code() {
    let page = include_str!("../../../../docs/permissions.md");
    let made = permission_matrix(&permissions());
    assert!(page.contains(&made), "docs/permissions.md does not hold the table of this code:\n{made}");
}

fn key(seed: u8) -> SigningKey {
    SigningKey::from([seed; 32])
}

fn public(key: &SigningKey) -> PublicKey {
    PublicKey::new(Algorithm::Ed25519, &key.verification_key().to_bytes()).unwrap()
}

fn signature(key: &SigningKey, message: &[u8]) -> Signature {
    Signature(key.sign(message).to_bytes().to_vec())
}

fn offer(key: &SigningKey, ledger: &LedgerId, member: &MemberId, purpose: Purpose<'_>) -> KeyOffer {
    let message = possession_message(ledger, member, &public(key).id(), purpose);
    KeyOffer { key: public(key), possession: signature(key, &message) }
}

/// Who signs: the member, its account or one of its nodes, or an invitation, with the roles in force.
struct Signer {
    key: SigningKey,
    member: MemberId,
    kind: &'static str,
    roles: Vec<Role>,
}

const START: TimeMs = TimeMs(1_790_000_000_000);
const NODE: u8 = 200;
const INVITATION: u8 = 201;

struct World {
    replay: Replay,
    ca: TestCa,
    nonce: u64,
}

/// A member for each role, and one without any.
fn member(place: usize) -> MemberId {
    format!("m{place}").parse().unwrap()
}

fn roles(place: usize) -> Vec<Role> {
    Role::ALL.get(place).into_iter().copied().collect()
}

fn seed(place: usize) -> u8 {
    u8::try_from(place).unwrap() + 1
}

impl World {
    fn new() -> Self {
        let ca = TestCa::new(KeyKind::P256);
        let founder = |place: usize| GenesisMember {
            id: member(place),
            name: "A member".to_owned(),
            keys: vec![public(&key(seed(place)))],
            roles: roles(place),
        };
        let validator = Validator {
            key: key(NODE).verification_key().to_bytes(),
            member: member(8),
            name: "one".to_owned(),
        };
        let genesis = Genesis {
            name: "permissions".to_owned(),
            time: START,
            members: (0..=Role::ALL.len()).map(founder).collect(),
            validators: vec![GenesisValidator { validator, address: "127.0.0.1:1".to_owned() }],
            parameters: Parameters::default(),
            anchors: vec![ca.root().to_vec()],
        };
        let mut world = Self { replay: Replay::new(&genesis.new().unwrap()).unwrap(), ca, nonce: 0 };
        for place in 0..=Role::ALL.len() {
            let (ledger, id, name) = (world.ledger(), member(place), "desk".parse().unwrap());
            let keys = vec![offer(&key(seed(place) + 100), &ledger, &id, Purpose::Account(&name))];
            let action =
                Action::OpenAccount(NewAccount { name, about: String::new(), keys, roles: roles(place) });
            world.record(&action, &key(seed(place)));
        }
        let public = NodeKey(key(INVITATION).verification_key().to_bytes());
        let expires = START.plus(3_600_000);
        let invite = Invite { key: public, role: NodeRole::Full, name: "two".to_owned(), expires };
        world.record(&Action::Invite(invite), &key(seed(8)));
        world
    }

    fn ledger(&self) -> LedgerId {
        self.replay.rules().ledger()
    }

    fn sign(
        &mut self,
        lane: Lane,
        action: Vec<u8>,
        attachments: Vec<Vec<u8>>,
        key: &SigningKey,
    ) -> Transaction {
        self.nonce += 1;
        let mut nonce = [0; 16];
        nonce[..8].copy_from_slice(&self.nonce.to_be_bytes());
        let (ledger, root) = (self.ledger(), attachments_root(&attachments));
        let valid_until = START.plus(1_800_000);
        let content = Content { ledger, lane, valid_until, nonce, action, attachments: root };
        let (payload, key_id) = (cbor::to_bytes(&content), public(key).id());
        let signed = Envelope::signed_bytes(Algorithm::Ed25519, &key_id, &payload);
        let signature = signature(key, &signed);
        Transaction::new(Envelope { algorithm: Algorithm::Ed25519, key_id, payload, signature }, attachments)
            .unwrap()
    }

    fn judge(&mut self, transaction: &Transaction) -> Result<(), Refusal> {
        let checked = self.replay.check(submit(&transaction.to_bytes(), &self.ledger())?)?;
        would_apply(&checked, self.replay.header(), START, self.replay.rules(), self.replay.state())
    }

    fn record(&mut self, action: &Action, key: &SigningKey) {
        let transaction = self.sign(Lane::Consortium, action.to_bytes(), Vec::new(), key);
        let checked = self.replay.check(transaction).unwrap();
        let proposal = self.replay.build(&[checked], START, 0).unwrap();
        assert_eq!(proposal.refused, []);
        self.replay.advance(&proposal.outcome);
    }

    fn publication(&mut self, key: &SigningKey) -> Transaction {
        let der = self.ca.issue("a.example");
        let facts = Facts::of(&der).unwrap();
        let intermediates = self.ca.intermediates();
        let entry = Entry {
            certificate: facts.certificate,
            key: facts.key,
            status: Status::Normal,
            validity: Window { from: facts.not_before, until: facts.not_after },
            window: None,
            intermediates: intermediates.iter().map(|der| CertificateId::of(der)).collect(),
            root: CertificateId::of(self.ca.root()),
        };
        let attachments = std::iter::once(der.clone()).chain(intermediates.iter().map(|der| der.to_vec()));
        let attachments: Vec<Vec<u8>> = attachments.collect();
        let action = cbor::to_bytes(&tabellion_pki::Action::Publish(vec![entry]));
        self.sign(Lane::Certificate, action, attachments, key)
    }
}

impl World {
    /// A status change or a renewal without its attachments: permission is decided first.
    fn certificate_action(&mut self, name: &str, key: &SigningKey) -> Transaction {
        let id = CertificateId([1; 32]);
        let validity = Window { from: START, until: START };
        let action = match name {
            "change" => tabellion_pki::Action::Change(Vec::new()),
            "notice" => tabellion_pki::Action::Notice(OptimisationNotice(vec![Height(0)])),
            "relay" => tabellion_pki::Action::Relay(Box::new(Relay {
                ledger: LedgerId([1; 32]),
                roster: roster(self.replay.state()),
                hand_overs: Vec::new(),
                delivery: None,
            })),
            _ => tabellion_pki::Action::Renew(Box::new(Renewal {
                entry: Entry {
                    certificate: id,
                    key: public(key).id(),
                    status: Status::Normal,
                    validity,
                    window: None,
                    intermediates: Vec::new(),
                    root: id,
                },
                old: id,
                old_not_after: START,
                signature: KeySignature { algorithm: Vec::new(), signature: Vec::new() },
            })),
        };
        self.sign(Lane::Certificate, cbor::to_bytes(&action), Vec::new(), key)
    }
}

/// A well-formed action of each kind, that need not fit the state: permission is decided first. None for
/// accusations, whose evidence is two votes of a validator; what they need, `consortium` shows.
fn action(kind: ActionKind, by: &Signer, ledger: &LedgerId) -> Option<Action> {
    let name: AccountName = "desk".parse().unwrap();
    let fresh = key(250);
    let node = NodeId(public(&key(NODE)).id());
    let node_key = NodeKey(fresh.verification_key().to_bytes());
    let shown = |key: &SigningKey, purpose| {
        signature(key, &possession_message(ledger, &by.member, &public(key).id(), purpose))
    };
    let (proposal, height) = (ProposalNumber(77), Height(0));
    Some(match kind {
        ActionKind::AddKey => Action::AddKey(offer(&fresh, ledger, &by.member, Purpose::Member)),
        ActionKind::RetireKey => Action::RetireKey { key: public(&fresh).id() },
        ActionKind::Describe => Action::Describe { name: "A".to_owned(), contact: String::new() },
        ActionKind::OpenAccount => Action::OpenAccount(NewAccount {
            name: "other".parse().unwrap(),
            about: String::new(),
            keys: Vec::new(),
            roles: Vec::new(),
        }),
        ActionKind::DescribeAccount => Action::DescribeAccount { name, about: String::new() },
        ActionKind::CloseAccount => Action::CloseAccount { name },
        ActionKind::AddAccountKey => {
            let key = offer(&fresh, ledger, &by.member, Purpose::Account(&name));
            Action::AddAccountKey { name, key }
        }
        ActionKind::RetireAccountKey => Action::RetireAccountKey { name, key: public(&fresh).id() },
        ActionKind::GrantAccountRole => Action::GrantAccountRole { name, role: Role::Auditor },
        ActionKind::RevokeAccountRole => Action::RevokeAccountRole { name, role: Role::Auditor },
        ActionKind::Propose => Action::Propose(Proposed {
            change: Change::Stop,
            reason: String::new(),
            deadline: START.plus(60_000),
            effect: height,
        }),
        ActionKind::Vote => {
            let hash = Hash([0; 32]);
            Action::Vote(Ballot { proposal, hash, choice: Choice::For, reason: String::new() })
        }
        ActionKind::Withdraw => Action::Withdraw { proposal },
        ActionKind::Invite => {
            let (name, expires) = ("n".to_owned(), START.plus(60_000));
            Action::Invite(Invite { key: node_key, role: NodeRole::Full, name, expires })
        }
        ActionKind::CancelInvitation => Action::CancelInvitation { invitation: public(&fresh).id() },
        ActionKind::Join => {
            let possession = shown(&fresh, Purpose::Join(&public(&by.key).id()));
            Action::Join(Join { key: node_key, address: "127.0.0.1:2".to_owned(), possession })
        }
        ActionKind::RemoveNode => Action::RemoveNode { node },
        ActionKind::RotateNode => Action::RotateNode(Rotation {
            node,
            present: NodeKey(key(NODE).verification_key().to_bytes()),
            key: node_key,
            possession: shown(&fresh, Purpose::Next(&node)),
            consent: shown(&key(NODE), Purpose::Yield(&node, &node_key.id())),
        }),
        ActionKind::SetAddress => Action::SetAddress { address: "127.0.0.1:3".to_owned() },
        ActionKind::Report => Action::Report(Boundary { height, header: HeaderHash([0; 32]) }),
        ActionKind::Accuse => return None,
    })
}

fn signers() -> Vec<Signer> {
    let mut signers = Vec::new();
    for place in 0..=Role::ALL.len() {
        for (kind, above) in [("member", 0), ("account", 100)] {
            let (key, roles) = (key(seed(place) + above), roles(place));
            signers.push(Signer { key, member: member(place), kind, roles });
        }
    }
    for (kind, seed) in [("node", NODE), ("invitation", INVITATION)] {
        signers.push(Signer { key: key(seed), member: member(8), kind, roles: Vec::new() });
    }
    signers
}

fn allowed(permission: &Permission, by: &Signer) -> bool {
    // A node has no roles: where it may, it may without.
    let roles = if by.kind == "node" { &[] } else { permission.roles() };
    let has_role = roles.is_empty() || roles.iter().any(|role| by.roles.contains(role));
    // The node of this test is a validator.
    let purposes = permission.node_roles();
    let has_purpose = purposes.is_empty() || purposes.contains(&NodeRole::Validator);
    let kinds = permission.keys().replace(", ", " or ");
    kinds.split(" or ").any(|kind| kind == by.kind) && has_role && has_purpose
}

/// X.1409 L9, IV.1: default deny, as the machine acts: every kind of key with every role, every action.
#[test]
fn every_cell_of_the_matrix_is_what_the_machine_does() {
    let mut world = World::new();
    let ledger = world.ledger();
    let mut cells = 0;
    for row in permissions() {
        for by in signers() {
            let transaction = match row.action.split_once(' ').unwrap() {
                ("certificate", "publish") => world.publication(&by.key),
                ("certificate", name) => world.certificate_action(name, &by.key),
                ("consortium", name) => {
                    let kind = ActionKind::ALL.into_iter().find(|kind| kind.name() == name).unwrap();
                    let Some(action) = action(kind, &by, &ledger) else { continue };
                    world.sign(Lane::Consortium, action.to_bytes(), Vec::new(), &by.key)
                }
                other => panic!("this test has no transaction for {other:?}"),
            };
            let code = world.judge(&transaction).err().map(|refusal| refusal.code());
            let denied = matches!(code, Some("wrong-kind-of-key" | "wrong-kind-of-node" | "missing-role"));
            let (kind, roles) = (by.kind, &by.roles);
            assert_eq!(
                !denied,
                allowed(&row.permission, &by),
                "{} by {kind} {roles:?}: {code:?}",
                row.action
            );
            cells += 1;
        }
    }
    assert_eq!(cells, 25 * 22);
}
