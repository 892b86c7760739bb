//! A node's gateway: signs transactions for clients that cannot.

use std::sync::Arc;

use tabellion_api::{Fault, Gateway};
use tabellion_client::{Signer, SigningKey};
use tabellion_ledger::{Lane, LedgerId, Transaction};

/// How long a client of the gateway has until its transaction is recorded. Unit: ms.
const LIFETIME_MS: u64 = 10 * 60 * 1000;

/// Signs with a member's key that the operator gave to the node.
pub struct KeyGateway {
    ledger: LedgerId,
    key: SigningKey,
}

impl KeyGateway {
    /// A gateway of this ledger.
    pub fn new(ledger: LedgerId, key: SigningKey) -> Arc<Self> {
        Arc::new(Self { ledger, key })
    }
}

impl Gateway for KeyGateway {
    fn sign(&self, lane: Lane, action: Vec<u8>, attachments: Vec<Vec<u8>>) -> Result<Transaction, Fault> {
        let valid_until = tabellion_node::now().plus(LIFETIME_MS);
        let signer = Signer { key: &self.key, ledger: self.ledger };
        signer.transaction(lane, action, attachments, valid_until).map_err(Fault::new)
    }
}
