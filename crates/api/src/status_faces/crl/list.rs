//! The bytes of a CRL.

use tabellion_ledger::TimeMs;
use tabellion_pki::Reason;

use super::super::der::{
    ENUMERATED, OCTET_STRING, SEQUENCE, bit_string, explicit, extension, integer, time, tlv,
};
use super::super::signer::Signer;

/// id-ce-cRLNumber, DER.
const CRL_NUMBER: [u8; 5] = [6, 3, 0x55, 0x1d, 20];
/// id-ce-cRLReasons, DER.
const CRL_REASON: [u8; 5] = [6, 3, 0x55, 0x1d, 21];
/// id-ce-authorityKeyIdentifier, DER.
const AUTHORITY_KEY: [u8; 5] = [6, 3, 0x55, 0x1d, 35];

/// A certificate on a CRL.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct CrlEntry {
    /// Without leading zeros.
    pub serial: Vec<u8>,
    /// Since when it is suspended or revoked.
    pub at: TimeMs,
    pub reason: Option<Reason>,
}

impl CrlEntry {
    fn to_der(&self) -> Vec<u8> {
        let reason = match self.reason {
            // A reason that says nothing is left out. Source: RFC 5280 5.3.1.
            None | Some(Reason::Unspecified) => Vec::new(),
            Some(reason) => {
                let value = [ENUMERATED, 1, reason.number()];
                tlv(SEQUENCE, &[&tlv(SEQUENCE, &[&CRL_REASON, &tlv(OCTET_STRING, &[&value])])])
            }
        };
        tlv(SEQUENCE, &[&integer(&self.serial), &time(self.at), &reason])
    }
}

/// All of a CRL but its signature.
pub(super) struct CrlForm<'a> {
    /// The CA's name, DER.
    pub issuer: &'a [u8],
    pub this_update: TimeMs,
    pub next_update: TimeMs,
    pub number: u64,
    pub entries: &'a [CrlEntry],
}

impl CrlForm<'_> {
    /// The CRL, signed.
    pub fn sign(&self, signer: &Signer) -> Result<Vec<u8>, rustls::Error> {
        let Self { issuer, entries, .. } = self;
        let (this_update, next_update) = (time(self.this_update), time(self.next_update));
        // Source: RFC 5280 5.1.2.6 (required): without entries the list is absent.
        let list = match entries {
            [] => Vec::new(),
            entries => {
                let entries: Vec<u8> = entries.iter().flat_map(CrlEntry::to_der).collect();
                tlv(SEQUENCE, &[&entries])
            }
        };
        let key = tlv(SEQUENCE, &[&tlv(0x80, &[&signer.key_identifier])]);
        let number = integer(&self.number.to_be_bytes());
        let extensions = tlv(SEQUENCE, &[&extension(&AUTHORITY_KEY, &key), &extension(&CRL_NUMBER, &number)]);
        let version_2 = integer(&[1]);
        let parts: [&[u8]; 7] = [
            &version_2,
            &signer.algorithm,
            issuer,
            &this_update,
            &next_update,
            &list,
            &explicit(0, &extensions),
        ];
        let tbs = tlv(SEQUENCE, &parts);
        let signature = bit_string(&signer.sign(&tbs)?);
        Ok(tlv(SEQUENCE, &[&tbs, &signer.algorithm, &signature]))
    }
}
