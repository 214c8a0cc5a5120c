//! Policies as administrators and plug-ins write them.

use std::net::IpAddr;

use table::Environment;

use super::*;

fn policies(maps: &str) -> Policies {
    let any = Protocols::parse(">=TLSv1").unwrap();
    Policies {
        defaults: Defaults {
            depth: 9,
            wish: Wish::named("may").unwrap(),
            protocols: any.clone(),
            mandatory_protocols: any,
            verify_match: vec!["hostname".into()],
            secure_match: vec!["nexthop".into(), "dot-nexthop".into()],
            fingerprints: vec!["AA:BB".into()],
            digest: Algorithm::Sha256,
            server_name: String::new(),
            excluded: vec!["AES128".into()],
            mandatory_excluded: vec!["CHACHA20".into()],
            wildcards: Wildcards::AnyLabels,
            tlsa: Default::default(),
            sts_hosts: StsHosts::Enforced,
        },
        maps: Maps::open("smtp_tls_policy_maps", &[maps], &Environment::default()),
        sites: Maps::none("smtp_tls_per_site"),
        requiretls: None,
    }
}

fn policy(maps: &str, nexthop: &str, domain: &str) -> Option<Policy> {
    let peer = Peer::inet("mx.test", IpAddr::from([127, 0, 0, 1]), 25);
    table::block_on(policies(maps).of(Destination { nexthop, domain, peer: &peer })).ok().map(|asked| asked.policy)
}

#[test]
fn policies_are_found_by_next_hop() {
    let maps = "inline:{{a.test=secure}, {.b.test=encrypt}, {[c.test]:25=none}, {bad.test=nonsense}}";
    for (nexthop, expected) in [
        ("a.test", Some(Level::Secure)),
        ("x.a.test", Some(Level::May)),
        ("x.b.test", Some(Level::Encrypt)),
        ("y.x.b.test", Some(Level::Encrypt)),
        ("b.test", Some(Level::May)),
        ("[c.test]:25", Some(Level::None)),
        ("[x.b.test]", Some(Level::May)),
        ("bad.test", None),
    ] {
        assert_eq!(policy(maps, nexthop, "x").map(|policy| policy.level), expected, "{nexthop}");
    }
}

#[test]
fn sites_are_next_hops_and_servers() {
    let sites =
        "inline:{a.test=MAY, [b.test]:25=MUST, b.test=none, c.test=MUST_NOPEERMATCH, d.test=MUST, e.test=ENCRYPT}";
    let level = |general: &str, nexthop, server| {
        let mut policies = Policies { maps: Maps::none("smtp_tls_policy_maps"), ..policies("inline:{x=may}") };
        policies.defaults.wish = Wish::named(general).unwrap();
        policies.sites = Maps::open("smtp_tls_per_site", &[sites], &Environment::default());
        let peer = Peer::inet(server, IpAddr::from([127, 0, 0, 1]), 25);
        let policy = table::block_on(policies.of(Destination { nexthop, domain: "x", peer: &peer }));
        policy.ok().map(|Asked { wish, policy, .. }| {
            assert_eq!((wish.level, wish.dane.is_some()), (policy.level, wish.name() == "dane"));
            wish.name()
        })
    };
    for (general, nexthop, server, expected) in [
        ("none", "[b.test]:25", "x.test", Some("verify")),
        ("none", "x.test", "y.test", Some("none")),
        ("dane", "x.test", "y.test", Some("dane")),
        ("none", "a.test", "x.test", Some("may")),
        ("encrypt", "a.test", "x.test", Some("encrypt")),
        ("encrypt", "B.test", "b.test", Some("none")),
        ("may", "a.test", "b.test", Some("none")),
        ("may", "c.test", "b.test", Some("encrypt")),
        ("none", "c.test", "d.test", Some("verify")),
        ("none", "x.test", "d.test", Some("verify")),
        ("none", "e.test", "d.test", None),
    ] {
        assert_eq!(level(general, nexthop, server), expected, "{general} {nexthop} {server}");
    }
}

