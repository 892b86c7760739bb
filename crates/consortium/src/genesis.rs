//! The genesis document: what the founders agreed on. Its hash is the ledger's identifier.

use std::collections::BTreeSet;
use std::fmt;

use tabellion_ledger::cbor::{self, DecodeError, Reader, Wire, Writer};
use tabellion_ledger::limits::{ATTACHMENT_BYTES_MAX, NAME_BYTES_MAX, VALIDATORS_MAX};
use tabellion_ledger::{
    CertificateId, FORMAT_VERSION, Height, KeyId, LedgerId, MemberId, PublicKey, Roster, RosterFault,
    StateKey, TimeMs, Validator, Writes,
};

use crate::committee::{Committee, CommitteeNode};
use crate::key::{
    anchor_key, committee_key, key_key, member_key, members_key, node_key, nodes_key, parameters_key,
    roster_key,
};
use crate::limits::{ADDRESS_BYTES_MAX, FOUNDER_KEYS_MAX, MEMBERS_MAX};
use crate::member::{Member, MemberStatus, Members, Moment, Role};
use crate::node::{Node, NodeId, NodeRole, Nodes};
use crate::parameters::{ANCHORS_MAX, ParameterFault, Parameters};
use crate::quota::MemberQuota;
use crate::roster::too_large;
use crate::signing::{KeyRecord, NodeKey, Owner, is_usable};

/// Bytes of a genesis document: 1,024 anchors of ordinary size, 256 members and the parameters.
pub const GENESIS_BYTES_MAX: usize = 8 * 1024 * 1024;

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
            keys: input.list(FOUNDER_KEYS_MAX)?,
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
    /// A key that stands twice: two members', or a member's and a node's.
    SharedKey {
        /// The key.
        key: KeyId,
    },
    /// Bytes that are no key that can serve.
    UnusableKey {
        /// The key.
        key: KeyId,
    },
    /// A member that runs a third or more of four or more validators, and could stop the ledger alone.
    OrganisationThird {
        /// The member.
        member: MemberId,
        /// Its validators.
        count: usize,
        /// All validators.
        validators: usize,
    },
    /// A parameter out of bounds.
    Parameter(ParameterFault),
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
            Self::SharedKey { key } => write!(f, "key {key} stands twice"),
            Self::UnusableKey { key } => {
                write!(f, "key {key} is no usable key: not the only encoding of a point, or of small order")
            }
            Self::OrganisationThird { member, count, validators } => {
                write!(f, "member {member} has {count} of {validators} validators, a third or more")
            }
            Self::Parameter(fault) => fault.fmt(f),
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
        self.parameters.retention.sort_by_key(|rule| rule.lane);
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
        self.parameters.check().map_err(GenesisFault::Parameter)?;
        self.check_keys()?;
        self.check_shares()
    }

    /// Every key can serve and has one owner.
    fn check_keys(&self) -> Result<(), GenesisFault> {
        let mut keys = BTreeSet::new();
        let mut check = |key: &PublicKey| match (is_usable(key), keys.insert(key.id())) {
            (false, _) => Err(GenesisFault::UnusableKey { key: key.id() }),
            (true, false) => Err(GenesisFault::SharedKey { key: key.id() }),
            (true, true) => Ok(()),
        };
        for member in &self.members {
            if member.keys.is_empty() {
                return Err(GenesisFault::NoKeys { member: member.id.clone() });
            }
            member.keys.iter().try_for_each(&mut check)?;
        }
        self.validators.iter().try_for_each(|entry| check(&NodeKey(entry.validator.key).public()))
    }

    /// Every validator belongs to a member, and no member has a third of them or more.
    fn check_shares(&self) -> Result<(), GenesisFault> {
        let members: BTreeSet<&MemberId> = self.members.iter().map(|member| &member.id).collect();
        let owners = || self.validators.iter().map(|entry| &entry.validator.member);
        if let Some(member) = owners().find(|owner| !members.contains(owner)) {
            return Err(GenesisFault::UnknownMember { member: member.clone() });
        }
        let validators = self.validators.len();
        let count = |member: &MemberId| owners().filter(|owner| *owner == member).count();
        match members.into_iter().find(|member| too_large(count(member), validators)) {
            Some(member) => Err(GenesisFault::OrganisationThird {
                member: member.clone(),
                count: count(member),
                validators,
            }),
            None => Ok(()),
        }
    }

    /// The records with which the state begins.
    pub fn writes(&self) -> Writes {
        let mut records =
            Records { writes: Writes::new(), since: Moment { height: Height(0), time: self.time } };
        let status = |member: &GenesisMember| (member.id.clone(), MemberStatus::Active);
        records.put(members_key(), &Members(self.members.iter().map(status).collect()));
        self.members.iter().for_each(|member| records.member(member));
        let nodes: Vec<Node> = self.validators.iter().map(|entry| records.node(entry)).collect();
        let mut index = Nodes::default();
        nodes.iter().for_each(|node| index.insert(node.id, node.member.clone()));
        records.put(nodes_key(), &index);
        let mut nodes: Vec<CommitteeNode> = nodes.into_iter().map(CommitteeNode::from).collect();
        nodes.sort_by_key(|node| node.id);
        records.put(committee_key(), &Committee { since: Height(0), roster: 0, nodes });
        records.put(roster_key(), &self.roster());
        records.put(parameters_key(), &self.parameters);
        for der in &self.anchors {
            records.writes.insert(anchor_key(&CertificateId::of(der)), Some(der.clone()));
        }
        records.writes
    }
}

/// The first records.
struct Records {
    writes: Writes,
    since: Moment,
}

impl Records {
    fn put<T: Wire>(&mut self, key: StateKey, record: &T) {
        self.writes.insert(key, Some(cbor::to_bytes(record)));
    }

    fn key(&mut self, key: &PublicKey, member: &MemberId, owner: Owner) {
        let (member, key, since) = (member.clone(), key.clone(), self.since);
        let id = key.id();
        self.put(key_key(&id), &KeyRecord { member, owner, key, since, retired: None });
    }

    fn member(&mut self, member: &GenesisMember) {
        let GenesisMember { id, name, keys, roles } = member;
        keys.iter().for_each(|key| self.key(key, id, Owner::Member));
        let roles: BTreeSet<Role> = roles.iter().copied().collect();
        let record = Member {
            id: id.clone(),
            name: name.clone(),
            contact: String::new(),
            status: MemberStatus::Active,
            since: self.since,
            keys: keys.iter().map(PublicKey::id).collect(),
            roles: roles.into_iter().collect(),
            quota: MemberQuota::Default,
        };
        self.put(member_key(id), &record);
    }

    fn node(&mut self, entry: &GenesisValidator) -> Node {
        let Validator { key, member, name } = &entry.validator;
        let key = NodeKey(*key);
        let id = NodeId(key.id());
        self.key(&key.public(), member, Owner::Node(id));
        let record = Node {
            id,
            member: member.clone(),
            name: name.clone(),
            role: NodeRole::Validator,
            key,
            next_key: None,
            address: entry.address.clone(),
            joined: self.since,
            reports: 0,
            reported: None,
            removed: None,
        };
        self.put(node_key(&id), &record);
        record
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
