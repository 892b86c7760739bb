//! Bodies kept outside of the store before they are deleted, and brought back.
//!
//! Each body is a file, or an object in a bucket, of its own:
//! `<ledger>/<height / 4096>/<height>-<lane>.body`. It holds all that shows whose it is: the block's header
//! under a finality proof, the headers of all lanes, the lane's body. Whoever has the genesis document and
//! the hand-overs believes nobody; a node compares it with the headers that it holds.
//!
//! Layout: the eight bytes `tabbody1`, then three items, each a length (4 bytes, big-endian) and so many
//! bytes: `ProvedHeader`, `Outline` without records, `LaneBody` (docs/format.md).

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tabellion_ledger::cbor::{self, DecodeError};
use tabellion_ledger::limits::{BLOCK_BYTES_MAX, BLOCK_TRANSACTIONS_MAX, LANE_HEADER_BYTES_MAX, LANES_MAX};
use tabellion_ledger::{
    BlockFault, Header, Height, LaneBody, LaneOutline, LedgerId, Outline, ProvedHeader, Wire,
};
use thiserror::Error;

use super::bucket::{Bucket, BucketFault, BucketSettings};
use crate::store::{Snapshot, Store, StoreError, Tree};

const MAGIC: &[u8; 8] = b"tabbody1";
/// Ending of the files' names.
const ENDING: &str = "body";
/// Heights whose bodies lie in one folder.
const HEIGHTS_PER_FOLDER: u64 = 4096;
/// Bytes of a header under a proof: 128 signatures, two headers and a path.
const PROVED_BYTES_MAX: usize = 64 * 1024;
/// Bytes of the lane headers.
const OUTLINE_BYTES_MAX: usize = LANES_MAX * (LANE_HEADER_BYTES_MAX + 8);
/// Bytes of a body: its transactions, each with a head.
const BODY_BYTES_MAX: usize = BLOCK_BYTES_MAX + 16 * BLOCK_TRANSACTIONS_MAX;

/// Bytes of an archived body.
const ARCHIVED_BYTES_MAX: usize = 64 + PROVED_BYTES_MAX + OUTLINE_BYTES_MAX + BODY_BYTES_MAX;

/// Why a body is not kept, or not brought back.
#[derive(Debug, Error)]
pub enum ArchiveError {
    /// A file or folder cannot be read or written.
    #[error("{doing} {}", path.display())]
    Io {
        /// What was tried.
        doing: &'static str,
        /// Where.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// A bucket cannot be read or written.
    #[error("{doing} {place}")]
    Bucket {
        /// What was tried.
        doing: &'static str,
        /// Where.
        place: String,
        /// Why not.
        #[source]
        source: BucketFault,
    },
    /// The file is no archived body.
    #[error("this is no archived body")]
    NoBody,
    /// A part of it does not decode.
    #[error("the {part} of the archived body does not decode: {fault}")]
    Part {
        /// Which.
        part: &'static str,
        /// What is wrong.
        fault: DecodeError,
    },
    /// The parts do not belong together.
    #[error("the archived body of block {height} is not the one that its header commits to: {fault}")]
    Body {
        /// The block.
        height: Height,
        /// What is wrong.
        fault: BlockFault,
    },
    /// No header near the block has signatures yet.
    #[error("no finalised header proves block {height} yet")]
    Unproved {
        /// The block.
        height: Height,
    },
}

/// A lane's body with all that shows whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArchivedBody {
    /// The block's header, proved.
    pub header: ProvedHeader,
    /// The headers of all its lanes.
    pub lanes: Outline,
    /// The body.
    pub body: LaneBody,
}

