//! `tabellion tls connect`

use std::sync::Arc;

use rustls::pki_types::ServerName;
use tabellion_client::peer::connector;
use tokio::io::{AsyncWriteExt, copy, split, stdin, stdout};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::args::ConnectArgs;
use super::counted::Counted;
use super::{identity, told, verifier};
use crate::context::Context;
use crate::failure::{Code, Done, Failure};
use crate::output::Output;

/// Connects, and passes stdin and stdout through.
pub async fn run(args: ConnectArgs, context: &Context, output: Output) -> Done {
    let host = args.server.rsplit_once(':').map(|(host, _)| host.trim_matches(['[', ']']));
    let Some(host) = host else {
        return Err(Failure::new(Code::Usage, format!("'{}' is not HOST:PORT", args.server)));
    };
    let name = args.name.as_deref().unwrap_or(host).to_owned();
    let name = ServerName::try_from(name.clone())
        .map_err(|_| Failure::new(Code::Usage, format!("'{name}' is no name of a server")))?;
    let (verifier, resolver) = verifier(&args.peer, context)?;
    let config = connector(verifier.clone(), identity(&args.identity)?.as_ref());
    let config = config.map_err(|error| Failure::of(Code::Error, &error))?;
    let unreachable = |error| Failure::new(Code::Error, format!("{} does not answer: {error}", args.server));
    let stream = TcpStream::connect(&args.server).await.map_err(unreachable)?;
    let connected = TlsConnector::from(Arc::new(config)).connect(name, Counted::new(stream)).await;
    let mut stream = connected.map_err(|error| {
        let code = if told::refusal(&error).is_some() { Code::NotValid } else { Code::Error };
        Failure::new(code, format!("no connection to {}: {}", args.server, told::reason(&error)))
    })?;
    let (counted, state) = stream.get_ref();
    // What comes from the server goes to stdout, and nothing else.
    let party = Some((&verifier, &resolver));
    output.say(told::stands("connected", &args.server, (state, counted), party, output));
    let (mut from, mut to) = split(&mut stream);
    let send = async {
        copy(&mut stdin(), &mut to).await?;
        to.shutdown().await
    };
    let receive = async { copy(&mut from, &mut stdout()).await.map(drop) };
    let ended = |error: std::io::Error| {
        let failure = format!("the connection to {} broke: {}", args.server, told::reason(&error));
        Failure::new(Code::Error, failure).hint("a server that does not let this end in ends it here")
    };
    tokio::try_join!(send, receive).map(drop).map_err(ended)
}
