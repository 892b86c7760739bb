//! Writes every real public CA certificate that chains to a root as a PEM file, for the tour:
//! `cargo run -p tabellion-corpus --example export_chains -- FOLDER`.

use std::fs;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use tabellion_corpus::{RealChain, real_chains, real_roots};
use tabellion_ledger::TimeMs;

fn pem(certificates: &[&[u8]]) -> String {
    certificates.iter().map(|der| pem_block(der)).collect()
}

fn pem_block(der: &[u8]) -> String {
    use der::pem::{LineEnding, encode_string};
    encode_string("CERTIFICATE", LineEnding::LF, der).expect("a certificate fits in memory")
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = PathBuf::from(std::env::args().nth(1).ok_or("usage: export_chains FOLDER")?);
    fs::create_dir_all(folder.join("chains"))?;
    let roots = real_roots();
    fs::write(folder.join("roots.pem"), pem(&roots.iter().map(Vec::as_slice).collect::<Vec<_>>()))?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
    let chains = real_chains(TimeMs(u64::try_from(now.as_millis())?));
    for (number, RealChain { certificate, intermediates, .. }) in chains.iter().enumerate() {
        let chain: Vec<&[u8]> = [certificate].into_iter().chain(intermediates).map(Vec::as_slice).collect();
        fs::write(folder.join("chains").join(format!("{number:04}.pem")), pem(&chain))?;
    }
    println!("{} chains, {} roots in {}", chains.len(), roots.len(), folder.display());
    Ok(())
}
