//! Files come to be, move, and carry marks.

use super::*;
use crate::{Buffered, Message, Sizes, Time, log, record};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

fn spool() -> (tempfile::TempDir, Spool) {
    let directory = tempfile::tempdir().unwrap();
    for queue in QueueName::ALL {
        fs::create_dir(directory.path().join(queue.as_str())).unwrap();
    }
    let spool = Spool::new(directory.path(), Layout::default());
    (directory, spool)
}

pub(super) fn message() -> Vec<u8> {
    let mut envelope = Vec::new();
    record::put_time(&mut envelope, Time { seconds: 1_795_257_090, microseconds: 42 });
    record::put(&mut envelope, Type::Sender, b"a@example.org");
    record::put(&mut envelope, Type::Recipient, b"b@example.net");
    record::put(&mut envelope, Type::Message, b"");
    let data_offset = (Sizes::RECORD + envelope.len()) as u64;
    let mut bytes = Vec::new();
    Sizes { data_size: 12, data_offset, recipient_count: 1, content_size: 12, ..Sizes::default() }.write(&mut bytes);
    bytes.extend_from_slice(&envelope);
    record::put_line(&mut bytes, b"Subject: x", 2048);
    record::put(&mut bytes, Type::Extracted, b"");
    record::put(&mut bytes, Type::End, b"");
    bytes
}

#[test]
fn paths_follow_the_layout() {
    let spool = Spool::new("", Layout::new(["deferred", "nonsense"], 2));
    let id = QueueId::parse("3CCE398E1B0").unwrap();
    assert_eq!(spool.path(QueueName::Active, &id).to_str(), Some("active/3CCE398E1B0"));
    assert_eq!(spool.path(QueueName::Deferred, &id).to_str(), Some("deferred/3/C/3CCE398E1B0"));
    assert_eq!(spool.path(QueueName::Deferred, &QueueId::parse("3").unwrap()).to_str(), Some("deferred/3/_/3"));
    let long = QueueId::long(1_795_257_090, 0xF_00, 5);
    assert_eq!(spool.path(QueueName::Deferred, &long).to_str().unwrap(), format!("deferred/0/0/{long}"));
}

#[test]
fn a_removed_file_never_becomes_mail() {
    let (_directory, spool) = spool();
    let new = spool.create(QueueName::Incoming).unwrap();
    new.file().write_all(&message()).unwrap();
    spool.remove(QueueName::Incoming, new.id()).unwrap();
    assert!(new.commit().unwrap_err().is_gone());
}

#[test]
fn a_file_is_mail_only_after_commit() {
    let (_directory, spool) = spool();
    for long in [false, true] {
        let spool = Spool { layout: spool.layout.with_long_ids(long), ..spool.clone() };
        let new = spool.create(QueueName::Incoming).unwrap();
        let id = new.id().clone();
        assert_eq!(id.is_long(), long);
        let data = spool.metadata(QueueName::Incoming, &id).unwrap();
        assert_eq!((data.permissions().mode() & 0o777, Some(data.ino())), (0o600, id.inode()));
        new.file().write_all(&message()).unwrap();
        assert_eq!(new.commit().unwrap().id(), &id);
        let data = spool.metadata(QueueName::Incoming, &id).unwrap();
        assert_eq!(data.permissions().mode() & 0o777, 0o700);
        assert_eq!(
            spool.scan(QueueName::Incoming).map(|found| found.unwrap().id).collect::<Vec<_>>(),
            std::slice::from_ref(&id)
        );
        spool.rename(&id, QueueName::Incoming, QueueName::Deferred).unwrap();
        assert_eq!(
            spool.scan(QueueName::Deferred).map(|found| found.unwrap().id).collect::<Vec<_>>(),
            std::slice::from_ref(&id)
        );
        assert!(spool.rename(&id, QueueName::Incoming, QueueName::Deferred).unwrap_err().is_gone());
        spool.remove(QueueName::Deferred, &id).unwrap();
    }
}

#[test]
fn what_is_dropped_uncommitted_is_gone() {
    let (_directory, spool) = spool();
    drop(spool.create(QueueName::Incoming).unwrap());
    assert_eq!(spool.scan(QueueName::Incoming).count(), 0);
}

#[test]
fn a_new_file_may_go_to_hold() {
    let (_directory, spool) = spool();
    let mut new = spool.create(QueueName::Incoming).unwrap();
    new.move_to(&spool, QueueName::Hold).unwrap();
    new.commit().unwrap();
    assert_eq!((spool.scan(QueueName::Incoming).count(), spool.scan(QueueName::Hold).count()), (0, 1));
}

#[test]
fn recipients_are_marked_done_once() {
    let (_directory, spool) = spool();
    let new = spool.create(QueueName::Incoming).unwrap();
    new.file().write_all(&message()).unwrap();
    let id = new.commit().unwrap().into_id();
    let file = spool.open(QueueName::Incoming, &id).unwrap();
    let parsed = Message::parse(Buffered::small(&file), 10).unwrap();
    let offset = i64::try_from(parsed.recipients[0].offset).unwrap();
    mark_done(&file, -1).unwrap();
    mark_done(&file, offset).unwrap();
    mark_done(&file, offset).unwrap();
    assert!(mark_done(&file, offset + 1).is_err());
    assert_eq!(Message::parse(Buffered::small(&file), 10).unwrap().recipients, []);
}

#[test]
fn locks_exclude_each_other() {
    let (_directory, spool) = spool();
    let id = spool.create(QueueName::Incoming).unwrap().commit().unwrap().into_id();
    let open = || spool.open(QueueName::Incoming, &id).unwrap();
    let (one, two, three) = (open(), open(), open());
    assert_eq!(Spool::lock_shared(&one).unwrap(), Lock::Taken);
    assert_eq!(Spool::lock_shared(&two).unwrap(), Lock::Taken);
    assert_eq!(Spool::lock_exclusive(&three).unwrap(), Lock::Busy);
    drop((one, two));
    assert_eq!(Spool::lock_exclusive(&three).unwrap(), Lock::Taken);
}

