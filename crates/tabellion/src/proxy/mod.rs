//! `tabellion proxy ...`: composed systems, several ledgers that follow each other (X.1409 C16, A.1).

mod run;
mod show;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use tabellion_ledger::LedgerId;

pub use show::tell_foreign;

use crate::cli::NetworkOptions;
use crate::context::Context;
use crate::failure::Done;
use crate::moment::Span;
use crate::output::Output;

/// `proxy ...`
#[derive(Debug, Subcommand)]
pub enum ProxyCommand {
    /// Forward the results of one ledger to another, until it is interrupted
    Run(RunArgs),
    /// List the foreign ledgers that this one follows
    List,
    /// Show what this ledger knows of a foreign one
    Show {
        /// Its identifier, or its name as the members gave it.
        ledger: String,
    },
}

/// `proxy run`
#[derive(Args, Debug)]
pub struct RunArgs {
    /// Folder of the host ledger's network, with its client.toml
    #[arg(long, value_name = "DIR")]
    pub from: PathBuf,
    /// Folder of the home ledger's network, with its client.toml; the key in it, or --key, signs relays
    #[arg(long, value_name = "DIR")]
    pub to: PathBuf,
    /// How often to look for what is new
    #[arg(long, value_name = "SPAN", default_value = "1s")]
    pub every: Span,
    /// Forward what there is, and end
    #[arg(long)]
    pub once: bool,
}

/// Runs a command on composed systems.
pub async fn run(command: ProxyCommand, context: &Context, options: NetworkOptions, output: Output) -> Done {
    match command {
        ProxyCommand::Run(args) => run::run(args, options, output).await,
        ProxyCommand::List => show::list(context, output).await,
        ProxyCommand::Show { ledger } => show::show(&ledger, context, output).await,
    }
}

/// Whether a text names this ledger.
fn is_named(text: &str, id: &LedgerId, name: &str) -> bool {
    text == name || id.to_string().starts_with(&text.to_lowercase()) && text.len() >= 8
}
