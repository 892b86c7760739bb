//! The permission matrix as the faces act upon it: every kind of key with every role, every action.

use std::sync::Arc;

use axum::Router;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tabellion_api::Backend;
use tabellion_consortium::{
    AccountName, Action, ActionKind, Ballot, Boundary, Change, Choice, Genesis, GenesisMember,
    GenesisValidator, Invite, Join, NewAccount, NodeId, NodeRole, Parameters, Permission, ProposalNumber,
    Proposed, Purpose, Role, Rotation, roster,
};
use tabellion_corpus::{KeyKind, TestCa};
use tabellion_ledger::{
    CertificateId, Hash, HeaderHash, Height, LedgerId, MemberId, StateKey, Transaction, TransactionId,
    Validator, View,
};
use tabellion_machine::{ProblemDetails, permissions};
use tabellion_pki::{
    Action as CertificateAction, Entry, KeySignature, OptimisationNotice, Relay, Renewal, Status, Window,
};

use crate::ask::{Answer, face, post};
use crate::key::Key;
use crate::world::{Mode, START, World};

const CBOR: &str = "application/cbor";
const PEM: &str = "application/pem-certificate-chain";
/// Seeds of keys: the one validator, the invitation, one that nobody has.
const NODE: u8 = 10;
const INVITATION: u8 = 201;
const FRESH: u8 = 250;
/// The place among the members of the one that operates.
const OPERATOR: usize = 8;

/// Who signs: the member, its account or one of its nodes, or an invitation, with the roles in force.
struct Signer {
    seed: u8,
    member: MemberId,
    kind: &'static str,
    roles: Vec<Role>,
}

/// A member for each role, and one without any.
fn member(place: usize) -> MemberId {
    format!("m{place}").parse().unwrap()
}

fn roles(place: usize) -> Vec<Role> {
    Role::ALL.get(place).into_iter().copied().collect()
}

fn member_seed(place: usize) -> u8 {
    u8::try_from(place).unwrap() + 20
}

fn account_seed(place: usize) -> u8 {
    member_seed(place) + 100
}

fn document(ca: &TestCa) -> Genesis {
    let founder = |place: usize| GenesisMember {
        id: member(place),
        name: "A member".to_owned(),
        keys: vec![Key::new(member_seed(place)).public()],
        roles: roles(place),
    };
    let validator = Validator { key: Key::new(NODE).raw(), member: member(OPERATOR), name: "one".to_owned() };
    let genesis = Genesis {
        name: "permissions".to_owned(),
        time: START,
        members: (0..=Role::ALL.len()).map(founder).collect(),
        validators: vec![GenesisValidator { validator, address: "127.0.0.1:1".to_owned() }],
        parameters: Parameters::default(),
        anchors: vec![ca.root().to_vec()],
    };
    genesis.new().unwrap()
}

/// A ledger whose node may sign with the key of the member at this place.
fn world(gateway: usize) -> Arc<World> {
    let ca = TestCa::new(KeyKind::P256);
    World::of(document(&ca), ca, Some(Key::new(member_seed(gateway))))
}

async fn submit(face: &Router, transaction: Transaction) -> Answer {
    post(face, "/v1/transactions", CBOR, transaction.to_bytes()).await
}

/// Each member opens an account with its own roles, and the operator invites a node.
async fn people(world: &World, face: &Router) {
    for place in 0..=Role::ALL.len() {
        let (id, name): (_, AccountName) = (member(place), "desk".parse().unwrap());
        let offered = Key::new(account_seed(place)).offer(&world.ledger(), &id, Purpose::Account(&name));
        let (about, keys, roles) = (String::new(), vec![offered], roles(place));
        let open = Action::OpenAccount(NewAccount { name, about, keys, roles });
        assert_eq!(submit(face, world.govern(&open, member_seed(place))).await.status, 202);
    }
    let (role, name, expires) = (NodeRole::Full, "two".to_owned(), START.plus(3_600_000));
    let invite = Action::Invite(Invite { key: Key::new(INVITATION).node(), role, name, expires });
    assert_eq!(submit(face, world.govern(&invite, member_seed(OPERATOR))).await.status, 202);
}

