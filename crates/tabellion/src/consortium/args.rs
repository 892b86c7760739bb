//! The arguments of the consortium's commands.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use tabellion_consortium::{AccountName, Choice, NodeRole, Role};
use tabellion_ledger::{CertificateId, KeyId, LedgerId, MemberId};

use crate::moment::Span;

const SET_HELP: &str = "\
Values are JSON; those that are not named stay as they are. Example:

  tabellion propose blocks heartbeat_ms=30000 gather_ms=20 --dry-run";

const PRUNE_HELP: &str = "\
A body goes once every certificate in it has expired or was revoked (X.1409 A.3). Headers stay, and with them
every proof of a status. A running node deletes without a break, then stops for as long as its files take to
shrink. A node that does not run is pruned all the same. Example:

  tabellion node prune --data node-echo --dry-run
  tabellion node prune --data node-echo";

const DRAIN_HELP: &str = "\
First it asks the ledger whether the other validators make a quorum. Example:

  tabellion node drain --data node-alpha
  ... maintenance ...
  tabellion node --config node-alpha            it catches up by itself";

const REPLACE_HELP: &str = "\
The successor has a key of its own, so nothing is restored from a copy. Example, for a validator:

  tabellion node replace node-delta --out delta.invitation     its member
  tabellion node join delta.invitation --data node-delta --listen 192.0.2.9:7441
  tabellion node --config node-delta                           on the new host; it reports by itself
  tabellion propose replace-validator node-delta               any member, after the probation
  tabellion node remove node-delta                             its member, once the vote is in force";

const CAS_HELP: &str = "\
Each node shows its CA; it is kept if a node of the ledger has its key, which is proved from the genesis
document. The file may be old, wrong or missing. After a lost node was replaced, or one joined:

  tabellion node cas --network network --node https://192.0.2.9:8441";

