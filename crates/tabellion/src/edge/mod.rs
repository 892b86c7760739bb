//! `tabellion edge ...`: status where the ledger's nodes cannot be reached (X.1409 I.1.2).
//!
//! ```text
//! init -> folder -> run (follows nodes, takes files, answers)      export --file, carried--> import | inbox
//! ```
mod carry;
mod init;
mod run;
mod status;

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Subcommand};

pub use run::run as run_edge;

use crate::context::Context;
use crate::failure::Done;
use crate::moment::Span;
use crate::output::Output;

/// `edge ...`
#[derive(Debug, Subcommand)]
pub enum EdgeCommand {
    /// Make the folder of an edge, and fetch the newest state into it
    Init(InitArgs),
    /// Run an edge: it follows the ledger's nodes, takes files from its inbox, and answers
    Run {
        /// The edge's folder.
        folder: PathBuf,
    },
    /// Say how old the knowledge of a running edge is
    Status {
        /// The edge's folder.
        folder: PathBuf,
    },
    /// Write blocks to a file that is carried to an edge without any network
    Export {
        /// The first block
        #[arg(long, value_name = "HEIGHT", default_value_t = 1)]
        from_block: u64,
        /// The new file
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Take blocks from files into an edge that does not run; one that runs takes them from its inbox
    Import {
        /// The edge's folder.
        folder: PathBuf,
        /// Files of `edge export`.
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
}

/// `edge init`
#[derive(Args, Debug)]
pub struct InitArgs {
    /// The new folder.
    pub folder: PathBuf,
    /// Where clients connect to
    #[arg(long, value_name = "ADDRESS")]
    pub rest: SocketAddr,
    /// The host as clients name it, where --rest is no address of theirs
    #[arg(long, value_name = "HOST")]
    pub host: Option<String>,
    /// Where OCSP, CRLs and IKEv2 look-up are, over plain HTTP
    #[arg(long, value_name = "ADDRESS")]
    pub status: Option<SocketAddr>,
    /// How old knowledge may be on which `normal` is said
    #[arg(long, value_name = "SPAN", default_value = "5m")]
    pub stale_after: Span,
    /// Follow no node: blocks come in files only
    #[arg(long)]
    pub offline: bool,
    /// Execute all blocks from genesis, and take no state over
    #[arg(long)]
    pub from_genesis: bool,
}

/// Runs a command on edges, but for `run`.
pub async fn run_command(command: EdgeCommand, context: &Context, output: Output) -> Done {
    match command {
        EdgeCommand::Init(args) => init::init(args, context, output).await,
        EdgeCommand::Run { folder } => Ok(run_edge(&folder).await?),
        EdgeCommand::Status { folder } => status::status(&folder, context, output).await,
        EdgeCommand::Export { from_block, out } => carry::export(from_block, &out, context, output).await,
        EdgeCommand::Import { folder, files } => carry::import(&folder, files, output),
    }
}
