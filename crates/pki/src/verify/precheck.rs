//! The strict pre-check: what one certificate must fulfil by itself, before path validation sees it.
//!
//! Each rule closes a gap in which path validators differ, so that a verdict never hangs on such a corner.
//! The order of the rules is part of the verdict; rules marked "strict" are left out by [`Profile::Path`].

use std::collections::BTreeSet;

use certval::{EXTS_OF_INTEREST, PDVCertificate, PDVExtension};
use const_oid::ObjectIdentifier;
use const_oid::db::rfc5280::{
    ID_CE_AUTHORITY_KEY_IDENTIFIER, ID_CE_BASIC_CONSTRAINTS, ID_CE_CERTIFICATE_POLICIES,
    ID_CE_CRL_DISTRIBUTION_POINTS, ID_CE_EXT_KEY_USAGE, ID_CE_FRESHEST_CRL, ID_CE_INHIBIT_ANY_POLICY,
    ID_CE_ISSUER_ALT_NAME, ID_CE_KEY_USAGE, ID_CE_NAME_CONSTRAINTS, ID_CE_POLICY_CONSTRAINTS,
    ID_CE_POLICY_MAPPINGS, ID_CE_PRIVATE_KEY_USAGE_PERIOD, ID_CE_SUBJECT_ALT_NAME,
    ID_CE_SUBJECT_KEY_IDENTIFIER, ID_PE_AUTHORITY_INFO_ACCESS, ID_PE_SUBJECT_INFO_ACCESS,
};
use der::Decode;
use x509_cert::certificate::Version;
use x509_cert::ext::pkix::name::{GeneralName, GeneralNames};
use x509_cert::ext::pkix::{FreshestCrl, PrivateKeyUsagePeriod};

use super::certificate::{FormRules, extension, is_ca, raw_extensions};
use super::names::is_dns_name;
use super::{CertificateRefusal, Place, Profile};

/// Source: RFC 5280 4.1.2.2: conforming CAs use no longer ones (required).
const SERIAL_OCTETS_MAX: usize = 20;

/// What path validation processes; any other extension must not be critical. Source: RFC 5280 6.1.4 (o),
/// 6.1.5 (f).
const PROCESSED: [ObjectIdentifier; 9] = [
    ID_CE_BASIC_CONSTRAINTS,
    ID_CE_NAME_CONSTRAINTS,
    ID_CE_KEY_USAGE,
    ID_CE_EXT_KEY_USAGE,
    ID_CE_SUBJECT_ALT_NAME,
    ID_CE_CERTIFICATE_POLICIES,
    ID_CE_POLICY_MAPPINGS,
    ID_CE_POLICY_CONSTRAINTS,
    ID_CE_INHIBIT_ANY_POLICY,
];

/// Extensions that the path library decodes when it reads a certificate.
const DECODED_BY_LIBRARY: [ObjectIdentifier; 14] = [
    ID_CE_BASIC_CONSTRAINTS,
    ID_CE_NAME_CONSTRAINTS,
    ID_CE_KEY_USAGE,
    ID_CE_EXT_KEY_USAGE,
    ID_CE_SUBJECT_ALT_NAME,
    ID_CE_CERTIFICATE_POLICIES,
    ID_CE_POLICY_MAPPINGS,
    ID_CE_POLICY_CONSTRAINTS,
    ID_CE_INHIBIT_ANY_POLICY,
    ID_CE_SUBJECT_KEY_IDENTIFIER,
    ID_CE_AUTHORITY_KEY_IDENTIFIER,
    ID_PE_AUTHORITY_INFO_ACCESS,
    ID_PE_SUBJECT_INFO_ACCESS,
    ID_CE_CRL_DISTRIBUTION_POINTS,
];

/// Runs all rules on one decoded certificate.
pub(crate) fn check(
    certificate: &PDVCertificate,
    serial: &[u8],
    place: Place,
    rules: &FormRules,
) -> Result<(), CertificateRefusal> {
    let subject = Subject {
        certificate,
        place,
        is_ca: is_ca(certificate),
        issues: place != Place::Certificate,
        is_strict: rules.profile == Profile::Strict,
    };
    subject.check_body(serial)?;
    subject.check_extension_list()?;
    subject.check_contents()?;
    subject.check_issuing()?;
    subject.check_critical_flags()?;
    subject.check_key_identifiers()?;
    subject.check_alternative_names(rules)
}

struct Subject<'a> {
    certificate: &'a PDVCertificate,
    place: Place,
    is_ca: bool,
    /// Whether it issues another certificate of the chain.
    issues: bool,
    is_strict: bool,
}

