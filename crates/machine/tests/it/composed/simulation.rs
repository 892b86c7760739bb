//! Two ledgers, and proxies that lie, drop, reorder, replay and stall (X.1409 C16, A.1).
//!
//! Chance is seeded; a failure names its seed and the event.

use std::collections::{BTreeMap, BTreeSet};

use tabellion_consortium::Change;
use tabellion_ledger::trie::{MemoryPages, prove, update};
use tabellion_ledger::{
    CertificateId, HandOver, Hash, Header, ProvedHeader, Roster, StateRoot, Transaction, Validator, cbor,
    merkle, sha256,
};
use tabellion_machine::Event;
use tabellion_pki::{
    Action, Delivery, Outbox, OutboxEntry, ProvedRecord, Reason, Relay, Status, outbox_entry_key, outbox_key,
};

use super::world::{Ledger, signing_key, two_ledgers};

/// Adversarial events in all runs together: 100,000.
const RUNS: u64 = 4;
const EVENTS: u64 = 25_000;

/// SplitMix64.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(bound).unwrap()).unwrap()
    }

    fn one_in(&mut self, bound: usize) -> bool {
        self.below(bound) == 0
    }
}

struct Simulation {
    host: Ledger,
    home: Ledger,
    chance: Chance,
    /// Everything that was ever sent, for those who send it again.
    sent: Vec<Relay>,
    transactions: Vec<Transaction>,
    /// What the home ledger recorded, by certificate, in the order of the events that it told.
    told: BTreeMap<CertificateId, (u64, Status)>,
    recorded: BTreeMap<&'static str, u64>,
    refused: BTreeSet<&'static str>,
}

impl Simulation {
    fn new(seed: u64) -> Self {
        let (host, home) = two_ledgers();
        let (told, recorded, refused) = (BTreeMap::new(), BTreeMap::new(), BTreeSet::new());
        let (sent, transactions, chance) = (Vec::new(), Vec::new(), Chance(seed));
        Self { host, home, chance, sent, transactions, told, recorded, refused }
    }

    /// The host ledger goes on: publications, status changes, hand-overs, empty blocks.
    fn host_acts(&mut self) {
        let host = &mut self.host;
        let transaction = match self.chance.below(8) {
            0 | 1 if host.certificates.len() < 40 => Some(host.publication()),
            0..=4 if !host.certificates.is_empty() => {
                let der = host.certificates[self.chance.below(host.certificates.len())].clone();
                let hold = Some(Reason::CertificateHold);
                let reason = match host.status(&CertificateId::of(&der)) {
                    _ if self.chance.one_in(20) => Some(Reason::KeyCompromise),
                    Status::Suspended => None,
                    _ => hold,
                };
                Some(host.change(&der, reason))
            }
            5 if self.chance.one_in(2) => host.rotate(),
            _ => None,
        };
        // A certificate that is revoked stays so: such a request is refused, and the block is empty.
        let checked: Vec<_> =
            transaction.iter().filter_map(|transaction| self.host.judge(transaction).ok()).collect();
        self.host.block(&checked);
    }

    fn honest(&self) -> Relay {
        self.host.relay(&self.home.known(&self.host.id()))
    }

    /// Sends a relay under a new signature, as `who`; it is recorded if it holds.
    fn send(&mut self, who: &'static str, relay: &Relay) {
        let transaction = self.home.sign_relay(relay);
        self.sent.push(relay.clone());
        self.send_transaction(who, transaction);
        if self.sent.len() > 200 {
            let place = self.chance.below(100);
            self.sent.swap_remove(place);
        }
    }

    fn send_transaction(&mut self, who: &'static str, transaction: Transaction) {
        match self.home.judge(&transaction) {
            Ok(checked) => {
                *self.recorded.entry(who).or_default() += 1;
                for event in self.home.block(&[checked]) {
                    if let Event::Certificate(tabellion_pki::Event::Relayed { record, .. }) = event {
                        let told = (record.number, record.result.status);
                        self.told.insert(record.result.certificate, told);
                    }
                }
                self.check(who);
            }
            Err(refusal) => {
                self.refused.insert(refusal.code());
            }
        }
        self.transactions.push(transaction);
        if self.transactions.len() > 200 {
            let place = self.chance.below(100);
            self.transactions.swap_remove(place);
        }
    }

