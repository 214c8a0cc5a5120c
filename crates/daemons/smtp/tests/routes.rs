//! From next hops to addresses, asked of a name server that answers from a table.

use dns::{Families, Hosts, ResolvConf, Resolver, Search};
use smtp::nexthop::Mx;
use smtp::order::Ordering;
use smtp::route::{Aliases, Detour, Leniency, Loops, MailDomains, Router, Source, Target};
use table::{Environment, Maps};
use testkit::name_server::NameServer;

const RECORDS: &[(&str, &str, &str)] = &[
    ("mx.test", "MX", "20 b.test"),
    ("mx.test", "MX", "10 a.test"),
    ("a.test", "A", "127.0.0.1"),
    ("b.test", "A", "127.0.0.2"),
    ("alias.test", "CNAME", "mx.test"),
    ("null.test", "MX", "0 ."),
    ("broken.test", "RCODE", "2"),
    ("dangling.test", "MX", "10 nowhere.test"),
    ("self.test", "MX", "10 us.test"),
    ("backup.test", "MX", "10 a.test"),
    ("backup.test", "MX", "20 us.test"),
    ("backup.test", "MX", "30 b.test"),
    ("hidden.test", "MX", "10 broken.test"),
    ("hidden.test", "MX", "20 us.test"),
    ("hidden.test", "MX", "30 b.test"),
    ("equal.test", "MX", "10 nowhere.test"),
    ("equal.test", "MX", "10 us.test"),
    ("hopeful.test", "MX", "10 broken.test"),
    ("hopeful.test", "MX", "20 nowhere.test"),
    ("us.test", "A", "127.0.0.9"),
    ("_submission._tcp.srv.test", "SRV", "10 0 5870 b.test"),
    ("_submission._tcp.srv.test", "SRV", "5 0 5871 a.test"),
    ("srv.test", "A", "127.0.0.3"),
    ("_submission._tcp.broken-srv.test", "RCODE", "2"),
    ("broken-srv.test", "MX", "10 a.test"),
    ("_submission._tcp.null-srv.test", "SRV", "0 0 0 ."),
    ("null-srv.test", "MX", "10 a.test"),
    ("_submission._tcp.lost-srv.test", "SRV", "0 0 587 broken.test"),
    ("lost-srv.test", "MX", "10 a.test"),
    ("no-srv.test", "MX", "10 a.test"),
];

fn router(filter: &[&str]) -> Option<Router> {
    let server = NameServer::open(RECORDS).ok()?;
    let conf = ResolvConf { servers: vec![server.address], ..ResolvConf::default() };
    Some(Router {
        resolver: Resolver::new(conf, Hosts::parse("127.0.0.4 listed.test\n")),
        families: Families::V4,
        source: Source::Both,
        domains: MailDomains::Asked,
        own: vec!["127.0.0.9".parse().ok()?],
        ordering: Ordering::default(),
        mx_errors: Leniency::Strict,
        srv_errors: Leniency::Strict,
        srv_fallback: Leniency::Strict,
        no_mx_address: Leniency::Strict,
        srv_services: vec!["submission".into()],
        filter: Maps::open("smtp_dns_reply_filter", filter, &Environment::default()),
        search: Search::Nowhere,
        aliases: Aliases::Kept,
        probe: None,
    })
}

async fn route(router: &Router, target: Target<'_>) -> String {
    match router.route(target).await {
        Ok(found) => {
            let shown = found.candidates.iter().map(|one| match one.port {
                Some(port) => format!("{}[{}]:{port}", one.name, one.address),
                None => format!("{}[{}]", one.name, one.address),
            });
            shown.collect::<Vec<_>>().join(" ")
        }
        Err(found) => format!("{} {}", found.detail.status, found.detail.reason),
    }
}

fn domain(host: &str) -> Target<'_> {
    Target { host, service: None, mx: Mx::Lookup, loops: Loops::Detect }
}

