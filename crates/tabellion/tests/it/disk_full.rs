//! A disk that is full under one node of four.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use crate::processes::{NODES, Network, PATIENCE, TABELLION};

/// The node whose disk is full.
const VICTIM: usize = 3;
/// Size of its disk at first.
const SMALL: &str = "16m";
/// How the disk fills: little by little, so that whatever writes most stops the node; and at once, so that
/// the next vote does.
const ROUNDS: [Round; 2] =
    [Round { left: 200 * 1024, size_after: "64m" }, Round { left: 0, size_after: "128m" }];

struct Round {
    /// Bytes that are left when publishing goes on.
    left: u64,
    /// Size of the disk once there is room again.
    size_after: &'static str,
}

/// A disk of its own for one folder: a file system in memory, which only those see who enter its mount
/// namespace. It goes with the process that holds the namespace.
struct Disk {
    holder: Child,
    /// Closed, it ends the holder.
    held: Option<ChildStdin>,
    folder: PathBuf,
    is_root: bool,
}

impl Disk {
    fn mount(folder: &Path, size: &str) -> Self {
        fs::create_dir_all(folder).unwrap();
        let is_root = user_id() == 0;
        // Whoever is not root is root in a user namespace of its own.
        let namespaces = if is_root { "-m" } else { "-Urm" };
        let script = r#"mount -t tmpfs -o size="$1" none "$2" && echo mounted && exec cat"#;
        let mut holder = Command::new("unshare")
            .args([namespaces, "sh", "-c", script, "sh", size])
            .arg(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("unshare (util-linux) runs");
        let mut line = String::new();
        BufReader::new(holder.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "mounted\n", "a file system can be mounted in a namespace of our own");
        let held = holder.stdin.take();
        Self { holder, held, folder: folder.to_owned(), is_root }
    }

    /// A command that sees the disk.
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["-t", &self.holder.id().to_string(), "-m"]);
        if !self.is_root {
            command.args(["-U", "--preserve-credentials"]);
        }
        command.args(["--", program]);
        command
    }

    fn free_bytes(&self) -> u64 {
        let output = self.command("df").args(["--output=avail", "-B1"]).arg(&self.folder).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines().last().unwrap().trim().parse().unwrap()
    }

    /// Leaves only so many bytes free, as another program's files would.
    fn fill(&self, left: u64) {
        let bytes = self.free_bytes() - left;
        let file = format!("of={}", self.folder.join(format!("foreign-{bytes}")).display());
        let count = format!("count={bytes}");
        let mut dd = self.command("dd");
        dd.args(["if=/dev/zero", &file, &count, "iflag=count_bytes", "bs=64k", "status=none"]);
        // What the node writes meanwhile is missing here: full it is either way.
        let _ = dd.stderr(Stdio::null()).status().unwrap();
        assert!(self.free_bytes() <= left);
    }

    fn resize(&self, size: &str) {
        let options = format!("remount,size={size}");
        let resized =
            self.command("mount").args(["-o", &options, "none"]).arg(&self.folder).status().unwrap();
        assert!(resized.success());
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        drop(self.held.take());
        self.holder.wait().unwrap();
    }
}

fn user_id() -> u32 {
    use std::os::unix::fs::MetadataExt;
    fs::metadata("/proc/self").unwrap().uid()
}

fn start_on(disk: &Disk, network: &mut Network) {
    let name = NODES[VICTIM];
    let log = fs::OpenOptions::new().create(true).append(true).open(log_file(network)).unwrap();
    // Whoever enters the namespace leaves the working folder.
    let config = network.path().join(format!("net/nodes/{name}"));
    let child = disk
        .command(TABELLION)
        .args(["node", "--config"])
        .arg(config)
        .stdout(Stdio::null())
        .stderr(log)
        .env("RUST_BACKTRACE", "0")
        .spawn();
    network.nodes[VICTIM] = Some(child.unwrap());
}

fn log_file(network: &Network) -> PathBuf {
    network.path().join(format!("{}.log", NODES[VICTIM]))
}

/// Publishes until the node ends by itself; how it ended.
fn publish_until_it_stops(network: &mut Network) -> std::process::ExitStatus {
    let begin = Instant::now();
    loop {
        network.publish_until_acknowledged("with one disk full or nearly so");
        if let Some(status) = network.nodes[VICTIM].as_mut().unwrap().try_wait().unwrap() {
            network.nodes[VICTIM] = None;
            return status;
        }
        assert!(begin.elapsed() < PATIENCE, "the node runs on with a full disk\n{}", network.logs());
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

/// What a node said since its log had this length.
fn said_since(network: &Network, length: usize) -> String {
    fs::read_to_string(log_file(network)).unwrap().split_off(length)
}

/// X.1409 L5, L6: a node whose disk is full stops and says so, the others go on; once there is room it comes
/// back by itself, and nothing acknowledged is lost.
#[test]
fn a_full_disk_under_one_of_four_processes_stops_that_node_alone() {
    let mut network = Network::make();
    let data = network.path().join(format!("net/nodes/{}/data", NODES[VICTIM]));
    let disk = Disk::mount(&data, SMALL);
    (0..VICTIM).for_each(|index| network.start_node(index));
    start_on(&disk, &mut network);
    network.publish_until_acknowledged("after the start");
    network.wait_for(VICTIM);

    for Round { left, size_after } in ROUNDS {
        let before = said_since(&network, 0).len();
        disk.fill(left);
        let status = publish_until_it_stops(&mut network);
        assert_eq!(status.code(), Some(1), "stopped in order\n{}", network.logs());
        let said = said_since(&network, before);
        let error = said.lines().find(|line| line.starts_with("error: ")).expect("an error is told");
        assert!(error.contains(&data.display().to_string()), "says where: {error}");
        let hint = said.lines().find(|line| line.starts_with("hint: ")).expect("a hint is given");
        assert!(hint.contains("the disk is full: make room"), "says what to do: {hint}");
        assert!(!said.contains("panicked"), "stopped without a panic\n{said}");
        network.publish_until_acknowledged("with one node stopped by its disk");

        disk.resize(size_after);
        start_on(&disk, &mut network);
        network.publish_until_acknowledged("after the node's return");
        network.wait_for(VICTIM);
    }
    network.check_nothing_is_lost();
}