    /// Every status at home is the host's own, by number, and none below the next number is missing.
    fn check(&self, who: &str) {
        let ledger = self.host.id();
        let known = self.home.known(&ledger);
        assert_eq!(known.frozen, None, "{who} froze the link");
        let next = usize::try_from(known.next).unwrap();
        let mut expected = BTreeMap::new();
        for (number, (id, status)) in self.host.truth[..next].iter().enumerate() {
            expected.insert(*id, (u64::try_from(number).unwrap(), *status));
        }
        assert_eq!(self.told, expected, "a false status, by {who}");
        for (id, (number, status)) in &expected {
            let record = self.home.foreign(&ledger, id).unwrap();
            assert_eq!((record.number, record.result.status), (*number, *status), "by {who}");
        }
        if let Some(newest) = known.newest {
            let place = usize::try_from(newest.height.0).unwrap();
            assert_eq!(newest.hash, self.host.headers[place].hash(), "a header of nobody's, by {who}");
        }
        if let Some(complete) = known.complete {
            let until = self.host.numbered_at(complete.height);
            assert!(known.next >= until, "said to be complete, by {who}");
        }
    }

    /// One act of a proxy that is none's friend.
    fn attack(&mut self) {
        let honest = self.honest();
        match self.chance.below(16) {
            0 if !self.transactions.is_empty() => {
                let place = self.chance.below(self.transactions.len());
                self.send_transaction("replay", self.transactions[place].clone());
            }
            1 if !self.sent.is_empty() => {
                let place = self.chance.below(self.sent.len());
                let relay = self.sent[place].clone();
                self.send("old relay under a new signature", &relay);
            }
            2..=4 => self.turn_a_byte(&honest),
            5 => self.reorder(honest),
            6 => self.withhold(honest),
            7 => self.lie_in_a_result(honest),
            8 => self.lie_with_too_few(&honest),
            9 => self.lie_with_an_old_roster(&honest),
            10 => self.lie_with_a_hand_over(&honest),
            11 => self.lie_about_the_past(honest),
            12 => self.another_ledger(honest),
            13 => self.only_the_hand_overs(honest),
            14 => self.shrink_the_outbox(honest),
            // It stalls: time goes by at home.
            _ => {
                self.home.block(&[]);
            }
        }
    }

    /// Any byte of an honest relay, in any way.
    fn turn_a_byte(&mut self, honest: &Relay) {
        let mut bytes = cbor::to_bytes(&Action::Relay(Box::new(honest.clone())));
        let place = self.chance.below(bytes.len());
        bytes[place] ^= 1 << self.chance.below(8);
        let lane = tabellion_ledger::Lane::Certificate;
        let transaction = self.home.sign(0, lane, bytes, Vec::new());
        self.send_transaction("turned byte", transaction);
    }

    fn reorder(&mut self, mut relay: Relay) {
        let Some(delivery) = &mut relay.delivery else { return };
        if delivery.results.len() > 1 {
            match self.chance.below(3) {
                0 => {
                    delivery.results.remove(0);
                    delivery.first += 1;
                }
                1 => delivery.results.swap(0, 1),
                _ => drop(delivery.results.remove(1)),
            }
        }
        self.send("reorders and drops", &relay);
    }

    /// A true header, and the results kept back.
    fn withhold(&mut self, mut relay: Relay) {
        if let Some(delivery) = &mut relay.delivery {
            let keep = self.chance.below(delivery.results.len() + 1);
            delivery.results.truncate(keep);
        }
        self.send("withholds", &relay);
    }

    fn lie_in_a_result(&mut self, mut relay: Relay) {
        let Some(result) = relay.delivery.as_mut().and_then(|delivery| delivery.results.last_mut()) else {
            return;
        };
        let entry: OutboxEntry = cbor::from_bytes(result.record.as_ref().unwrap(), 4096).unwrap();
        result.record = Some(cbor::to_bytes(&self.altered(entry)));
        self.send("lies in a result", &relay);
    }

