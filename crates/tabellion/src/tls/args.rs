//! The command line of `tabellion tls`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use tabellion_client::peer::Shown;
use tabellion_ledger::KeyId;

use crate::moment::Span;

const SERVE_HELP: &str = "\
Any TLS service behind identifiers: clients are let in by their status on the ledger, then passed on.

  tabellion tls serve --listen 0.0.0.0:8500 --tls-key gateway.key --forward 127.0.0.1:80";

const CONNECT_HELP: &str = "\
The server must have the name that is asked for, in a certificate of its key that is valid on the ledger:

  echo hello | tabellion tls connect gateway.example:8500 --tls-key host.key";

/// TLS connections whose ends know each other by the ledger.
#[derive(Debug, Subcommand)]
pub enum TlsCommand {
    /// Accept connections from whoever is valid on the ledger; pass them on, or send back what comes
    #[command(after_help = SERVE_HELP)]
    Serve(ServeArgs),
    /// Connect to a server that is valid on the ledger; stdin goes there, stdout comes from there
    #[command(after_help = CONNECT_HELP)]
    Connect(ConnectArgs),
}

/// `tls serve`
#[derive(Args, Debug)]
pub struct ServeArgs {
    /// Where to listen
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8500")]
    pub listen: SocketAddr,
    /// Where connections are passed on to; without it, what comes is sent back
    #[arg(long, value_name = "ADDRESS")]
    pub forward: Option<SocketAddr>,
    /// Let anybody in, without asking who it is
    #[arg(long, conflicts_with = "expect_key")]
    pub anybody: bool,
    /// What this end shows.
    #[command(flatten)]
    pub identity: IdentityArgs,
    /// Who is let in.
    #[command(flatten)]
    pub peer: PeerArgs,
}

/// `tls connect`
#[derive(Args, Debug)]
pub struct ConnectArgs {
    /// The server, HOST:PORT.
    pub server: String,
    /// The name that the server must have [default: HOST]
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// What this end shows.
    #[command(flatten)]
    pub identity: IdentityArgs,
    /// Who is believed.
    #[command(flatten)]
    pub peer: PeerArgs,
}

/// What this end shows of itself.
#[derive(Args, Debug)]
pub struct IdentityArgs {
    /// Private key of this end (PEM); its bare public key is shown (RFC 7250)
    #[arg(long, value_name = "FILE")]
    pub tls_key: Option<PathBuf>,
    /// Show this certificate (PEM), and not the bare key
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub tls_certificate: Option<PathBuf>,
}

/// What the other end must show.
#[derive(Args, Debug)]
pub struct PeerArgs {
    /// What the other end shows
    #[arg(long, value_enum, default_value_t, value_name = "WHAT")]
    pub peer: PeerShows,
    /// The one key that the other end must have: SHA-256 of its SubjectPublicKeyInfo
    #[arg(long, value_name = "HEX")]
    pub expect_key: Option<KeyId>,
    /// A status this young is used without asking again
    #[arg(long, value_name = "SPAN", default_value = "60s")]
    pub fresh: Span,
    /// While no node answers, "valid" is believed for so long
    #[arg(long, value_name = "SPAN", default_value = "15m")]
    pub usable: Span,
}

/// What the other end shows.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub enum PeerShows {
    /// Its bare public key (RFC 7250)
    #[default]
    RawKey,
    /// Its certificate
    Certificate,
}

impl From<PeerShows> for Shown {
    fn from(shows: PeerShows) -> Self {
        match shows {
            PeerShows::RawKey => Self::RawKey,
            PeerShows::Certificate => Self::Certificate,
        }
    }
}
