//! A Rust file, told apart into code, comments and literals, and into product and test.
//!
//! What is absent: a parser. Rules ask simple questions of lines; what they need is that a word in a string
//! is not taken for code, and that a brace in a comment is not counted.

#[cfg(test)]
mod tests;

/// What a byte of a Rust file belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Code,
    Comment,
    Literal,
}

/// One Rust file.
#[derive(Debug)]
pub struct Source {
    /// The path from the root.
    pub path: String,
    /// The text as it stands.
    pub text: String,
    /// The text with comments and the inside of literals replaced by spaces; the same lines.
    pub code: String,
    /// The text with everything but comments replaced by spaces; the same lines.
    pub comments: String,
    /// For each line, whether it belongs to tests.
    test_lines: Vec<bool>,
    /// For each line, whether its layout is somebody's own: an item that rustfmt is told to skip.
    laid_out: Vec<bool>,
}

impl Source {
    /// Classifies the text.
    pub fn new(path: String, text: String) -> Self {
        let classes = classify(text.as_bytes());
        let code = keep(&text, &classes, Class::Code);
        let comments = keep(&text, &classes, Class::Comment);
        let lines = text.lines().count();
        let test_lines =
            if is_test_path(&path) { vec![true; lines] } else { items_under(TEST, &code, lines) };
        let laid_out = items_under(SKIP, &code, lines);
        Self { path, text, code, comments, test_lines, laid_out }
    }

    /// Whether a line (counted from 0) belongs to tests.
    pub fn is_test(&self, line: usize) -> bool {
        self.test_lines.get(line).copied().unwrap_or(false)
    }

    /// Whether a line (counted from 0) is laid out by hand, and rustfmt told so.
    pub fn is_laid_out(&self, line: usize) -> bool {
        self.laid_out.get(line).copied().unwrap_or(false)
    }

    /// How many lines are not tests.
    pub fn product_lines(&self) -> usize {
        self.test_lines.iter().filter(|test| !**test).count()
    }
}

/// Whether a file is tests by where it stands.
fn is_test_path(path: &str) -> bool {
    let folders = ["/tests/", "/benches/", "/fuzz_targets/"];
    path.ends_with("/tests.rs")
        || folders.iter().any(|folder| path.contains(folder))
        || path.starts_with("fuzz/")
}

/// Replaces what is of another class by spaces, byte for byte but for line ends.
fn keep(text: &str, classes: &[Class], wanted: Class) -> String {
    let mut kept = String::with_capacity(text.len());
    for (at, character) in text.char_indices() {
        if character == '\n' || classes.get(at) == Some(&wanted) {
            kept.push(character);
        } else {
            kept.push_str(&" ".repeat(character.len_utf8()));
        }
    }
    kept
}

/// Gives each byte its class.
fn classify(bytes: &[u8]) -> Vec<Class> {
    let mut classes = vec![Class::Code; bytes.len()];
    let mut at = 0;
    while at < bytes.len() {
        let rest = &bytes[at..];
        let (length, class) = if rest.starts_with(b"//") {
            (line_length(rest), Class::Comment)
        } else if rest.starts_with(b"/*") {
            (block_comment_length(rest), Class::Comment)
        } else if let Some(length) = raw_string_length(bytes, at) {
            (length, Class::Literal)
        } else if rest.starts_with(b"\"") {
            (string_length(rest), Class::Literal)
        } else if let Some(length) = character_length(rest) {
            (length, Class::Literal)
        } else {
            (1, Class::Code)
        };
        let end = (at + length).min(bytes.len());
        classes[at..end].fill(class);
        at = end;
    }
    classes
}

fn line_length(bytes: &[u8]) -> usize {
    bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len())
}

/// Block comments nest in Rust.
fn block_comment_length(bytes: &[u8]) -> usize {
    let mut depth = 0usize;
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at..].starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if bytes[at..].starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    bytes.len()
}

fn string_length(bytes: &[u8]) -> usize {
    let mut at = 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

/// The length of `r"..."` or `r#"..."#` from the `r` on (a prefix `b` or `c` stays code).
fn raw_string_length(bytes: &[u8], at: usize) -> Option<usize> {
    let rest = &bytes[at..];
    let follows_word = |at: usize| at > 0 && (bytes[at - 1].is_ascii_alphanumeric() || bytes[at - 1] == b'_');
    let prefixed = at > 0 && matches!(bytes[at - 1], b'b' | b'c') && !follows_word(at - 1);
    if rest.first() != Some(&b'r') || (follows_word(at) && !prefixed) {
        return None;
    }
    let hashes = rest[1..].iter().take_while(|byte| **byte == b'#').count();
    if rest.get(1 + hashes) != Some(&b'"') {
        return None;
    }
    let close: Vec<u8> = std::iter::once(b'"').chain(std::iter::repeat_n(b'#', hashes)).collect();
    let body = 2 + hashes;
    let end = rest[body..].windows(close.len()).position(|window| window == close);
    Some(end.map_or(rest.len(), |end| body + end + close.len()))
}

/// The length of a character literal; none for a lifetime.
fn character_length(bytes: &[u8]) -> Option<usize> {
    if bytes.first() != Some(&b'\'') {
        return None;
    }
    if bytes.get(1) == Some(&b'\\') {
        let close = bytes.iter().skip(3).position(|byte| *byte == b'\'')?;
        return Some(close + 4);
    }
    // A character is at most four bytes; a lifetime has no closing quote there.
    let first = *bytes.get(1)?;
    let width = match first {
        0x00..=0x7f => 1,
        0xc0..=0xdf => 2,
        0xe0..=0xef => 3,
        _ => 4,
    };
    (bytes.get(1 + width) == Some(&b'\'')).then_some(width + 2)
}

const TEST: &str = "#[cfg(test)]";
const SKIP: &str = "#[rustfmt::skip]";

/// Marks the lines of every item under an attribute.
fn items_under(attribute: &str, code: &str, lines: usize) -> Vec<bool> {
    let mut under = vec![false; lines];
    let mut from = 0;
    while let Some(found) = code[from..].find(attribute) {
        let start = from + found;
        let end = item_end(code, start + attribute.len());
        let first = code[..start].matches('\n').count();
        let last = first + code[start..end].matches('\n').count();
        for line in under.iter_mut().take(last + 1).skip(first) {
            *line = true;
        }
        from = end;
    }
    under
}

/// Where the item that starts here ends: at its `;` outside of brackets, or at the brace that closes its
/// first one.
fn item_end(code: &str, start: usize) -> usize {
    let mut depth = 0usize;
    for (at, byte) in code.bytes().enumerate().skip(start) {
        match byte {
            b';' if depth == 0 => return at + 1,
            b'{' | b'[' | b'(' => depth += 1,
            b']' | b')' => depth = depth.saturating_sub(1),
            b'}' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return at + 1;
                }
            }
            _ => {}
        }
    }
    code.len()
}
