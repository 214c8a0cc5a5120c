//! Tests of cidr tables.
use super::*;
use proptest::prelude::*;

fn find(rules: &str, key: &str) -> Option<String> {
    let table = open(rules, &Environment::default()).unwrap();
    table.lookup(key.as_bytes()).block().unwrap().map(|value| String::from_utf8(value).unwrap())
}

#[test]
fn rules_apply_in_order() {
    let rules = "{{10.0.0.1 one}, {10.0.0.0/24 net}, {if 192.168.0.0/16}, {!192.168.1.0/24 not-one}, \
                 {192.168.1.128/25 high}, {endif}, {[2001:db9::]/32 bracket}, {10.0.1.1/24 bad}, {0.0.0.0/0 rest}}";
    for (key, expected) in [
        ("10.0.0.1", Some("one")),
        ("10.0.0.2", Some("net")),
        ("192.168.2.1", Some("not-one")),
        ("192.168.1.1", Some("rest")),
        ("192.168.1.200", Some("high")),
        ("2001:DB9::5", Some("bracket")),
        ("2001::1", None),
        ("name", None),
    ] {
        assert_eq!(find(rules, key).as_deref(), expected, "{key}");
    }
}

#[test]
fn a_negated_network_is_about_addresses_of_its_kind() {
    let rules = "{{!10.0.0.0/8 four}, {if !2001:db8::/32}, {::/0 six}, {endif}, {0.0.0.0/0 rest}}";
    for (key, expected) in
        [("1.2.3.4", Some("four")), ("10.0.0.1", Some("rest")), ("::1", Some("six")), ("2001:db8::1", None)]
    {
        assert_eq!(find(rules, key).as_deref(), expected, "{key}");
    }
}

#[test]
fn mistakes_are_named() {
    for (rule, expected) in [
        ("if[::1]/x", "bad mask value in \"::1/x\""),
        ("IF!1.2.3.4/8", "non-null host address bits in \"1.2.3.4/8\", perhaps you should use \"1.0.0.0/8\" instead"),
        ("if1.2.3.4 x", "bad address pattern: \"if1.2.3.4\""),
        ("if", "no address pattern"),
        ("endif/8", "garbage after ENDIF"),
        ("endif", "ENDIF without IF"),
        ("1.2.3/33 x", "bad mask length in \"1.2.3/33\""),
        ("1.2.3/32 x", "bad network value in \"1.2.3/32\""),
        ("::1/129 x", "bad mask length in \"::1/129\""),
        ("[1.2.3.4 x", "missing ']' character after \"[1.2.3.4\""),
        ("1.2.3.4", "no lookup result"),
    ] {
        let line = Line { number: 1, text: rule.as_bytes().to_vec() };
        assert_eq!(read_rule(&mut Builder::new(), &line, Values::Text), Err(expected.to_owned()), "{rule}");
    }
    assert_eq!(find("{{if!10.0.0.0/8}, {0.0.0.0/0 x}, {endif}}", "10.1.1.1"), None);
}

#[test]
fn an_unclosed_condition_that_fails_ends_the_search() {
    assert_eq!(find("{{if 10.0.0.0/8}, {1.2.3.4 x}}", "1.2.3.4"), None);
    assert_eq!(find("{{if !10.0.0.0/8}, {1.2.3.4 x}}", "1.2.3.4").as_deref(), Some("x"));
}

fn rule() -> impl Strategy<Value = String> {
    let network = (0_u8..4, 0_u8..4, 24_u8..=32).prop_map(|(a, b, length)| {
        let network = Network::around(IpAddr::from([10, 0, a, b]), length);
        format!("{}/{length}", network.address())
    });
    prop_oneof![
        20 => network.clone().prop_map(|network| format!("{{{network} VALUE}}")),
        1 => network.clone().prop_map(|network| format!("{{!{network} VALUE}}")),
        1 => network.clone().prop_map(|network| format!("{{if {network}}}")),
        1 => network.prop_map(|network| format!("{{if !{network}}}")),
        2 => Just("{endif}".to_owned()),
    ]
}

proptest! {
    #[test]
    fn the_index_agrees_with_the_plain_search(rules in proptest::collection::vec(rule(), 1..120), a in 0_u8..4, b in 0_u8..4) {
        let numbered: Vec<_> =
            rules.iter().enumerate().map(|(at, rule)| rule.replace("VALUE", &format!("v{at}"))).collect();
        let text = rules::read("cidr", &format!("{{{}}}", numbered.join(", ")), &Environment::default()).unwrap();
        let mut builder = Builder::new();
        for line in &text.lines {
            let _ = read_rule(&mut builder, line, Values::Text);
        }
        let (rules, _) = builder.finish();
        let table = Cidr { index: Index::new(&rules), rules, file: None };
        let address = IpAddr::from([10, 0, a, b]);
        prop_assert_eq!(table.find(address), table.first(0..table.rules.len(), address));
    }
}
