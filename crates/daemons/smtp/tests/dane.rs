//! What TLSA records make of a policy, asked of a name server that says what is signed.

use dns::{Hosts, ResolvConf, Resolver};
use smtp::dane::{Dane, Rules, Validation, Way, policy};
use smtp::peer::Peer;
use smtp::tls_policy::Destination;
use testkit::name_server::NameServer;
use tls::client::{Level, Policy};
use tls::protocols::Protocols;

/// What becomes of a policy: its level, usages of the records that count, names; or why the mail waits.
type Outcome = Result<(Level, Vec<u8>, Vec<String>), String>;

const DIGEST: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

/// The zone: for each server the records of `_25._tcp` at it, and whether it is signed.
fn resolver() -> Option<Resolver> {
    let mut records: Vec<(String, &str, String)> = Vec::new();
    for (server, signed, announced) in [
        ("both", true, &["3 1 1", "2 0 1", "1 1 1"][..]),
        ("foreign", true, &["1 1 1", "0 0 1"]),
        ("useless", true, &["3 1 2", "3 7 1"]),
        ("none", true, &[]),
        ("unsigned", false, &["3 1 1"]),
        ("target", true, &["2 1 1"]),
    ] {
        let (domain, host) = (format!("{server}.test"), format!("mx.{server}.test"));
        records.push((domain.clone(), "MX", format!("10 {host}")));
        records.push((host.clone(), "A", "127.0.0.1".to_owned()));
        let owner = format!("_25._tcp.{host}");
        records.extend(announced.iter().map(|numbers| (owner.clone(), "TLSA", format!("{numbers} {DIGEST}"))));
        if signed {
            records.extend([domain, host, owner].map(|name| (name, "SIGNED", String::new())));
        }
    }
    for (name, kind, data) in [
        ("alias.test", "MX", "10 mx.alias.test"),
        ("alias.test", "SIGNED", ""),
        ("mx.alias.test", "CNAME", "mx.target.test"),
        ("mx.alias.test", "SIGNED", ""),
        ("broken.test", "MX", "10 mx.broken.test"),
        ("broken.test", "SIGNED", ""),
        ("mx.broken.test", "A", "127.0.0.1"),
        ("mx.broken.test", "SIGNED", ""),
        ("_25._tcp.mx.broken.test", "RCODE", "2"),
        ("stray.test", "MX", "10 mx.both.test"),
        ("lost.test", "MX", "10 mx.lost.test"),
        ("lost.test", "SIGNED", ""),
        ("mx.lost.test", "RCODE", "2"),
    ] {
        records.push((name.to_owned(), kind, data.to_owned()));
    }
    let records: Vec<_> = records.iter().map(|(name, kind, data)| (name.as_str(), *kind, data.as_str())).collect();
    let server = NameServer::open(&records).ok()?;
    let conf = ResolvConf { servers: vec![server.address], ..ResolvConf::default() };
    Some(Resolver::new(conf, Hosts::parse("")))
}

async fn outcome(resolver: &Resolver, dane: Dane, server: &str) -> Outcome {
    outcome_by(resolver, (dane, &Rules::default()), server).await
}

async fn outcome_by(resolver: &Resolver, wanted: (Dane, &Rules), server: &str) -> Outcome {
    let plain = Policy::new(Level::May, Protocols::parse(">=TLSv1.2").map_err(|error| error.to_string())?);
    let peer = Peer::inet(format!("mx.{server}.test"), [127, 0, 0, 1].into(), 25);
    let domain = format!("{server}.test");
    let destination = Destination { nexthop: &domain, domain: &domain, peer: &peer };
    let found = policy(resolver, wanted, destination, plain).await;
    let (found, _) = found.map_err(|detail| detail.reason)?;
    assert!(found.level != Level::Dane || found.names.first() == Some(&found.server_name));
    Ok((found.level, found.associations.iter().map(|record| record.usage).collect(), found.names))
}

fn names(server: &str, domain: &str) -> Vec<String> {
    vec![format!("mx.{server}.test"), format!("{domain}.test")]
}

#[tokio::test]
async fn the_way_to_a_host_is_sure_where_it_is_signed() {
    let resolver = resolver().unwrap();
    let peer = Peer::inet("mx.both.test", [127, 0, 0, 1].into(), 25);
    for (domain, way) in [("both.test", Way::Sure), ("stray.test", Way::Forgeable)] {
        let plain = Policy::new(Level::May, Protocols::parse(">=TLSv1.2").unwrap());
        let destination = Destination { nexthop: domain, domain, peer: &peer };
        let (found, known) =
            policy(&resolver, (Dane::Opportunistic, &Rules::default()), destination, plain).await.unwrap();
        assert_eq!((found.level, known), (Level::Dane, way), "{domain}");
    }
}

#[tokio::test]
async fn records_decide_where_they_can() {
    let resolver = resolver().unwrap();
    let fail = |reason: &str| -> Outcome { Err(reason.to_owned()) };
    let plain = |level| -> Outcome { Ok((level, Vec::new(), Vec::new())) };
    for (server, opportunistic, only) in [
        ("both", Ok((Level::Dane, vec![3, 2], names("both", "both"))), None),
        ("alias", Ok((Level::Dane, vec![2], names("target", "alias"))), None),
        ("foreign", plain(Level::Encrypt), Some(fail("TLSA records unusable"))),
        (
            "useless",
            Ok((Level::Encrypt, vec![3, 3], vec![])),
            Some(Ok((Level::Dane, vec![], names("useless", "useless")))),
        ),
        ("none", plain(Level::May), Some(fail("no TLSA records found"))),
        ("unsigned", plain(Level::May), Some(fail("non DNSSEC destination"))),
        ("broken", fail("TLSA lookup error for mx.broken.test:25"), None),
        ("lost", fail("TLSA lookup error for mx.lost.test:25"), None),
    ] {
        assert_eq!(outcome(&resolver, Dane::Opportunistic, server).await, opportunistic, "{server}");
        assert_eq!(outcome(&resolver, Dane::Only, server).await, only.unwrap_or(opportunistic), "{server} only");
    }
}

#[tokio::test]
async fn without_validation_there_is_no_dane() {
    let resolver = resolver().unwrap();
    let rules = Rules { validation: Validation::Disabled, ..Rules::default() };
    for server in ["both", "broken", "none"] {
        let plain = Ok((Level::May, Vec::new(), Vec::new()));
        assert_eq!(outcome_by(&resolver, (Dane::Opportunistic, &rules), server).await, plain);
        let waits = Err("client TLS configuration problem".to_owned());
        assert_eq!(outcome_by(&resolver, (Dane::Only, &rules), server).await, waits);
    }
}
