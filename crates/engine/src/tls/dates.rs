//! No date cuts validators off from each other: trust rests on the pinned key, whatever clocks and
//! certificates say (X.1409 L7).

use std::sync::Arc;
use std::time::Duration;

use rcgen::{CertificateParams, KeyPair, PKCS_ED25519, date_time_ymd};
use rustls::crypto::aws_lc_rs::sign::any_eddsa_type;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::time_provider::TimeProvider;
use rustls::{ClientConfig, ClientConnection, Error, ServerConfig, ServerConnection};
use tabellion_ledger::LedgerId;

use super::certificate::pkcs8;
use super::credentials::Credentials;
use crate::scheme::node_key;

const LEDGER: LedgerId = LedgerId([3; 32]);
const DIALLER: [u8; 32] = [1; 32];
const LISTENER: [u8; 32] = [2; 32];
const YEAR_S: u64 = 31_556_952;

/// A clock that stands still. Unit: s since 1970.
#[derive(Debug)]
struct Stopped(u64);

impl TimeProvider for Stopped {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(Duration::from_secs(self.0)))
    }
}

/// The product's own settings of both ends, under a clock.
fn ends(now_s: u64) -> (ClientConfig, ServerConfig) {
    let credentials = |seed| Credentials::new(seed, &LEDGER).unwrap();
    let mut client = (*credentials(&DIALLER).client(node_key(&LISTENER)).unwrap()).clone();
    let mut server = (*credentials(&LISTENER).server()).clone();
    client.time_provider = Arc::new(Stopped(now_s));
    server.time_provider = Arc::new(Stopped(now_s));
    (client, server)
}

/// Carries bytes between the two ends until the handshake is over.
fn handshake(client: ClientConfig, server: ServerConfig) -> Result<(), Error> {
    let name = ServerName::try_from("node.tabellion.invalid").unwrap();
    let mut client = ClientConnection::new(Arc::new(client), name)?;
    let mut server = ServerConnection::new(Arc::new(server))?;
    while client.is_handshaking() || server.is_handshaking() {
        let (mut there, mut back) = (Vec::new(), Vec::new());
        client.write_tls(&mut there).unwrap();
        server.read_tls(&mut there.as_slice()).unwrap();
        server.process_new_packets()?;
        server.write_tls(&mut back).unwrap();
        client.read_tls(&mut back.as_slice()).unwrap();
        client.process_new_packets()?;
    }
    Ok(())
}

/// A certificate for a node's key with an end that is long past, or a beginning that is far off.
fn certificate(seed: &[u8; 32], years: (i32, i32)) -> Arc<SingleCertAndKey> {
    let pair = KeyPair::from_pkcs8_der_and_sign_algo(&pkcs8(seed), &PKCS_ED25519).unwrap();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.not_before = date_time_ymd(years.0, 1, 1);
    params.not_after = date_time_ymd(years.1, 1, 1);
    let made: CertificateDer<'static> = params.self_signed(&pair).unwrap().der().clone();
    Arc::new(CertifiedKey::new(vec![made], any_eddsa_type(&pkcs8(seed)).unwrap()).into())
}

#[test]
fn a_clock_past_every_expiry_stops_no_connection() {
    for (what, now_s) in
        [("1970", 0), ("today", 57 * YEAR_S), ("2400", 430 * YEAR_S), ("12000", 10_030 * YEAR_S)]
    {
        let (client, server) = ends(now_s);
        assert_eq!(handshake(client, server), Ok(()), "{what}");
    }
}

#[test]
fn a_certificate_past_its_end_or_before_its_beginning_still_carries_the_key() {
    for years in [(2000, 2001), (2200, 2201)] {
        let (mut client, mut server) = ends(57 * YEAR_S);
        client.client_auth_cert_resolver = certificate(&DIALLER, years);
        server.cert_resolver = certificate(&LISTENER, years);
        assert_eq!(handshake(client, server), Ok(()), "{years:?}");
    }
}

#[test]
fn a_certificate_in_its_time_with_another_key_is_refused() {
    let (client, mut server) = ends(57 * YEAR_S);
    server.cert_resolver = certificate(&[9; 32], (2020, 2100));
    assert!(handshake(client, server).is_err());
}
