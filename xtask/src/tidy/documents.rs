//! Rules over documents.

use super::Finding;
use crate::workspace::Workspace;
use anyhow::Result;
use std::collections::BTreeMap;

const DEPENDENCIES: &str = "docs/DEPENDENCIES.md";

/// Every foreign crate of the workspace's table has a row in docs/DEPENDENCIES.md, with its version and its
/// reason.
pub fn dependencies(workspace: &Workspace) -> Result<Vec<Finding>> {
    let Some(text) = workspace.document(DEPENDENCIES) else {
        return Ok(vec![Finding::new(DEPENDENCIES, "is missing")]);
    };
    let rows = dependency_rows(text);
    let mut findings = Vec::new();
    let declared = declared_versions(workspace);
    for (name, version) in &declared {
        match rows.get(name.as_str()) {
            None => {
                findings.push(Finding::new("Cargo.toml", format!("`{name}` has no row in {DEPENDENCIES}")))
            }
            Some((line, cells)) => {
                if cells.first().copied() != Some(version.as_str()) {
                    let what = format!("`{name}` stands in Cargo.toml as {version}");
                    findings.push(Finding::at(DEPENDENCIES, *line, what));
                }
                if cells.len() < 3 || cells.iter().any(|cell| cell.is_empty()) {
                    let what = format!("the row of `{name}` is: | crate | version | why | licence |");
                    findings.push(Finding::at(DEPENDENCIES, *line, what));
                }
            }
        }
    }
    for (name, (line, _)) in rows.iter().filter(|(name, _)| !declared.contains_key(**name)) {
        findings.push(Finding::at(
            DEPENDENCIES,
            *line,
            format!("`{name}` is no dependency of the workspace"),
        ));
    }
    Ok(findings)
}

/// The foreign crates of `[workspace.dependencies]` and their versions.
fn declared_versions(workspace: &Workspace) -> BTreeMap<String, String> {
    let table = workspace.manifest.get("workspace").and_then(|value| value.get("dependencies"));
    let entries = table.and_then(|value| value.as_table()).into_iter().flatten();
    let foreign = entries.filter(|(_, entry)| entry.get("path").is_none());
    let version =
        |entry: &toml::Value| entry.as_str().or_else(|| entry.get("version")?.as_str()).map(str::to_owned);
    foreign.map(|(name, entry)| (name.clone(), version(entry).unwrap_or_default())).collect()
}

/// The rows of every table whose first column is headed `crate`: name -> (line, the other cells).
pub(super) fn dependency_rows(text: &str) -> BTreeMap<&str, (usize, Vec<&str>)> {
    let mut rows = BTreeMap::new();
    let mut inside = false;
    for (line, row) in text.lines().enumerate() {
        let cells: Vec<&str> = row.trim().trim_matches('|').split('|').map(|cell| cell.trim()).collect();
        match cells.first() {
            _ if !row.starts_with('|') => inside = false,
            Some(&"crate") => inside = true,
            Some(rule) if rule.starts_with("--") => {}
            Some(name) if inside => {
                rows.insert(name.trim_matches('`'), (line, cells[1..].to_vec()));
            }
            _ => {}
        }
    }
    rows
}

/// Words that say that something is not finished.
const OPEN_ENDS: [&str; 5] = ["TODO", "FIXME", "TBD", "XXX", "lorem ipsum"];

/// Documents describe what is there; what is missing stands in an issue.
pub fn open_ends(workspace: &Workspace) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for (path, text) in &workspace.documents {
        for (number, line) in text.lines().enumerate() {
            // A word in backticks is spoken about, not used.
            let used: String = line.split('`').step_by(2).collect();
            for word in OPEN_ENDS.iter().filter(|word| used.contains(**word)) {
                findings.push(Finding::at(
                    path,
                    number,
                    format!("`{word}`: finish it, or say it in an issue"),
                ));
            }
        }
    }
    Ok(findings)
}

/// A relative link names a file that exists.
pub fn links(workspace: &Workspace) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for (path, text) in &workspace.documents {
        let folder =
            workspace.root.join(path).parent().map(|folder| folder.to_path_buf()).unwrap_or_default();
        for (number, target) in link_targets(text) {
            let file = target.split('#').next().unwrap_or_default();
            if !file.is_empty() && !file.contains(':') && !folder.join(file).exists() {
                findings.push(Finding::at(path, number, format!("the link to `{target}` leads nowhere")));
            }
        }
    }
    Ok(findings)
}

/// The targets of `[text](target)` outside code, with their lines.
pub(super) fn link_targets(text: &str) -> Vec<(usize, &str)> {
    let mut targets = Vec::new();
    let mut fenced = false;
    for (number, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        }
        if fenced {
            continue;
        }
        let mut rest = line;
        while let Some((_, after)) = rest.split_once("](") {
            let Some((target, tail)) = after.split_once(')') else {
                break;
            };
            targets.push((number, target));
            rest = tail;
        }
    }
    targets
}
