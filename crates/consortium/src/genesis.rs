//! The genesis document: what the founders agreed on. Its hash is the ledger's identifier.

use std::collections::BTreeSet;
use std::fmt;

use tabellion_ledger::cbor::{self, DecodeError, Reader, Wire, Writer};
use tabellion_ledger::limits::{ATTACHMENT_BYTES_MAX, NAME_BYTES_MAX, VALIDATORS_MAX};
use tabellion_ledger::{
    CertificateId, FORMAT_VERSION, KeyId, LedgerId, MemberId, PublicKey, Roster, RosterFault, TimeMs,
    Validator, Writes,
};

use crate::key::{anchor_key, key_key, member_key, parameters_key, roster_key};
use crate::member::{KeyRecord, Member, Role};
use crate::parameters::{ANCHORS_MAX, Parameters};

/// Bytes of a genesis document: 1,024 anchors of ordinary size, 256 members and the parameters.
pub const GENESIS_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Keys of one member: two during rotation, some for its systems.
pub(crate) const KEYS_PER_MEMBER_MAX: usize = 16;
const MEMBERS_MAX: usize = 256;
const ADDRESS_BYTES_MAX: usize = 256;

/// A founding member.
///
/// Shape: [id, name, [public key, ...], [role, ...]].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GenesisMember {
    /// The member's name for good.
    pub id: MemberId,
    /// The organisation's name, for people.
    pub name: String,
    /// Its signing keys.
    pub keys: Vec<PublicKey>,
    /// What it may do.
    pub roles: Vec<Role>,
}

impl Wire for GenesisMember {
    fn encode(&self, out: &mut Writer) {
        out.array(4);
        self.id.encode(out);
        out.text(&self.name);
        out.list(&self.keys);
        out.list(&self.roles);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.array_exact(4)?;
        Ok(Self {
            id: MemberId::decode(input)?,
            name: input.text(NAME_BYTES_MAX)?.to_owned(),
            keys: input.list(KEYS_PER_MEMBER_MAX)?,
            roles: input.list(Role::ALL.len())?,
        })
    }
}

/// A founding validator and where its peers reach it.
///
/// Shape: [validator, address].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GenesisValidator {
    /// Key, member and name.
    pub validator: Validator,
    /// `host:port` of the node-to-node listener.
    pub address: String,
}

impl Wire for GenesisValidator {
    fn encode(&self, out: &mut Writer) {
        out.array(2);
        self.validator.encode(out);
        out.text(&self.address);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.array_exact(2)?;
        Ok(Self { validator: Validator::decode(input)?, address: input.text(ADDRESS_BYTES_MAX)?.to_owned() })
    }
}

/// The genesis document.
///
/// Shape: [format version, name, time (ms), [member, ...], [validator, ...], parameters, [anchor certificate,
/// ...]].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Genesis {
    /// The ledger's name, for people.
    pub name: String,
    /// The time of the genesis block.
    pub time: TimeMs,
    /// Founding members, ascending by id.
    pub members: Vec<GenesisMember>,
    /// Founding validators, ascending by key.
    pub validators: Vec<GenesisValidator>,
    /// Parameters; `certificate.anchors` are the hashes of `anchors`.
    pub parameters: Parameters,
    /// DER certificates of the trusted CAs, ascending by identifier.
    pub anchors: Vec<Vec<u8>>,
}

/// What makes a genesis document invalid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GenesisFault {
    /// The bytes are no genesis document.
    Encoding(DecodeError),
    /// The validators make no roster.
    Roster(RosterFault),
    /// Members, or validators, twice or out of order.
    Order {
        /// Which list.
        list: &'static str,
    },
    /// A member without keys.
    NoKeys {
        /// The member.
        member: MemberId,
    },
    /// A key that two members sign with.
    SharedKey {
        /// The key.
        key: KeyId,
    },
    /// A validator of an organisation that is no member.
    UnknownMember {
        /// The organisation.
        member: MemberId,
    },
    /// The anchors are not the certificates that the parameters name.
    Anchors,
}

impl fmt::Display for GenesisFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Encoding(error) => write!(f, "the bytes are no genesis document: {error}"),
            Self::Roster(fault) => write!(f, "the validators make no roster: {fault}"),
            Self::Order { list } => write!(f, "the {list} stand twice or out of order"),
            Self::NoKeys { member } => write!(f, "member {member} has no key"),
            Self::SharedKey { key } => write!(f, "two members sign with key {key}"),
            Self::UnknownMember { member } => {
                write!(f, "a validator belongs to {member}, which is no member")
            }
            Self::Anchors => write!(f, "the anchors are not the certificates that the parameters name"),
        }
    }
}

impl std::error::Error for GenesisFault {}

