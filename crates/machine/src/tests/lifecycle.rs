//! The rest of a certificate's life: revoke, suspend, resume, renew.

use tabellion_corpus::{CrlDraft, Draft, Issued, OcspDraft, OcspStatus};
use tabellion_ledger::Block;
use tabellion_ledger::limits::BLOCK_BYTES_MAX;
use tabellion_pki::{
    AlgorithmSet, CertificateRecord, ChangeRefusal, Event as PkiEvent, Evidence, EvidenceKind,
    EvidenceRefusal, KeySignature, Number, Reason, Renewal, SignedStatement, Statement, StatusChange,
    feedback, record_hash, renewal_message,
};

use super::*;

const SECOND: u64 = 1_000;
const DAY: u64 = 24 * HOUR;

/// A ledger with one certificate in good standing, and a second node that follows it from its blocks.
struct Life {
    world: World,
    follower: Replay,
    der: Vec<u8>,
    key: TestKey,
    id: CertificateId,
}

impl Life {
    fn new(kind: LedgerKind) -> Self {
        Self::published(kind, None)
    }

    /// The certificate waits for the start of this window.
    fn published(kind: LedgerKind, window: Option<Window>) -> Self {
        let rules = CertificateRules { kind, ..CertificateRules::default() };
        let mut world = World::new(rules.clone());
        let follower = Replay::new(&document(&world.ca, rules)).unwrap();
        let key = TestKey::generate(KeyKind::P256);
        let draft = world.ca.leaf_draft("one.example", &key.spki());
        let der = world.ca.sign(&draft);
        let id = CertificateId::of(&der);
        let mut life = Self { world, follower, der: der.clone(), key, id };
        let publication = Entry { window, ..life.world.entry(&der) };
        let publication = life.world.publish(vec![publication], &[der]);
        life.record(&publication, NOW).unwrap();
        life
    }

    /// Sends a transaction the whole way; the follower executes the block as it is recorded.
    fn record(&mut self, transaction: &Transaction, at: TimeMs) -> Result<Outcome, Refusal> {
        let outcome = self.world.record(transaction, at)?;
        let recorded = (*outcome.block).clone().recorded();
        let block: Block = cbor::from_bytes(&cbor::to_bytes(&recorded), BLOCK_BYTES_MAX).unwrap();
        let followed = self.follower.accept(&block).unwrap();
        assert_eq!(followed.digest, outcome.digest);
        assert_eq!(self.follower.header().state_root, self.world.replay.header().state_root);
        Ok(outcome)
    }

    fn issuer(&self) -> &Issued {
        self.world.ca.issuer()
    }

    fn latest(&self) -> CertificateRecord {
        certificate(self.world.replay.state(), &self.id).unwrap()
    }

    fn serial(&self) -> Vec<u8> {
        Facts::of(&self.der).unwrap().serial
    }

    /// Evidence of a kind that says this of the certificate.
    fn evidence(&self, kind: EvidenceKind, reason: Option<Reason>, at: TimeMs) -> Vec<u8> {
        match kind {
            EvidenceKind::Crl => self.crl(reason, at, at.seconds()),
            EvidenceKind::Ocsp => {
                let status = match reason {
                    None => OcspStatus::Good,
                    Some(reason) => OcspStatus::Revoked(Some(reason.number())),
                };
                OcspDraft::new(self.issuer(), &self.serial(), status, at).sign(&self.issuer().key)
            }
            _ => {
                let latest = certificate(self.world.replay.state(), &self.id);
                self.statement(reason, at, latest.map_or(0, |record| record.sequence) + 1)
            }
        }
    }

    fn crl(&self, reason: Option<Reason>, at: TimeMs, number: u64) -> Vec<u8> {
        let mut crl = CrlDraft::new(self.issuer(), number, at);
        if let Some(reason) = reason {
            crl.revoke(&self.serial(), Some(reason.number()));
        }
        crl.sign(&self.issuer().key)
    }

    fn statement(&self, reason: Option<Reason>, at: TimeMs, sequence: u64) -> Vec<u8> {
        let ledger = self.world.replay.rules().ledger();
        let statement = Statement { ledger, certificate: self.id, reason, at, sequence };
        let key = &self.issuer().key;
        let (algorithm, signature) = (key.kind().signature_algorithm(), key.sign(&statement.signed_bytes()));
        cbor::to_bytes(&SignedStatement { statement, signature: KeySignature { algorithm, signature } })
    }

