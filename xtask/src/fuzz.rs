//! Fuzzing on the pinned toolchain.
//!
//! `cargo-fuzz` wants a nightly compiler for the address sanitizer. We forbid unsafe code, so what fuzzing
//! looks for here is panics, overflows, endless loops and broken laws; for those libFuzzer needs only
//! coverage counters, and the compiler pass that adds them is there on the stable toolchain. So the targets
//! are built by plain `cargo build` with the flags below, and nothing has to be installed. The folder keeps
//! the layout of `cargo-fuzz`, which works as well.
//!
//! ```text
//! fuzz/Cargo.toml            one [[bin]] per target
//! fuzz/seeds/<target>/       committed inputs, run first each time
//! fuzz/corpus/<target>/      what earlier runs found interesting, not committed
//! fuzz/artifacts/<target>/   inputs that failed
//! ```

use crate::process::{cargo, program, target_directory};
use crate::workspace::read;
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::{Path, PathBuf};
use toml::Table;

/// Coverage counters, tables and compared values for libFuzzer; debug assertions and overflow checks as in
/// tests.
const FLAGS: &str = "--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1 -Cdebug-assertions -Coverflow-checks";

/// How long each target runs in the gate.
const SMOKE_SECONDS: u64 = 5;

/// How long each target runs when nothing is said.
const USUAL_SECONDS: u64 = 60;

/// One input may take this long; a decoder that needs more for 4 kB is broken.
const INPUT_SECONDS_MAX: u64 = 10;

/// What the developer asked for.
#[derive(Debug)]
pub struct Options {
    seconds: u64,
    target: Option<String>,
    input: Option<PathBuf>,
}

impl Options {
    /// What the gate runs.
    pub fn smoke() -> Self {
        Self { seconds: SMOKE_SECONDS, target: None, input: None }
    }

    /// Reads them from the command line.
    pub fn parse(arguments: &[String]) -> Result<Self> {
        let mut options = Self { seconds: USUAL_SECONDS, target: None, input: None };
        let mut words = arguments.iter();
        while let Some(word) = words.next() {
            let mut value = || words.next().with_context(|| format!("{word} wants a value"));
            match word.as_str() {
                "--smoke" => options.seconds = SMOKE_SECONDS,
                "--seconds" => options.seconds = value()?.parse().context("--seconds wants a number")?,
                "--target" => options.target = Some(value()?.clone()),
                "--input" => options.input = Some(PathBuf::from(value()?)),
                other => bail!("`{other}` is not an option of fuzz (--smoke, --seconds, --target, --input)"),
            }
        }
        if options.input.is_some() && options.target.is_none() {
            bail!("--input wants --target, to know which decoder reads it");
        }
        Ok(options)
    }
}

/// Whether there are fuzz targets.
pub fn exists(root: &Path) -> bool {
    root.join("fuzz/Cargo.toml").is_file()
}

/// Builds the targets and runs them one after the other.
pub fn run(root: &Path, options: &Options) -> Result<()> {
    let mut names = targets(root)?;
    if let Some(wanted) = &options.target {
        names.retain(|name| name == wanted);
        if names.is_empty() {
            bail!("there is no fuzz target `{wanted}`; there are: {}", targets(root)?.join(", "));
        }
    }
    let binaries = build(root)?;
    for name in &names {
        match &options.input {
            Some(input) => program(root, &binaries.join(name).to_string_lossy()).args([input]).run()?,
            None => explore(root, &binaries.join(name), name, options.seconds)?,
        }
    }
    Ok(())
}

/// The names of the targets, as the manifest gives them.
fn targets(root: &Path) -> Result<Vec<String>> {
    let manifest: Table =
        read(&root.join("fuzz/Cargo.toml"))?.parse().context("fuzz/Cargo.toml is not TOML")?;
    let bins = manifest.get("bin").and_then(|bins| bins.as_array()).into_iter().flatten();
    let names: Vec<String> = bins.filter_map(|bin| Some(bin.get("name")?.as_str()?.to_owned())).collect();
    if names.is_empty() {
        bail!("fuzz/Cargo.toml names no [[bin]]");
    }
    Ok(names)
}

/// Builds all targets; returns the folder of the binaries. A host triple given by name keeps the flags away
/// from build scripts and procedural macros.
fn build(root: &Path) -> Result<PathBuf> {
    let version = program(root, "rustc").args(["-vV"]).stdout()?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).context("rustc names no host")?;
    let folder = target_directory(root).join("fuzz");
    cargo(root)
        .args([
            "build",
            "--manifest-path",
            "fuzz/Cargo.toml",
            "--bins",
            "--release",
            "--locked",
            "--target",
            host,
        ])
        .env("CARGO_TARGET_DIR", &folder)
        .env("RUSTFLAGS", FLAGS)
        .run()?;
    Ok(folder.join(host).join("release"))
}

/// Runs one target for a while, starting from the committed seeds and what earlier runs left.
fn explore(root: &Path, binary: &Path, name: &str, seconds: u64) -> Result<()> {
    let folder = |kind: &str| root.join("fuzz").join(kind).join(name);
    let (corpus, artifacts, seeds) = (folder("corpus"), folder("artifacts"), folder("seeds"));
    for needed in [&corpus, &artifacts] {
        fs::create_dir_all(needed).with_context(|| format!("cannot make {}", needed.display()))?;
    }
    let count = fs::read_dir(&seeds).map(|entries| entries.count()).unwrap_or(0);
    if count == 0 {
        bail!("fuzz/seeds/{name} holds no seed: a target without one explores only the first refusal");
    }
    let (succeeded, talk) = program(root, &binary.to_string_lossy())
        .args([&corpus, &seeds])
        .args([format!("-artifact_prefix={}/", artifacts.display())])
        .args([format!("-max_total_time={seconds}"), format!("-timeout={INPUT_SECONDS_MAX}")])
        .args(["-rss_limit_mb=2048", "-print_final_stats=1", "-verbosity=1"])
        .transcript()?;
    if !succeeded {
        eprintln!("{talk}");
        bail!(
            "{name} failed; run it again with\n  cargo xtask fuzz --target {name} --input <file named above>"
        );
    }
    let runs = talk.lines().find_map(|line| line.strip_prefix("stat::number_of_executed_units:"));
    let runs = runs.with_context(|| format!("fuzz target {name} printed no count of its runs"))?;
    eprintln!("    {name}: {} inputs in {seconds} s, {count} seeds, no failure", runs.trim());
    Ok(())
}