    fn altered(&mut self, entry: OutboxEntry) -> OutboxEntry {
        match self.chance.below(3) {
            0 => OutboxEntry { status: Status::Normal, reason: None, ..entry },
            1 => OutboxEntry { status: Status::Revoked, reason: Some(Reason::KeyCompromise), ..entry },
            _ => OutboxEntry { certificate: CertificateId([7; 32]), ..entry },
        }
    }

    /// A state of its own making that says what it likes, and a header upon the newest one for it.
    fn invented(&mut self, roster: &Roster) -> (Header, Delivery) {
        let next = self.home.known(&self.host.id()).next;
        let Some((id, _)) = self.host.truth.last().copied() else {
            return (self.host.header().clone(), self.host.delivery(next, 1, None));
        };
        let entry = OutboxEntry {
            certificate: id,
            status: Status::Normal,
            reason: None,
            sequence: 99,
            since_height: self.host.header().height,
            since_time: self.host.time,
            validity: tabellion_pki::Window { from: self.host.time, until: self.host.time.plus(1 << 40) },
            record: Hash([1; 32]),
            request: None,
        };
        let records = [
            (outbox_key(), cbor::to_bytes(&Outbox { next: next + 1 })),
            (outbox_entry_key(next), cbor::to_bytes(&entry)),
        ];
        let hashes = records.iter().map(|(key, record)| (key.path(), Some(sha256(record)))).collect();
        let mut pages = MemoryPages::default();
        let made = update(&pages, &StateRoot::default(), &hashes).unwrap();
        pages.apply(&made);
        let [outbox, result] = records.map(|(key, record)| ProvedRecord {
            trie: prove(&pages, &made.root, &key.path()).unwrap(),
            record: Some(record),
        });
        let newest = self.host.header().clone();
        let leaves = &self.host.leaves;
        let header = Header {
            height: newest.height.next(),
            previous: newest.hash(),
            state_root: made.root,
            roster: roster.hash(),
            next_roster: roster.hash(),
            history_root: merkle::root(leaves),
            ..newest
        };
        let known = self.home.known(&self.host.id()).newest;
        let older = known.map(|known| {
            let place = usize::try_from(known.height.0).unwrap();
            (self.host.headers[place].clone(), merkle::inclusion_path(leaves, place))
        });
        let finality = self.host.finalise_by(&header, roster, 3);
        let header_proof = ProvedHeader { finality, older };
        (header, Delivery { header: header_proof, outbox, first: next, results: vec![result] })
    }

    /// Fewer than a quorum, or somebody else's signatures in the places of a quorum.
    fn lie_with_too_few(&mut self, honest: &Relay) {
        let roster = honest.hand_overs.last().map_or(&honest.roster, |last| &last.roster).clone();
        let (header, mut delivery) = self.invented(&roster);
        let count = 1 + self.chance.below(2);
        delivery.header.finality = self.host.finalise_by(&header, &roster, count);
        let first = delivery.header.finality.signatures[0];
        match self.chance.below(3) {
            0 => {}
            // One signature three times.
            1 => delivery.header.finality.signatures = vec![first; 3],
            // Signatures without keys.
            _ => {
                let signatures = &mut delivery.header.finality.signatures;
                for validator in u16::try_from(signatures.len()).unwrap()..3 {
                    signatures.push(tabellion_ledger::FinalitySignature { validator, ..first });
                }
            }
        }
        self.send("lies with too few", &Relay { delivery: Some(delivery), ..honest.clone() });
    }