    /// What a client asks for that has this evidence.
    fn change(&self, kind: EvidenceKind, evidence: &[u8]) -> StatusChange {
        let ledger = self.world.replay.rules().ledger();
        let issuer = &self.issuer().certificate;
        let said = feedback((kind, evidence), &self.der, issuer, &ledger, &AlgorithmSet::default());
        let said = said.unwrap().unwrap();
        StatusChange {
            certificate: self.id,
            issuer: CertificateId::of(issuer),
            not_after: Facts::of(&self.der).unwrap().not_after,
            reason: said.reason,
            evidence: said.evidence,
        }
    }

    fn send(&mut self, change: StatusChange, evidence: &[u8], at: TimeMs) -> Result<Outcome, Refusal> {
        let attachments = vec![self.der.clone(), self.issuer().certificate.clone(), evidence.to_vec()];
        let content = self.world.content(&Action::Change(vec![change]), &attachments);
        let transaction = self.world.publisher.sign(&content, attachments);
        self.record(&transaction, at)
    }

    fn ask(&mut self, kind: EvidenceKind, evidence: &[u8], at: TimeMs) -> Result<Outcome, Refusal> {
        self.send(self.change(kind, evidence), evidence, at)
    }

    /// Asks with evidence of this moment, for which a change is expected.
    fn put(&mut self, kind: EvidenceKind, reason: Option<Reason>, at: TimeMs) {
        let evidence = self.evidence(kind, reason, at);
        self.ask(kind, &evidence, at).unwrap();
    }

    /// A renewal under a changed draft, signed by `key`.
    fn renewal(&mut self, key: &TestKey, change: impl FnOnce(&mut Draft)) -> (Renewal, Vec<Vec<u8>>) {
        let mut draft = self.world.ca.leaf_draft("one.example", &TestKey::generate(KeyKind::P256).spki());
        change(&mut draft);
        let new = self.world.ca.sign(&draft);
        let entry = self.world.entry(&new);
        let ledger = self.world.replay.rules().ledger();
        let signature = key.sign(&renewal_message(&ledger, &self.id, &entry.certificate));
        let signature = KeySignature { algorithm: key.kind().signature_algorithm(), signature };
        let old_not_after = Facts::of(&self.der).unwrap().not_after;
        let attachments = self.world.attachments(&[self.der.clone(), new]);
        (Renewal { entry, old: self.id, old_not_after, signature }, attachments)
    }

    fn renew(&mut self, renewal: Renewal, attachments: Vec<Vec<u8>>, at: TimeMs) -> Result<Outcome, Refusal> {
        let content = self.world.content(&Action::Renew(Box::new(renewal)), &attachments);
        let transaction = self.world.publisher.sign(&content, attachments);
        self.record(&transaction, at)
    }
}

fn reason_of(status: Status) -> Option<Reason> {
    match status {
        Status::Normal => None,
        Status::Suspended => Some(Reason::CertificateHold),
        Status::Revoked => Some(Reason::KeyCompromise),
    }
}

fn change_refusal(refusal: Refusal) -> ChangeRefusal {
    match entry_refusal(refusal) {
        EntryRefusal::Change(refusal) => refusal,
        other => panic!("another refusal: {other}"),
    }
}

const KINDS: [EvidenceKind; 3] = [EvidenceKind::Statement, EvidenceKind::Ocsp, EvidenceKind::Crl];
const STATUSES: [Status; 3] = [Status::Normal, Status::Suspended, Status::Revoked];

