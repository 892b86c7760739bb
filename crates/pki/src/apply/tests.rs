//! Publications that wait for their start, and what their CA says of them meanwhile.

use std::collections::{BTreeMap, BTreeSet};

use tabellion_ledger::{Hash, Height, LedgerId, StateKey, TransactionId};

use super::*;
use crate::action::Window;
use crate::change::{Evidence, EvidenceKind, KeySignature, Reason, Renewal, StatusChange};
use crate::check::CheckedPublish;
use crate::composed::{number_results, outbox_entry};
use crate::key::{schedule_hour_key, schedule_index_key};
use crate::refusal::ChangeRefusal;
use crate::state::{ScheduleHour, ScheduleIndex, Status, record_hash};
use crate::view::{Standing, certificate, certificates_of_key, scheduled};

const SECOND: u64 = 1_000;
const HOUR: u64 = 3_600 * SECOND;
const NOW: TimeMs = TimeMs(1_000 * HOUR);
const START: TimeMs = TimeMs(NOW.0 + 2 * HOUR);
const END: TimeMs = TimeMs(NOW.0 + 90 * HOUR + 999);
const AGE_MAX: u64 = HOUR;
const ROOT: CertificateId = CertificateId([1; 32]);
const CA: CertificateId = CertificateId([2; 32]);
const ONE: CertificateId = CertificateId([10; 32]);
const PUBLISHER: KeyId = KeyId([20; 32]);
const REVOKER: KeyId = KeyId([21; 32]);

const KINDS: [EvidenceKind; 3] = [EvidenceKind::Statement, EvidenceKind::Ocsp, EvidenceKind::Crl];
const HOLD: Option<Reason> = Some(Reason::CertificateHold);
const COMPROMISE: Option<Reason> = Some(Reason::KeyCompromise);

/// A state as a map, a block at a time.
#[derive(Clone, Debug, PartialEq)]
struct World {
    state: BTreeMap<StateKey, Vec<u8>>,
    height: Height,
    time: TimeMs,
    anchors: Vec<CertificateId>,
}

impl View for World {
    fn get(&self, key: &StateKey) -> Option<Vec<u8>> {
        self.state.get(key).cloned()
    }

    fn transaction_height(&self, _: &TransactionId) -> Option<Height> {
        None
    }
}

impl World {
    fn new() -> Self {
        Self { state: BTreeMap::new(), height: Height(1), time: NOW, anchors: vec![ROOT] }
    }

    /// One certificate waits.
    fn waiting() -> Self {
        let mut world = World::new();
        assert_eq!(world.publish(ONE, START), Ok(vec![Event::Scheduled { certificate: ONE, from: START }]));
        world.next(NOW.plus(60 * SECOND));
        world
    }

    fn next(&mut self, time: TimeMs) {
        (self.height, self.time) = (self.height.next(), time);
    }

    fn ctx(&self) -> Context {
        Context {
            ledger: LedgerId::default(),
            height: self.height,
            time: self.time,
            previous_time: self.time,
        }
    }

    /// Does what a block does with a transaction, or at its end.
    fn take(&mut self, effects: Effects<Event>) -> Vec<Event> {
        for (key, value) in effects.writes {
            match value {
                Some(value) => self.state.insert(key, value),
                None => self.state.remove(&key),
            };
        }
        effects.events
    }

    fn apply(&mut self, checked: &Checked, by: &KeyId) -> Result<Vec<Event>, EntryRefusal> {
        let anchors = self.anchors.clone();
        match apply(checked, by, &self.ctx(), &rules(&anchors), self) {
            Ok(effects) => Ok(self.take(effects)),
            Err(Refusal::Entries(refused)) => Err(refused[0].refusal.clone()),
            Err(other) => panic!("{other}"),
        }
    }

    fn close(&mut self) -> Vec<Event> {
        let anchors = self.anchors.clone();
        let effects = close(&self.ctx(), &rules(&anchors), self);
        self.take(effects)
    }

