use tabellion_ledger::{
    BlockVote, CertificateId, Conflict, DecodeError, Equivocation, Hash, HeaderHash, Height, Lane, LedgerId,
    Signature, TimeMs, VotePair, cbor,
};

use super::world::*;
use crate::*;

fn changes(world: &World) -> Vec<Change> {
    let parameters = parameters(&world.state);
    let (member, node, role) = (id("m1"), node_id_of(1), Role::Auditor);
    let offer = world.offer(&Key::new(1), &member, Purpose::Member);
    let (first, mut add) = (CertificateId([1; 32]), vec![Der(vec![1]), Der(vec![2; 300])]);
    add.sort_by_key(Der::id);
    let names = vec![PermittedName { name: "O=A".to_owned(), subtree: false }];
    vec![
        Change::AddMember(world.new_member(9)),
        Change::SuspendMember { member: member.clone() },
        Change::ResumeMember { member: member.clone() },
        Change::RemoveMember { member: member.clone() },
        Change::ReplaceKeys { member: member.clone(), keys: vec![offer] },
        Change::GrantRole { member: member.clone(), role },
        Change::RevokeRole { member: member.clone(), role },
        Change::AddValidator { node },
        Change::ReplaceValidator { old: node, new: NodeId::default() },
        Change::RemoveValidator { node },
        Change::TrustedCas { add, remove: vec![first] },
        Change::Policies(PolicyRules::of(&parameters.certificate)),
        Change::Algorithms(AlgorithmRules::of(&parameters)),
        Change::Names { names: Some(names) },
        Change::Names { names: None },
        Change::Blocks(BlockLimits::of(&parameters.block)),
        Change::Transactions { lifetime_ms_max: 5 },
        Change::CertificateLimits(CertificateLimits::of(&parameters.certificate)),
        Change::Retention { lanes: vec![Retention { lane: Lane::Audit(3), keep_ms: 9 }] },
        Change::Quotas(QuotaRules { window_ms: 5, member: Some(Quota { transactions: 1, bytes: 2 }) }),
        Change::MemberQuota { member: member.clone(), quota: MemberQuota::Default },
        Change::MemberQuota { member: member.clone(), quota: MemberQuota::Unlimited },
        Change::MemberQuota { member, quota: MemberQuota::Own(Quota { transactions: 1, bytes: 2 }) },
        Change::Voting(VotingRules::of(&parameters)),
        Change::VerifierVersion { version: 2 },
        Change::LedgerVersion { version: u64::MAX },
        Change::Stop,
        Change::Resume,
        Change::Cancel { proposal: ProposalNumber(7) },
        Change::Decision { text: "two\nlines".to_owned() },
        Change::FollowLedger(world.new_link(LedgerId([7; 32]))),
        Change::UnfollowLedger { ledger: LedgerId([7; 32]) },
        Change::FollowAnew { ledger: LedgerId([7; 32]), roster: roster(&world.state) },
        Change::Outbox { open: true },
    ]
}

fn actions(world: &World) -> Vec<Action> {
    let name: AccountName = "desk".parse().unwrap();
    let offer = world.offer(&Key::new(1), &id("m0"), Purpose::Account(&name));
    let (key, role, about) = (Key::new(1).id(), Role::Operator, "about".to_owned());
    let vote = |byte| BlockVote { parent_view: 1, header: HeaderHash([byte; 32]), signature: [byte; 64] };
    let conflict = Conflict::Notarize(VotePair::new(vote(1), vote(2)).unwrap());
    let (keys, roles) = (vec![offer.clone()], vec![Role::CertificateUser, role]);
    let mut actions = vec![
        Action::AddKey(offer.clone()),
        Action::RetireKey { key },
        Action::Describe { name: "n".to_owned(), contact: "c".to_owned() },
        Action::OpenAccount(NewAccount { name: name.clone(), about: about.clone(), keys, roles }),
        Action::DescribeAccount { name: name.clone(), about },
        Action::CloseAccount { name: name.clone() },
        Action::AddAccountKey { name: name.clone(), key: offer },
        Action::RetireAccountKey { name: name.clone(), key },
        Action::GrantAccountRole { name: name.clone(), role },
        Action::RevokeAccountRole { name, role },
        world.ballot(ProposalNumber(1), Choice::Against),
        Action::Withdraw { proposal: ProposalNumber(300) },
        world.invitation(&Key::new(1), NodeRole::Proxy),
        Action::CancelInvitation { invitation: key },
        world.joining(&Key::new(1), &Key::new(2), &id("m0")),
        Action::RemoveNode { node: NodeId::default() },
        world.rotation(1, &Key::new(1), &Key::new(2), &id("m0")),
        Action::SetAddress { address: "host.example:443".to_owned() },
        Action::Report(Boundary { height: Height(3), header: HeaderHash([3; 32]) }),
        Action::Accuse(Equivocation { epoch: 1, view: 2, validator: [3; 32], conflict }),
    ];
    actions.extend(changes(world).into_iter().map(|change| Action::Propose(world.proposed(change))));
    actions
}

