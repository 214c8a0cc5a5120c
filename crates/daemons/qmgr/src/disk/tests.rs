//! Files in a spool of their own, looked at as the queue manager does.

use super::*;
use queue_file::record::{Type, put, put_line, put_time};
use queue_file::{Layout, Sizes, Time, log};
use std::io::Write;

const NOW: i64 = 1_900_000_000;

fn spool() -> (tempfile::TempDir, Spool) {
    let directory = tempfile::tempdir().unwrap();
    for queue in QueueName::ALL {
        std::fs::create_dir(directory.path().join(queue.as_str())).unwrap();
    }
    let spool = Spool::new(directory.path(), Layout::default());
    (directory, spool)
}

fn message() -> (Vec<u8>, usize) {
    let mut envelope = Vec::new();
    put_time(&mut envelope, Time { seconds: NOW, microseconds: 0 });
    put(&mut envelope, Type::Sender, b"a@example.org");
    put(&mut envelope, Type::Warn, b"     1900000060");
    put(&mut envelope, Type::Recipient, b"b@example.net");
    put(&mut envelope, Type::Recipient, b"c@example.net");
    put(&mut envelope, Type::Message, b"");
    let data_offset = Sizes::RECORD + envelope.len();
    let sizes = Sizes { data_size: 12, data_offset: data_offset as u64, recipient_count: 2, ..Sizes::default() };
    let mut bytes = Vec::new();
    sizes.write(&mut bytes);
    bytes.extend_from_slice(&envelope);
    put_line(&mut bytes, b"Subject: x", 2048);
    put(&mut bytes, Type::Extracted, b"");
    put(&mut bytes, Type::End, b"");
    (bytes, data_offset)
}

fn store(spool: &Spool, queue: QueueName, bytes: &[u8]) -> QueueId {
    let new = spool.create(QueueName::Incoming).unwrap();
    new.file().write_all(bytes).unwrap();
    let id = new.commit().unwrap().into_id();
    spool.rename(&id, QueueName::Incoming, queue).unwrap();
    postpone(&spool.open(queue, &id).unwrap(), NOW - 10).unwrap();
    id
}

fn rules() -> Rules {
    Rules { now: NOW, recipients: 100, busy_delay: 300, ..Rules::default() }
}

fn scan(spool: &Spool, queue: QueueName, rules: Rules) -> Vec<Admission> {
    let mut scan = spool.scan(queue);
    let mut found = Vec::new();
    loop {
        let (mut some, is_more) = admit_some(spool, queue, &mut scan, 10, rules);
        found.append(&mut some);
        if !is_more {
            return found;
        }
    }
}

fn is_in(spool: &Spool, queue: QueueName, id: &QueueId) -> bool {
    spool.metadata(queue, id).is_ok()
}

#[test]
fn an_arrival_is_parsed_from_what_cleanup_says() {
    let (_directory, spool) = spool();
    let (bytes, data_offset) = message();
    let id = store(&spool, QueueName::Incoming, &bytes);
    let arrival = Arrival {
        queue_id: id.to_string(),
        arrived: NOW,
        leading: bytes[..data_offset].to_vec().into(),
        extracted_at: data_offset as u64 + 12,
        extracted: bytes[data_offset + 12..].to_vec().into(),
    };
    let Admission::Active { message, .. } = admit_arrival(&spool, &arrival, rules()) else { panic!() };
    assert_eq!((message.recipients.len(), &message.sender[..]), (2, &b"a@example.org"[..]));
    assert!(is_in(&spool, QueueName::Active, &id));
    assert!(matches!(admit_arrival(&spool, &arrival, rules()), Admission::Passed));
}

#[test]
fn deferred_mail_is_admitted_when_it_is_due() {
    let (_directory, spool) = spool();
    let (bytes, _) = message();
    let ids: Vec<_> = (0..5).map(|_| store(&spool, QueueName::Deferred, &bytes)).collect();
    postpone(&spool.open(QueueName::Deferred, &ids[0]).unwrap(), NOW + 10).unwrap();
    log::append(&spool, QueueName::Defer, &ids[1], &log::Entry::default()).unwrap();
    assert_eq!(scan(&spool, QueueName::Deferred, rules()).len(), 4);
    assert!(is_in(&spool, QueueName::Deferred, &ids[0]) && is_in(&spool, QueueName::Active, &ids[1]));
    assert!(!is_in(&spool, QueueName::Defer, &ids[1]));
    assert_eq!(scan(&spool, QueueName::Deferred, Rules { ignore_times: true, ..rules() }).len(), 1);
}

#[test]
fn a_large_queue_is_admitted_in_portions_each_file_once() {
    let (_directory, spool) = spool();
    let (bytes, _) = message();
    let mut stored: Vec<_> = (0..57).map(|_| store(&spool, QueueName::Deferred, &bytes)).collect();
    let admitted = scan(&spool, QueueName::Deferred, rules());
    let id = |admission| if let Admission::Active { id, .. } = admission { id } else { panic!("{admission:?}") };
    let mut ids: Vec<_> = admitted.into_iter().map(id).collect();
    ids.sort();
    stored.sort();
    assert_eq!(ids, stored);
    assert!(stored.iter().all(|id| is_in(&spool, QueueName::Active, id)));
}

