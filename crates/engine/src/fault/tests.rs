use std::error::Error;

use super::*;
use crate::watched::Watch;

fn cause(error: &EngineError) -> Option<io::ErrorKind> {
    error.source()?.downcast_ref::<io::Error>().map(io::Error::kind)
}

#[test]
fn a_full_disk_under_a_journal_is_told_with_file_and_cause() {
    let full = || Arc::new(io::Error::from(io::ErrorKind::StorageFull));
    let name = || ("consensus-0".to_owned(), "07".to_owned());
    let errors = [
        RuntimeError::Io(full()),
        RuntimeError::BlobOpenFailed(name().0, name().1, full()),
        RuntimeError::BlobResizeFailed(name().0, name().1, full()),
        RuntimeError::BlobSyncFailed(name().0, name().1, full()),
    ];
    for error in errors {
        let error = EngineError::journal("sync consensus-0/07", &error);
        assert_eq!(error.to_string(), "journal: sync consensus-0/07");
        assert_eq!(cause(&error), Some(io::ErrorKind::StorageFull));
    }
}

/// The engine forgets why the first bytes of a new file failed.
#[test]
fn a_cause_that_the_engine_forgot_is_asked_from_the_disk() {
    let folder = tempfile::tempdir().unwrap();
    let forgotten = || EngineError::journal("open consensus-0/08", &RuntimeError::WriteFailed);
    assert_eq!(cause(&forgotten().with_cause(folder.path())), Some(io::ErrorKind::Other), "it writes again");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "the probe is gone");
    let missing = folder.path().join("missing");
    assert_eq!(cause(&forgotten().with_cause(&missing)), Some(io::ErrorKind::NotFound));
    let other = EngineError::Ended("delivery").with_cause(&missing);
    assert!(matches!(other, EngineError::Ended("delivery")));
}

#[test]
fn a_failing_journal_ends_the_engine_and_a_missing_file_does_not() {
    let fault = Fault::default();
    assert!(!fault.takes("open", "consensus-0/07", &RuntimeError::PartitionMissing("consensus-0".into())));
    assert!(!fault.takes("read", "consensus-0/07", &RuntimeError::BlobInsufficientLength));
    assert!(fault.take().is_none());
    assert!(fault.takes("open", "consensus-0/07", &RuntimeError::WriteFailed));
    assert!(matches!(fault.take(), Some(EngineError::Journal { .. })));
}