impl Subject<'_> {
    fn has(&self, identifier: &ObjectIdentifier) -> bool {
        extension(self.certificate, identifier).is_some()
    }

    fn is_critical(&self, identifier: &ObjectIdentifier) -> bool {
        raw_extensions(self.certificate)
            .iter()
            .any(|extension| extension.extn_id == *identifier && extension.critical)
    }

    /// Serial number, version, names, the two signature algorithms.
    fn check_body(&self, serial: &[u8]) -> Result<(), CertificateRefusal> {
        let place = self.place;
        let (decoded, tbs) = (self.certificate.decoded(), self.certificate.decoded().tbs_certificate());
        if serial.len() > SERIAL_OCTETS_MAX {
            let (octets, octets_max) = (serial.len(), SERIAL_OCTETS_MAX);
            return Err(CertificateRefusal::SerialTooLong { place, octets, octets_max });
        }
        let is_negative = serial.first().is_none_or(|octet| octet & 0x80 != 0);
        // A root is trusted for its bytes; several public ones have the serial number 0.
        let may_be_zero = place == Place::Root && !self.is_strict;
        if is_negative || (!may_be_zero && serial.iter().all(|octet| *octet == 0)) {
            return Err(CertificateRefusal::SerialNotPositive { place });
        }
        let version = match tbs.version() {
            Version::V1 => 1,
            Version::V2 => 2,
            Version::V3 => 3,
        };
        if version != 3 && tbs.extensions().is_some() {
            return Err(CertificateRefusal::VersionNotThree { place, version });
        }
        if tbs.signature() != decoded.signature_algorithm() {
            return Err(CertificateRefusal::SignatureAlgorithmsDiffer {
                place,
                signed: tbs.signature().oid.to_string(),
                outer: decoded.signature_algorithm().oid.to_string(),
            });
        }
        if tbs.issuer().is_empty() {
            return Err(CertificateRefusal::EmptyIssuer { place });
        }
        if tbs.subject().is_empty() && (self.is_ca || self.issues) {
            return Err(CertificateRefusal::EmptySubject { place });
        }
        Ok(())
    }

    /// No extension twice, all known ones decode, no unknown one is critical.
    fn check_extension_list(&self) -> Result<(), CertificateRefusal> {
        let place = self.place;
        let mut seen = BTreeSet::new();
        for extension in raw_extensions(self.certificate) {
            let identifier = extension.extn_id;
            if !seen.insert(identifier) {
                return Err(CertificateRefusal::DuplicateExtension {
                    place,
                    extension: identifier.to_string(),
                });
            }
            let value = extension.extn_value.as_bytes();
            let decodes = match identifier {
                ID_CE_ISSUER_ALT_NAME => GeneralNames::from_der(value).is_ok(),
                ID_CE_PRIVATE_KEY_USAGE_PERIOD => PrivateKeyUsagePeriod::from_der(value).is_ok(),
                ID_CE_FRESHEST_CRL => FreshestCrl::from_der(value).is_ok(),
                known if DECODED_BY_LIBRARY.contains(&known) => self.has(&known),
                _ => true,
            };
            if !decodes {
                return Err(CertificateRefusal::UndecodableExtension {
                    place,
                    extension: identifier.to_string(),
                });
            }
        }
        // Of all rules on extensions this one first: a critical AKI has a refusal of its own.
        if self.is_critical(&ID_CE_AUTHORITY_KEY_IDENTIFIER) && self.is_strict {
            return Err(CertificateRefusal::AuthorityKeyIdCritical { place });
        }
        let unknown = |e: &&x509_cert::ext::Extension| e.critical && !PROCESSED.contains(&e.extn_id);
        match raw_extensions(self.certificate).iter().find(unknown) {
            Some(found) => Err(CertificateRefusal::UnknownCriticalExtension {
                place,
                extension: found.extn_id.to_string(),
            }),
            None => Ok(()),
        }
    }

    /// Lists that must hold something. Source: RFC 5280 4.2.1.4 to 4.2.1.12, SIZE (1..MAX).
    fn check_contents(&self) -> Result<(), CertificateRefusal> {
        for identifier in EXTS_OF_INTEREST {
            let is_empty = match extension(self.certificate, identifier) {
                Some(PDVExtension::ExtendedKeyUsage(usages)) => usages.0.is_empty(),
                Some(PDVExtension::KeyUsage(usages)) => usages.0.is_empty(),
                Some(PDVExtension::SubjectAltName(names)) => names.0.is_empty(),
                Some(PDVExtension::CertificatePolicies(policies)) => policies.0.is_empty(),
                Some(PDVExtension::PolicyMappings(mappings)) => mappings.0.is_empty(),
                Some(PDVExtension::PolicyConstraints(constraints)) => {
                    constraints.require_explicit_policy.is_none()
                        && constraints.inhibit_policy_mapping.is_none()
                }
                Some(PDVExtension::NameConstraints(constraints)) => {
                    let count = |subtrees: &Option<Vec<_>>| subtrees.as_ref().map_or(0, Vec::len);
                    count(&constraints.permitted_subtrees) + count(&constraints.excluded_subtrees) == 0
                }
                Some(PDVExtension::AuthorityInfoAccessSyntax(access)) => access.0.is_empty(),
                Some(PDVExtension::CrlDistributionPoints(points)) => points.0.is_empty(),
                _ => false,
            };
            if is_empty {
                let (place, extension) = (self.place, identifier.to_string());
                return Err(CertificateRefusal::EmptyExtension { place, extension });
            }
        }
        Ok(())
    }

    /// Who may issue, and what only those may carry who do.
    fn check_issuing(&self) -> Result<(), CertificateRefusal> {
        let place = self.place;
        let has_constraints = self.has(&ID_CE_BASIC_CONSTRAINTS);
        // Under the lenient profile a root may be a version 1 certificate: it is trusted by decision of the
        // participants.
        let is_old_root = place == Place::Root && !self.is_strict && !has_constraints;
        if self.issues && !is_old_root {
            if !has_constraints {
                return Err(CertificateRefusal::BasicConstraintsMissing { place });
            }
            if !self.is_ca {
                return Err(CertificateRefusal::NotCa { place });
            }
        }
        let signs = matches!(
            extension(self.certificate, &ID_CE_KEY_USAGE),
            Some(PDVExtension::KeyUsage(usage)) if usage.key_cert_sign()
        );
        if signs && !self.is_ca && !is_old_root {
            return Err(CertificateRefusal::CertSignWithoutCa { place });
        }
        if self.has(&ID_CE_NAME_CONSTRAINTS) && !self.is_ca {
            return Err(CertificateRefusal::NameConstraintsOutsideCa { place });
        }
        Ok(())
    }

    /// Critical flags that RFC 5280 requires of the CA that issued; strict.
    fn check_critical_flags(&self) -> Result<(), CertificateRefusal> {
        let place = self.place;
        let lacks_flag = |identifier| self.has(identifier) && !self.is_critical(identifier);
        if !self.is_strict {
            return Ok(());
        }
        if self.is_ca && lacks_flag(&ID_CE_BASIC_CONSTRAINTS) {
            return Err(CertificateRefusal::BasicConstraintsNotCritical { place });
        }
        if lacks_flag(&ID_CE_NAME_CONSTRAINTS) {
            return Err(CertificateRefusal::NameConstraintsNotCritical { place });
        }
        if lacks_flag(&ID_CE_POLICY_CONSTRAINTS) {
            return Err(CertificateRefusal::PolicyConstraintsNotCritical { place });
        }
        let subject_is_empty = self.certificate.decoded().tbs_certificate().subject().is_empty();
        if subject_is_empty && lacks_flag(&ID_CE_SUBJECT_ALT_NAME) {
            return Err(CertificateRefusal::AlternativeNameNotCritical { place });
        }
        Ok(())
    }

    /// Both key identifiers where RFC 5280 requires them; strict.
    fn check_key_identifiers(&self) -> Result<(), CertificateRefusal> {
        let place = self.place;
        if !self.is_strict {
            return Ok(());
        }
        if place != Place::Root && !self.has(&ID_CE_AUTHORITY_KEY_IDENTIFIER) {
            return Err(CertificateRefusal::AuthorityKeyIdMissing { place });
        }
        if self.is_ca && !self.has(&ID_CE_SUBJECT_KEY_IDENTIFIER) {
            return Err(CertificateRefusal::SubjectKeyIdMissing { place });
        }
        Ok(())
    }

    /// There is a name, there are not too many, and DNS names are DNS names.
    fn check_alternative_names(&self, rules: &FormRules) -> Result<(), CertificateRefusal> {
        let place = self.place;
        let Some(PDVExtension::SubjectAltName(names)) = extension(self.certificate, &ID_CE_SUBJECT_ALT_NAME)
        else {
            let subject_is_empty = self.certificate.decoded().tbs_certificate().subject().is_empty();
            return if subject_is_empty { Err(CertificateRefusal::NoName { place }) } else { Ok(()) };
        };
        let (count, count_max) = (names.0.len(), rules.limits.names_max);
        if count > count_max {
            return Err(CertificateRefusal::TooManyNames { place, count, count_max });
        }
        for name in &names.0 {
            if let GeneralName::DnsName(name) = name
                && !is_dns_name(name.as_str(), rules.underscore_in_dns_names)
            {
                return Err(CertificateRefusal::DnsNameSyntax { place, name: name.as_str().to_owned() });
            }
        }
        Ok(())
    }
}
