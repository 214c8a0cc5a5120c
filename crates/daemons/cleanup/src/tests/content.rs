//! Checks of headers and bodies, and what the content says of itself.

use super::*;

impl Lab {
    /// A message in any bytes.
    async fn bytes(&self, text: &[u8]) -> Queued {
        self.send(LOCAL, &envelope("a@b.c", &["d@e.f"]), &[text]).await
    }
}

fn refused(queued: &Queued) -> bool {
    matches!(queued.verdict, Verdict::Refused { cause: Cause::Content, .. })
}

#[tokio::test]
async fn checks_see_text_in_any_character_set() {
    for (main, text) in [
        ("header_checks = regexp:{{/bad/ REJECT}}", &b"Subject: \xe9 bad\n\nx\n"[..]),
        ("body_checks = pcre:{{/bad/ REJECT}}", b"Subject: x\n\n\xff\xfe bad\n"),
    ] {
        assert!(refused(&Lab::new(main).bytes(text).await), "{main}");
    }
    let lab = Lab::new("header_checks = regexp:{{/^Subject: (.*)/ REPLACE X-Subject: $$1}}");
    let queued = lab.bytes(b"Subject: caf\xe9\n\nx\n").await;
    let id = std::fs::read_dir(lab.root.path().join("incoming")).unwrap().next().unwrap().unwrap();
    let file = std::fs::read(id.path()).unwrap();
    assert_eq!(queued.verdict, Verdict::Queued);
    assert!(memchr::memmem::find(&file, b"X-Subject: caf\xe9").is_some());
}

#[tokio::test]
async fn a_refusal_that_quotes_a_header_has_one_line() {
    let lab = Lab::new("header_checks = pcre:{{/^Subject: (.*)/ REJECT not $$1}}");
    let queued = lab.bytes(b"Subject: a\n\tb\x01\n\nx\n").await;
    assert!(matches!(queued.verdict, Verdict::Refused { reason, .. } if reason == "5.7.1 not a  b "));
}

#[tokio::test]
async fn mime_checks_see_what_describes_the_content_of_nested_messages() {
    let nested = "Content-Type: message/rfc822\n\nSubject: x\nContent-Disposition: bad.exe\n\nx\n";
    let bare = "Content-Type: multipart; boundary=b\n\n--b\nX: bad\n\nx\n";
    let unended = "Content-Type: multipart/mixed; boundary=b\n--b\nX: bad\n\nx\n";
    for text in [nested, bare, unended] {
        let lab = Lab::new("header_checks =\nmime_header_checks = regexp:{{/bad/ REJECT}}\nnested_header_checks =");
        assert!(refused(&lab.bytes(text.as_bytes()).await), "{text}");
        let lab = Lab::new("header_checks =\nmime_header_checks =\nnested_header_checks = regexp:{{/bad/ REJECT}}");
        assert_eq!(lab.bytes(text.as_bytes()).await.verdict, Verdict::Queued, "{text}");
    }
}

#[tokio::test]
async fn body_checks_see_no_headers_of_parts() {
    let text = b"Content-Type: multipart/mixed; boundary=b\n\n--b\nX: bad\n\nworse\n";
    for (word, expected) in [("bad", false), ("worse", true)] {
        let lab = Lab::new(&format!("body_checks = pcre:{{{{/{word}/ REJECT}}}}"));
        assert_eq!(refused(&lab.bytes(text).await), expected, "{word}");
    }
}

