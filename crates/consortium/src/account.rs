//! Accounts: people and systems that act for a member within its roles.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use tabellion_ledger::cbor::{DecodeError, Reader, Wire, Writer};
use tabellion_ledger::{KeyId, MemberId};

use crate::limits::{ABOUT_BYTES_MAX, ACCOUNTS_PER_MEMBER_MAX, VALID_KEYS_MAX};
use crate::member::{Moment, Role};
use crate::wire::short_name;

/// An account's name within its member, for good: 1 to 32 characters of `a-z 0-9 -`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AccountName(String);

impl AccountName {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for AccountName {
    type Err = DecodeError;

    fn from_str(text: &str) -> Result<Self, DecodeError> {
        match short_name(text) {
            true => Ok(Self(text.to_owned())),
            false => Err(DecodeError::Value { field: "account name" }),
        }
    }
}

impl TryFrom<String> for AccountName {
    type Error = DecodeError;

    fn try_from(text: String) -> Result<Self, DecodeError> {
        text.parse()
    }
}

impl From<AccountName> for String {
    fn from(name: AccountName) -> Self {
        name.0
    }
}

impl fmt::Display for AccountName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Wire for AccountName {
    fn encode(&self, out: &mut Writer) {
        out.text(&self.0);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.text(MemberId::LENGTH_MAX)?.parse()
    }
}

/// The record of an account. It may do what its roles allow, as long as its member has them too.
///
/// Shape: [member id, name, about, [key id, ...], [role, ...], since, closed or null].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// The member that answers for it.
    pub member: MemberId,
    /// Its name within the member.
    pub name: AccountName,
    /// Whose it is, for people.
    pub about: String,
    /// Its valid keys, oldest first.
    pub keys: Vec<KeyId>,
    /// What it may do, ascending, within what its member may do.
    pub roles: Vec<Role>,
    /// Since when it is open.
    pub since: Moment,
    /// When it was closed, for good.
    pub closed: Option<Moment>,
}

impl Wire for Account {
    fn encode(&self, out: &mut Writer) {
        out.array(7);
        self.member.encode(out);
        self.name.encode(out);
        out.text(&self.about);
        out.list(&self.keys);
        out.list(&self.roles);
        self.since.encode(out);
        out.option(self.closed.as_ref());
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.array_exact(7)?;
        Ok(Self {
            member: MemberId::decode(input)?,
            name: AccountName::decode(input)?,
            about: input.text(ABOUT_BYTES_MAX)?.to_owned(),
            keys: input.list(VALID_KEYS_MAX)?,
            roles: input.list(Role::ALL.len())?,
            since: Moment::decode(input)?,
            closed: input.option()?,
        })
    }
}

/// The open accounts of a member.
///
/// Shape: [account name, ...], ascending.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accounts(pub Vec<AccountName>);

impl Wire for Accounts {
    fn encode(&self, out: &mut Writer) {
        out.list(&self.0);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.list(ACCOUNTS_PER_MEMBER_MAX).map(Self)
    }
}
