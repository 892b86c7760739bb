//! Keys that sign: whose they are, and how somebody shows that it holds one.

use std::fmt;
use std::str::FromStr;

use curve25519_dalek_ng::edwards::CompressedEdwardsY;
use ed25519_consensus::VerificationKey;
use serde::{Deserialize, Serialize};
use tabellion_ledger::cbor::{DecodeError, Reader, Wire, Writer};
use tabellion_ledger::{Algorithm, IdError, KeyId, LedgerId, MemberId, PublicKey, Signature};

use crate::account::AccountName;
use crate::member::Moment;
use crate::node::NodeId;
use crate::text::{as_signature, as_spki};
use crate::wire::signature_of;

/// First item of what a key signs to show that somebody holds it. A transaction's signature begins with
/// "Signature1", a vote's with the length of its namespace: none can be taken for another.
const POSSESSION_DOMAIN: &str = "tabellion/possession/1";

/// The Ed25519 key of a node, which signs its votes and names it on the wire; also the key of an invitation.
///
/// Shape: 32 bytes; as text 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct NodeKey(pub [u8; 32]);

impl NodeKey {
    /// The key as every key is named.
    pub fn public(&self) -> PublicKey {
        PublicKey::new(Algorithm::Ed25519, &self.0).expect("invariant: 32 bytes are an Ed25519 key")
    }

    /// The key's identifier.
    pub fn id(&self) -> KeyId {
        self.public().id()
    }

    /// Whether the bytes are a key that can serve: the only encoding of a point, and not one of the eight of
    /// small order, under which anybody could sign.
    pub fn is_usable(&self) -> bool {
        // The first answers as the check of finality proofs does; the second says what that one lets pass.
        VerificationKey::try_from(self.0).is_ok()
            && CompressedEdwardsY(self.0)
                .decompress()
                .is_some_and(|point| point.compress().0 == self.0 && !point.is_small_order())
    }
}

impl fmt::Display for NodeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for NodeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NodeKey({})", hex::encode(&self.0[..6]))
    }
}

impl FromStr for NodeKey {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| IdError { length: text.chars().count() })?;
        Ok(Self(bytes))
    }
}

impl TryFrom<String> for NodeKey {
    type Error = IdError;

    fn try_from(text: String) -> Result<Self, IdError> {
        text.parse()
    }
}

impl From<NodeKey> for String {
    fn from(key: NodeKey) -> Self {
        key.to_string()
    }
}

impl Wire for NodeKey {
    fn encode(&self, out: &mut Writer) {
        out.bytes(&self.0);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.bytes_exact().map(Self)
    }
}

/// Whether a key can serve; see [`NodeKey::is_usable`]. For other algorithms a shown possession says it.
pub fn is_usable(key: &PublicKey) -> bool {
    match (key.algorithm(), <[u8; 32]>::try_from(key.as_bytes())) {
        (Algorithm::Ed25519, Ok(bytes)) => NodeKey(bytes).is_usable(),
        _ => true,
    }
}

/// What of a member a key signs for.
///
/// Shape: [0, null] the member itself, [1, account name], [2, null] an invitation, [3, node id].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Owner {
    /// The member itself: it governs, and does what its roles allow.
    Member,
    /// One of its accounts.
    Account(AccountName),
    /// An invitation for a node.
    Invitation,
    /// One of its nodes.
    Node(NodeId),
}

impl Owner {
    /// The kind of the owner, in words.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Member => "member",
            Self::Account(_) => "account",
            Self::Invitation => "invitation",
            Self::Node(_) => "node",
        }
    }
}

