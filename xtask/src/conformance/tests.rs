use super::marks::{ids, marks};
use super::*;

fn source(path: &str, text: &str) -> Source {
    Source::new(path.to_owned(), text.to_owned())
}

#[test]
fn ids_are_read_and_clauses_are_not() {
    let rows: [(&str, &[&str]); 12] = [
        (" C13", &["C13"]),
        (" C2, C3 and L6", &["C2", "C3", "L6"]),
        (" L1-L3: blocks are linked", &["L1", "L2", "L3"]),
        (" C13/C14.", &["C13", "C14"]),
        (" C13. A revoked certificate", &["C13"]),
        (" (L5) and more", &["L5"]),
        (" A.1 step 2", &[]),
        (" A1", &["A1"]),
        (" A1.2", &[]),
        (" 8.2.1(3)", &[]),
        (" C2 and the CA's own feedback", &["C2"]),
        (" Certificates", &[]),
    ];
    for (text, expected) in rows {
        assert_eq!(ids(text), expected, "{text}");
    }
}

#[test]
fn a_mark_belongs_to_its_item() {
    let rows = [
        ("/// X.1409 C2\n#[derive(Debug)]\npub struct Publish {\n}\n", "Publish"),
        ("/// X.1409 C2\npub const fn publish() {}\n", "publish"),
        ("//! X.1409 C2\n\npub fn publish() {}\n", ""),
        ("pub fn publish() {\n    let a = 1;\n    // X.1409 C2: as it says.\n    let b = 2;\n}\n", "publish"),
        ("pub enum Refusal {\n    /// X.1409 C2\n    Unknown { a: u8 },\n}\n", "Unknown"),
        ("// X.1409 C2\n\npub fn publish() {}\n", "publish"),
        ("#[test]\n/// X.1409 C2\nfn a_promise() {\n}\n", "a_promise"),
        ("/// X.1409\n/// C2\nfn next_line() {}\n", "next_line"),
    ];
    for (text, expected) in rows {
        let found = marks(&source("crates/x/src/y.rs", text));
        assert_eq!(found.len(), 1, "{text}");
        assert_eq!((found[0].id.as_str(), found[0].item.as_str()), ("C2", expected), "{text}");
    }
}

#[test]
fn a_mark_in_a_string_is_none() {
    assert_eq!(marks(&source("crates/x/src/y.rs", "fn a() { b(\"X.1409 C2\"); }")), []);
}

fn requirements() -> Vec<Requirement> {
    parse_requirements(
        "# id|level|clause|text\nC2|M|8.2.1(2)|what a request carries\nC3|R|8.2.1(3)|verified by all\n",
    )
    .unwrap()
}

#[test]
fn product_and_tests_are_told_apart() {
    let product = source(
        "crates/pki/src/apply.rs",
        "/// X.1409 C2\nfn publish() {}\n#[cfg(test)]\nmod t {\n// X.1409 C3\nfn u() {}\n}\n",
    );
    let tests = source("crates/pki/src/tests.rs", "/// X.1409 C2\nfn a_promise() {}\n");
    let places = collect(&requirements(), &[&product, &tests]).unwrap();
    let text = render(&requirements(), &places).unwrap();
    assert!(text.contains("Of 2 requirements, 1 have code and 2 have a test."), "{text}");
    let row = "| C2 | M | 8.2.1(2) | what a request carries | \
               [pki/apply.rs](../crates/pki/src/apply.rs): `publish` | \
               [pki/tests.rs](../crates/pki/src/tests.rs): `a_promise` |";
    assert!(text.contains(row), "{text}");
}

#[test]
fn a_mark_of_an_unknown_requirement_is_an_error() {
    let stray = source("crates/pki/src/apply.rs", "/// X.1409 C99\nfn publish() {}\n");
    assert!(collect(&requirements(), &[&stray]).unwrap_err().to_string().contains("apply.rs:1: X.1409 C99"));
}

#[test]
fn a_requirement_stands_once() {
    assert!(parse_requirements("C2|M|1|a\nC2|M|1|b\n").is_err());
    assert!(parse_requirements("C2|M|1\n").is_err());
}
