//! Why a certificate is not recorded: one closed list, each entry with the facts that were compared.

use serde::Serialize;
use tabellion_ledger::{CertificateId, KeyId, TimeMs};
use thiserror::Error;

/// Where in a chain a certificate stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    /// The certificate that is to be recorded.
    Certificate,
    /// An intermediate certificate; number 1 issued the certificate, number 2 issued number 1.
    Intermediate(u8),
    /// The root certificate.
    Root,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Certificate => f.write_str("the certificate"),
            Self::Intermediate(number) => write!(f, "intermediate certificate {number}"),
            Self::Root => f.write_str("the root certificate"),
        }
    }
}

/// An expected no to a certificate or its chain.
///
/// The order of the checks is fixed (see `precheck` and `path`), so a faulty chain always gets the same
/// refusal. In the serialized form `code` is the tag, and the facts are the other fields.
#[derive(Clone, Debug, PartialEq, Eq, Error, Serialize)]
#[serde(tag = "code", rename_all = "kebab-case")]
pub enum CertificateRefusal {
    // Sizes: looked at before anything is decoded.
    /// More bytes than the parameters allow.
    #[error("{place} has {bytes} bytes; at most {bytes_max} are accepted")]
    TooLarge {
        /// Which certificate.
        place: Place,
        /// Its length.
        bytes: usize,
        /// The limit.
        bytes_max: usize,
    },
    /// More intermediate certificates than the parameters allow.
    #[error("the chain has {count} intermediate certificates; at most {count_max} are accepted")]
    TooManyIntermediates {
        /// Intermediates given.
        count: usize,
        /// The limit.
        count_max: usize,
    },
    /// More names in the subject alternative name than the parameters allow.
    #[error("{place} carries {count} alternative names; at most {count_max} are accepted")]
    TooManyNames {
        /// Which certificate.
        place: Place,
        /// Names found.
        count: usize,
        /// The limit.
        count_max: usize,
    },

    // Encoding.
    /// The DER length says more bytes than there are.
    #[error("{place} is cut off: its encoding announces {expected} bytes, {found} are there")]
    Truncated {
        /// Which certificate.
        place: Place,
        /// Bytes announced.
        expected: usize,
        /// Bytes given.
        found: usize,
    },
    /// Bytes follow the certificate.
    #[error("{place} is followed by {extra} bytes that do not belong to it")]
    TrailingBytes {
        /// Which certificate.
        place: Place,
        /// Bytes too many.
        extra: usize,
    },
    /// The bytes are no DER certificate.
    #[error("{place} is not a DER certificate{}", at_byte(*position))]
    Malformed {
        /// Which certificate.
        place: Place,
        /// Where decoding stopped, if known.
        position: Option<u32>,
    },
    /// Extensions in a certificate that does not say version 3. Source: RFC 5280 4.1.2.9 (required).
    #[error("{place} is a version {version} certificate but has extensions; only version 3 may")]
    VersionNotThree {
        /// Which certificate.
        place: Place,
        /// The version it says, 1 or 2.
        version: u8,
    },
    /// A serial number of zero or below. Source: RFC 5280 4.1.2.2 (required).
    #[error("the serial number of {place} is not positive")]
    SerialNotPositive {
        /// Which certificate.
        place: Place,
    },
    /// A serial number that is too long. Source: RFC 5280 4.1.2.2 (required).
    #[error("the serial number of {place} has {octets} octets; at most {octets_max} are accepted")]
    SerialTooLong {
        /// Which certificate.
        place: Place,
        /// Octets found.
        octets: usize,
        /// The limit, 20.
        octets_max: usize,
    },
    /// The signature algorithm inside and outside the signed part differ. Source: RFC 5280 4.1.1.2
    /// (required).
    #[error("{place} names {signed} as signature algorithm in its signed part and {outer} outside")]
    SignatureAlgorithmsDiffer {
        /// Which certificate.
        place: Place,
        /// The algorithm in the signed part.
        signed: String,
        /// The algorithm outside.
        outer: String,
    },
    /// The validity ends before it starts.
    #[error("the validity of {place} ends ({not_after}) before it starts ({not_before})")]
    ValidityReversed {
        /// Which certificate.
        place: Place,
        /// Start.
        not_before: TimeMs,
        /// End.
        not_after: TimeMs,
    },

