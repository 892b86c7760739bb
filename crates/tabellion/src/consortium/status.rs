//! `tabellion node status`: one node's health for its operator, from its own answer and from proved records.

use std::path::{Path, PathBuf};

use serde::Serialize;
use tabellion_client::{NodeTrust, Participation, node_key_of};
use tabellion_consortium::{
    Boundary, Committee, Node, NodeKey, NodeRole, Owner, Parameters, Pending, SeatChange, boundary_key,
    committee_key, epoch_of, node_key, parameters_key, pending_key,
};
use tabellion_ledger::{Height, KeyId};
use tabellion_machine::{HealthAnswer, NodeAnswer};
use tabellion_node::PruneSettings;
use tabellion_pki::Facts;

use super::args::StatusArgs;
use super::desk::{Desk, Sought, successor};
use crate::cert::{Signed, by_text, read_certificates_of};
use crate::context::Context;
use crate::failure::{Code, Done, Failure};
use crate::node_commands::{NODE_FILE, NodeFile, read_plain_key, read_toml};
use crate::output::{Output, span};

/// A node's folder on this host.
pub struct Local {
    /// The node's name.
    pub name: String,
    /// The key in its file.
    pub key: NodeKey,
    /// The folder of its data.
    pub data: PathBuf,
    folder: PathBuf,
    file: NodeFile,
}

impl Local {
    /// Reads a node's folder.
    pub fn open(folder: &Path) -> Result<Self, Failure> {
        let path = folder.join(NODE_FILE);
        let file: NodeFile = read_toml(&path).map_err(|error| {
            Failure::from(error).hint("--data names a node's folder, the one that holds its node.toml")
        })?;
        let key = node_key_of(&read_plain_key(&folder.join(&file.key))?);
        let key = key.ok_or_else(|| Failure::new(Code::Error, "a node's key is Ed25519"))?;
        let (name, data) = (file.name.clone(), folder.join(&file.data));
        Ok(Self { name, key, data, folder: folder.to_owned(), file })
    }

    /// The genesis document's file.
    pub fn genesis_file(&self) -> PathBuf {
        self.folder.join(&self.file.genesis)
    }

    /// How bodies are deleted, as the node's file says.
    pub fn prune_settings(&self) -> Result<PruneSettings, Failure> {
        let Some(prune) = &self.file.prune else { return Ok(PruneSettings::default()) };
        prune.settings(&self.folder).map_err(|error| Failure::new(Code::Usage, format!("{error:#}")))
    }

    /// How to speak to this node: its own face, known by the key or the certificate that lies here. Where it
    /// has none, as the command line says.
    pub fn context(&self, given: &Context, output: Output) -> Result<Context, Failure> {
        let genesis = self.folder.join(&self.file.genesis);
        let Some(rest) = &self.file.rest else { return given.with_genesis(genesis) };
        let pin = match &rest.certificate {
            Some(certificate) => self.named_key(certificate, output)?,
            // Its own certificates come from its key.
            None => self.key.id(),
        };
        let mut listen = rest.listen;
        if listen.ip().is_unspecified() {
            // Whoever listens everywhere listens here too.
            listen.set_ip(if listen.is_ipv4() {
                [127, 0, 0, 1].into()
            } else {
                std::net::Ipv6Addr::LOCALHOST.into()
            });
        }
        given.of_node(format!("https://{listen}"), NodeTrust::PinnedKey(pin), genesis, &self.folder)
    }

    /// The key of a certificate that the node's file names.
    fn named_key(&self, certificate: &Path, output: Output) -> Result<KeyId, Failure> {
        let certificate = self.folder.join(certificate);
        let found = read_certificates_of(&certificate.display().to_string(), output)?;
        let shown = found.first().and_then(|certificate| Facts::of(&certificate.der).ok());
        let shown = shown.map(|facts| facts.key);
        shown.ok_or_else(|| {
            Failure::new(Code::Error, format!("{} holds no certificate", certificate.display()))
        })
    }
}

