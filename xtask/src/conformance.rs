//! `docs/conformance.md`: each requirement of X.1409, the code that fulfils it, the tests that show it.
//!
//! A mark is the word `X.1409` followed by requirement ids, in any comment: `X.1409 C13`,
//! `X.1409 C2, C3 and L6`,
//! `X.1409 L1-L3`. In product code it says "here it is done", in tests "here it is shown". References to
//! clauses (`X.1409 A.1 step 2`) are no marks. Requirements stand in `xtask/requirements.txt`, in our own
//! words.

mod marks;
#[cfg(test)]
mod tests;

use crate::source::Source;
use crate::workspace::{Workspace, read};
use anyhow::{Context, Result, bail};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;
use std::path::Path;

const PATH: &str = "docs/conformance.md";
const REQUIREMENTS: &str = "xtask/requirements.txt";

/// One row of the requirements.
#[derive(Debug, PartialEq, Eq)]
struct Requirement {
    id: String,
    level: String,
    clause: String,
    text: String,
}

/// Where marks of one requirement stand.
#[derive(Debug, Default)]
struct Places {
    code: BTreeSet<(String, String)>,
    tests: BTreeSet<(String, String)>,
}

/// Writes the table, or with `check` fails when it is stale.
pub fn run(root: &Path, check: bool) -> Result<()> {
    let workspace = Workspace::read(root)?;
    let requirements = parse_requirements(&read(&root.join(REQUIREMENTS))?)?;
    // xtask speaks about marks; it fulfils no requirement.
    let sources: Vec<&Source> =
        workspace.sources.iter().filter(|source| !source.path.starts_with("xtask/")).collect();
    let places = collect(&requirements, &sources)?;
    let expected = render(&requirements, &places)?;
    let path = root.join(PATH);
    if check {
        if fs::read_to_string(&path).unwrap_or_default() != expected {
            bail!("{PATH} is stale: run `cargo xtask conformance` and commit the result");
        }
        return Ok(());
    }
    fs::write(&path, expected).with_context(|| format!("cannot write {PATH}"))
}

/// Reads `id|level|clause|text` rows; `#` starts a comment.
fn parse_requirements(text: &str) -> Result<Vec<Requirement>> {
    let mut requirements: Vec<Requirement> = Vec::new();
    for (number, line) in text.lines().enumerate() {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let fields: Vec<&str> = line.splitn(4, '|').map(|field| field.trim()).collect();
        let [id, level, clause, text] = fields[..] else {
            bail!("{REQUIREMENTS}:{}: a row is id|level|clause|text", number + 1);
        };
        if requirements.iter().any(|requirement| requirement.id == id) {
            bail!("{REQUIREMENTS}:{}: {id} stands there twice", number + 1);
        }
        let [id, level, clause, text] = [id, level, clause, text].map(str::to_owned);
        requirements.push(Requirement { id, level, clause, text });
    }
    Ok(requirements)
}

/// Finds every mark; one that names no requirement is an error.
fn collect(requirements: &[Requirement], sources: &[&Source]) -> Result<BTreeMap<String, Places>> {
    let mut places: BTreeMap<String, Places> = BTreeMap::new();
    let mut unknown = Vec::new();
    for source in sources {
        for mark in marks::marks(source) {
            if !requirements.iter().any(|requirement| requirement.id == mark.id) {
                unknown.push(format!("{}:{}: X.1409 {}", source.path, mark.line + 1, mark.id));
                continue;
            }
            let entry = places.entry(mark.id).or_default();
            let kind = if source.is_test(mark.line) || source.path.starts_with("crates/testkit/") {
                &mut entry.tests
            } else {
                &mut entry.code
            };
            kind.insert((source.path.clone(), mark.item));
        }
    }
    if !unknown.is_empty() {
        bail!("marks of requirements that {REQUIREMENTS} does not hold:\n  {}", unknown.join("\n  "));
    }
    Ok(places)
}

/// The requirement groups, by the first letter of their ids.
const GROUPS: [(char, &str); 7] = [
    ('L', "Ledger (clauses 3, 6, 8.2.1, A.3)"),
    ('E', "Evaluation (clause 7)"),
    ('C', "Public-key certificate management (clause 8, Annex A)"),
    ('S', "Software defined perimeter (clause 9, Annex B)"),
    ('T', "Threat intelligence sharing (clause 10, Appendix IV)"),
    ('A', "Security audit (clause 11, Appendix V)"),
    ('Q', "Study question 14/17"),
];

fn render(requirements: &[Requirement], places: &BTreeMap<String, Places>) -> Result<String> {
    let none = Places::default();
    let of = |requirement: &Requirement| places.get(&requirement.id).unwrap_or(&none);
    let with_code = requirements.iter().filter(|requirement| !of(requirement).code.is_empty()).count();
    let with_tests = requirements.iter().filter(|requirement| !of(requirement).tests.is_empty()).count();
    let mut text = String::from(HEAD);
    let total = requirements.len();
    writeln!(text, "Of {total} requirements, {with_code} have code and {with_tests} have a test.")?;
    for (letter, title) in GROUPS {
        writeln!(text, "\n## {title}\n\n{COLUMNS}")?;
        for requirement in requirements.iter().filter(|requirement| requirement.id.starts_with(letter)) {
            let Requirement { id, level, clause, text: what } = requirement;
            let (code, tests) = (cell(&of(requirement).code), cell(&of(requirement).tests));
            writeln!(text, "| {id} | {level} | {clause} | {what} | {code} | {tests} |")?;
        }
    }
    Ok(text)
}

const COLUMNS: &str = "| id | level | clause | what must hold | code | tests |\n|---|---|---|---|---|---|";

const HEAD: &str = "\
# Conformance with ITU-T X.1409

Made by `cargo xtask conformance` from the marks in the code; do not edit. CI fails when it is stale.
Level: M = \"is required\", R = \"is recommended\", O = \"can optionally\", U = a use case or benefit.
The texts are short and in our own words; what counts is the Recommendation's clause.

";

fn cell(places: &BTreeSet<(String, String)>) -> String {
    let link = |(path, item): &(String, String)| {
        let short = path.trim_start_matches("crates/").replace("/src/", "/");
        format!(
            "[{short}](../{path}): {}",
            if item.is_empty() { "whole file".to_owned() } else { format!("`{item}`") }
        )
    };
    places.iter().map(link).collect::<Vec<_>>().join("<br>")
}
