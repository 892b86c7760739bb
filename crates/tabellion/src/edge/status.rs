//! `tabellion edge status`

use std::path::Path;

use tabellion_client::NodeClient;
use tabellion_ledger::TimeMs;
use tabellion_machine::KnowledgeAnswer;

use crate::context::Context;
use crate::failure::{Code, Done, Failure};
use crate::node_commands::{CLIENT_FILE, ClientFile, read, read_toml};
use crate::output::{Output, moment, span};

/// Says how old the knowledge of a running edge is; a failure where it is too old.
pub async fn status(folder: &Path, _: &Context, output: Output) -> Done {
    let client: ClientFile = read_toml(&folder.join(CLIENT_FILE))?;
    let trust = tabellion_client::NodeTrust::Authorities(read(&folder.join(&client.ca))?);
    let health = NodeClient::new(&client.nodes, &trust)?.health().await.map_err(|error| {
        Failure::from(error).hint(format!("is it running? tabellion edge run {}", folder.display()))
    })?;
    let Some(knowledge) = health.knowledge else {
        return Err(Failure::new(Code::Error, format!("what runs in {} is no edge", folder.display())));
    };
    let KnowledgeAnswer { height, time_ms, age_ms, limit_ms, fresh, ref source, ref trouble } = knowledge;
    output.line(format!("newest    block {height} of {}", moment(TimeMs(time_ms))));
    output.line(format!(
        "age       {} of {} allowed{}",
        span(age_ms),
        span(limit_ms),
        if fresh { "" } else { ": only revoked is told" }
    ));
    output.line(format!("follows   {}", source.as_deref().unwrap_or("no node at present")));
    if let Some(trouble) = trouble {
        output.line(format!("trouble   {trouble}"));
    }
    output.value(&knowledge);
    match fresh {
        true => Ok(()),
        false => Err(Failure::new(Code::Proof, "what the edge knows is too old")
            .hint("see which nodes it reaches, or carry a file of `tabellion edge export` to its inbox")),
    }
}