    fn publish(&mut self, id: CertificateId, from: TimeMs) -> Result<Vec<Event>, EntryRefusal> {
        let entries = vec![CheckedEntry { entry: entry(id, from), chain: None }];
        self.apply(&Checked::Publish(CheckedPublish { entries }), &PUBLISHER)
    }

    fn change(&mut self, change: StatusChange) -> Result<Vec<Event>, EntryRefusal> {
        self.apply(&Checked::Change(vec![change]), &REVOKER)
    }

    /// A change upon evidence of now.
    fn asked(&self, id: CertificateId, reason: Option<Reason>, kind: EvidenceKind) -> StatusChange {
        let sequence = certificate(self, &id).map_or(0, |record| record.sequence) + 1;
        let number = match kind {
            EvidenceKind::Statement => sequence,
            EvidenceKind::Crl => self.time.0,
            EvidenceKind::Ocsp | EvidenceKind::Renewal => 0,
        };
        let evidence = Evidence {
            kind,
            hash: Hash([9; 32]),
            signer: CA,
            at: self.time,
            until: self.time.plus(HOUR),
            number: number.into(),
        };
        StatusChange { certificate: id, issuer: CA, not_after: TimeMs(END.0 - 999), reason, evidence }
    }

    fn renewal(&self, old: CertificateId, new: CertificateId) -> Checked {
        let (entry, signature) = (entry(new, self.time), Vec::new());
        let signature = KeySignature { algorithm: Vec::new(), signature };
        let old_not_after = TimeMs(END.0 - 999);
        let renewal = Renewal { entry: entry.clone(), old, old_not_after, signature };
        Checked::Renew(Box::new(renewal), Box::new(CheckedEntry { entry, chain: None }))
    }

    fn standing(&self, id: &CertificateId, at: TimeMs) -> Standing {
        Standing::of(certificate(self, id).as_ref(), at)
    }
}

fn rules(anchors: &[CertificateId]) -> Rules<'_> {
    Rules {
        anchors,
        schedule_ahead_ms_max: 1_000 * HOUR,
        evidence_age_ms_max: AGE_MAX,
        records_certificates: true,
        link: None,
    }
}

fn entry(certificate: CertificateId, from: TimeMs) -> Entry {
    Entry {
        certificate,
        key: KeyId(certificate.0),
        status: Status::Normal,
        validity: Window { from, until: TimeMs(END.0 - 999) },
        window: None,
        intermediates: vec![CA],
        root: ROOT,
    }
}

/// X.1409 C8, C12, C13, C14: what its CA takes back or holds before it starts is recorded as published, and
/// changed at once, by every kind of feedback; it never becomes normal by itself.
#[test]
fn a_certificate_that_waits_is_revoked_or_suspended_before_its_start() {
    for (reason, kind) in [COMPROMISE, HOLD].into_iter().flat_map(|reason| KINDS.map(|kind| (reason, kind))) {
        let mut world = World::waiting();
        let waited = scheduled(&world, &ONE).unwrap();
        let change = world.asked(ONE, reason, kind);
        let events = world.change(change.clone()).unwrap();
        let first = waited.first_record(world.height, world.time);
        let record = first.followed_by(reason, change.evidence, &REVOKER, world.height, world.time);
        assert_eq!((first.sequence, first.submitter, first.published_height), (0, PUBLISHER, Height(1)));
        assert_eq!((record.sequence, record.previous), (1, Some(record_hash(&first))));
        let published = Event::Published { certificate: ONE, record: first };
        let changed = match Reason::status(reason) {
            Status::Revoked => Event::Revoked { certificate: ONE, record: record.clone() },
            _ => Event::Suspended { certificate: ONE, record: record.clone() },
        };
        assert_eq!(events, [published, changed], "{kind}");
        assert_eq!(certificate(&world, &ONE), Some(record.clone()));
        assert_eq!(certificates_of_key(&world, &KeyId(ONE.0)), [ONE]);
        assert_eq!((scheduled(&world, &ONE), next_start(&world)), (None, None));
        check_results(&world, &events);
        world.next(START);
        assert_eq!(world.close(), []);
        assert_eq!(certificate(&world, &ONE), Some(record), "nothing happens at its start");
    }
}

