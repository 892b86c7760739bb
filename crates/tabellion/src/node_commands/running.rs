//! A node while it runs: its key changes hands, its certificate is renewed, it is taken out of service.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use tabellion_client::{node_key_of, read_key_file};
use tabellion_consortium::NodeKey;
use tabellion_node::store::{Store, StoreConfig};
use tabellion_node::sync::STORE_FOLDER;
use tabellion_node::{Drain, DrainProgress, Node, PruneError, PruneSettings, now};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use super::control::{Answer, Asked, Control, DiskNumbers, PruneNumbers, Request};
use super::files::{NEXT_KEY_FILE, NodeFile, read_toml, replace_file};
use super::run::{Setup, setup};
use super::status_file::StatusKeys;
use super::tls::Face;

/// How often is looked whether a certificate is due, was renewed on disk, or a key took over.
const LOOK: Duration = Duration::from_secs(2);

/// A node that runs, and the files it came from.
pub struct Running {
    file: PathBuf,
    name: String,
    node: Node,
    keys: FaceKeys,
    control: Control,
    /// Folder of its store.
    store: PathBuf,
    /// How bodies are deleted, unless a request says otherwise.
    prune: PruneSettings,
    /// A key that the ledger names and nobody here has.
    unknown: Option<NodeKey>,
}

/// Where the answers to a request go.
type Answers = mpsc::UnboundedSender<Answer>;

/// When a file was written, and its length.
pub type FileStamp = Option<(SystemTime, u64)>;

/// When a file was written; `None` where it is not there.
pub fn stamp(path: &Path) -> FileStamp {
    let meta = std::fs::metadata(path).ok()?;
    Some((meta.modified().ok()?, meta.len()))
}

/// Certificates and keys of a node's faces, which are renewed while it runs.
pub struct FaceKeys {
    face: Option<Face>,
    status: Option<StatusKeys>,
}

impl FaceKeys {
    /// As they were read.
    pub fn new(face: Option<Face>, status: Option<StatusKeys>) -> Self {
        Self { face, status }
    }

    /// Takes over what was renewed since the last look, and renews what is due.
    pub fn renew(&mut self, name: &str) {
        match self.face.as_mut().map_or(Ok(false), |face| face.renew(now())) {
            Ok(false) => {}
            Ok(true) => eprintln!("node {name} shows a new certificate"),
            Err(error) => eprintln!("warning: the renewed certificate is not used: {error:#}"),
        }
        self.renew_status_keys(name);
    }

    /// Shows a certificate of the key in this file.
    fn run_under(&mut self, key: &Path) -> Result<()> {
        self.face.as_mut().map_or(Ok(()), |face| face.run_under(key, now()))
    }

    /// Answers OCSP and signs CRLs with keys that were renewed on disk.
    fn renew_status_keys(&mut self, name: &str) {
        match self.status.as_mut().and_then(|status| status.renew()) {
            None => {}
            Some(Ok(())) => eprintln!("node {name} signs statuses with its renewed keys"),
            Some(Err(error)) => eprintln!("warning: the renewed status keys are not used: {error:#}"),
        }
    }
}

impl Running {
    /// Starts the node of a file. At most one process runs it.
    pub async fn start(file: &Path) -> Result<Self> {
        let Setup { settings, face, status, prune } = setup(file, None)?;
        let (name, data) = (settings.name.clone(), settings.data.clone());
        let control = Control::open(&data)?;
        let store = data.join(STORE_FOLDER);
        let node = Node::start(settings).await?;
        let (file, mut keys, unknown) = (file.to_owned(), FaceKeys::new(face, status), None);
        // The state chose the key, not the file.
        if let Some(key) = key_file(&file, &node.core().key()) {
            keys.run_under(&key)?;
        }
        let running = Self { file, name, node, keys, control, store, prune, unknown };
        running.settle_key();
        Ok(running)
    }

    /// The node.
    pub fn node(&self) -> &Node {
        &self.node
    }