impl ArchivedBody {
    /// Puts the parts of a held body together; `None` where it is gone.
    pub fn of(
        store: &Store,
        state: &Snapshot,
        height: Height,
        lane: tabellion_ledger::Lane,
    ) -> Result<Option<Result<Self, ArchiveError>>, StoreError> {
        let (header, body) = (store.header(height)?, store.lane_body(height, lane)?);
        let Some((header, body)) = header.zip(body) else { return Ok(None) };
        let Some(header) = proved(store, state, header)? else {
            return Ok(Some(Err(ArchiveError::Unproved { height })));
        };
        let lanes = store.lane_headers(height)?.into_iter();
        let lanes = lanes.map(|(header, _)| LaneOutline { header, records: None }).collect();
        Ok(Some(Ok(Self { header, lanes: Outline { lanes }, body })))
    }

    /// Its bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let items = [cbor::to_bytes(&self.header), cbor::to_bytes(&self.lanes), cbor::to_bytes(&self.body)];
        let mut bytes = MAGIC.to_vec();
        for item in items {
            let length = u32::try_from(item.len()).expect("invariant: a body is far below four gigabytes");
            bytes.extend(length.to_be_bytes());
            bytes.extend(item);
        }
        bytes
    }

    /// Reads a body and checks that its parts belong together. Whether the header is final is left to whoever
    /// holds headers, or the ledger's validators.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ArchiveError> {
        let mut rest = bytes.strip_prefix(MAGIC).ok_or(ArchiveError::NoBody)?;
        let header = item(&mut rest, "header", PROVED_BYTES_MAX)?;
        let lanes = item(&mut rest, "lane headers", OUTLINE_BYTES_MAX)?;
        let body = item(&mut rest, "transactions", BODY_BYTES_MAX)?;
        if !rest.is_empty() {
            return Err(ArchiveError::NoBody);
        }
        let archived = Self { header, lanes, body };
        let height = archived.header.header().height;
        archived.check().map_err(|fault| ArchiveError::Body { height, fault })?;
        Ok(archived)
    }

    fn check(&self) -> Result<(), BlockFault> {
        let header = self.header.header();
        let LaneBody { header: lane_header, transactions } = &self.body;
        let lane = lane_header.lane;
        self.lanes.check(header)?;
        if !self.lanes.lanes.iter().any(|outline| outline.header == *lane_header) {
            return Err(BlockFault::LanesRoot);
        }
        let here = (header.ledger, header.height, header.time);
        if (lane_header.ledger, lane_header.height, lane_header.time) != here {
            return Err(BlockFault::LaneContext { lane });
        }
        let (found, said) = (transactions.len(), lane_header.record_count);
        if u32::try_from(found) != Ok(said) {
            return Err(BlockFault::RecordCount { lane, found, said });
        }
        match LaneBody::records_root(transactions) == lane_header.records_root {
            true => Ok(()),
            false => Err(BlockFault::RecordsRoot { lane }),
        }
    }
}

fn item<T: Wire>(rest: &mut &[u8], part: &'static str, bytes_max: usize) -> Result<T, ArchiveError> {
    let (length, after) = rest.split_first_chunk::<4>().ok_or(ArchiveError::NoBody)?;
    let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
    let (bytes, after) = after.split_at_checked(length).ok_or(ArchiveError::NoBody)?;
    *rest = after;
    cbor::from_bytes(bytes, bytes_max).map_err(|fault| ArchiveError::Part { part, fault })
}

/// A header under the newest proof that the state's history reaches.
fn proved(store: &Store, state: &Snapshot, header: Header) -> Result<Option<ProvedHeader>, StoreError> {
    let newest = state.height().unwrap_or_default();
    for height in (header.height.0..=newest.0).rev().map(Height) {
        let Some(finality) = store.finality_proof(height)? else { continue };
        if height == header.height {
            return Ok(Some(ProvedHeader { finality, older: None }));
        }
        let path = state.history(Tree::Headers).inclusion_path(header.height.0, height.0)?;
        return Ok(path.map(|path| ProvedHeader { finality, older: Some((header, path)) }));
    }
    Ok(None)
}

/// A place with archived bodies: a folder, or a bucket of an object store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BodyArchive(Place);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    Folder(PathBuf),
    Bucket(Bucket),
}

