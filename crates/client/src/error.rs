//! What goes wrong in a conversation with a ledger.

use tabellion_machine::{ProblemDetails, RulesetFault};
use thiserror::Error;

use crate::archive::ArchiveError;
use crate::carried::CarriedError;
use crate::history::HistoryFault;
use crate::light::LightError;
use crate::node::NodeError;
use crate::offline::OfflineError;
use crate::publish::PublishError;
use crate::replay::ChainFault;
use crate::trust::TrustError;

/// Why a client does not reach its aim.
#[derive(Debug, Error)]
pub enum ClientError {
    /// No node answers, or it answers nonsense.
    #[error(transparent)]
    Node(NodeError),
    /// The ledger says no.
    #[error("{}", .problem.detail)]
    Refused {
        /// The reason, with its code.
        problem: Box<ProblemDetails>,
    },
    /// A proof does not hold.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// A proof does not decode, or is for something else.
    #[error(transparent)]
    Offline(#[from] OfflineError),
    /// A header is stale, forked or not linked.
    #[error(transparent)]
    Light(#[from] LightError),
    /// A certificate's history is not what the ledger proves.
    #[error("the node's history of the certificate does not hold")]
    History(#[from] HistoryFault),
    /// The chain does not hold.
    #[error(transparent)]
    Chain(#[from] ChainFault),
    /// An archive cannot be written, or shows nothing.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// A carried file cannot be written.
    #[error(transparent)]
    Carried(#[from] CarriedError),
    /// A transaction cannot be made.
    #[error(transparent)]
    Publish(#[from] PublishError),
    /// The ledger's rules ask for a newer program.
    #[error("this program cannot follow the ledger's rules")]
    Rules(#[from] RulesetFault),
    /// The node serves another ledger than the one asked for.
    #[error("the node serves ledger {found}, not {expected}")]
    OtherLedger {
        /// The node's.
        found: String,
        /// The one of the genesis document.
        expected: String,
    },
}

impl From<NodeError> for ClientError {
    fn from(error: NodeError) -> Self {
        match error {
            NodeError::Refused(problem) => Self::Refused { problem },
            error => Self::Node(error),
        }
    }
}

impl ClientError {
    /// Whether something was shown that does not hold: a broken proof, a fork, a broken link. Not a mere
    /// failure.
    pub fn is_broken_proof(&self) -> bool {
        match self {
            Self::Trust(TrustError::Genesis(_)) | Self::Chain(ChainFault::BodyGone { .. }) => false,
            Self::Trust(_) | Self::Offline(_) | Self::History(_) | Self::Chain(_) => true,
            Self::Archive(error) => error.is_broken_proof(),
            Self::Light(error) => {
                matches!(error, LightError::Trust(_) | LightError::Fork { .. } | LightError::Link { .. })
            }
            _ => false,
        }
    }
}
