//! Envelopes as Postfix writes them, whole and in portions.

use super::*;
use crate::Segments;
use crate::record::{put, put_attribute, put_time};
use proptest::prelude::*;

fn sample(recipients: usize, extracted: usize) -> (Vec<u8>, u64) {
    let mut envelope = Vec::new();
    put_time(&mut envelope, Time { seconds: 1_795_257_090, microseconds: 42 });
    put_attribute(&mut envelope, "rewrite_context", b"local");
    put(&mut envelope, Type::Sender, b"a@example.org");
    put(&mut envelope, Type::Warn, b"     1795260690");
    for number in 0..recipients {
        put_recipient(&mut envelope, number);
    }
    put(&mut envelope, Type::Message, b"");
    let data_offset = (Sizes::RECORD + envelope.len()) as u64;
    let mut content = Vec::new();
    put(&mut content, Type::Line, b"Subject: x");
    let mut bytes = Vec::new();
    let sizes = Sizes { data_size: content.len() as u64, data_offset, ..Sizes::default() };
    sizes.write(&mut bytes);
    bytes.extend_from_slice(&envelope);
    bytes.extend_from_slice(&content);
    let extracted_at = bytes.len() as u64;
    put(&mut bytes, Type::Extracted, b"");
    for number in recipients..recipients + extracted {
        put_recipient(&mut bytes, number);
    }
    put(&mut bytes, Type::Filter, b"smtp:[127.0.0.1]:10025");
    put(&mut bytes, Type::End, b"");
    (bytes, extracted_at)
}

fn put_recipient(out: &mut Vec<u8>, number: usize) {
    put_attribute(out, "dsn_orig_rcpt", format!("rfc822;u{number}@example.net").as_bytes());
    put_attribute(out, "notify_flags", b"4");
    put(out, Type::Original, format!("u{number}@example.net").as_bytes());
    put(out, if number % 7 == 6 { Type::Done } else { Type::Recipient }, format!("r{number}@example.net").as_bytes());
}

#[test]
fn the_envelope_is_read_from_both_segments() {
    let (bytes, _) = sample(2, 1);
    let message = Message::parse(&bytes[..], 100).unwrap();
    assert_eq!(message.sender, b"a@example.org");
    assert_eq!(message.arrived.as_microseconds(), 1_795_257_090_000_042);
    assert_eq!(message.attributes.text("rewrite_context"), "local");
    assert_eq!(message.filter.as_deref(), Some(&b"smtp:[127.0.0.1]:10025"[..]));
    assert_eq!(message.warn.map(|(time, _)| time), Some(1_795_260_690));
    assert_eq!(message.recipients.len(), 3);
    let last = &message.recipients[2];
    assert_eq!((&last.address[..], &last.original[..]), (&b"r2@example.net"[..], &b"u2@example.net"[..]));
    assert_eq!((&last.dsn_original[..], last.notify), (&b"rfc822;u2@example.net"[..], 4));
    assert_eq!(bytes[usize::try_from(last.offset).unwrap()], b'R');
    assert_eq!(message.more, None);
}

#[test]
fn portions_together_are_all_recipients() {
    let (bytes, _) = sample(20, 20);
    let whole = Message::parse(&bytes[..], 1000).unwrap().recipients;
    for most in 1..40 {
        let first = Message::parse(&bytes[..], most).unwrap();
        assert_eq!(first.filter.as_deref(), Some(&b"smtp:[127.0.0.1]:10025"[..]));
        assert_eq!(first.more.map_or(0, |(_, count)| count), whole.len() - first.recipients.len());
        let (mut found, mut position) = (first.recipients, first.more.map(|(position, _)| position));
        while let Some(from) = position {
            let (more, next) = Message::more_recipients(&bytes[..], from, most).unwrap();
            assert!(!more.is_empty() && more.len() <= most);
            found.extend(more);
            position = next;
        }
        assert_eq!(found, whole, "{most}");
    }
}

#[test]
fn segments_read_like_the_file() {
    let (bytes, at) = sample(3, 2);
    let whole = Message::parse(&bytes[..], 100).unwrap();
    let data = usize::try_from(whole.data_offset).unwrap();
    let segments =
        Segments { leading: &bytes[..data], extracted_at: at, extracted: &bytes[usize::try_from(at).unwrap()..] };
    assert_eq!(Message::parse(segments, 100).unwrap(), whole);
}

#[test]
fn incomplete_files_are_malformed() {
    let (bytes, _) = sample(2, 1);
    for end in 0..bytes.len() {
        assert!(Message::parse(&bytes[..end], 100).is_err(), "{end}");
    }
}

proptest! {
    #[test]
    fn the_last_attribute_of_a_name_counts(pairs in proptest::collection::vec(("[ab]{0,2}", "[x-z]{0,3}"), 0..30)) {
        let mut attributes = Attributes::default();
        for (name, value) in &pairs {
            attributes.push(name.as_bytes(), value.as_bytes());
        }
        let all = pairs.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes()));
        prop_assert!(attributes.iter().eq(all.clone()));
        for wanted in ["", "a", "b", "ab", "c"] {
            let last = all.clone().rfind(|(name, _)| *name == wanted.as_bytes());
            prop_assert_eq!(attributes.value(wanted), last.map(|(_, value)| value));
        }
    }

    #[test]
    fn damage_is_an_error_at_most(position in 0usize..400, byte: u8) {
        let (mut bytes, _) = sample(3, 3);
        if let Some(place) = bytes.get_mut(position) {
            *place = byte;
        }
        let _ = Message::parse(&bytes[..], 2);
    }
}
