//! A folder in which files of blocks are laid.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use tabellion_client::CarriedReader;
use tabellion_ledger::Height;

use super::follower::Follower;
use super::import::{ImportError, import};
use super::status::EdgeStatus;
use crate::error::{NodeError, chain};

/// Folder within the inbox for files that were taken.
pub const TAKEN_FOLDER: &str = "taken";
/// Folder within the inbox for files that were refused; beside each a text with the reason.
pub const REFUSED_FOLDER: &str = "refused";
/// End of the name of a file that is not to be looked at yet.
const PART: &str = "part";

/// When a file was last written, and its length.
type Stamp = (SystemTime, u64);

/// Watches a folder.
pub(super) struct Inbox {
    folder: PathBuf,
    /// What was there at the last look: a file is read once it does not grow any more.
    seen: BTreeMap<PathBuf, Stamp>,
}

impl Inbox {
    /// Makes the folders where they are missing.
    pub(super) fn open(folder: PathBuf) -> Result<Self, NodeError> {
        for path in [folder.join(TAKEN_FOLDER), folder.join(REFUSED_FOLDER)] {
            fs::create_dir_all(&path).map_err(fault("make the folder", &path))?;
        }
        Ok(Self { folder, seen: BTreeMap::new() })
    }

    /// Takes or refuses the files that have come to rest since the last look, lowest blocks first.
    pub(super) fn look(&mut self, follower: &mut Follower, status: &EdgeStatus) -> Result<(), NodeError> {
        let there = self.files().map_err(fault("read the folder", &self.folder))?;
        let rested = there.iter().filter(|(path, stamp)| self.seen.get(*path) == Some(*stamp));
        let mut rested: Vec<_> = rested.map(|(path, _)| (first_block(path), path.clone())).collect();
        rested.sort();
        self.seen = there;
        for (_, path) in rested {
            self.take(follower, status, &path)?;
        }
        Ok(())
    }

    fn files(&self) -> io::Result<BTreeMap<PathBuf, Stamp>> {
        let mut files = BTreeMap::new();
        for entry in fs::read_dir(&self.folder)? {
            let (path, meta) = entry.and_then(|entry| Ok((entry.path(), entry.metadata()?)))?;
            let hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
            if meta.is_file() && !hidden && path.extension().is_none_or(|end| end != PART) {
                files.insert(path, (meta.modified()?, meta.len()));
            }
        }
        Ok(files)
    }

    fn take(&mut self, follower: &mut Follower, status: &EdgeStatus, path: &Path) -> Result<(), NodeError> {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        match import(follower, path) {
            Ok(imported) => {
                tracing::info!(file = name, last = %imported.last, new = imported.new, "a file was taken");
                status.file(&name, None);
                self.put_away(path, TAKEN_FOLDER)
            }
            Err(ImportError::Node(error)) => Err(error),
            Err(error) => {
                let reason = chain(&error);
                tracing::warn!(file = name, reason, "a file was refused");
                status.file(&name, Some(&reason));
                let why = self.folder.join(REFUSED_FOLDER).join(format!("{name}.why"));
                fs::write(&why, format!("{reason}\n{}\n", error.advice())).map_err(fault("write", &why))?;
                self.put_away(path, REFUSED_FOLDER)
            }
        }
    }

    fn put_away(&mut self, path: &Path, folder: &str) -> Result<(), NodeError> {
        self.seen.remove(path);
        let to = self.folder.join(folder).join(path.file_name().unwrap_or_default());
        fs::rename(path, &to).map_err(fault("put away", path))
    }
}

fn first_block(path: &Path) -> Height {
    let reader = File::open(path).ok().and_then(|file| CarriedReader::open(BufReader::new(file)).ok());
    reader.map_or(Height(0), |reader| reader.head().first)
}

fn fault(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> NodeError {
    let path = path.to_owned();
    move |source| NodeError::File { action, path, source }
}
