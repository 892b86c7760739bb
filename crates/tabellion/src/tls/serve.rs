//! `tabellion tls serve`

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tabellion_client::peer::{PeerResolver, PeerVerifier, listener};
use tokio::io::{AsyncWriteExt, copy, copy_bidirectional, split};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::args::ServeArgs;
use super::counted::Counted;
use super::{identity, told, verifier};
use crate::context::Context;
use crate::failure::{Code, Done, Failure};
use crate::output::Output;

/// How long a handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// How long to wait when the system gives no more connections.
const PAUSE: Duration = Duration::from_millis(100);

/// What each connection needs.
struct Server {
    acceptor: TlsAcceptor,
    clients: Option<(PeerVerifier, PeerResolver)>,
    forward: Option<SocketAddr>,
    output: Output,
}

/// Accepts connections until it is told to stop.
pub async fn run(args: ServeArgs, context: &Context, output: Output) -> Done {
    let identity = identity(&args.identity)?.ok_or_else(|| {
        Failure::new(Code::Usage, "a server shows something of itself: name its key with --tls-key FILE")
    })?;
    let clients = if args.anybody { None } else { Some(verifier(&args.peer, context)?) };
    let config = listener(&identity, clients.as_ref().map(|(verifier, _)| verifier.clone()));
    let config = config.map_err(|error| Failure::of(Code::Error, &error))?;
    let sockets = TcpListener::bind(args.listen).await.map_err(|error| {
        Failure::new(Code::Error, format!("cannot listen on {}: {error}", args.listen))
            .hint("another port with --listen ADDRESS")
    })?;
    let address = sockets.local_addr().unwrap_or(args.listen);
    output.say(format!("listening on {address} with key {}", identity.key()));
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let server = Arc::new(Server { acceptor, clients, forward: args.forward, output });
    loop {
        match sockets.accept().await {
            Ok((stream, peer)) => drop(tokio::spawn(connection(server.clone(), stream, peer))),
            Err(error) => {
                output.warn(format!("a connection could not be accepted: {error}"));
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

async fn connection(server: Arc<Server>, stream: TcpStream, peer: SocketAddr) {
    let peer = peer.to_string();
    let mut stream = match timeout(HANDSHAKE, server.acceptor.accept(Counted::new(stream))).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return told::refused(&peer, &told::reason(&error), server.output),
        Err(_) => return told::refused(&peer, "the handshake takes too long", server.output),
    };
    let (counted, state) = stream.get_ref();
    let clients = server.clients.as_ref().map(|(verifier, resolver)| (verifier, resolver));
    server.output.data(told::stands("accepted", &peer, (state, counted), clients, server.output));
    // However a connection ends, it has ended.
    let _ = match server.forward {
        Some(address) => match TcpStream::connect(address).await {
            Ok(mut behind) => copy_bidirectional(&mut stream, &mut behind).await.map(drop),
            Err(error) => {
                server.output.warn(format!("{address}, behind this server, does not answer: {error}"));
                stream.shutdown().await
            }
        },
        None => {
            let (mut from, mut to) = split(&mut stream);
            match copy(&mut from, &mut to).await {
                Ok(_) => to.shutdown().await,
                Err(error) => Err(error),
            }
        }
    };
}