/// X.1409 C8, C13, C14: every status, request and kind of feedback; a revoked certificate is never resumed.
/// Both kinds of ledger, each followed by a second node with equal roots.
#[test]
fn every_transition_is_as_the_table_says() {
    for ledger in [LedgerKind::Full, LedgerKind::Identifiers] {
        for (from, to, kind) in STATUSES
            .into_iter()
            .flat_map(|from| STATUSES.into_iter().map(move |to| (from, to)))
            .flat_map(|(from, to)| KINDS.into_iter().map(move |kind| (from, to, kind)))
        {
            let mut life = Life::new(ledger);
            if from != Status::Normal {
                life.put(EvidenceKind::Ocsp, reason_of(from), NOW.plus(SECOND));
            }
            let (before, root) = (life.latest(), life.world.replay.header().state_root);
            let at = NOW.plus(5 * SECOND);
            let evidence = life.evidence(kind, reason_of(to), at);
            let outcome = life.ask(kind, &evidence, at).map(|outcome| outcome.notices);
            let since_height = before.since_height;
            let expected = match (from, to) {
                (Status::Revoked, _) => Some(ChangeRefusal::RevokedForGood { since_height }),
                (from, to) if from == to => Some(ChangeRefusal::Unchanged { status: from, since_height }),
                _ => None,
            };
            let row = format!("{from} -> {to} by {kind}");
            match expected {
                Some(expected) => {
                    assert_eq!(change_refusal(outcome.unwrap_err()), expected, "{row}");
                    assert_eq!(life.world.replay.header().state_root, root, "{row} changed the state");
                }
                None => check_recorded_change(&life, &before, (to, kind), &evidence, outcome.unwrap()),
            }
        }
    }
}

/// The record says status, reason, since when, by which evidence, who submitted, and what was before; one
/// event says the same.
fn check_recorded_change(
    life: &Life,
    before: &CertificateRecord,
    (to, kind): (Status, EvidenceKind),
    evidence: &[u8],
    notices: Vec<Notice>,
) {
    let at = NOW.plus(5 * SECOND);
    let record = life.latest();
    assert_eq!((record.status, record.reason), (to, reason_of(to)));
    assert_eq!((record.sequence, record.since_time), (before.sequence + 1, at));
    assert_eq!(record.since_height, life.world.replay.header().height);
    assert_eq!(record.previous, Some(record_hash(before)));
    assert_eq!(record.submitter, life.world.publisher.public().id());
    let used = record.evidence.unwrap();
    assert_eq!((used.kind, used.at), (kind, at));
    assert_eq!(used.hash, Hash(tabellion_ledger::sha256(evidence)));
    assert_eq!((record.validity, record.issuer, record.root), (before.validity, before.issuer, before.root));
    let certificate = life.id;
    let expected = match to {
        Status::Normal => PkiEvent::Resumed { certificate, record },
        Status::Suspended => PkiEvent::Suspended { certificate, record },
        Status::Revoked => PkiEvent::Revoked { certificate, record },
    };
    let events: Vec<_> = notices.into_iter().map(|notice| notice.event).collect();
    assert_eq!(events, [Event::Certificate(expected)]);
    let standing = match to {
        Status::Normal => Standing::Valid,
        Status::Suspended => Standing::Suspended,
        Status::Revoked => Standing::Revoked,
    };
    assert_eq!(life.world.standing(&certificate), standing);
}

/// X.1409 C8, C12, C13, C14: the same table for a certificate that waits for its start. What its CA takes
/// back or holds meanwhile has the records of any other, and does not start by itself.
#[test]
fn every_transition_before_the_start_is_as_the_table_says() {
    let window = Window { from: NOW.plus(HOUR / 4), until: NOW.plus(HOUR) };
    for ledger in [LedgerKind::Full, LedgerKind::Identifiers] {
        for (to, kind) in STATUSES.into_iter().flat_map(|to| KINDS.map(|kind| (to, kind))) {
            let mut life = Life::published(ledger, Some(window));
            let waits = tabellion_pki::scheduled(life.world.replay.state(), &life.id).unwrap();
            let root = life.world.replay.header().state_root;
            let at = NOW.plus(5 * SECOND);
            let evidence = life.evidence(kind, reason_of(to), at);
            let outcome = life.ask(kind, &evidence, at).map(|outcome| outcome.notices);
            if to == Status::Normal {
                let refused = ChangeRefusal::NotStarted { from: window.from, now: at };
                assert_eq!(change_refusal(outcome.unwrap_err()), refused, "{kind}");
                assert_eq!(life.world.replay.header().state_root, root, "{kind} changed the state");
                continue;
            }
            let mut notices = outcome.unwrap();
            let record = waits.first_record(life.world.replay.header().height, at);
            let published = PkiEvent::Published { certificate: life.id, record: record.clone() };
            assert_eq!(notices.remove(0).event, Event::Certificate(published));
            check_recorded_change(&life, &record, (to, kind), &evidence, notices);
            assert_eq!(tabellion_pki::next_start(life.world.replay.state()), None);
            // A block at its start.
            let before = life.latest();
            let (_, other) = life.world.publish_new("two.example");
            assert_eq!(life.record(&other, window.from).unwrap().notices.len(), 1);
            assert_eq!(life.latest(), before, "{to} by {kind}");
        }
    }
}

