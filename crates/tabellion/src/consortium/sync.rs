//! `tabellion node sync`: a state from other nodes, before the node's first start.

use std::path::Path;
use std::time::Instant;

use tabellion_consortium::Genesis;
use tabellion_node::store::StoreConfig;
use tabellion_node::sync::{Progress, SyncError, SyncSettings, Synced, take_state};

use crate::failure::{Code, Done, Failure};
use crate::node_commands::{NODE_FILE, NodeFile, read, read_toml};
use crate::output::Output;

/// Steps of the progress bar.
const STEPS: u64 = 1_000;

/// Fetches the newest state that other nodes hold into a node's folder.
pub async fn sync(folder: &Path, output: Output) -> Done {
    let node: NodeFile = read_toml(&folder.join(NODE_FILE))?;
    let peers = node.peers.as_ref().ok_or_else(|| {
        Failure::new(
            Code::Usage,
            format!("{} names no nodes to fetch from", folder.join(NODE_FILE).display()),
        )
        .hint("add to it:\n  [peers]\n  nodes = [\"https://...\"]\n  ca = \"peers-ca.pem\"")
    })?;
    let genesis = Genesis::from_bytes(&read(&folder.join(&node.genesis))?)
        .map_err(|error| Failure::of(Code::Error, &error))?;
    let settings = SyncSettings {
        genesis,
        data: folder.join(&node.data),
        peers: peers.clients(folder)?,
        store: StoreConfig::default(),
    };
    let again = format!("what came in is kept; go on with: tabellion node sync {}", folder.display());
    take_state_into(settings, &again, output).await
}

/// Takes a state over; `again` is told where that could go on later.
pub async fn take_state_into(settings: SyncSettings, again: &str, output: Output) -> Done {
    let begin = Instant::now();
    let bar = output.progress(STEPS, "headers");
    let mut records = 0;
    let synced = take_state(settings, |progress| match progress {
        Progress::Headers { height, last } => {
            bar.set_length(last.0);
            bar.set_position(height.0);
        }
        Progress::State { share, records: fetched } => {
            records = fetched;
            bar.set_message("state");
            bar.set_length(STEPS);
            bar.set_position((share * 1_000.0) as u64);
        }
    })
    .await;
    bar.finish_and_clear();
    match synced {
        Ok(Synced::At(height)) => {
            let ms = begin.elapsed().as_millis();
            output.line(format!(
                "state     after block {height}, {records} records in {:.1} s",
                ms as f64 / 1e3
            ));
            output.value(&serde_json::json!({ "height": height.0, "records": records, "ms": ms as u64 }));
        }
        Ok(Synced::Young) => {
            output.line(
                "state     none yet: the ledger is young, and the node executes its blocks from genesis",
            );
            output.value(&serde_json::json!({ "height": 0 }));
        }
        Err(error) => return Err(failure(&error, again)),
    }
    Ok(())
}

fn failure(error: &SyncError, again: &str) -> Failure {
    match error {
        SyncError::StoreExists { .. } => Failure::of(Code::Usage, error),
        SyncError::NoPeer { .. } | SyncError::StatesGone | SyncError::Interrupted => {
            Failure::of(Code::Error, error).hint(again)
        }
        _ => Failure::of(Code::Error, error),
    }
}