/// When a validator was last seen at work.
pub fn seen(last: Option<Height>) -> String {
    last.map_or_else(|| "not seen".to_owned(), |height| format!("last seen in block {height}"))
}

#[derive(Serialize)]
struct Status {
    node: NodeAnswer,
    /// The node's own word; none where it does not answer.
    health: Option<HealthAnswer>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unreachable: Option<String>,
    /// Blocks that it is behind what it knows to be final.
    lag: Option<u64>,
    epoch: u64,
    /// The first block of the next epoch.
    next_epoch_height: u64,
    /// Epochs in a row that it must report as healthy before it may become a validator.
    probation_epochs: u64,
    /// The newest block that it signed or proposed, of those looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    at_work_height: Option<u64>,
    /// What it waits for, in words.
    waits_for: Vec<String>,
    /// The next command, where one is due.
    next: Vec<String>,
    proved_by: Signed,
}

/// Shows how a node is.
pub async fn status(args: StatusArgs, context: &Context, output: Output) -> Done {
    let local = args.data.as_deref().map(Local::open).transpose()?;
    let own = local.as_ref().map(|local| local.context(context, output)).transpose()?;
    let (health, unreachable) = health(own.as_ref().unwrap_or(context)).await?;
    // A node that does not answer, or cannot prove anything now, is looked up at the others.
    let by_itself = match own.as_ref().filter(|_| health.is_some()) {
        Some(own) => Some(look_up(&args, local.as_ref(), own, output).await),
        None => None,
    };
    let found = match by_itself {
        Some(Ok(found)) => Ok(found),
        Some(Err(failure)) => look_up(&args, local.as_ref(), context, output).await.map_err(|_| failure),
        None => look_up(&args, local.as_ref(), context, output).await,
    };
    let Found { node, look } = match found {
        Ok(found) => found,
        Err(failure) => return Err(alone(failure, health.as_ref(), unreachable.as_deref(), output)),
    };
    // Of several nodes of a network the one asked speaks for itself alone.
    let mine = |health: &HealthAnswer| {
        [Some(node.key), node.next_key].iter().flatten().any(|key| hex::encode(key.0) == health.key)
    };
    let health = health.filter(|health| local.is_some() || mine(health));
    let (mut waits_for, next) = look.verdict(&node);
    if let Some(health) = health.as_ref().filter(|health| !mine(health)) {
        waits_for.insert(0, format!("it runs under key {}, which is not its key on the ledger", health.key));
    }
    show(&node, health.as_ref(), unreachable.as_deref().filter(|_| local.is_some()), &look, output);
    waits_for.iter().for_each(|text| output.line(format!("waits for     {text}")));
    next.iter().for_each(|text| output.line(format!("next          {text}")));
    output.line(format!("proof         {}", by_text(&look.by)));
    output.value(&Status {
        lag: health.as_ref().map(|health| health.finalised.saturating_sub(health.height)),
        health,
        unreachable: unreachable.filter(|_| local.is_some()),
        epoch: look.epoch,
        next_epoch_height: look.next_epoch().0,
        probation_epochs: look.probation_epochs,
        at_work_height: look.participation.of(&node.key).and_then(|seen| seen.last).map(|height| height.0),
        waits_for,
        next,
        node: NodeAnswer::from(&node),
        proved_by: Signed::from(&look.by),
    });
    Ok(())
}

/// A node and what the ledger says around it.
struct Found {
    node: Node,
    look: Look,
}

async fn look_up(
    args: &StatusArgs,
    local: Option<&Local>,
    context: &Context,
    output: Output,
) -> Result<Found, Failure> {
    let mut desk = Desk::new(context, output)?;
    let node = match (local, &args.node) {
        (Some(local), _) => of_key(local, &mut desk).await?,
        (None, text) => desk.find_node(text.as_deref().unwrap_or_default(), Sought::Validator).await?,
    };
    let look = Look::at(&node, &mut desk).await?;
    desk.close();
    Ok(Found { node, look })
}