/// X.1409 C16: other ledgers get both records, in their order.
fn check_results(world: &World, events: &[Event]) {
    let request = Some(TransactionId([3; 32]));
    let mut other = world.clone();
    other.take(Effects { writes: number_results(events, request, world), events: Vec::new() });
    let of = |number| outbox_entry(&other, number).map(|result| (result.sequence, result.request));
    assert_eq!([0, 1, 2].map(of), [Some((0, request)), Some((1, request)), None]);
}

/// X.1409 C13, C14: every check of feedback holds for a certificate that waits too; what is refused changes
/// nothing.
#[test]
fn feedback_that_does_not_fit_a_certificate_that_waits_is_refused() {
    let world = World::waiting();
    let now = world.time;
    let good = world.asked(ONE, COMPROMISE, EvidenceKind::Statement);
    let with = |change: fn(&mut StatusChange)| {
        let mut other = good.clone();
        change(&mut other);
        other
    };
    let from = START;
    let sequence = |said: u64| ChangeRefusal::StatementSequence { said: said.into(), next: 1.into() };
    let early = now.plus(1);
    let old = TimeMs(now.0 - AGE_MAX - 1);
    let rows = [
        (with(|change| change.reason = None), ChangeRefusal::NotStarted { from, now }),
        (with(|change| change.issuer = ROOT), ChangeRefusal::IssuerDiffers { recorded: CA, said: ROOT }),
        (with(|change| change.evidence.number = 0.into()), sequence(0)),
        (with(|change| change.evidence.number = 2.into()), sequence(2)),
        (with(|change| change.evidence.at.0 += 1), ChangeRefusal::EvidenceTooEarly { at: early, now }),
        (
            with(|change| change.evidence.until = TimeMs(NOW.0)),
            ChangeRefusal::EvidenceOver { until: NOW, now },
        ),
        (
            with(|change| change.evidence.at.0 -= AGE_MAX + 1),
            ChangeRefusal::EvidenceTooOld { at: old, now, age_ms_max: AGE_MAX },
        ),
        (
            with(|change| change.certificate.0[0] ^= 1),
            ChangeRefusal::NotRecorded {
                certificate: with(|change| change.certificate.0[0] ^= 1).certificate,
            },
        ),
    ];
    for (change, expected) in rows {
        let mut tried = world.clone();
        assert_eq!(tried.change(change), Err(expected.into()));
        assert_eq!(tried, world);
    }
    let mut untrusted = World { anchors: Vec::new(), ..world.clone() };
    assert_eq!(untrusted.change(good.clone()), Err(EntryRefusal::UntrustedRoot { root: ROOT }));
    // The signer's own certificate is on hold here.
    let mut held = world.clone();
    held.publish(CA, held.time).unwrap();
    held.change(held.asked(CA, HOLD, EvidenceKind::Ocsp)).unwrap();
    let refused = ChangeRefusal::SignerNotNormal { signer: CA, status: Status::Suspended };
    assert_eq!(held.change(good.clone()), Err(refused.into()));
    // It could not start either: at its start it will be dropped.
    let mut full = world.clone();
    let (key, ids) = (KeyId(ONE.0), vec![CA; CERTIFICATES_PER_KEY_MAX]);
    full.state.insert(certificates_of_key_key(&key), cbor::to_bytes(&KeyRecord(ids)));
    let (count, count_max) = (CERTIFICATES_PER_KEY_MAX, CERTIFICATES_PER_KEY_MAX);
    assert_eq!(full.change(good), Err(EntryRefusal::TooManyForKey { key, count, count_max }));
    full.next(START);
    assert_eq!(full.close(), [Event::Dropped { certificate: ONE, root: ROOT }]);
}

