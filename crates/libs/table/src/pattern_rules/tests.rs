//! Tests of `regexp:` and `pcre:` tables.
use super::*;
use engine::{pcre, posix};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

fn find(rules: &str, key: &str) -> Option<String> {
    let mut answers = ["regexp", "pcre"].map(|kind| {
        let table = crate::open(&format!("{kind}:{rules}"), &Environment::default()).unwrap();
        table.lookup(key.as_bytes()).block().unwrap().map(|value| String::from_utf8(value).unwrap())
    });
    assert_eq!(answers[0], answers[1], "{rules} {key}");
    answers[0].take()
}

#[test]
fn rules_apply_in_order() {
    let rules = "{{/^([a-z0-9]+)@old\\.test$/ $1@new.test}, {!/@/ no-domain}, {/UPPER/i exact-case}, {/lower/ any-case}, \
                 {if /^in-/}, {/-(a+)$/ if-$1-$(1)${1}}, {!/x/ without-x}, {endif}, \
                 {if !/^out/}, {/(.)(.)$/ $2$1$$}, {endif}}";
    for (key, expected) in [
        ("joe@old.test", Some("joe@new.test")),
        ("plain", Some("no-domain")),
        ("x@upper", Some("re$")),
        ("x@UPPER", Some("exact-case")),
        ("LOWER@y", Some("any-case")),
        ("in-@-aaa", Some("if-aaa-aaaaaa")),
        ("in-@-xb", Some("bx$")),
        ("out@zz", None),
        ("in-@cc", Some("without-x")),
    ] {
        assert_eq!(find(rules, key).as_deref(), expected, "{key}");
    }
}

#[test]
fn bad_rules_are_skipped() {
    let rules =
        "{{/(/ bad}, {/a/}, {endif}, {no slash}, {/b/ $2}, {!/c/ $1}, {/d/q x}, {/e/ $x}, {/f x}, {/good/ yes}}";
    assert_eq!(find(rules, "good").as_deref(), Some("yes"));
    assert_eq!(find(rules, "a").as_deref(), Some(""));
    assert_eq!(find(rules, "b"), None);
}

#[test]
fn comments_among_inline_rules_are_none() {
    assert_eq!(find("{{#a#b}, {}, {   # /a/ x}, {/a/ y}}", "a#b").as_deref(), Some("y"));
}

#[test]
fn a_second_pattern_of_regexp_excludes() {
    let rules = "regexp:{{/^(.)a/!/b$/ $1}, {/X/i!/Y/i! negated}, {/c/!!/d/ both}, {!/e/!/f/ neither}, {/e/!/(/ bad}}";
    let table = crate::open(rules, &Environment::default()).unwrap();
    for (key, expected) in [
        ("xac", Some("x")),
        ("xab", Some("neither")),
        ("X", Some("! negated")),
        ("XY", Some("neither")),
        ("ecd", Some("both")),
        ("efc", None),
        ("f", None),
        ("g", Some("neither")),
    ] {
        let found = table.lookup(key.as_bytes()).block().unwrap();
        assert_eq!(found.as_deref(), expected.map(str::as_bytes), "{key}");
    }
}

#[test]
fn an_unclosed_condition_that_fails_ends_the_search() {
    assert_eq!(find("{{if /a/}, {/b/ x}}", "b"), None);
    assert_eq!(find("{{if /a/}, {/b/ x}}", "ab").as_deref(), Some("x"));
}

#[test]
fn sensitive_tables_take_no_text_from_the_key() {
    for trust in [Trust::Paranoid, Trust::Verbatim] {
        let environment = Environment { trust, ..Environment::default() };
        let table = crate::open("regexp:{{/(a)/ $1}, {/a/ b}}", &environment).unwrap();
        assert_eq!(table.lookup(b"a").block(), Ok(Some(b"b".to_vec())));
    }
}

#[test]
fn pcre_has_more_flags() {
    let rules = "pcre:{{/^Exact$/i exact}, {/ f r e e /x free}, {/^(a+)(a+)$/U $1-$2}, {/b\\.c|(d)/A dot}}";
    let table = crate::open(rules, &Environment::default()).unwrap();
    for (key, expected) in
        [("Exact", Some("exact")), ("exact", None), ("free", Some("free")), ("aaa", Some("a-aa")), ("xb.c", None)]
    {
        let found = table.lookup(key.as_bytes()).block().unwrap();
        assert_eq!(found.as_deref(), expected.map(str::as_bytes), "{key}");
    }
}

