//! The CA's own feedback: what it says, and why it is no evidence.

use der::asn1::ObjectIdentifier;
use tabellion_corpus::{
    CrlDraft, DraftExtension, Issued, KeyKind, OcspDraft, OcspStatus, OpensslCa, TestCa, TestKey, extensions,
};
use tabellion_ledger::{CertificateId, Hash, LedgerId, TimeMs, cbor, sha256};
use tabellion_pki::{
    AlgorithmSet, CRL_BYTES_MAX, EvidenceKind, EvidenceRefusal, Facts, Feedback, KeySignature, Number,
    Reason, SignatureAlgorithm, SignedStatement, Statement, feedback, precheck_evidence,
};
use x509_cert::ext::pkix::KeyUsages;

use super::support::NOW;

const LEDGER: LedgerId = LedgerId([7; 32]);
const DAY: u64 = 86_400_000;
const SERVER_AUTH: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.1");

/// A CA with one certificate.
struct World {
    ca: TestCa,
    leaf: Vec<u8>,
}

impl World {
    fn new(kind: KeyKind) -> Self {
        let mut ca = TestCa::new(kind);
        let leaf = ca.issue("one.example");
        Self { ca, leaf }
    }

    fn issuer(&self) -> &Issued {
        self.ca.issuer()
    }

    fn serial(&self) -> Vec<u8> {
        Facts::of(&self.leaf).expect("a certificate").serial
    }

    fn id(&self) -> CertificateId {
        CertificateId::of(&self.leaf)
    }

    fn issuer_id(&self) -> CertificateId {
        CertificateId::of(&self.issuer().certificate)
    }

    fn ask(&self, kind: EvidenceKind, bytes: &[u8]) -> Result<Feedback, EvidenceRefusal> {
        self.ask_under(kind, bytes, &AlgorithmSet::default())
    }

    fn ask_under(
        &self,
        kind: EvidenceKind,
        bytes: &[u8],
        accepted: &AlgorithmSet,
    ) -> Result<Feedback, EvidenceRefusal> {
        let (leaf, issuer) = (&self.leaf, &self.issuer().certificate);
        feedback((kind, bytes), leaf, issuer, &LEDGER, accepted).expect("certificates that can be read")
    }

    fn statement(&self, change: impl FnOnce(&mut Statement)) -> Vec<u8> {
        let mut statement = Statement {
            ledger: LEDGER,
            certificate: self.id(),
            reason: Some(Reason::KeyCompromise),
            at: NOW,
            sequence: 1,
        };
        change(&mut statement);
        signed_statement(statement, &self.issuer().key)
    }

    fn crl(&self, change: impl FnOnce(&mut CrlDraft)) -> Vec<u8> {
        let mut crl = CrlDraft::new(self.issuer(), 5, NOW);
        change(&mut crl);
        crl.sign(&self.issuer().key)
    }

    fn ocsp_draft(&self, status: OcspStatus) -> OcspDraft {
        OcspDraft::new(self.issuer(), &self.serial(), status, NOW)
    }

    fn ocsp(&self, change: impl FnOnce(&mut OcspDraft)) -> Vec<u8> {
        let mut draft = self.ocsp_draft(OcspStatus::Revoked(Some(1)));
        change(&mut draft);
        draft.sign(&self.issuer().key)
    }

    /// A response of a delegate whose certificate was issued for it and changed.
    fn delegated(&mut self, change: impl FnOnce(&mut tabellion_corpus::Draft)) -> (CertificateId, Vec<u8>) {
        let key = TestKey::generate(KeyKind::P256);
        let mut draft = self.ca.leaf_draft("ocsp.example", &key.spki());
        draft.set(extensions::ocsp_signing());
        change(&mut draft);
        let certificate = self.ca.sign(&draft);
        let response = self.ocsp_draft(OcspStatus::Good).by_delegate(&certificate, &key.spki());
        (CertificateId::of(&certificate), response.sign(&key))
    }
}

fn signed_statement(statement: Statement, key: &TestKey) -> Vec<u8> {
    let (algorithm, signature) = (key.kind().signature_algorithm(), key.sign(&statement.signed_bytes()));
    cbor::to_bytes(&SignedStatement { statement, signature: KeySignature { algorithm, signature } })
}

fn extension(identifier: &str, critical: bool, value: &[u8]) -> DraftExtension {
    DraftExtension { identifier: ObjectIdentifier::new_unwrap(identifier), critical, value: value.to_vec() }
}

