//! Rules over manifests: who may import whom (ARCHITECTURE.md, "Crates").

use super::Finding;
use crate::process::cargo;
use crate::workspace::{Crate, DEPENDENCY_TABLES, Workspace};
use anyhow::Result;
use std::collections::BTreeSet;
use std::fs;

/// The prefix of our packages' names.
const OURS: &str = "tabellion";

/// Our crates from the bottom to the top, by short names. A crate imports from the rows below its own, never
/// from its own row; a crate that stands nowhere is a finding.
const LAYERS: &[&[&str]] = &[
    &["ledger", "xtask"],
    &["consortium", "pki", "sdp", "intel", "audit", "corpus"],
    &["machine"],
    &["api", "engine", "client"],
    &["node"],
    &["tabellion"],
    &["testkit"],
];

/// Crates that are no part of the product: its tests and benches may import them, it may not.
const TOOLS: &[&str] = &["corpus", "testkit", "xtask"];

/// Crates that run the same on every node: bytes in, bytes out.
pub const PURE: &[&str] = &["ledger", "consortium", "pki", "sdp", "intel", "audit", "machine"];

/// What a pure crate never imports, with what it would bring.
const IMPURE: &[(&str, &str)] = &[
    ("axum", "sockets"),
    ("commonware-runtime", "a runtime"),
    ("futures", "async"),
    ("getrandom", "chance"),
    ("hyper", "sockets"),
    ("rand", "chance"),
    ("rayon", "threads"),
    ("redb", "files"),
    ("reqwest", "sockets"),
    ("rusqlite", "files"),
    ("tempfile", "files"),
    ("tokio", "async"),
];

fn short(package: &str) -> &str {
    package.strip_prefix("tabellion-").unwrap_or(package)
}

/// The row of a crate, counted from the bottom.
fn layer(short: &str) -> Option<usize> {
    LAYERS.iter().position(|row| row.contains(&short))
}

fn manifest(member: &Crate) -> String {
    format!("{}/Cargo.toml", member.folder)
}

/// Every import of ours runs downwards (see [`LAYERS`]). Tests may use more, but a pure crate's tests must
/// not build the engine: that would cost minutes at each change.
pub fn imports(workspace: &Workspace) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for member in &workspace.crates {
        let Some(layer) = layer(&member.short) else {
            let what = "LAYERS in xtask/src/tidy/layers.rs does not know this crate; give it its row";
            findings.push(Finding::new(manifest(member), what));
            continue;
        };
        for table in ["dependencies", "build-dependencies"] {
            for package in member.dependencies(table).into_iter().filter(|package| package.starts_with(OURS))
            {
                let below = self::layer(short(package)).is_some_and(|other| other < layer);
                let tool = TOOLS.contains(&short(package)) && !TOOLS.contains(&member.short.as_str());
                if !below || tool {
                    let what = format!("`{}` must not import `{}`", member.short, short(package));
                    findings.push(Finding::new(manifest(member), what));
                }
            }
        }
        if PURE.contains(&member.short.as_str()) && reached_by_tests(workspace, member).contains("engine") {
            let what = "its tests reach `engine`: a test that needs a network belongs to testkit or node";
            findings.push(Finding::new(manifest(member), what));
        }
    }
    Ok(findings)
}

/// What of ours a crate's tests link, by short names.
fn reached_by_tests(workspace: &Workspace, member: &Crate) -> BTreeSet<String> {
    let mut reached = BTreeSet::new();
    let mut open: Vec<&str> = member.dependencies("dev-dependencies");
    open.extend(member.dependencies("dependencies"));
    while let Some(package) = open.pop() {
        if package.starts_with(OURS) && reached.insert(short(package).to_owned()) {
            open.extend(
                workspace.find(short(package)).into_iter().flat_map(|next| next.dependencies("dependencies")),
            );
        }
    }
    reached
}

