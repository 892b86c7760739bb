//! Checks transactions in parallel, with what earlier checks learned about intermediate certificates.

use std::sync::{Arc, PoisonError, RwLock};

use rayon::prelude::*;
use tabellion_ledger::{Transaction, TransactionId, View};
use tabellion_machine::{Checked, Refusal, Ruleset, check, check_recorded};
use tabellion_pki::{ChainCache, Learned};

/// Intermediate certificates that are kept parsed and verified: twice those of the whole public web.
const KNOWN_INTERMEDIATES_MAX: usize = 8192;

/// The stateless checks of a node.
pub struct Checker {
    cache: RwLock<ChainCache>,
}

impl Checker {
    /// A checker that knows no intermediate certificate yet.
    pub fn new() -> Self {
        Self { cache: RwLock::new(ChainCache::new(KNOWN_INTERMEDIATES_MAX)) }
    }

    /// Checks one transaction with its attachments.
    pub fn check(
        &self,
        transaction: Transaction,
        rules: &Ruleset,
        view: &dyn View,
    ) -> Result<Arc<Checked>, Refusal> {
        let (outcome, learned) = {
            let cache = self.cache.read().unwrap_or_else(PoisonError::into_inner);
            check(transaction, rules, view, &cache)
        };
        self.absorb(learned);
        outcome
    }

    /// Mere uses are worth no lock that stops the other threads; they are taken over where nobody waits.
    fn absorb(&self, learned: Vec<Learned>) {
        let news = learned.iter().any(|learned| !learned.is_only_use());
        let cache = match news {
            true => Some(self.cache.write().unwrap_or_else(PoisonError::into_inner)),
            false => self.cache.try_write().ok(),
        };
        if let Some(mut cache) = cache {
            learned.into_iter().for_each(|learned| cache.absorb(learned));
        }
    }

    /// Checks the transactions of a block in parallel; `known` answers for those that were checked before.
    ///
    /// With `recorded`, certificates that a ledger of identifiers did not record are taken on the quorum's
    /// word.
    pub fn check_block(
        &self,
        transactions: Vec<Transaction>,
        known: impl Fn(&Transaction) -> Option<Arc<Checked>> + Sync,
        recorded: bool,
        rules: &Ruleset,
        view: &(dyn View + Sync),
    ) -> Result<Vec<Arc<Checked>>, Box<(TransactionId, Refusal)>> {
        let one = |transaction: Transaction| {
            if let Some(checked) = known(&transaction) {
                return Ok(checked);
            }
            let outcome = match recorded {
                true => check_recorded(transaction.clone(), rules, view),
                false => self.check(transaction.clone(), rules, view),
            };
            outcome.map_err(|refusal| Box::new((transaction.id(), refusal)))
        };
        transactions.into_par_iter().map(one).collect()
    }
}
