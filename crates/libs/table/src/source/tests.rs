//! Tests of logical lines and entries.
use super::*;
use proptest::prelude::*;

#[test]
fn lines_are_joined_and_comments_left_out() {
    let text = b"# one\na b\n\n c\n# x\n   # y\n  d\ne\n \t\nf";
    let found: Vec<_> = lines(text, "f").map(|l| (l.number, String::from_utf8(l.text).unwrap())).collect();
    assert_eq!(found, [(2, "a b c  d".into()), (8, "e".into()), (10, "f".into())]);
}

#[test]
fn a_nul_ends_a_line() {
    let found: Vec<_> = lines(b"a b\0c\n d\ne f\n", "f").map(|line| line.text).collect();
    assert_eq!(found, [b"a b", b"e f"]);
}

#[test]
fn a_first_line_that_continues_none_is_skipped() {
    let found: Vec<_> = lines(b"\n  a b\n c\nd e\n", "f").collect();
    assert_eq!(found, [Line { number: 4, text: b"d e".to_vec() }]);
}

#[test]
fn entries_have_a_key_and_a_value() {
    let place = Place { path: "f", line: 1 };
    for (line, expected) in [
        ("a b", Some(("a", "b"))),
        ("a\t b  c ", Some(("a", "b  c"))),
        ("\"a b\" c", Some(("\"a b\"", "c"))),
        ("a\\ b c", Some(("a\\ b", "c"))),
        ("alone", None),
        ("\"open a", None),
        ("a: b", Some(("a:", "b"))),
    ] {
        let expected = expected.map(|(k, v): (&str, &str)| (k.as_bytes(), v.as_bytes()));
        assert_eq!(entry(line.as_bytes(), place), expected, "{line}");
    }
}

#[test]
fn long_texts_are_read_in_pieces() {
    let text: String = (0..20_000).map(|number| format!("key{number} value\n  more\n# note\n\n")).collect();
    assert!(text.len() > 2 * usize::try_from(PIECE).unwrap());
    let mut found = Vec::new();
    each_line::<io::Error>(&mut text.as_bytes(), "f", &mut |line| {
        found.push(line.clone());
        Ok(())
    })
    .unwrap();
    assert!(found.into_iter().eq(lines(text.as_bytes(), "f")));
}

proptest! {
    #[test]
    fn pieces_make_no_difference(text in "([a#] ?|\n| \n|\n #){0,40}") {
        let expected: Vec<_> = lines(text.as_bytes(), "f").collect();
        let mut found = Vec::new();
        each_line::<io::Error>(&mut text.as_bytes(), "f", &mut |line| {
            found.push(line.clone());
            Ok(())
        })
        .unwrap();
        prop_assert_eq!(&found, &expected);
        // However much is read at once, no line is cut.
        let end = end_of_lines(text.as_bytes());
        let (first, rest) = text.split_at(end);
        let both = lines(first.as_bytes(), "f").chain(lines(rest.as_bytes(), "f")).map(|line| line.text);
        prop_assert!(both.eq(expected.into_iter().map(|line| line.text)));
    }

    #[test]
    fn any_bytes_are_read(text in proptest::collection::vec(any::<u8>(), 0..200)) {
        for line in lines(&text, "f") {
            let _ = entry(&line.text, Place { path: "f", line: line.number });
        }
    }
}