#[tokio::test]
async fn domains_lead_to_hosts_or_reasons() {
    let router = router(&[]).unwrap();
    for (host, expected) in [
        ("mx.test", "a.test[127.0.0.1] b.test[127.0.0.2]"),
        ("alias.test", "a.test[127.0.0.1] b.test[127.0.0.2]"),
        ("srv.test", "srv.test[127.0.0.3]"),
        ("listed.test", "listed.test[127.0.0.4]"),
        ("127.0.0.7", "127.0.0.7[127.0.0.7]"),
        ("::1", "5.4.4 Name service error for ::1: invalid host or domain name"),
        ("1.2.3", "5.4.4 Name service error for 1.2.3: invalid host or domain name"),
        ("null.test", "5.1.0 Domain null.test does not accept mail (nullMX)"),
        (
            "broken.test",
            "4.4.3 Host or domain name not found. Name service error for name=broken.test type=MX: \
             Host not found, try again",
        ),
        ("dangling.test", "5.4.4 unable to look up host nowhere.test: Name or service not known"),
        ("missing.test", "5.4.4 unable to look up host missing.test: Name or service not known"),
        ("self.test", "5.4.6 mail for self.test loops back to myself"),
        ("backup.test", "a.test[127.0.0.1]"),
        ("hidden.test", "4.4.4 unable to find primary relay for hidden.test"),
        ("equal.test", "5.4.6 mail for equal.test loops back to myself"),
        ("hopeful.test", "4.4.4 unable to look up host nowhere.test: Name or service not known"),
    ] {
        assert_eq!(route(&router, domain(host)).await, expected, "{host}");
    }
}

#[tokio::test]
async fn mail_for_a_domain_that_we_serve_goes_to_nobody_else() {
    let router = router(&[]).unwrap();
    for (host, expected) in [
        ("mx.test", Detour::Open),
        ("backup.test", Detour::Closed),
        ("hidden.test", Detour::Closed),
        ("self.test", Detour::Closed),
        ("missing.test", Detour::Open),
    ] {
        let detour = router.route(domain(host)).await.map_or_else(|failed| failed.detour, |route| route.detour);
        assert_eq!(detour, expected, "{host}");
    }
}

#[tokio::test]
async fn brackets_ports_and_services_change_the_way() {
    let router = router(&[]).unwrap();
    let host = Target { mx: Mx::Suppressed, ..domain("a.test") };
    assert_eq!(route(&router, host).await, "a.test[127.0.0.1]");
    let literal = Target { mx: Mx::Suppressed, ..domain("127.0.0.7") };
    assert_eq!(route(&router, literal).await, "127.0.0.7[127.0.0.7]");
    let router = Router { families: Families::All, ..router };
    assert_eq!(route(&router, Target { mx: Mx::Suppressed, ..domain("::1") }).await, "::1[::1]");
    let other_port = Target { loops: Loops::Ignore, ..domain("self.test") };
    assert_eq!(route(&router, other_port).await, "us.test[127.0.0.9]");
    let service = Target { service: Some("submission"), ..domain("srv.test") };
    assert_eq!(route(&router, service).await, "a.test[127.0.0.1]:5871 b.test[127.0.0.2]:5870");
}

#[tokio::test]
async fn exchangers_take_the_place_of_services_where_that_is_allowed() {
    for (errors, fallback, expected) in [
        (Leniency::Strict, Leniency::Strict, [false, false, false, false]),
        (Leniency::Lenient, Leniency::Strict, [true, false, false, false]),
        (Leniency::Strict, Leniency::Lenient, [true, true, true, true]),
    ] {
        let router = Router { srv_errors: errors, srv_fallback: fallback, ..router(&[]).unwrap() };
        for (host, falls_back) in
            ["broken-srv.test", "null-srv.test", "lost-srv.test", "no-srv.test"].into_iter().zip(expected)
        {
            let shown = route(&router, Target { service: Some("submission"), ..domain(host) }).await;
            assert_eq!(shown == "a.test[127.0.0.1]", falls_back, "{host} {shown}");
        }
    }
}

