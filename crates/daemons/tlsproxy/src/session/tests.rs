//! Sessions without a master: callers, clients over loopback, and what they do wrong.

use super::*;
use crate::setup::Setup;
use ipc::tlsproxy::Offer;
use std::path::Path;
use tls::client::{Client, Level, Policy};
use tls::material::Authorities;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UnixListener};
use tokio::task::JoinHandle;

const PATIENCE: Duration = Duration::from_secs(20);

/// The service of a main.cf.
fn service(more: &str) -> Tlsproxy {
    let file = |name: &str| format!("{}/../../libs/tls/src/testdata/{name}", env!("CARGO_MANIFEST_DIR"));
    let text = format!(
        "smtpd_tls_security_level = may\nsmtpd_tls_session_cache_timeout = 0\n\
         smtpd_tls_cert_file = {}\nsmtpd_tls_key_file = {}\n{more}",
        file("cert.pem"),
        file("key.pem")
    );
    let source = config::Source::parse(Path::new("/nonexistent"), &text).unwrap();
    let params: crate::Params = source.get().unwrap();
    Tlsproxy { setup: Setup::open(&params, &source, "tlsproxy").unwrap(), ipc_timeout: PATIENCE }
}

/// Asks a service, which serves one caller.
async fn ask(service: Tlsproxy, handshake_limit: Duration) -> (Option<Offer>, JoinHandle<()>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tlsproxy");
    let listener = UnixListener::bind(&path).unwrap();
    let serving = tokio::spawn(async move {
        let (caller, _) = listener.accept().await.unwrap();
        serve(&service, caller).await;
    });
    let (client, service) = ("[127.0.0.1]:9".into(), "smtpd".into());
    let request = Request { client, service, handshake_limit, time_limit: PATIENCE };
    (Offer::ask(&path, &request, PATIENCE).await.unwrap(), serving)
}

/// Both ends of a connection.
async fn connection() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    (client, listener.accept().await.unwrap().0)
}

/// A session as far as the handshake: what the caller has then, and the client.
async fn begin(service: Tlsproxy, handshake_limit: Duration) -> (ipc::tlsproxy::Handshake, TcpStream, JoinHandle<()>) {
    let (offer, serving) = ask(service, handshake_limit).await;
    let (client, ours) = connection().await;
    let pass = |socket: &UnixStream, bytes: &[u8]| privsep::send_descriptor(socket, bytes, &ours);
    let handshake = offer.unwrap().hand_over(pass).await.unwrap();
    (handshake, client, serving)
}

fn policy() -> Policy {
    Policy::new(Level::Encrypt, tls::protocols::Protocols::parse(">=TLSv1.2").unwrap())
}

#[tokio::test]
async fn a_session_is_plain_for_its_caller() {
    let (handshake, stream, serving) = begin(service(""), PATIENCE).await;
    let client = tokio::spawn(async move {
        let connector = Client::new(Authorities::none(), None);
        let (mut client, _) = connector.connect(stream, &policy(), PATIENCE).await.unwrap();
        client.write_all(b"NOOP\r\n").await.unwrap();
        client.flush().await.unwrap();
        let mut heard = Vec::new();
        client.read_to_end(&mut heard).await.unwrap();
        heard
    });
    let mut caller = handshake.secured().await.unwrap();
    let mut line = [0; 6];
    caller.read_exact(&mut line).await.unwrap();
    assert_eq!(&line, b"NOOP\r\n");
    let much = vec![b'x'; 300_000];
    caller.write_all(&much).await.unwrap();
    drop(caller);
    assert!(client.await.unwrap() == much, "all of it, and a proper end");
    serving.await.unwrap();
}

#[tokio::test]
async fn a_handshake_that_fails_ends_the_connection() {
    for (text, why) in [
        (&b"EHLO plain\r\nMAIL FROM:<>\r\n"[..], "plain text"),
        (b"\x16\x03\x01\xff\xff", "a huge record"),
        (b"", "the end"),
    ] {
        let (handshake, mut client, serving) = begin(service(""), PATIENCE).await;
        client.write_all(text).await.unwrap();
        client.shutdown().await.unwrap();
        assert!(matches!(handshake.secured().await, Err(ipc::Error::Closed)), "{why}");
        serving.await.unwrap();
    }
}

#[tokio::test]
async fn a_handshake_that_is_never_finished_is_given_up() {
    let (handshake, mut client, serving) = begin(service(""), Duration::from_millis(50)).await;
    client.write_all(b"\x16\x03\x01").await.unwrap();
    assert!(matches!(handshake.secured().await, Err(ipc::Error::Closed)));
    serving.await.unwrap();
}

#[tokio::test]
async fn without_certificates_there_is_no_offer() {
    for more in [
        "tlsproxy_tls_cert_file =\ntlsproxy_tls_key_file =",
        "tlsproxy_tls_cert_file = /nonexistent",
        "tlsproxy_tls_security_level = none",
        "tlsproxy_tls_security_level =\nsmtpd_use_tls = no",
    ] {
        let (offer, serving) = ask(service(more), PATIENCE).await;
        assert!(offer.is_none(), "{more}");
        serving.await.unwrap();
    }
    assert!(ask(service("tlsproxy_tls_security_level =\nsmtpd_use_tls = yes"), PATIENCE).await.0.is_some());
}

#[tokio::test]
async fn what_is_no_connection_of_a_client_is_refused() {
    let (one, other) = UnixStream::pair().unwrap();
    for passed in [true, false] {
        let (offer, serving) = ask(service(""), PATIENCE).await;
        let pass = |socket: &UnixStream, bytes: &[u8]| match passed {
            true => privsep::send_descriptor(socket, bytes, &one),
            false => socket.try_write(bytes),
        };
        let handshake = offer.unwrap().hand_over(pass).await.unwrap();
        assert!(handshake.secured().await.is_err());
        serving.await.unwrap();
    }
    drop(other);
    let (offer, serving) = ask(service(""), PATIENCE).await;
    drop(offer);
    serving.await.unwrap();
}
