//! Evidence against the third validator of the roster, which votes two ways in three views: a view for each
//! kind, so that no votes of one make evidence with those of another.

use serde_json::json;
use tabellion_ledger::{BlockVote, Conflict, Equivocation, HeaderHash, VotePair};

use super::chain::Chain;
use super::files::Vector;
use super::keys::validator_key;
use super::make::vector;

/// Evidence of each kind.
pub fn equivocations(chain: &Chain) -> Vec<Vector> {
    let rows = [
        ("notarize", "two notarise votes", Kind::Notarize, 204),
        ("finalize", "two finalise votes", Kind::Finalize, 205),
        ("nullify", "a nullify vote and a finalise vote", Kind::NullifyFinalize, 206),
    ];
    rows.into_iter()
        .map(|(name, about, kind, view)| {
            let evidence = evidence(chain, kind, view);
            let messages = evidence.messages(&chain.ledger()).map(hex::encode);
            let facts = vec![("messages", json!(messages))];
            vector(&format!("equivocation-{name}"), "Equivocation", about, &evidence, facts)
        })
        .collect()
}

#[derive(Clone, Copy)]
enum Kind {
    Notarize,
    Finalize,
    NullifyFinalize,
}

fn evidence(chain: &Chain, kind: Kind, view: u64) -> Equivocation {
    let validator = &chain.roster.validators()[2];
    let blank = |header| BlockVote { parent_view: 203, header, signature: [0; 64] };
    let (one, other) = (blank(chain.header().hash()), blank(HeaderHash::of(b"another block")));
    let with = |[first, second]: [[u8; 64]; 2]| {
        let sign = |vote: &BlockVote, signature| BlockVote { signature, ..*vote };
        let pair = VotePair::new(one, other).unwrap();
        let [low, high] = pair.votes();
        let pair = VotePair::new(sign(low, first), sign(high, second)).unwrap();
        match kind {
            Kind::Notarize => Conflict::Notarize(pair),
            Kind::Finalize => Conflict::Finalize(pair),
            Kind::NullifyFinalize => {
                Conflict::NullifyFinalize { nullify: first, finalize: sign(&one, second) }
            }
        }
    };
    let of = |conflict| Equivocation { epoch: 0, view, validator: validator.key, conflict };
    let key = validator_key(validator.member.as_str());
    let messages = of(with([[0; 64]; 2])).messages(&chain.ledger());
    of(with(messages.map(|message| key.sign(&message).to_bytes())))
}
