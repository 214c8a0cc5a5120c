//! What is told of a server, held against a scripted one.

#![expect(clippy::unwrap_used, reason = "a test, though not all of it is in test functions")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use tls::identities::Identities;
use tls::material::{Authorities, Identity};
use tls::protocols::Protocols;
use tls::server::{ClientCertificate, Preference, Purpose, Server, Setup};
use tls::suites::Suites;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

const PATIENCE: Duration = Duration::from_secs(10);
const DIGEST: [&str; 2] = ["-d", "sha256"];

/// How the server behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Usual,
    Plain,
    Refusing,
    NotNow,
}

fn testdata(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../libs/tls/src/testdata").join(name)
}

fn server() -> Server {
    let identity = Identity::read(&testdata("cert.pem"), &testdata("key.pem")).unwrap();
    let protocols = Protocols::parse(">=TLSv1.2").unwrap();
    let setup = Setup {
        identities: Identities::new(vec![identity]).unwrap(),
        authorities: Authorities::none(),
        certificate: ClientCertificate::Ignored,
        purpose: Purpose::Client,
        protocols,
        suites: Suites::default(),
        preference: Preference::Client,
        tickets: None,
    };
    Server::new(setup).unwrap()
}

/// Speaks until the peer goes; whether STARTTLS is wanted.
async fn speak<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S, kind: Kind, secured: bool) -> bool {
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    while stream.read_line(&mut line).await.is_ok_and(|count| count > 0) {
        let answer = match line.split_whitespace().next() {
            Some("EHLO" | "LHLO") if kind == Kind::Plain || secured => "250-mx.example.org\r\n250 SIZE 100\r\n",
            Some("EHLO" | "LHLO") => "250-mx.example.org\r\n250-STARTTLS\r\n250 SIZE 100\r\n",
            Some("STARTTLS") if kind == Kind::NotNow => "454 4.7.0 not now\r\n",
            Some("STARTTLS") => {
                stream.write_all(b"220 go\r\n").await.unwrap();
                return true;
            }
            Some("QUIT") => "221 bye\r\n",
            _ => "502 what\r\n",
        };
        stream.write_all(answer.as_bytes()).await.unwrap();
        line.clear();
    }
    false
}

async fn session(mut stream: TcpStream, kind: Kind) {
    let greeting = if kind == Kind::Refusing { "554 no\r\n" } else { "220 mx.example.org\r\n" };
    stream.write_all(greeting.as_bytes()).await.unwrap();
    if speak(&mut stream, kind, false).await
        && let Ok((mut stream, _)) = server().accept(stream, PATIENCE).await
    {
        speak(&mut stream, kind, true).await;
    }
}

/// Serves one connection after the other.
fn serve(listener: std::net::TcpListener, kind: Kind) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async move {
        listener.set_nonblocking(true).unwrap();
        let listener = TcpListener::from_std(listener).unwrap();
        while let Ok((stream, _)) = listener.accept().await {
            session(stream, kind).await;
        }
    });
}

/// Runs the command against a server; its report, with `HOST` for the server's address.
fn report(kind: Kind, options: &[&str], matches: &[&str]) -> String {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("main.cf"), "myhostname = client.example\ncompatibility_level = 3.6\n").unwrap();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || serve(listener, kind));
    let output = run(folder.path(), options, &[&[format!("[127.0.0.1]:{port}").as_str()], matches].concat());
    output.replace(&format!("127.0.0.1[127.0.0.1]:{port}"), "HOST").replace("posttls-finger: ", "")
}