/// X.1409 C10, C12, C13, C17: held and resumed before its start, a certificate is valid from its start on.
#[test]
fn what_was_resumed_before_its_start_is_valid_from_its_start_on() {
    let window = Window { from: NOW.plus(HOUR / 4), until: NOW.plus(HOUR) };
    let mut life = Life::published(LedgerKind::Full, Some(window));
    life.put(EvidenceKind::Statement, Some(Reason::CertificateHold), NOW.plus(SECOND));
    assert_eq!(life.world.standing(&life.id), Standing::Suspended);
    life.put(EvidenceKind::Statement, None, NOW.plus(2 * SECOND));
    let rows = [(window.from.0 - SECOND, Standing::Unknown), (window.from.0, Standing::Valid)];
    for (at, expected) in rows {
        let (_, other) = life.world.publish_new("two.example");
        life.record(&other, TimeMs(at)).unwrap();
        assert_eq!(life.world.standing(&life.id), expected, "{at}");
    }
    life.put(EvidenceKind::Statement, Some(Reason::KeyCompromise), window.from.plus(SECOND));
    assert_eq!((life.latest().sequence, life.world.standing(&life.id)), (3, Standing::Revoked));
}

/// X.1409 C13: feedback is fresh at block time and never older than what was used before.
#[test]
fn old_and_replayed_feedback_changes_nothing() {
    let mut life = Life::new(LedgerKind::Full);
    let now = NOW.plus(60 * SECOND);
    let hold = Some(Reason::CertificateHold);
    let week = 7 * DAY;
    let early = life.evidence(EvidenceKind::Ocsp, hold, now.plus(SECOND));
    let over = life.evidence(EvidenceKind::Ocsp, hold, TimeMs(now.0 - 2 * DAY));
    let mut old = OcspDraft::new(life.issuer(), &life.serial(), OcspStatus::Revoked(Some(6)), TimeMs(now.0));
    (old.singles[0].this_update, old.singles[0].next_update) = (TimeMs(now.0 - week - SECOND), None);
    let old = old.sign(&life.issuer().key);
    let rows = [
        (early, ChangeRefusal::EvidenceTooEarly { at: now.plus(SECOND), now }),
        (over, ChangeRefusal::EvidenceOver { until: TimeMs(now.0 - DAY), now }),
        (old, ChangeRefusal::EvidenceTooOld { at: TimeMs(now.0 - week - SECOND), now, age_ms_max: week }),
    ];
    for (evidence, expected) in rows {
        assert_eq!(change_refusal(life.ask(EvidenceKind::Ocsp, &evidence, now).unwrap_err()), expected);
    }
    // On hold by one CRL, resumed by the next; then the first one comes again, by itself and renumbered.
    let (first, second) = (now, now.plus(10 * SECOND));
    let held = life.crl(hold, first, 20);
    life.ask(EvidenceKind::Crl, &held, first).unwrap();
    let good_before = life.evidence(EvidenceKind::Ocsp, None, TimeMs(first.0 - SECOND));
    let refusal = life.ask(EvidenceKind::Ocsp, &good_before, second).unwrap_err();
    let older = ChangeRefusal::EvidenceNotNewer { at: TimeMs(first.0 - SECOND), used: first };
    assert_eq!(change_refusal(refusal), older);
    let same_number = life.crl(None, second, 20);
    let refusal = life.ask(EvidenceKind::Crl, &same_number, second).unwrap_err();
    let not_higher = ChangeRefusal::CrlNumberNotHigher { number: Number::from(20), used: Number::from(20) };
    assert_eq!(change_refusal(refusal), not_higher);
    let without = life.crl(None, second, 21);
    life.ask(EvidenceKind::Crl, &without, second).unwrap();
    let refusal = life.ask(EvidenceKind::Crl, &held, second).unwrap_err();
    let replayed = ChangeRefusal::EvidenceNotNewer { at: first, used: second };
    assert_eq!(change_refusal(refusal), replayed);
    // What nothing undoes may be of the same moment; what can be undone must be newer.
    let hold_again = life.evidence(EvidenceKind::Ocsp, hold, second);
    let refusal = life.ask(EvidenceKind::Ocsp, &hold_again, second).unwrap_err();
    assert_eq!(change_refusal(refusal), ChangeRefusal::EvidenceNotNewer { at: second, used: second });
    life.put(EvidenceKind::Ocsp, Some(Reason::KeyCompromise), second);
    assert_eq!(life.world.standing(&life.id), Standing::Revoked);
}

