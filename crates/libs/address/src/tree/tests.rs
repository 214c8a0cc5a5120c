//! Headers as people and programs write them, and what the real Postfix makes of them.

use proptest::prelude::*;

use super::*;

const LIMIT: usize = 10_000;

fn reprint(text: &str) -> String {
    String::from_utf8(print(&parse(text.as_bytes(), LIMIT), 4)).unwrap()
}

#[test]
fn what_surrounds_an_address_stays() {
    for (text, printed) in [
        ("user@host", "user@host"),
        ("Some One <user>", "Some One <user>"),
        ("\"One, Some\" <user@host>", "\"One, Some\" <user@host>"),
        ("friends: a, b@example.net;", "friends: a, b@example.net;"),
        ("user (a (nested) comment)", "user (a (nested) comment)"),
        ("\"two words\"@example.net", "\"two words\"@example.net"),
        (r#""a \"b\" c"@example.net"#, r#""a \"b\" c"@example.net"#),
        ("<>", "<>"),
        ("user . name @ host .", "user.name@host."),
        ("undisclosed-recipients:;", "undisclosed-recipients: ;"),
        ("", ""),
        ("\"six\"@x", "six@x"),
        ("user@[1.2.3.4]", "user@[1.2.3.4]"),
        ("[x] \"y z\" R&D. <user>", "[x] \"y z\" R&D. <user>"),
        ("<a>(x) (y), b (z)", "<a>(x) (y), b (z)"),
    ] {
        assert_eq!(reprint(text), printed, "{text}");
    }
}

#[test]
fn faults_are_repaired_as_postfix_does() {
    for (text, printed) in [
        ("foo bar", "foo, bar"),
        ("a@b c@d", "a@b, c@d"),
        ("x \"y\" z@q", "x, y, z@q"),
        ("foo <a@b> bar", "foo <a@b>, bar"),
        ("foo <a@b> bar <c@d>", "foo <a@b>bar <c@d>"),
        ("foo <a@b> y@z (c) @ <d>", "foo <a@b>y@z (c)@ <d>"),
        ("x \"q\" a:b <c@d> e@f", "x, q, a:b <c@d>, e@f"),
        ("x: y; z: w;", "x:y;z: w;"),
        ("foo <a@b>: c", "foo <a@b>, \":c\""),
        ("<a@b>: c;", "<a@b>: c;"),
        ("x, a@b>", "\"x,a\"@b>"),
        ("<a@b, c@d", "\"<a\"@b, c@d"),
        ("a, \"b\" <c, d> e", "a, \"b\" <\"c,d\">, e"),
        ("<(g)h@i (k)>", "<h@i (g) (k)>"),
        ("< (c) >", "<(c)>"),
        ("100% sure <x>", "100%sure <x>"),
        ("a % b, c ! d, x | y", "a%b, c!d, x|y"),
        ("a b) c", "a, \"b)c\""),
        ("\"a\tb\" <x>", "\"a b\" <x>"),
        ("user@[192.0.2.1", "user@[192.0.2.1]"),
        ("\"\", x", "\"\", x"),
        ("a\x01 <x>", "\"a\x01\" <x>"),
        ("a,", "a, "),
        ("a (x) @ (y) b", "a@b (x) (y)"),
        ("<a> (x) <b>; <c>", "<a>(x) <b>; <c>"),
        ("Some\n One <a>", "Some One <a>"),
        ("J . R. Some(x)One <a>", "J.R.Some (x) One <a>"),
        ("Smith\\, J\\oe <a>", "\"Smith,\" Joe <a>"),
        ("\"a\n b\" <a>", "\"a  b\" <a>"),
        ("(c1) x (c2)", "x (c1) (c2)"),
        ("a:b", "\"a:b\""),
        (":", "\":\""),
        ("a;b;c", "a;, b;, c"),
        ("gr: a, b <c>; d", "gr: a, b <c>;, d"),
        ("<a b>", "<ab>"),
        ("\"unterminated", "unterminated"),
        ("<unterminated", "\"<unterminated\""),
        ("name <unterminated", "\"name <unterminated\""),
        ("a<<b", "\"a < <b\""),
        ("x.<a@b", "\"x. <a\"@b"),
        ("x@y <a", "x@y <a"),
        ("user (a\n\tb\n c)", "user (a \tb  c)"),
        ("x(a\n b) <user>", "x (a  b) <user>"),
        (
            "user (a comment\n of some length,\n that does not fit into a line of a header)",
            "user (a comment  of some length,\n that does not fit into a line of a header)",
        ),
        ("a\\b", "ab"),
        ("a..b@c", "\"a..b\"@c"),
        ("@x", "\"\"@x"),
        ("a@b@c", "\"a@b\"@c"),
        ("x]", "\"x]\""),
        ("a\n b", "a, b"),
        ("a,,b", "a, , b"),
    ] {
        assert_eq!(reprint(text), printed, "{text}");
    }
}

#[test]
fn what_is_in_quotes_divides_no_address() {
    for (text, address) in [("\"a@b\"", "a@b"), ("\"a!b\"", "a!b"), ("a\\%b", "a%b")] {
        assert_eq!(parse(text.as_bytes(), LIMIT), [Item::Local(Address::from(address))], "{text}");
    }
    for (text, address) in [("\"a@b\"@c", "a@b@c"), ("a%b", "a%b"), ("a!b", "a!b")] {
        assert_eq!(parse(text.as_bytes(), LIMIT), [Item::Address(Address::from(address))], "{text}");
    }
}

#[test]
fn source_routes_stay_part_of_the_address() {
    for (text, address) in [("<@one,@two:user@example.net>", "@one,@two:user@example.net"), ("@a:b@c", "@a:b@c")] {
        let items = parse(text.as_bytes(), LIMIT);
        assert_eq!(addresses(&items).collect::<Vec<_>>(), [&Address::from(address)], "{text}");
    }
}

#[test]
fn lines_are_broken_at_commas() {
    let text = (0..8).map(|n| format!("user{n}@mail.example.test")).collect::<Vec<_>>().join(", ");
    let printed = reprint(&text);
    assert!(printed.split('\n').all(|line| line.trim_start().len() < 70), "{printed}");
    assert_eq!(parse(printed.as_bytes(), LIMIT), parse(text.as_bytes(), LIMIT));
    // 69 characters with the comma fit on a line, not counting its tab; the first one has four already.
    for (lengths, breaks) in [([30, 32], 0), ([30, 33], 1)] {
        assert_eq!(list(&lengths).matches('\n').count(), breaks, "{lengths:?}");
    }
    for (lengths, breaks) in [([66, 30, 36], 1), ([66, 30, 37], 2)] {
        assert_eq!(list(&lengths).matches('\n').count(), breaks, "{lengths:?}");
    }
}

/// Addresses of these lengths and a short one, printed.
fn list(lengths: &[usize]) -> String {
    let addresses: Vec<String> = lengths.iter().map(|length| "x".repeat(*length)).collect();
    reprint(&format!("{}, y", addresses.join(", "))).replace("\n\ty", "y")
}

#[test]
fn quotes_that_are_not_needed_are_noticed() {
    for (text, spelling) in [
        ("a@b, \"A B\" <c@d>, \"e f\"@g, <\"a@b\"@c>, x@[192.0.2.1]", Spelling::Usual),
        ("a@b, \"c\"@d", Spelling::Unusual),
        ("x <\"a\".b@c>", Spelling::Unusual),
        ("a:b", Spelling::Unusual),
        ("a\\b@c, a\\ b@c", Spelling::Usual),
    ] {
        assert_eq!(parse_spelled(text.as_bytes(), LIMIT).1, spelling, "{text}");
    }
}

#[test]
fn addresses_are_listed() {
    let items = parse(b"A <a@example.org>, (x) b@example.org, list: c, \"d e\"@x;, <>", LIMIT);
    let found: Vec<_> = addresses(&items).map(Address::as_bytes).collect();
    assert_eq!(found, [&b"a@example.org"[..], b"b@example.org", b"c", b"d e@x"]);
}

#[test]
fn a_display_name_is_quoted_where_it_must_be() {
    assert_eq!(phrase(b"Lab user lab-bob"), b"Lab user lab-bob");
    assert_eq!(phrase(b"Bob B. Ob"), b"\"Bob B. Ob\"");
    assert_eq!(phrase(b"a \"b\""), b"\"a \\\"b\\\"\"");
}

#[test]
fn tokens_beyond_the_limit_are_left_out() {
    assert_eq!(parse(b"a, b, c, d", 3).len(), 3);
}

proptest! {
    #[test]
    fn parsing_never_panics(text: Vec<u8>) {
        let _ = print(&parse(&text, LIMIT), 0);
    }

    #[test]
    fn a_backslash_before_what_belongs_to_an_atom_changes_nothing(
        letters in proptest::collection::vec((r"[a-z+=\])\x01]", any::<bool>()), 1..20)
    ) {
        let plain: String = letters.iter().map(|(letter, _)| letter.as_str()).collect();
        let escaped: String =
            letters.iter().map(|(letter, escape)| format!("{}{letter}", if *escape { "\\" } else { "" })).collect();
        prop_assert_eq!(parse(escaped.as_bytes(), LIMIT), parse(plain.as_bytes(), LIMIT));
        prop_assert_eq!(parse(plain.as_bytes(), LIMIT), vec![Item::Address(Address::new(plain))]);
    }

    #[test]
    fn addresses_survive_printing(text in r#"[a-c"@<>(),;:.\\\[\] ]{0,40}"#) {
        let items = parse(text.as_bytes(), LIMIT);
        let plain = |address: &&Address| {
            !address.is_empty() && address.domain().is_none_or(crate::domain::is_hostname)
        };
        if addresses(&items).all(|address| plain(&address)) {
            let printed = print(&items, 0);
            let again = parse(&printed, LIMIT);
            let clean = items.iter().all(|item| !matches!(item, Item::Word(_) | Item::Comment(_)));
            if clean {
                let (before, after): (Vec<_>, Vec<_>) = (addresses(&items).collect(), addresses(&again).collect());
                prop_assert_eq!(before, after, "{}", String::from_utf8_lossy(&printed));
            }
        }
    }
}
