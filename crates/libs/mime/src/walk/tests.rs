//! Walks through messages good and bad.

use proptest::prelude::*;

use super::*;

const LIMITS: Limits = Limits { header: 60, boundary: 20, nesting: 2 };

/// One letter per event with its text.
fn walk(parts: Parts, text: &str) -> String {
    let mut walker = Walker::new(parts, LIMITS);
    let mut out = String::new();
    let mut note = |event: Event<'_>| {
        out += &match event {
            Event::Header(place, text) => format!("{place:?} {}|", String::from_utf8_lossy(&text)),
            Event::HeaderEnd(place) => format!("end {place:?}|"),
            Event::Separator => "separator|".to_owned(),
            Event::Body(text, _) => format!("{}|", String::from_utf8_lossy(text)),
            Event::Fault(fault, context) => format!("{fault:?}({})|", String::from_utf8_lossy(&context)),
        }
    };
    for line in text.lines() {
        walker.line(line.as_bytes(), End::Line).for_each(&mut note);
    }
    walker.finish().for_each(&mut note);
    out
}

#[test]
fn headers_are_joined_and_bodies_left_alone() {
    for (text, events) in [
        ("A: 1\n 2\nB: 3\n\nx\n", "Primary A: 1\n 2|Primary B: 3|end Primary||x|"),
        ("A: 1\nno header\nB: 2\n", "Primary A: 1|end Primary|separator|no header|B: 2|"),
        ("A: 1\n", "Primary A: 1|end Primary|"),
        ("A \t: 1 \n", "Primary A: 1 |end Primary|"),
        ("\nx\n", "end Primary||x|"),
        (" x\n", "end Primary|separator| x|"),
        ("", "end Primary|"),
    ] {
        assert_eq!(walk(Parts::All, text), events, "{text}");
    }
}

#[test]
fn boundaries_of_all_content_types_count() {
    let types = "Content-Type: multipart/mixed; boundary=b\nContent-Type: multipart/mixed; boundary=c\nContent-Type: text/plain\n";
    let ended = "Primary Content-Type: multipart/mixed; boundary=b|Primary Content-Type: multipart/mixed; boundary=c|\
                 Primary Content-Type: text/plain|end Primary||";
    assert_eq!(walk(Parts::All, &format!("{types}\n--c\nP: 1\n")), format!("{ended}--c|Part P: 1|end Part|"));
    let text = format!("{types}\n--b\nP: 1\n\n--c\nQ: 1\n");
    assert_eq!(walk(Parts::All, &text), format!("{ended}--b|Part P: 1|end Part||--c|Q: 1|"));
}

#[test]
fn headers_take_no_lines_beyond_the_limit() {
    let (almost, more) = ("x".repeat(56), "y".repeat(30));
    let text = format!("A: {almost}\n {more}\n z\nB: 1\n");
    assert_eq!(walk(Parts::All, &text), format!("Primary A: {almost}\n {more}|Primary B: 1|end Primary|"));
}

#[test]
fn parts_have_headers() {
    let text = "Content-Type: multipart/mixed; boundary=b\n\npro\n--b\nP: 1\n\ntext\n--b\n\
                Content-Type: message/rfc822\n\nN: 1\n\ninner\n--b--\nepi\n--b\nE: 1\n";
    assert_eq!(
        walk(Parts::All, text),
        "Primary Content-Type: multipart/mixed; boundary=b|end Primary||pro|--b|Part P: 1|end Part||text|--b|\
         Part Content-Type: message/rfc822|end Part||Nested N: 1|end Nested||inner|--b--|epi|--b|E: 1|"
    );
    assert!(walk(Parts::Message, text).contains("|P: 1|"));
}

#[test]
fn an_outer_boundary_ends_inner_parts() {
    let text = "Content-Type: multipart/mixed; boundary=a\n\n--a\nContent-Type: multipart/mixed; boundary=b\n\n\
                --b\nP: 1\n\nx\n--a\nQ: 1\n--a--\n--b\nE: 1\n";
    let events = walk(Parts::All, text);
    assert!(events.contains("Part P: 1|") && events.contains("--a|Part Q: 1|end Part|--a--|--b|E: 1|"), "{events}");
}

#[test]
fn a_boundary_may_end_the_header_before_it() {
    let text = "Content-Type: multipart/mixed; boundary=b\n--b\nP: 1\n\nx\n";
    let ended = "Primary Content-Type: multipart/mixed; boundary=b|end Primary|separator|";
    assert_eq!(walk(Parts::All, text), format!("{ended}--b|Part P: 1|end Part||x|"));
}

