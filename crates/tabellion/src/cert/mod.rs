//! `tabellion cert`

mod batch;
mod change;
mod history;
mod input;
mod list;
mod monitor;
mod publish;
mod renew;
mod show;
mod verify;
mod watch;

pub use change::record;
pub use input::read as read_certificates_of;
pub use verify::{Signed, by_text, tell_transaction};

use tabellion_pki::Status;

use crate::cli::CertCommand;
use crate::context::Context;
use crate::failure::Done;
use crate::output::Output;

/// Runs a command on certificates.
pub async fn run(command: CertCommand, context: &Context, output: Output) -> Done {
    match command {
        CertCommand::Publish(args) => publish::run(args, context, output).await,
        CertCommand::PublishBatch(args) => batch::run(args, context, output).await,
        CertCommand::Revoke(args) => change::run(Status::Revoked, args, context, output).await,
        CertCommand::Suspend(args) => change::run(Status::Suspended, args, context, output).await,
        CertCommand::Resume(args) => change::run(Status::Normal, args, context, output).await,
        CertCommand::Renew(args) => renew::run(args, context, output).await,
        CertCommand::Statement(args) => change::statement(args, context, output).await,
        CertCommand::Verify(args) => verify::run(args, context, output).await,
        CertCommand::Show { certificate, pem } => show::run(&certificate, pem, context, output).await,
        CertCommand::History { certificate } => history::run(&certificate, context, output).await,
        CertCommand::Monitor(args) => monitor::run(args, context, output).await,
        CertCommand::List(args) => list::run(args, context, output).await,
        CertCommand::Watch { certificates, from_block } => {
            watch::run(&certificates, from_block, context, output).await
        }
    }
}
