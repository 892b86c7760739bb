//! The light client: remembers the newest header that a quorum finalised, so that a node can neither go back
//! in time nor show another history, and follows headers from the genesis block.
//!
//! ```text
//! genesis header --links--> ... --links--> final header (quorum)   followed: every header seen
//!                                 newest proved header              observed: as answers bring them along
//! ```

use std::path::{Path, PathBuf};
use std::{fs, io};

use tabellion_ledger::cbor::{self, DecodeError, Reader, Wire, Writer};
use tabellion_ledger::merkle::Frontier;
use tabellion_ledger::{FinalityProof, HandOver, Header, HeaderHash, Height, TimeMs};
use tabellion_machine::{ChainHeader, RulesetFault};
use thiserror::Error;

use crate::trust::{ProvedBy, Trust, TrustError};

const FILE_VERSION: u64 = 2;
/// Changes of validators that are remembered: thousands of years of them.
const HAND_OVERS_MAX: usize = 65_536;
/// Two headers of below 512 bytes, signatures of 128 validators, a frontier; and the hand-overs.
const FILE_BYTES_MAX: usize = 256 * 1024 * 1024;

/// Why a header is not believed.
#[derive(Debug, Error)]
pub enum LightError {
    /// Its finality proof fails.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// Two finalised headers at one height: a quorum contradicts itself. Keep both: they are evidence.
    #[error("FORK: at height {height} a quorum finalised {known} and also {found}")]
    Fork {
        /// The height.
        height: Height,
        /// The header known before.
        known: HeaderHash,
        /// The header shown now.
        found: HeaderHash,
    },
    /// The node's state is too old.
    #[error("the node's newest proof is {age_ms} ms old; at most {age_ms_max} ms are accepted")]
    Stale {
        /// Age of the header.
        age_ms: u64,
        /// The limit.
        age_ms_max: u64,
    },
    /// The node is behind what was seen before.
    #[error("the node shows height {found}, but height {seen} was already seen")]
    Behind {
        /// The height shown.
        found: Height,
        /// The height seen before.
        seen: Height,
    },
    /// A header does not follow from the one before.
    #[error("header {height} does not follow from the one before: its {field} differs")]
    Link {
        /// The header's height.
        height: Height,
        /// What does not fit.
        field: &'static str,
    },
    /// The genesis document's parameters cannot be followed.
    #[error("this program cannot follow the genesis document")]
    Genesis(#[source] RulesetFault),
    /// The memory file cannot be read or written.
    #[error("cannot {doing} {}", path.display())]
    Io {
        /// What was tried.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The memory file is damaged, or of another ledger.
    #[error("{} is not this ledger's memory of headers: {reason}", path.display())]
    Memory {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
}

/// What an observed header adds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Observation {
    /// The newest so far.
    Newer,
    /// The newest, again.
    Same,
    /// Older than the newest seen; fine where its age is.
    Older {
        /// The newest height seen.
        seen: Height,
    },
}

/// The memory of a light client.
///
/// Shape of its file: [version, [hand-over, ...], newest finality proof or null, [header, frontier over the
/// headers before it] or null].
pub struct LightClient {
    trust: Trust,
    path: Option<PathBuf>,
    newest: Option<FinalityProof>,
    followed: Option<Followed>,
}

/// The end of the chain of headers that was followed from genesis.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Followed {
    header: Header,
    /// The tree over all headers before it.
    history: Frontier,
}

impl LightClient {
    /// A light client without a file.
    pub fn new(trust: Trust) -> Self {
        Self { trust, path: None, newest: None, followed: None }
    }

    /// A light client that remembers in a file, which need not exist yet. What the file says is checked like
    /// an answer.
    pub fn open(trust: Trust, path: &Path) -> Result<Self, LightError> {
        let mut client = Self { path: Some(path.to_owned()), ..Self::new(trust) };
        let bytes = match fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(client),
            Err(source) => return Err(LightError::Io { doing: "read", path: path.to_owned(), source }),
        };
        let damaged = |reason: String| LightError::Memory { path: path.to_owned(), reason };
        let memory: Memory = cbor::from_bytes(&bytes, FILE_BYTES_MAX).map_err(|e| damaged(e.to_string()))?;
        for hand_over in &memory.hand_overs {
            client.trust.learn(hand_over).map_err(|error| damaged(error.to_string()))?;
        }
        if let Some(newest) = &memory.newest {
            client.trust.finality(newest).map_err(|error| damaged(error.to_string()))?;
        }
        (client.newest, client.followed) = (memory.newest, memory.followed);
        Ok(client)
    }

    /// What it believes in.
    pub fn trust(&self) -> &Trust {
        &self.trust
    }

    /// Takes in a change of validators.
    pub fn learn(&mut self, hand_over: &HandOver) -> Result<(), LightError> {
        Ok(self.trust.learn(hand_over)?)
    }

    /// The newest header seen.
    pub fn newest(&self) -> Option<&Header> {
        self.newest.as_ref().map(|proof| &proof.header)
    }

    /// The height up to which headers were followed from genesis, if they were.
    pub fn followed(&self) -> Option<Height> {
        self.followed.as_ref().map(|followed| followed.header.height)
    }