    // Extensions.
    /// One extension stands twice: two readers could choose differently. Source: RFC 5280 4.2 (required).
    #[error("{place} has the extension {extension} more than once")]
    DuplicateExtension {
        /// Which certificate.
        place: Place,
        /// Object identifier.
        extension: String,
    },
    /// A known extension that does not decode; reading it as absent would drop a constraint.
    #[error("the extension {extension} of {place} does not decode")]
    UndecodableExtension {
        /// Which certificate.
        place: Place,
        /// Object identifier.
        extension: String,
    },
    /// A critical extension that path validation does not process. Source: RFC 5280 6.1.4 (o), 6.1.5 (f)
    /// (required).
    #[error("{place} has the critical extension {extension}, which is not known here")]
    UnknownCriticalExtension {
        /// Which certificate.
        place: Place,
        /// Object identifier.
        extension: String,
    },
    /// An extension that must hold at least one element holds none.
    #[error("the extension {extension} of {place} is empty")]
    EmptyExtension {
        /// Which certificate.
        place: Place,
        /// Object identifier.
        extension: String,
    },
    /// No authority key identifier. Source: RFC 5280 4.2.1.1 (required).
    #[error("{place} has no authority key identifier")]
    AuthorityKeyIdMissing {
        /// Which certificate.
        place: Place,
    },
    /// A critical authority key identifier. Source: RFC 5280 4.2.1.1 (required).
    #[error("the authority key identifier of {place} is marked critical")]
    AuthorityKeyIdCritical {
        /// Which certificate.
        place: Place,
    },
    /// A CA certificate without subject key identifier. Source: RFC 5280 4.2.1.2 (required).
    #[error("{place} is a CA certificate without subject key identifier")]
    SubjectKeyIdMissing {
        /// Which certificate.
        place: Place,
    },
    /// An empty issuer name. Source: RFC 5280 4.1.2.4 (required).
    #[error("{place} has an empty issuer name")]
    EmptyIssuer {
        /// Which certificate.
        place: Place,
    },
    /// A CA certificate with an empty subject name. Source: RFC 5280 4.1.2.6 (required).
    #[error("{place} is a CA certificate with an empty subject name")]
    EmptySubject {
        /// Which certificate.
        place: Place,
    },
    /// Neither a subject name nor alternative names. Source: RFC 5280 4.1.2.6 (required).
    #[error("{place} has neither a subject name nor alternative names")]
    NoName {
        /// Which certificate.
        place: Place,
    },
    /// An empty subject, and alternative names that are not critical. Source: RFC 5280 4.2.1.6 (required).
    #[error("{place} has an empty subject name, but its alternative names are not critical")]
    AlternativeNameNotCritical {
        /// Which certificate.
        place: Place,
    },
    /// An issuer without basic constraints. Source: RFC 5280 4.2.1.9, 6.1.4 (k) (required).
    #[error("{place} issues certificates but has no basic constraints")]
    BasicConstraintsMissing {
        /// Which certificate.
        place: Place,
    },
    /// Basic constraints of a CA that are not critical. Source: RFC 5280 4.2.1.9 (required of CAs).
    #[error("the basic constraints of {place}, a CA certificate, are not marked critical")]
    BasicConstraintsNotCritical {
        /// Which certificate.
        place: Place,
    },
    /// An issuer that is no CA. Source: RFC 5280 6.1.4 (k) (required).
    #[error("{place} issues certificates but is not a CA certificate")]
    NotCa {
        /// Which certificate.
        place: Place,
    },
    /// A key usage that allows signing certificates in a certificate that is no CA. Source: RFC 5280 4.2.1.9
    /// (required).
    #[error("{place} may sign certificates by its key usage, but it is not a CA certificate")]
    CertSignWithoutCa {
        /// Which certificate.
        place: Place,
    },
    /// Name constraints in a certificate that is no CA. Source: RFC 5280 4.2.1.10 (required).
    #[error("{place} is not a CA certificate but has name constraints")]
    NameConstraintsOutsideCa {
        /// Which certificate.
        place: Place,
    },
    /// Name constraints that are not critical. Source: RFC 5280 4.2.1.10 (required of CAs).
    #[error("the name constraints of {place} are not marked critical")]
    NameConstraintsNotCritical {
        /// Which certificate.
        place: Place,
    },
    /// Policy constraints that are not critical. Source: RFC 5280 4.2.1.11 (required of CAs).
    #[error("the policy constraints of {place} are not marked critical")]
    PolicyConstraintsNotCritical {
        /// Which certificate.
        place: Place,
    },
    /// A DNS name that is none. Source: RFC 5280 4.2.1.6 (required).
    #[error("{place} has the alternative name {name:?}, which is not a DNS name")]
    DnsNameSyntax {
        /// Which certificate.
        place: Place,
        /// The name.
        name: String,
    },

