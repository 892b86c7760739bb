//! How a command on the same host speaks to a running node: a lock that says that it runs, and a socket
//! beside its data that only its owner can open.
//!
//! ```text
//! tabellion node drain --data DIR --line of JSON--> control.sock --> running node
//!                                <--lines of JSON--- draining ... stopped
//! ```
//!
//! No process is looked up by a number: whoever answers on the socket is the node. A socket that a killed
//! node left behind answers nobody, and the next start replaces it.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions, Permissions, TryLockError};
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use tabellion_node::{PruneReport, Pruned};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// Held by the process that runs the node.
const LOCK_FILE: &str = "node.lock";
/// Where the running node listens.
const SOCKET_FILE: &str = "control.sock";
/// Bytes of a request.
const REQUEST_BYTES_MAX: u64 = 4096;
/// How long a request may take to arrive.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);
/// How long the last words of a node may take to be read.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// What a command asks of a running node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Request {
    /// Go out of service in order.
    Drain {
        /// How long to say "not ready" before stopping.
        notice_ms: u64,
        /// How long to wait then for what clients gave.
        wait_ms: u64,
    },
    /// Delete bodies in which nothing is needed any more, and give the room back to the disk.
    Prune {
        /// Only say what would go.
        dry_run: bool,
        /// How long bodies are kept after their end; the node's own setting where none is given.
        keep_ms: Option<u64>,
    },
}

/// What a running node answers, line by line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum Answer {
    /// It takes nothing new.
    Draining {
        /// Transactions of its clients that are not decided yet.
        own: usize,
        /// All that wait in its pool.
        pool: usize,
        /// How long it goes on at least.
        notice_left_ms: u64,
    },
    /// It stops its parts.
    Stopping {
        /// Transactions of its clients that go on waiting in its journal.
        left: usize,
    },
    /// It has stopped, and its state is on disk.
    Stopped {
        /// The newest block.
        height: u64,
    },
    /// What would be deleted.
    Plan(PruneNumbers),
    /// Bodies are deleted; the node stops for a moment and gives the room back to the disk.
    Compacting(PruneNumbers),
    /// The node runs again.
    Compacted(DiskNumbers),
    /// It could not do what was asked for.
    Failed {
        /// Why.
        reason: String,
    },
}

/// Bodies that go, or went.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PruneNumbers {
    /// Bodies.
    pub bodies: u64,
    /// Transactions in them.
    pub transactions: u64,
    /// Bytes of those.
    pub bytes: u64,
    /// Blocks of which a body goes; known of what would be deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blocks: Option<u64>,
    /// Certificates whose publication is in them; the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificates: Option<u64>,
    /// Bytes of each lane, by its name; the same.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub lanes: BTreeMap<String, u64>,
}

/// What the store takes on the disk. Unit: bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskNumbers {
    /// Before bodies were deleted.
    pub disk_before: u64,
    /// Now.
    pub disk_after: u64,
}

impl DiskNumbers {
    /// What was given back.
    pub fn freed(&self) -> u64 {
        self.disk_before.saturating_sub(self.disk_after)
    }
}

impl From<&PruneReport> for PruneNumbers {
    fn from(report: &PruneReport) -> Self {
        let lanes = report.lanes.iter().map(|(lane, pruned)| (lane.clone(), pruned.bytes)).collect();
        let (blocks, certificates) = (Some(report.blocks), Some(report.certificates));
        Self { blocks, certificates, lanes, ..Self::from(report.sum) }
    }
}

impl From<Pruned> for PruneNumbers {
    fn from(Pruned { bodies, transactions, bytes }: Pruned) -> Self {
        Self { bodies, transactions, bytes, ..Self::default() }
    }
}

/// A request and where its answers go.
pub struct Asked {
    /// The request.
    pub request: Request,
    /// The answers.
    pub answers: mpsc::UnboundedSender<Answer>,
}

/// The running node's end.
pub struct Control {
    _lock: File,
    socket: PathBuf,
    asked: mpsc::Receiver<Asked>,
    listening: JoinHandle<()>,
    talks: mpsc::Sender<()>,
    silent: mpsc::Receiver<()>,
}

impl Control {
    /// Takes the lock of a node's data folder and listens there.
    ///
    /// Errors: another process runs the node.
    pub fn open(data: &Path) -> Result<Self> {
        fs::create_dir_all(data).with_context(|| format!("cannot make folder {}", data.display()))?;
        let lock = data.join(LOCK_FILE);
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(&lock);
        let file = file.with_context(|| format!("cannot open {}", lock.display()))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                bail!("another process runs this node already (it holds {})", lock.display())
            }
            Err(TryLockError::Error(error)) => {
                return Err(error).with_context(|| format!("cannot lock {}", lock.display()));
            }
        }
        let socket = data.join(SOCKET_FILE);
        // Ours by the lock: whoever made it is gone.
        let _ = fs::remove_file(&socket);
        let listener = at(data, |path| UnixListener::bind(path));
        let listener = listener.with_context(|| format!("cannot listen on {}", socket.display()))?;
        fs::set_permissions(&socket, Permissions::from_mode(0o600))
            .with_context(|| format!("cannot protect {}", socket.display()))?;
        let (ask, asked) = mpsc::channel(1);
        let (talks, silent) = mpsc::channel(1);
        let listening = tokio::spawn(listen(listener, ask, talks.clone()));
        Ok(Self { _lock: file, socket, asked, listening, talks, silent })
    }

    /// The next request.
    pub async fn next(&mut self) -> Asked {
        match self.asked.recv().await {
            Some(asked) => asked,
            // Nobody listens any more: nobody asks.
            None => std::future::pending().await,
        }
    }

    /// Lets the last answers be read, then gives the lock back.
    pub async fn close(mut self) {
        self.listening.abort();
        drop(self.talks);
        let _ = tokio::time::timeout(LAST_WORDS, self.silent.recv()).await;
        let _ = fs::remove_file(&self.socket);
    }
}