    /// Takes in a finality proof that came with an answer.
    ///
    /// Refuses: a proof that fails; a fork; a time that goes back while the height goes up.
    pub fn observe(&mut self, proof: &FinalityProof) -> Result<Observation, LightError> {
        self.trust.finality(proof)?;
        let header = &proof.header;
        let Some(newest) = self.newest() else {
            self.newest = Some(proof.clone());
            return Ok(Observation::Newer);
        };
        if header.height == newest.height && header.hash() != newest.hash() {
            let (known, found) = (newest.hash(), header.hash());
            return Err(LightError::Fork { height: header.height, known, found });
        }
        if header.height < newest.height {
            return Ok(Observation::Older { seen: newest.height });
        }
        if header.height == newest.height {
            return Ok(Observation::Same);
        }
        if header.time < newest.time {
            return Err(LightError::Link { height: header.height, field: "time" });
        }
        self.newest = Some(proof.clone());
        Ok(Observation::Newer)
    }

    /// Refuses a header that is older than `age_ms_max` at `now`.
    pub fn check_age(header: &Header, now: TimeMs, age_ms_max: u64) -> Result<(), LightError> {
        let age_ms = now.0.saturating_sub(header.time.0);
        if age_ms > age_ms_max { Err(LightError::Stale { age_ms, age_ms_max }) } else { Ok(()) }
    }

    /// The height of the next header to fetch for [`LightClient::follow`].
    pub fn next_height(&self) -> Height {
        self.followed().map_or(Height(1), Height::next)
    }

    /// Follows headers upwards, from [`LightClient::next_height`] on: links, heights, times, rosters, history
    /// roots; those above the last final one among them are not believed yet. Returns the end that is.
    pub fn follow(&mut self, headers: &[ChainHeader]) -> Result<Option<ProvedBy>, LightError> {
        let mut end = match &self.followed {
            Some(followed) => followed.clone(),
            None => self.begin()?,
        };
        let mut proved = None;
        for entry in headers {
            end = end.next(entry.header())?;
            self.compare_with_newest(&end.header)?;
            if let ChainHeader::Final(proof) = entry {
                proved = Some(self.trust.finality(proof)?);
                self.followed = Some(end.clone());
                self.observe(proof)?;
            }
        }
        Ok(proved)
    }

    fn begin(&self) -> Result<Followed, LightError> {
        let genesis = tabellion_machine::genesis(self.trust.genesis()).map_err(LightError::Genesis)?;
        Ok(Followed { header: genesis.block.header, history: Frontier::default() })
    }

    /// The followed chain passes the newest header seen, or there are two histories.
    fn compare_with_newest(&self, header: &Header) -> Result<(), LightError> {
        match self.newest() {
            Some(newest) if newest.height == header.height && newest.hash() != header.hash() => {
                Err(LightError::Fork { height: header.height, known: newest.hash(), found: header.hash() })
            }
            _ => Ok(()),
        }
    }

    /// Writes the memory file, if there is one: aside, then renamed into its place, so that a crash leaves
    /// the old file or the new one.
    pub fn save(&self) -> Result<(), LightError> {
        let Some(path) = &self.path else { return Ok(()) };
        let fault = |source| LightError::Io { doing: "write", path: path.clone(), source };
        let memory = Memory {
            hand_overs: self.trust.hand_overs().to_vec(),
            newest: self.newest.clone(),
            followed: self.followed.clone(),
        };
        let aside = path.with_extension(format!("{}.new", std::process::id()));
        fs::write(&aside, cbor::to_bytes(&memory)).map_err(fault)?;
        fs::rename(&aside, path).map_err(fault)
    }
}

/// Checks that `header` follows upon `before`: all that needs no body and no state.
///
/// Source: X.1409 L1, clause 3.1.8: each block is linked to the one before by its hash.
pub(crate) fn check_link(before: &Header, history: &Frontier, header: &Header) -> Result<(), LightError> {
    let rows = [
        ("ledger", header.ledger == before.ledger),
        ("height", header.height == before.height.next()),
        ("previous hash", header.previous == before.hash()),
        ("time", header.time >= before.time),
        ("roster", header.roster == before.next_roster),
        ("history root", header.history_root == history.root()),
    ];
    match rows.into_iter().find(|(_, fits)| !fits) {
        Some((field, _)) => Err(LightError::Link { height: header.height, field }),
        None => Ok(()),
    }
}

impl Followed {
    fn next(mut self, header: &Header) -> Result<Self, LightError> {
        self.history.push(self.header.leaf());
        check_link(&self.header, &self.history, header)?;
        Ok(Self { header: header.clone(), history: self.history })
    }
}

struct Memory {
    hand_overs: Vec<HandOver>,
    newest: Option<FinalityProof>,
    followed: Option<Followed>,
}

impl Wire for Followed {
    fn encode(&self, out: &mut Writer) {
        out.array(2);
        self.header.encode(out);
        self.history.encode(out);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.array_exact(2)?;
        Ok(Self { header: Header::decode(input)?, history: Frontier::decode(input)? })
    }
}

impl Wire for Memory {
    fn encode(&self, out: &mut Writer) {
        out.array(4);
        out.uint(FILE_VERSION);
        out.list(&self.hand_overs);
        out.option(self.newest.as_ref());
        out.option(self.followed.as_ref());
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.array_exact(4)?;
        if input.uint()? != FILE_VERSION {
            return Err(DecodeError::Value { field: "version of the memory of headers" });
        }
        let hand_overs = input.list(HAND_OVERS_MAX)?;
        Ok(Self { hand_overs, newest: input.option()?, followed: input.option()? })
    }
}