/// X.1409 C10, C12, C13, C15, C17: resumed before its start, a certificate is valid from its start on, and
/// at no moment before.
#[test]
fn what_is_resumed_before_its_start_is_valid_from_its_start_on() {
    let mut world = World::waiting();
    world.change(world.asked(ONE, HOLD, EvidenceKind::Crl)).unwrap();
    assert_eq!(world.standing(&ONE, world.time), Standing::Suspended);
    let same = world.asked(ONE, None, EvidenceKind::Crl);
    let refused = ChangeRefusal::EvidenceNotNewer { at: world.time, used: world.time };
    assert_eq!(world.change(same), Err(refused.into()));
    world.next(world.time.plus(SECOND));
    let events = world.change(world.asked(ONE, None, EvidenceKind::Statement)).unwrap();
    assert!(matches!(events.as_slice(), [Event::Resumed { record, .. }] if record.sequence == 2));
    let rows = [
        (world.time, Standing::Unknown),
        (TimeMs(START.0 - 1), Standing::Unknown),
        (START, Standing::Valid),
        (END, Standing::Valid),
        (END.plus(1), Standing::Expired),
    ];
    for (at, expected) in rows {
        assert_eq!(world.standing(&ONE, at), expected, "{at}");
    }
    let again = ChangeRefusal::Unchanged { status: Status::Normal, since_height: world.height };
    assert_eq!(world.change(world.asked(ONE, None, EvidenceKind::Statement)), Err(again.into()));
}

/// X.1409 C15: there is nothing to replace before a start, whether the certificate has a record or not.
#[test]
fn a_certificate_is_renewed_after_its_start() {
    let new = CertificateId([11; 32]);
    let waiting = World::waiting();
    let mut resumed = World::waiting();
    resumed.change(resumed.asked(ONE, HOLD, EvidenceKind::Ocsp)).unwrap();
    let mut suspended = resumed.clone();
    resumed.next(resumed.time.plus(SECOND));
    resumed.change(resumed.asked(ONE, None, EvidenceKind::Ocsp)).unwrap();
    for mut world in [waiting, resumed] {
        let early = world.renewal(ONE, new);
        let refused = ChangeRefusal::NotStarted { from: START, now: world.time };
        assert_eq!(world.apply(&early, &PUBLISHER), Err(refused.into()));
        world.next(START);
        world.close();
        world.next(START.plus(SECOND));
        let renewal = world.renewal(ONE, new);
        let events = world.apply(&renewal, &PUBLISHER).unwrap();
        assert!(matches!(events.as_slice(), [Event::Published { .. }, Event::Renewed { .. }]));
    }
    let refused = ChangeRefusal::RenewalNotNormal { status: Status::Suspended };
    let renewal = suspended.renewal(ONE, new);
    assert_eq!(suspended.apply(&renewal, &PUBLISHER), Err(refused.into()));
}

/// X.1409 C8, A5: one CRL for certificates that wait, in one hour and in several, and for one that does not.
#[test]
fn one_request_changes_what_waits_and_what_is_recorded() {
    let mut world = World::new();
    let starts = [NOW, START, START.plus(SECOND), START.plus(HOUR)];
    let ids: Vec<_> = (30..34).map(|number| CertificateId([number; 32])).collect();
    for (id, from) in ids.iter().zip(starts) {
        world.publish(*id, from).unwrap();
    }
    world.next(NOW.plus(SECOND));
    let changes: Vec<_> = ids.iter().map(|id| world.asked(*id, COMPROMISE, EvidenceKind::Crl)).collect();
    let mut all = world.clone();
    assert_eq!(all.apply(&Checked::Change(changes.clone()), &REVOKER).unwrap().len(), 1 + 3 * 2);
    assert_eq!(next_start(&all), None);
    // All but the second, which goes on waiting.
    let mut some = changes;
    some.remove(1);
    assert_eq!(world.apply(&Checked::Change(some), &REVOKER).unwrap().len(), 1 + 2 * 2);
    assert_eq!(next_start(&world), Some(START));
    world.next(START.plus(HOUR));
    assert!(
        matches!(world.close().as_slice(), [Event::Published { certificate, .. }] if *certificate == ids[1])
    );
}

