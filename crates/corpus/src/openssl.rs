//! Verdicts of the `openssl` command, the oracle of differential tests.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use tabellion_ledger::TimeMs;

use crate::RealChain;

/// What `openssl verify` says to each chain: nothing for valid, else its message.
///
/// Same inputs as the product: each chain's own root is the only trust anchor, its intermediates the only
/// helpers, the time is `at`, the policy any, and security level 2 stands for the accepted algorithms (SHA-2,
/// RSA from 2048 bits).
///
/// Errors: the command cannot be run, or files cannot be written.
pub fn openssl_verdicts(chains: &[RealChain], at: TimeMs) -> std::io::Result<Vec<Option<String>>> {
    let folder = tempfile::tempdir()?;
    let mut files = Files { folder: folder.path(), written: BTreeMap::new() };
    // Chains with the same issuers share one run of the command, which costs more than the verification.
    let mut groups: BTreeMap<_, Vec<usize>> = BTreeMap::new();
    for (index, chain) in chains.iter().enumerate() {
        groups.entry((chain.root.as_slice(), chain.intermediates.as_slice())).or_default().push(index);
    }
    let mut verdicts = vec![None; chains.len()];
    for ((root, intermediates), members) in groups {
        let mut command = Command::new("openssl");
        command.args(["verify", "-attime", &at.seconds().to_string(), "-auth_level", "2"]);
        command.args(["-policy_check", "-policy", "2.5.29.32.0", "-trusted"]).arg(files.path(root)?);
        for intermediate in intermediates {
            command.arg("-untrusted").arg(files.path(intermediate)?);
        }
        let mut by_file = BTreeMap::new();
        for index in members {
            let path = files.path(&chains[index].certificate)?;
            command.arg(&path);
            by_file.insert(path.to_string_lossy().into_owned(), index);
        }
        let output = command.output()?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        for (file, message) in failures(&said) {
            if let Some(index) = by_file.get(&file) {
                verdicts[*index] = Some(message);
            }
        }
        let accepted = String::from_utf8_lossy(&output.stdout).matches(": OK").count();
        let refused = by_file.values().filter(|index| verdicts[**index].is_some()).count();
        if accepted + refused != by_file.len() {
            return Err(std::io::Error::other(format!(
                "openssl said nothing about some certificates: {said}"
            )));
        }
    }
    Ok(verdicts)
}

/// The first error of each refused file, without the depth.
fn failures(said: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut message: Option<String> = None;
    for line in said.lines() {
        if let Some((_, text)) = line.split_once(" depth lookup: ") {
            message.get_or_insert_with(|| text.to_owned());
        } else if let Some(file) =
            line.strip_prefix("error ").and_then(|rest| rest.strip_suffix(": verification failed"))
        {
            found.push((file.to_owned(), message.take().unwrap_or_else(|| "verification failed".to_owned())));
        } else if let Some((_, rest)) = line.split_once("Could not find certificate from ") {
            found.push((rest.trim_end_matches(" of certificate file").to_owned(), "unreadable".to_owned()));
        }
    }
    found
}

struct Files<'a> {
    folder: &'a Path,
    written: BTreeMap<Vec<u8>, PathBuf>,
}

impl Files<'_> {
    fn path(&mut self, der: &[u8]) -> std::io::Result<PathBuf> {
        if let Some(path) = self.written.get(der) {
            return Ok(path.clone());
        }
        let path = self.folder.join(format!("{}.der", self.written.len()));
        std::fs::write(&path, der)?;
        self.written.insert(der.to_vec(), path.clone());
        Ok(path)
    }
}
