//! Data of outside suites that is fetched, never committed.

use std::collections::BTreeMap;
use std::path::PathBuf;

/// The certificates of NIST's PKITS suite by file name without its ending.
///
/// They are read from `$TABELLION_VECTORS`, else `target/vectors`; `xtask/scripts/pkits.sh` puts them there.
///
/// Errors: the text to show when the data is not there.
pub fn pkits_certificates() -> Result<BTreeMap<String, Vec<u8>>, String> {
    let default = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/vectors");
    let vectors = std::env::var("TABELLION_VECTORS").unwrap_or_else(|_| default.to_owned());
    let folder = PathBuf::from(vectors).join("PKITS_data/certs");
    let missing = |error: std::io::Error| {
        format!(
            "no PKITS data in {}: {error}\n\nhint: run `xtask/scripts/pkits.sh`, or set TABELLION_VECTORS to \
             the folder it wrote to",
            folder.display()
        )
    };
    let mut certificates = BTreeMap::new();
    for entry in std::fs::read_dir(&folder).map_err(missing)? {
        let path = entry.map_err(missing)?.path();
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        certificates.insert(name, std::fs::read(&path).map_err(missing)?);
    }
    Ok(certificates)
}