/// X.1409 C13: each kind of feedback, in every algorithm, gives status, reason, moment and number.
#[test]
fn a_ca_can_say_it_in_three_ways_with_every_kind_of_key() {
    for kind in KeyKind::ALL {
        let mut world = World::new(kind);
        let serial = world.serial();
        let (statement, ocsp) = (world.statement(|_| ()), world.ocsp(|_| ()));
        let crl = world.crl(|crl| crl.revoke(&serial, Some(1)));
        let end = Facts::of(&world.issuer().certificate).expect("a certificate").not_after.plus(999);
        let rows = [
            (EvidenceKind::Statement, statement, end, Number::from(1)),
            (EvidenceKind::Ocsp, ocsp, NOW.plus(DAY), Number::default()),
            (EvidenceKind::Crl, crl, NOW.plus(DAY), Number::from(5)),
        ];
        for (by, bytes, until, number) in rows {
            let said = world.ask(by, &bytes).expect("good evidence");
            assert_eq!(said.reason, Some(Reason::KeyCompromise), "{kind:?} {by}");
            let evidence = said.evidence;
            assert_eq!((evidence.kind, evidence.hash), (by, Hash(sha256(&bytes))));
            assert_eq!((evidence.at, evidence.until, evidence.number), (NOW, until, number));
            assert_eq!(evidence.signer, world.issuer_id());
        }
        let (delegate, response) = world.delegated(|_| ());
        let said = world.ask(EvidenceKind::Ocsp, &response).expect("a good response");
        assert_eq!((said.reason, said.evidence.signer), (None, delegate));
    }
}

/// X.1409 C13: reasons as in RFC 5280; hold suspends, absence is good standing.
#[test]
fn reasons_give_the_status() {
    let world = World::new(KeyKind::P256);
    let serial = world.serial();
    for (reason, number) in Reason::ALL {
        let crl = world.crl(|crl| crl.revoke(&serial, Some(number)));
        let ocsp = world.ocsp(|ocsp| ocsp.singles[0].status = OcspStatus::Revoked(Some(number)));
        let statement = world.statement(|statement| statement.reason = Some(reason));
        assert_eq!(world.ask(EvidenceKind::Crl, &crl).expect("good").reason, Some(reason));
        assert_eq!(world.ask(EvidenceKind::Ocsp, &ocsp).expect("good").reason, Some(reason));
        assert_eq!(world.ask(EvidenceKind::Statement, &statement).expect("good").reason, Some(reason));
    }
    let without = world.crl(|crl| crl.revoke(&serial, None));
    assert_eq!(world.ask(EvidenceKind::Crl, &without).expect("good").reason, Some(Reason::Unspecified));
    let others = world.crl(|crl| crl.revoke(&[99], Some(1)));
    assert_eq!(world.ask(EvidenceKind::Crl, &others).expect("good").reason, None);
    let by_sha256 = world.ocsp(|ocsp| {
        ocsp.singles[0].by_sha256 = true;
        ocsp.singles[0].status = OcspStatus::Good;
        ocsp.responder_name = Some(world.issuer().draft.subject.clone());
    });
    assert_eq!(world.ask(EvidenceKind::Ocsp, &by_sha256).expect("good").reason, None);
}

