//! What a home ledger answers about certificates of another one, and what it refuses.

use tabellion_consortium::{Change, roster};
use tabellion_ledger::{CertificateId, Hash, Header, Height, LedgerId, ProvedHeader, TimeMs, merkle};
use tabellion_machine::{Event, Refusal, link};
use tabellion_pki::{
    Delivery, Doubt, ForeignStanding, Reason, Relay, RelayRefusal, Standing, Status, followed_ledger,
    foreign_standing,
};

use super::world::{Ledger, STALE_AFTER_MS, two_ledgers};

fn standing(home: &Ledger, host: &Ledger, id: &CertificateId, at: TimeMs) -> ForeignStanding {
    let (state, ledger) = (home.replay.state(), host.id());
    let record = home.foreign(&ledger, id);
    let (link, followed) = (link(state, &ledger), followed_ledger(state, &ledger));
    foreign_standing(record.as_ref(), link.as_ref(), followed.as_ref(), at)
}

fn says(standing: Standing, doubt: Option<Doubt>) -> ForeignStanding {
    ForeignStanding { standing, doubt }
}

/// Forwards everything, as an honest proxy does.
fn forward(host: &Ledger, home: &mut Ledger) -> Vec<Event> {
    let relay = host.relay(&home.known(&host.id()));
    let transaction = home.sign_relay(&relay);
    home.record(&transaction)
}

/// X.1409 C16, A.1: request and result of the host system are recorded in the other one.
#[test]
fn a_foreign_status_is_recorded_with_its_request_its_result_and_its_place() {
    let (mut host, mut home) = two_ledgers();
    let publication = host.publication();
    host.record(&publication);
    let (der, ledger) = (host.certificates[0].clone(), host.id());
    let id = CertificateId::of(&der);
    assert_eq!(standing(&home, &host, &id, home.time), says(Standing::Unknown, Some(Doubt::Stale)));
    forward(&host, &mut home);
    let record = home.foreign(&ledger, &id).unwrap();
    assert_eq!((record.number, record.result.status), (0, Status::Normal));
    assert_eq!(record.result.request, Some(publication.id()));
    assert_eq!((record.result.since_height, record.proved_height), (Height(3), Height(3)));
    assert_eq!(standing(&home, &host, &id, home.time), says(Standing::Valid, None));

    let revocation = host.change(&der, Some(Reason::KeyCompromise));
    host.record(&revocation);
    forward(&host, &mut home);
    let record = home.foreign(&ledger, &id).unwrap();
    assert_eq!((record.number, record.result.request), (1, Some(revocation.id())));
    assert_eq!(record.result.reason, Some(Reason::KeyCompromise));
    assert_eq!(standing(&home, &host, &id, home.time), says(Standing::Revoked, None));
}

/// X.1409 C16, A.2: what is stale says so; revoked is honoured whatever the doubt.
#[test]
fn what_is_stale_ended_or_begun_anew_is_in_doubt_but_revoked_is_honoured() {
    let (mut host, mut home) = two_ledgers();
    for _ in 0..3 {
        let publication = host.publication();
        host.record(&publication);
    }
    let ders = host.certificates.clone();
    let ids: Vec<_> = ders.iter().map(|der| CertificateId::of(der)).collect();
    for (place, reason) in [(1, Reason::CertificateHold), (2, Reason::Superseded)] {
        let change = host.change(&ders[place], Some(reason));
        host.record(&change);
    }
    forward(&host, &mut home);
    let known = home.known(&host.id()).complete.unwrap();
    let late = known.time.plus(STALE_AFTER_MS);
    let all = |home: &Ledger, at| -> Vec<_> { ids.iter().map(|id| standing(home, &host, id, at)).collect() };
    let three = |doubt, words: [Standing; 3]| words.map(|standing| says(standing, doubt)).to_vec();
    let known_words = [Standing::Valid, Standing::Suspended, Standing::Revoked];
    let unknown_words = [Standing::Unknown, Standing::Unknown, Standing::Revoked];
    assert_eq!(all(&home, late), three(None, known_words));
    assert_eq!(all(&home, late.plus(1)), three(Some(Doubt::Stale), known_words));
    assert!(!standing(&home, &host, &ids[0], late.plus(1)).is_valid());
    let anew = Change::FollowAnew { ledger: host.id(), roster: roster(host.replay.state()) };
    home.decide(anew);
    assert_eq!(all(&home, known.time), three(Some(Doubt::Anew), unknown_words));
    forward(&host, &mut home);
    assert_eq!(all(&home, home.time), three(None, known_words), "all of it came again");
    home.decide(Change::UnfollowLedger { ledger: host.id() });
    assert_eq!(all(&home, home.time), three(Some(Doubt::NotFollowed), unknown_words));
}

/// X.1409 C16: two headers of one height are evidence; nothing moves on until the members decide.
#[test]
fn a_quorum_that_contradicts_itself_freezes_the_link_until_the_members_decide() {
    for later in [false, true] {
        let (mut host, mut home) = two_ledgers();
        let publication = host.publication();
        host.record(&publication);
        forward(&host, &mut home);
        let id = CertificateId::of(&host.certificates[0]);
        let known = home.known(&host.id());
        let mut relay = host.relay(&known);
        relay.delivery = Some(forked(&host, later));
        let transaction = home.sign_relay(&relay);
        let events = home.record(&transaction);
        assert!(matches!(events.as_slice(), [Event::Certificate(tabellion_pki::Event::LinkFrozen { .. })]));
        let freeze = home.known(&host.id()).frozen.unwrap();
        assert_eq!((freeze.height, freeze.known), (host.header().height, host.header().hash()));
        assert_eq!(standing(&home, &host, &id, home.time), says(Standing::Unknown, Some(Doubt::Frozen)));
        host.block(&[]);
        let more = host.relay(&home.known(&host.id()));
        let more = home.sign_relay(&more);
        let refusal = RelayRefusal::Frozen {
            ledger: host.id(),
            height: freeze.height,
            since_height: freeze.since_height,
        };
        assert_eq!(home.judge(&more).map(|_| ()), Err(refused(refusal)));
        home.decide(Change::FollowAnew { ledger: host.id(), roster: roster(host.replay.state()) });
        forward(&host, &mut home);
        assert_eq!(standing(&home, &host, &id, home.time), says(Standing::Valid, None));
    }
}