#[test]
fn every_action_reads_back_from_its_bytes_and_from_no_part_of_them() {
    let world = World::new(4, 4);
    let actions = actions(&world);
    for kind in ActionKind::ALL {
        assert!(actions.iter().any(|action| action.kind() == kind), "{} is missing here", kind.name());
    }
    for action in actions {
        let bytes = action.to_bytes();
        assert_eq!(Action::from_bytes(&bytes), Ok(action.clone()));
        // The number of its kind, and nothing longer than needed.
        let place = ActionKind::ALL.iter().position(|kind| *kind == action.kind()).unwrap();
        assert_eq!((bytes[0], usize::from(bytes[1])), (0x82, place));
        for length in 0..bytes.len() {
            assert!(Action::from_bytes(&bytes[..length]).is_err(), "{} bytes of {action:?}", length);
        }
        let longer = [bytes.as_slice(), &[0]].concat();
        assert_eq!(Action::from_bytes(&longer), Err(DecodeError::Trailing { count: 1 }));
    }
}

#[test]
fn every_change_is_written_as_json_under_its_name_and_reads_back() {
    let world = World::new(4, 4);
    for change in changes(&world) {
        let json = serde_json::to_value(&change).unwrap();
        assert_eq!(json["change"], change.name());
        assert_eq!(serde_json::from_value::<Change>(json).unwrap(), change);
    }
}

#[test]
fn what_decodes_encodes_to_the_same_bytes() {
    // Each byte turned in each way that changes a head: nothing decodes that is not its own encoding.
    let world = World::new(4, 4);
    for action in actions(&world) {
        let bytes = action.to_bytes();
        for place in 0..bytes.len().min(200) {
            for turn in [1, 0x1f, 0x20, 0x80] {
                let mut turned = bytes.clone();
                turned[place] ^= turn;
                if let Ok(other) = Action::from_bytes(&turned) {
                    assert_eq!(other.to_bytes(), turned);
                }
            }
        }
    }
}

#[test]
fn texts_and_lists_out_of_form_are_no_actions() {
    let world = World::new(4, 4);
    let name: AccountName = "desk".parse().unwrap();
    let address = |text: &str| Action::SetAddress { address: text.to_owned() };
    let account = |roles: Vec<Role>| {
        let (name, about, keys) = (name.clone(), String::new(), Vec::new());
        Action::OpenAccount(NewAccount { name, about, keys, roles })
    };
    let trust = |remove: Vec<CertificateId>| Change::TrustedCas { add: Vec::new(), remove };
    let mut wrong = vec![Der(vec![1]), Der(vec![2])];
    wrong.sort_by_key(|der| std::cmp::Reverse(der.id()));
    let wrong = Change::TrustedCas { add: wrong, remove: Vec::new() };
    let propose = |change| Action::Propose(world.proposed(change));
    let value = |field| DecodeError::Value { field };
    let describe = |name: &str| Action::Describe { name: name.to_owned(), contact: String::new() };
    let new = |keys| propose(Change::AddMember(NewMember { keys, ..world.new_member(9) }));
    let three = vec![world.offer(&Key::new(1), &id("m9"), Purpose::Member); 3];
    let short = KeyOffer { key: Key::new(1).public(), possession: Signature(vec![1; 63]) };
    let rows = [
        (address("host"), value("address")),
        (address(":443"), value("address")),
        (address("host:0"), value("address")),
        (address("host:+1"), value("address")),
        (address("host:99999"), value("address")),
        (address("a host:1"), value("address")),
        (account(vec![Role::Operator, Role::CertificateUser]), value("roles")),
        (account(vec![Role::Operator, Role::Operator]), value("roles")),
        (propose(trust(vec![CertificateId([2; 32]), CertificateId([1; 32])])), value("trusted CAs")),
        (propose(wrong), value("trusted CAs")),
        (describe("bell\u{7}"), value("name")),
        (describe("line\nbreak"), value("name")),
        (describe(&"x".repeat(129)), DecodeError::TooLong { length: 129, limit: 128 }),
        (new(Vec::new()), value("keys")),
        (new(three), DecodeError::TooLong { length: 3, limit: 2 }),
        (Action::AddKey(short), value("signature")),
        (propose(Change::Decision { text: "bell\u{7}".to_owned() }), value("decision")),
    ];
    for (action, error) in rows {
        assert_eq!(Action::from_bytes(&action.to_bytes()), Err(error), "{action:?}");
    }
}

