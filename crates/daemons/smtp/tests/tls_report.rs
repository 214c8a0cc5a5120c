//! Who wants reports on TLS, and what they say of servers.

use std::error::Error;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::time::Duration;

use dns::{Hosts, ResolvConf, Resolver};
use smtp::dane::Way;
use smtp::external_policy::External;
use smtp::flavor::Flavor;
use smtp::peer::Peer;
use smtp::requiretls::Enforcement;
use smtp::secure::{Greeting, Terms};
use smtp::session::{Connected, Mirror};
use smtp::stream::Source;
use smtp::tls_report::{Cause, Reporter, Resumed};
use testkit::name_server::NameServer;
use tls::client::{Client, Level, Policy};
use tls::dane::Association;
use tls::material::Authorities;
use tls::protocols::Protocols;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;

use dialect::dialect;

mod dialect;
mod secured;

const RECORD: &str = "v=TLSRPTv1; rua=mailto:r@a.test";

/// What a server does when a client comes.
#[derive(Clone, Copy)]
enum Manner {
    Plain,
    Refuses,
    Garbles,
    Secures,
}

fn resolver(records: &[(&str, &str, &str)]) -> Option<(NameServer, Resolver)> {
    let server = NameServer::open(records).ok()?;
    let conf = ResolvConf { servers: vec![server.address], ..ResolvConf::default() };
    Some((server, Resolver::new(conf, Hosts::parse(""))))
}

fn reporter(socket: &Path) -> Reporter {
    Reporter { socket: socket.to_owned(), resumed: Resumed::Reported }
}

#[tokio::test]
async fn domains_ask_for_reports_with_one_record() {
    let (_server, resolver) = resolver(&[
        ("_smtp._tls.a.test", "TXT", RECORD),
        ("_smtp._tls.a.test", "TXT", "something else"),
        ("_smtp._tls.two.test", "TXT", RECORD),
        ("_smtp._tls.two.test", "TXT", RECORD),
        ("_smtp._tls.bad.test", "TXT", "v=TLSRPTv1 rua=mailto:r@a.test"),
        ("_smtp._tls.lost.test", "RCODE", "2"),
    ])
    .unwrap();
    let reporter = reporter(Path::new("unused"));
    for (domain, wanted) in
        [("a.test", true), ("two.test", false), ("bad.test", false), ("lost.test", false), ("no.test", false)]
    {
        assert_eq!(reporter.asked_by(&resolver, domain).await.is_some(), wanted, "{domain}");
    }
}

