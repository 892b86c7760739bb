//! The project's own commands, run as `cargo xtask <command>`.
//!
//! What is absent: product code, and any dependency that takes long to compile. The gate starts by building
//! this crate.
//!
//! ```text
//! main -+- gate ------- tools, fuzz   what CI and developers run, step by step
//!       +- tidy ------- workspace     house rules over manifests, sources and documents
//!       +- conformance  source        X.1409 requirement -> code -> tests
//!       +- third_party                licences of what the binary links
//!       +- fuzz                       decoders under random bytes, on the pinned toolchain
//!       +- wrap                       comments that are too long
//! ```

mod conformance;
mod fuzz;
mod gate;
mod process;
mod source;
mod third_party;
mod tidy;
mod tools;
mod workspace;
mod wrap;

use anyhow::{Result, bail};
use std::process::ExitCode;

const USAGE: &str = "\
cargo xtask <command>

  test [--fast] [--keep-going]   install what the tests need, then run the whole gate; --fast leaves out the
                                 slow steps and says which; --keep-going goes on after a failed one
  ci                             the same as `test`, what CI runs
  tidy                           house rules that neither rustfmt nor clippy knows
  conformance [--check]          write docs/conformance.md; --check: fail when it is stale
  third-party [--check]          write docs/THIRD_PARTY.md; --check: fail when it is stale
  fix                            wrap, format, and write every generated document anew
  wrap [FOLDER]                  wrap comments over 110 characters, everywhere or below one folder
  fuzz [--smoke] [--seconds N] [--target NAME] [--input FILE]
                                 fuzz every target (or one) for N seconds, default 60; --smoke: 5 each;
                                 --input: run one file through one target and stop
";

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let command = arguments.next().unwrap_or_else(|| "help".to_owned());
    let rest: Vec<String> = arguments.collect();
    let root = workspace::root()?;
    match command.as_str() {
        "test" | "ci" => gate::run(&root, &gate::Options::parse(&rest)?),
        "tidy" => tidy::run(&root),
        "conformance" => conformance::run(&root, check_flag(&rest)?),
        "third-party" => third_party::run(&root, check_flag(&rest)?),
        "fix" => {
            wrap::run(&root, None)?;
            process::cargo(&root).args(["fmt", "--all"]).run()?;
            conformance::run(&root, false)?;
            third_party::run(&root, false)
        }
        "wrap" => wrap::run(&root, rest.first().map(String::as_str)),
        "fuzz" => fuzz::run(&root, &fuzz::Options::parse(&rest)?),
        "help" | "--help" | "-h" => {
            print!("{USAGE}");
            Ok(())
        }
        other => bail!("there is no command `{other}`\n\n{USAGE}"),
    }
}

/// Reads the one option that the generating commands know.
fn check_flag(arguments: &[String]) -> Result<bool> {
    match arguments {
        [] => Ok(false),
        [flag] if flag == "--check" => Ok(true),
        other => bail!("the only option here is --check, not `{}`", other.join(" ")),
    }
}
