//! Expansion, compared with what the original answered to the same texts.

use super::*;
use proptest::prelude::*;

fn names(name: &str) -> Option<Cow<'static, str>> {
    let value = match name {
        "full" => "v",
        "empty" => "",
        "x" => "$empty",
        "loop" => "$loop",
        "twice" => "$full$$$full",
        "2bounce" => "p",
        "wide" => "$w1$w1",
        name if name.starts_with('w') => return wide(name),
        _ => return None,
    };
    Some(Cow::Borrowed(value))
}

fn wide(name: &str) -> Option<Cow<'static, str>> {
    let number: u32 = name.get(1..)?.parse().ok()?;
    Some(format!("$w{0}$w{0}", number + 1).into())
}

#[test]
fn texts_expand_as_documented() {
    let table = [
        ("$full $(full) ${full} $full.x", "v v v v.x"),
        ("<${full?yes}> <${none?yes}>", "<yes> <>"),
        ("<${full:no}> <${none:no}> <${empty:no}>", "<> <no> <no>"),
        ("${full?{yes $full}:{no}} ${none?{yes}:{no $full}}", "yes v no v"),
        ("a $$ b $$full $$$full $$$$", "a $ b $full $v $$"),
        ("$twice", "v$v"),
        ("${x?yes}<", "yes<"),
        ("${ full }|${full ? {y} : {n}}|${full ?y}|$(full?y)", "v|y|y|y"),
        ("<${full?}>", "<>"),
        ("<${full? y }>", "< y >"),
        ("<${{ v } == { v } ? { y }}>", "< y >"),
        ("<${{ $full } == {v} ? {y}:{n}}>", "<n>"),
        ("<${empty ?  {y }  :  n }>", "<  n >"),
        ("<${empty :  {n } }>", "<n >"),
        ("${full?{a{b}c}:{d}}", "a{b}c"),
        ("<${full ?{y}}}>", "<y}>"),
        ("${{$full} == {v}?{same}:{different}} ${{$full} != {v}?{a}:{b}}", "same b"),
        ("${{2} < {10}?{less}:{more}} ${{a2} < {a10}?{less}:{more}} ${{b} >= {a}}", "less more true"),
        ("<${{a} == {b}}> <${{a} == {b}:{c}}> <${{9} < {10}?}>", "<> <c> <>"),
        ("${{3.10} >level {3.9} ? {y}:{n}}${{3.6} ==level {3.6.0}?{y}}", "yy"),
        ("${{$none} == {} ? {y}}", "y"),
        ("${2bounce}${?x}", "p"),
        ("é$full.ü", "év.ü"),
        ("${domain_to_ascii{Example.$full}} ${domain_to_ascii{bücher.de}}", "Example.v xn--bcher-kva.de"),
    ];
    for (text, expected) in table {
        assert_eq!(expand(text, &names).as_deref(), Ok(expected), "{text}");
    }
}

#[test]
fn malformed_texts_are_named() {
    let table = [
        ("a $ b", "empty macro name: \"a $ b\""),
        ("${}", "empty macro name: \"${}\""),
        ("a$", "empty macro name: \"a$\""),
        ("${full", "truncated macro reference: \"${full\""),
        ("<$(full}>", "truncated macro reference: \"<$(full}>\""),
        ("${full-x}", "attribute name syntax error at: \"...full>>>-x\""),
        ("${full?{y} z}", "\":\" expected at: \"...y}>>>z\""),
        ("${{a} == {b} x}", "\"?\" or \":\" expected at: \"...}>>>x\""),
        ("${{a} == a}", "\"{expression}\" expected at: \"...{a} ==>>> a\""),
        ("${full:{d}?{e}}", "unexpected input at: \"...d}>>>?{e}\""),
        ("${{3.x} >level {3.9}}", "malformed compatibility level syntax: \"3.x\""),
        ("${{99999999999999999999} > {10}?{y}}", "bad conversion: 99999999999999999999"),
        ("$loop", "unreasonable macro call nesting: \"loop\""),
    ];
    for (text, expected) in table {
        assert_eq!(expand(text, &names).unwrap_err().to_string(), expected, "{text}");
    }
    let operator = expand("${{a} ~ {b}}", &names).unwrap_err().to_string();
    assert!(operator.ends_with("expected at: \"...a}>>>~ {b}\""), "{operator}");
}

#[test]
fn work_is_bounded() {
    assert!(matches!(expand("$wide", &names), Err(Failure::Nesting(_))));
    let deep = "${full?{".repeat(5000) + &"}}".repeat(5000);
    assert!(matches!(expand(&deep, &names), Err(Failure::Nesting(_))));
}

#[test]
fn values_go_in_unchanged_when_not_recursive() {
    assert_eq!(expand_once("$x$loop", &names).as_deref(), Ok("$empty$loop"));
}

#[test]
fn references_are_found_in_every_alternative() {
    let text = "${a?x$b} ${c:{$d}} $$no ${{$e} <level {$f}?{$g}:{$h}} $(i) ${domain_to_ascii{$j}}";
    assert_eq!(references(text).unwrap().concat(), "abcdefghij");
    assert!(references("${a?$}").is_err());
}

proptest! {
    #[test]
    fn any_text_is_expanded_or_refused(text in "[$(){}?:=<>a-z ]{0,60}") {
        let _ = expand(&text, &names);
    }

    #[test]
    fn text_without_dollar_stays(text in "[^$]*") {
        prop_assert_eq!(expand(&text, &names), Ok(text));
    }

    #[test]
    fn doubled_dollars_quote(text in ".*") {
        prop_assert_eq!(expand(&text.replace('$', "$$"), &names), Ok(text));
    }
}
