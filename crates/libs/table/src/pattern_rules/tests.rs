//! Tests of `regexp:` and `pcre:` tables.
use crate::Environment;
use crate::environment::Trust;

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
fn an_unclosed_condition_that_fails_ends_the_search() {
    assert_eq!(find("{{if /a/}, {/b/ x}}", "b"), None);
    assert_eq!(find("{{if /a/}, {/b/ x}}", "ab").as_deref(), Some("x"));
}

#[test]
fn sensitive_tables_take_no_text_from_the_key() {
    let environment = Environment { trust: Trust::Paranoid, ..Environment::default() };
    let table = crate::open("regexp:{{/(a)/ $1}, {/a/ b}}", &environment).unwrap();
    assert_eq!(table.lookup(b"a").block(), Ok(Some(b"b".to_vec())));
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
