use super::*;

fn source(text: &str) -> Source {
    Source::new("crates/x/src/y.rs".to_owned(), text.to_owned())
}

#[test]
fn words_in_comments_and_literals_are_not_code() {
    let rows = [
        "// secret",
        "/* a /* secret */ secret */",
        "let a = \"secret \\\" secret\";",
        "let a = r\"secret\";",
        "let a = r#\"secret \" secret\"#;",
        "let a = br#\"secret\"#;",
        "/// secret\nfn a() {}",
    ];
    for row in rows {
        let source = source(row);
        assert!(!source.code.contains("secret"), "{row}: {}", source.code);
        assert_eq!(source.code.len(), row.len(), "{row}");
        assert_eq!(source.comments.len(), row.len(), "{row}");
    }
}

#[test]
fn words_after_literals_and_lifetimes_are_code() {
    let rows = [
        "let a = '\"'; word",
        "let a = '\\''; word",
        "let a = '\\u{1F600}'; word",
        "let a = 'é'; word",
        "fn a<'a>(b: &'a str) { word }",
        "let a = \"\\\\\"; word",
        "for r in b { word }",
        "let a = r\"\\\"; word",
        "let a = b'\"'; word",
    ];
    for row in rows {
        assert!(source(row).code.contains("word"), "{row}: {}", source(row).code);
    }
}

#[test]
fn items_under_cfg_test_are_test_lines() {
    let text = "fn a() {}\n#[cfg(test)]\nmod tests {\n    fn b() { let c = \"}\"; }\n}\n\
                fn d() {}\n#[cfg(test)]\nmod e;\n";
    let source = source(text);
    let test: Vec<bool> = (0..8).map(|line| source.is_test(line)).collect();
    assert_eq!(test, [false, true, true, true, true, false, true, true]);
    assert_eq!(source.product_lines(), 2);
}

#[test]
fn files_of_tests_are_test_lines_throughout() {
    for path in [
        "crates/a/src/tests.rs",
        "crates/a/tests/it/main.rs",
        "crates/a/benches/b.rs",
        "fuzz/fuzz_targets/c.rs",
    ] {
        assert_eq!(Source::new(path.to_owned(), "fn a() {}\n".to_owned()).product_lines(), 0, "{path}");
    }
}
