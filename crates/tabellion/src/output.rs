//! Data goes to stdout, talk to stderr.

use std::io::{self, IsTerminal, Write};

use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use tabellion_ledger::TimeMs;

use crate::failure::Failure;

/// Where a command writes.
#[derive(Clone, Copy, Debug)]
pub struct Output {
    json: bool,
    colour: bool,
    quiet: bool,
}

impl Output {
    /// Output in JSON or for people; without colour where NO_COLOR is set or nobody looks.
    pub fn new(json: bool, quiet: bool) -> Self {
        let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|value| value == "dumb");
        Self { json, colour: wanted && !dumb && io::stdout().is_terminal(), quiet }
    }

    /// Whether JSON is asked for.
    pub fn is_json(&self) -> bool {
        self.json
    }

    /// A line of data for people; nothing where JSON is asked for.
    pub fn line(&self, text: impl AsRef<str>) {
        if !self.json {
            write_out(text.as_ref());
        }
    }

    /// A line of data that is JSON already where that is asked for.
    pub fn data(&self, text: impl AsRef<str>) {
        write_out(text.as_ref());
    }

    /// A value, where JSON is asked for; one per line.
    pub fn value(&self, value: &impl Serialize) {
        if self.json {
            write_out(&serde_json::to_string(value).expect("invariant: our values have text keys"));
        }
    }

    /// A line on the side.
    pub fn say(&self, text: impl AsRef<str>) {
        if !self.quiet {
            let _ = writeln!(io::stderr(), "{}", text.as_ref());
        }
    }

    /// Something that the user should know though the command goes on.
    pub fn warn(&self, text: impl AsRef<str>) {
        let _ = writeln!(io::stderr(), "warning: {}", text.as_ref());
    }

    /// How a command failed: the error, a blank line, the hint.
    pub fn failure(&self, failure: &Failure) {
        #[derive(Serialize)]
        struct Told<'a> {
            error: &'a str,
            kind: &'a str,
            #[serde(skip_serializing_if = "Option::is_none")]
            hint: Option<&'a str>,
        }
        let mut err = io::stderr();
        if self.json {
            let told = Told { error: &failure.message, kind: &failure.kind, hint: failure.hint.as_deref() };
            let _ = writeln!(err, "{}", serde_json::to_string(&told).unwrap_or_default());
            return;
        }
        let _ = writeln!(err, "error: {}", failure.message);
        if let Some(hint) = &failure.hint {
            let _ = writeln!(err, "\nhint: {hint}");
        }
    }

    /// A word that says yes or no.
    pub fn verdict(&self, word: &str, good: bool) -> String {
        let padded = format!("{word:<9}");
        match (self.colour, good) {
            (false, _) => padded,
            (true, true) => format!("\u{1b}[32m{padded}\u{1b}[0m"),
            (true, false) => format!("\u{1b}[31m{padded}\u{1b}[0m"),
        }
    }

    /// A progress bar on stderr; it stays hidden where stderr is no terminal.
    pub fn progress(&self, length: u64, what: &'static str) -> ProgressBar {
        if self.quiet {
            return ProgressBar::hidden();
        }
        let template = "{msg} {wide_bar} {pos}/{len} {per_sec} {eta}";
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        ProgressBar::new(length).with_style(style).with_message(what)
    }
}

/// A reader that has gone (`| head`) ends the program quietly.
fn write_out(text: &str) {
    let mut out = io::stdout().lock();
    if let Err(error) = writeln!(out, "{text}") {
        if error.kind() != io::ErrorKind::BrokenPipe {
            let _ = writeln!(io::stderr(), "error: cannot write: {error}");
        }
        std::process::exit(i32::from(error.kind() != io::ErrorKind::BrokenPipe));
    }
}

/// A moment as people read it, UTC.
pub fn moment(at: TimeMs) -> String {
    let date = der::DateTime::from_unix_duration(std::time::Duration::from_secs(at.seconds()));
    date.map_or_else(|_| format!("{at} ms"), |date| date.to_string())
}

/// A span as people read it.
pub fn span(ms: u64) -> String {
    match ms / 1000 {
        0 => format!("{ms} ms"),
        seconds @ 1..120 => format!("{seconds} s"),
        seconds @ 120..7200 => format!("{} min", seconds / 60),
        seconds => format!("{} h", seconds / 3600),
    }
}