    /// Runs until `stop` says so, the node fails or is taken out of service; then stops it in order.
    async fn run(mut self, mut stop: watch::Receiver<bool>) -> Result<()> {
        let mut look = tokio::time::interval(LOOK);
        loop {
            tokio::select! {
                () = stopped(&mut stop) => {
                    let outcome = self.node.stop().await;
                    self.control.close().await;
                    return Ok(outcome?);
                }
                () = self.node.failed() => {
                    eprintln!("a part of node {} failed; stopping", self.name);
                    return Ok(self.node.stop().await?);
                }
                Asked { request, answers } = self.control.next() => match request {
                    Request::Drain { notice_ms, wait_ms } => {
                        let notice = Duration::from_millis(notice_ms);
                        let drain = Drain { notice, wait: Duration::from_millis(wait_ms) };
                        return self.drain(drain, answers).await;
                    }
                    Request::Prune { dry_run, keep_ms } => {
                        self = self.prune(dry_run, keep_ms, answers).await?;
                    }
                },
                key = self.node.other_key(self.unknown) => match key_file(&self.file, &key) {
                    Some(_) => self = self.switch(key).await?,
                    None => {
                        let (key_id, name) = (key.id(), &self.name);
                        eprintln!("warning: the ledger names key {key_id} for node {name}; no file has it");
                        self.unknown = Some(key);
                    }
                },
                _ = look.tick() => {
                    // A key that was missing may have come.
                    self.unknown = self.unknown.filter(|key| key_file(&self.file, key).is_none());
                    self.settle_key();
                    self.keys.renew(&self.name);
                }
            }
        }
    }

    /// Stops the node and starts it again with another of its keys.
    ///
    /// A crash on the way leaves both key files; the next start takes the one that the ledger names.
    async fn switch(self, key: NodeKey) -> Result<Self> {
        let Self { file, name, node, control, .. } = self;
        eprintln!("node {name} goes on with key {}", key.id());
        node.stop().await?;
        Self::go_on(file, name, control, &key).await.context("the node does not start with its next key")
    }

    /// Starts the node again that stopped in this process.
    async fn go_on(file: PathBuf, name: String, control: Control, key: &NodeKey) -> Result<Self> {
        let Setup { settings, face, status, prune } = setup(&file, Some(key))?;
        let store = settings.data.join(STORE_FOLDER);
        let node = Node::start(settings).await?;
        let (keys, unknown) = (FaceKeys::new(face, status), None);
        let running = Self { file, name, node, keys, control, store, prune, unknown };
        running.settle_key();
        Ok(running)
    }

    /// Puts the next key's file into the place of the present one's once the ledger names that key. The old
    /// key is retired then, and never comes back.
    fn settle_key(&self) {
        let next = next_key_file(&self.file);
        let named = self.node.core().named_keys().now;
        if named.is_none() || named != key_in(&next) {
            return;
        }
        let place = read_toml::<NodeFile>(&self.file).map(|node| folder(&self.file).join(&node.key));
        match place.and_then(|place| replace_file(&next, &place)) {
            Ok(()) => eprintln!("node {}: the next key is now its key", self.name),
            Err(error) => eprintln!("warning: the key files stay as they are: {error:#}"),
        }
    }

