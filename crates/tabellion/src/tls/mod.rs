//! `tabellion tls`: connections whose ends know each other by the ledger (X.1409 II.1, II.2).
//!
//! ```text
//! serve:   accept -> handshake (PeerVerifier) -> tell who it is -> forward, or echo
//! connect: dial   -> handshake (PeerVerifier) -> tell who it is -> stdin and stdout
//! ```

mod args;
mod connect;
mod counted;
mod serve;
mod told;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tabellion_client::peer::{Identity, Patience, PeerResolver, PeerVerifier};

pub use self::args::TlsCommand;
use self::args::{IdentityArgs, PeerArgs};
use crate::context::{Context, read_file};
use crate::failure::{Code, Done, Failure};
use crate::output::Output;

/// Runs a command.
pub async fn run(command: TlsCommand, context: &Context, output: Output) -> Done {
    match command {
        TlsCommand::Serve(args) => serve::run(args, context, output).await,
        TlsCommand::Connect(args) => connect::run(args, context, output).await,
    }
}

/// How the other end is verified, and the memory behind it.
fn verifier(args: &PeerArgs, context: &Context) -> Result<(PeerVerifier, PeerResolver), Failure> {
    let patience = Patience { fresh_ms: args.fresh.ms(), usable_ms: args.usable.ms(), ..Patience::default() };
    let resolver = PeerResolver::start(context.relying_party()?, patience)
        .map_err(|error| Failure::new(Code::Error, format!("cannot start the thread that asks: {error}")))?;
    let verifier = PeerVerifier::new(resolver.clone(), args.peer.into());
    let verifier = args.expect_key.iter().fold(verifier, |verifier, key| verifier.only(*key));
    Ok((verifier, resolver))
}

/// What this end shows.
fn identity(args: &IdentityArgs) -> Result<Option<Identity>, Failure> {
    let Some(key_file) = &args.tls_key else { return Ok(None) };
    let refused = |error: &dyn std::fmt::Display| {
        Failure::new(Code::Error, format!("{} is refused: {error}", key_file.display()))
            .hint("a private key in PEM, not encrypted; openssl pkcs8 -topk8 -nocrypt makes one of any other")
    };
    let key = PrivateKeyDer::from_pem_slice(&read_file(key_file, "TLS key")?);
    let key = key.map_err(|error| refused(&error))?;
    let identity = match &args.tls_certificate {
        None => Identity::raw_key(key),
        Some(file) => {
            let chain: Result<Vec<_>, _> =
                CertificateDer::pem_slice_iter(&read_file(file, "TLS certificate")?).collect();
            let chain = chain.map_err(|error| {
                Failure::new(Code::Error, format!("{} is no PEM: {error}", file.display()))
            })?;
            Identity::certificate(chain, key)
        }
    };
    identity.map(Some).map_err(|error| refused(&error))
}