#[test]
fn what_is_being_delivered_is_put_off() {
    let (_directory, spool) = spool();
    let id = store(&spool, QueueName::Active, &message().0);
    let agent = spool.open(QueueName::Active, &id).unwrap();
    assert_eq!(Spool::lock_shared(&agent).unwrap(), Lock::Taken);
    assert!(matches!(scan(&spool, QueueName::Active, rules())[..], [Admission::Busy(_)]));
    assert_eq!(modified(&spool.metadata(QueueName::Deferred, &id).unwrap()), NOW + 300);
}

#[test]
fn what_is_no_message_is_put_aside_and_what_is_not_complete_is_left() {
    let (_directory, spool) = spool();
    let id = store(&spool, QueueName::Incoming, b"nonsense");
    let new = spool.create(QueueName::Incoming).unwrap();
    new.file().set_modified(UNIX_EPOCH + Duration::from_secs(u64::try_from(NOW).unwrap())).unwrap();
    assert!(matches!(scan(&spool, QueueName::Incoming, rules())[..], [Admission::Corrupt(..)]));
    assert!(is_in(&spool, QueueName::Corrupt, &id) && is_in(&spool, QueueName::Incoming, new.id()));
}

#[test]
fn what_was_never_completed_is_removed_after_days() {
    let (_directory, spool) = spool();
    let age = |seconds| {
        let new = spool.create(QueueName::Incoming).unwrap();
        let id = new.id().clone();
        new.file().set_modified(UNIX_EPOCH + Duration::from_secs(u64::try_from(NOW - seconds).unwrap())).unwrap();
        std::mem::forget(new);
        id
    };
    let (young, old) = (age(86_400), age(3 * 86_400));
    assert!(scan(&spool, QueueName::Incoming, rules()).is_empty());
    assert!(is_in(&spool, QueueName::Incoming, &young));
    assert!(!is_in(&spool, QueueName::Incoming, &old));
}

#[test]
fn recipients_come_in_portions_and_done_ones_are_known() {
    let (_directory, spool) = spool();
    let id = store(&spool, QueueName::Incoming, &message().0);
    let found = scan(&spool, QueueName::Incoming, Rules { recipients: 1, ..rules() });
    let [Admission::Active { message, .. }] = &found[..] else { panic!() };
    let (position, unread) = message.more.unwrap();
    assert_eq!((message.recipients.len(), unread), (1, 1));
    let (more, rest) = refill(&spool, &id, position, 10).unwrap();
    assert_eq!((&more[0].address[..], rest), (&b"c@example.net"[..], None));
    let offsets = [message.recipients[0].offset, more[0].offset].map(|offset| i64::try_from(offset).unwrap());
    queue_file::mark_done(&spool.open(QueueName::Active, &id).unwrap(), offsets[0]).unwrap();
    assert_eq!(still_to_do(&spool, &id, &[offsets[0], offsets[1], -1]).unwrap(), [false, true, true]);
}

#[test]
fn a_warning_is_given_once() {
    let (_directory, spool) = spool();
    let id = store(&spool, QueueName::Active, &message().0);
    let parse = |queue| Message::parse(Buffered::small(spool.open(queue, &id).unwrap()), 10).unwrap();
    let (time, offset) = parse(QueueName::Active).warn.unwrap();
    assert_eq!(time, 1_900_000_060);
    disarm_warning(&spool, &id, offset).unwrap();
    defer(&spool, &id, NOW + 60).unwrap();
    assert_eq!(parse(QueueName::Deferred).warn, Some((0, offset)));
    assert_eq!(modified(&spool.metadata(QueueName::Deferred, &id).unwrap()), NOW + 60);
}

#[test]
fn who_was_warned_hears_of_success() {
    use crate::message::Active;
    use ipc::deliver::Mode;
    let (_directory, spool) = spool();
    let (bytes, _) = message();
    store(&spool, QueueName::Deferred, &bytes);
    for expected in [Mode::Deliver, Mode::DeliverLate] {
        let admitted = scan(&spool, QueueName::Deferred, rules()).pop().unwrap();
        let Admission::Active { id, message, handling } = admitted else { panic!("{admitted:?}") };
        let (mut active, _) = Active::new(id.clone(), *message, NOW, handling);
        active.confirm_delay_cleared();
        assert_eq!(active.mode, expected);
        disarm_warning(&spool, &id, active.warn.unwrap().1).unwrap();
        defer(&spool, &id, NOW).unwrap();
    }
}

#[test]
fn a_report_is_on_the_first_attempt_only() {
    let (_directory, spool) = spool();
    let (mut bytes, _) = message();
    // In place of the second recipient.
    let place = bytes.windows(15).position(|part| part == b"R\x0dc@example.net").unwrap();
    let mut attribute = Vec::new();
    put(&mut attribute, Type::Attribute, b"trace_flags=1");
    bytes[place..place + 15].copy_from_slice(&attribute);
    let id = store(&spool, QueueName::Active, &bytes);
    let parse = |queue| Message::parse(Buffered::small(spool.open(queue, &id).unwrap()), 10).unwrap();
    let asked = parse(QueueName::Active);
    assert_eq!((asked.attributes.text("trace_flags"), asked.trace), ("1", Some(place as u64)));
    disarm_report(&spool, &id, asked.trace.unwrap()).unwrap();
    defer(&spool, &id, NOW - 1).unwrap();
    let admitted = scan(&spool, QueueName::Deferred, rules()).pop().unwrap();
    let Admission::Active { message, .. } = admitted else { panic!("{admitted:?}") };
    assert_eq!((message.attributes.text("trace_flags"), message.trace), ("", None));
    assert_eq!(message.recipients.len(), 1);
}
