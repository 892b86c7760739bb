//! What stands between engine and core in a plan: it keeps evidence, and spoils the blocks of a liar.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use tabellion_engine::{Application, Committee, NodeKey, StoreError, Work};
use tabellion_ledger::{Block, Equivocation, FinalityProof, HeaderHash, TimeMs};
use tabellion_node::core::Core;

use crate::spoiler::Spoiler;

/// What the honest nodes of a plan were told of equivocations.
#[derive(Clone, Default)]
pub struct Evidence(Arc<Mutex<Vec<Equivocation>>>);

impl Evidence {
    /// All of it.
    pub fn all(&self) -> Vec<Equivocation> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// A node's core as the engine of a plan sees it.
pub struct Shell {
    core: Arc<Core>,
    /// Where evidence goes; a liar keeps it to itself.
    evidence: Option<Evidence>,
    spoiler: Option<Arc<Spoiler>>,
}

impl Shell {
    /// The core of an honest node.
    pub fn honest(core: Arc<Core>, evidence: Evidence) -> Self {
        Self { core, evidence: Some(evidence), spoiler: None }
    }

    /// The core of a liar.
    pub fn dishonest(core: Arc<Core>, spoiler: Option<Arc<Spoiler>>) -> Self {
        Self { core, evidence: None, spoiler }
    }
}

impl Application for Shell {
    fn genesis(&self) -> Arc<Block> {
        self.core.genesis()
    }

    fn committee(&self, epoch: u64) -> Option<Committee> {
        self.core.committee(epoch)
    }

    fn knows(&self, block: HeaderHash) -> bool {
        self.core.knows(block)
    }

    fn work(&self, parent: HeaderHash, now: TimeMs) -> Work {
        self.core.work(parent, now)
    }

    fn build(&self, parent: &Arc<Block>, proposer: u16, now: TimeMs) -> Option<Arc<Block>> {
        let block = self.core.build(parent, proposer, now)?;
        Some(match &self.spoiler {
            Some(spoiler) => spoiler.spoil(parent, block, now),
            None => block,
        })
    }

    fn check(&self, parent: &Arc<Block>, block: &Arc<Block>, now: TimeMs) -> Result<(), String> {
        self.core.check(parent, block, now)
    }

    fn adopt(&self, parent: &Arc<Block>, block: &Arc<Block>) -> Result<(), String> {
        self.core.adopt(parent, block)
    }

    fn commit(&self, block: Arc<Block>, proof: Option<FinalityProof>) -> Result<(), StoreError> {
        if let Some(spoiler) = &self.spoiler {
            spoiler.see(&block);
        }
        self.core.commit(block, proof)
    }

    fn receive(&self, peer: NodeKey, message: Bytes) {
        self.core.receive(peer, message);
    }

    fn accuse(&self, evidence: Equivocation) {
        if let Some(Evidence(list)) = &self.evidence {
            list.lock().unwrap_or_else(PoisonError::into_inner).push(evidence.clone());
        }
        self.core.accuse(evidence);
    }
}