/// The engine's family is named in one manifest only.
pub fn engine_is_alone(workspace: &Workspace) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for member in workspace.crates.iter().filter(|member| member.short != "engine") {
        for package in DEPENDENCY_TABLES.iter().flat_map(|table| member.dependencies(table)) {
            if package.starts_with("commonware") {
                let what =
                    format!("`{package}` is imported by `engine` alone; ask it for what is needed here");
                findings.push(Finding::new(manifest(member), what));
            }
        }
    }
    Ok(findings)
}

/// No pure crate imports what brings time, chance or I/O.
pub fn pure_crates(workspace: &Workspace) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for member in PURE.iter().filter_map(|name| workspace.find(name)) {
        for package in member.dependencies("dependencies") {
            if let Some((_, brings)) = IMPURE.iter().find(|(name, _)| *name == package) {
                let what = format!("`{package}` brings {brings} into the pure crate `{}`", member.short);
                findings.push(Finding::new(manifest(member), what));
            }
        }
    }
    Ok(findings)
}

/// Clippy takes the nearest clippy.toml and merges nothing, so each pure crate has a whole copy.
pub fn clippy_copies(workspace: &Workspace) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    let mut first: Option<(String, String)> = None;
    for member in &workspace.crates {
        let place = format!("{}/clippy.toml", member.folder);
        let text = fs::read_to_string(workspace.root.join(&place)).ok();
        let pure = PURE.contains(&member.short.as_str());
        match (pure, text, &first) {
            (true, None, _) => {
                findings.push(Finding::new(place, "missing: every pure crate carries the copy"))
            }
            (false, Some(_), _) => {
                findings.push(Finding::new(place, "only pure crates carry a copy of their own"))
            }
            (true, Some(text), None) => first = Some((place, text)),
            (true, Some(text), Some((model, expected))) if text != *expected => {
                findings.push(Finding::new(place, format!("differs from {model}: the copies are equal")));
            }
            _ => {}
        }
    }
    Ok(findings)
}

/// Versions stand in the root manifest; every member inherits the lints.
pub fn workspace_tables(workspace: &Workspace) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for member in &workspace.crates {
        let lints = member.manifest.get("lints").and_then(|lints| lints.get("workspace"));
        if lints.and_then(|value| value.as_bool()) != Some(true) {
            findings.push(Finding::new(manifest(member), "`[lints] workspace = true` is missing"));
        }
        for table in DEPENDENCY_TABLES {
            let entries = member.manifest.get(table).and_then(|value| value.as_table());
            for (package, entry) in entries.into_iter().flatten() {
                if entry.get("workspace").and_then(|value| value.as_bool()) != Some(true) {
                    let what =
                        format!("`{package}` has a version of its own; use `{package}.workspace = true`");
                    findings.push(Finding::new(manifest(member), what));
                }
            }
        }
    }
    Ok(findings)
}

/// A package, the prefix of what must not stand below it, and why.
const UNREACHABLE: [(&str, &str, &str); 3] = [
    ("pki", "reqwest", "path validation reads the submission and the ledger, never the network"),
    ("pki", "openssl", "OpenSSL is a second opinion in tests, run as a program"),
    ("client", "commonware", "a relying party that checks one proof carries no engine"),
];

/// What features switch on in foreign crates shows only in the resolved tree.
pub fn no_network_below_pki(workspace: &Workspace) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for (name, forbidden, why) in UNREACHABLE {
        let Some(member) = workspace.find(name) else {
            continue;
        };
        let tree = ["tree", "--edges", "normal,build", "--prefix", "none", "--format", "{p}", "--locked"];
        let tree = cargo(&workspace.root).args(tree).args(["--package", &member.package]).stdout()?;
        if let Some(found) = tree.lines().find(|line| line.starts_with(forbidden)) {
            let what = format!("`{found}` stands in the dependency tree of `{name}`: {why}");
            findings.push(Finding::new(manifest(member), what));
        }
    }
    Ok(findings)
}