#[test]
fn logs_are_appended_and_read() {
    let (_directory, spool) = spool();
    let id = QueueId::parse("3CCE398E1B0").unwrap();
    let entry = log::Entry {
        recipient: b"b@example.net".to_vec(),
        offset: 286,
        status: "4.2.0".into(),
        action: "delayed".into(),
        reason: "said: 450 4.2.0 Never\n(x)".into(),
        ..log::Entry::default()
    };
    log::append(&spool, QueueName::Defer, &id, &entry).unwrap();
    log::append(&spool, QueueName::Defer, &id, &entry).unwrap();
    let found: Vec<_> = log::read(&spool, QueueName::Defer, &id).unwrap().collect::<Result<_, _>>().unwrap();
    assert_eq!(found.len(), 2);
    assert_eq!(found[1], log::Entry { reason: "said: 450 4.2.0 Never (x)".into(), ..entry });
    spool.remove(QueueName::Defer, &id).unwrap();
    assert!(log::read(&spool, QueueName::Defer, &id).is_err_and(|error| error.is_gone()));
}

/// Runs one of Postfix's own tools on a spool of ours.
fn postfix(program: &str, arguments: &[&str]) -> Option<String> {
    let output = std::process::Command::new(format!("/usr/sbin/{program}")).args(arguments).output().ok()?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// A spool that Postfix's tools may enter as the owner of the queue, with a configuration for them; nothing where
/// there are no such tools, or where this is not root.
fn spool_for_postfix() -> Option<(tempfile::TempDir, Spool, u32)> {
    let owner = fs::metadata("/var/spool/postfix/active").ok()?.uid();
    let (directory, spool) = spool();
    if fs::metadata(directory.path()).ok()?.uid() != 0 {
        return None;
    }
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let root = directory.path().display();
    fs::create_dir(directory.path().join("etc")).unwrap();
    let text = format!("queue_directory = {root}\nenable_long_queue_ids = yes\n");
    fs::write(directory.path().join("etc/main.cf"), text).unwrap();
    for queue in QueueName::ALL {
        std::os::unix::fs::chown(spool.directory(queue), Some(owner), None).unwrap();
    }
    Some((directory, spool, owner))
}

#[test]
fn postsuper_finds_our_files_where_they_belong() {
    let Some((directory, spool, owner)) = spool_for_postfix() else {
        return eprintln!("no postsuper here: skipped");
    };
    let mut ids = Vec::new();
    for long in [false, true] {
        let spool = Spool { layout: spool.layout.with_long_ids(long), ..spool.clone() };
        let new = spool.create(QueueName::Incoming).unwrap();
        new.file().write_all(&message()).unwrap();
        let id = new.commit().unwrap().into_id();
        spool.rename(&id, QueueName::Incoming, QueueName::Deferred).unwrap();
        let path = spool.path(QueueName::Deferred, &id);
        for path in [path.parent().unwrap(), &path] {
            std::os::unix::fs::chown(path, Some(owner), None).unwrap();
        }
        ids.push(id);
    }
    let etc = directory.path().join("etc").display().to_string();
    if postfix("postsuper", &["-c", &etc, "-S"]).is_none() {
        return eprintln!("no postsuper here: skipped");
    }
    let mut found: Vec<_> = spool.scan(QueueName::Deferred).map(|found| found.unwrap().id).collect();
    found.sort();
    ids.sort();
    assert_eq!(found, ids);
}

#[test]
fn postcat_reads_what_we_write() {
    let (_directory, spool) = spool();
    let new = spool.create(QueueName::Incoming).unwrap();
    new.file().write_all(&message()).unwrap();
    let id = new.commit().unwrap().into_id();
    let path = spool.path(QueueName::Incoming, &id);
    match postfix("postcat", &[path.to_str().unwrap()]) {
        None => eprintln!("no postcat here: skipped"),
        Some(text) => {
            for line in ["sender: a@example.org", "recipient: b@example.net", "Subject: x", "*** MESSAGE FILE END"] {
                assert!(text.contains(line), "{text}");
            }
        }
    }
}

#[test]
fn a_directory_that_another_makes_meanwhile_is_used() {
    let root = tempfile::tempdir().unwrap();
    let directory = root.path().join("defer/F");
    let calls = std::cell::Cell::new(0);
    let found = with_directories(&directory.join("F1"), || {
        calls.set(calls.get() + 1);
        if calls.get() == 1 {
            fs::create_dir_all(&directory)?;
            return Err(io::ErrorKind::NotFound.into());
        }
        Ok("found")
    });
    assert_eq!(found.unwrap(), "found");
}

#[test]
fn what_is_missing_with_all_its_directories_there_is_missing() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("F1");
    assert_eq!(with_directories(&path, || fs::read(&path)).unwrap_err().kind(), io::ErrorKind::NotFound);
}

#[test]
fn a_file_that_cannot_be_looked_for_may_be_there() {
    let (directory, spool) = spool();
    let new = spool.create(QueueName::Incoming).unwrap();
    let id = new.id().clone();
    assert!(spool.has(QueueName::Incoming, &id).unwrap());
    drop(new);
    assert!(!spool.has(QueueName::Incoming, &id).unwrap());
    let incoming = directory.path().join("incoming");
    fs::remove_dir_all(&incoming).unwrap();
    fs::write(&incoming, "no directory").unwrap();
    assert!(spool.has(QueueName::Incoming, &id).is_err());
}
