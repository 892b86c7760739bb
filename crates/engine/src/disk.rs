//! What tells an engine's folder from a copy of it.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;
use std::time::UNIX_EPOCH;

/// A file whose place on the disk is the folder's identity.
const MARK: &str = "disk";
/// What stands in it, for people.
const TEXT: &str = "This file's place on the disk tells this folder from a copy of it. Leave it alone.\n";
/// A file by which an operator says that no later state of this folder ever ran. It counts for one start.
const VOUCHED: &str = "vouched";

/// The folder's identity, and whether an operator vouches for it.
///
/// The identity is the mark's inode and time of birth: files that are copied or restored get new ones. The
/// device's number is left out, since it may change when a machine restarts. What is restored below the file
/// system, a snapshot of a whole disk, keeps both; that is for the guard to hear from the other nodes.
pub(crate) fn identify(folder: &Path) -> io::Result<(Vec<u8>, bool)> {
    let path = folder.join(MARK);
    match OpenOptions::new().write(true).create_new(true).open(&path) {
        Ok(mut file) => file.write_all(TEXT.as_bytes()).and_then(|()| file.sync_all())?,
        Err(err) if err.kind() == io::ErrorKind::AlreadyExists => {}
        Err(err) => return Err(err),
    }
    let vouched = match fs::remove_file(folder.join(VOUCHED)) {
        Ok(()) => true,
        Err(err) if err.kind() == io::ErrorKind::NotFound => false,
        Err(err) => return Err(err),
    };
    Ok((identity(&fs::metadata(&path)?), vouched))
}

fn identity(mark: &fs::Metadata) -> Vec<u8> {
    // Not every file system knows when a file was made.
    let born = mark.created().ok().and_then(|born| born.duration_since(UNIX_EPOCH).ok());
    let born = born.unwrap_or_default().as_nanos();
    [inode(mark).to_be_bytes().as_slice(), &born.to_be_bytes()].concat()
}

#[cfg(unix)]
fn inode(mark: &fs::Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::ino(mark)
}

#[cfg(not(unix))]
fn inode(_: &fs::Metadata) -> u64 {
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_of_a_folder_is_told_from_it() {
        let folder = tempfile::tempdir().unwrap();
        let (first, vouched) = identify(folder.path()).unwrap();
        assert!(!vouched);
        assert_eq!(identify(folder.path()).unwrap(), (first.clone(), false), "the same folder");
        let copy = tempfile::tempdir().unwrap();
        fs::copy(folder.path().join(MARK), copy.path().join(MARK)).unwrap();
        assert_ne!(identify(copy.path()).unwrap().0, first);
    }

    #[test]
    fn an_operators_word_counts_for_one_start() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(VOUCHED), "").unwrap();
        assert!(identify(folder.path()).unwrap().1);
        assert!(!identify(folder.path()).unwrap().1);
    }
}