    /// Deletes bodies that have ended; the node goes on meanwhile. Then it stops for as long as its files
    /// take to shrink, and starts again.
    async fn prune(self, dry_run: bool, keep_ms: Option<u64>, answers: Answers) -> Result<Self> {
        let tell = |answer| drop(answers.send(answer));
        let keep_ms = keep_ms.unwrap_or(self.prune.keep_ms);
        if dry_run {
            tell(Answer::Plan(PruneNumbers::from(&self.node.prune_report(keep_ms).await?)));
            return Ok(self);
        }
        let disk_before = Store::disk_bytes(&self.store);
        let pruned = match self.node.prune(PruneSettings { keep_ms, ..self.prune.clone() }).await {
            Ok(pruned) => pruned,
            Err(error @ PruneError::Archive(_)) => {
                tell(Answer::Failed { reason: tabellion_node::chain(&error) });
                return Ok(self);
            }
            Err(error) => return Err(error.into()),
        };
        eprintln!("node {} stops for a moment and gives room back to the disk", self.name);
        tell(Answer::Compacting(pruned.into()));
        let Self { file, name, node, control, store, .. } = self;
        let (ledger, key) = (node.core().ledger(), node.core().key());
        node.stop().await?;
        let folder = store.clone();
        let compacting =
            tokio::task::spawn_blocking(move || Store::compact(&folder, ledger, StoreConfig::default()));
        let compacted = compacting.await.context("the files were not shrunk")?;
        let running = Self::go_on(file, name, control, &key).await?;
        eprintln!("node {} goes on", running.name);
        tell(match compacted {
            Ok(_) => Answer::Compacted(DiskNumbers { disk_before, disk_after: Store::disk_bytes(&store) }),
            Err(error) => Answer::Failed { reason: tabellion_node::chain(&error) },
        });
        Ok(running)
    }

    async fn drain(self, drain: Drain, answers: Answers) -> Result<()> {
        eprintln!("node {} is taken out of service", self.name);
        // Whoever asked may have gone; the node goes out of service all the same.
        let tell = |answer| drop(answers.send(answer));
        let progress = |DrainProgress { own, pool, notice_left }: DrainProgress| {
            let notice_left_ms = u64::try_from(notice_left.as_millis()).unwrap_or(u64::MAX);
            tell(Answer::Draining { own, pool, notice_left_ms });
        };
        let left = self.node.drain(drain, progress).await;
        let core = self.node.core().clone();
        tell(Answer::Stopping { left });
        let height = core.newest().height.0;
        drop(core);
        let outcome = self.node.stop().await;
        tell(match &outcome {
            Ok(()) => Answer::Stopped { height },
            Err(error) => Answer::Failed { reason: tabellion_node::chain(error) },
        });
        drop(answers);
        self.control.close().await;
        Ok(outcome?)
    }
}

async fn stopped(stop: &mut watch::Receiver<bool>) {
    // An error means that whoever stops is gone, which is a stop too.
    let _ = stop.wait_for(|stop| *stop).await;
}

fn folder(file: &Path) -> &Path {
    file.parent().unwrap_or(Path::new("."))
}

fn next_key_file(file: &Path) -> PathBuf {
    folder(file).join(NEXT_KEY_FILE)
}

fn key_in(file: &Path) -> Option<NodeKey> {
    let key = read_key_file(file, || None).ok()?;
    node_key_of(&key)
}

/// The file that has a key: the present one's or the next one's.
pub fn key_file(file: &Path, key: &NodeKey) -> Option<PathBuf> {
    let node: NodeFile = read_toml(file).ok()?;
    [folder(file).join(&node.key), next_key_file(file)].into_iter().find(|path| key_in(path) == Some(*key))
}

/// Runs nodes until `stopped` resolves, one of them fails, or all were taken out of service.
pub async fn run_all(nodes: Vec<Running>, stopped: impl Future<Output = ()>) -> Result<()> {
    let (stop, stops) = watch::channel(false);
    let mut tasks = JoinSet::new();
    for node in nodes {
        tasks.spawn(node.run(stops.clone()));
    }
    let mut outcome = Ok(());
    tokio::pin!(stopped);
    let mut is_stopped = false;
    loop {
        tokio::select! {
            () = &mut stopped, if !is_stopped => {
                eprintln!("stopping");
                is_stopped = true;
                stop.send_replace(true);
            }
            ended = tasks.join_next() => match ended {
                None => return outcome,
                Some(ended) => {
                    let ended = ended.unwrap_or_else(|error| Err(error.into()));
                    if ended.is_err() {
                        stop.send_replace(true);
                    }
                    outcome = outcome.and(ended);
                }
            }
        }
    }
}