#[tokio::test]
async fn strictness_is_about_what_is_known() {
    let (unknown, report) = (
        "Content-Transfer-Encoding: x-unknown\n\n\u{e4}\n",
        "Content-Type: message/delivery-status\nContent-Transfer-Encoding: base64\n\nx\n",
    );
    for (main, text, expected) in [
        ("strict_8bitmime_body = yes", unknown, true),
        ("strict_8bitmime_body = yes", "Content-Transfer-Encoding: base64\n\n\u{e4}\n", false),
        (
            "strict_8bitmime_body = yes",
            "Content-Type: multipart/mixed; boundary=b\nContent-Transfer-Encoding: base64\n\n\u{e4}\n",
            true,
        ),
        ("strict_mime_encoding_domain = yes", report, false),
        ("strict_8bitmime = yes", "Subject: \u{e4}\n\nx\n", true),
        ("strict_8bitmime = yes\ndisable_mime_input_processing = yes", "Subject: \u{e4}\n\nx\n", false),
    ] {
        assert_eq!(refused(&Lab::new(main).bytes(text.as_bytes()).await), expected, "{main}: {text}");
    }
    // Notices of our own, which nothing checks, are held to nothing.
    let unchecked = Handling { checks: Switch::Off, ..LOCAL };
    let text = "Subject: \u{e4}\n\n\u{e4}\n".as_bytes();
    let queued = Lab::new("strict_8bitmime = yes").send(unchecked, &envelope("", &["d@e.f"]), &[text]).await;
    assert_eq!(queued.verdict, Verdict::Queued);
}

#[tokio::test]
async fn what_is_strict_has_its_say_at_the_end() {
    let lab = Lab::new(
        "strict_8bitmime = yes\nheader_checks = regexp:{{/Drop/ DISCARD}}\nbody_checks = regexp:{{/bad/ REJECT 5.7.7 bad}}",
    );
    let refused = |reason: &str| Verdict::Refused { cause: Cause::Content, reason: reason.to_owned() };
    let (header, body) = ("improper use of 8-bit data in message header", "improper use of 8-bit data in message body");
    for (text, verdict) in [
        ("Subject: \u{e4}\n\n\u{e4}\n", refused(&format!("5.6.0 {header}"))),
        ("\n\u{e4}\n", refused(&format!("5.6.0 {body}"))),
        // What weighs more comes later.
        (
            "Content-Type: multipart/mixed; boundary=b\n\n\u{e4}\n--b\nSubject: \u{e4}\n\n",
            refused(&format!("5.6.0 {header}")),
        ),
        ("Subject: \u{e4}\n\nbad\n", refused("5.7.7 bad")),
        ("\n\u{e4}\nbad\n", refused("5.7.7 bad")),
        ("Subject: \u{e4}\nX: Drop\n\nx\n", Verdict::Discarded),
    ] {
        assert_eq!(lab.bytes(text.as_bytes()).await.verdict, verdict, "{text}");
    }
}

#[tokio::test]
async fn each_boundary_lets_body_checks_see_more() {
    let lab = Lab::new(
        "body_checks_size_limit = 8\nmime_header_checks = regexp:{{/never/ REJECT}}\nbody_checks = regexp:{{/bad/ REJECT}}",
    );
    let part = "Content-Type: multipart/mixed; boundary=b\n\n--b\n\n123456\n";
    assert_eq!(lab.bytes(format!("{part}xx\nbad\n").as_bytes()).await.verdict, Verdict::Queued);
    assert!(refused(&lab.bytes(format!("{part}--b--\nbad\n").as_bytes()).await));
}

#[tokio::test]
async fn mail_is_8_bit_where_it_or_its_client_says_so() {
    for (said, text, encoding) in [
        (None, "Content-Transfer-Encoding: 7bit\n\n", None),
        (None, "Content-Transfer-Encoding: 8Bit\n\n", Some("8bit")),
        (None, "Content-Transfer-Encoding: binary\n\n", Some("8bit")),
        (Some("7bit"), "Content-Transfer-Encoding: base64\n\n", Some("7bit")),
        (Some("7bit"), "Content-Transfer-Encoding: 8bit\n\n", Some("8bit")),
        (Some("8bit"), "Content-Transfer-Encoding: 7bit\n\n", Some("8bit")),
    ] {
        let mut records = Vec::new();
        said.iter().for_each(|said| record::put_attribute(&mut records, "encoding", said.as_bytes()));
        records.extend(envelope("a@b.c", &["d@e.f"]));
        let queued = Lab::new("").send(LOCAL, &records, &[text.as_bytes()]).await;
        let found = queued.envelope.attributes.iter().filter(|(name, _)| name == b"encoding").last();
        assert_eq!(found.map(|(_, value)| value), encoding.map(str::as_bytes), "{said:?} {text}");
    }
}

