//! Envelopes with more and more recipients, larger bodies, longer queues.
#![expect(clippy::expect_used, reason = "a benchmark that cannot make its files has nothing to say")]

use std::fs::{self, Permissions};
use std::ops::ControlFlow;
use std::os::unix::fs::PermissionsExt;

use queue_file::record::{self, Type};
use queue_file::{Buffered, Content, Layout, Message, QueueId, QueueName, Sizes, Spool, Time, listing};
use testkit::growth::curve;

const SIZES: [usize; 3] = [1000, 10_000, 100_000];

fn message(recipients: usize, lines: usize) -> Vec<u8> {
    let mut out = Vec::new();
    Sizes::default().write(&mut out);
    record::put_time(&mut out, Time { seconds: 1, microseconds: 0 });
    record::put(&mut out, Type::Sender, b"sender@example.com");
    for number in 0..recipients {
        record::put_attribute(&mut out, "dsn_orig_rcpt", b"rfc822;user@example.com");
        record::put(&mut out, Type::Original, b"user@example.com");
        record::put(&mut out, Type::Recipient, format!("user{number}@example.com").as_bytes());
    }
    record::put(&mut out, Type::Message, b"");
    let data_offset = out.len() as u64;
    for _ in 0..lines {
        record::put_line(&mut out, b"a line of text as it comes in a message", 2048);
    }
    let data_size = out.len() as u64 - data_offset;
    record::put(&mut out, Type::Extracted, b"");
    record::put(&mut out, Type::End, b"");
    let mut sizes = Vec::new();
    Sizes { data_size, data_offset, ..Sizes::default() }.write(&mut sizes);
    out.splice(..sizes.len(), sizes);
    out
}

fn file(bytes: &[u8]) -> fs::File {
    use std::io::Write;
    let mut file = tempfile::tempfile().expect("temporary file");
    file.write_all(bytes).expect("write");
    file
}

/// Reads all recipients as qmgr does, so many at a time.
fn all_recipients(file: &fs::File) -> usize {
    let first = Message::parse(Buffered::small(file), 1000).expect("queue file");
    let (mut count, mut more) = (first.recipients.len(), first.more.map(|(position, _)| position));
    while let Some(position) = more {
        let (found, rest) = Message::more_recipients(Buffered::small(file), position, 1000).expect("queue file");
        count += found.len();
        more = rest;
    }
    count
}

fn queue(files: usize) -> (tempfile::TempDir, Spool) {
    let folder = tempfile::tempdir().expect("temporary folder");
    let spool = Spool::new(folder.path(), Layout::new(["deferred"], 1));
    let bytes = message(1, 1);
    for number in 0..files {
        let id = QueueId::short(u32::try_from(number).unwrap_or(0), 1);
        let path = spool.path(QueueName::Deferred, &id);
        fs::create_dir_all(path.parent().expect("parent")).expect("folder");
        fs::write(&path, &bytes).expect("queue file");
        fs::set_permissions(&path, Permissions::from_mode(0o700)).expect("mode");
    }
    (folder, spool)
}

fn listed(spool: &Spool) -> usize {
    let mut count = 0;
    let take = |found| {
        count += found;
        ControlFlow::Continue(())
    };
    listing::messages(spool, |batch| batch.len(), take);
    count
}

fn main() {
    curve("queue_file: N recipients written", &SIZES, |size| size, |size| message(*size, 1));
    curve(
        "queue_file: the same parsed",
        &SIZES,
        |size| message(size, 1),
        |bytes| Message::parse(&bytes[..], usize::MAX).is_ok(),
    );
    let recipients = |size| file(&message(size, 1));
    curve("queue_file: the same from a file, 1000 at once", &SIZES, recipients, all_recipients);
    curve(
        "queue_file: N lines read",
        &SIZES,
        |size| message(1, size),
        |bytes| {
            let offset = Message::parse(&bytes[..], 1).expect("queue file").data_offset;
            let (mut content, mut out) = (Content::new(&bytes[..], offset), Vec::new());
            while content.append_to(&mut out, b"\r\n", 65_536).expect("content") {}
            out
        },
    );
    curve("queue_file: queue of N files listed", &[100, 1000, 10_000], queue, |(_folder, spool)| listed(spool));
}