impl Wire for Owner {
    fn encode(&self, out: &mut Writer) {
        out.array(2);
        match self {
            Self::Member => {
                out.uint(0);
                out.null();
            }
            Self::Account(name) => {
                out.uint(1);
                name.encode(out);
            }
            Self::Invitation => {
                out.uint(2);
                out.null();
            }
            Self::Node(id) => {
                out.uint(3);
                id.encode(out);
            }
        }
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.array_exact(2)?;
        match input.uint()? {
            0 if input.null()? => Ok(Self::Member),
            1 => AccountName::decode(input).map(Self::Account),
            2 if input.null()? => Ok(Self::Invitation),
            3 => NodeId::decode(input).map(Self::Node),
            _ => Err(DecodeError::Value { field: "owner" }),
        }
    }
}

/// The record of a signing key. It stays for good, so that no key ever has a second owner and old signatures
/// keep their name.
///
/// Shape: [member id, owner, public key, since, retired or null].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyRecord {
    /// The member that answers for it.
    pub member: MemberId,
    /// What of the member it signs for.
    pub owner: Owner,
    /// The key.
    #[serde(with = "as_spki")]
    pub key: PublicKey,
    /// Since when it stands on the ledger.
    pub since: Moment,
    /// When it was retired; none while it is valid.
    pub retired: Option<Moment>,
}

impl Wire for KeyRecord {
    fn encode(&self, out: &mut Writer) {
        out.array(5);
        self.member.encode(out);
        self.owner.encode(out);
        self.key.encode(out);
        self.since.encode(out);
        out.option(self.retired.as_ref());
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.array_exact(5)?;
        Ok(Self {
            member: MemberId::decode(input)?,
            owner: Owner::decode(input)?,
            key: PublicKey::decode(input)?,
            since: Moment::decode(input)?,
            retired: input.option()?,
        })
    }
}

/// A new key, with the proof that whoever offers it holds it.
///
/// Shape: [public key, signature].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyOffer {
    /// The key.
    #[serde(with = "as_spki")]
    pub key: PublicKey,
    /// Its signature over [`possession_message`].
    #[serde(with = "as_signature")]
    pub possession: Signature,
}

impl Wire for KeyOffer {
    fn encode(&self, out: &mut Writer) {
        out.array(2);
        self.key.encode(out);
        out.bytes(&self.possession.0);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.array_exact(2)?;
        let key = PublicKey::decode(input)?;
        let possession = signature_of(&key, input)?;
        Ok(Self { key, possession })
    }
}

/// What a key is shown for. A proof for one purpose is none for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose<'a> {
    /// To sign for the member itself. Number 0.
    Member,
    /// To sign for an account. Number 1.
    Account(&'a AccountName),
    /// To be the key of a node that joins by this invitation. Number 2.
    Join(&'a KeyId),
    /// To be the next key of a node. Number 3.
    Next(&'a NodeId),
    /// The key that a node has agrees to its next one. Number 4.
    Yield(&'a NodeId, &'a KeyId),
}

/// The bytes that `key` signs to show that somebody holds it.
///
/// Shape: ["tabellion/possession/1", ledger id, member id, purpose number, key id, subject]; the subject is
/// null, the account's name, the invitation's key id, the node id, or [node id, next key id].
pub fn possession_message(
    ledger: &LedgerId,
    member: &MemberId,
    key: &KeyId,
    purpose: Purpose<'_>,
) -> Vec<u8> {
    let mut out = Writer::default();
    out.array(6);
    out.text(POSSESSION_DOMAIN);
    ledger.encode(&mut out);
    member.encode(&mut out);
    let number = match purpose {
        Purpose::Member => 0,
        Purpose::Account(_) => 1,
        Purpose::Join(_) => 2,
        Purpose::Next(_) => 3,
        Purpose::Yield(..) => 4,
    };
    out.uint(number);
    key.encode(&mut out);
    match purpose {
        Purpose::Member => out.null(),
        Purpose::Account(name) => name.encode(&mut out),
        Purpose::Join(invitation) => invitation.encode(&mut out),
        Purpose::Next(node) => node.encode(&mut out),
        Purpose::Yield(node, next) => {
            out.array(2);
            node.encode(&mut out);
            next.encode(&mut out);
        }
    }
    out.into_bytes()
}
