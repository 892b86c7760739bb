//! Complete CRLs of version 2 (RFC 5280 5), one for each CA that gave a key for them.
//!
//! One task makes them: at the start, at half of their validity, and at once when the status of a certificate
//! of the CA changes. What is served is always ready.

mod list;

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use tabellion_ledger::{CertificateId, Height, TimeMs};
use tabellion_machine::Event;
use tabellion_pki::{Event as Change, Status, certificate};

use self::list::{CrlEntry, CrlForm};
use super::StatusFaces;
use super::authority::Authority;
use super::counters::Count;
use super::der::whole_second;
use super::signer::Signer;
use crate::backend::{Announcement, Fault};
use crate::lookup::{Found, RecordedCrl};

/// How often the task looks whether a CRL is to be made anew.
const LOOK: Duration = Duration::from_secs(1);
/// How often, while the index lags behind a change.
const SOON: Duration = Duration::from_millis(50);

/// A CRL, ready to serve.
#[derive(Clone, Debug)]
pub(super) struct Crl {
    pub der: Bytes,
    pub this_update: TimeMs,
    pub next_update: TimeMs,
    /// From here on the node makes a new one.
    pub until: TimeMs,
    number: u64,
    entries: Vec<CrlEntry>,
    /// Certificates whose validity ended before are not in it.
    cutoff: TimeMs,
    /// The CAs under whose keys it was signed.
    signed_by: Arc<Vec<Authority>>,
}

/// The newest CRL of each CA.
#[derive(Default)]
pub(super) struct CrlShelf(RwLock<HashMap<CertificateId, Crl>>);

impl CrlShelf {
    fn get(&self, ca: &CertificateId) -> Option<Crl> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(ca).cloned()
    }

    fn put(&self, ca: CertificateId, crl: Crl) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(ca, crl);
    }

    pub fn metrics(&self) -> String {
        let mut text = String::from(
            "# HELP tabellion_crl_entries Entries of the newest CRL of a CA.\n\
             # TYPE tabellion_crl_entries gauge\n",
        );
        let shelf = self.0.read().unwrap_or_else(PoisonError::into_inner);
        for (ca, crl) in shelf.iter() {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "tabellion_crl_entries{{ca=\"{ca}\"}} {}", crl.entries.len());
        }
        text.push_str(
            "# HELP tabellion_crl_next_update_ms nextUpdate of the newest CRL of a CA, ms since 1970.\n\
             # TYPE tabellion_crl_next_update_ms gauge\n",
        );
        for (ca, crl) in shelf.iter() {
            let _ = writeln!(text, "tabellion_crl_next_update_ms{{ca=\"{ca}\"}} {}", crl.next_update);
        }
        text
    }
}

/// What is found under the name of a CRL.
#[derive(Clone, Debug)]
pub(super) enum FoundCrl {
    /// Signed by this node.
    Own(Crl),
    /// The CA's own, recorded as evidence.
    Recorded(RecordedCrl),
    /// None now, as the node does not follow the ledger or has just started; the text says so.
    Late(String),
    /// None; the text says why.
    Missing(String),
}

impl StatusFaces {
    /// Keeps the CRLs new, until it is dropped.
    pub async fn keep_crls(self: Arc<Self>) {
        // The block with the newest change that no CRL holds yet.
        let mut wanted: Option<Height> = None;
        let mut announced: Option<BoxStream<'static, Announcement>> = None;
        loop {
            if announced.is_none() {
                announced = self.backend.subscribe(None).ok();
                // What happened before the stream began is not in it.
                wanted = wanted.max(Some(self.backend.snapshot().finality().header.height));
            }
            let height = self.renew_crls(wanted.is_some()).await;
            wanted = wanted.filter(|wanted| height.is_some_and(|height| height < *wanted));
            let pause = if wanted.is_some() { SOON } else { LOOK };
            let Some(stream) = &mut announced else {
                tokio::time::sleep(LOOK).await;
                continue;
            };
            match tokio::time::timeout(pause, stream.next()).await {
                Ok(Some(block)) if has_change(&block) => wanted = Some(block.header.height),
                Ok(Some(_)) | Err(_) => {}
                Ok(None) => {
                    announced = None;
                    tokio::time::sleep(LOOK).await;
                }
            }
        }
    }

    /// Makes the CRLs that are due, and where something `changed` all whose entries are others now; says up
    /// to which block these are known. [`StatusFaces::keep_crls`] does so again and again.
    pub async fn renew_crls(&self, changed: bool) -> Option<Height> {
        let (authorities, now) = (self.authorities(), self.now());
        let mut known: Option<Height> = None;
        match self.may_lack_certificates().await {
            Ok(None) => {}
            Ok(Some(_)) => return None,
            Err(fault) => {
                tracing::error!(error = &fault as &dyn std::error::Error, "no CRL could be made");
                return None;
            }
        }
        for authority in authorities.iter() {
            let Some(signer) = &authority.crl else { continue };
            let before = self.crls.get(&authority.id);
            let is_due = before
                .as_ref()
                .is_none_or(|crl| crl.until <= now || !Arc::ptr_eq(&crl.signed_by, &authorities));
            if !(is_due || changed) {
                continue;
            }
            match self.make_crl(authority, signer, &authorities, (before, is_due)).await {
                Ok(height) => known = Some(known.map_or(height, |before| before.min(height))),
                Err(fault) => {
                    let ca = authority.id;
                    tracing::error!(%ca, error = &fault as &dyn std::error::Error, "no CRL could be made");
                }
            }
        }
        known
    }

