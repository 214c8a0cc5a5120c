//! One session: what the caller wants, the client's socket, the handshake, and plain text until either side ends.

use std::io::{self, ErrorKind};
use std::net;
use std::os::fd::OwnedFd;
use std::time::Duration;

use ipc::tlsproxy::{Reply, Request};
use tls::loglevel::Loglevel;
use tls_server::Ready;
use tokio::io::Interest;
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;
use tracing::{info, warn};

use crate::Tlsproxy;
use crate::relay::{self, End};

/// How long a caller may take to say what it wants, and to pass the client's socket on.
const FIRST_WORD: Duration = Duration::from_secs(30);

/// Serves a caller to the end.
pub(crate) async fn serve(service: &Tlsproxy, mut caller: UnixStream) {
    let request = match ipc::tlsproxy::accept(&mut caller, FIRST_WORD.min(service.ipc_timeout)).await {
        Ok(request) => request,
        Err(ipc::Error::Closed) => return,
        Err(error) => return warn!("internal connection: {error}"),
    };
    info!("CONNECT from {}", request.client);
    if converse(service, &mut caller, &request).await.is_none() {
        info!("TLS handshake failed for service={} peer={}", request.service, request.client);
    }
    info!("DISCONNECT {}", request.client);
    ipc::tlsproxy::end(caller);
}

/// `None`: there was no handshake, or none that succeeded.
async fn converse(service: &Tlsproxy, caller: &mut UnixStream, request: &Request) -> Option<()> {
    let deadline = service.ipc_timeout;
    let Some(acceptor) = service.setup.ready() else {
        let _ = ipc::tlsproxy::answer(caller, Reply::Unavailable, deadline).await;
        return None;
    };
    let told = ipc::tlsproxy::answer(caller, Reply::Ready, deadline).await;
    told.inspect_err(|error| warn!("internal connection: {error}")).ok()?;
    let client = match timeout(FIRST_WORD, take_client(caller)).await {
        Ok(Ok(client)) => client,
        // The caller has changed its mind, or its client has left.
        Ok(Err(error)) if error.kind() == ErrorKind::UnexpectedEof => return None,
        Ok(Err(error)) => {
            warn!("receive connection of {}: {error}", request.client);
            return None;
        }
        Err(_) => {
            warn!("receive connection of {}: timed out", request.client);
            return None;
        }
    };
    let client = secure(service, acceptor, client, request).await?;
    if ipc::tlsproxy::answer(caller, Reply::Secured, deadline).await.is_err() {
        // The caller did not wait.
        return Some(());
    }
    if relay::run(client, caller, request.time_limit).await == End::Timeout {
        warn!("ciphertext read/write timeout for {}", request.client);
    }
    Some(())
}

/// The client's socket, which comes with one byte.
async fn take_client(caller: &UnixStream) -> io::Result<TcpStream> {
    let mut byte = [0];
    let receive = || privsep::try_receive_descriptor(caller, &mut byte);
    let client: OwnedFd = match caller.async_io(Interest::READABLE, receive).await? {
        (0, _) => return Err(ErrorKind::UnexpectedEof.into()),
        (_, None) => return Err(io::Error::other("no connection came along")),
        (_, Some(_)) if byte != [ipc::tlsproxy::HANDOVER] => return Err(io::Error::other("unexpected byte")),
        (_, Some(client)) => client,
    };
    if privsep::is_unix_socket(&client) {
        return Err(io::Error::other("no connection over a network"));
    }
    let client = net::TcpStream::from(client);
    client.set_nonblocking(true)?;
    // Replies come in one piece anyway; waiting for more only delays them.
    let _ = client.set_nodelay(true);
    TcpStream::from_std(client)
}

/// The handshake; what went wrong is logged.
async fn secure(
    service: &Tlsproxy,
    acceptor: Ready<'_>,
    client: TcpStream,
    request: &Request,
) -> Option<tls::server::Secured<TcpStream>> {
    match acceptor.shake_hands(client, (&request.client, request.handshake_limit)).await {
        Ok((stream, summary)) => {
            if service.setup.loglevel == Loglevel::Handshakes {
                let to = summary.destination();
                info!("{} TLS connection established from {}{to}: {summary}", summary.trust, request.client);
            }
            Some(stream)
        }
        Err(tls::Error::Timeout) => {
            warn!("ciphertext read/write timeout for {}", request.client);
            None
        }
        Err(error) if error.is_lost() => None,
        Err(tls::Error::Handshake(cause)) => {
            warn!("TLS library problem: {cause}");
            None
        }
        Err(
            error @ (tls::Error::Read { .. }
            | tls::Error::Content { .. }
            | tls::Error::Setup(_)
            | tls::Error::Protocols(_)),
        ) => {
            warn!("{error}");
            None
        }
    }
}

#[cfg(test)]
mod tests;
