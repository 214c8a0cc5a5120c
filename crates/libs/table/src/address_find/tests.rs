//! Tests of address look-ups.
use super::*;
use crate::{Environment, Parents, PatternList};

fn finder() -> AddressFind {
    let environment = Environment::default();
    let list = PatternList::open("mydestination", &["example.test"], Parents::Dotted, &environment);
    AddressFind {
        recipient_delimiter: "+".to_owned(),
        myorigin: "origin.test".to_owned(),
        local: LocalDomains::new(list, Vec::new()),
    }
}

fn find(table: &str, address: &str, strategy: Strategy) -> Option<(String, Option<String>)> {
    let maps = Maps::open("test_maps", &[table], &Environment::default());
    let found = crate::block_on(finder().find(&maps, address.as_bytes(), strategy)).unwrap();
    found.map(|found| {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (text(found.value), found.extension.map(text))
    })
}

#[test]
fn addresses_are_tried_in_order() {
    let table = "inline:{a+x@other.test=full, a@other.test=user, @other.test=domain, b+x=local+x, b=local, \
                 {\"c d\"@other.test = quoted}}";
    for (address, value, extension) in [
        ("a+x@other.test", "full", None),
        ("a+y@other.test", "user", Some("+y")),
        ("z+y@other.test", "domain", None),
        ("b+x@example.test", "local+x", None),
        ("B+y@Example.test", "local", Some("+y")),
        ("b@origin.test", "local", None),
        ("c d@other.test", "quoted", None),
        ("b@example.org", "", None),
    ] {
        let expected = (!value.is_empty()).then(|| (value.to_owned(), extension.map(str::to_owned)));
        assert_eq!(find(table, address, Strategy::MAIL), expected, "{address}");
    }
}

#[test]
fn access_looks_at_domains_and_users() {
    let plain = "inline:{example.com=domain, user@=user}";
    let dotted = "inline:{.example.com=parent, user@=user}";
    for (table, strategy, address, expected) in [
        (plain, Strategy::ACCESS_PLAIN, "x@a.b.example.com", Some("domain")),
        (plain, Strategy::ACCESS_DOTTED, "x@a.example.com", None),
        (dotted, Strategy::ACCESS_DOTTED, "x@a.example.com", Some("parent")),
        (dotted, Strategy::ACCESS_DOTTED, "user+x@else.where", Some("user")),
        ("static:all", Strategy::ACCESS_DOTTED, "user", Some("all")),
    ] {
        let found = find(table, address, strategy).map(|(value, _)| value);
        assert_eq!(found.as_deref(), expected, "{table} {address}");
    }
}

#[test]
fn patterns_see_addresses_in_quotes() {
    assert_eq!(find("regexp:{{/^a b@/ bare}}", "a b@other.test", Strategy::MAIL), None);
    for (pattern, address) in [("/^\"a b\"@/", "a b@other.test"), ("/^\"\"@/", "@other.test"), ("/^\"\"$/", "")] {
        let table = format!("regexp:{{{{{pattern} found}}}}");
        assert_eq!(find(&table, address, Strategy::MAIL), Some(("found".to_owned(), None)), "{address}");
    }
}

#[test]
fn patterns_see_only_whole_addresses() {
    let table = "regexp:{{/^@/ domain}, {/^user@/ user}}";
    assert_eq!(find(table, "user+x@other.test", Strategy::MAIL), None);
    assert_eq!(find(table, "user@other.test", Strategy::MAIL), Some(("user".to_owned(), None)));
}

#[test]
fn extensions_are_split_at_the_first_delimiter() {
    for (local, delimiters, expected) in [
        ("user+x+y", "+", Some(("user", "+x+y"))),
        ("user-x", "+-", Some(("user", "-x"))),
        ("owner-list", "-", None),
        ("list-request", "-", None),
        ("+x", "+", None),
        ("user+", "+", Some(("user", "+"))),
        ("user+x", "", None),
        ("Mailer-Daemon", "-", None),
    ] {
        let expected = expected.map(|(a, b): (&str, &str)| (a.as_bytes(), b.as_bytes()));
        assert_eq!(split_extension(local.as_bytes(), delimiters), expected, "{local}");
    }
}
