//! Child processes: one way to start them, one way to say that they failed.

use anyhow::{Context, Result, bail};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Variables that `cargo run` sets for this process and that must not reach a child cargo: build scripts of
/// dependencies (ring's, for one) watch them, and would be rebuilt at each change between `cargo xtask` and
/// `cargo`.
const INHERITED_FROM_CARGO: [&str; 4] = ["CARGO_MANIFEST_", "CARGO_PKG_", "CARGO_BIN_", "CARGO_CRATE_"];

/// A command under construction.
#[derive(Debug)]
pub struct Run {
    command: Command,
}

/// A program found on `PATH`, started in the workspace's root.
pub fn program(root: &Path, name: &str) -> Run {
    let mut command = Command::new(name);
    command.current_dir(root);
    for (key, _) in std::env::vars_os() {
        let text = key.to_string_lossy();
        if INHERITED_FROM_CARGO.iter().any(|prefix| text.starts_with(prefix)) {
            command.env_remove(&key);
        }
    }
    Run { command }
}

/// Cargo of the pinned toolchain.
pub fn cargo(root: &Path) -> Run {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    program(root, &cargo)
}

/// The folder that cargo builds into.
pub fn target_directory(root: &Path) -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(directory) => root.join(directory),
        None => root.join("target"),
    }
}

impl Run {
    /// Adds arguments.
    pub fn args<S: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = S>) -> Self {
        self.command.args(arguments);
        self
    }

    /// Sets an environment variable.
    pub fn env(mut self, key: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(key, value);
        self
    }

    /// Takes an environment variable away.
    pub fn without_env(mut self, key: &str) -> Self {
        self.command.env_remove(key);
        self
    }

    /// Runs to the end with the terminal's own output; anything but exit code 0 is an error that names the
    /// command.
    pub fn run(mut self) -> Result<()> {
        let line = self.line();
        eprintln!("    $ {line}");
        let status = self.command.status().with_context(|| format!("cannot start `{line}`"))?;
        if !status.success() {
            bail!("`{line}` failed: {status}");
        }
        Ok(())
    }

    /// Runs to the end and returns what it wrote to stdout; what it wrote to stderr stands in the error.
    pub fn stdout(mut self) -> Result<String> {
        let line = self.line();
        let output = self.command.output().with_context(|| format!("cannot start `{line}`"))?;
        if !output.status.success() {
            let talk = String::from_utf8_lossy(&output.stderr);
            bail!("`{line}` failed: {}\n{}", output.status, talk.trim_end());
        }
        String::from_utf8(output.stdout)
            .with_context(|| format!("`{line}` printed something that is not UTF-8"))
    }

    /// Runs to the end; returns whether it succeeded, and all it wrote.
    pub fn transcript(mut self) -> Result<(bool, String)> {
        let line = self.line();
        let output = self.command.output().with_context(|| format!("cannot start `{line}`"))?;
        let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.push_str(&String::from_utf8_lossy(&output.stderr));
        Ok((output.status.success(), text))
    }

    /// Whether it can be started and ends with exit code 0; its output is dropped.
    pub fn succeeds(mut self) -> bool {
        self.command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        self.command.status().is_ok_and(|status| status.success())
    }

    /// The command as one would type it, with the variables that were set for it.
    fn line(&self) -> String {
        let mut words: Vec<String> = Vec::new();
        for (key, value) in self.command.get_envs() {
            if let Some(value) = value {
                words.push(format!("{}={:?}", key.to_string_lossy(), value.to_string_lossy()));
            }
        }
        let program = Path::new(self.command.get_program());
        let name = program.file_name().unwrap_or(program.as_os_str());
        words.push(name.to_string_lossy().into_owned());
        words.extend(self.command.get_args().map(|argument| argument.to_string_lossy().into_owned()));
        words.join(" ")
    }
}
