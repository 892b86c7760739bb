//! The one binary: a command line over the client library, and over a node.
//!
//! ```text
//! cli (what was asked) -> context (which network, as whom) -> cert | ledger | consortium | ... -> output, exit
//! ```
mod bench;
mod cert;
mod cli;
mod consortium;
mod context;
mod edge;
mod failure;
mod key;
mod ledger;
mod moment;
mod node_commands;
mod output;
mod proxy;
mod tls;

use std::process::ExitCode;

use clap::{CommandFactory, Parser};
use tokio::runtime::Runtime;
use tracing_subscriber::EnvFilter;

use crate::cli::{Cli, Command};
use crate::consortium::RoleCommand;
use crate::context::Context;
use crate::edge::EdgeCommand;
use crate::failure::{Code, Done, Failure};
use crate::node_commands::NodeArgs;
use crate::output::Output;

/// Nodes make and drop many small values from several threads: a seventh of their work in the system's own
/// allocator.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// What nodes log unless `TABELLION_LOG` says otherwise; parts of the engine call an ordinary end an error.
const LOG_DEFAULT: &str = "warn,commonware_resolver=off,commonware_broadcast=off";

fn main() -> ExitCode {
    let Cli { network, output, command } = Cli::parse();
    let output = Output::new(output.json, output.quiet);
    let done = match command {
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "tabellion", &mut std::io::stdout());
            Ok(())
        }
        Command::Dev(args) => run_node(node_commands::dev(&args)),
        Command::Node(NodeArgs { command: None, run }) => run_node(node_commands::node(&run)),
        Command::Edge(EdgeCommand::Run { folder }) => run_node(edge::run_edge(&folder)),
        Command::Network(command) => node_commands::network(&command).map_err(Failure::from),
        Command::Proxy(command) => Context::new(network.clone(), output)
            .and_then(|context| start_runtime()?.block_on(proxy::run(command, &context, network, output))),
        command => Context::new(network, output).and_then(|context| run(command, &context, output)),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            output.failure(&failure);
            ExitCode::from(failure.code as u8)
        }
    }
}

fn start_runtime() -> Result<Runtime, Failure> {
    Runtime::new().map_err(|error| {
        Failure::new(Code::Error, format!("the program could not start its threads: {error}"))
    })
}

/// Runs nodes, with their log on stderr.
fn run_node(work: impl Future<Output = anyhow::Result<()>>) -> Done {
    let filter = EnvFilter::try_from_env("TABELLION_LOG").unwrap_or_else(|_| EnvFilter::new(LOG_DEFAULT));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    Ok(start_runtime()?.block_on(work)?)
}

fn run(command: Command, context: &Context, output: Output) -> Done {
    let runtime = start_runtime()?;
    runtime.block_on(async {
        match command {
            Command::Key(command) => key::run(command, context, output),
            Command::Cert(command) => cert::run(command, context, output).await,
            Command::Ledger(command) => ledger::run(command, context, output).await,
            Command::Tls(command) => tls::run(command, context, output).await,
            Command::Edge(command) => edge::run_command(command, context, output).await,
            Command::Bench(command) => bench::run(command, context, output).await,
            Command::Member(command) => consortium::run_member(command, context, output).await,
            Command::Account(command) => consortium::run_account(command, context, output).await,
            Command::Role(RoleCommand::List) => {
                consortium::run_role(output);
                Ok(())
            }
            Command::Propose(args) => consortium::run_propose(args, context, output).await,
            Command::Vote(args) => consortium::run_vote(args, context, output).await,
            Command::Proposal(command) => consortium::run_proposal(command, context, output).await,
            Command::Node(NodeArgs { command: Some(command), .. }) => {
                consortium::run_node(command, context, output).await
            }
            // They need no context and are done above.
            Command::Completions { .. }
            | Command::Dev(_)
            | Command::Node(_)
            | Command::Network(_)
            | Command::Proxy(_) => Ok(()),
        }
    })
}