#[test]
fn attributes_change_a_policy() {
    let maps = "inline:{{a.test = secure match=nexthop:.d.test servername=hostname}, {b.test = encrypt match=x}, \
                {c.test = fingerprint match=11:22|33:44}, {d.test = may what=ever}, \
                {e.test = none match=x}}";
    assert_eq!(policy(maps, "e.test", "e.test").unwrap().level, Level::None);
    let found = policy(maps, "a.test", "a.test").unwrap();
    assert_eq!((found.names, found.server_name), (vec!["a.test".to_owned(), ".d.test".into()], "mx.test".into()));
    assert_eq!(policy(maps, "c.test", "c.test").unwrap().fingerprints, ["11:22", "33:44"]);
    assert!(policy(maps, "b.test", "b.test").is_none() && policy(maps, "d.test", "d.test").is_none());
    assert_eq!(policy("inline:{x=may}", "e.test", "e.test").unwrap().level, Level::May);
}

#[test]
fn a_policy_says_whether_connections_are_used_again() {
    let peer = Peer::inet("mx.test", IpAddr::from([127, 0, 0, 1]), 25);
    let maps = "inline:{{a.test=may connection_reuse=yes}, {b.test=encrypt connection_reuse=No}, {c.test=may}, \
                {d.test=may connection_reuse=perhaps}}";
    for (nexthop, expected) in [
        ("a.test", Some(Some(Reuse::Allowed))),
        ("b.test", Some(Some(Reuse::Never))),
        ("c.test", Some(None)),
        ("d.test", None),
    ] {
        let found = table::block_on(policies(maps).of(Destination { nexthop, domain: nexthop, peer: &peer }));
        assert_eq!(found.ok().map(|asked| asked.reuse), expected, "{nexthop}");
    }
}

#[test]
fn who_waives_tls_has_it_where_it_can_be_had() {
    let peer = Peer::inet("mx.test", IpAddr::from([127, 0, 0, 1]), 25);
    let maps = "inline:{{a.test=secure}, {b.test=none}, {c.test=dane-only}, {d.test=dane}, {e.test=may}}";
    let policies = policies(maps);
    for (nexthop, expected) in
        [("a.test", "may"), ("b.test", "none"), ("c.test", "may"), ("d.test", "may"), ("e.test", "may")]
    {
        let destination = Destination { nexthop, domain: nexthop, peer: &peer };
        let found = table::block_on(policies.of(destination)).unwrap();
        let Asked { wish, policy, .. } = policies.waived(found, destination);
        assert_eq!((wish.name(), Some(policy.level)), (expected, Level::named(expected)), "{nexthop}");
    }
}

#[test]
fn anchors_are_those_of_the_destination() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../libs/tls/src/testdata/authority.pem");
    for (text, expected) in [
        (format!("secure tafile={file} tafile={file}"), Some(true)),
        (format!("verify match=a.test tafile={file}"), Some(true)),
        ("secure".into(), Some(false)),
        ("secure tafile=/nonexistent".into(), None),
        (format!("encrypt tafile={file}"), None),
    ] {
        let found = policy(&format!("inline:{{{{a.test = {text}}}}}"), "a.test", "a.test");
        assert_eq!(found.map(|policy| policy.anchors.is_some_and(|all| !all.is_empty())), expected, "{text}");
    }
}

#[test]
fn hosts_of_an_sts_policy_answer_for_themselves() {
    let policy = |attributes: &str, sts_hosts| {
        let mut policies = policies(&format!("static:{{secure match=mx.test:.x.test {attributes}}}"));
        policies.defaults.sts_hosts = sts_hosts;
        let peer = Peer::inet("mx.test", IpAddr::from([127, 0, 0, 1]), 25);
        let found = policies.of(Destination { nexthop: "a.test", domain: "a.test", peer: &peer });
        table::block_on(found).map(|asked| asked.policy.names.join(":")).map_err(|detail| detail.reason)
    };
    let told = "policy_type=sts policy_domain=a.test policy_ttl=86400 { policy_string = mode: enforce } \
                servername=hostname policy_failure=validation-failure";
    let (mx, other) = (format!("{told} mx_host_pattern=mx.test"), format!("{told} mx_host_pattern=*.x.test"));
    let refused = "MX host mx.test is not authorized by the STS policy of a.test";
    for (attributes, sts_hosts, expected) in [
        (mx.as_str(), StsHosts::Enforced, Ok("mx.test")),
        (&other, StsHosts::Enforced, Err(refused)),
        (&other, StsHosts::Ignored, Ok("mx.test:.x.test")),
        (told, StsHosts::Enforced, Ok("mx.test:.x.test")),
        ("policy_type=no-policy-found", StsHosts::Enforced, Ok("mx.test:.x.test")),
        ("policy_ttl=1", StsHosts::Enforced, Err("client TLS configuration problem")),
    ] {
        let found = policy(attributes, sts_hosts);
        assert_eq!(found.as_deref().map_err(String::as_str), expected, "{attributes}");
    }
}

