//! The gate: every check that a commit has to pass, in the order of what it costs.
//!
//! What is absent: a step that is left out in silence. What `--fast` leaves out, and what finds nothing to
//! work on, is named in the last line.

use crate::process::{cargo, program, target_directory};
use crate::{conformance, fuzz, third_party, tidy, tools};
use anyhow::{Result, bail};
use std::path::Path;
use std::time::{Duration, Instant};

/// What the developer asked for.
#[derive(Debug, Default)]
pub struct Options {
    /// Leave out what is slow.
    fast: bool,
    /// Run the later steps after one failed.
    keep_going: bool,
}

impl Options {
    /// Reads them from the command line.
    pub fn parse(arguments: &[String]) -> Result<Self> {
        let mut options = Self::default();
        for argument in arguments {
            match argument.as_str() {
                "--fast" => options.fast = true,
                "--keep-going" => options.keep_going = true,
                other => bail!("`{other}` is not an option of the gate (--fast, --keep-going)"),
            }
        }
        Ok(options)
    }
}

/// How a step ended, apart from failing.
enum Outcome {
    Passed,
    /// There is nothing to work on; the text says what is absent.
    Absent(&'static str),
}

/// One check.
struct Step {
    name: &'static str,
    /// Left out by `--fast`.
    slow: bool,
    run: fn(&Path, &Options) -> Result<Outcome>,
}

/// Cheap failures first; the test runner last, so that its summary ends the output.
const STEPS: [Step; 15] = [
    Step { name: "tools", slow: false, run: |root, _| passed(tools::install_missing(root)) },
    Step {
        name: "format",
        slow: false,
        run: |root, _| passed(cargo(root).args(["fmt", "--all", "--check"]).run()),
    },
    Step { name: "tidy", slow: false, run: |root, _| passed(tidy::run(root)) },
    Step { name: "conformance table", slow: false, run: |root, _| passed(conformance::run(root, true)) },
    Step { name: "third-party list", slow: false, run: |root, _| passed(third_party::run(root, true)) },
    Step { name: "dependencies", slow: false, run: dependencies },
    Step { name: "clippy", slow: false, run: clippy },
    Step { name: "documentation", slow: true, run: documentation },
    Step { name: "engine's stable modules", slow: true, run: engine_stability },
    Step { name: "format by a second implementation", slow: false, run: second_implementation },
    Step { name: "outside vectors", slow: false, run: vectors },
    Step { name: "fuzz smoke", slow: true, run: fuzz_smoke },
    Step { name: "documentation tests", slow: true, run: documentation_tests },
    Step { name: "tour", slow: true, run: tour },
    Step { name: "tests", slow: false, run: tests },
];

/// Runs the gate.
pub fn run(root: &Path, options: &Options) -> Result<()> {
    let started = Instant::now();
    let mut failed = Vec::new();
    let mut left_out = Vec::new();
    let mut passed = 0;
    for (index, step) in STEPS.iter().enumerate() {
        let title = format!("[{}/{}] {}", index + 1, STEPS.len(), step.name);
        if options.fast && step.slow {
            eprintln!("{title}: left out (--fast)");
            left_out.push(format!("{} (--fast)", step.name));
            continue;
        }
        eprintln!("{title}");
        let step_started = Instant::now();
        let outcome = (step.run)(root, options);
        let took = seconds(step_started.elapsed());
        match outcome {
            Ok(Outcome::Passed) => {
                eprintln!("{title}: passed in {took}");
                passed += 1;
            }
            Ok(Outcome::Absent(why)) => {
                eprintln!("{title}: nothing to run: {why}");
                left_out.push(format!("{} ({why})", step.name));
            }
            Err(error) => {
                eprintln!("{title}: FAILED after {took}\n\n{error:#}\n");
                failed.push(step.name);
                if !options.keep_going {
                    break;
                }
            }
        }
    }
    if options.fast {
        left_out.push("tests of whole processes (--fast)".to_owned());
    }
    if !left_out.is_empty() {
        eprintln!("left out: {}", left_out.join("; "));
    }
    let took = seconds(started.elapsed());
    if failed.is_empty() {
        eprintln!("gate: {passed} of {} steps passed in {took}", STEPS.len());
        return Ok(());
    }
    bail!("gate: failed after {took}: {}", failed.join(", "))
}

fn passed(result: Result<()>) -> Result<Outcome> {
    result.map(|()| Outcome::Passed)
}

fn seconds(duration: Duration) -> String {
    format!("{:.1} s", duration.as_secs_f64())
}

fn dependencies(root: &Path, _: &Options) -> Result<Outcome> {
    passed(cargo(root).args(["deny", "--locked", "check", "bans", "licenses", "sources"]).run())
}

fn clippy(root: &Path, _: &Options) -> Result<Outcome> {
    let arguments = ["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"];
    passed(cargo(root).args(arguments).run())
}

fn documentation(root: &Path, _: &Options) -> Result<Outcome> {
    let command = cargo(root).args(["doc", "--workspace", "--no-deps", "--locked"]);
    passed(command.env("RUSTDOCFLAGS", "-D warnings").run())
}

/// The engine marks its modules by stability; with this flag everything below BETA is not there, so that
/// whatever we use of it would not compile. Other flags mean other artefacts: a target folder of its own
/// keeps the usual one warm.
fn engine_stability(root: &Path, _: &Options) -> Result<Outcome> {
    let command = cargo(root).args(["check", "--package", "tabellion-engine", "--locked"]);
    let folder = target_directory(root).join("stability");
    passed(command.env("RUSTFLAGS", "--cfg commonware_stability_BETA").env("CARGO_TARGET_DIR", folder).run())
}

/// Our own frozen vectors, checked by a program that was written from docs/format.md alone.
fn second_implementation(root: &Path, _: &Options) -> Result<Outcome> {
    let (holds, talk) = program(root, "python3").args(["vectors/check.py"]).transcript()?;
    let told: Vec<&str> = talk.lines().filter(|line| !line.starts_with("ok ")).collect();
    if !holds {
        bail!("vectors/check.py:\n{}", told.join("\n"));
    }
    eprintln!("    vectors/check.py: {}", told.join("; "));
    Ok(Outcome::Passed)
}

const VECTORS_SCRIPT: &str = "xtask/scripts/pkits.sh";

/// Where outside test vectors lie; tests read the same variable.
fn vectors_directory(root: &Path) -> std::ffi::OsString {
    std::env::var_os("TABELLION_VECTORS").unwrap_or_else(|| root.join("target/vectors").into_os_string())
}

fn vectors(root: &Path, _: &Options) -> Result<Outcome> {
    if !root.join(VECTORS_SCRIPT).is_file() {
        return Ok(Outcome::Absent("xtask/scripts/pkits.sh does not exist"));
    }
    passed(
        program(root, "bash").args([VECTORS_SCRIPT]).env("TABELLION_VECTORS", vectors_directory(root)).run(),
    )
}

fn fuzz_smoke(root: &Path, _: &Options) -> Result<Outcome> {
    if !fuzz::exists(root) {
        return Ok(Outcome::Absent("there is no fuzz/ folder"));
    }
    passed(fuzz::run(root, &fuzz::Options::smoke()))
}

/// The README's tour, in the build that the tests need anyway.
fn tour(root: &Path, _: &Options) -> Result<Outcome> {
    passed(program(root, "./tour.sh").env("TABELLION_TOUR_PROFILE", "dev").run())
}

fn documentation_tests(root: &Path, _: &Options) -> Result<Outcome> {
    passed(cargo(root).args(["test", "--doc", "--workspace", "--locked", "--quiet"]).run())
}

fn tests(root: &Path, options: &Options) -> Result<Outcome> {
    let profile = if options.fast { "fast" } else { "ci" };
    let command = cargo(root).args(["nextest", "run", "--workspace", "--locked", "--profile", profile]);
    let command = command.env("TABELLION_VECTORS", vectors_directory(root));
    passed(command.env("TABELLION_MOTO", tools::moto_directory(root)).run())
}
