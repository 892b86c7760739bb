//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use tabellion_ledger::Algorithm;

use crate::consortium::{AccountCommand, MemberCommand, ProposalCommand, ProposeArgs, RoleCommand, VoteArgs};
use crate::edge::EdgeCommand;
use crate::moment::{Moment, Span};
use crate::node_commands::{DevArgs, NetworkCommand, NodeArgs};
use crate::proxy::ProxyCommand;
use crate::tls::TlsCommand;

const ABOUT: &str =
    "Certificate status that anybody can check: a shared ledger of several organisations (ITU-T X.1409)";

const FIRST_STEPS: &str = "\
Three things to try first, with a network running (`tabellion dev` starts one on this machine):

  tabellion ledger status                      what the ledger is, proved by its validators
  tabellion cert publish chain.pem             publish a certificate with its intermediates
  tabellion cert verify chain.pem              may I rely on it? proved, not believed

Exit codes:
  0 done                     3 refused by the ledger        5 a proof does not hold or is too old
  1 error                    4 certificate not valid        6 no node answers
  2 wrong command line         (revoked, suspended, expired, unknown)

Data goes to stdout, talk to stderr; --json makes data and errors machine readable. Times are UTC.";

const KEY_HELP: &str = "\
The public half is printed: give it to the consortium, which makes its owner a member.
The file is age-encrypted PKCS#8 PEM (age -d opens it); without the passphrase nobody opens it.";

const PUBLISH_HELP: &str = "\
A file may hold the certificate, its intermediates and its root in any order, PEM or DER; - reads stdin.
Every validator verifies the whole chain. Example with a validity that starts later:

  tabellion cert publish chain.pem --from 2027-01-01 --until 2027-12-31";

const BATCH_HELP: &str = "\
Takes files, folders and patterns. Run again after a break: what is recorded already is skipped. Example:

  tabellion cert publish-batch certs/ --intermediates ca.pem --refused refused.jsonl";

const CHANGE_HELP: &str = "\
What the CA says decides; who submits is recorded. Every validator verifies it. A certificate that waits
for its start can be revoked and suspended before. Examples:

  tabellion cert revoke www.pem --issuer ca.pem --crl ca.crl
  tabellion cert resume www.pem --issuer ca.pem --ocsp response.der";

const RENEW_HELP: &str = "\
Both in one transaction, signed with the old certificate's key. Where that key lies in a token:

  tabellion cert renew old.pem new.pem --message-out renewal
  openssl dgst -sha256 -sign old.key -out renewal.signature renewal
  tabellion cert renew old.pem new.pem --signature renewal.signature";

const STATEMENT_HELP: &str = "\
For CAs without OCSP and CRL. The statement is for the next record of the certificate and serves once:

  tabellion cert statement www.pem --reason key-compromise --out www.statement
  openssl dgst -sha256 -sign ca.key -out www.signature www.statement
  tabellion cert revoke www.pem --issuer ca.pem --statement www.statement --signature www.signature";