#[test]
fn ciphers_are_excluded_by_level() {
    let maps = "inline:{{a.test = encrypt}, {b.test = may exclude=AES256:CHACHA20}}";
    let suites = |domain| policy(maps, domain, domain).unwrap().suites;
    assert_eq!(suites("c.test"), Suites::without(&["AES128"]));
    assert_eq!(suites("a.test"), Suites::without(&["AES128", "CHACHA20"]));
    assert_eq!(suites("b.test"), Suites::without(&["AES256", "CHACHA20"]));
}

#[test]
fn a_name_to_send_that_is_none_makes_the_mail_wait_where_tls_may_be_used() {
    let peer = Peer::inet("mx.test", IpAddr::from([127, 0, 0, 1]), 25);
    let mut policies = policies("inline:{a.test=none, b.test=may}");
    policies.defaults.server_name = "bad name".to_owned();
    for (nexthop, expected) in [("a.test", true), ("b.test", false), ("c.test", false)] {
        let destination = Destination { nexthop, domain: nexthop, peer: &peer };
        assert_eq!(table::block_on(policies.of(destination)).is_ok(), expected, "{nexthop}");
    }
}

/// What the log tells of a policy that is refused.
fn refusal(text: &str) -> Option<String> {
    let peer = Peer::inet("mx.test", IpAddr::from([127, 0, 0, 1]), 25);
    policies("inline:{x=may}").read(text, Destination { nexthop: "a.test", domain: "a.test", peer: &peer }).err()
}

#[test]
fn what_is_wrong_with_a_policy_is_told() {
    for (text, expected) in [
        ("", Some("invalid empty policy")),
        ("nonsense match=x", Some("invalid security level \"nonsense\"")),
        ("may match=x", Some("attribute \"match\" invalid at security level \"may\"")),
        ("dane tafile=x", Some("attribute \"tafile\" invalid at security level \"dane\"")),
        ("verify match=", Some("attribute \"match\" has empty value")),
        ("may foo", Some("malformed attribute/value pair \"foo\": missing '=' after attribute name")),
        ("may =x", Some("malformed attribute/value pair \"=x\": missing attribute name")),
        ("may foo=bar", Some("invalid attribute name: \"foo\"")),
        ("may connection_reuse=x", Some("attribute \"connection_reuse\" has bad value: \"x\"")),
        ("may servername=[192.0.2.1]", Some("\"servername=[192.0.2.1]\" specifies an invalid hostname")),
        ("may servername=", Some("\"servername=\" specifies an invalid hostname")),
        ("may exclude=x exclude=y", Some("attribute \"exclude\" is specified multiple times")),
        ("may policy_type=x", Some("attribute \"policy_type\" has bad value: \"x\"")),
        ("none foo", None),
        ("may Exclude=x connection_reuse=Yes enable_rpk=no", None),
    ] {
        assert_eq!(refusal(text).as_deref(), expected, "{text}");
    }
}

#[test]
fn nothing_is_shaken_hands_on_that_cannot_be_understood() {
    for text in ["ciphers=none", "protocols=TLSv9"] {
        let found = policy(&format!("inline:{{{{a.test = may {text}}}}}"), "a.test", "a.test").unwrap();
        assert_eq!(found.protocols, Protocols::none(), "{text}");
    }
}

#[test]
fn fingerprints_are_needed_where_they_are_to_match() {
    for (text, expected) in [
        ("fingerprint", Some("AA:BB")),
        ("fingerprint match=aabb|11:2|22:33:", Some("aabb")),
        ("fingerprint match=zz match=AA:B", None),
    ] {
        let found = policy(&format!("inline:{{{{a.test = {text}}}}}"), "a.test", "a.test");
        assert_eq!(found.map(|policy| policy.fingerprints.join(" ")).as_deref(), expected, "{text}");
    }
}
