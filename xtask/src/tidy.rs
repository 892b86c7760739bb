//! House rules that neither rustfmt nor clippy knows. STYLE.md says them; here they are checked.
//!
//! A rule is a function from the workspace to its findings. Adding one: write the function, add its row to
//! `RULES`, show in `tests.rs` what it finds and what it leaves alone.

mod documents;
mod layers;
mod sources;
#[cfg(test)]
mod tests;

use crate::workspace::Workspace;
use anyhow::{Result, bail};
use std::path::Path;

/// Something against a rule: where, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// `path` or `path:line`.
    pub place: String,
    /// What is wrong and what is right.
    pub what: String,
}

impl Finding {
    /// A finding at a file.
    fn new(place: impl Into<String>, what: impl Into<String>) -> Self {
        Self { place: place.into(), what: what.into() }
    }

    /// A finding at a line, counted from 0 as the rules do.
    fn at(path: &str, line: usize, what: impl Into<String>) -> Self {
        Self::new(format!("{path}:{}", line + 1), what)
    }
}

/// A rule: its name and what it finds.
struct Rule {
    name: &'static str,
    find: fn(&Workspace) -> Result<Vec<Finding>>,
}

const RULES: &[Rule] = &[
    Rule { name: "imports run one way", find: layers::imports },
    Rule { name: "only the engine crate imports the engine", find: layers::engine_is_alone },
    Rule { name: "pure crates know no time, chance or I/O", find: layers::pure_crates },
    Rule { name: "the copies of the pure clippy.toml are equal", find: layers::clippy_copies },
    Rule { name: "members use the workspace's table and lints", find: layers::workspace_tables },
    Rule { name: "path validation stays off the network", find: layers::no_network_below_pki },
    Rule { name: "every dependency has its reason", find: documents::dependencies },
    Rule { name: "documents hold no open ends", find: documents::open_ends },
    Rule { name: "links between documents lead somewhere", find: documents::links },
    Rule { name: "words that do not enter", find: sources::banned_words },
    Rule { name: "an expectation has its reason", find: sources::expectations },
    Rule { name: "lines fit", find: sources::line_length },
    Rule { name: "files hold one idea", find: sources::file_length },
    Rule { name: "lib.rs holds no logic", find: sources::faces },
    Rule { name: "pure crates iterate in one order", find: sources::no_hash_maps },
];

/// Checks every rule; a finding is an error.
pub fn run(root: &Path) -> Result<()> {
    let workspace = Workspace::read(root)?;
    let mut findings = 0;
    for rule in RULES {
        let found = (rule.find)(&workspace)?;
        if !found.is_empty() {
            eprintln!("{}:", rule.name);
        }
        for finding in &found {
            eprintln!("  {}: {}", finding.place, finding.what);
        }
        findings += found.len();
    }
    if findings > 0 {
        bail!("tidy: {findings} findings; STYLE.md and ARCHITECTURE.md say why the rules are there");
    }
    eprintln!(
        "tidy: {} rules hold over {} files",
        RULES.len(),
        workspace.sources.len() + workspace.documents.len()
    );
    Ok(())
}
