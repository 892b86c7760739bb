use super::*;
use crate::source::Source;
use crate::workspace::Crate;

fn source(path: &str, text: &str) -> Source {
    Source::new(path.to_owned(), text.to_owned())
}

fn member(short: &str, manifest: &str) -> Crate {
    Crate {
        short: short.to_owned(),
        folder: format!("crates/{short}"),
        package: format!("tabellion-{short}"),
        manifest: manifest.parse().unwrap(),
    }
}

fn workspace(crates: Vec<Crate>) -> Workspace {
    Workspace {
        root: std::path::PathBuf::from("/nowhere"),
        manifest: toml::Table::new(),
        crates,
        sources: Vec::new(),
        documents: Vec::new(),
    }
}

fn whats(findings: &[Finding]) -> Vec<&str> {
    findings.iter().map(|finding| finding.what.as_str()).collect()
}

#[test]
fn imports_run_downwards() {
    let rows = [
        ("pki", "tabellion-ledger", None),
        ("pki", "tabellion-consortium", Some("`pki` must not import `consortium`")),
        ("api", "tabellion-engine", Some("`api` must not import `engine`")),
        ("client", "tabellion-node", Some("`client` must not import `node`")),
        ("ledger", "tabellion-pki", Some("`ledger` must not import `pki`")),
        ("machine", "tabellion-corpus", Some("`machine` must not import `corpus`")),
        ("testkit", "tabellion-corpus", None),
        ("tabellion", "tabellion-node", None),
    ];
    for (short, package, expected) in rows {
        let importing = member(short, &format!("[dependencies]\n{package}.workspace = true"));
        let found = layers::imports(&workspace(vec![importing])).unwrap();
        assert_eq!(whats(&found), expected.into_iter().collect::<Vec<_>>(), "{short} -> {package}");
    }
}

#[test]
fn a_crate_outside_the_layers_is_found() {
    let found = layers::imports(&workspace(vec![member("stray", "")])).unwrap();
    assert_eq!(found.len(), 1);
}

#[test]
fn a_pure_crate_whose_tests_build_the_engine_is_found() {
    let crates = vec![
        member("pki", "[dev-dependencies]\ntabellion-testkit.workspace = true"),
        member("testkit", "[dependencies]\ntabellion-node.workspace = true"),
        member("node", "[dependencies]\ntabellion-engine.workspace = true"),
        member("engine", ""),
    ];
    let found = layers::imports(&workspace(crates)).unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].place, "crates/pki/Cargo.toml");
}

#[test]
fn the_engine_is_imported_by_one_crate() {
    let engine = member("engine", "[dependencies]\ncommonware-consensus.workspace = true");
    let node = member("node", "[dev-dependencies]\ncommonware-runtime.workspace = true");
    let found = layers::engine_is_alone(&workspace(vec![engine, node])).unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].place, "crates/node/Cargo.toml");
}

#[test]
fn a_pure_crate_with_a_runtime_is_found() {
    let ledger =
        member("ledger", "[dependencies]\ntokio.workspace = true\n[dev-dependencies]\nrand.workspace = true");
    let found = layers::pure_crates(&workspace(vec![ledger])).unwrap();
    assert_eq!(whats(&found), ["`tokio` brings async into the pure crate `ledger`"]);
}

#[test]
fn a_version_outside_the_workspace_table_is_found() {
    let ledger = member("ledger", "[lints]\nworkspace = true\n[dependencies]\nsha2 = \"0.11\"");
    assert_eq!(layers::workspace_tables(&workspace(vec![ledger])).unwrap().len(), 1);
    let bare = member("ledger", "[dependencies]\nsha2.workspace = true");
    assert_eq!(layers::workspace_tables(&workspace(vec![bare])).unwrap().len(), 1);
}

#[test]
fn banned_words_are_found_in_code_and_not_in_literals() {
    let rows = [
        ("fn a() { todo!() }", 1),
        ("fn a() { let b = \"todo!\"; }", 0),
        ("#[allow(dead_code)]\nfn a() {}", 1),
        ("#[expect(dead_code, reason = \"b\")]\nfn a() {}", 0),
        ("#[test]\n#[ignore]\nfn a() {}", 1),
        ("// FIXME: later", 1),
        ("// An X.509 name of XXXX bytes", 0),
    ];
    for (text, expected) in rows {
        assert_eq!(sources::banned_in(&source("crates/x/src/y.rs", text)).len(), expected, "{text}");
    }
}

