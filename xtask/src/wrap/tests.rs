use super::*;

fn words(count: usize) -> String {
    vec!["word"; count].join(" ")
}

#[test]
fn what_is_left_over_joins_the_same_paragraph() {
    let text = format!("    /// {}\n    /// next line.\n", words(22));
    let expected = format!("    /// {}\n    /// {} next line.\n", words(20), words(2));
    assert_eq!(wrap(&text), expected);
}

#[test]
fn what_is_left_over_does_not_join_another_paragraph() {
    let next_lines = [
        "///",
        "/// - an item",
        "/// Limit: 4 kB.",
        "/// | a | b |",
        "//! other",
        "fn a() {}",
        "/// # Heading",
    ];
    for next in next_lines {
        let text = format!("/// {}\n{next}\n", words(23));
        assert_eq!(wrap(&text), format!("/// {}\n/// {}\n{next}\n", words(21), words(2)), "{next}");
    }
}

#[test]
fn list_items_hang_below_their_text() {
    let text = format!("//! - {}\n//!   more\n//! - b\n", words(22));
    assert_eq!(wrap(&text), format!("//! - {}\n//!   {} more\n//! - b\n", words(21), words(1)));
}

#[test]
fn what_must_stay_stays() {
    let long = words(30);
    let rows = [
        format!("/// | {long} |\n"),
        format!("/// ```text\n/// {long}\n/// ```\n"),
        format!("/// https://example.org/ {long}\n"),
        format!("let a = \"{long}\";\n"),
        format!("/// `{long}`\n"),
        format!("/// {}\n", words(20)),
    ];
    for row in rows {
        assert_eq!(wrap(&row), row);
    }
}

#[test]
fn wrapping_twice_is_wrapping_once() {
    let text = format!("/// {}\n/// {}\n/// b.\n", words(25), words(22));
    let once = wrap(&text);
    assert_eq!(wrap(&once), once);
    assert!(once.lines().all(|line| line.chars().count() <= LINE_MAX));
}
