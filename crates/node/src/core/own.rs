//! What a node submits by itself, under its own key: that it follows, and that another one voted two ways.

use ed25519_consensus::SigningKey;
use tabellion_consortium::{Action, NodeKey, NodeRole, boundary, node_of_key};
use tabellion_ledger::{
    Algorithm, Content, Envelope, Equivocation, Height, Lane, Signature, TimeMs, Transaction,
    attachments_root, cbor, sha256,
};

use tabellion_pki::OptimisationNotice;

use super::{Committed, Core};

/// How long a node's own transaction may wait. Unit: ms.
const LIFETIME_MS: u64 = 10 * 60 * 1000;

/// The node's key.
pub(super) struct Identity {
    seed: [u8; 32],
    key: SigningKey,
    public: NodeKey,
}

impl Identity {
    pub(super) fn new(seed: [u8; 32]) -> Self {
        let key = SigningKey::from(seed);
        let public = NodeKey(key.verification_key().to_bytes());
        Self { seed, key, public }
    }

    pub(super) fn key(&self) -> NodeKey {
        self.public
    }

    pub(super) fn seed(&self) -> [u8; 32] {
        self.seed
    }
}

impl Core {
    /// Reports once an epoch that this node follows, while it stands on the ledger as a full node without a
    /// vote: the probation that comes before one.
    pub(super) fn report(&self, now: TimeMs) {
        let Committed { state, .. } = self.committed();
        let Some(node) = node_of_key(&state, &self.identity.public) else { return };
        let Some(boundary) = boundary(&state) else { return };
        let is_due = node.reported.is_none_or(|reported| reported < boundary.height);
        if node.removed.is_none() && node.role == NodeRole::Full && is_due {
            self.submit_own(&Action::Report(boundary), now);
        }
    }

    /// Brings evidence of equivocation to the ledger.
    pub(super) fn accuse_by_transaction(&self, evidence: Equivocation) {
        let now = self.committed().header.time;
        tracing::warn!(
            epoch = evidence.epoch,
            view = evidence.view,
            "a validator voted two ways in one view"
        );
        self.submit_own(&Action::Accuse(evidence), now);
    }

    /// Whether this node stands on the ledger as a backup node.
    pub(crate) fn is_backup(&self) -> bool {
        let node = node_of_key(&self.committed().state, &self.identity.public);
        node.is_some_and(|node| node.removed.is_none() && node.role == NodeRole::Backup)
    }

    /// Gives notice that nothing in these blocks is needed any more (X.1409 C21).
    pub(crate) fn give_notice(&self, heights: Vec<Height>, now: TimeMs) {
        if heights.is_empty() || self.rules().records_certificates() {
            return;
        }
        tracing::info!(blocks = heights.len(), "giving notice of blocks in which nothing is needed any more");
        let action = tabellion_pki::Action::Notice(OptimisationNotice(heights));
        self.submit_signed(self.sign_own(Lane::Certificate, cbor::to_bytes(&action), now), now);
    }

    fn submit_own(&self, action: &Action, now: TimeMs) {
        self.submit_signed(self.sign_own(Lane::Consortium, cbor::to_bytes(action), now), now);
    }

    /// A refusal is most often that another node came first.
    fn submit_signed(&self, transaction: Transaction, now: TimeMs) {
        if let Err(reason) = self.submit(transaction, now) {
            tracing::debug!(?reason, "a transaction of the node's own is not taken");
        }
    }

    fn sign_own(&self, lane: Lane, action: Vec<u8>, now: TimeMs) -> Transaction {
        let valid_until = now.plus(LIFETIME_MS);
        // The same action at the same time is the same transaction: that is just right here.
        let digest = sha256(&[action.as_slice(), &valid_until.0.to_be_bytes()].concat());
        let mut nonce = [0; 16];
        nonce.copy_from_slice(&digest[..16]);
        let content = Content {
            ledger: self.ledger(),
            lane,
            valid_until,
            nonce,
            action,
            attachments: attachments_root(&[]),
        };
        let (payload, key_id) = (cbor::to_bytes(&content), self.identity.public.id());
        let signed = Envelope::signed_bytes(Algorithm::Ed25519, &key_id, &payload);
        let signature = Signature(self.identity.key.sign(&signed).to_bytes().to_vec());
        let envelope = Envelope { algorithm: Algorithm::Ed25519, key_id, payload, signature };
        Transaction::new(envelope, Vec::new()).expect("invariant: a content of our own decodes")
    }
}
