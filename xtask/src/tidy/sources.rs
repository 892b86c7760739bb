//! Rules over Rust files.

use super::Finding;
use super::layers::PURE;
use crate::source::Source;
use crate::workspace::{Workspace, read};
use crate::wrap::LINE_MAX;
use anyhow::Result;

/// Words that no code of ours holds, with what to write in their place.
const BANNED: &[(&str, &str)] = &[
    ("todo!", "finish it, or leave it out and say so in an issue"),
    ("unimplemented!", "finish it, or leave it out and say so in an issue"),
    ("dbg!", "use tracing, or a test"),
    (
        "#[allow(",
        "use #[expect(lint, reason = \"...\")]: it says why, and complains once it is no longer needed",
    ),
    ("#![allow(", "use #![expect(lint, reason = \"...\")]"),
    ("#[ignore", "a test runs, or it is not there; a slow one ends in `_slow`"),
];

/// Marks that no comment of ours holds.
const BANNED_MARKS: &[&str] = &["FIXME", "TODO", "XXX", "HACK"];

/// Words and marks that do not enter.
pub fn banned_words(workspace: &Workspace) -> Result<Vec<Finding>> {
    Ok(workspace.sources.iter().flat_map(banned_in).collect())
}

pub(super) fn banned_in(source: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (number, line) in source.code.lines().enumerate() {
        for (word, instead) in BANNED.iter().filter(|(word, _)| line.contains(word)) {
            findings.push(Finding::at(&source.path, number, format!("`{word}`: {instead}")));
        }
    }
    for (number, line) in source.comments.lines().enumerate() {
        for mark in BANNED_MARKS.iter().filter(|mark| has_word(line, mark)) {
            findings.push(Finding::at(
                &source.path,
                number,
                format!("`{mark}`: finish it, or say it in an issue"),
            ));
        }
    }
    findings
}

/// Whether a word stands in a line by itself, not as part of another.
fn has_word(line: &str, word: &str) -> bool {
    let part_of_word = |character: char| character.is_alphanumeric() || character == '_';
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        !before.is_some_and(part_of_word) && !after.is_some_and(part_of_word)
    })
}

/// `#[expect(...)]` names its reason.
pub fn expectations(workspace: &Workspace) -> Result<Vec<Finding>> {
    Ok(workspace.sources.iter().flat_map(expectations_in).collect())
}

pub(super) fn expectations_in(source: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    for opening in ["#[expect(", "#![expect("] {
        for (at, _) in source.code.match_indices(opening) {
            let end = source.code[at..].find(']').map_or(source.code.len(), |end| at + end);
            if !source.code[at..end].contains("reason") {
                let line = source.code[..at].matches('\n').count();
                findings.push(Finding::at(&source.path, line, "an expectation without `reason = \"...\"`"));
            }
        }
    }
    findings
}

/// The longest line of a drawing: no program can wrap it.
const DRAWING_MAX: usize = 120;

/// Lines fit. A long address may stand as it is, so may an item that rustfmt is told to skip.
pub fn line_length(workspace: &Workspace) -> Result<Vec<Finding>> {
    Ok(workspace.sources.iter().flat_map(long_lines).collect())
}

pub(super) fn long_lines(source: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut fenced = false;
    for (number, (line, comment)) in source.text.lines().zip(source.comments.lines()).enumerate() {
        let said = comment.trim_start();
        fenced &= !said.is_empty();
        fenced ^= said.trim_start_matches(['/', '!', ' ']).starts_with("```");
        let limit = if fenced { DRAWING_MAX } else { LINE_MAX };
        let length = line.chars().count();
        if length > limit && !line.contains("https://") && !source.is_laid_out(number) {
            let what = format!("{length} characters; at most {limit} (`cargo xtask wrap` wraps comments)");
            findings.push(Finding::at(&source.path, number, what));
        }
    }
    findings
}

/// The longest file without tests, in lines. About 500 is the taste, this is the end of it.
const FILE_MAX: usize = 700;

const LONG_FILES: &str = "xtask/long-files.txt";

/// Files hold one idea; those that may be longer stand in a list with their reason, and leave it when they
/// shrink.
pub fn file_length(workspace: &Workspace) -> Result<Vec<Finding>> {
    let list = read(&workspace.root.join(LONG_FILES))?;
    Ok(long_files(&workspace.sources, &list))
}

pub(super) fn long_files(sources: &[Source], list: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut excused = Vec::new();
    for (number, line) in
        list.lines().enumerate().filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
    {
        let (path, reason) = line.split_once('|').unwrap_or((line, ""));
        if reason.trim().is_empty() {
            findings.push(Finding::at(LONG_FILES, number, "a row is: path | reason"));
        }
        let path = path.trim();
        if !sources.iter().any(|source| source.path == path && source.product_lines() > FILE_MAX) {
            findings.push(Finding::at(
                LONG_FILES,
                number,
                format!("{path} is not longer than {FILE_MAX}: drop the row"),
            ));
        }
        excused.push(path);
    }
    for source in sources.iter().filter(|source| source.product_lines() > FILE_MAX) {
        if !excused.contains(&source.path.as_str()) {
            let lines = source.product_lines();
            let what = format!(
                "{lines} lines without tests; at most {FILE_MAX}: split it, or give a reason in {LONG_FILES}"
            );
            findings.push(Finding::new(&source.path, what));
        }
    }
    findings
}

/// `lib.rs` is a face: purpose, what is absent, modules, what is exported.
pub fn faces(workspace: &Workspace) -> Result<Vec<Finding>> {
    Ok(workspace
        .sources
        .iter()
        .filter(|source| source.path.ends_with("/src/lib.rs"))
        .flat_map(logic_in)
        .collect())
}

pub(super) fn logic_in(source: &Source) -> Vec<Finding> {
    let lines = source.code.lines().enumerate();
    let logic = lines.filter(|(number, line)| has_word(line, "fn") && !source.is_test(*number));
    logic
        .map(|(number, _)| {
            Finding::at(&source.path, number, "lib.rs holds no functions: move it to a module")
        })
        .collect()
}

/// Clippy bans the types by path; this rule also sees them behind an alias or a foreign crate's re-export.
pub fn no_hash_maps(workspace: &Workspace) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    let pure = |source: &&Source| PURE.iter().any(|name| source.path.starts_with(&format!("crates/{name}/")));
    for source in workspace.sources.iter().filter(pure) {
        for (number, line) in source.code.lines().enumerate() {
            if has_word(line, "HashMap") || has_word(line, "HashSet") {
                let what = "iteration order differs between nodes: use BTreeMap or BTreeSet";
                findings.push(Finding::at(&source.path, number, what));
            }
        }
    }
    Ok(findings)
}
