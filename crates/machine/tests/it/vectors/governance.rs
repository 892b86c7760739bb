//! The consortium's actions, and the hand-over to validators of whom one is new.

use serde_json::json;
use tabellion_consortium::{Action, Ballot, Change, Choice, NodeId, NodeKey, ProposalNumber, Proposed, Role};
use tabellion_ledger::{
    FinalityProof, FinalitySignature, HandOver, Hash, Header, Height, Roster, Validator, sha256,
};

use super::chain::Chain;
use super::files::Vector;
use super::keys::validator_key;
use super::make::vector;

/// A proposal, a ballot, and a hand-over.
pub fn governance(chain: &Chain) -> Vec<Vector> {
    let proposal = Action::Propose(Proposed {
        change: Change::GrantRole { member: "bravo".parse().unwrap(), role: Role::LogServer },
        reason: "bravo keeps logs from next year on".to_owned(),
        deadline: chain.header().time.plus(86_400_000),
        effect: Height(0),
    });
    let seat = Action::Propose(Proposed {
        change: Change::AddValidator { node: NodeId(NodeKey(echo()).id()) },
        reason: String::new(),
        deadline: chain.header().time.plus(86_400_000),
        effect: Height(512),
    });
    let vote = Action::Vote(Ballot {
        proposal: ProposalNumber(7),
        hash: Hash(sha256(b"what the voter saw")),
        choice: Choice::Against,
        reason: "too early".to_owned(),
    });
    let hand_over = hand_over(chain);
    let facts = vec![
        ("roster_hash", json!(hand_over.roster.hash())),
        ("last_height", json!(hand_over.last.header.height.0)),
    ];
    vec![
        vector("consortium-propose-role", "ConsortiumAction", "propose to grant a role", &proposal, vec![]),
        vector("consortium-propose-seat", "ConsortiumAction", "propose another validator", &seat, vec![]),
        vector("consortium-vote", "ConsortiumAction", "vote against a proposal", &vote, vec![]),
        vector("hand-over", "HandOver", "echo takes the place of delta", &hand_over, facts),
    ]
}

fn echo() -> [u8; 32] {
    validator_key("echo").verification_key().to_bytes()
}

/// Block 4 is the last of the old validators; block 6 the first that the next ones signed.
fn hand_over(chain: &Chain) -> HandOver {
    let stays = |validator: &&Validator| validator.member.as_str() != "delta";
    let mut validators: Vec<Validator> = chain.roster.validators().iter().filter(stays).cloned().collect();
    validators.push(Validator { key: echo(), member: "echo".parse().unwrap(), name: "echo-1".to_owned() });
    let roster = Roster::new(1, validators).unwrap();
    let next = |before: &Header, roster: &Roster| Header {
        height: before.height.next(),
        previous: before.hash(),
        time: before.time.plus(1000),
        roster: before.next_roster,
        next_roster: roster.hash(),
        ..before.clone()
    };
    let last = next(chain.header(), &roster);
    let between = next(&last, &roster);
    let accepted = next(&between, &roster);
    HandOver {
        last: chain.finalise(&last),
        accepted: finalise(chain, &accepted, &roster),
        between: vec![between],
        roster,
    }
}

/// The header under the votes of the first three validators of a roster.
fn finalise(chain: &Chain, header: &Header, roster: &Roster) -> FinalityProof {
    let header = header.clone();
    let mut proof = FinalityProof { header, epoch: 1, view: 3, parent_view: 2, signatures: Vec::new() };
    let message = proof.message(&chain.ledger());
    for validator in [0, 1, 2_u16] {
        let member = &roster.validators()[usize::from(validator)].member;
        let signature = validator_key(member.as_str()).sign(&message).to_bytes();
        proof.signatures.push(FinalitySignature { validator, signature });
    }
    proof
}