    // Keys and algorithms.
    /// A key of a kind that the parameters do not accept.
    #[error("{place} has a key of the kind {key}, which is not accepted")]
    KeyNotAccepted {
        /// Which certificate.
        place: Place,
        /// Name or object identifier of the key's algorithm and curve.
        key: String,
    },
    /// An RSA key outside the accepted sizes.
    #[error("{place} has an RSA key of {bits} bits; {bits_min} to {bits_max} are accepted")]
    RsaKeySize {
        /// Which certificate.
        place: Place,
        /// Bits of the modulus.
        bits: u32,
        /// Fewest accepted.
        bits_min: u32,
        /// Most accepted.
        bits_max: u32,
    },
    /// A key that is not one of the kind it says.
    #[error("the public key of {place} is malformed for its kind {key}")]
    KeyMalformed {
        /// Which certificate.
        place: Place,
        /// Name of the key's algorithm.
        key: String,
    },
    /// A signature algorithm that the parameters do not accept.
    #[error("{place} is signed with {algorithm}, which is not accepted")]
    SignatureAlgorithmNotAccepted {
        /// Which certificate.
        place: Place,
        /// Name or object identifier of the algorithm.
        algorithm: String,
    },

    // The path.
    /// The root certificate is not one of the participants' trusted CAs. Source: X.1409 8.2.1 (3).
    #[error("the root certificate {root} is not one of the trusted CAs")]
    UnknownRoot {
        /// Identifier of the root certificate in the request.
        root: CertificateId,
    },
    /// The issuer's name is not the name of the next certificate: wrong order or wrong chain.
    #[error("{place} was issued by \"{issuer}\", but the next certificate in the chain is \"{next}\"")]
    NotInOrder {
        /// Which certificate.
        place: Place,
        /// Issuer that it names.
        issuer: String,
        /// Subject of the certificate above it.
        next: String,
    },
    /// A path longer than a basic constraint allows. Source: RFC 5280 6.1.4 (l), (m) (required).
    #[error("{place} stands deeper than a path length constraint above it allows")]
    PathTooLong {
        /// Which certificate.
        place: Place,
    },
    /// A name outside the constraints of a CA above. Source: RFC 5280 6.1.3 (b), (c) (required).
    #[error("{place} (\"{subject}\") has a name that the name constraints above it forbid")]
    NameConstraint {
        /// Which certificate.
        place: Place,
        /// Its subject.
        subject: String,
    },
    /// A wildcard that covers names which a CA above excludes.
    #[error("{place} has the name {name:?}, which covers the excluded names under {excluded:?}")]
    WildcardCoversExcluded {
        /// Which certificate.
        place: Place,
        /// The wildcard name.
        name: String,
        /// The excluded subtree.
        excluded: String,
    },
    /// No policy is valid for the path, and one is required. Source: RFC 5280 6.1.5 (g), X.1409 8.2.1 (3).
    #[error("no certificate policy is valid at {place}; accepted policies: {}", accepted.join(", "))]
    NoValidPolicy {
        /// Where the last policy was lost.
        place: Place,
        /// The participants' policies, `2.5.29.32.0` for any.
        accepted: Vec<String>,
    },
    /// A mapping from or to anyPolicy. Source: RFC 5280 6.1.4 (a) (required).
    #[error("{place} maps from or to anyPolicy")]
    PolicyMapping {
        /// Which certificate.
        place: Place,
    },
    /// An issuer whose key usage does not allow signing certificates. Source: RFC 5280 6.1.4 (n) (required).
    #[error("the key usage of {place} does not allow it to sign certificates")]
    KeyUsage {
        /// Which certificate.
        place: Place,
    },
    /// No extended key usage is common to the path.
    #[error("the extended key usage of {place} has nothing in common with the certificates above it")]
    ExtendedKeyUsage {
        /// Which certificate.
        place: Place,
    },
    /// The path would cost more to evaluate than the budget allows.
    #[error("the policies or names at {place} cost more to evaluate than is allowed")]
    BudgetExceeded {
        /// Which certificate.
        place: Place,
    },
    /// The path cannot be evaluated for a reason that the library does not tell.
    #[error("the path cannot be evaluated at {place}")]
    NotEvaluable {
        /// Which certificate.
        place: Place,
    },
    /// A signature algorithm that does not fit the issuer's key.
    #[error("{place} is signed with {algorithm}, but its issuer's key is of the kind {key}")]
    SignatureDoesNotFitKey {
        /// Which certificate.
        place: Place,
        /// The algorithm.
        algorithm: String,
        /// The kind of the issuer's key.
        key: String,
    },
    /// A signature that is wrong. Source: RFC 5280 6.1.3 (a)(1) (required).
    #[error("the signature of {place} does not verify under its issuer's key {issuer_key}")]
    SignatureWrong {
        /// Which certificate.
        place: Place,
        /// The issuer's key.
        issuer_key: KeyId,
    },