/// `member ...`
#[derive(Debug, Subcommand)]
pub enum MemberCommand {
    /// List all members there ever were
    List,
    /// Show a member: keys, roles, accounts, nodes, quota
    Show {
        /// The member [default: the one whose key signs].
        member: Option<MemberId>,
    },
    /// Say the member's name and contact anew
    Describe {
        /// The organisation's name
        #[arg(long)]
        name: Option<String>,
        /// How to reach it
        #[arg(long)]
        contact: Option<String>,
    },
    /// Write what an organisation offers that wants to become a member: its keys, each shown to be its own
    ///
    /// A member takes the file to the others: `tabellion propose add-member FILE`.
    Offer {
        /// The member's name for good: 1 to 32 of a-z, 0-9 and -.
        id: MemberId,
        /// The organisation's name
        #[arg(long)]
        name: String,
        /// How to reach it
        #[arg(long, default_value = "")]
        contact: String,
        /// A role that it wants; `tabellion role list` names them
        #[arg(long = "role", value_name = "ROLE")]
        roles: Vec<Role>,
        /// Where to write the offer
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Keys of the member itself: two are valid at once, so that one can take the other's place
    #[command(subcommand)]
    Key(MemberKeyCommand),
}

/// `member key ...`
#[derive(Debug, Subcommand)]
pub enum MemberKeyCommand {
    /// Write the offer of a key for a member that lost its own: `tabellion propose replace-keys MEMBER FILE`
    Offer {
        /// The member.
        member: MemberId,
        /// Where to write the offer
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Add a second key
    Add {
        /// The new key's file.
        file: PathBuf,
    },
    /// Retire a key for good
    Retire {
        /// The key's identifier.
        #[arg(id = "retired", value_name = "KEY")]
        key: KeyId,
    },
}

/// `account ...`
#[derive(Debug, Subcommand)]
pub enum AccountCommand {
    /// Open an account
    Open {
        /// Its name, for good.
        name: AccountName,
        /// Whose it is
        #[arg(long, default_value = "")]
        about: String,
        /// File of a key of the account; it may come later
        #[arg(long = "account-key", value_name = "FILE")]
        keys: Vec<PathBuf>,
        /// A role that the member has
        #[arg(long = "role", value_name = "ROLE")]
        roles: Vec<Role>,
    },
    /// List the open accounts of a member
    List {
        /// The member [default: the one whose key signs].
        member: Option<MemberId>,
    },
    /// Say anew whose an account is
    Describe {
        /// The account.
        name: AccountName,
        /// Whose it is
        #[arg(long)]
        about: String,
    },
    /// Close an account for good
    Close {
        /// The account.
        name: AccountName,
    },
    /// Give an account a role
    Grant {
        /// The account.
        name: AccountName,
        /// The role.
        role: Role,
    },
    /// Take a role from an account
    Revoke {
        /// The account.
        name: AccountName,
        /// The role.
        role: Role,
    },
    /// Keys of an account
    #[command(subcommand)]
    Key(AccountKeyCommand),
}

/// `account key ...`
#[derive(Debug, Subcommand)]
pub enum AccountKeyCommand {
    /// Add a key
    Add {
        /// The account.
        name: AccountName,
        /// The new key's file.
        file: PathBuf,
    },
    /// Retire a key for good
    Retire {
        /// The account.
        name: AccountName,
        /// The key's identifier.
        #[arg(id = "retired", value_name = "KEY")]
        key: KeyId,
    },
}

/// `role ...`
#[derive(Debug, Subcommand)]
pub enum RoleCommand {
    /// What each role may do
    List,
}

/// `propose ...`
#[derive(Args, Debug)]
pub struct ProposeArgs {
    /// What it would change.
    #[command(subcommand)]
    pub change: ChangeArgs,
    /// Why, for the other members
    #[arg(long, global = true, default_value = "")]
    pub reason: String,
    /// How long members may vote
    #[arg(long, global = true, value_name = "SPAN", default_value = "7d")]
    pub deadline: Span,
    /// The first block under the new rules [default: as soon as it is accepted]
    #[arg(long, global = true, value_name = "HEIGHT")]
    pub effect: Option<u64>,
    /// Only print what would change, from proved records; sign and send nothing
    #[arg(long, global = true)]
    pub dry_run: bool,
    /// Wait until it is in force or closed; exit code 0 only where it is in force
    #[arg(long, global = true, conflicts_with = "dry_run")]
    pub wait: bool,
}

/// Values to set.
#[derive(Args, Debug)]
#[command(after_help = SET_HELP)]
pub struct SetArgs {
    /// FIELD=VALUE; a wrong field is answered with the list of fields.
    #[arg(required = true, value_name = "FIELD=VALUE")]
    pub values: Vec<String>,
}

/// The kinds of changes.
#[derive(Debug, Subcommand)]
pub enum ChangeArgs {
    /// An organisation becomes a member
    AddMember {
        /// What `tabellion member offer` wrote.
        offer: PathBuf,
    },
    /// A member may do nothing until it is resumed
    SuspendMember {
        /// The member.
        member: MemberId,
    },
    /// A suspended member takes part again
    ResumeMember {
        /// The member.
        member: MemberId,
    },
    /// A member leaves for good, with its nodes
    RemoveMember {
        /// The member.
        member: MemberId,
    },
    /// A member that lost its keys goes on with new ones
    ReplaceKeys {
        /// The member.
        member: MemberId,
        /// What `tabellion member key offer` wrote, one or two.
        #[arg(required = true)]
        offers: Vec<PathBuf>,
    },
    /// A member gets a role
    GrantRole {
        /// The member.
        member: MemberId,
        /// The role.
        role: Role,
    },
    /// A member loses a role
    RevokeRole {
        /// The member.
        member: MemberId,
        /// The role.
        role: Role,
    },
    /// A node becomes a validator with the next epoch
    AddValidator {
        /// The node: its name or its identifier.
        #[arg(id = "named", value_name = "NODE")]
        node: String,
    },
    /// A node takes a validator's place with the next epoch
    ReplaceValidator {
        /// The validator: its name or its identifier.
        old: String,
        /// The node that takes its place [default: the one that joined by `node replace`, under the same
        /// name]
        #[arg(long, value_name = "NODE")]
        by: Option<String>,
    },
    /// A validator loses its vote with the next epoch, and follows
    RemoveValidator {
        /// The validator: its name or its identifier.
        #[arg(id = "named", value_name = "NODE")]
        node: String,
    },
    /// Trusted CAs come and go
    TrustedCas {
        /// File with certificates to trust, PEM or DER
        #[arg(long, value_name = "FILE")]
        add: Vec<PathBuf>,
        /// SHA-256 of a certificate to trust no more
        #[arg(long, value_name = "ID")]
        remove: Vec<CertificateId>,
    },
    /// Acceptable certificate policies
    Policies(SetArgs),
    /// Accepted algorithms of transactions and certificates
    Algorithms(SetArgs),
    /// The list of distinguished names; names=null lets every name pass
    Names(SetArgs),
    /// Block period, batch and size
    Blocks(SetArgs),
    /// How long transactions may wait
    Transactions(SetArgs),
    /// How strictly certificates are read, and how large they may be
    CertificateLimits(SetArgs),
    /// How long the records of each lane stay
    Retention(SetArgs),
    /// The quota of members without one of their own
    Quotas(SetArgs),
    /// The quota of one member
    MemberQuota {
        /// The member.
        member: MemberId,
        /// default, unlimited, or its own as JSON.
        quota: String,
    },
    /// Rules of votes and nodes
    Voting(SetArgs),
    /// Another version of path validation, from --effect on
    VerifierVersion {
        /// The version.
        #[arg(id = "number", value_name = "VERSION")]
        version: u64,
    },
    /// Another version of the ledger's rules, from --effect on
    LedgerVersion {
        /// The version.
        #[arg(id = "number", value_name = "VERSION")]
        version: u64,
    },
    /// Emergency: no lane but the consortium's takes transactions any more
    Stop,
    /// All lanes take transactions again
    Resume,
    /// An accepted proposal that is not yet in force is undone
    Cancel {
        /// Its number.
        proposal: u64,
    },
    /// Follow a foreign ledger: what proxies prove of it is recorded here
    FollowLedger {
        /// Its genesis document, which every voter compares with its own copy.
        document: PathBuf,
        /// Its name here [default: the name in the document]
        #[arg(long)]
        name: Option<String>,
        /// How old what is known may be until it counts as stale
        #[arg(long, value_name = "SPAN", default_value = "1h")]
        stale_after: Span,
    },
    /// Follow a foreign ledger no longer
    UnfollowLedger {
        /// Its identifier.
        ledger: LedgerId,
    },
    /// Begin anew to follow a foreign ledger, for example after its link froze
    FollowAnew {
        /// Its genesis document.
        document: PathBuf,
    },
    /// Number the results of this ledger, so that others can follow it, or do so no longer
    Outbox {
        /// What it shall be.
        #[arg(value_enum)]
        state: OutboxState,
    },
    /// A decision in words, for the record
    Decision {
        /// The words.
        text: String,
    },
}

/// Whether results are numbered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum OutboxState {
    /// They are, from now on
    Open,
    /// They are not any more
    Closed,
}

/// `vote`
#[derive(Args, Debug)]
pub struct VoteArgs {
    /// The proposal's number.
    pub proposal: u64,
    /// for or against.
    #[arg(value_name = "for|against")]
    pub choice: Choice,
    /// Why, for the other members
    #[arg(long, default_value = "")]
    pub reason: String,
    /// Wait until the proposal is in force or closed; exit code 0 only where it is in force
    #[arg(long)]
    pub wait: bool,
}

/// `proposal ...`
#[derive(Debug, Subcommand)]
pub enum ProposalCommand {
    /// List proposals that are open or wait for their height
    List {
        /// Also those that are decided
        #[arg(long)]
        all: bool,
    },
    /// Show a proposal: its change, ballots, count
    Show {
        /// Its number.
        proposal: u64,
    },
    /// Tell what happens to a proposal until it is in force or failed; exit code 0 only where it is in force
    Watch {
        /// Its number.
        proposal: u64,
    },
    /// Take back a proposal of one's own
    Withdraw {
        /// Its number.
        proposal: u64,
    },
}

/// `node ...`
#[derive(Debug, Subcommand)]
pub enum NodeCommand {
    /// Invite a node: writes a file that lets one node join, once
    Invite(InviteArgs),
    /// Join a ledger by an invitation; makes the node's key and its folder
    Join(JoinArgs),
    /// Fetch the newest state that other nodes hold, before the node's first start; `node join` does so
    Sync {
        /// The node's folder.
        #[arg(value_name = "DIR")]
        data: PathBuf,
    },
    /// List the nodes of the ledger
    List,
    /// Take a node off the ledger that is no validator
    Remove {
        /// The node: its name or its identifier.
        #[arg(id = "named", value_name = "NODE")]
        node: String,
    },
    /// How a node is, what it waits for and what comes next
    Status(StatusArgs),
    /// Take a node out of service for maintenance: it hands over what it has, then stops
    #[command(after_help = DRAIN_HELP)]
    Drain(DrainArgs),
    /// Delete bodies of blocks in which nothing is needed any more, and give their room back to the disk
    #[command(after_help = PRUNE_HELP)]
    Prune(PruneArgs),
    /// Bring deleted bodies back from an archive; the node does not run meanwhile
    Restore(RestoreArgs),
    /// Invite a successor for a node whose disk or host is lost, under the same name
    #[command(after_help = REPLACE_HELP)]
    Replace(ReplaceArgs),
    /// List the invitations that no node has used yet
    Invitations {
        /// The member [default: the one whose key signs].
        member: Option<MemberId>,
    },
    /// Take an invitation back that no node has used yet
    CancelInvitation {
        /// The file that `node invite` wrote, or the invitation's identifier.
        invitation: String,
    },
    /// Give a node another key from the next epoch on; the running node changes over by itself
    RotateKey {
        /// The node's folder.
        #[arg(value_name = "DIR")]
        data: PathBuf,
    },
    /// Bring the file with the nodes' CAs up to date, by which clients know them
    #[command(after_help = CAS_HELP)]
    Cas {
        /// The file, which is made or brought up to date [default: the network's, as --ca or client.toml
        /// names it]
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
}

/// `node invite`
#[derive(Args, Debug)]
pub struct InviteArgs {
    /// The node's name.
    pub name: String,
    /// What it is for: full, backup, proxy or edge; a validator it becomes by vote
    #[arg(long, default_value = "full")]
    pub role: NodeRole,
    /// How long the invitation may wait
    #[arg(long, value_name = "SPAN", default_value = "7d")]
    pub expires: Span,
    /// Where to write the invitation; whoever has it may join a node
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
}

/// `node status`
#[derive(Args, Debug)]
pub struct StatusArgs {
    /// The node: its name or its identifier.
    #[arg(id = "named", value_name = "NODE", required_unless_present = "data")]
    pub node: Option<String>,
    /// The node of this folder, on this host
    #[arg(long, value_name = "DIR", conflicts_with = "named")]
    pub data: Option<PathBuf>,
}

/// `node drain`
#[derive(Args, Debug)]
pub struct DrainArgs {
    /// The node's folder, on this host
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,
    /// How long the node says that it is not ready before it stops, so that load balancers leave it
    #[arg(long, value_name = "SPAN", default_value = "5s")]
    pub notice: Span,
    /// How long to wait then for what its clients gave; beyond that it is kept for the next start
    #[arg(long, value_name = "SPAN", default_value = "60s")]
    pub wait: Span,
    /// Drain it even where the others make no quorum, or where that cannot be told
    #[arg(long)]
    pub force: bool,
}

/// `node prune`
#[derive(Args, Debug)]
pub struct PruneArgs {
    /// The node's folder, on this host
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,
    /// Only say what would be deleted
    #[arg(long)]
    pub dry_run: bool,
    /// How long to keep bodies after their end [default: as the node's file says, else 7d]
    #[arg(long, value_name = "SPAN")]
    pub keep: Option<Span>,
    /// Do it even where the network would stop meanwhile, or where that cannot be told
    #[arg(long)]
    pub force: bool,
}

/// `node restore`
#[derive(Args, Debug)]
pub struct RestoreArgs {
    /// The node's folder, on this host
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,
    /// The archive, as `[prune]` in the node's file names it: a folder, or `s3://bucket/prefix`
    #[arg(long, value_name = "DIR|S3-URL")]
    pub from: String,
}

/// `node replace`
#[derive(Args, Debug)]
pub struct ReplaceArgs {
    /// The node that is lost: its name or its identifier.
    pub old: String,
    /// How long the invitation may wait
    #[arg(long, value_name = "SPAN", default_value = "7d")]
    pub expires: Span,
    /// Where to write the invitation; whoever has it may join a node
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
}

/// `node join`
#[derive(Args, Debug)]
pub struct JoinArgs {
    /// The file that `node invite` wrote.
    pub invitation: PathBuf,
    /// The node's new folder
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,
    /// Where it listens for other nodes
    #[arg(long, value_name = "ADDRESS", default_value = "0.0.0.0:7441")]
    pub listen: SocketAddr,
    /// host:port where other nodes reach it [default: --listen]
    #[arg(long, value_name = "HOST:PORT")]
    pub address: Option<String>,
    /// Where it listens for clients
    #[arg(long, value_name = "ADDRESS", default_value = "0.0.0.0:8441")]
    pub rest: SocketAddr,
    /// Name or address of its host in the certificate of its REST face [default: that of --address]
    #[arg(long, value_name = "HOST")]
    pub host: Option<String>,
    /// Do not fetch the state: the node then executes every block from genesis
    #[arg(long)]
    pub no_sync: bool,
}
