//! Records are written and read back; whatever else is there is an error and never more than that.

use super::*;
use proptest::prelude::*;

fn walk(bytes: &[u8], pointers: Pointers) -> Result<Vec<(u64, Type, Vec<u8>)>, Error> {
    let mut records = Records::new(bytes, 0, pointers);
    let mut found = Vec::new();
    while let Some(record) = records.next()? {
        found.push((record.offset, record.kind, record.data.to_vec()));
    }
    Ok(found)
}

#[test]
fn lengths_are_in_groups_of_seven_bits() {
    for (length, bytes) in
        [(0, &[0][..]), (127, &[127]), (128, &[0x80, 1]), (2048, &[0x80, 0x10]), (16384, &[0x80, 0x80, 1])]
    {
        let mut out = Vec::new();
        put_header(&mut out, Type::Line, length);
        assert_eq!(&out[1..], bytes);
        assert_eq!(header(&out).unwrap(), Some((b'N', length, bytes.len() + 1)));
    }
}

#[test]
fn long_lines_are_cut_at_the_limit() {
    for (line, pieces) in [
        ("", vec![(Type::Line, "")]),
        ("abc", vec![(Type::Line, "abc")]),
        ("abcd", vec![(Type::Filter, "abcd"), (Type::Line, "")]),
        ("abcdefghij", vec![(Type::Filter, "abcd"), (Type::Filter, "efgh"), (Type::Line, "ij")]),
    ] {
        let mut out = Vec::new();
        put_line(&mut out, line.as_bytes(), 4);
        let found = walk(&out, Pointers::Follow).unwrap();
        let found: Vec<_> = found.iter().map(|(_, kind, data)| (*kind, std::str::from_utf8(data).unwrap())).collect();
        assert_eq!(found, pieces);
    }
}

#[test]
fn records_are_cut_into_pieces_between_them() {
    let mut records = Vec::new();
    for length in [3, 4, 200, 1, 1, 1, 0] {
        put(&mut records, Type::Recipient, &vec![b'a'; length]);
    }
    let lengths = |records: &[u8], most| pieces(records, most).map(<[u8]>::len).collect::<Vec<_>>();
    assert_eq!(lengths(&records, 11), [11, 203, 11]);
    assert_eq!(lengths(&records, 12), [11, 203, 11]);
    assert_eq!(lengths(&records, 1), [5, 6, 203, 3, 3, 3, 2]);
    assert_eq!(lengths(&records, 1000), [records.len()]);
    assert_eq!(lengths(b"", 10), [0; 0]);
    // Cut off: passed on for the reader to refuse.
    assert_eq!(lengths(b"R\x05abc", 10), [5]);
    assert_eq!(lengths(b"R\x01aR", 10), [3, 1]);
}

#[test]
fn pointers_are_followed_or_shown() {
    let mut out = Vec::new();
    put_pointer(&mut out, 0);
    put_pointer(&mut out, 3 * POINTER + 3);
    put(&mut out, Type::Line, b"x");
    put_pointer(&mut out, 0);
    put(&mut out, Type::End, b"");
    assert_eq!(walk(&out, Pointers::Follow).unwrap(), [(54, Type::End, vec![])]);
    assert_eq!(walk(&out, Pointers::Show).unwrap().len(), 5);
}

#[test]
fn round_and_round_is_an_error() {
    for target in [0u64, 17] {
        let mut out = Vec::new();
        put_pointer(&mut out, 17);
        put_pointer(&mut out, 3);
        out.truncate(17);
        put_pointer(&mut out, if target == 0 { 34 } else { target });
        put_pointer(&mut out, 17);
        assert!(matches!(walk(&out, Pointers::Follow), Err(Error::Malformed { problem: Problem::Pointer, .. })));
    }
}

#[test]
fn damage_is_named() {
    for (bytes, problem) in [
        (&b"?\0"[..], Problem::Type(b'?')),
        (b"N\x05abc", Problem::Truncated),
        (b"N", Problem::Truncated),
        (b"N\x80", Problem::Truncated),
        (b"N\xff\xff\xff\xff\xff\xff", Problem::Length),
        (b"N\xff\xff\xff\x7f", Problem::Length),
        (b"p\x03abc", Problem::Pointer),
        (b"p\x02-1", Problem::Pointer),
    ] {
        let found = walk(bytes, Pointers::Follow);
        assert!(matches!(found, Err(Error::Malformed { problem: p, .. }) if p == problem), "{bytes:?}: {found:?}");
    }
}

proptest! {
    #[test]
    fn any_bytes_end_in_records_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = walk(&bytes, Pointers::Follow);
        let _ = walk(&bytes, Pointers::Show);
    }

    #[test]
    fn what_is_written_is_read(lines in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..5000), 0..8)) {
        let mut out = Vec::new();
        for line in &lines {
            put(&mut out, Type::Line, line);
        }
        let found = walk(&out, Pointers::Follow).unwrap();
        prop_assert_eq!(found.into_iter().map(|(_, _, data)| data).collect::<Vec<_>>(), lines);
    }
}

#[test]
fn own_mail_comes_from_here() {
    let envelope = own_envelope(crate::Time { seconds: 5, microseconds: 6 }, b"", b"a@b");
    let mut records = Records::new(&envelope[..], 0, Pointers::Follow);
    let mut found = Vec::new();
    while let Some(record) = records.next().unwrap() {
        found.push((record.kind, String::from_utf8_lossy(record.data).into_owned()));
    }
    let expected = [
        (Type::Time, "5 6"),
        (Type::Attribute, "rewrite_context=local"),
        (Type::Sender, ""),
        (Type::Attribute, "log_message_origin=local"),
        (Type::Recipient, "a@b"),
    ];
    assert_eq!(found, expected.map(|(kind, text)| (kind, text.to_owned())));
}