    async fn make_crl(
        &self,
        authority: &Authority,
        signer: &Signer,
        authorities: &Arc<Vec<Authority>>,
        (before, is_due): (Option<Crl>, bool),
    ) -> Result<Height, Fault> {
        let (now, issuer, backend) = (self.now(), authority.key, self.backend.clone());
        let Found { rows, height, known_at } = self.read(move |lookup| lookup.changed(&issuer)).await??;
        let validity_ms = self.config.crl_validity_ms;
        // An entry stays until it stood in one CRL made after the certificate's end. Source: RFC 5280 3.3.
        let cutoff = match &before {
            Some(crl) if is_due => crl.this_update,
            Some(crl) => crl.cutoff,
            None => TimeMs(now.0.saturating_sub(validity_ms)),
        };
        let collect = move || {
            let snapshot = backend.snapshot();
            let entry = |(id, serial): (CertificateId, Vec<u8>)| {
                let record = certificate(&*snapshot, &id)?;
                let is_listed = record.status != Status::Normal && record.validity.until >= cutoff;
                is_listed.then_some(CrlEntry { serial, at: record.since_time, reason: record.reason })
            };
            let mut entries: Vec<CrlEntry> = rows.into_iter().filter_map(entry).collect();
            entries.sort();
            entries.dedup_by(|a, b| a.serial == b.serial);
            let newest = &snapshot.finality().header;
            (entries, known_at.min(newest.time), height.unwrap_or_default().min(newest.height))
        };
        let (entries, known_at, height) = tokio::task::spawn_blocking(collect).await.map_err(Fault::new)?;
        let is_same = before.as_ref().is_some_and(|crl| crl.entries == entries);
        // A CRL says of every certificate that is not in it that it is good: never on old knowledge.
        let is_stale = self.config.staleness.check(known_at, now).is_err();
        if is_stale || (is_same && !is_due) || signer.until < now {
            return Ok(height);
        }
        let this_update = whole_second(known_at.min(now));
        let next_update = whole_second(this_update.plus(validity_ms)).min(whole_second(signer.until));
        let number = number(now).max(before.as_ref().map_or(0, |crl| crl.number.saturating_add(1)));
        let form = CrlForm { issuer: &authority.name, this_update, next_update, number, entries: &entries };
        let der = Bytes::from(form.sign(signer).map_err(Fault::new)?);
        self.counters.add(Count::CrlSigned);
        let until = this_update.plus(validity_ms / 2).min(next_update);
        let signed_by = authorities.clone();
        let crl = Crl { der, this_update, next_update, until, number, entries, cutoff, signed_by };
        self.crls.put(authority.id, crl);
        Ok(height)
    }

    /// Why this node signs no CRL: one says of every certificate that is not in it that it is good, and the
    /// index may lack some. `None` where it lacks none.
    async fn may_lack_certificates(&self) -> Result<Option<&'static str>, Fault> {
        let kind = tabellion_consortium::parameters(&*self.backend.snapshot()).certificate.kind;
        if kind == tabellion_consortium::LedgerKind::Identifiers {
            return Ok(Some(
                "a ledger of identifiers keeps no certificates: nobody knows all serial numbers of a CA",
            ));
        }
        let is_complete = self.read(|lookup| lookup.is_complete()).await??;
        Ok((!is_complete).then_some(
            "this node has never held the older blocks, and may not know of all revocations; [peers] in its \
             node.toml names nodes that have them",
        ))
    }

    /// The CRL of a CA for which this node has a key, or the newest one that the CA itself gave as evidence.
    pub(super) async fn crl(
        &self,
        authority: Option<&Authority>,
        id: CertificateId,
    ) -> Result<FoundCrl, Fault> {
        if let Some(why) = self.may_lack_certificates().await? {
            return Ok(FoundCrl::Missing(why.to_owned()));
        }
        if authority.is_some_and(|authority| authority.crl.is_some()) {
            return Ok(match self.crls.get(&id) {
                Some(crl) if crl.next_update >= self.now() => FoundCrl::Own(crl),
                _ => FoundCrl::Late(
                    "this node has no new CRL yet: it does not follow the ledger, or has just started"
                        .to_owned(),
                ),
            });
        }
        let unnamed = || crate::lookup::IssuerKey {
            certificate: id,
            name: Default::default(),
            key: Default::default(),
        };
        let issuer = authority.map_or_else(unnamed, |authority| authority.key);
        let recorded = self.read(move |lookup| lookup.recorded_crl(&issuer)).await??;
        Ok(match recorded {
            None => FoundCrl::Missing(format!(
                "this node has no key for CRLs of CA {id}, and none of its own CRLs is recorded"
            )),
            Some(crl) if crl.der.is_none() => FoundCrl::Missing(format!(
                "this node has no key for CRLs of CA {id}, and does not hold the CA's own, which is recorded"
            )),
            Some(crl) if crl.until < self.now() => FoundCrl::Missing(format!(
                "this node has no key for CRLs of CA {id}, and the newest recorded one of its own is over"
            )),
            Some(crl) => FoundCrl::Recorded(crl),
        })
    }
}

/// CRLNumber: the moment of signing, so that it grows also across restarts and from node to node, and lies
/// above the numbers that a CA has used so far, dates with seconds (YYYYMMDDhhmmss) included. Unit: ns since
/// 1970.
fn number(now: TimeMs) -> u64 {
    now.0.saturating_mul(1_000_000)
}

/// Whether a block changed the status of a certificate.
fn has_change(block: &Announcement) -> bool {
    block.notices.iter().any(|notice| match &notice.event {
        Event::Consortium(_) => false,
        Event::Certificate(event) => matches!(
            event,
            Change::Revoked { .. }
                | Change::Suspended { .. }
                | Change::Resumed { .. }
                | Change::Renewed { .. }
        ),
    })
}