/// Runs `open` with a path to the socket that is short enough for the system, however deep the folder lies.
fn at<T>(data: &Path, open: impl FnOnce(&Path) -> std::io::Result<T>) -> std::io::Result<T> {
    let folder = File::open(data)?;
    open(&PathBuf::from(format!("/proc/self/fd/{}/{SOCKET_FILE}", folder.as_raw_fd())))
}

async fn listen(listener: UnixListener, ask: mpsc::Sender<Asked>, talks: mpsc::Sender<()>) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(talk(stream, ask.clone(), talks.clone()));
    }
}

/// One conversation; `_talks` lives as long as it goes on.
async fn talk(stream: UnixStream, ask: mpsc::Sender<Asked>, _talks: mpsc::Sender<()>) {
    let (input, mut output) = stream.into_split();
    let mut line = String::new();
    let mut input = BufReader::new(input.take(REQUEST_BYTES_MAX));
    let Ok(Ok(_)) = tokio::time::timeout(REQUEST_TIMEOUT, input.read_line(&mut line)).await else { return };
    let Ok(request) = serde_json::from_str::<Request>(&line) else { return };
    let (answers, mut told) = mpsc::unbounded_channel();
    if ask.send(Asked { request, answers }).await.is_err() {
        return;
    }
    while let Some(answer) = told.recv().await {
        let Ok(mut text) = serde_json::to_vec(&answer) else { return };
        text.push(b'\n');
        // Whoever asked may have gone; what was asked is done all the same.
        if output.write_all(&text).await.is_err() {
            return;
        }
    }
}

/// Asks the node that runs over a data folder; `None` where none does. Each answer goes to `told`.
pub async fn ask(data: &Path, request: Request, mut told: impl FnMut(Answer)) -> Result<Option<()>> {
    // Connecting does not block: the system answers at once.
    let stream = match at(data, |path| std::os::unix::net::UnixStream::connect(path)) {
        Ok(stream) => stream,
        Err(error) => {
            use std::io::ErrorKind::{ConnectionRefused, NotFound};
            if matches!(error.kind(), ConnectionRefused | NotFound) {
                return Ok(None);
            }
            let socket = data.join(SOCKET_FILE);
            return Err(error).with_context(|| format!("cannot speak to {}", socket.display()));
        }
    };
    stream.set_nonblocking(true).context("cannot speak to the node")?;
    let stream = UnixStream::from_std(stream).context("cannot speak to the node")?;
    let (input, mut output) = stream.into_split();
    let mut text = serde_json::to_vec(&request).context("cannot write the request")?;
    text.push(b'\n');
    output.write_all(&text).await.context("the node does not listen")?;
    let mut lines = BufReader::new(input).lines();
    while let Some(line) = lines.next_line().await.context("the node broke off")? {
        told(serde_json::from_str(&line).context("the node answers in another version's words")?);
    }
    Ok(Some(()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DRAIN: Request = Request::Drain { notice_ms: 1, wait_ms: 2 };

    #[tokio::test]
    async fn a_node_is_asked_through_its_folder_and_nobody_answers_once_it_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        // Deeper than a socket's address may be long.
        let data = folder.path().join("d".repeat(120));
        assert_eq!(ask(&data, DRAIN, |_| ()).await.unwrap(), None, "no folder");
        let mut control = Control::open(&data).unwrap();
        assert!(Control::open(&data).is_err_and(|error| error.to_string().contains("runs this node")));
        let answers = vec![Answer::Stopping { left: 0 }, Answer::Stopped { height: 7 }];
        let node = async {
            let Asked { request, answers: out } = control.next().await;
            assert_eq!(request, DRAIN);
            answers.iter().for_each(|answer| out.send(answer.clone()).unwrap());
            drop(out);
            control.close().await;
        };
        let mut heard = Vec::new();
        let ((), asked) = futures::join!(node, ask(&data, DRAIN, |answer| heard.push(answer)));
        assert_eq!((asked.unwrap(), heard), (Some(()), answers));
        assert_eq!(ask(&data, DRAIN, |_| ()).await.unwrap(), None, "it is gone");
        // What a killed node leaves behind: a socket that nobody listens on.
        drop(at(&data, |path| std::os::unix::net::UnixListener::bind(path)).unwrap());
        assert_eq!(ask(&data, DRAIN, |_| ()).await.unwrap(), None, "nobody listens");
        drop(Control::open(&data).unwrap());
    }
}
