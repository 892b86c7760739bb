//! The rules of today, proved: parameters, and the certificates of the trusted CAs that they name.
//!
//! ```text
//! parameters record --proof--> trusted CAs by SHA-256 -> genesis document | cache | any node: DER, hashed again
//! ```

use std::fs;
use std::path::Path;

use tabellion_consortium::{Parameters, parameters_key};
use tabellion_ledger::{CertificateId, TimeMs};
use tabellion_machine::{Ruleset, RulesetFault};
use tabellion_pki::TrustAnchor;

use crate::error::ClientError;
use crate::light::LightClient;
use crate::relying_party::RelyingParty;
use crate::trust::ProvedBy;

/// The rules that hold, as a quorum stands for them.
#[derive(Clone, Debug)]
pub struct LedgerRules {
    /// The parameters.
    pub parameters: Parameters,
    /// The trusted CAs, DER, in the order of the parameters.
    pub anchors: Vec<Vec<u8>>,
    /// The header under which this holds.
    pub by: ProvedBy,
}

impl LedgerRules {
    /// Prepares the rules, to validate paths as validators do.
    ///
    /// Errors: rules that this program cannot follow; it is older than the ledger then.
    pub fn ruleset(&self) -> Result<Ruleset, RulesetFault> {
        let anchors = self.anchors.iter().map(|der| TrustAnchor { certificate: der.clone() }).collect();
        Ruleset::new(self.by.header.ledger, self.parameters.clone(), anchors)
    }
}

impl RelyingParty {
    /// The rules that hold now. A CA that was voted in after genesis is fetched from a node and kept in
    /// `cache`, if there is such a folder; its hash stands in the proved parameters, so neither is trusted.
    pub async fn rules(&mut self, cache: Option<&Path>, now: TimeMs) -> Result<LedgerRules, ClientError> {
        let (parameters, by) = self.founded_by(parameters_key(), now).await?;
        let Parameters { certificate, .. } = &parameters;
        let mut anchors = Vec::with_capacity(certificate.anchors.len());
        for id in &certificate.anchors {
            anchors.push(self.anchor(id, cache).await?);
        }
        Ok(LedgerRules { parameters, anchors, by })
    }

    async fn anchor(&self, id: &CertificateId, cache: Option<&Path>) -> Result<Vec<u8>, ClientError> {
        if let Some(der) = founding_anchor(self.light(), id) {
            return Ok(der);
        }
        let file = cache.map(|folder| folder.join(format!("{id}.der")));
        let kept = file.as_ref().and_then(|file| fs::read(file).ok());
        if let Some(der) = kept.filter(|der| CertificateId::of(der) == *id) {
            return Ok(der);
        }
        let der = self.nodes().certificate_der(id).await?;
        let found = CertificateId::of(&der);
        if found != *id {
            let reason = format!("a certificate with SHA-256 {found}");
            return Err(self.nodes().unexpected(&format!("/v1/certificates/{id}/der"), &reason).into());
        }
        if let (Some(folder), Some(file)) = (cache, &file) {
            // A cache that cannot be written costs one more question the next time.
            let _ = fs::create_dir_all(folder).and_then(|()| fs::write(file, &der));
        }
        Ok(der)
    }
}

fn founding_anchor(light: &LightClient, id: &CertificateId) -> Option<Vec<u8>> {
    let founders = &light.trust().genesis().anchors;
    let place = founders.binary_search_by_key(id, |der| CertificateId::of(der)).ok()?;
    founders.get(place).cloned()
}