/// SplitMix64: the same walk for the same seed, everywhere.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }
}

/// What must be true of every state: the index of starts names what waits, and nothing waits that has a
/// record.
fn check_schedule(world: &World, ids: &[CertificateId], step: &str) {
    let waits: Vec<_> = ids.iter().filter_map(|id| scheduled(world, id)).collect();
    let mut starts: Vec<_> = waits.iter().map(|waits| (waits.validity.from, waits.certificate)).collect();
    starts.sort();
    let hours: BTreeSet<u64> = starts.iter().map(|(from, _)| from.0 / HOUR).collect();
    let index: ScheduleIndex = read(world, &schedule_index_key()).unwrap_or_default();
    assert_eq!(index.hours, hours.into_iter().collect::<Vec<_>>(), "{step}");
    assert_eq!(index.next, starts.first().map(|(from, _)| *from), "{step}");
    let of_hour = |hour: &u64| read::<ScheduleHour>(world, &schedule_hour_key(*hour)).unwrap().0;
    assert_eq!(index.hours.iter().flat_map(of_hour).collect::<Vec<_>>(), starts, "{step}");
    for id in ids {
        let is_listed = certificates_of_key(world, &KeyId(id.0)) == [*id];
        let record = certificate(world, id);
        assert_eq!(is_listed, record.is_some(), "{step}");
        assert!(record.is_none() || scheduled(world, id).is_none(), "{step}");
    }
}

/// X.1409 C10, C12, C13: publications, changes and starts in any order; at no moment is a certificate valid
/// before its start, after its end, or against the last word of its CA.
#[test]
fn whatever_happens_before_a_start_no_status_is_false() {
    let ids: Vec<_> = (30..230).map(|number| CertificateId([number; 32])).collect();
    let (mut chance, mut world) = (Chance(4), World::new());
    let mut said: BTreeMap<CertificateId, (TimeMs, Status)> = BTreeMap::new();
    let (mut early, mut started) = (0, 0);
    for step in 0..4_000 {
        let id = ids[chance.below(200) as usize];
        let from = TimeMs(NOW.0 + chance.below(70 * HOUR));
        let waits = scheduled(&world, &id).is_some();
        match chance.below(4) {
            0 if world.publish(id, from).is_ok() => {
                said.insert(id, (from, Status::Normal));
            }
            1 => {
                let reason = [None, HOLD, HOLD, COMPROMISE][chance.below(4) as usize];
                let kind = KINDS[chance.below(3) as usize];
                if let (Ok(events), Some((_, status))) =
                    (world.change(world.asked(id, reason, kind)), said.get_mut(&id))
                {
                    assert_eq!(events.len(), 1 + usize::from(waits), "step {step}");
                    assert_ne!(*status, Status::Revoked, "step {step}");
                    *status = Reason::status(reason);
                    early += usize::from(waits);
                }
            }
            2 => {
                started += world.close().len();
                world.next(world.time.plus(chance.below(2 * 70 * HOUR / 1_000)));
            }
            _ => {}
        }
        check_schedule(&world, &ids, &format!("step {step}"));
        let at = TimeMs(NOW.0 + chance.below(100 * HOUR));
        if let Some((from, status)) = said.get(&id) {
            let expected =
                scheduled(&world, &id).is_none() && *status == Status::Normal && (*from..=END).contains(&at);
            assert_eq!(world.standing(&id, at) == Standing::Valid, expected, "step {step}");
        }
    }
    assert!(early > 5 && started > 5, "{early} changes before a start, {started} starts");
}