    // Names and time.
    /// The subject is not on the participants' list. Source: X.1409 8.2.1 (3) (optional).
    #[error("the subject \"{subject}\" is not on the list of permitted distinguished names")]
    NameNotPermitted {
        /// The certificate's subject.
        subject: String,
    },
    /// There is no moment at which all certificates of the chain are valid.
    #[error(
        "the chain is valid at no time: {starts} starts at {not_before}, {ends} has ended at {not_after}"
    )]
    NeverValid {
        /// The certificate that starts last.
        starts: Place,
        /// Its start.
        not_before: TimeMs,
        /// The certificate that ends first.
        ends: Place,
        /// Its end.
        not_after: TimeMs,
    },
    /// The validity has not started. Source: RFC 5280 6.1.3 (a)(2) (required).
    #[error("{place} is not valid before {not_before}; the time is {at}")]
    NotYetValid {
        /// The certificate that starts last.
        place: Place,
        /// Its start.
        not_before: TimeMs,
        /// The time asked for.
        at: TimeMs,
    },
    /// The validity is over. Source: RFC 5280 6.1.3 (a)(2) (required).
    #[error("{place} is not valid after {not_after}; the time is {at}")]
    Expired {
        /// The certificate that ends first.
        place: Place,
        /// Its end.
        not_after: TimeMs,
        /// The time asked for.
        at: TimeMs,
    },
}

impl CertificateRefusal {
    /// A stable name for programs; equal to the tag of the serialized form.
    pub fn code(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } => "too-large",
            Self::TooManyIntermediates { .. } => "too-many-intermediates",
            Self::TooManyNames { .. } => "too-many-names",
            Self::Truncated { .. } => "truncated",
            Self::TrailingBytes { .. } => "trailing-bytes",
            Self::Malformed { .. } => "malformed",
            Self::VersionNotThree { .. } => "version-not-three",
            Self::SerialNotPositive { .. } => "serial-not-positive",
            Self::SerialTooLong { .. } => "serial-too-long",
            Self::SignatureAlgorithmsDiffer { .. } => "signature-algorithms-differ",
            Self::ValidityReversed { .. } => "validity-reversed",
            Self::DuplicateExtension { .. } => "duplicate-extension",
            Self::UndecodableExtension { .. } => "undecodable-extension",
            Self::UnknownCriticalExtension { .. } => "unknown-critical-extension",
            Self::EmptyExtension { .. } => "empty-extension",
            Self::AuthorityKeyIdMissing { .. } => "authority-key-id-missing",
            Self::AuthorityKeyIdCritical { .. } => "authority-key-id-critical",
            Self::SubjectKeyIdMissing { .. } => "subject-key-id-missing",
            Self::EmptyIssuer { .. } => "empty-issuer",
            Self::EmptySubject { .. } => "empty-subject",
            Self::NoName { .. } => "no-name",
            Self::AlternativeNameNotCritical { .. } => "alternative-name-not-critical",
            Self::BasicConstraintsMissing { .. } => "basic-constraints-missing",
            Self::BasicConstraintsNotCritical { .. } => "basic-constraints-not-critical",
            Self::NotCa { .. } => "not-ca",
            Self::CertSignWithoutCa { .. } => "cert-sign-without-ca",
            Self::NameConstraintsOutsideCa { .. } => "name-constraints-outside-ca",
            Self::NameConstraintsNotCritical { .. } => "name-constraints-not-critical",
            Self::PolicyConstraintsNotCritical { .. } => "policy-constraints-not-critical",
            Self::DnsNameSyntax { .. } => "dns-name-syntax",
            Self::KeyNotAccepted { .. } => "key-not-accepted",
            Self::RsaKeySize { .. } => "rsa-key-size",
            Self::KeyMalformed { .. } => "key-malformed",
            Self::SignatureAlgorithmNotAccepted { .. } => "signature-algorithm-not-accepted",
            Self::UnknownRoot { .. } => "unknown-root",
            Self::NotInOrder { .. } => "not-in-order",
            Self::PathTooLong { .. } => "path-too-long",
            Self::NameConstraint { .. } => "name-constraint",
            Self::WildcardCoversExcluded { .. } => "wildcard-covers-excluded",
            Self::NoValidPolicy { .. } => "no-valid-policy",
            Self::PolicyMapping { .. } => "policy-mapping",
            Self::KeyUsage { .. } => "key-usage",
            Self::ExtendedKeyUsage { .. } => "extended-key-usage",
            Self::BudgetExceeded { .. } => "budget-exceeded",
            Self::NotEvaluable { .. } => "not-evaluable",
            Self::SignatureDoesNotFitKey { .. } => "signature-does-not-fit-key",
            Self::SignatureWrong { .. } => "signature-wrong",
            Self::NameNotPermitted { .. } => "name-not-permitted",
            Self::NeverValid { .. } => "never-valid",
            Self::NotYetValid { .. } => "not-yet-valid",
            Self::Expired { .. } => "expired",
        }
    }
}

fn at_byte(position: Option<u32>) -> String {
    position.map(|position| format!(" (at byte {position})")).unwrap_or_default()
}