/// Shows at least what the node says of itself, where nobody proves anything.
fn alone(
    failure: Failure,
    health: Option<&HealthAnswer>,
    unreachable: Option<&str>,
    output: Output,
) -> Failure {
    if let Some(health) = health {
        output.line(format!("node          {}, {}", health.node, health.role));
        show_health(health, output);
        output.value(&serde_json::json!({ "health": health }));
    }
    let message = match unreachable {
        Some(reason) => format!("{reason}; {}", failure.message),
        None => failure.message.clone(),
    };
    Failure { message, ..failure }.hint(
        "to see what the ledger says of it, ask other nodes: --network DIR, or --node URL with --genesis",
    )
}

async fn health(context: &Context) -> Result<(Option<HealthAnswer>, Option<String>), Failure> {
    match context.nodes()?.health().await {
        Ok(health) => Ok((Some(health), None)),
        Err(error) => Ok((None, Some(error.to_string()))),
    }
}

async fn of_key(local: &Local, desk: &mut Desk<'_>) -> Result<Node, Failure> {
    let owner = desk.party.owner(&local.key.id(), crate::moment::now()).await?;
    let node = match owner.map(|record| record.owner) {
        Some(Owner::Node(id)) => desk.read::<Node>(node_key(&id)).await?,
        _ => None,
    };
    node.ok_or_else(|| {
        let message = format!("no node of the ledger has the key of {}", local.folder.display());
        Failure::new(Code::Error, message).hint("a node comes onto the ledger by `tabellion node join`")
    })
}

/// What the ledger says around a node.
struct Look {
    nodes: Vec<Node>,
    committee: Committee,
    pending: Pending,
    epoch: u64,
    epoch_blocks: u64,
    probation_epochs: u64,
    boundary: Option<Boundary>,
    participation: Participation,
    by: tabellion_client::ProvedBy,
}

impl Look {
    async fn at(node: &Node, desk: &mut Desk<'_>) -> Result<Self, Failure> {
        let nodes = desk.nodes().await?;
        let parameters: Parameters = desk.founded(parameters_key()).await?;
        let boundary: Option<Boundary> = desk.read(boundary_key()).await?;
        let committee: Committee = desk.founded(committee_key()).await?;
        let pending: Option<Pending> = desk.read(pending_key()).await?;
        let participation = desk.party.participation().await?;
        let (_, by) = desk.read_with_proof::<Node>(node_key(&node.id)).await?;
        let epoch_blocks = parameters.block.epoch_blocks;
        Ok(Self {
            nodes,
            committee,
            pending: pending.unwrap_or_default(),
            epoch: epoch_of(by.header.height.next(), epoch_blocks),
            epoch_blocks,
            probation_epochs: parameters.governance.probation_epochs,
            boundary,
            participation,
            by,
        })
    }

    fn next_epoch(&self) -> Height {
        Height((self.epoch + 1).saturating_mul(self.epoch_blocks))
    }

    /// Epochs in a row that count for the probation: a row that broke counts for nothing.
    fn reports(&self, node: &Node) -> u64 {
        let fresh = self.boundary.zip(node.reported);
        match fresh.is_some_and(|(boundary, last)| last.0 + self.epoch_blocks >= boundary.height.0) {
            true => node.reports,
            false => 0,
        }
    }