impl Genesis {
    /// Puts the lists in order, names the anchors in the parameters, and checks the whole.
    pub fn new(mut self) -> Result<Self, GenesisFault> {
        self.members.sort_by(|a, b| a.id.cmp(&b.id));
        self.validators.sort_by_key(|validator| validator.validator.key);
        self.anchors.sort_by_key(|der| CertificateId::of(der));
        self.anchors.dedup();
        self.parameters.certificate.anchors = self.anchors.iter().map(|der| CertificateId::of(der)).collect();
        self.check()?;
        Ok(self)
    }

    /// Parses a genesis document and checks it.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, GenesisFault> {
        let genesis: Self = cbor::from_bytes(bytes, GENESIS_BYTES_MAX).map_err(GenesisFault::Encoding)?;
        genesis.check()?;
        Ok(genesis)
    }

    /// The ledger's identifier.
    pub fn ledger_id(&self) -> LedgerId {
        LedgerId::of(&cbor::to_bytes(self))
    }

    /// The first roster.
    pub fn roster(&self) -> Roster {
        self.make_roster().expect("invariant: a checked genesis has a roster")
    }

    fn make_roster(&self) -> Result<Roster, RosterFault> {
        Roster::new(0, self.validators.iter().map(|entry| entry.validator.clone()).collect())
    }

    fn check(&self) -> Result<(), GenesisFault> {
        self.make_roster().map_err(GenesisFault::Roster)?;
        if !self.members.is_sorted_by(|a, b| a.id < b.id) {
            return Err(GenesisFault::Order { list: "members" });
        }
        if !self.validators.is_sorted_by(|a, b| a.validator.key < b.validator.key) {
            return Err(GenesisFault::Order { list: "validators" });
        }
        let ids: Vec<CertificateId> = self.anchors.iter().map(|der| CertificateId::of(der)).collect();
        if ids != self.parameters.certificate.anchors || !ids.is_sorted_by(|a, b| a < b) {
            return Err(GenesisFault::Anchors);
        }
        self.check_members()
    }

    fn check_members(&self) -> Result<(), GenesisFault> {
        let mut keys = BTreeSet::new();
        for member in &self.members {
            if member.keys.is_empty() {
                return Err(GenesisFault::NoKeys { member: member.id.clone() });
            }
            if let Some(key) = member.keys.iter().map(PublicKey::id).find(|key| !keys.insert(*key)) {
                return Err(GenesisFault::SharedKey { key });
            }
        }
        let members: BTreeSet<&MemberId> = self.members.iter().map(|member| &member.id).collect();
        match self.validators.iter().find(|entry| !members.contains(&entry.validator.member)) {
            Some(entry) => Err(GenesisFault::UnknownMember { member: entry.validator.member.clone() }),
            None => Ok(()),
        }
    }

    /// The records with which the state begins.
    pub fn writes(&self) -> Writes {
        let mut writes = Writes::new();
        for GenesisMember { id, name, keys, roles } in &self.members {
            for key in keys {
                let record = KeyRecord { member: id.clone(), key: key.clone() };
                writes.insert(key_key(&key.id()), Some(cbor::to_bytes(&record)));
            }
            let keys = keys.iter().map(PublicKey::id).collect();
            let record = Member { id: id.clone(), name: name.clone(), keys, roles: roles.clone() };
            writes.insert(member_key(id), Some(cbor::to_bytes(&record)));
        }
        for der in &self.anchors {
            writes.insert(anchor_key(&CertificateId::of(der)), Some(der.clone()));
        }
        writes.insert(roster_key(), Some(cbor::to_bytes(&self.roster())));
        writes.insert(parameters_key(), Some(cbor::to_bytes(&self.parameters)));
        writes
    }
}

impl Wire for Genesis {
    fn encode(&self, out: &mut Writer) {
        out.array(7);
        out.uint(u64::from(FORMAT_VERSION));
        out.text(&self.name);
        self.time.encode(out);
        out.list(&self.members);
        out.list(&self.validators);
        self.parameters.encode(out);
        out.array(self.anchors.len());
        for anchor in &self.anchors {
            out.bytes(anchor);
        }
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.array_exact(7)?;
        if input.u16("format version")? != FORMAT_VERSION {
            return Err(DecodeError::Value { field: "format version" });
        }
        let name = input.text(NAME_BYTES_MAX)?.to_owned();
        let time = TimeMs::decode(input)?;
        let members = input.list(MEMBERS_MAX)?;
        let validators = input.list(VALIDATORS_MAX)?;
        let parameters = Parameters::decode(input)?;
        let count = input.array(ANCHORS_MAX)?;
        let anchors: Result<Vec<_>, _> =
            (0..count).map(|_| input.bytes(ATTACHMENT_BYTES_MAX).map(<[u8]>::to_vec)).collect();
        Ok(Self { name, time, members, validators, parameters, anchors: anchors? })
    }
}