/// Another block of the same validators at the newest height, or the one upon it.
fn forked(host: &Ledger, later: bool) -> Delivery {
    let newest = host.header();
    let fork = Header { proposer: 3, ..newest.clone() };
    let header = match later {
        false => ProvedHeader { finality: host.finalise(&fork), older: None },
        true => {
            let below = &host.headers[..host.headers.len() - 1];
            let leaves: Vec<Hash> = below.iter().chain([&fork]).map(Header::leaf).collect();
            let above = Header {
                height: newest.height.next(),
                previous: fork.hash(),
                history_root: merkle::root(&leaves),
                ..fork.clone()
            };
            let path = merkle::inclusion_path(&leaves, below.len());
            ProvedHeader { finality: host.finalise(&above), older: Some((fork, path)) }
        }
    };
    Delivery { header, ..host.delivery(0, 1, None) }
}

fn refused(refusal: RelayRefusal) -> Refusal {
    Refusal::Certificate(tabellion_pki::Refusal::Relay(refusal))
}

/// X.1409 C16: whatever does not hold is refused with the facts, and what is there already does no harm.
#[test]
fn relays_that_bring_nothing_or_do_not_follow_are_refused_with_the_facts() {
    let (mut host, mut home) = two_ledgers();
    for _ in 0..4 {
        let publication = host.publication();
        host.record(&publication);
    }
    let ledger = host.id();
    let known = home.known(&ledger);
    let relay = host.relay(&known);
    let with = |change: &dyn Fn(&mut Delivery)| {
        let mut relay = relay.clone();
        change(relay.delivery.as_mut().unwrap());
        relay
    };
    let rows: Vec<(&str, Relay)> = vec![
        // A result under another's number.
        ("foreign-proof", with(&|d| drop(d.results.remove(0)))),
        ("foreign-proof", with(&|d| d.results.swap(0, 1))),
        ("foreign-proof", with(&|d| d.outbox.record = None)),
        ("foreign-header", Relay { ledger: LedgerId([9; 32]), ..relay.clone() }),
        ("foreign-header", Relay { roster: roster(home.replay.state()), ..relay.clone() }),
        ("foreign-header", with(&|d| d.header.finality.signatures.truncate(2))),
        (
            "foreign-gap",
            with(&|d| {
                d.results.remove(0);
                d.first = 1;
            }),
        ),
        ("no-foreign-result", with(&|d| d.results.push(host.proved(&tabellion_pki::outbox_entry_key(4))))),
    ];
    for (code, relay) in rows {
        let transaction = home.sign_relay(&relay);
        assert_eq!(home.judge(&transaction).map(|_| ()).unwrap_err().code(), code);
    }
    // One after the other, in pieces; then nothing is left.
    let first = with(&|d| d.results.truncate(2));
    let transaction = home.sign_relay(&first);
    home.record(&transaction);
    assert_eq!((home.known(&ledger).next, home.known(&ledger).complete), (2, None), "not complete yet");
    let transaction = home.sign_relay(&relay);
    home.record(&transaction);
    let height = host.header().height;
    assert_eq!(home.known(&ledger).next, 4);
    assert_eq!(home.known(&ledger).complete.unwrap().height, height);
    let again = home.sign_relay(&relay);
    let nothing = RelayRefusal::NothingNew { height, next: 4 };
    assert_eq!(home.judge(&again).map(|_| ()), Err(refused(nothing)));
    // A header that does not lead back, a roster that is not the known one, a ledger that nobody follows.
    host.block(&[]);
    let mut unlinked = host.relay(&home.known(&ledger));
    unlinked.delivery = Some(host.delivery(4, 1, None));
    let unlinked = home.sign_relay(&unlinked);
    let refusal = RelayRefusal::NotLinked { known: height, found: height.next() };
    assert_eq!(home.judge(&unlinked).map(|_| ()), Err(refused(refusal)));
    home.decide(Change::UnfollowLedger { ledger });
    let late = home.sign_relay(&relay);
    assert_eq!(home.judge(&late).map(|_| ()), Err(refused(RelayRefusal::NotFollowed { ledger })));
}

/// X.1409 C16, L9: the light client follows the host's validators from hand-over to hand-over, however many.
#[test]
fn the_home_ledger_follows_the_validators_of_the_host_through_many_hand_overs() {
    let (mut host, mut home) = two_ledgers();
    let publication = host.publication();
    host.record(&publication);
    forward(&host, &mut home);
    while host.hand_overs.len() < 19 {
        let rotation = host.rotate();
        let checked: Vec<_> = rotation.iter().filter_map(|rotation| host.judge(rotation).ok()).collect();
        host.block(&checked);
    }
    let publication = host.publication();
    host.record(&publication);
    let mut steps = 0;
    while home.known(&host.id()).next < 2 {
        forward(&host, &mut home);
        steps += 1;
    }
    assert_eq!(steps, 3, "eight hand-overs at a time");
    assert_eq!(home.known(&host.id()).roster.number(), 19);
}
