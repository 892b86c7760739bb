//! Finding marks in comments, and the item that each belongs to.

use crate::source::Source;

/// A requirement's id found in a comment.
#[derive(Debug, PartialEq, Eq)]
pub struct Mark {
    /// The requirement, such as `C13`.
    pub id: String,
    /// The line, counted from 0.
    pub line: usize,
    /// The function, type or other item that the comment belongs to; empty for the whole file.
    pub item: String,
}

/// Every mark of a file, in order.
pub fn marks(source: &Source) -> Vec<Mark> {
    let mut marks = Vec::new();
    let comments: Vec<&str> = source.comments.lines().collect();
    for (line, comment) in comments.iter().enumerate() {
        for (at, word) in comment.match_indices("X.1409") {
            let mut rest = comment[at + word.len()..].to_owned();
            // A list may go on in the next comment line.
            if let Some(next) = comments.get(line + 1).filter(|_| ends_open(&rest)) {
                rest.push(' ');
                rest.push_str(next.trim().trim_start_matches(['/', '!']));
            }
            for id in ids(&rest) {
                marks.push(Mark { id, line, item: item(source, line) });
            }
        }
    }
    marks
}

/// Whether a list of ids is broken off at the end of a line.
fn ends_open(rest: &str) -> bool {
    let rest = rest.trim_end();
    rest.is_empty() || rest.ends_with(',') || rest.ends_with(" and")
}

/// The ids at the start of a text: `C2, C3 and L6-L8 are ...` gives C2, C3, L6, L7, L8.
pub(super) fn ids(text: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut rest = text.trim_start_matches([' ', ':', '(']);
    while let Some((letter, number, after)) = id(rest) {
        found.push(format!("{letter}{number}"));
        rest = after;
        let end = rest.strip_prefix('-').or_else(|| rest.strip_prefix('–')).and_then(id);
        if let Some((last_letter, last, after)) = end
            && last_letter == letter
        {
            found.extend((number + 1..=last).map(|number| format!("{letter}{number}")));
            rest = after;
        }
        rest = rest.trim_start();
        rest = rest.strip_prefix(',').or_else(|| rest.strip_prefix('/')).unwrap_or(rest).trim_start();
        rest = rest.strip_prefix("and ").unwrap_or(rest).trim_start();
    }
    found
}

/// One id: a capital letter of ours and a number, not followed by more of a word or by a point and a digit (a
/// clause).
fn id(text: &str) -> Option<(char, u32, &str)> {
    let letter = text.chars().next().filter(|letter| "LECSTAQ".contains(*letter))?;
    let digits = text[1..].bytes().take_while(|byte| byte.is_ascii_digit()).count();
    let number = text[1..1 + digits].parse().ok()?;
    let after = &text[1 + digits..];
    let mut following = after.chars();
    let goes_on = match following.next() {
        Some('.') => following.next().is_some_and(|next| next.is_ascii_digit()),
        Some(next) => next.is_alphanumeric() || next == '_',
        None => false,
    };
    (!goes_on).then_some((letter, number, after))
}

const KEYWORDS: [&str; 9] = ["fn", "struct", "enum", "trait", "const", "static", "type", "mod", "union"];

/// The item that a comment belongs to: the next one for `///`, none for `//!`, the enclosing one for `//`
/// inside of code.
fn item(source: &Source, line: usize) -> String {
    let comments: Vec<&str> = source.comments.lines().collect();
    let code: Vec<&str> = source.code.lines().collect();
    let comment = comments.get(line).copied().unwrap_or_default();
    if comment.trim_start().starts_with("//!") {
        return String::new();
    }
    let depth = indentation(comment);
    if !comment.trim_start().starts_with("///") && depth > 0 {
        let enclosing = code[..line].iter().rev().find_map(|above| {
            let outer = !above.trim().is_empty() && indentation(above) < depth;
            named(above).filter(|_| outer)
        });
        if let Some(name) = enclosing {
            return name;
        }
    }
    let below = code.iter().skip(line).map(|line| line.trim());
    let mut below =
        below.filter(|line| !line.is_empty() && !line.starts_with("#[") && !line.starts_with([')', ']']));
    below.next().map(|line| named(line).unwrap_or_else(|| first_word(line))).unwrap_or_default()
}

fn indentation(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

/// The name after an item's keyword.
fn named(line: &str) -> Option<String> {
    let mut words = line.split(|character: char| !(character.is_alphanumeric() || character == '_'));
    words.by_ref().find(|word| KEYWORDS.contains(word))?;
    // `const fn name`: the name is the first word that is no keyword.
    words.find(|word| !word.is_empty() && !KEYWORDS.contains(word)).map(str::to_owned)
}

/// The name of a variant or field.
fn first_word(line: &str) -> String {
    let line = line.trim_start_matches("pub ");
    line.chars().take_while(|character| character.is_alphanumeric() || *character == '_').collect()
}
