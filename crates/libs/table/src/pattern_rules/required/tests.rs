//! Tests of what patterns require.
use super::*;

fn shown(pattern: &str, syntax: Syntax) -> String {
    let needs = required(pattern.as_bytes(), syntax);
    let text = |need: &Need| need.iter().map(|text| String::from_utf8_lossy(text)).collect::<Vec<_>>().join("|");
    needs.iter().map(text).collect::<Vec<_>>().join(" & ")
}

#[test]
fn texts_that_must_be_there_are_found() {
    for (pattern, expected) in [
        ("^Subject: .*free", "subject:  & free"),
        ("^user7x.*@(.*)\\.test$", "user7x & @ & .test"),
        ("abc?d", "ab & d"),
        ("abc+d", "abc & d"),
        ("abc{2}d", "abc & d"),
        ("abc{0,2}d", "ab & d"),
        ("a(bc|de)f", "a & bc|de & f"),
        ("a(bc|.)f", "a & f"),
        ("a(bc|de)*f", "a & f"),
        ("a(b(cd))+f", "a & b & cd & f"),
        ("one|two three|(four|five)", "one|two three|four|five"),
        ("one|", ""),
        ("a[]x[:alpha:]\\]]b]c", "a & b]c"),
        ("\\bword\\W", "word"),
        ("a\\.b\\\\c", "a.b\\c"),
        ("caf\u{e9}s", "caf & s"),
    ] {
        assert_eq!(shown(pattern, Syntax::Perl), expected, "{pattern}");
    }
}

#[test]
fn what_is_not_understood_proves_nothing() {
    for pattern in [
        "a\\Qb|c\\E",
        "(?i)abc",
        "(?!abc)x",
        "(*UTF)abc",
        "a{,3}b",
        "a{x}b",
        "abc)",
        "a(bc",
        "*abc",
        "^*abc",
        "a\\x41",
        "[[.a.]]b",
        "a|*b",
        "ab\\1",
        "[abc",
        "a(?#x)b",
        "ab\\Kcd",
    ] {
        assert_eq!(shown(pattern, Syntax::Perl), "", "{pattern}");
    }
    assert_eq!(shown(&"(".repeat(1000), Syntax::Posix), "");
}

#[test]
fn the_two_ways_of_writing_differ() {
    assert_eq!(shown("x[a\\]y]z", Syntax::Perl), "x & z");
    assert_eq!(shown("x[a\\]y]z", Syntax::Posix), "x & y]z");
    assert_eq!(shown("\\<ab\\>", Syntax::Posix), "ab");
    assert_eq!(shown("\\<ab\\>", Syntax::Perl), "<ab>");
    assert_eq!(shown("ab\\d", Syntax::Posix), "");
}