#[test]
fn an_empty_boundary_is_in_all_lines_with_dashes() {
    let text = "Content-Type: multipart/mixed; boundary=\"\"\n\n--any\nP: 1\n\nx\n";
    assert!(walk(Parts::All, text).ends_with("--any|Part P: 1|end Part||x|"), "{}", walk(Parts::All, text));
    // But there must be something behind the dashes.
    let alone = walk(Parts::All, &text.replace("--any", "--"));
    assert!(alone.ends_with("--|P: 1||x|"), "{alone}");
}

#[test]
fn only_some_types_must_not_be_encoded() {
    for (kind, told) in [
        ("multipart/mixed", true),
        ("message/rfc822", true),
        ("message/global", false),
        ("message/delivery-status", false),
        ("text/plain", false),
    ] {
        let text = format!("Content-Type: {kind}\nContent-Transfer-Encoding: Base64\n\n");
        assert_eq!(walk(Parts::All, &text).contains("EncodingDomain(base64)"), told, "{kind}");
    }
}

#[test]
fn a_digest_holds_messages() {
    let text = "Content-Type: multipart/digest; boundary=b\n\n--b\n\nS: 1\n\nx\n--b--\n";
    assert!(walk(Parts::All, text).contains("--b|end Part||Nested S: 1|end Nested||x|"));
}

#[test]
fn encodings_have_their_places() {
    for (kind, encodings) in [
        ("multipart/mixed; boundary=b", &["base64", "quoted-printable"][..]),
        ("message/rfc822", &["base64", "quoted-printable"]),
        ("message/global", &[]),
        ("message/partial", &["8bit", "binary"]),
        ("message/external-body", &["8bit", "binary"]),
        ("message/delivery-status", &[]),
        ("text/plain", &[]),
    ] {
        for encoding in ["7bit", "8bit", "binary", "base64", "quoted-printable", "foo"] {
            let text = format!("Content-Type: {kind}\nContent-Transfer-Encoding: {encoding}\n\nx\n");
            let fault = walk(Parts::All, &text).contains("EncodingDomain");
            assert_eq!(fault, encodings.contains(&encoding), "{kind} {encoding}");
        }
    }
}

#[test]
fn faults_are_told() {
    let deep: String = (0..5).map(|n| format!("Content-Type: multipart/mixed; boundary=b{n}\n\n--b{n}\n")).collect();
    let told = "Nesting(Content-Type: multipart/mixed; boundary=b4)";
    assert_eq!(walk(Parts::All, &deep).matches(told).count(), 1, "{}", walk(Parts::All, &deep));
    let hidden = "Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\nxyz\n";
    assert!(walk(Parts::All, hidden).contains("EncodingDomain"));
    let hidden = "Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\nX: y\n";
    assert!(
        walk(Parts::All, hidden).ends_with("EncodingDomain(base64)||Nested X: y|end Nested|"),
        "{}",
        walk(Parts::All, hidden)
    );
    let short = "Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\nxyz\n";
    assert!(walk(Parts::All, short).ends_with("|EncodingDomain(base64)|separator|xyz|"), "{}", walk(Parts::All, short));
    let parts = "Content-Type: multipart/mixed; boundary=b\nContent-Transfer-Encoding: base64\n\n--b\nX: y\n";
    assert!(
        walk(Parts::All, parts).ends_with("EncodingDomain(base64)||--b|Part X: y|end Part|"),
        "{}",
        walk(Parts::All, parts)
    );
}

#[test]
fn a_nested_message_may_begin_with_a_boundary() {
    let text = "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: message/rfc822\n\n--b\nP: 1\n\n";
    assert!(walk(Parts::All, text).ends_with("end Nested|--b|Part P: 1|end Part||"), "{}", walk(Parts::All, text));
}

proptest! {
    #[test]
    fn every_line_comes_out_once(
        lines in proptest::collection::vec("(A: b|--b|--b--| x||x|Content-Type: (multipart/mixed; boundary=b|message/rfc822))", 0..30)
    ) {
        let mut walker = Walker::new(Parts::All, Limits { header: 10_000, boundary: 20, nesting: 5 });
        let mut out: Vec<u8> = Vec::new();
        let mut write = |event: Event<'_>| match event {
            Event::Header(_, text) => out.extend([&text[..], b"\n"].concat()),
            Event::Body(text, _) => out.extend([text, b"\n"].concat()),
            Event::Separator | Event::HeaderEnd(_) | Event::Fault(..) => {}
        };
        for line in &lines {
            walker.line(line.as_bytes(), End::Line).for_each(&mut write);
        }
        walker.finish().for_each(&mut write);
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        prop_assert_eq!(String::from_utf8(out).unwrap(), text);
    }

    #[test]
    fn no_bytes_panic(pieces: Vec<(Vec<u8>, bool)>) {
        let mut walker = Walker::new(Parts::All, LIMITS);
        for (piece, cut) in &pieces {
            walker.line(piece, if *cut { End::Cut } else { End::Line }).for_each(drop);
        }
        walker.finish().for_each(drop);
    }
}