#[test]
fn every_record_reads_back_from_its_bytes() {
    let moment = Moment { height: Height(5), time: TimeMs(6) };
    let (tally, number) = (Tally { votes_for: 1, votes_against: 2, active: 3 }, ProposalNumber(4));
    let (key, node) = (Key::new(1), NodeId::default());
    again(&MemberStatus::Suspended);
    let status = |number| (member_id(number), MemberStatus::Active);
    again(&Members((1..4).map(status).collect()));
    again(&Member {
        id: id("m0"),
        name: "n".to_owned(),
        contact: "c".to_owned(),
        status: MemberStatus::Removed,
        since: moment,
        keys: vec![key.id()],
        roles: Role::ALL.to_vec(),
        quota: MemberQuota::Unlimited,
    });
    let name: AccountName = "desk".parse().unwrap();
    for owner in [Owner::Member, Owner::Account(name.clone()), Owner::Invitation, Owner::Node(node)] {
        let (member, key) = (id("m0"), key.public());
        again(&KeyRecord { member, owner, key, since: moment, retired: Some(moment) });
    }
    again(&Account {
        member: id("m0"),
        name: name.clone(),
        about: "a".to_owned(),
        keys: vec![key.id()],
        roles: vec![Role::Auditor],
        since: moment,
        closed: Some(moment),
    });
    again(&Accounts(vec![name]));
    for role in NodeRole::ALL {
        again(&Node {
            id: node,
            member: id("m0"),
            name: "n".to_owned(),
            role,
            key: key.node_key(),
            next_key: Some(key.node_key()),
            address: "a:1".to_owned(),
            joined: moment,
            reports: 3,
            reported: Some(Height(2)),
            removed: Some(moment),
        });
    }
    again(&Nodes(vec![(node, id("m0"))]));
    for status in [InvitationStatus::Open, InvitationStatus::Used(node), InvitationStatus::Cancelled] {
        let (member, role, name) = (id("m0"), NodeRole::Full, "n".to_owned());
        again(&Invitation { member, role, name, invited: moment, expires: TimeMs(9), status });
    }
    again(&Invitations(vec![(key.id(), TimeMs(1))]));
    for status in [
        ProposalStatus::Open,
        ProposalStatus::Accepted,
        ProposalStatus::Pending,
        ProposalStatus::Executed,
        ProposalStatus::Failed { code: "nothing-changes".to_owned() },
        ProposalStatus::Rejected,
        ProposalStatus::Expired,
        ProposalStatus::Withdrawn,
        ProposalStatus::Cancelled { by: number },
    ] {
        let (choice, reason) = (Choice::Against, "r".to_owned());
        let ballot =
            CastBallot { member: id("m0"), choice, reason: reason.clone(), key: key.id(), cast: moment };
        again(&Proposal {
            number,
            proposer: Some(id("m0")),
            change: Change::Stop,
            reason,
            deadline: TimeMs(8),
            effect: Height(9),
            opened: moment,
            ballots: vec![ballot],
            acceptance: Some(Acceptance { accepted: moment, effect: Height(9), tally }),
            status,
        });
    }
    let open = OpenProposal { number, proposer: None, deadline: TimeMs(1) };
    let accepted = AcceptedProposal { effect: Height(1), number, proposer: Some(id("m0")) };
    again(&Agenda { next: number, open: vec![open], accepted: vec![accepted] });
    let other = NodeId(key.id());
    let seats = [
        SeatChange::Add { node },
        SeatChange::Replace { old: node, new: other },
        SeatChange::Remove { node },
    ];
    let seats = seats.map(|change| PendingSeat { proposal: number, change }).to_vec();
    again(&Pending { seats, rotations: vec![node], book: true, hurry: false });
    again(&committee(&World::new(4, 4).state));
    again(&Boundary { height: Height(1), header: HeaderHash([1; 32]) });
    again(&Usage { start: TimeMs(1), transactions: 2, bytes: 3 });
    again(&Stop { since: moment, proposal: number });
    let (member, reporter) = (id("m0"), id("m1"));
    again(&EquivocationRecord { node, member, reporter, recorded: moment, proposal: Some(number) });
    again(&parameters_for_tests());
}

#[test]
fn the_hash_of_a_proposal_covers_what_a_voter_decides_on() {
    let mut world = World::new(4, 4);
    let number = world.propose(0, Change::Stop).unwrap();
    let seen = proposal(&world.state, number).unwrap();
    let others = [
        Proposal { number: ProposalNumber(2), ..seen.clone() },
        Proposal { proposer: None, ..seen.clone() },
        Proposal { change: Change::Resume, ..seen.clone() },
        Proposal { reason: String::new(), ..seen.clone() },
        Proposal { deadline: seen.deadline.plus(1), ..seen.clone() },
        Proposal { effect: Height(1), ..seen.clone() },
    ];
    for other in others {
        assert_ne!(other.hash(), seen.hash());
    }
    let later = Proposal { ballots: Vec::new(), status: ProposalStatus::Expired, ..seen.clone() };
    assert_eq!(later.hash(), seen.hash());
    assert_ne!(seen.hash(), Hash([0; 32]));
    assert!(cbor::to_bytes(&seen).len() < 1_000);
}
