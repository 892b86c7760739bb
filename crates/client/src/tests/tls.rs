//! Whom a client takes for its node, by the certificates that it shows.

use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, PublicKeyData, date_time_ymd,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConnection, Error, ServerConnection};
use tabellion_ledger::KeyId;

use crate::{NodeTrust, tls_config};

/// A CA that a node is by its key.
struct Ca {
    key: KeyId,
    params: CertificateParams,
    pair: KeyPair,
    certificate: CertificateDer<'static>,
}

fn id(pair: &KeyPair) -> KeyId {
    KeyId::of(&pair.subject_public_key_info())
}

impl Ca {
    fn new(name: &str) -> Self {
        let pair = KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(1));
        let certificate = params.self_signed(&pair).unwrap().into();
        Self { key: id(&pair), params, pair, certificate }
    }

    /// This CA as one before it vouches for it.
    fn by(&self, before: &Self) -> CertificateDer<'static> {
        let issuer = Issuer::from_params(&before.params, &before.pair);
        self.params.signed_by(&self.pair, &issuer).unwrap().into()
    }

    /// A certificate of a face, until 1 January of a year, and its key.
    fn face(&self, until: i32) -> (CertificateDer<'static>, KeyPair) {
        let pair = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec!["node.example".to_owned()]).unwrap();
        params.not_after = date_time_ymd(until, 1, 1);
        let issuer = Issuer::from_params(&self.params, &self.pair);
        (params.signed_by(&pair, &issuer).unwrap().into(), pair)
    }
}

/// The client's side of a handshake in memory with whoever shows this chain and holds this key.
fn handshake(trust: &NodeTrust, chain: &[CertificateDer<'static>], key: &KeyPair) -> Result<(), Error> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let server = rustls::ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_no_client_auth()
        .with_single_cert(chain.to_vec(), PrivateKeyDer::Pkcs8(key.serialize_der().into()))?;
    let name = ServerName::try_from("other.example").unwrap();
    let mut client = ClientConnection::new(Arc::new(tls_config(trust).unwrap()), name)?;
    let mut server = ServerConnection::new(Arc::new(server))?;
    while client.is_handshaking() {
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

/// X.1409 L7: a pin is the node's key, which signs its certificates, or the key of the certificate itself.
#[test]
fn a_pinned_key_is_that_of_the_certificate_or_of_a_ca_that_vouches_for_it() {
    let (before, now, other) = (Ca::new("before"), Ca::new("now"), Ca::new("other"));
    let (face, key) = now.face(2100);
    let (ended, ended_key) = now.face(2021);
    let shown = [face.clone(), now.by(&before), now.certificate.clone(), before.certificate.clone()];
    let with_other = [face.clone(), other.certificate.clone()];
    let late = [ended.clone(), now.certificate.clone()];
    let rows: [(&str, KeyId, &[_], &KeyPair, bool); 9] = [
        ("the face's own key", id(&key), &shown, &key, true),
        ("the node's key", now.key, &shown, &key, true),
        ("the node's earlier key", before.key, &shown, &key, true),
        ("a key that nobody shows", other.key, &shown, &key, false),
        ("a CA that did not sign", other.key, &with_other, &key, false),
        ("a CA that is not shown", now.key, &with_other, &key, false),
        ("a certificate that has ended", now.key, &late, &ended_key, false),
        ("the same by its own key", id(&ended_key), &late, &ended_key, true),
        ("a CA as a face", now.key, std::slice::from_ref(&now.certificate), &now.pair, true),
    ];
    for (what, pin, chain, key, expected) in rows {
        let met = handshake(&NodeTrust::PinnedKey(pin), chain, key);
        assert_eq!(met.is_ok(), expected, "{what}: {met:?}");
    }
}