/// X.1409 C13: a statement tells milliseconds, a CRL whole seconds. The CRL that the CA made right after the
/// statement revokes; to resume, it must be newer.
#[test]
fn a_crl_of_the_second_of_a_statement_revokes_and_does_not_resume() {
    let mut life = Life::new(LedgerKind::Full);
    let (whole, stated) = (NOW.plus(SECOND), NOW.plus(SECOND + 411));
    life.put(EvidenceKind::Statement, Some(Reason::CertificateHold), stated);
    let (good, now) = (life.crl(None, whole, 7), NOW.plus(2 * SECOND));
    let refusal = life.ask(EvidenceKind::Crl, &good, now).unwrap_err();
    assert_eq!(change_refusal(refusal), ChangeRefusal::EvidenceNotNewer { at: whole, used: stated });
    let before = life.crl(Some(Reason::KeyCompromise), NOW, 8);
    let refusal = life.ask(EvidenceKind::Crl, &before, now).unwrap_err();
    assert_eq!(change_refusal(refusal), ChangeRefusal::EvidenceNotNewer { at: NOW, used: stated });
    let revoked = life.crl(Some(Reason::KeyCompromise), whole, 9);
    life.ask(EvidenceKind::Crl, &revoked, now).unwrap();
    assert_eq!(life.world.standing(&life.id), Standing::Revoked);
}

/// X.1409 C13, C25, V.2: a CA's own statement is for one place in the history of one certificate.
#[test]
fn a_statement_serves_once() {
    let mut life = Life::new(LedgerKind::Full);
    let hold = Some(Reason::CertificateHold);
    let statement = life.statement(hold, NOW.plus(SECOND), 1);
    let ahead = life.statement(hold, NOW.plus(SECOND), 2);
    let refusal = life.ask(EvidenceKind::Statement, &ahead, NOW.plus(SECOND)).unwrap_err();
    let sequence =
        |said: u64, next: u64| ChangeRefusal::StatementSequence { said: said.into(), next: next.into() };
    assert_eq!(change_refusal(refusal), sequence(2, 1));
    life.ask(EvidenceKind::Statement, &statement, NOW.plus(SECOND)).unwrap();
    life.put(EvidenceKind::Statement, None, NOW.plus(2 * SECOND));
    let refusal = life.ask(EvidenceKind::Statement, &statement, NOW.plus(3 * SECOND)).unwrap_err();
    assert_eq!(change_refusal(refusal), sequence(1, 3));
    assert_eq!(life.world.standing(&life.id), Standing::Valid);
}

/// X.1409 C13, C14: what a request says of the evidence is what the evidence says; who issued is what the
/// recorded chain says.
#[test]
fn requests_that_do_not_fit_their_evidence_or_the_record_are_refused() {
    let mut life = Life::new(LedgerKind::Full);
    let at = NOW.plus(SECOND);
    let evidence = life.evidence(EvidenceKind::Ocsp, Some(Reason::KeyCompromise), at);
    let good = life.change(EvidenceKind::Ocsp, &evidence);
    let root = life.world.replay.header().state_root;
    for (name, change, expected) in unfit_changes(&good) {
        assert_eq!(entry_refusal(life.send(change, &evidence, at).unwrap_err()), expected, "{name}");
    }
    let without = vec![life.der.clone(), life.issuer().certificate.clone()];
    let content = life.world.content(&Action::Change(vec![good.clone()]), &without);
    let transaction = life.world.publisher.sign(&content, without);
    let refusal = life.record(&transaction, at).unwrap_err();
    let hash = good.evidence.hash;
    assert_eq!(change_refusal(refusal), ChangeRefusal::EvidenceNotAttached { hash });
    let content = life.world.content(&Action::Change(Vec::new()), &[]);
    let transaction = life.world.publisher.sign(&content, Vec::new());
    assert_eq!(
        life.record(&transaction, at).map(|_| ()),
        Err(Refusal::Certificate(tabellion_pki::Refusal::Empty))
    );
    // A certificate that is not on the ledger.
    let recorded = std::mem::replace(&mut life.der, life.world.ca.issue("two.example"));
    let recorded_id = std::mem::replace(&mut life.id, CertificateId::of(&life.der));
    let evidence = life.evidence(EvidenceKind::Ocsp, Some(Reason::KeyCompromise), at);
    let refusal = life.ask(EvidenceKind::Ocsp, &evidence, at).unwrap_err();
    assert_eq!(change_refusal(refusal), ChangeRefusal::NotRecorded { certificate: life.id });
    (life.der, life.id) = (recorded, recorded_id);
    assert_eq!(life.world.replay.header().state_root, root, "nothing was recorded");
}

