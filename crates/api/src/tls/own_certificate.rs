//! A face's certificate that nobody has to renew.

use std::sync::Arc;

use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tabellion_ledger::TimeMs;

use super::FaceCertificate;
use super::node_ca::{BACKDATED_S, CaLinks, NodeCa, NodeCaError};

/// Age at which a certificate is made anew: a node that cannot has six days left. Unit: ms.
const RENEWED_AFTER_MS: u64 = 86_400_000;

/// A certificate that a node makes itself, with a fresh key, and makes anew every day. Nothing of it is on
/// disk.
///
/// The caller asks often and says what time it is: a machine that slept, or whose clock jumped, has a valid
/// certificate with the next question.
///
/// Source: X.1409 L7.
pub struct OwnCertificate {
    ca: NodeCa,
    links: CaLinks,
    hosts: Vec<String>,
    shown: Arc<FaceCertificate>,
    made: TimeMs,
}

impl OwnCertificate {
    /// The first certificate of a face that is reached under these host names and addresses.
    pub fn new(ca: NodeCa, links: CaLinks, hosts: Vec<String>, now: TimeMs) -> Result<Self, NodeCaError> {
        let (chain, key) = make(&ca, &links, &hosts, now)?;
        Ok(Self { ca, links, hosts, shown: FaceCertificate::new(chain, key)?, made: now })
    }

    /// What the face shows.
    pub fn shown(&self) -> &Arc<FaceCertificate> {
        &self.shown
    }

    /// Makes it anew if that is due, and says whether it was.
    pub fn renew(&mut self, now: TimeMs) -> Result<bool, NodeCaError> {
        let begin = self.made.0.saturating_sub(BACKDATED_S * 1_000);
        if (begin..self.made.0.saturating_add(RENEWED_AFTER_MS)).contains(&now.0) {
            return Ok(false);
        }
        let (chain, key) = make(&self.ca, &self.links, &self.hosts, now)?;
        self.shown.replace(chain, key)?;
        self.made = now;
        Ok(true)
    }

    /// Goes on under the node's key of now.
    pub fn change_ca(&mut self, ca: NodeCa, now: TimeMs) -> Result<(), NodeCaError> {
        if ca.key() == self.ca.key() {
            return Ok(());
        }
        let (chain, key) = make(&ca, &self.links, &self.hosts, now)?;
        self.shown.replace(chain, key)?;
        (self.ca, self.made) = (ca, now);
        Ok(())
    }
}

type Shown = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

fn make(ca: &NodeCa, links: &CaLinks, hosts: &[String], now: TimeMs) -> Result<Shown, NodeCaError> {
    let (certificate, key) = ca.issue(hosts, now)?;
    Ok(([vec![certificate], links.chain_of(ca)].concat(), key))
}
