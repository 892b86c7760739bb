//! Wraps comments that are too long. The stable rustfmt leaves comments alone; this does for them what it
//! does for code.
//!
//! What is absent: taste. Only lines over the limit change; tables, code blocks and addresses stay as they
//! are.

#[cfg(test)]
mod tests;

use crate::workspace::Workspace;
use anyhow::{Context, Result};
use std::fs;
use std::path::Path;

/// The longest line, in characters (STYLE.md, "Size").
pub const LINE_MAX: usize = 110;

/// Wraps the comments of every Rust file below a folder (all of them when none is given).
pub fn run(root: &Path, folder: Option<&str>) -> Result<()> {
    let workspace = Workspace::read(root)?;
    let folder = folder.unwrap_or_default();
    for source in workspace.sources.iter().filter(|source| source.path.starts_with(folder)) {
        let wrapped = wrap(&source.text);
        if wrapped != source.text {
            let path = root.join(&source.path);
            fs::write(&path, wrapped).with_context(|| format!("cannot write {}", source.path))?;
            eprintln!("    wrapped {}", source.path);
        }
    }
    Ok(())
}

/// A line that is nothing but a comment.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Comment<'a> {
    /// Indentation and slashes.
    prefix: &'a str,
    /// What is said, with its own indentation.
    body: &'a str,
}

fn comment(line: &str) -> Option<Comment<'_>> {
    let start = line.len() - line.trim_start().len();
    let marker = ["///", "//!", "//"].into_iter().find(|marker| line[start..].starts_with(marker))?;
    let (prefix, body) = line.split_at(start + marker.len());
    Some(Comment { prefix, body: body.strip_prefix(' ').unwrap_or(body) })
}

/// Breaks the lines that are too long; what is left over goes to the front of the next line of the same
/// paragraph.
fn wrap(text: &str) -> String {
    let mut open: Vec<String> = text.lines().rev().map(str::to_owned).collect();
    let mut done = String::with_capacity(text.len());
    let mut fenced = false;
    while let Some(line) = open.pop() {
        let Some(said) = comment(&line) else {
            fenced = false;
            done.push_str(&line);
            done.push('\n');
            continue;
        };
        fenced ^= said.body.trim_start().starts_with("```");
        let fixed = fenced || said.body.trim_start().starts_with('|') || line.contains("https://");
        match break_at(&line, &said).filter(|_| !fixed && line.chars().count() > LINE_MAX) {
            None => done.push_str(&line),
            Some(at) => {
                done.push_str(line[..at].trim_end());
                let rest = line[at..].trim_start();
                let below = open.pop();
                match below.as_deref().and_then(|below| continues(below, &said)) {
                    Some(joined) => {
                        open.push(format!("{} {}{rest} {joined}", said.prefix, hanging(said.body)))
                    }
                    None => {
                        open.extend(below);
                        open.push(format!("{} {}{rest}", said.prefix, hanging(said.body)));
                    }
                }
            }
        }
        done.push('\n');
    }
    done
}

/// The byte after which to break: the last space that fits, after the first word.
fn break_at(line: &str, said: &Comment<'_>) -> Option<usize> {
    let first_word = said.body.len() - said.body.trim_start().len() + hanging(said.body).trim_start().len();
    let earliest = line.len() - said.body.len() + first_word + 1;
    let end = line.char_indices().nth(LINE_MAX).map_or(line.len(), |(at, _)| at + 1);
    // A break inside of `code` would split what belongs together; so would one before a word that starts a
    // list.
    let fits = |at: &usize| *at > earliest && line[..*at].matches('`').count().is_multiple_of(2);
    let spaces: Vec<usize> = line[..end.min(line.len())].match_indices(' ').map(|(at, _)| at).collect();
    let starts_list = |at: &usize| is_list(line[*at..].trim_start());
    spaces.iter().rev().copied().find(|at| fits(at) && !starts_list(at))
}

/// The indentation of a paragraph's later lines: below the text of a list item.
fn hanging(body: &str) -> String {
    let indent = body.len() - body.trim_start().len();
    let text = body.trim_start();
    let bullet = if is_list(text) { text.find(' ').map_or(0, |space| space + 1) } else { 0 };
    " ".repeat(indent + bullet)
}

/// Whether a text starts a list item.
fn is_list(text: &str) -> bool {
    let digits = text.bytes().take_while(|byte| byte.is_ascii_digit()).count();
    let numbered = digits > 0 && (text[digits..].starts_with(". ") || text[digits..].starts_with(") "));
    numbered || ["- ", "* ", "+ "].iter().any(|bullet| text.starts_with(bullet))
}

/// The text of the next line when it goes on with the same paragraph.
fn continues<'a>(below: &'a str, above: &Comment<'_>) -> Option<&'a str> {
    let next = comment(below)?;
    let text = next.body.trim_start();
    let indent = next.body.len() - text.len();
    let starts_anew = text.is_empty() || is_list(text) || text.starts_with(['|', '#', '`', '<', '>']);
    (next.prefix == above.prefix && indent == hanging(above.body).len() && !starts_anew && !is_labelled(text))
        .then_some(text)
}

/// Whether a line is one of the docstring's own: `Source: ...`, `Limit: ...`.
fn is_labelled(text: &str) -> bool {
    ["Source:", "Shape:", "Unit:", "Refuses:", "Errors:", "Limit:", "Panics:", "X.1409"]
        .iter()
        .any(|label| text.starts_with(label))
}