fn unfit_changes(good: &StatusChange) -> Vec<(&'static str, StatusChange, EntryRefusal)> {
    let Evidence { signer, at, until, number, .. } = good.evidence;
    let evidence = |change: fn(&mut Evidence)| {
        let mut changed = good.clone();
        change(&mut changed.evidence);
        changed
    };
    let differs = || EntryRefusal::from(ChangeRefusal::EvidenceDiffers { signer, at, until, number });
    let hold = StatusChange { reason: Some(Reason::CertificateHold), ..good.clone() };
    let says_otherwise = ChangeRefusal::StatusDiffers {
        found: Status::Revoked,
        found_reason: Some(Reason::KeyCompromise),
        asked: Status::Suspended,
        asked_reason: Some(Reason::CertificateHold),
    };
    let (found, said) = (good.not_after, good.not_after.plus(SECOND));
    let malformed = EvidenceRefusal::Malformed { kind: EvidenceKind::Statement, position: None };
    vec![
        ("another status", hold, says_otherwise.into()),
        ("another moment", evidence(|evidence| evidence.at = evidence.at.plus(1)), differs()),
        ("a later end", evidence(|evidence| evidence.until = TimeMs::MAX), differs()),
        ("a number", evidence(|evidence| evidence.number = Number::from(1)), differs()),
        ("another signer", evidence(|evidence| evidence.signer = CertificateId([1; 32])), differs()),
        (
            "another kind",
            evidence(|evidence| evidence.kind = EvidenceKind::Statement),
            ChangeRefusal::from(malformed).into(),
        ),
        (
            "another end",
            StatusChange { not_after: said, ..good.clone() },
            ChangeRefusal::EndDiffers { found, said }.into(),
        ),
    ]
}

/// X.1409 C13: another CA of the same name is not the one on the recorded chain; a key whose certificate is
/// revoked here gives no evidence.
#[test]
fn only_the_recorded_issuer_in_good_standing_gives_feedback() {
    let mut life = Life::new(LedgerKind::Full);
    let at = NOW.plus(SECOND);
    // A namesake: same name, other key, other certificate.
    let key = TestKey::generate(KeyKind::P256);
    let mut draft = life.issuer().draft.clone();
    draft.spki = key.spki();
    let namesake = Issued { certificate: draft.sign(&key), draft, key };
    let serial = life.serial();
    let response = OcspDraft::new(&namesake, &serial, OcspStatus::Revoked(Some(1)), at).sign(&namesake.key);
    let ledger = life.world.replay.rules().ledger();
    let said = feedback(
        (EvidenceKind::Ocsp, &response),
        &life.der,
        &namesake.certificate,
        &ledger,
        &AlgorithmSet::default(),
    );
    let said = said.unwrap().unwrap();
    let issuer = CertificateId::of(&namesake.certificate);
    let not_after = Facts::of(&life.der).unwrap().not_after;
    let change = StatusChange {
        certificate: life.id,
        issuer,
        not_after,
        reason: said.reason,
        evidence: said.evidence,
    };
    let attachments = vec![life.der.clone(), namesake.certificate.clone(), response];
    let content = life.world.content(&Action::Change(vec![change]), &attachments);
    let transaction = life.world.publisher.sign(&content, attachments);
    let refusal = life.record(&transaction, at).unwrap_err();
    let recorded = CertificateId::of(&life.issuer().certificate);
    assert_eq!(change_refusal(refusal), ChangeRefusal::IssuerDiffers { recorded, said: issuer });
    revoked_signer(&mut life, at);
}