    /// What the node waits for, and the commands that are due.
    fn verdict(&self, node: &Node) -> (Vec<String>, Vec<String>) {
        let (mut waits, mut next) = (Vec::new(), Vec::new());
        let (name, epoch) = (&node.name, self.next_epoch());
        if let Some(removed) = node.removed {
            waits.push(format!("nothing: it was taken off the ledger in block {}", removed.height));
            return (waits, next);
        }
        if let Some(key) = node.next_key {
            waits.push(format!("the end of the epoch: key {} takes over with block {epoch}", key.id()));
        }
        for seat in &self.pending.seats {
            match seat.change {
                SeatChange::Add { node: id } | SeatChange::Replace { new: id, .. } if id == node.id => {
                    waits.push(format!("the end of the epoch: it votes from block {epoch} on"));
                    return (waits, next);
                }
                SeatChange::Remove { node: id } | SeatChange::Replace { old: id, .. } if id == node.id => {
                    waits.push(format!("the end of the epoch: it votes no more from block {epoch} on"));
                }
                _ => {}
            }
        }
        if node.is_validator() {
            return (waits, next);
        }
        if !self.committee.nodes.iter().any(|known| known.id == node.id) {
            waits.push(format!("the end of the epoch: it joined, and follows from block {epoch} on"));
        } else if node.role == NodeRole::Full {
            self.candidate(node, name, &mut waits, &mut next);
        }
        (waits, next)
    }

    fn candidate(&self, node: &Node, name: &str, waits: &mut Vec<String>, next: &mut Vec<String>) {
        let same =
            |other: &&Node| other.name == node.name && other.member == node.member && other.is_validator();
        let namesake = self.nodes.iter().find(same);
        if namesake.is_some_and(|other| other.joined.height > node.joined.height) {
            waits.push("nothing: another node took its place".to_owned());
            next.push(format!("tabellion node remove {}", node.id));
            return;
        }
        let (reports, needed) = (self.reports(node), self.probation_epochs);
        if reports < needed {
            waits.push(format!(
                "the end of its probation: {reports} of {needed} healthy epochs; it reports by itself while \
                 it runs"
            ));
            return;
        }
        match namesake.filter(|old| successor(old, &self.nodes).is_some_and(|new| new.id == node.id)) {
            Some(_) => {
                waits.push("a vote: it may take the place of the validator of its name".to_owned());
                next.push(format!("tabellion propose replace-validator {name}"));
            }
            None => {
                waits.push("a vote, if it is to vote itself: its probation is over".to_owned());
                next.push(format!("tabellion propose add-validator {name}"));
            }
        }
    }
}

fn show_health(health: &HealthAnswer, output: Output) {
    let lag = health.finalised.saturating_sub(health.height);
    let since = span(health.since_block_ms);
    let word = output.verdict(&health.status, health.status == "ok");
    output.line(format!("health        {}", word.trim_end()));
    output.line(format!("height        {}, {lag} behind; last block {since} ago", health.height));
    output.line(format!("pool          {}", health.pool));
    if let Some(lacking) = health.lacking_blocks {
        output.line(format!("lacks         certificates of {lacking} blocks"));
    }
}

fn show(node: &Node, health: Option<&HealthAnswer>, unreachable: Option<&str>, look: &Look, output: Output) {
    output.line(format!("node          {} of {}, {}", node.name, node.member, node.role));
    output.line(format!("identifier    {}", node.id));
    output.line(format!("key           {}", node.key.id()));
    output.line(format!("address       {}", node.address));
    match (health, unreachable) {
        (Some(health), _) => {
            show_health(health, output);
            let others = look.committee.nodes.len().saturating_sub(1);
            output.line(format!("peers         {} of {others} nodes", health.peers));
        }
        (None, Some(reason)) => {
            output.line(format!("health        {}: {reason}", output.verdict("does not answer", false)));
        }
        (None, None) => {}
    }
    let Look { epoch, participation, .. } = look;
    let (next, height) = (look.next_epoch(), look.by.header.height);
    output.line(format!("epoch         {epoch}, at block {height}; the next begins with block {next}"));
    match participation.of(&node.key) {
        Some(found) => {
            let (from, newest) = (participation.from, participation.newest);
            output.line(format!("votes         {} (of {from} to {newest})", seen(found.last)));
        }
        None if node.role == NodeRole::Full => {
            let (reports, needed) = (look.reports(node), look.probation_epochs);
            output.line(format!("reports       {reports} healthy epochs in a row; {needed} are asked for"));
        }
        None => {}
    }
}