    /// All validators of a roster whose term is over, in the name of theirs or of the present one.
    fn lie_with_an_old_roster(&mut self, honest: &Relay) {
        if self.host.hand_overs.is_empty() {
            return;
        }
        let present = honest.roster.hash();
        let mut old: Vec<Roster> = self
            .host
            .rosters
            .values()
            .filter(|roster| roster.number() < honest.roster.number())
            .cloned()
            .collect();
        if old.is_empty() {
            return;
        }
        let place = self.chance.below(old.len());
        let old = old.swap_remove(place);
        let (header, mut delivery) = self.invented(&old);
        let mut relay = Relay { hand_overs: Vec::new(), ..honest.clone() };
        match self.chance.below(3) {
            0 => relay.roster = old,
            1 => {
                let header = Header { roster: present, next_roster: present, ..header };
                delivery.header.finality = self.host.finalise_by(&header, &old, 4);
            }
            _ => {}
        }
        relay.delivery = Some(delivery);
        self.send("lies with an old roster", &relay);
    }

    /// A roster of its own, named by nobody, or by validators whose term is over.
    fn lie_with_a_hand_over(&mut self, honest: &Relay) {
        let own = |place: usize| Validator {
            key: signing_key(&format!("attacker/{place}")).verification_key().to_bytes(),
            member: "m0".parse().unwrap(),
            name: "own".to_owned(),
        };
        let roster = Roster::new(honest.roster.number() + 1, (0..4).map(own).collect()).unwrap();
        let (mut header, _) = self.invented(&honest.roster);
        header.next_roster = roster.hash();
        let old = self.host.rosters.values().next().unwrap().clone();
        let last = match self.chance.below(2) {
            0 => self.host.finalise_by(&header, &honest.roster, 2),
            _ => self.host.finalise_by(&header, &old, if old == honest.roster { 1 } else { 4 }),
        };
        let above = Header {
            height: header.height.next(),
            previous: header.hash(),
            roster: roster.hash(),
            ..header.clone()
        };
        let accepted = self.host.finalise_by(&above, &roster, 4);
        let hand_over = HandOver { last, roster: roster.clone(), between: Vec::new(), accepted };
        let (_, delivery) = self.invented(&roster);
        let delivery = (!self.chance.one_in(3)).then_some(delivery);
        let hand_overs = vec![hand_over];
        self.send("lies with a hand-over", &Relay { hand_overs, delivery, ..honest.clone() });
    }

    /// A true header, with another past: a header that is not the one known, or none.
    fn lie_about_the_past(&mut self, mut relay: Relay) {
        let Some(delivery) = &mut relay.delivery else { return };
        let other = self.chance.below(self.host.headers.len());
        match (&mut delivery.header.older, self.chance.below(3)) {
            (Some((header, _)), 0) => *header = self.host.headers[other].clone(),
            (Some((header, _)), 1) => header.proposer ^= 1,
            (older, _) => *older = None,
        }
        self.send("lies about the past", &relay);
    }

    /// True proofs of the home ledger itself.
    fn another_ledger(&mut self, mut relay: Relay) {
        relay.delivery = Some(self.home.delivery(0, 1, None));
        if self.chance.one_in(2) {
            relay.roster = tabellion_consortium::roster(self.home.replay.state());
            relay.ledger = self.home.id();
        }
        self.send("another ledger", &relay);
    }

    fn only_the_hand_overs(&mut self, mut relay: Relay) {
        relay.delivery = None;
        let keep = self.chance.below(relay.hand_overs.len() + 1);
        relay.hand_overs.truncate(keep);
        self.send("only hand-overs", &relay);
    }

    /// Says that there are fewer results than there are.
    fn shrink_the_outbox(&mut self, mut relay: Relay) {
        let Some(delivery) = &mut relay.delivery else { return };
        let next = delivery.first;
        delivery.results.clear();
        delivery.outbox.record = (next > 0).then(|| cbor::to_bytes(&Outbox { next }));
        self.send("shrinks the outbox", &relay);
    }
}