/// A delegate whose certificate is on the ledger, and revoked there.
fn revoked_signer(life: &mut Life, at: TimeMs) {
    let key = TestKey::generate(KeyKind::P256);
    let mut draft = life.world.ca.leaf_draft("ocsp.example", &key.spki());
    draft.set(tabellion_corpus::extensions::ocsp_signing());
    let delegate = life.world.ca.sign(&draft);
    let publication = life.world.entry(&delegate);
    let publication = life.world.publish(vec![publication], std::slice::from_ref(&delegate));
    life.record(&publication, at).unwrap();
    let signer = CertificateId::of(&delegate);
    let own = (std::mem::replace(&mut life.der, delegate.clone()), std::mem::replace(&mut life.id, signer));
    life.put(EvidenceKind::Crl, Some(Reason::KeyCompromise), at);
    (life.der, life.id) = own;
    let response = OcspDraft::new(life.issuer(), &life.serial(), OcspStatus::Revoked(Some(1)), at);
    let response = response.by_delegate(&delegate, &key.spki()).sign(&key);
    let refusal = life.ask(EvidenceKind::Ocsp, &response, at).unwrap_err();
    assert_eq!(change_refusal(refusal), ChangeRefusal::SignerNotNormal { signer, status: Status::Revoked });
}

/// X.1409 C13, A5: one CRL changes many certificates in one transaction, all or none.
#[test]
fn one_crl_revokes_many_certificates_at_once() {
    for kind in [LedgerKind::Full, LedgerKind::Identifiers] {
        let mut life = Life::new(kind);
        let ders: Vec<Vec<u8>> = (0..20).map(|n| life.world.ca.issue(&format!("b{n}.example"))).collect();
        let entries = ders.iter().map(|der| life.world.entry(der)).collect();
        let publication = life.world.publish(entries, &ders);
        life.record(&publication, NOW).unwrap();
        let at = NOW.plus(SECOND);
        let mut crl = CrlDraft::new(life.issuer(), 9, at);
        for der in &ders {
            crl.revoke(&Facts::of(der).unwrap().serial, Some(4));
        }
        let crl = crl.sign(&life.issuer().key);
        let own = (life.der.clone(), life.id);
        let mut changes = Vec::new();
        for der in &ders {
            (life.der, life.id) = (der.clone(), CertificateId::of(der));
            changes.push(life.change(EvidenceKind::Crl, &crl));
        }
        (life.der, life.id) = own;
        let mut attachments = ders.clone();
        attachments.extend([life.issuer().certificate.clone(), crl]);
        let mut spoiled = changes.clone();
        spoiled[7].reason = Some(Reason::KeyCompromise);
        for (changes, is_good) in [(spoiled, false), (changes, true)] {
            let content = life.world.content(&Action::Change(changes), &attachments);
            let transaction = life.world.publisher.sign(&content, attachments.clone());
            match life.record(&transaction, at) {
                Ok(outcome) => assert!(is_good && outcome.notices.len() == 20),
                Err(refusal) => assert!(!is_good && refusal.entries()[0].index == 7),
            }
            let standing = if is_good { Standing::Revoked } else { Standing::Valid };
            assert!(ders.iter().all(|der| life.world.standing(&CertificateId::of(der)) == standing));
        }
    }
}

/// X.1409 C15, A.1: the new certificate is published and the old one revoked, in one transaction.
#[test]
fn a_renewal_publishes_the_new_certificate_and_revokes_the_old_one() {
    for kind in [LedgerKind::Full, LedgerKind::Identifiers] {
        let mut life = Life::new(kind);
        let before = life.latest();
        let key = std::mem::replace(&mut life.key, TestKey::generate(KeyKind::P256));
        // The same name in another spelling.
        let spelt = tabellion_corpus::name("CN=ONE.example,O=tabellion  test,C=CH");
        let (renewal, attachments) = life.renewal(&key, |draft| draft.subject = spelt);
        let new = renewal.entry.certificate;
        let at = NOW.plus(SECOND);
        let outcome = life.renew(renewal, attachments, at).unwrap();
        let (record, published) = (life.latest(), certificate(life.world.replay.state(), &new).unwrap());
        assert_eq!((record.status, record.reason), (Status::Revoked, Some(Reason::Superseded)));
        assert_eq!((published.status, published.sequence), (Status::Normal, 0));
        let evidence = record.evidence.unwrap();
        assert_eq!(
            (evidence.kind, evidence.hash, evidence.signer),
            (EvidenceKind::Renewal, Hash(new.0), life.id)
        );
        assert_eq!(record.previous, Some(record_hash(&before)));
        let events: Vec<_> = outcome.notices.into_iter().map(|notice| notice.event).collect();
        let expected = [
            PkiEvent::Published { certificate: new, record: published },
            PkiEvent::Renewed { certificate: life.id, record, by: new },
        ];
        assert_eq!(events, expected.map(Event::Certificate));
    }
}