fn run(folder: &Path, options: &[&str], operands: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_posttls-finger"))
        .env("MAIL_CONFIG", folder)
        .args(options)
        .args(operands)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_session_is_told_from_its_greeting_to_its_end() {
    let report = report(Kind::Usual, &["-L", "routine"], &[]);
    let mut lines: Vec<_> = report.lines().collect();
    let certificate = lines.remove(9);
    assert!(certificate.starts_with("HOST: subject_CN="), "{certificate}");
    let established = lines.remove(9);
    assert!(established.starts_with("Untrusted TLS connection established to HOST: TLSv1.3 with cipher "));
    assert_eq!(
        lines,
        [
            "Connected to HOST",
            "< 220 mx.example.org",
            "> EHLO client.example",
            "< 250-mx.example.org",
            "< 250-STARTTLS",
            "< 250 SIZE 100",
            "> STARTTLS",
            "< 220 go",
            "certificate verification failed for HOST: self-signed certificate",
            "> EHLO client.example",
            "< 250-mx.example.org",
            "< 250 SIZE 100",
            "> QUIT",
            "< 221 bye",
        ]
    );
}

#[test]
fn servers_that_do_not_play() {
    let told = |kind| report(kind, &["-c"], &[]);
    assert_eq!(told(Kind::Refusing), "SMTP service not available: 554 no\n");
    assert_eq!(told(Kind::NotNow), "STARTTLS rejected: 454 4.7.0 not now\n");
    assert_eq!(told(Kind::Plain), "");
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("main.cf"), "").unwrap();
    let free = testkit::port::free_port().unwrap();
    assert_eq!(
        run(folder.path(), &[], &[&format!("[127.0.0.1]:{free}")]),
        format!(
            "posttls-finger: Failed to establish session to [127.0.0.1]:{free} via 127.0.0.1: \
             connect to 127.0.0.1[127.0.0.1]:{free}: Connection refused\n"
        )
    );
}

#[test]
fn names_and_fingerprints_prove_who_the_server_is() {
    let authority = testdata("cert.pem");
    let trusting = ["-c", "-l", "secure", "-F", authority.to_str().unwrap()];
    let told = report(Kind::Usual, &trusting, &["mx.example.org"]);
    assert!(told.contains("HOST: matched peername: mx.example.org\n"), "{told}");
    assert!(told.contains("Verified TLS connection established to HOST"), "{told}");

    let told = report(Kind::Usual, &trusting, &["other.example"]);
    assert!(told.contains("server certificate verification failed for HOST: num=62:hostname mismatch\n"), "{told}");
    assert!(told.contains("Untrusted TLS connection established"), "{told}");

    let checking = [&["-c", "-l", "fingerprint"][..], &DIGEST].concat();
    let told = report(Kind::Usual, &checking, &["00:11"]);
    assert!(told.contains("failed for HOST: num=65:no matching DANE TLSA records\n"), "{told}");
    let (_, digest) = told.split_once("pkey_fingerprint=").unwrap();
    let digest = digest.lines().next().unwrap();
    let told = report(Kind::Usual, &checking, &[digest]);
    assert!(told.contains(&format!("HOST: Matched fingerprint: {}\n", digest.replace(':', ""))), "{told}");
    assert!(told.contains("Verified TLS connection established to HOST"), "{told}");
}

#[test]
fn the_chain_is_printed() {
    let told = report(Kind::Usual, &["-c", "-C", "-L", "none", "-l", "encrypt", "-d", "sha1"], &[]);
    let lines: Vec<_> = told.lines().collect();
    assert_eq!(lines[..3], ["", "---", "Certificate chain"]);
    assert!(lines[3].starts_with(" 0 subject: /") && lines[4].starts_with("    issuer: /"), "{told}");
    let pem = lines[7..].join("\n");
    assert_eq!(pem.trim(), std::fs::read_to_string(testdata("cert.pem")).unwrap().trim());
}

#[test]
fn servers_that_keep_no_sessions_are_not_asked_again() {
    for kind in [Kind::Plain, Kind::Usual] {
        let told = report(kind, &["-c", "-r", "1", "-L", "none"], &[]);
        assert_eq!(told.lines().last(), Some("Server declined session caching. Done reconnecting."), "{told}");
    }
}
