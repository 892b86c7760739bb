//! `tabellion edge run`

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};
use tabellion_node::Node;
use tokio::signal::unix::{SignalKind, signal};

use crate::node_commands::{EdgeSetup, FaceKeys, setup_edge};

/// How often files are looked at that may have been renewed.
const LOOK: Duration = Duration::from_secs(2);

/// Runs an edge until SIGINT or SIGTERM, or until it fails.
pub async fn run(folder: &Path) -> Result<()> {
    let EdgeSetup { settings, face, status } = setup_edge(folder)?;
    let (name, ledger) = (settings.name.clone(), settings.genesis.ledger_id());
    let place = format!("edge {name}, in {}", folder.display());
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen to SIGINT")?;
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen to SIGTERM")?;
    let node = Node::start(settings).await.context(place.clone())?;
    eprintln!("edge {name} of ledger {ledger}");
    if let Some(address) = node.face_address() {
        eprintln!("REST on https://{address}");
    }
    if let Some(address) = node.status_address() {
        eprintln!("OCSP, CRLs and IKEv2 look-up on http://{address}");
    }
    let (mut keys, mut look) = (FaceKeys::new(face, status), tokio::time::interval(LOOK));
    loop {
        tokio::select! {
            _ = interrupt.recv() => break,
            _ = terminate.recv() => break,
            () = node.failed() => {
                eprintln!("a part of edge {name} failed; stopping");
                break;
            }
            _ = look.tick() => keys.renew(&name),
        }
    }
    node.stop().await.context(place)
}