/// X.1409 C15, A.1
#[test]
fn a_renewal_under_another_name_or_without_the_old_key_is_refused() {
    let mut life = Life::new(LedgerKind::Full);
    let at = NOW.plus(SECOND);
    let root = life.world.replay.header().state_root;
    let key = std::mem::replace(&mut life.key, TestKey::generate(KeyKind::P256));
    let other = tabellion_corpus::name("CN=two.example,O=Tabellion Test,C=CH");
    let old = life.id;
    let differs = ChangeRefusal::RenewalNameDiffers {
        old: "CN=one.example,O=Tabellion Test,C=CH".to_owned(),
        new: "CN=two.example,O=Tabellion Test,C=CH".to_owned(),
    };
    let wrong = ChangeRefusal::from(EvidenceRefusal::SignatureWrong { signer: old });
    let ends = Facts::of(&life.der).unwrap().not_after;
    let stranger = TestKey::generate(KeyKind::P256);
    let mut rows = Vec::new();
    rows.push((life.renewal(&key, |draft| draft.subject = other), differs));
    rows.push((life.renewal(&stranger, |_| ()), wrong.clone()));
    let (mut swapped, attachments) = life.renewal(&key, |_| ());
    swapped.signature = life.renewal(&key, |_| ()).0.signature;
    rows.push(((swapped, attachments), wrong));
    let (mut longer, attachments) = life.renewal(&key, |_| ());
    longer.old_not_after = ends.plus(1);
    rows.push(((longer, attachments), ChangeRefusal::EndDiffers { found: ends, said: ends.plus(1) }));
    let (mut later, attachments) = life.renewal(&key, |_| ());
    let from = at.plus(HOUR);
    later.entry.window = Some(Window { from, until: at.plus(DAY) });
    rows.push(((later, attachments), ChangeRefusal::RenewalTooEarly { from, now: at }));
    for ((renewal, attachments), expected) in rows {
        assert_eq!(change_refusal(life.renew(renewal, attachments, at).unwrap_err()), expected);
        assert_eq!(life.world.replay.header().state_root, root, "nothing was recorded");
    }
    life.put(EvidenceKind::Ocsp, Some(Reason::CertificateHold), at);
    let (renewal, attachments) = life.renewal(&key, |_| ());
    let refusal = life.renew(renewal, attachments, at).unwrap_err();
    assert_eq!(change_refusal(refusal), ChangeRefusal::RenewalNotNormal { status: Status::Suspended });
}

/// X.1409 A5: the history of a certificate lies in its record: each one holds the hash of the one before.
#[test]
fn the_history_of_a_certificate_is_a_chain_of_records() {
    let mut life = Life::new(LedgerKind::Identifiers);
    let mut records = vec![life.latest()];
    let steps =
        [Some(Reason::CertificateHold), None, Some(Reason::CertificateHold), Some(Reason::Superseded)];
    for (step, reason) in (1..).zip(steps) {
        life.put(KINDS[step as usize % 3], reason, NOW.plus(step * SECOND));
        records.push(life.latest());
    }
    for (before, after) in records.iter().zip(&records[1..]) {
        assert_eq!(after.previous, Some(record_hash(before)));
        assert_eq!(after.sequence, before.sequence + 1);
    }
    let key = tabellion_pki::certificate_key(&life.id);
    let value = tabellion_ledger::sha256(&life.world.replay.state().get(&key).unwrap());
    let root = life.world.replay.header().state_root;
    assert_eq!(life.world.replay.prove(&key).unwrap().verify(&root, &key.path(), Some(&value)), Ok(()));
}
