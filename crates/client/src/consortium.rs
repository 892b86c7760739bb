//! Governing: actions of the consortium lane, with the signatures that show that keys are held; what the
//! consortium has on record, proved.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tabellion_consortium::{
    Action, Change, Difference, Join, KeyOffer, KeyRecord, Node, NodeId, NodeKey, Nodes, Owner, Parameters,
    Purpose, Rotation, committee_key, key_key, members_key, node_key, nodes_key, parameters_key,
    possession_message, roster_key,
};
use tabellion_ledger::cbor::{self, Wire};
use tabellion_ledger::limits::RECORD_BYTES_MAX;
use tabellion_ledger::{
    Algorithm, Header, Height, KeyId, Lane, LedgerId, MemberId, Roster, StateKey, TimeMs, TransactionId, View,
};
use tabellion_machine::{Refusal, TransactionAnswer};

use crate::error::ClientError;
use crate::key::{KeyError, SigningKey};
use crate::node::Submitted;
use crate::publish::Signer;
use crate::relying_party::RelyingParty;
use crate::trust::{ProvedBy, TrustError};

/// Rounds of reading until all that a dry run looks at stands still; a ledger whose consortium acts that
/// often within a second is none that people govern.
const ROUNDS_MAX: usize = 64;

/// Shows that somebody holds a key: offers it for a member or one of its accounts.
pub fn offer_key(
    key: &SigningKey,
    ledger: &LedgerId,
    member: &MemberId,
    purpose: Purpose<'_>,
) -> Result<KeyOffer, KeyError> {
    let possession = key.sign(&possession_message(ledger, member, &key.id(), purpose))?;
    Ok(KeyOffer { key: key.public().clone(), possession })
}

/// The key of a node as the ledger names it; none where it is not Ed25519.
pub fn node_key_of(key: &SigningKey) -> Option<NodeKey> {
    let is_ed25519 = key.algorithm() == Algorithm::Ed25519;
    key.public().as_bytes().try_into().ok().filter(|_| is_ed25519).map(NodeKey)
}

/// A node's request to join by an invitation, whose key signs the transaction. None where one of the keys is
/// not Ed25519.
pub fn join(
    node: &SigningKey,
    invitation: &KeyId,
    ledger: &LedgerId,
    member: &MemberId,
    address: &str,
) -> Result<Option<Join>, KeyError> {
    let Some(key) = node_key_of(node) else { return Ok(None) };
    let message = possession_message(ledger, member, &key.id(), Purpose::Join(invitation));
    Ok(Some(Join { key, address: address.to_owned(), possession: node.sign(&message)? }))
}

/// A node's change of its key: both keys sign. None where one of the keys is not Ed25519.
pub fn rotate(
    node: &NodeId,
    present: &SigningKey,
    next: &SigningKey,
    ledger: &LedgerId,
    member: &MemberId,
) -> Result<Option<Rotation>, KeyError> {
    let (Some(present_key), Some(key)) = (node_key_of(present), node_key_of(next)) else { return Ok(None) };
    let possession = next.sign(&possession_message(ledger, member, &key.id(), Purpose::Next(node)))?;
    let purpose = Purpose::Yield(node, &key.id());
    let consent = present.sign(&possession_message(ledger, member, &present_key.id(), purpose))?;
    Ok(Some(Rotation { node: *node, present: present_key, key, possession, consent }))
}

/// A recorded transaction of the consortium lane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Governed {
    /// The transaction.
    pub transaction: TransactionId,
    /// The node's answer; none where it was still waiting when the time to wait was over.
    pub recorded: Option<TransactionAnswer>,
}

impl RelyingParty {
    /// A record of the consortium, proved; none where it is proved that there is none.
    pub async fn consortium<T: Wire>(
        &mut self,
        key: StateKey,
        now: TimeMs,
    ) -> Result<Option<T>, ClientError> {
        Ok(self.record(&key, now).await?.0)
    }

    /// A record that is there since genesis, proved.
    pub async fn founded<T: Wire>(&mut self, key: StateKey, now: TimeMs) -> Result<T, ClientError> {
        Ok(self.founded_by(key, now).await?.0)
    }

    /// A record that is there since genesis, and who stands for it.
    pub async fn founded_by<T: Wire>(
        &mut self,
        key: StateKey,
        now: TimeMs,
    ) -> Result<(T, ProvedBy), ClientError> {
        let missing = TrustError::Record(cbor::DecodeError::Value { field: "record since genesis" });
        let (record, by) = self.record(&key, now).await?;
        Ok((record.ok_or(ClientError::Trust(missing))?, by))
    }

    /// Whose a key is, proved.
    pub async fn owner(&mut self, key: &KeyId, now: TimeMs) -> Result<Option<KeyRecord>, ClientError> {
        self.consortium(key_key(key), now).await
    }