#[tokio::test]
async fn each_handshake_is_reported_once() {
    let (_server, resolver) = resolver(&[("_smtp._tls.a.test", "TXT", RECORD)]).unwrap();
    let plain = r#""h":"250-mx.test\u000d\u000a250 STARTTLS","r":"127.0.0.1""#;
    let sts = r#""policy-type":2,"policy-domain":"a.test","policy-string":["version: STSv1"],"mx-host":["*.a.test"]"#;
    let tlsa = r#""policy-type":1,"policy-domain":"mx.test","policy-string":["3 1 1 0AFF"]"#;
    let none = r#""policy-type":9"#;
    let cause = |number: u16, rest: &str| {
        format!(r#""failure-details":[{{"c":{number},"s":"127.0.0.1","n":"mx.test",{rest}}}],"t":1,"f":1"#)
    };
    let success = r#""t":0,"f":0"#.to_owned();
    for (manner, level, forced, described, policy, outcome) in [
        (Manner::Plain, Level::Encrypt, None, false, none, cause(201, r#""h":"250 mx.test","r":"127.0.0.1""#)),
        (Manner::Refuses, Level::May, None, false, none, cause(201, plain)),
        (
            Manner::Garbles,
            Level::May,
            None,
            false,
            none,
            cause(205, &format!(r#"{plain},"f":"tls-handshake-failure""#)),
        ),
        (Manner::Secures, Level::May, None, false, none, success.clone()),
        (Manner::Secures, Level::Secure, None, true, sts, cause(203, plain)),
        (Manner::Secures, Level::Secure, Some(Cause::StsWebPki), true, sts, cause(303, plain)),
        (Manner::Secures, Level::Dane, None, false, tlsa, cause(203, plain)),
        (Manner::Secures, Level::Encrypt, None, true, sts, success),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("collector");
        let collector = UnixDatagram::bind(&path).unwrap();
        collector.set_nonblocking(true).unwrap();
        let reporter = reporter(&path);
        let mut external = External::default();
        if described {
            for (name, value) in [
                ("policy_type", "sts"),
                ("policy_domain", "a.test"),
                ("policy_string", "version: STSv1"),
                ("mx_host_pattern", "*.a.test"),
            ] {
                external.take(name, value).unwrap();
            }
        }
        let mut wanted = Policy::new(level, Protocols::parse(">=TLSv1.2").unwrap());
        wanted.names = vec!["mx.test".to_owned()];
        if level == Level::Dane {
            wanted.associations = vec![Association { usage: 3, selector: 1, matching: 1, data: vec![10, 255] }];
        }
        let subject = reporter.asked_by(&resolver, "a.test").await.unwrap();
        let case = reporter.case(subject, &wanted, &external);
        let terms = Terms { enforcement: Enforcement::None, way: Way::Sure, forced, report: Some(&case) };
        establish(manner, &wanted, terms).await.unwrap();
        let mut bytes = [0; 2000];
        let length = collector.recv(&mut bytes).unwrap();
        let expected = format!(r#"{{"dpv":"1","d":"a.test","pr":"{RECORD}","policies":[{{{policy},{outcome}}}]}}"#);
        assert_eq!(std::str::from_utf8(&bytes[..length]).unwrap(), expected);
        assert!(collector.recv(&mut bytes).is_err(), "reported twice");
    }
}

/// Takes a connection with a server to where it gets.
async fn establish(manner: Manner, policy: &Policy, terms: Terms<'_>) -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let serving = tokio::spawn(serve(listener, manner));
    let peer = Peer::inet("mx.test", address.ip(), address.port());
    let connected = Connected::open(&peer, &dialect(Flavor::Smtp), &Source::default()).await;
    let connected = connected.map_err(|failure| failure.detail.reason)?;
    let tls = secured::client(Some(Client::new(Authorities::none(), None)));
    let greeting = Greeting { mirror: Mirror::Harmless, nexthop: "a.test", terms };
    drop(tls.establish(connected, policy, greeting).await);
    Ok(serving.await??)
}

async fn serve(listener: TcpListener, manner: Manner) -> std::io::Result<()> {
    let mut stream = BufReader::new(listener.accept().await?.0);
    let mut line = String::new();
    stream.write_all(b"220 mx.test\r\n").await?;
    stream.read_line(&mut line).await?;
    let offer = if matches!(manner, Manner::Plain) { "250 mx.test\r\n" } else { "250-mx.test\r\n250 STARTTLS\r\n" };
    stream.write_all(offer.as_bytes()).await?;
    stream.read_line(&mut line).await?;
    match manner {
        Manner::Plain => {}
        Manner::Refuses => stream.write_all(b"454 not now\r\n").await?,
        Manner::Garbles => {
            stream.write_all(b"220 go\r\n").await?;
            let mut hello = [0; 100];
            let _ = stream.read(&mut hello).await?;
            stream.write_all(b"this is no TLS at all\r\n").await?;
        }
        Manner::Secures => {
            stream.write_all(b"220 go\r\n").await?;
            let server = secured::server().map_err(std::io::Error::other)?;
            if let Ok((secured, _)) = server.accept(stream, Duration::from_secs(20)).await {
                let mut secured = BufReader::new(secured);
                let _ = secured.read_line(&mut line).await;
                let _ = secured.write_all(b"250 mx.test\r\n").await;
            }
        }
    }
    Ok(())
}
