//! `tabellion cert list`: from a node's index, without proofs.

use tabellion_client::CertificateFilter;
use tabellion_ledger::TimeMs;

use crate::cli::ListArgs;
use crate::context::Context;
use crate::failure::Done;
use crate::output::{Output, moment};

/// Rows that are asked for at once.
const PAGE: usize = 500;

/// Lists certificates.
pub async fn run(args: ListArgs, context: &Context, output: Output) -> Done {
    let nodes = context.nodes()?;
    let filter = CertificateFilter {
        subject: args.subject,
        issuer: args.issuer,
        expires_from_ms: args.expires_from.map(|moment| moment.0.0),
        expires_until_ms: args.expires_until.map(|moment| moment.0.0),
    };
    let (mut shown, mut cursor) = (0, None::<String>);
    while shown < args.limit {
        let page = nodes.certificates(&filter, PAGE.min(args.limit - shown), cursor.as_deref()).await?;
        for row in &page.certificates {
            output.value(row);
            let until = moment(TimeMs(row.valid_until_ms));
            let subject = if row.subject.is_empty() { "-" } else { &row.subject };
            output.line(format!("{}  {:<9} until {until}  {subject}", row.certificate, row.status));
        }
        shown += page.certificates.len();
        cursor = page.next;
        if cursor.is_none() || page.certificates.is_empty() {
            break;
        }
    }
    let more = if cursor.is_some() { "; there are more (--limit)" } else { "" };
    output.say(format!(
        "{shown} certificates from the index of {}{more}. Lists are not proved: verify what matters.",
        nodes.node()
    ));
    Ok(())
}
