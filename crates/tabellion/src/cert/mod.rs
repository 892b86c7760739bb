//! `tabellion cert`

mod batch;
mod input;
mod list;
mod publish;
mod show;
mod verify;
mod watch;

pub use input::read as read_certificates_of;
pub use verify::{Signed, by_text, tell_transaction};

use crate::cli::CertCommand;
use crate::context::Context;
use crate::failure::Done;
use crate::output::Output;

/// Runs a command on certificates.
pub async fn run(command: CertCommand, context: &Context, output: Output) -> Done {
    match command {
        CertCommand::Publish(args) => publish::run(args, context, output).await,
        CertCommand::PublishBatch(args) => batch::run(args, context, output).await,
        CertCommand::Verify(args) => verify::run(args, context, output).await,
        CertCommand::Show { certificate, pem } => show::run(&certificate, pem, context, output).await,
        CertCommand::List(args) => list::run(args, context, output).await,
        CertCommand::Watch { certificates, from_block } => {
            watch::run(&certificates, from_block, context, output).await
        }
    }
}