/// Patterns out of what matters to those who read them.
fn pattern() -> impl Strategy<Value = String> {
    const PARTS: &[&str] = &[
        "a",
        "b",
        "c",
        "A",
        "ab",
        "bc",
        "ca",
        ".",
        "^",
        "$",
        "*",
        "+",
        "?",
        "{2}",
        "{0,1}",
        "{1,}",
        "{,1}",
        "{",
        "(",
        "(?:",
        "(?!",
        "(?i)",
        "|",
        ")",
        ")",
        "[",
        "[^",
        "]",
        "[ab]",
        "[]a]",
        "[[:alpha:]]",
        "[:",
        "\\",
        "\\b",
        "\\w",
        "\\Q",
        "\\E",
        "\\1",
        "\\.",
        "\\<",
        "\\|",
        "\\]",
        "-",
        ",",
        "\u{e9}",
    ];
    let free = vec(select(PARTS), 1..9).prop_map(|parts| parts.concat());
    let atom = select(&["a", "b", "c", "ab", "ca", ".", "[ab]", "\\w", "(b|ca)", "(a|bc|)", "(ab?c)", "^", "$"][..]);
    let quantifier = select(&["", "", "", "*", "+", "?", "{2}", "{0,1}", "+?"][..]);
    let likely = vec((atom, quantifier, select(&["", "", "", "|"][..])), 1..6)
        .prop_map(|parts| parts.iter().map(|(atom, quantifier, bar)| format!("{atom}{quantifier}{bar}")).collect());
    prop_oneof![free, likely]
}

fn subject() -> impl Strategy<Value = String> {
    vec(select(&["a", "b", "c", "A", "B", "ab", "bc", "CA", ".", "-", "|", "]", "\\", "\u{e9}"][..]), 0..8)
        .prop_map(|parts| parts.concat())
}

fn meets_all_needs<E: Engine>(pattern: &str, flags: &str, subject: &str) {
    let flags = Flags(flags.as_bytes().to_vec());
    let (Ok(engine), Some(syntax)) = (E::compile(pattern.as_bytes(), &flags, Groups::Unused), E::syntax(&flags)) else {
        return;
    };
    let lower = subject.to_ascii_lowercase();
    if engine.matches(&Subject::new(subject.as_bytes()), &mut []) == Ok(true) {
        for need in required(pattern.as_bytes(), syntax) {
            let has = |text: &Vec<u8>| memchr::memmem::find(lower.as_bytes(), text).is_some();
            assert!(need.iter().any(has), "{} {pattern:?} {subject:?} {need:?}", E::KIND);
        }
    }
}

fn answers_as_one_by_one<E: Engine>(rules: &str, subject: &str) {
    let table = Patterns::<E>::read(rules, &Environment::default()).unwrap();
    let one_by_one = table.first(0..table.rules.len(), &Subject::new(subject.as_bytes()));
    assert_eq!(table.find(subject.as_bytes()), one_by_one, "{} {rules} {subject:?}", E::KIND);
}

fn rule() -> impl Strategy<Value = String> {
    let pattern = pattern().prop_map(|pattern| pattern.replace(['{', '}', ','], "x"));
    (
        select(&["", "", "", "if ", "endif"][..]),
        select(&["", "", "", "!"][..]),
        pattern,
        select(&["", "", "i", "x", "m"][..]),
    )
        .prop_map(|(kind, not, pattern, flags)| match kind {
            "" => format!("{{{not}/{pattern}/{flags} VALUE}}"),
            "if " => format!("{{if {not}/{pattern}/{flags}}}"),
            _ => "{endif}".to_owned(),
        })
}

proptest! {
    #[test]
    fn what_matches_has_what_is_required(pattern in pattern(), subject in subject(), flags in select(&["", "i", "m"][..])) {
        meets_all_needs::<posix::Regex>(&pattern, flags, &subject);
        meets_all_needs::<pcre::Regex>(&pattern, flags, &subject);
    }

    #[test]
    fn the_index_agrees_with_the_plain_search(rules in vec(rule(), 8..40), subject in subject()) {
        let numbered: Vec<_> =
            rules.iter().enumerate().map(|(at, rule)| rule.replace("VALUE", &format!("v{at}"))).collect();
        let rules = format!("{{{}}}", numbered.join(", "));
        answers_as_one_by_one::<posix::Regex>(&rules, &subject);
        answers_as_one_by_one::<pcre::Regex>(&rules, &subject);
    }
}