fn signers() -> Vec<Signer> {
    let mut signers = Vec::new();
    for place in 0..=Role::ALL.len() {
        for (kind, seed) in [("member", member_seed(place)), ("account", account_seed(place))] {
            signers.push(Signer { seed, member: member(place), kind, roles: roles(place) });
        }
    }
    for (kind, seed) in [("node", NODE), ("invitation", INVITATION)] {
        signers.push(Signer { seed, member: member(OPERATOR), kind, roles: Vec::new() });
    }
    signers
}

/// A status change or a renewal without its attachments: permission is decided first.
fn certificate_action(name: &str, world: &World, by: &Signer) -> CertificateAction {
    let id = CertificateId([1; 32]);
    match name {
        "change" => CertificateAction::Change(Vec::new()),
        "notice" => CertificateAction::Notice(OptimisationNotice(vec![Height(0)])),
        "relay" => CertificateAction::Relay(Box::new(Relay {
            ledger: LedgerId([1; 32]),
            roster: roster(&Newest(world)),
            hand_overs: Vec::new(),
            delivery: None,
        })),
        "renew" => CertificateAction::Renew(Box::new(Renewal {
            entry: Entry {
                certificate: id,
                key: Key::new(by.seed).public().id(),
                status: Status::Normal,
                validity: Window { from: START, until: START },
                window: None,
                intermediates: Vec::new(),
                root: id,
            },
            old: id,
            old_not_after: START,
            signature: KeySignature { algorithm: Vec::new(), signature: Vec::new() },
        })),
        other => panic!("this test has no transaction for {other}"),
    }
}

/// The newest state.
struct Newest<'a>(&'a World);

impl View for Newest<'_> {
    fn get(&self, key: &StateKey) -> Option<Vec<u8>> {
        self.0.snapshot().get(key)
    }

    fn transaction_height(&self, id: &TransactionId) -> Option<Height> {
        self.0.snapshot().transaction_height(id)
    }
}

/// A well-formed action of each kind, that need not fit the state: permission is decided first. None for
/// accusations, whose evidence is two votes of a validator; what they need, `consortium` shows.
fn action(kind: ActionKind, by: &Signer, ledger: &LedgerId) -> Option<Action> {
    let name: AccountName = "desk".parse().unwrap();
    let (fresh, validator) = (Key::new(FRESH), Key::new(NODE));
    let node = NodeId(validator.public().id());
    let (key, proposal, height) = (fresh.public().id(), ProposalNumber(77), Height(0));
    Some(match kind {
        ActionKind::AddKey => Action::AddKey(fresh.offer(ledger, &by.member, Purpose::Member)),
        ActionKind::RetireKey => Action::RetireKey { key },
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
            let key = fresh.offer(ledger, &by.member, Purpose::Account(&name));
            Action::AddAccountKey { name, key }
        }
        ActionKind::RetireAccountKey => Action::RetireAccountKey { name, key },
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
            Action::Invite(Invite { key: fresh.node(), role: NodeRole::Full, name, expires })
        }
        ActionKind::CancelInvitation => Action::CancelInvitation { invitation: key },
        ActionKind::Join => {
            let invitation = Key::new(by.seed).public().id();
            let possession = fresh.shown(ledger, &by.member, Purpose::Join(&invitation));
            Action::Join(Join { key: fresh.node(), address: "127.0.0.1:2".to_owned(), possession })
        }
        ActionKind::RemoveNode => Action::RemoveNode { node },
        ActionKind::RotateNode => Action::RotateNode(Rotation {
            node,
            present: validator.node(),
            key: fresh.node(),
            possession: fresh.shown(ledger, &by.member, Purpose::Next(&node)),
            consent: validator.shown(ledger, &by.member, Purpose::Yield(&node, &key)),
        }),
        ActionKind::SetAddress => Action::SetAddress { address: "127.0.0.1:3".to_owned() },
        ActionKind::Report => Action::Report(Boundary { height, header: HeaderHash([0; 32]) }),
        ActionKind::Accuse => return None,
    })
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