type Row = (&'static str, EvidenceKind, Vec<u8>, EvidenceRefusal);

/// X.1409 C13, C14: each fault has its own refusal, with the facts.
#[test]
fn feedback_that_proves_nothing_is_refused_with_the_facts() {
    let mut world = World::new(KeyKind::P256);
    let mut rows = statement_rows(&world);
    rows.extend(crl_rows(&world));
    rows.extend(ocsp_rows(&world));
    rows.extend(delegate_rows(&mut world));
    for (name, kind, bytes, expected) in rows {
        assert_eq!(world.ask(kind, &bytes), Err(expected), "{name}");
    }
}

fn statement_rows(world: &World) -> Vec<Row> {
    let kind = EvidenceKind::Statement;
    let (asked, signer) = (world.id(), world.issuer_id());
    let statement = || world.statement(|_| ());
    let other = LedgerId([8; 32]);
    let mut wrong = statement();
    *wrong.last_mut().expect("not empty") ^= 1;
    let at_foreign = signed_statement(
        Statement { ledger: LEDGER, certificate: asked, reason: None, at: NOW, sequence: 1 },
        &TestKey::generate(KeyKind::P256),
    );
    let mut unknown: SignedStatement = cbor::from_bytes(&statement(), 8192).expect("a statement");
    unknown.signature.algorithm = vec![0x30, 3, 6, 1, 42];
    let mut unfit: SignedStatement = cbor::from_bytes(&statement(), 8192).expect("a statement");
    unfit.signature.algorithm = KeyKind::Ed25519.signature_algorithm();
    vec![
        (
            "another certificate",
            kind,
            world.statement(|statement| statement.certificate = CertificateId([1; 32])),
            EvidenceRefusal::OtherCertificate { kind, asked },
        ),
        (
            "another ledger",
            kind,
            world.statement(|statement| statement.ledger = other),
            EvidenceRefusal::OtherLedger { named: other, here: LEDGER },
        ),
        ("a turned bit", kind, wrong, EvidenceRefusal::SignatureWrong { signer }),
        ("another CA's key", kind, at_foreign, EvidenceRefusal::SignatureWrong { signer }),
        (
            "an unknown algorithm",
            kind,
            cbor::to_bytes(&unknown),
            EvidenceRefusal::AlgorithmNotAccepted { algorithm: "1.2".to_owned() },
        ),
        (
            "an algorithm of another kind of key",
            kind,
            cbor::to_bytes(&unfit),
            EvidenceRefusal::AlgorithmDoesNotFitKey {
                algorithm: "Ed25519".to_owned(),
                key: "P-256".to_owned(),
            },
        ),
        (
            "trailing bytes",
            kind,
            [statement(), vec![0, 0]].concat(),
            EvidenceRefusal::TrailingBytes { kind, extra: 2 },
        ),
        ("cut off", kind, statement()[..50].to_vec(), EvidenceRefusal::Malformed { kind, position: None }),
        ("too large", kind, vec![0; 8193], EvidenceRefusal::TooLarge { kind, bytes: 8193, bytes_max: 8192 }),
    ]
}

fn crl_rows(world: &World) -> Vec<Row> {
    let kind = EvidenceKind::Crl;
    let (issuer, serial) = (world.issuer_id(), world.serial());
    let key = &world.issuer().key;
    let stranger = TestCa::new(KeyKind::P256);
    let mut foreign_name = CrlDraft::new(&stranger.authorities[0], 5, NOW);
    foreign_name.revoke(&serial, None);
    let good = world.crl(|_| ());
    let point = |value: &[u8]| extension("2.5.29.28", true, value);
    let with = |added: DraftExtension| world.crl(|crl| crl.extensions.push(added));
    let in_entry = |added: DraftExtension| world.crl(|crl| crl.entries.push((vec![9], vec![added])));
    let sha256 = KeyKind::P256.signature_algorithm();
    let sha1 = [0x30, 9, 6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 1];
    let differs = EvidenceRefusal::AlgorithmsDiffer {
        signed: "1.2.840.10045.4.3.2".to_owned(),
        outer: "1.2.840.10045.4.1".to_owned(),
    };
    let unknown =
        |extension: &str| EvidenceRefusal::UnknownExtension { kind, extension: extension.to_owned() };
    let large = vec![0x30; CRL_BYTES_MAX + 1];
    let too_large = EvidenceRefusal::TooLarge { kind, bytes: CRL_BYTES_MAX + 1, bytes_max: CRL_BYTES_MAX };
    let truncated = EvidenceRefusal::Truncated { kind, expected: good.len(), found: 60 };
    let draft = CrlDraft::new(world.issuer(), 5, NOW);
    vec![
        ("another CA's name", kind, foreign_name.sign(key), EvidenceRefusal::OtherIssuer { kind, issuer }),
        (
            "another CA's key",
            kind,
            draft.sign(&stranger.issuer().key),
            EvidenceRefusal::SignatureWrong { signer: issuer },
        ),
        ("a delta CRL", kind, with(extension("2.5.29.27", true, &[2, 1, 1])), EvidenceRefusal::DeltaCrl),
        ("an indirect CRL", kind, with(point(&[0x30, 3, 0x84, 1, 0xff])), EvidenceRefusal::IndirectCrl),
        ("for users only", kind, with(point(&[0x30, 3, 0x81, 1, 0xff])), EvidenceRefusal::PartialCrl),
        (
            "another issuer's entry",
            kind,
            in_entry(extension("2.5.29.29", true, &[0x30, 0])),
            EvidenceRefusal::IndirectCrl,
        ),
        ("no number", kind, world.crl(|crl| crl.extensions.clear()), EvidenceRefusal::CrlNumber),
        (
            "removeFromCRL",
            kind,
            world.crl(|crl| crl.revoke(&serial, Some(8))),
            EvidenceRefusal::RemovedFromCrl,
        ),
        ("a critical extension", kind, with(extension("1.2.3", true, &[5, 0])), unknown("1.2.3")),
        ("one in an entry", kind, in_entry(extension("1.2.4", true, &[5, 0])), unknown("1.2.4")),
        (
            "a serial number twice",
            kind,
            world.crl(|crl| {
                crl.revoke(&serial, Some(6));
                crl.revoke(&serial, Some(1));
            }),
            EvidenceRefusal::Ambiguous { kind },
        ),
        ("two algorithms", kind, draft.sign_as(key, &sha256, &sha1), differs),
        (
            "SHA-1",
            kind,
            draft.sign_as(key, &sha1, &sha1),
            EvidenceRefusal::AlgorithmNotAccepted { algorithm: "1.2.840.10045.4.1".to_owned() },
        ),
        (
            "trailing bytes",
            kind,
            [good.clone(), vec![0; 3]].concat(),
            EvidenceRefusal::TrailingBytes { kind, extra: 3 },
        ),
        ("cut off", kind, good[..60].to_vec(), truncated),
        ("too large", kind, large, too_large),
    ]
}

fn ocsp_rows(world: &World) -> Vec<Row> {
    let kind = EvidenceKind::Ocsp;
    let (issuer, asked, serial) = (world.issuer_id(), world.id(), world.serial());
    let good = world.ocsp(|_| ());
    let stranger = TestCa::new(KeyKind::P256);
    let by_stranger = OcspDraft::new(stranger.issuer(), &serial, OcspStatus::Good, NOW);
    let draft = world.ocsp_draft(OcspStatus::Good);
    let md5 = [0x30, 10, 6, 8, 0x2a, 0x86, 0x48, 0x86, 0xf7, 13, 2, 5];
    let explicit_version = world.ocsp(|ocsp| ocsp.has_version = true);
    vec![
        (
            "another certificate",
            kind,
            world.ocsp(|ocsp| ocsp.singles[0].serial = vec![99]),
            EvidenceRefusal::OtherCertificate { kind, asked },
        ),
        (
            "the same number of another CA",
            kind,
            world.ocsp(|ocsp| ocsp.singles[0].issuer_spki = stranger.issuer().draft.spki.clone()),
            EvidenceRefusal::OtherIssuer { kind, issuer },
        ),
        (
            "two answers",
            kind,
            world.ocsp(|ocsp| ocsp.singles.push(ocsp.singles[0].clone())),
            EvidenceRefusal::Ambiguous { kind },
        ),
        (
            "unknown",
            kind,
            world.ocsp(|ocsp| ocsp.singles[0].status = OcspStatus::Unknown),
            EvidenceRefusal::StatusUnknown,
        ),
        (
            "an unknown algorithm",
            kind,
            draft.sign_as(&world.issuer().key, &md5),
            EvidenceRefusal::AlgorithmNotAccepted { algorithm: "1.2.840.113549.2.5".to_owned() },
        ),
        (
            "another CA",
            kind,
            by_stranger.sign(&stranger.issuer().key),
            EvidenceRefusal::ResponderUnknown { issuer },
        ),
        (
            "in the CA's name",
            kind,
            draft.sign(&stranger.issuer().key),
            EvidenceRefusal::SignatureWrong { signer: issuer },
        ),
        (
            "a critical extension",
            kind,
            world.ocsp(|ocsp| ocsp.extensions.push(extension("1.2.3", true, &[5, 0]))),
            EvidenceRefusal::UnknownExtension { kind, extension: "1.2.3".to_owned() },
        ),
        ("an error", kind, vec![0x30, 3, 10, 1, 6], EvidenceRefusal::ResponseNotSuccessful { status: 6 }),
        (
            "trailing bytes",
            kind,
            [good.clone(), vec![0]].concat(),
            EvidenceRefusal::TrailingBytes { kind, extra: 1 },
        ),
        (
            "cut off",
            kind,
            good[..40].to_vec(),
            EvidenceRefusal::Truncated { kind, expected: good.len(), found: 40 },
        ),
        ("a default spelt out", kind, explicit_version, EvidenceRefusal::NotCanonical { kind }),
        ("a CRL", kind, world.crl(|_| ()), EvidenceRefusal::Malformed { kind, position: None }),
    ]
}

fn delegate_rows(world: &mut World) -> Vec<Row> {
    let kind = EvidenceKind::Ocsp;
    let issuer = world.issuer_id();
    let (server, for_servers) =
        world.delegated(|draft| draft.set(extensions::extended_key_usage(&[SERVER_AUTH])));
    let (plain, without_usage) =
        world.delegated(|draft| draft.remove(ObjectIdentifier::new_unwrap("2.5.29.37")));
    let (agreeing, for_agreement) =
        world.delegated(|draft| draft.set(extensions::key_usage(KeyUsages::KeyAgreement)));
    let (late, not_yet) = world.delegated(|draft| draft.not_before = NOW.plus(DAY));
    let (early, over) = world.delegated(|draft| draft.not_after = TimeMs(NOW.0 - DAY));
    let critical = extension("1.2.3", true, &[5, 0]);
    let (_, unknown) = world.delegated(|draft| draft.set(critical));
    // Signed by the CA above, and in the CA's name by nobody.
    let key = TestKey::generate(KeyKind::P256);
    let mut draft = world.ca.leaf_draft("ocsp.example", &key.spki());
    draft.set(extensions::ocsp_signing());
    let named = draft.sign(&world.ca.authorities[0].key);
    draft.issuer = world.ca.authorities[0].draft.subject.clone();
    let above = draft.sign(&world.ca.authorities[0].key);
    let by = |certificate: &[u8]| {
        world.ocsp_draft(OcspStatus::Good).by_delegate(certificate, &key.spki()).sign(&key)
    };
    let of = |delegate, (from, until)| EvidenceRefusal::DelegateNotValid { delegate, from, until, at: NOW };
    let not_of_ca = |certificate: &[u8]| {
        let delegate = CertificateId::of(certificate);
        EvidenceRefusal::DelegateNotOfCa { delegate, issuer }
    };
    let (start, end) = (TimeMs(1_767_225_600_000), TimeMs(2_082_758_400_999));
    vec![
        ("for servers", kind, for_servers, EvidenceRefusal::DelegateUsage { delegate: server }),
        ("without usage", kind, without_usage, EvidenceRefusal::DelegateUsage { delegate: plain }),
        ("for agreement", kind, for_agreement, EvidenceRefusal::DelegateUsage { delegate: agreeing }),
        ("not valid yet", kind, not_yet, of(late, (NOW.plus(DAY), end))),
        ("valid no more", kind, over, of(early, (start, TimeMs(NOW.0 - DAY + 999)))),
        (
            "a critical extension",
            kind,
            unknown,
            EvidenceRefusal::UnknownExtension { kind, extension: "1.2.3".to_owned() },
        ),
        ("of the CA above", kind, by(&above), not_of_ca(&above)),
        ("in the CA's name only", kind, by(&named), not_of_ca(&named)),
    ]
}

/// X.1409 C13: the participants' list of algorithms holds for feedback, too.
#[test]
fn algorithms_and_keys_that_the_participants_do_not_accept_are_refused() {
    let world = World::new(KeyKind::P256);
    let crl = world.crl(|_| ());
    let mut accepted = AlgorithmSet::default();
    accepted.signatures.retain(|algorithm| *algorithm != SignatureAlgorithm::EcdsaSha256);
    let refusal = EvidenceRefusal::AlgorithmNotAccepted { algorithm: "ECDSA with SHA-256".to_owned() };
    assert_eq!(world.ask_under(EvidenceKind::Crl, &crl, &accepted), Err(refusal));
    let accepted = AlgorithmSet { ca_keys: Vec::new(), ..AlgorithmSet::default() };
    let refusal = EvidenceRefusal::KeyNotAccepted { key: "P-256".to_owned() };
    assert_eq!(world.ask_under(EvidenceKind::Crl, &crl, &accepted), Err(refusal));
}

/// X.1409 C13: a CA whose certificate is not for CRLs gives none, but may state.
#[test]
fn a_ca_certificate_that_is_not_for_crls_gives_none() {
    let mut ca = TestCa::new(KeyKind::P256);
    let key = TestKey::generate(KeyKind::P256);
    let mut draft = ca.intermediate_draft("CN=Narrow,C=CH", &key);
    draft.set(extensions::key_usage(KeyUsages::KeyCertSign));
    ca.add_intermediate(draft, key);
    let leaf = ca.issue("one.example");
    let world = World { ca, leaf };
    let issuer = world.issuer_id();
    assert_eq!(world.ask(EvidenceKind::Crl, &world.crl(|_| ())), Err(EvidenceRefusal::CrlUsage { issuer }));
    assert!(world.ask(EvidenceKind::Statement, &world.statement(|_| ())).is_ok());
}

/// X.1409 C13: what the `openssl` command makes as a CA in the field does, is evidence as it is.
#[test]
fn feedback_of_openssl_is_understood() {
    let ca = OpensslCa::new().expect("openssl makes a CA");
    let (issuer, leaf) = (ca.certificate().expect("a file"), ca.leaf().expect("a file"));
    let ask = |kind, bytes: &[u8]| {
        feedback((kind, bytes), &leaf, &issuer, &LEDGER, &AlgorithmSet::default())
            .expect("certificates that can be read")
            .expect("good evidence")
    };
    let mut before = None;
    for (revocation, expected) in [(None, None), (Some("keyCompromise"), Some(Reason::KeyCompromise))] {
        if let Some(reason) = revocation {
            ca.revoke(reason).expect("openssl revokes");
        }
        let crl = ask(EvidenceKind::Crl, &ca.crl().expect("openssl makes a CRL"));
        assert_eq!(crl.reason, expected);
        assert!(before < Some(crl.evidence.number));
        before = Some(crl.evidence.number);
        for (by_delegate, digest) in [(false, "sha1"), (false, "sha256"), (true, "sha1"), (true, "sha256")] {
            let response = ca.ocsp(by_delegate, digest).expect("openssl makes a response");
            let said = ask(EvidenceKind::Ocsp, &response);
            assert_eq!(said.reason, expected, "{by_delegate} {digest}");
            assert_eq!(said.evidence.signer == CertificateId::of(&issuer), !by_delegate);
            assert!(said.evidence.until.0 - said.evidence.at.0 == DAY);
        }
    }
    let certificate = CertificateId::of(&leaf);
    let statement = Statement { ledger: LEDGER, certificate, reason: None, at: NOW, sequence: 1 };
    let signature = ca.sign(&statement.signed_bytes()).expect("openssl signs");
    let signature = KeySignature { algorithm: KeyKind::P256.signature_algorithm(), signature };
    let statement = cbor::to_bytes(&SignedStatement { statement, signature });
    assert_eq!(ask(EvidenceKind::Statement, &statement).reason, None);
}

/// What a fuzz target runs on any bytes: feedback of each kind is known for what it is, and every truncation
/// and every turned octet is met without a panic.
#[test]
fn any_bytes_can_be_read_as_evidence() {
    let mut world = World::new(KeyKind::Ed25519);
    let rows = [
        (EvidenceKind::Statement, world.statement(|_| ())),
        (EvidenceKind::Ocsp, world.delegated(|_| ()).1),
        (EvidenceKind::Crl, world.crl(|crl| crl.revoke(&[9], Some(1)))),
    ];
    for (kind, bytes) in rows {
        assert_eq!(precheck_evidence(&bytes), Ok(kind));
        for at in 0..bytes.len() {
            assert!(precheck_evidence(&bytes[..at]).is_err());
            let mut turned = bytes.clone();
            turned[at] ^= 0x55;
            assert!(world.ask(kind, &turned).is_err(), "{kind}: octet {at}");
        }
    }
}

/// X.1409 C13: what a client writes into a statement is what a validator reads.
#[test]
fn every_algorithm_has_an_identifier_of_its_own() {
    let identifiers: std::collections::BTreeSet<Vec<u8>> =
        SignatureAlgorithm::ALL.iter().map(|algorithm| algorithm.identifier()).collect();
    assert_eq!(identifiers.len(), SignatureAlgorithm::ALL.len());
    assert!(KeyKind::ALL.iter().all(|kind| identifiers.contains(&kind.signature_algorithm())));
    // Known to the reader under the same name: it stumbles over the key's kind only.
    let world = World::new(KeyKind::P256);
    let statement: SignedStatement = cbor::from_bytes(&world.statement(|_| ()), 8192).expect("a statement");
    for algorithm in SignatureAlgorithm::ALL {
        let mut other = statement.clone();
        other.signature.algorithm = algorithm.identifier();
        let said = world.ask(EvidenceKind::Statement, &cbor::to_bytes(&other)).map(|_| ());
        let is_ecdsa = algorithm.name().starts_with("ECDSA");
        match algorithm {
            SignatureAlgorithm::EcdsaSha256 => assert_eq!(said, Ok(())),
            _ if is_ecdsa => assert!(said.is_err()),
            _ => {
                let (algorithm, key) = (algorithm.name().to_owned(), "P-256".to_owned());
                assert_eq!(said, Err(EvidenceRefusal::AlgorithmDoesNotFitKey { algorithm, key }));
            }
        }
    }
}
