//! Files as Postfix shows them.

use super::*;
use proptest::prelude::*;
use queue_file::record::{put, put_attribute, put_line, put_pointer};

fn show(parts: Parts) -> Show {
    Show {
        parts,
        with_type: false,
        with_offset: false,
        is_raw: false,
        is_verbose: false,
        start: 0,
        zone: jiff::tz::TimeZone::UTC,
    }
}

fn sample() -> Vec<u8> {
    let mut out = Vec::new();
    put(&mut out, Type::Time, b"1795257090 42");
    put_attribute(&mut out, "create_time", b"1795257090");
    put(&mut out, Type::Sender, b"a@b");
    put(&mut out, Type::Message, b"");
    for line in ["Subject: x", "\tand more", "", "body: is long"] {
        put_line(&mut out, line.as_bytes(), 8);
    }
    put(&mut out, Type::Extracted, b"");
    put(&mut out, Type::Filter, b"smtp:x");
    put(&mut out, Type::End, b"");
    out
}

fn text(show: &Show, bytes: &[u8]) -> String {
    let mut out = Vec::new();
    show.file("f", bytes, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn parts_are_shown_as_asked_for() {
    let (header, body) = ("Subject: x\n\tand more\n", "\nbody: is long\n");
    let before = "*** ENVELOPE RECORDS f ***\nmessage_arrival_time: Sat Nov 21 10:31:30 2026\n\
        create_time: Sat Nov 21 10:31:30 2026\nsender: a@b\n*** MESSAGE CONTENTS f ***\n";
    let after = "*** HEADER EXTRACTED f ***\ncontent_filter: smtp:x\n*** MESSAGE FILE END f ***\n";
    for (flags, expected) in [
        ((true, true, true), format!("{before}{header}{body}{after}")),
        ((true, false, false), format!("{before}{after}")),
        ((false, true, false), header.to_owned()),
        ((false, false, true), body.to_owned()),
        ((false, true, true), format!("{header}{body}")),
    ] {
        let parts = Parts { envelope: flags.0, header: flags.1, body: flags.2 };
        assert_eq!(text(&show(parts), &sample()), expected);
    }
}

#[test]
fn offsets_and_types_stand_before_each_line() {
    let offsets = Show { with_offset: true, ..show(Parts::ALL) };
    assert!(text(&offsets, &sample()).contains("\n        0 message_arrival_time: Sat"));
    let types = Show { with_type: true, ..show(Parts::ALL) };
    assert!(text(&types, &sample()).contains("\n 84 message_arrival_time: Sat"));
}

#[test]
fn what_is_no_queue_file_shows_nothing() {
    for bytes in [&b""[..], b"abc", b"N\0", b"X\0"] {
        assert_eq!(text(&show(Parts::ALL), bytes), "");
    }
}

#[test]
fn pointers_that_go_round_end() {
    let mut out = Vec::new();
    put(&mut out, Type::Sender, b"a");
    put_pointer(&mut out, 3);
    assert!(show(Parts::ALL).file("f", &out[..], &mut Vec::new()).is_err());
}

proptest! {
    #[test]
    fn any_bytes_are_shown_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = show(Parts::ALL).file("f", &bytes[..], &mut Vec::new());
    }
}
