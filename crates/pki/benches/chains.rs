//! What a publish costs: chains of leaf, intermediate and root, cold and with a known intermediate, beside
//! one raw signature check of the same algorithm in the same run.
//!
//! `cargo bench -p tabellion-pki`

use aws_lc_rs::signature::{self as aws, UnparsedPublicKey, VerificationAlgorithm};
use criterion::{Criterion, criterion_group, criterion_main};
use tabellion_corpus::{KeyKind, TestCa, TestKey};
use tabellion_pki::{
    Chain, ChainCache, PreparedParameters, Root, TrustAnchor, ValidationParameters, verify_chain_timeless,
};
use x509_cert::der::Decode;
use x509_cert::spki::SubjectPublicKeyInfoOwned;

fn routine(kind: KeyKind) -> &'static dyn VerificationAlgorithm {
    match kind {
        KeyKind::P256 => &aws::ECDSA_P256_SHA256_ASN1,
        KeyKind::P384 => &aws::ECDSA_P384_SHA384_ASN1,
        KeyKind::Rsa2048 => &aws::RSA_PKCS1_2048_8192_SHA256,
        KeyKind::Ed25519 => &aws::ED25519,
        KeyKind::MlDsa44 => &aws::ML_DSA_44,
        KeyKind::MlDsa65 => &aws::ML_DSA_65,
        KeyKind::MlDsa87 => &aws::ML_DSA_87,
    }
}

fn chains(criterion: &mut Criterion) {
    for kind in [KeyKind::P256, KeyKind::Rsa2048, KeyKind::Ed25519, KeyKind::MlDsa65] {
        let mut group = criterion.benchmark_group(format!("{kind:?}"));

        let key = TestKey::generate(kind);
        let message = [7; 600];
        let signature = key.sign(&message);
        let spki = SubjectPublicKeyInfoOwned::from_der(&key.spki()).expect("just made");
        let public = UnparsedPublicKey::new(routine(kind), spki.subject_public_key.raw_bytes());
        group.bench_function("raw signature check", |bencher| {
            bencher.iter(|| public.verify(&message, &signature).expect("it is right"));
        });

        let mut ca = TestCa::new(kind);
        let certificate = ca.issue("www.example.com");
        let anchors = vec![TrustAnchor { certificate: ca.root().to_vec() }];
        let prepared = PreparedParameters::new(&ValidationParameters::new(anchors)).expect("usable");
        let root = Root::Id(prepared.anchors().next().expect("one"));
        let chain = Chain { certificate: &certificate, intermediates: ca.intermediates(), root };
        let empty = ChainCache::new(0);
        group.bench_function("chain, nothing known", |bencher| {
            bencher.iter(|| verify_chain_timeless(&prepared, &chain, &empty).outcome.expect("it holds"));
        });
        let mut cache = ChainCache::new(16);
        cache.absorb(verify_chain_timeless(&prepared, &chain, &cache).learned);
        group.bench_function("chain, intermediate known", |bencher| {
            bencher.iter(|| verify_chain_timeless(&prepared, &chain, &cache).outcome.expect("it holds"));
        });
        group.finish();
    }
}

criterion_group!(benches, chains);
criterion_main!(benches);