const MONITOR_HELP: &str = "\
Every block is compared with a header that a quorum signed: nothing is hidden from it. The file:

  names = [\".example.com\", \"www.example.org\"]   a leading dot means: and all below it
  issuers = [\"our-ca.pem\"]                        optional: any other CA is told as unexpected
  webhook = \"https://alerts.example.com/x\"        optional, with webhook_ca = \"ca.pem\"
  [[ca]]                                           optional: a CA that is held to its names
  certificate = \"their-ca.pem\"
  names = [\".their.example\"]";

const VERIFY_HELP: &str = "\
Takes a certificate file, its SHA-256, or - for stdin. Exit code 0 only if valid.
A proof saved with --proof-out can be checked by anybody without a network:

  tabellion cert verify cert.pem --proof-out cert.proof
  tabellion cert verify --offline cert.proof --genesis genesis.cbor cert.pem";

const BENCH_CA_HELP: &str = "\
The root must be among the ledger's trusted CAs, so begin a network with it:

  tabellion bench ca bench-ca
  tabellion dev --data bench-net --anchors bench-ca/root.pem
  tabellion bench publish --network bench-net --ca-dir bench-ca";

const BENCH_PUBLISH_HELP: &str = "\
Needs a CA under a trusted root: --ca-dir (`tabellion bench ca` makes one), --issuer and --issuer-key, or
[bench] in the network's client.toml. The limit is measured first: raw path validations and signature
checks per second on all cores, divided by the validators that share this machine.";

const PROPOSE_HELP: &str = "\
The proposer's own vote is for it; floor(2n/3) + 1 of n active members accept it. Example:

  tabellion propose grant-role bravo auditor --reason 'as agreed in May' --dry-run
  tabellion propose grant-role bravo auditor --reason 'as agreed in May'
  tabellion vote 7 for                          each other member
  tabellion proposal watch 7";

const PROXY_HELP: &str = "\
The members of the host open its outbox, those at home follow it; then any number of proxies may run:

  tabellion propose outbox open --network host
  tabellion propose follow-ledger host/genesis.cbor --stale-after 10m --network home
  tabellion proxy run --from host --to home --key proxy.pem
  tabellion cert verify cert.pem --network home     also tells what is recorded of foreign ledgers";

const EDGE_HELP: &str = "\
An edge inside an intranet needs one outgoing connection to any node; one behind an air gap needs files:

  tabellion edge init plant --network net --rest 10.0.0.5:8441 --status 10.0.0.5:8481
  tabellion edge run plant
  tabellion edge status plant

  tabellion edge init vault --offline --genesis genesis.cbor --rest 10.1.0.5:8441 --stale-after 1d
  tabellion edge export --from-block 1 --out blocks-1.tab --network net      where there is a network
  cp blocks-1.tab vault/inbox/                                               where there is none";

const NODE_HELP: &str = "\
Without a command it runs the node of --config. A new node joins in three steps:

  tabellion node invite node-echo --out echo.invitation     its member, who is an operator
  tabellion node join echo.invitation --data node-echo --listen 192.0.2.5:7441
  tabellion node --config node-echo";

/// The command line.
#[derive(Debug, Parser)]
#[command(name = "tabellion", version, about = ABOUT, after_help = FIRST_STEPS, max_term_width = 100)]
#[command(propagate_version = true, disable_help_subcommand = true, arg_required_else_help = true)]
pub struct Cli {
    /// Which network.
    #[command(flatten)]
    pub network: NetworkOptions,
    /// How to say it.
    #[command(flatten)]
    pub output: OutputOptions,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Which network, and as whom. Command line before environment before the network's `client.toml`.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Network")]
pub struct NetworkOptions {
    /// Folder of a network, with its client.toml [default: ./tabellion-data where it exists]
    #[arg(long, global = true, value_name = "DIR", env = "TABELLION_NETWORK")]
    pub network: Option<PathBuf>,
    /// Address of a node, for example https://127.0.0.1:8441; several are tried in order
    #[arg(long, global = true, value_name = "URL", env = "TABELLION_NODE", value_delimiter = ',')]
    pub node: Vec<String>,
    /// File with the CAs (PEM) by which nodes are known
    #[arg(long, global = true, value_name = "FILE", env = "TABELLION_CA")]
    pub ca: Option<PathBuf>,
    /// SHA-256 of the node's public key, or of that of its certificate, in place of a CA file
    #[arg(long, global = true, value_name = "HEX", env = "TABELLION_PIN", conflicts_with = "ca")]
    pub pin: Option<String>,
    /// Genesis document, from which every proof is checked
    #[arg(long, global = true, value_name = "FILE", env = "TABELLION_GENESIS")]
    pub genesis: Option<PathBuf>,
    /// Key file that signs transactions
    #[arg(long, global = true, value_name = "FILE", env = "TABELLION_KEY")]
    pub key: Option<PathBuf>,
    /// File with the passphrase of the key file; its first line counts
    #[arg(long, global = true, value_name = "FILE", env = "TABELLION_PASSPHRASE_FILE")]
    pub passphrase_file: Option<PathBuf>,
    /// Oldest proof that is accepted, for example 5m [default: two heartbeats of the ledger and one minute]
    #[arg(long, global = true, value_name = "SPAN")]
    pub max_age: Option<Span>,
}

/// How to say it.
#[derive(Args, Clone, Copy, Debug, Default)]
#[command(next_help_heading = "Output")]
pub struct OutputOptions {
    /// Print data as JSON, one value per line, and errors as JSON on stderr
    #[arg(long, global = true)]
    pub json: bool,
    /// Say nothing on stderr but warnings and errors
    #[arg(long, short, global = true)]
    pub quiet: bool,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Keys that sign transactions
    #[command(subcommand)]
    Key(KeyCommand),
    /// Certificates: publish, verify, look up
    #[command(subcommand)]
    Cert(CertCommand),
    /// The ledger itself: blocks, transactions, proofs
    #[command(subcommand)]
    Ledger(LedgerCommand),
    /// Members of the consortium
    #[command(subcommand)]
    Member(MemberCommand),
    /// Accounts: people and systems that act for a member
    #[command(subcommand)]
    Account(AccountCommand),
    /// What each role may do
    #[command(subcommand)]
    Role(RoleCommand),
    /// Propose a change to the members
    #[command(after_help = PROPOSE_HELP)]
    Propose(ProposeArgs),
    /// Vote on a proposal, as a member; the ballot commits to what the proposal says
    Vote(VoteArgs),
    /// Proposals: list, show, watch, withdraw
    #[command(subcommand)]
    Proposal(ProposalCommand),
    /// TLS connections whose ends know each other by the ledger
    #[command(subcommand)]
    Tls(TlsCommand),
    /// Composed systems: ledgers that follow each other
    #[command(subcommand, after_help = PROXY_HELP)]
    Proxy(ProxyCommand),
    /// Status where the ledger's nodes cannot be reached: an edge follows them, or takes files
    #[command(subcommand, after_help = EDGE_HELP)]
    Edge(EdgeCommand),
    /// Measure a network
    #[command(subcommand)]
    Bench(BenchCommand),
    /// Run a whole network on this machine: four validators of four organisations
    Dev(DevArgs),
    /// Make the files of a network for real hosts
    #[command(subcommand)]
    Network(NetworkCommand),
    /// Run one node of a network; invite, join, list and remove nodes
    #[command(after_help = NODE_HELP)]
    Node(NodeArgs),
    /// Print shell completions, for example: tabellion completions bash > /etc/bash_completion.d/tabellion
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
}

/// `key ...`
#[derive(Debug, Subcommand)]
pub enum KeyCommand {
    /// Make a key and write it to a new file, encrypted under a passphrase
    #[command(after_help = KEY_HELP)]
    New {
        /// The new file; an existing one is never overwritten.
        file: PathBuf,
        /// Signature algorithm.
        #[arg(long, value_enum, default_value_t)]
        algorithm: KeyAlgorithm,
        /// Do not encrypt the file: whoever reads it has the key
        #[arg(long)]
        plain: bool,
    },
    /// Print the public half of a key file
    Show {
        /// The key file [default: the network's]
        file: Option<PathBuf>,
    },
}

/// Algorithms of `key new`.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub enum KeyAlgorithm {
    /// Ed25519: small and fast
    #[default]
    Ed25519,
    /// ECDSA on P-256, for hardware that knows nothing else
    Es256,
    /// ML-DSA-65: safe against quantum computers, 3.3 kB per signature
    MlDsa65,
}

impl From<KeyAlgorithm> for Algorithm {
    fn from(algorithm: KeyAlgorithm) -> Self {
        match algorithm {
            KeyAlgorithm::Ed25519 => Self::Ed25519,
            KeyAlgorithm::Es256 => Self::Es256,
            KeyAlgorithm::MlDsa65 => Self::MlDsa65,
        }
    }
}

/// `cert ...`
#[derive(Debug, Subcommand)]
pub enum CertCommand {
    /// Publish certificates: all of them, or none if one is refused
    #[command(after_help = PUBLISH_HELP)]
    Publish(PublishArgs),
    /// Publish many certificates; refused ones are left out and reported
    #[command(after_help = BATCH_HELP)]
    PublishBatch(PublishBatchArgs),
    /// Revoke certificates, for good, upon their CA's feedback: all of them or none
    #[command(after_help = CHANGE_HELP)]
    Revoke(ChangeArgs),
    /// Suspend certificates upon their CA's feedback: all of them or none
    #[command(after_help = CHANGE_HELP)]
    Suspend(ChangeArgs),
    /// Let suspended certificates be valid again, upon their CA's feedback: all of them or none
    #[command(after_help = CHANGE_HELP)]
    Resume(ChangeArgs),
    /// Publish a certificate in the place of another one of the same name, which is revoked as superseded
    #[command(after_help = RENEW_HELP)]
    Renew(RenewArgs),
    /// Write what a CA signs to revoke, suspend or resume a certificate without OCSP and CRL
    #[command(after_help = STATEMENT_HELP)]
    Statement(StatementArgs),
    /// May I rely on this certificate? The answer is proved by a quorum of validators
    #[command(after_help = VERIFY_HELP)]
    Verify(VerifyArgs),
    /// Show what a certificate says and what the ledger says about it
    Show {
        /// Certificate file, SHA-256 of a certificate, or - for stdin.
        certificate: String,
        /// Print the certificate itself as PEM, as the ledger holds it
        #[arg(long)]
        pem: bool,
    },
    /// Tell every operation on a certificate: when, who, why and upon what evidence. Each record is proved
    History {
        /// Certificate file, SHA-256 of a certificate, or - for stdin.
        certificate: String,
    },
    /// List certificates from a node's index (no proofs: verify those that matter)
    List(ListArgs),
    /// Tell a domain owner what happens under its names, each with its proof
    #[command(after_help = MONITOR_HELP)]
    Monitor(MonitorArgs),
    /// Tell what happens to certificates, as it happens
    Watch {
        /// Only these: certificate files or SHA-256 of certificates.
        certificates: Vec<String>,
        /// Begin at this block and not with what comes next
        #[arg(long, value_name = "HEIGHT")]
        from_block: Option<u64>,
    },
}

/// What all publishing takes.
#[derive(Args, Debug)]
pub struct PublishInputs {
    /// Files with further certificates to build chains from
    #[arg(long, value_name = "FILE")]
    pub intermediates: Vec<PathBuf>,
    /// Publish every certificate of each file, not only those that issued no other
    #[arg(long)]
    pub each: bool,
    /// Start of the validity asked for (2027-01-31 or +90d); recorded when it starts
    #[arg(long, value_name = "MOMENT")]
    pub from: Option<Moment>,
    /// End of the validity asked for
    #[arg(long, value_name = "MOMENT")]
    pub until: Option<Moment>,
    /// How long to wait for each transaction to be recorded
    #[arg(long, value_name = "SPAN", default_value = "60s")]
    pub wait: Span,
    /// Leave path validation to the ledger and do not check here first
    #[arg(long)]
    pub no_check: bool,
}

/// `cert publish`
#[derive(Args, Debug)]
pub struct PublishArgs {
    /// Files with certificates, or - for stdin.
    #[arg(required = true)]
    pub files: Vec<String>,
    /// What all publishing takes.
    #[command(flatten)]
    pub inputs: PublishInputs,
}

/// `cert revoke`, `cert suspend`, `cert resume`
#[derive(Args, Debug)]
pub struct ChangeArgs {
    /// Files with the certificates, or - for stdin.
    #[arg(required = true)]
    pub files: Vec<String>,
    /// The certificate of the CA that issued them
    #[arg(long, value_name = "FILE")]
    pub issuer: PathBuf,
    /// What the CA says.
    #[command(flatten)]
    pub feedback: FeedbackArgs,
    /// The CA's signature over the file of --statement
    #[arg(long, value_name = "FILE", requires = "statement")]
    pub signature: Option<PathBuf>,
    /// How long to wait for the transaction to be recorded
    #[arg(long, value_name = "SPAN", default_value = "60s")]
    pub wait: Span,
}

/// `cert renew`
#[derive(Args, Debug)]
pub struct RenewArgs {
    /// File with the certificate that is replaced.
    pub old: String,
    /// File with the new certificate and its chain.
    pub new: String,
    /// Private key of the old certificate (PEM), which signs the renewal
    #[arg(long, value_name = "FILE", conflicts_with_all = ["message_out", "signature"])]
    pub old_key: Option<PathBuf>,
    /// Write what the old key is to sign to this file, and end
    #[arg(long, value_name = "FILE", conflicts_with = "signature")]
    pub message_out: Option<PathBuf>,
    /// The old key's signature over that
    #[arg(long, value_name = "FILE")]
    pub signature: Option<PathBuf>,
    /// What all publishing takes.
    #[command(flatten)]
    pub inputs: PublishInputs,
}

/// The CA's feedback: one of three kinds.
#[derive(Args, Debug)]
#[group(required = true, multiple = false)]
pub struct FeedbackArgs {
    /// An OCSP response of the CA or its delegate, DER
    #[arg(long, value_name = "FILE")]
    pub ocsp: Option<PathBuf>,
    /// A complete CRL of the CA, DER or PEM
    #[arg(long, value_name = "FILE")]
    pub crl: Option<PathBuf>,
    /// What `cert statement` wrote, with --signature
    #[arg(long, value_name = "FILE", requires = "signature")]
    pub statement: Option<PathBuf>,
}

/// `cert statement`
#[derive(Args, Debug)]
pub struct StatementArgs {
    /// File with the certificate, or - for stdin.
    pub certificate: String,
    /// certificate-hold suspends, none resumes, any other reason of RFC 5280 revokes (key-compromise, ...)
    #[arg(long, value_name = "REASON")]
    pub reason: String,
    /// Write the bytes to be signed to this file
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
}

/// `cert publish-batch`
#[derive(Args, Debug)]
pub struct PublishBatchArgs {
    /// Files, folders, patterns, or - for stdin.
    #[arg(required = true)]
    pub files: Vec<String>,
    /// What all publishing takes.
    #[command(flatten)]
    pub inputs: PublishInputs,
    /// Certificates in one transaction
    #[arg(long, value_name = "N", default_value_t = 64)]
    pub per_transaction: usize,
    /// Transactions on their way at one time
    #[arg(long, value_name = "N", default_value_t = 4)]
    pub in_flight: usize,
    /// Write refused certificates to this file, one JSON value per line
    #[arg(long, value_name = "FILE")]
    pub refused: Option<PathBuf>,
}

/// `cert verify`
#[derive(Args, Debug)]
pub struct VerifyArgs {
    /// Certificate file, SHA-256 of a certificate, or - for stdin.
    #[arg(required_unless_present = "offline")]
    pub certificate: Option<String>,
    /// Ask for all certificates of a key: the argument is a certificate or public key file, or a key's
    /// SHA-256
    #[arg(long)]
    pub by_key: bool,
    /// Check this proof file instead of asking a node; needs --genesis and no network
    #[arg(long, value_name = "PROOF", conflicts_with = "by_key")]
    pub offline: Option<PathBuf>,
    /// Save the proof, for others to check
    #[arg(long, value_name = "FILE", conflicts_with_all = ["offline", "by_key"])]
    pub proof_out: Option<PathBuf>,
}

/// `cert monitor`
#[derive(Args, Debug)]
pub struct MonitorArgs {
    /// What to watch, a TOML file.
    pub file: PathBuf,
    /// Keep in this file how far it got, and go on there after a restart
    #[arg(long, value_name = "FILE")]
    pub state: Option<PathBuf>,
    /// Begin at this block and not with what comes next
    #[arg(long, value_name = "HEIGHT")]
    pub from_block: Option<u64>,
    /// End at the newest block
    #[arg(long)]
    pub once: bool,
}

/// `cert list`
#[derive(Args, Debug)]
pub struct ListArgs {
    /// Part of the subject
    #[arg(long, value_name = "TEXT")]
    pub subject: Option<String>,
    /// Part of the issuer
    #[arg(long, value_name = "TEXT")]
    pub issuer: Option<String>,
    /// Expires at this moment or later (2027-01-31 or +90d)
    #[arg(long, value_name = "MOMENT")]
    pub expires_from: Option<Moment>,
    /// Expires at this moment or earlier
    #[arg(long, value_name = "MOMENT")]
    pub expires_until: Option<Moment>,
    /// Certificates at most
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub limit: usize,
}

/// `ledger ...`
#[derive(Debug, Subcommand)]
pub enum LedgerCommand {
    /// What the ledger is and where it stands, proved by its validators
    Status {
        /// Follow all headers from the genesis block first (once; later from where it ended)
        #[arg(long)]
        follow: bool,
    },
    /// Show a block
    Block {
        /// Its height, or `latest`.
        #[arg(default_value = "latest")]
        height: String,
    },
    /// Where a transaction stands
    Tx {
        /// Its identifier.
        id: String,
    },
    /// Save the proof that a transaction is recorded
    Proof {
        /// The transaction's identifier.
        id: String,
        /// Where to write the proof
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Download all blocks and verify links, bodies and signatures
    VerifyChain {
        /// Execute every block again and compare the state roots
        #[arg(long)]
        full: bool,
    },
    /// Download and verify all blocks into one file, which `ledger replay` reads without any network
    Export {
        /// Where to write the archive
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Execute all blocks of an archive again and show every decision of the members; needs no network
    Replay {
        /// The file that `ledger export` wrote.
        archive: PathBuf,
    },
    /// Save the genesis document of a node; compare its identifier with one that you got by another way
    Genesis {
        /// Where to write it
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// List the trusted CAs, proved: those of the genesis document and what votes made of them
    Cas,
}

/// `bench ...`
#[derive(Debug, Subcommand)]
pub enum BenchCommand {
    /// Make a CA for `bench publish`: root.pem, issuing.pem, issuing-key.pem in a new folder
    #[command(after_help = BENCH_CA_HELP)]
    Ca {
        /// The new folder.
        folder: PathBuf,
    },
    /// Publish certificates made on the spot and set the rate against what this machine could do at most
    #[command(after_help = BENCH_PUBLISH_HELP)]
    Publish(BenchPublishArgs),
    /// Ask for statuses with proofs
    Status(BenchStatusArgs),
    /// Compare TLS handshakes by raw public key with those by certificate chain
    Tls(BenchTlsArgs),
}

/// `bench publish`
#[derive(Args, Debug)]
pub struct BenchPublishArgs {
    /// Certificates to publish
    #[arg(long, value_name = "N", default_value_t = 5000)]
    pub certificates: usize,
    /// Certificates in one transaction
    #[arg(long, value_name = "N", default_value_t = 64)]
    pub per_transaction: usize,
    /// Transactions on their way at one time
    #[arg(long, value_name = "N", default_value_t = 16)]
    pub in_flight: usize,
    /// Certificates per second to offer [default: as fast as they are taken]
    #[arg(long, value_name = "RATE")]
    pub rate: Option<f64>,
    /// The issuing CA of the certificates.
    #[command(flatten)]
    pub issuer: BenchIssuerArgs,
    /// Validators that share this machine [default: all of the ledger]
    #[arg(long, value_name = "N")]
    pub validators_here: Option<usize>,
    /// How long each of the two limits is measured
    #[arg(long, value_name = "SPAN", default_value = "2s")]
    pub limit_span: Span,
}

/// `bench tls`
#[derive(Args, Debug)]
pub struct BenchTlsArgs {
    /// The issuing CA of both ends.
    #[command(flatten)]
    pub issuer: BenchIssuerArgs,
    /// How long each kind of handshake is measured
    #[arg(long, value_name = "SPAN", default_value = "2s")]
    pub span: Span,
}

/// An issuing CA under a trusted root.
#[derive(Args, Debug)]
pub struct BenchIssuerArgs {
    /// Folder that `bench ca` made
    #[arg(long, value_name = "DIR", conflicts_with_all = ["issuer", "issuer_key"])]
    pub ca_dir: Option<PathBuf>,
    /// Certificate of the issuing CA (PEM; with those above it that the ledger does not hold)
    #[arg(long, value_name = "FILE")]
    pub issuer: Option<PathBuf>,
    /// Key of the issuing CA (PKCS#8 PEM, not encrypted)
    #[arg(long, value_name = "FILE")]
    pub issuer_key: Option<PathBuf>,
}

/// `bench status`
#[derive(Args, Debug)]
pub struct BenchStatusArgs {
    /// Questions on their way at one time; each keeps its TLS connection
    #[arg(long, value_name = "N", default_value_t = 32)]
    pub in_flight: usize,
    /// How long
    #[arg(long, value_name = "SPAN", default_value = "10s")]
    pub span: Span,
    /// Verify every how manieth proof; 0 = none
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub verify_every: usize,
    /// Without a network: make and verify proofs in memory, on one core
    #[arg(long)]
    pub in_process: bool,
    /// Records of the state in memory
    #[arg(long, value_name = "N", default_value_t = 100_000, requires = "in_process")]
    pub records: u32,
}