#[tokio::test]
async fn a_filter_hides_records() {
    let router = router(&["pcre:{{/ A 127\\.0\\.0\\.3$/ ignore}}"]).unwrap();
    let shown = route(&router, domain("srv.test")).await;
    assert!(
        shown.starts_with("4.7.0 Error looking up name=srv.test type=A: DNS reply filter drops all results"),
        "{shown}"
    );
}

#[tokio::test]
async fn hosts_are_looked_for_with_domains_of_resolv_conf_behind_them() {
    let records = [
        ("one.dom.test", "A", "127.0.0.1"),
        ("two.other.test", "A", "127.0.0.2"),
        ("sub.one.other.test", "A", "127.0.0.3"),
        ("mx.test", "MX", "10 one"),
        ("sub.two.dom.test", "TXT", "no address"),
        ("ill.dom.test", "RCODE", "2"),
        ("ill.other.test", "A", "127.0.0.4"),
    ];
    let server = NameServer::open(&records).unwrap();
    let search = vec!["dom.test".to_owned(), "other.test".to_owned()];
    let conf = ResolvConf { servers: vec![server.address], search, ..ResolvConf::default() };
    let missing = |name: &str| {
        format!("5.4.4 Host or domain name not found. Name service error for name={name} type=A: Host not found")
    };
    let (one, two) = ("one[127.0.0.1]".to_owned(), "two[127.0.0.2]".to_owned());
    let sub = "sub.one[127.0.0.3]".to_owned();
    for (search, name, expected) in [
        (Search::Nowhere, "one", missing("one")),
        (Search::Domain, "one", one.clone()),
        (Search::Domain, "mx.test", one.clone()),
        (Search::Domain, "two", missing("two")),
        (Search::Domain, "sub.one", missing("sub.one")),
        (Search::Parents, "one", missing("one")),
        (Search::Parents, "sub.one", sub),
        (Search::Parents, "sub.two", missing("sub.two")),
        (Search::Everywhere, "one", one),
        (Search::Everywhere, "two", two),
        (
            Search::Everywhere,
            "ill",
            "4.4.3 Host or domain name not found. Name service error for name=ill type=A: Host not found, try again"
                .to_owned(),
        ),
    ] {
        let resolver = Resolver::new(conf.clone(), Hosts::default());
        let router = Router { resolver, source: Source::Dns, search, ..router(&[]).unwrap() };
        assert_eq!(route(&router, domain(name)).await, expected, "{search:?} {name}");
    }
}

#[tokio::test]
async fn an_alias_may_stand_for_the_name_behind_it() {
    let records = [
        ("x.test", "MX", "10 www.x.test"),
        ("www.x.test", "CNAME", "mid.x.test"),
        ("mid.x.test", "CNAME", "real.x.test"),
        ("real.x.test", "A", "127.0.0.1"),
    ];
    let server = NameServer::open(&records).unwrap();
    for (aliases, host, name, alias) in [
        (Aliases::Kept, "x.test", "www.x.test", None),
        (Aliases::Followed, "x.test", "real.x.test", Some("www.x.test")),
        (Aliases::Followed, "www.x.test", "real.x.test", Some("www.x.test")),
        (Aliases::Followed, "REAL.x.test", "REAL.x.test", None),
    ] {
        let conf = ResolvConf { servers: vec![server.address], ..ResolvConf::default() };
        let resolver = Resolver::new(conf, Hosts::default());
        let router = Router { resolver, source: Source::Dns, aliases, ..router(&[]).unwrap() };
        let found = router.route(domain(host)).await.unwrap().candidates;
        let found: Vec<_> = found.iter().map(|one| (one.name.as_str(), one.alias.as_deref())).collect();
        assert_eq!(found, [(name, alias)], "{aliases:?} {host}");
    }
}