#[test]
fn an_expectation_without_a_reason_is_found() {
    let rows = [
        ("#[expect(dead_code)]\nfn a() {}", 1),
        ("#[expect(dead_code, reason = \"b\")]\nfn a() {}", 0),
        ("#[expect(\n    dead_code,\n    reason = \"b\"\n)]\nfn a() {}", 0),
        ("fn a() { b.expect(\"invariant: c\"); }", 0),
    ];
    for (text, expected) in rows {
        assert_eq!(sources::expectations_in(&source("crates/x/src/y.rs", text)).len(), expected, "{text}");
    }
}

#[test]
fn a_long_line_is_found_where_it_could_be_wrapped() {
    let wide = "x".repeat(115);
    let wider = "x".repeat(125);
    let rows = [
        (format!("// {wide}"), 1),
        (format!("let a = \"{wide}\";"), 1),
        (format!("//! ```text\n//! {wide}\n//! ```"), 0),
        (format!("//! ```text\n//! {wider}\n//! ```"), 1),
        (format!("//! ```text\n//! ```\n//! {wide}"), 1),
        (format!("// https://example.org/{wide}"), 0),
        (format!("#[rustfmt::skip]\nconst A: [&str; 1] = [\n    \"{wider}\",\n];\nconst B: u8 = 1;"), 0),
        (format!("#[rustfmt::skip]\nconst A: [u8; 1] = [1];\nconst B: &str = \"{wide}\";"), 1),
    ];
    for (text, expected) in rows {
        assert_eq!(sources::long_lines(&source("crates/x/src/y.rs", &text)).len(), expected, "{text}");
    }
}

#[test]
fn a_long_file_needs_a_reason_and_a_short_one_must_not_have_it() {
    let long = || source("crates/x/src/long.rs", &"\n".repeat(701));
    let short = || source("crates/x/src/short.rs", "\n");
    let tests = || source("crates/x/src/tests.rs", &"\n".repeat(2000));
    let rows = [
        ("", 1),
        ("# a comment\ncrates/x/src/long.rs | a table of bytes", 0),
        ("crates/x/src/long.rs", 1),
        ("crates/x/src/long.rs | a table\ncrates/x/src/short.rs | it was long once", 1),
    ];
    for (list, expected) in rows {
        let found = sources::long_files(&[long(), short(), tests()], list);
        assert_eq!(found.len(), expected, "{list}: {found:?}");
    }
}

#[test]
fn a_function_in_a_face_is_found() {
    let rows = [
        ("//! A crate.\nmod a;\npub use a::b;\n", 0),
        ("pub fn a() {}\n", 1),
        ("#[cfg(test)]\nmod tests { fn a() {} }\n", 0),
        ("/// Takes a fn.\npub use a::b;\n", 0),
    ];
    for (text, expected) in rows {
        assert_eq!(sources::logic_in(&source("crates/x/src/lib.rs", text)).len(), expected, "{text}");
    }
}

#[test]
fn every_dependency_is_explained_and_nothing_else_is() {
    let manifest =
        "[workspace.dependencies]\nsha2 = \"0.11\"\nder = { version = \"0.8\" }\nours = { path = \"a\" }";
    let head = "| crate | version | why | licence |\n|---|---|---|---|\n";
    let rows = [
        ("| sha2 | 0.11 | hashes | MIT |\n| `der` | 0.8 | DER | MIT |\n", 0),
        ("| sha2 | 0.11 | hashes | MIT |\n", 1),
        ("| sha2 | 0.10 | hashes | MIT |\n| der | 0.8 | DER | MIT |\n", 1),
        ("| sha2 | 0.11 |  | MIT |\n| der | 0.8 | DER | MIT |\n", 1),
        ("| sha2 | 0.11 | hashes |\n| der | 0.8 | DER | MIT |\n", 1),
        ("| sha2 | 0.11 | hashes | MIT |\n| der | 0.8 | DER | MIT |\n| gone | 1 | was here | MIT |\n", 1),
    ];
    for (table, expected) in rows {
        let mut workspace = workspace(Vec::new());
        workspace.manifest = manifest.parse().unwrap();
        workspace.documents = vec![("docs/DEPENDENCIES.md".to_owned(), format!("{head}{table}"))];
        assert_eq!(documents::dependencies(&workspace).unwrap().len(), expected, "{table}");
    }
}

#[test]
fn link_targets_are_read_outside_of_code() {
    let text = "See [a](b.md) and [c](d.md#e).\n```\n[f](g)\n```\n";
    assert_eq!(documents::link_targets(text), [(0, "b.md"), (0, "d.md#e")]);
}