fn run(seed: u64) {
    let mut simulation = Simulation::new(seed);
    for event in 0..EVENTS {
        if simulation.chance.one_in(12) {
            simulation.host_acts();
            let behind = simulation.host.time.0.saturating_sub(simulation.home.time.0);
            simulation.home.time = simulation.home.time.plus(behind);
        }
        simulation.attack();
        // Now and then somebody honest comes by, or nobody else would bring a lie anything to lie about.
        if simulation.chance.one_in(40) {
            let honest = simulation.honest();
            simulation.send("honest", &honest);
        }
        if event % 5_000 == 0 {
            println!("seed {seed}: {event} events, {:?}", simulation.recorded);
        }
    }
    println!("seed {seed}: recorded {:?}; refused {:?}", simulation.recorded, simulation.refused);
    let honest = simulation.honest();
    simulation.send("honest", &honest);
    assert!(simulation.host.truth.len() > 100 && simulation.host.hand_overs.len() > 10, "enough happened");
    assert!(simulation.told.values().any(|(_, status)| *status == Status::Revoked));
    let codes = [
        "malformed-action",
        "replayed",
        "foreign-hand-over",
        "foreign-header",
        "foreign-proof",
        "foreign-roster",
        "foreign-header-not-linked",
        "foreign-gap",
        "nothing-new",
    ];
    let missing: Vec<_> = codes.iter().filter(|code| !simulation.refused.contains(*code)).collect();
    assert!(missing.is_empty(), "seed {seed}: never refused as {missing:?}");
}

/// X.1409 C16: proxies that lie, drop, reorder, replay and stall: no false status in 100,000 events, in four
/// runs of 25,000.
mod no_proxy_makes_a_false_status {
    use super::{RUNS, run};

    #[test]
    fn run_1_slow() {
        run(1);
    }

    #[test]
    fn run_2_slow() {
        run(2);
    }

    #[test]
    fn run_3_slow() {
        run(3);
    }

    #[test]
    fn run_4_slow() {
        run(RUNS);
    }
}

/// X.1409 C16: with one honest proxy among others, a revocation is visible abroad within two blocks (the one
/// that records it, and one at home) and two round trips (one to each ledger), whatever the others do in the
/// same block.
#[test]
fn a_revocation_is_visible_abroad_within_two_blocks_and_two_round_trips() {
    let mut simulation = Simulation::new(99);
    for _ in 0..30 {
        let publication = simulation.host.publication();
        simulation.host.record(&publication);
    }
    for der in simulation.host.certificates.clone() {
        let (mut blocks, mut round_trips) = (0, 0);
        let revocation = simulation.host.change(&der, Some(Reason::KeyCompromise));
        simulation.host.record(&revocation);
        blocks += 1;
        // The honest proxy fetches from the host, knowing what the home ledger says.
        let relay = simulation.honest();
        round_trips += 1;
        // Meanwhile the host goes on, and the others bring true headers, keep results back, and lie.
        simulation.host.block(&[]);
        let mut held_back = simulation.honest();
        held_back.delivery.as_mut().unwrap().results.clear();
        let rival = simulation.home.sign_relay(&held_back);
        let rival = simulation.home.judge(&rival).unwrap();
        let honest = simulation.home.sign_relay(&relay);
        let honest = simulation.home.judge(&honest).unwrap();
        round_trips += 1;
        simulation.home.block(&[rival, honest]);
        blocks += 1;
        let record = simulation.home.foreign(&simulation.host.id(), &CertificateId::of(&der)).unwrap();
        assert_eq!(record.result.status, Status::Revoked);
        assert!(blocks <= 2 && round_trips <= 2);
    }
}

/// X.1409 C16: what is not followed is not recorded, and following begins with the validators of the vote.
#[test]
fn nothing_is_recorded_of_a_ledger_before_the_members_follow_it() {
    let (mut host, mut home) = (Ledger::new("host"), Ledger::new("home"));
    host.open_outbox();
    let publication = host.publication();
    host.record(&publication);
    let begun = tabellion_pki::FollowedLedger::begin(1, tabellion_consortium::roster(host.replay.state()));
    let relay = host.relay(&begun);
    let early = home.sign_relay(&relay);
    assert_eq!(home.judge(&early).map(|_| ()).unwrap_err().code(), "ledger-not-followed");
    home.follow(&host);
    home.record(&early);
    assert_eq!(home.known(&host.id()).next, 1);
    host.decide(Change::Outbox { open: false });
    let publication = host.publication();
    host.record(&publication);
    assert_eq!(host.delivery(1, 9, None).results.len(), 0, "a closed outbox numbers nothing");
}