    /// The node that has, had or will have a key, proved.
    pub async fn node_of(&mut self, key: &NodeKey, now: TimeMs) -> Result<Option<Node>, ClientError> {
        match self.owner(&key.id(), now).await?.map(|record| record.owner) {
            Some(Owner::Node(id)) => self.consortium(node_key(&id), now).await,
            _ => Ok(None),
        }
    }

    /// Signs an action, submits it and waits until it is recorded, at most for `wait`.
    ///
    /// Errors: [`ClientError::Refused`], where nothing was recorded.
    pub async fn govern(
        &mut self,
        action: &Action,
        key: &SigningKey,
        now: TimeMs,
        wait: Duration,
    ) -> Result<Governed, ClientError> {
        let parameters: Parameters = self.founded(parameters_key(), now).await?;
        let signer = Signer { key, ledger: self.light().trust().ledger() };
        // Half the longest time, so that clocks may differ by the other half.
        let valid_until = now.plus(parameters.transaction.lifetime_ms_max / 2);
        let transaction = signer.transaction(Lane::Consortium, action.to_bytes(), Vec::new(), valid_until)?;
        let id = transaction.id();
        match self.nodes().submit(id, transaction.to_bytes(), wait).await? {
            Submitted::Recorded(answer) => Ok(Governed { transaction: id, recorded: Some(answer) }),
            Submitted::Pending(transaction) => Ok(Governed { transaction, recorded: None }),
            Submitted::Refused(problem) => Err(ClientError::Refused { problem }),
        }
    }

    /// What a change would change if it took effect with the next block, from proved records alone.
    ///
    /// The rules run here. Each run tells which records it looked at; those are fetched, and the outcome
    /// counts once all of them were read twice with the same values: then they stood side by side in one
    /// state.
    ///
    /// Refuses: what the proposal itself would be refused for.
    pub async fn dry_run(
        &mut self,
        change: &Change,
        now: TimeMs,
    ) -> Result<Result<Difference, Refusal>, ClientError> {
        let mut wanted: BTreeSet<StateKey> = FOUNDED.into_iter().map(|key| key()).collect();
        let mut before = Records::new();
        for _ in 0..ROUNDS_MAX {
            let mut records = Records::new();
            let mut newest: Option<Header> = None;
            for key in &wanted {
                let proof = self.state_proof(key, now).await?;
                records.insert(key.clone(), proof.record);
                newest = Some(proof.finality.header);
            }
            let missing: Vec<_> =
                seats(&records).into_iter().filter(|key| !records.contains_key(key)).collect();
            if let (Some(header), true) = (newest, missing.is_empty()) {
                let known = Known { records: &records, missed: RefCell::default() };
                let outcome = tabellion_machine::dry_run(change, &header, &known);
                let missed = known.missed.into_inner();
                if missed.is_empty() && records == before {
                    return Ok(outcome);
                }
                wanted.extend(missed);
            }
            wanted.extend(missing);
            before = records;
        }
        Err(self.nodes().unexpected("/v1/state", "records that never stand still").into())
    }
}

/// Records by key, as proved.
type Records = BTreeMap<StateKey, Option<Vec<u8>>>;

/// Records that every state has.
const FOUNDED: [fn() -> StateKey; 5] = [parameters_key, members_key, roster_key, committee_key, nodes_key];

/// What the rules take for granted: the nodes on record, and for each validator its key and its node.
fn seats(records: &Records) -> Vec<StateKey> {
    fn decoded<T: Wire>(records: &Records, key: &StateKey) -> Option<T> {
        cbor::from_bytes(records.get(key)?.as_ref()?, RECORD_BYTES_MAX).ok()
    }
    let nodes = decoded::<Nodes>(records, &nodes_key()).unwrap_or_default();
    let mut wanted: Vec<StateKey> = nodes.0.iter().map(|(id, _)| node_key(id)).collect();
    let roster = decoded::<Roster>(records, &roster_key());
    for validator in roster.iter().flat_map(Roster::validators) {
        let key = key_key(&validator.key_id());
        if let Some(KeyRecord { owner: Owner::Node(id), .. }) = decoded(records, &key) {
            wanted.push(node_key(&id));
        }
        wanted.push(key);
    }
    wanted
}

/// Records that were proved; it notes the ones that were asked for and are not among them.
struct Known<'a> {
    records: &'a Records,
    missed: RefCell<BTreeSet<StateKey>>,
}

impl View for Known<'_> {
    fn get(&self, key: &StateKey) -> Option<Vec<u8>> {
        match self.records.get(key) {
            Some(record) => record.clone(),
            None => {
                self.missed.borrow_mut().insert(key.clone());
                None
            }
        }
    }

    /// A dry run asks for no transaction.
    fn transaction_height(&self, _: &TransactionId) -> Option<Height> {
        None
    }
}