#[tokio::test]
async fn a_header_that_is_too_long_stays_a_header() {
    let lab = Lab::new("header_size_limit = 20");
    let queued = lab.bytes(b"X: 1\n 34567890123456\n 2\nY: z\n\nbody\n").await;
    assert!(queued.text.starts_with("X: 1\n 34567890123456\nY: z\n"), "{}", queued.text);
}

#[tokio::test]
async fn the_null_sender_has_no_name() {
    for (sender, from) in [("me", "From: Me Too <me@host.test>"), ("", "From: MAILER-DAEMON")] {
        let mut records = Vec::new();
        record::put(&mut records, Type::FullName, b"Me Too");
        records.extend(envelope(sender, &["you@host.test"]));
        let queued = Lab::new("").send(LOCAL, &records, &[b"To: you\n\nbody\n"]).await;
        assert!(queued.text.lines().any(|line| line == from), "{}", queued.text);
    }
}

#[tokio::test]
async fn a_header_ends_at_a_nul_and_a_body_does_not() {
    let text = b"Subject: a\0b\nX-Y: c\n d\0e\n f\nFrom: g\0h@i.j\n\nk\0l\n";
    let queued = Lab::new("").bytes(text).await;
    assert!(queued.text.starts_with("Subject: a\nX-Y: c\n d\nFrom: g@host.test\n"), "{:?}", queued.text);
    assert!(queued.text.ends_with("\n\nk\0l\n"), "{:?}", queued.text);
    let queued = Lab::new("message_strip_characters = \\0").bytes(text).await;
    assert!(queued.text.starts_with("Subject: ab\nX-Y: c\n de\n f\nFrom: gh@i.j\n"), "{:?}", queued.text);
    let both = "message_strip_characters = \\0\nmessage_reject_characters = \\0";
    assert!(refused(&Lab::new(both).bytes(text).await));
}

#[tokio::test]
async fn headers_that_describe_the_content_are_never_dropped() {
    let lab = Lab::new("message_drop_headers = content-type, mime-version, content-length, x-gone");
    let text =
        "Content-Type: a\nMIME-Version: b\nContent-Length: c\nX-Gone: d\nFrom: e@f.test\nMessage-Id: g\nDate: h\n\n";
    let queued = lab.bytes(text.as_bytes()).await;
    assert_eq!(queued.text, text.replace("Content-Length: c\nX-Gone: d\n", ""));
}

#[tokio::test]
async fn parts_are_told_apart_where_nothing_is_checked() {
    let multipart = "From: a@b.c\nMessage-Id: d\nDate: e\nContent-Type: multipart/mixed; boundary=b\n\n";
    for (part, encoding, utf8) in [
        ("Content-Transfer-Encoding: 8bit\n\n\u{e4}\n", Some("8bit"), false),
        ("Content-Disposition: x; filename=\u{e4}\n\n", None, true),
        ("Content-Type: message/rfc822\n\nSubject: \u{e4}\n\n", None, true),
        ("\nContent-Transfer-Encoding: 8bit\nSubject: \u{e4}\n--c\n-\n\n", None, false),
    ] {
        let text = format!("{multipart}--x\n-\n--b\n{part}--b--\nlast\n--\n");
        for size in [1, 7, 1000] {
            let chunks: Vec<&[u8]> = text.as_bytes().chunks(size).collect();
            let handling = Handling { autodetect: Switch::On, ..LOCAL };
            let queued = Lab::new("").send(handling, &envelope("a@b.c", &["d@e.f"]), &chunks).await;
            assert_eq!(queued.text, text);
            let found = queued.envelope.attributes.iter().find(|(name, _)| name == b"encoding");
            assert_eq!(found.map(|(_, value)| value), encoding.map(str::as_bytes), "{part}");
            assert_eq!(queued.envelope.sizes.unwrap().send_flags, if utf8 { 3 } else { 0 }, "{part}");
        }
    }
    let deep: String =
        (0..200).map(|n| format!("Content-Type: multipart/mixed; boundary=\"{n}.\"\n\n--{n}.\n")).collect();
    assert_eq!(Lab::new("").bytes(deep.as_bytes()).await.verdict, Verdict::Queued);
    assert!(refused(&Lab::new("strict_8bitmime = yes").bytes(deep.as_bytes()).await));
}