impl BodyArchive {
    /// The archive in a folder, which is made when the first body comes.
    pub fn new(folder: PathBuf) -> Self {
        Self(Place::Folder(folder))
    }

    /// The archive in a bucket, which must be there. Asks nobody yet.
    pub fn in_bucket(settings: BucketSettings) -> Result<Self, ArchiveError> {
        let place = settings.to_string();
        let bucket = Bucket::open(settings);
        let bucket = bucket.map_err(|source| ArchiveError::Bucket { doing: "use", place, source })?;
        Ok(Self(Place::Bucket(bucket)))
    }

    /// Keeps a body; durable when this returns, in a bucket as its server understands it. One that is there
    /// already is written anew.
    ///
    /// Blocks for as long as that takes.
    pub fn keep(&self, archived: &ArchivedBody) -> Result<(), ArchiveError> {
        let header = archived.header.header();
        let (height, lane) = (header.height, archived.body.header.lane.to_string().replace('/', "-"));
        let folder = height.0 / HEIGHTS_PER_FOLDER;
        let name = format!("{}/{folder:08}/{:012}-{lane}.{ENDING}", header.ledger, height.0);
        match &self.0 {
            Place::Folder(folder) => keep_file(&folder.join(name), &archived.to_bytes()),
            Place::Bucket(bucket) => {
                let kept = bucket.put(&name, &archived.to_bytes());
                kept.map_err(|source| ArchiveError::Bucket { doing: "keep a body in", place: name, source })
            }
        }
    }

    /// The names of a ledger's bodies, ascending by height.
    pub fn names(&self, ledger: &LedgerId) -> Result<Vec<String>, ArchiveError> {
        let mut names = match &self.0 {
            Place::Folder(folder) => names_below(folder, &ledger.to_string())?,
            Place::Bucket(bucket) => {
                let names = bucket.names(&format!("{ledger}/"));
                let place = format!("{bucket:?}");
                names.map_err(|source| ArchiveError::Bucket { doing: "list", place, source })?
            }
        };
        names.retain(|name| name.rsplit_once('.').is_some_and(|(_, ending)| ending == ENDING));
        names.sort();
        Ok(names)
    }

    /// Reads the body of a name. Blocks for as long as that takes.
    pub fn read(&self, name: &str) -> Result<ArchivedBody, ArchiveError> {
        let bytes = match &self.0 {
            Place::Folder(folder) => {
                let path = folder.join(name);
                fs::read(&path).map_err(|source| ArchiveError::Io { doing: "read", path, source })?
            }
            Place::Bucket(bucket) => bucket
                .get(name, ARCHIVED_BYTES_MAX)
                .map_err(|source| ArchiveError::Bucket { doing: "read", place: name.to_owned(), source })?,
        };
        ArchivedBody::from_bytes(&bytes)
    }
}

fn keep_file(path: &Path, bytes: &[u8]) -> Result<(), ArchiveError> {
    let aside = path.with_extension("new");
    let folder = path.parent().unwrap_or(path);
    let write = || {
        fs::create_dir_all(folder)?;
        let mut file = File::create(&aside)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&aside, path)?;
        // The names of file and folders must survive too.
        let above = folder.ancestors().take(3);
        above.filter(|above| above.is_dir()).try_for_each(|above| File::open(above)?.sync_all())
    };
    write().map_err(|source| ArchiveError::Io { doing: "keep a body in", path: path.to_owned(), source })
}

/// The files two folders below a folder's `first` one, by their names from the folder on.
fn names_below(folder: &Path, first: &str) -> Result<Vec<String>, ArchiveError> {
    let mut names = Vec::new();
    for below in entries(&folder.join(first))? {
        let files = entries(&below)?.into_iter();
        names.extend(files.filter_map(|file| Some(file.strip_prefix(folder).ok()?.to_str()?.to_owned())));
    }
    Ok(names)
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>, ArchiveError> {
    let list = || fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>();
    list().map_err(|source| ArchiveError::Io { doing: "list", path: folder.to_owned(), source })
}
