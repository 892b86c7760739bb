//! How a command ends: exit codes, errors and hints.

use std::error::Error;
use std::fmt;

use tabellion_client::{
    ChainError, ClientError, InputError, KeyFileError, LightError, NodeError, OfflineError, TrustError,
};

/// Exit codes. 0 = done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// Something failed.
    Error = 1,
    /// The command line makes no sense.
    Usage = 2,
    /// The ledger, or the check before it, refused.
    Refused = 3,
    /// The certificate may not be relied upon: revoked, suspended, expired or unknown.
    NotValid = 4,
    /// A proof does not hold, is too old, or contradicts another one.
    Proof = 5,
    /// No node answers.
    Unreachable = 6,
}

/// Why a command did not reach its aim.
#[derive(Debug)]
pub struct Failure {
    /// The exit code.
    pub code: Code,
    /// A stable word for programs: the ledger's code where it refused.
    pub kind: String,
    /// What happened.
    pub message: String,
    /// What to do next.
    pub hint: Option<String>,
}

/// What commands return.
pub type Done = Result<(), Failure>;

impl Failure {
    /// A failure with its code.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        let kind = match code {
            Code::Error => "error",
            Code::Usage => "usage",
            Code::Refused => "refused",
            Code::NotValid => "not-valid",
            Code::Proof => "proof",
            Code::Unreachable => "unreachable",
        };
        Self { code, kind: kind.to_owned(), message: message.into(), hint: None }
    }

    /// An error with the errors below it.
    pub fn of(code: Code, error: &dyn Error) -> Self {
        Self::new(code, chain(error))
    }

    /// With what to do next.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// An error and its causes in one sentence.
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.ends_with(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}

impl From<NodeError> for Failure {
    fn from(error: NodeError) -> Self {
        Self::from(ClientError::from(error))
    }
}

impl From<TrustError> for Failure {
    fn from(error: TrustError) -> Self {
        Self::from(ClientError::from(error))
    }
}

impl From<LightError> for Failure {
    fn from(error: LightError) -> Self {
        Self::from(ClientError::from(error))
    }
}

impl From<OfflineError> for Failure {
    fn from(error: OfflineError) -> Self {
        Self::from(ClientError::from(error))
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        match &error {
            ClientError::Refused { problem } => Self {
                code: if problem.code == "knowledge-too-old" { Code::Proof } else { Code::Refused },
                kind: problem.code.clone(),
                message: format!("refused ({}): {}", problem.code, problem.detail),
                hint: problem.hint.clone(),
            },
            ClientError::Node(node) => of_node(node),
            ClientError::Trust(error) if error.is_unsigned() => Self::of(Code::Proof, error).hint(
                "a node that has just started has signatures with the next block; try again, or another",
            ),
            ClientError::Trust(TrustError::Genesis(_)) => {
                Self::of(Code::Error, &error).hint("expected is the file genesis.cbor of a network")
            }
            ClientError::Offline(OfflineError::OtherCertificate { .. }) => {
                Self::of(Code::Proof, &error).hint("leave the certificate out to see what the proof is about")
            }
            ClientError::Light(LightError::Stale { .. }) => Self::of(Code::Proof, &error).hint(
                "the node may have lost its peers: ask another with --node, or allow more with --max-age",
            ),
            ClientError::Light(LightError::Fork { .. }) => Self::of(Code::Proof, &error)
                .hint("keep both proofs and tell the consortium: validators signed two histories"),
            ClientError::Light(LightError::Memory { path, .. }) => Self::of(Code::Error, &error)
                .hint(format!("if you know why, remove it and begin anew: rm {}", path.display())),
            ClientError::OtherLedger { .. } => {
                Self::of(Code::Proof, &error).hint("--genesis and --node belong to different networks")
            }
            ClientError::Rules(_) => {
                Self::of(Code::Error, &error).hint("the ledger may follow a newer version of this program")
            }
            _ if error.is_broken_proof() => {
                Self::of(Code::Proof, &error).hint("believe nothing of it; if a node sent it, ask another")
            }
            _ => Self::of(Code::Error, &error),
        }
    }
}

fn of_node(error: &NodeError) -> Failure {
    match error {
        NodeError::Unreachable { .. } => Failure::of(Code::Unreachable, error)
            .hint("is the network running? `tabellion dev` starts one here; --node names another"),
        NodeError::Overloaded => {
            Failure::of(Code::Unreachable, error).hint("try again later, or another --node")
        }
        NodeError::Address { .. } | NodeError::NoNode => Failure::of(Code::Usage, error),
        _ => Failure::of(Code::Error, error),
    }
}

impl From<KeyFileError> for Failure {
    fn from(error: KeyFileError) -> Self {
        let failure = Self::of(Code::Error, &error);
        match &error {
            KeyFileError::Exists(_) => failure.hint("choose another name, or move the old key away"),
            KeyFileError::PassphraseNeeded(_) => failure.hint(
                "run it on a terminal, or name a file that holds the passphrase with --passphrase-file",
            ),
            KeyFileError::OtherContent { .. } => {
                failure.hint("`tabellion key new FILE` makes a key; its public half goes to the consortium")
            }
            KeyFileError::Io { .. } => {
                failure.hint("--key names the key file; `tabellion key new FILE` makes one")
            }
            _ => failure,
        }
    }
}

/// An input that holds no certificate, and where it came from.
pub fn of_input(name: &str, error: &InputError) -> Failure {
    let failure = Failure::new(Code::Error, format!("{name}: {error}"));
    match error {
        InputError::PrivateKey => failure.hint(
            "this command wants the certificate; keep the private key to yourself (nothing of it was sent)",
        ),
        InputError::Empty => failure.hint("expected is a certificate in PEM or DER"),
        InputError::OtherContent { found } if found.contains("PKCS#7") => {
            failure.hint("openssl pkcs7 -print_certs -in FILE turns it into PEM")
        }
        InputError::OtherContent { found } if found.contains("PKCS#12") => {
            failure.hint("openssl pkcs12 -nokeys -in FILE turns its certificates into PEM")
        }
        InputError::OtherContent { found } if found.contains("request") => {
            failure.hint("a certification authority makes a certificate of it")
        }
        _ => failure.hint("expected is a certificate in PEM (-----BEGIN CERTIFICATE-----) or DER"),
    }
}

/// A certificate without a chain, and where it came from.
pub fn of_chain(name: &str, error: &ChainError) -> Failure {
    let failure = Failure::new(Code::Refused, format!("{name}: {error}"));
    let failure = Failure { kind: "chain-incomplete".to_owned(), ..failure };
    match error {
        ChainError::NoIssuer { .. } => {
            failure.hint("put the missing certificate into the file, or name it with --intermediates FILE")
        }
        ChainError::UntrustedRoot { .. } => failure.hint(
            "`tabellion ledger cas` lists the trusted CAs; members change them by vote: `tabellion propose \
             trusted-cas`",
        ),
        _ => failure,
    }
}

/// An error of the node's side: its causes in one line.
impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        let failure = Self::new(Code::Error, format!("{error:#}"));
        match error.downcast_ref::<tabellion_node::NodeError>() {
            Some(node) if node.is_disk_full() => failure.hint(
                "the disk is full: make room for the node's data, then start the node again; it catches up \
                 by itself, and nothing that was acknowledged is lost",
            ),
            _ => failure,
        }
    }
}