/// Whether the face says that this key may not, whatever the state; then with the one status for that.
fn is_denied(answer: &Answer) -> bool {
    if answer.status.is_success() {
        return false;
    }
    let ProblemDetails { code, status, .. } = answer.problem();
    let denied = matches!(code.as_str(), "wrong-kind-of-key" | "wrong-kind-of-node" | "missing-role");
    assert!(!denied || status == 403, "{code} with {status}");
    denied
}

/// X.1409 L9, IV.1: default deny. Each transaction comes in by REST, as those of the command line do.
#[tokio::test]
async fn every_cell_of_the_matrix_is_what_a_face_does() {
    let world = world(0);
    let face = face(&world);
    people(&world, &face).await;
    world.set_mode(Mode::Hold);
    let ledger = world.ledger();
    let mut cells = 0;
    for row in permissions() {
        for by in signers() {
            let transaction = match row.action.split_once(' ').unwrap() {
                ("certificate", "publish") => world.publication("a.example", by.seed).1,
                ("certificate", name) => {
                    world.sign(&certificate_action(name, &world, &by), Vec::new(), by.seed)
                }
                ("consortium", name) => {
                    let kind = ActionKind::ALL.into_iter().find(|kind| kind.name() == name).unwrap();
                    let Some(action) = action(kind, &by, &ledger) else { continue };
                    world.govern(&action, by.seed)
                }
                other => panic!("this test has no transaction for {other:?}"),
            };
            let answer = submit(&face, transaction).await;
            let (kind, roles, told) = (by.kind, &by.roles, answer.text());
            let is_allowed = allowed(&row.permission, &by);
            assert_eq!(!is_denied(&answer), is_allowed, "{} by {kind} {roles:?}: {told}", row.action);
            cells += 1;
        }
    }
    assert_eq!(cells, 25 * 22);
}

/// X.1409 L9: what a node signs for clients without a key, it may by its own member's roles only.
#[tokio::test]
async fn a_gateway_widens_nothing() {
    let permissions = permissions();
    let publish = permissions.iter().find(|row| row.action == "certificate publish").unwrap();
    for place in 0..=Role::ALL.len() {
        let world = world(place);
        let (chain, intermediates, _) = world.issue("a.example");
        let pems = std::iter::once(&chain).chain(&intermediates).map(|der| {
            let body = STANDARD.encode(der);
            format!("-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n")
        });
        let answer = post(&face(&world), "/v1/certificates", PEM, pems.collect::<String>()).await;
        let by = Signer { seed: 0, member: member(place), kind: "member", roles: roles(place) };
        let (is_allowed, roles) = (allowed(&publish.permission, &by), &by.roles);
        assert_eq!(!is_denied(&answer), is_allowed, "{roles:?}: {}", answer.text());
    }
}

/// X.1409 L9: no face answers a request that changes something for who shows no key at all.
#[tokio::test]
async fn who_signs_with_a_key_that_is_not_on_the_ledger_may_nothing() {
    let world = world(0);
    let face = face(&world);
    let stranger = Signer { seed: FRESH, member: member(0), kind: "member", roles: roles(0) };
    for kind in ActionKind::ALL {
        let Some(action) = action(kind, &stranger, &world.ledger()) else { continue };
        let answer = submit(&face, world.govern(&action, FRESH)).await;
        let problem = answer.problem();
        assert_eq!((problem.status, problem.code.as_str()), (403, "unknown-submitter"), "{}", kind.name());
    }
}
