//! Mailboxes written, locked and refused.

use super::*;
use crate::content::content_of;
use crate::content::tests::file;
use crate::copy::Layout;
use queue_file::record::Type::{self, Extracted, Filter, Line};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

const MESSAGE: &[(Type, &[u8])] = &[(Line, b"Subject: x"), (Line, b""), (Line, b"body"), (Extracted, b"")];

fn locking(kinds: &[LockKind]) -> Locking {
    Locking { kinds: kinds.to_vec(), attempts: 1, delay: Duration::ZERO, stale: Duration::from_secs(500) }
}

fn append(path: &Path, locking: &Locking, limit: u64) -> Result<(), Error> {
    append_with(path, locking, limit, None)
}

fn append_with(path: &Path, locking: &Locking, limit: u64, kept: Option<&Path>) -> Result<(), Error> {
    let (_directory, file) = file(MESSAGE);
    let failure = Status::permanent(2, 0);
    let destination = Destination { path, owner: None, locking, dotlock: Dotlock::Required, kept, limit, failure };
    deliver_mbox(&destination, &mut content_of(&file, 0), &Layout::mbox(b"From x\n".to_vec()), |_| Ok(()))
}

fn status_of(result: Result<(), Error>) -> Option<String> {
    match result {
        Ok(()) => None,
        Err(Error::Mailbox { status, .. }) => Some(status.to_string()),
        Err(Error::Message(error)) => panic!("{error}"),
    }
}

#[test]
fn an_mbox_is_made_and_appended_to() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("box");
    let all = locking(&[LockKind::Fcntl, LockKind::Flock, LockKind::Dotlock]);
    append(&path, &all, 0).unwrap();
    append(&path, &all, 0).unwrap();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "From x\nSubject: x\n\nbody\n\n".repeat(2));
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1, "the lock file is gone");
}

#[test]
fn a_mailbox_has_room_for_the_largest_message() {
    let said = |limit, message| check_limit("x_limit", limit, message).map_err(|error| error.to_string());
    for (limit, message) in [(0, 0), (0, 5), (5, 5), (6, 5)] {
        assert_eq!(said(limit, message), Ok(()));
    }
    let smaller = "configuration error: x_limit is smaller than message_size_limit";
    assert_eq!(said(5, 6).unwrap_err(), smaller);
    let limited = "configuration error: x_limit is limited but message_size_limit is unlimited";
    assert_eq!(said(5, 0).unwrap_err(), limited);
}

#[test]
fn a_full_mbox_stays_as_it_was() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("box");
    std::fs::write(&path, "old").unwrap();
    let error = append(&path, &locking(&[]), 10).unwrap_err();
    assert_eq!(error.to_string(), "error writing message: File too large");
    assert_eq!(status_of(Err(error)).as_deref(), Some("5.2.2"));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "old");
}

#[test]
fn a_locked_mbox_is_tried_again_later() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("box");
    let held = std::fs::File::create(&path).unwrap();
    held.lock().unwrap();
    assert_eq!(status_of(append(&path, &locking(&[LockKind::Flock]), 0)).as_deref(), Some("4.2.0"));
    drop(held);
    std::fs::write(directory.path().join("box.lock"), "").unwrap();
    assert_eq!(status_of(append(&path, &locking(&[LockKind::Dotlock]), 0)).as_deref(), Some("4.2.0"));
    let stale = Locking { stale: Duration::ZERO, attempts: 2, ..locking(&[LockKind::Dotlock]) };
    // A lock of this very second is not stale yet, one of the last second is.
    let _ = append(&path, &stale, 0);
}

#[test]
fn links_and_missing_directories_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let (path, link) = (directory.path().join("box"), directory.path().join("link"));
    std::fs::write(&path, "").unwrap();
    std::fs::hard_link(&path, &link).unwrap();
    assert_eq!(append(&link, &locking(&[]), 0).unwrap_err().to_string(), "file has 2 hard links");
    let missing = Path::new("/nonexistent/box");
    assert_eq!(
        append(missing, &locking(&[LockKind::Dotlock]), 0).unwrap_err().to_string(),
        "unable to create lock file /nonexistent/box.lock: No such file or directory"
    );
    assert_eq!(status_of(append(missing, &locking(&[]), 0)).as_deref(), Some("5.2.0"));
}

#[test]
fn only_a_lock_that_somebody_has_is_waited_for() {
    let patient = Locking { attempts: 3, delay: Duration::from_secs(30), ..locking(&[LockKind::Dotlock]) };
    let began = std::time::Instant::now();
    // Nobody can make files there, whoever he is.
    let error = append(Path::new("/proc/self/box"), &patient, 0).unwrap_err();
    assert!(error.to_string().starts_with("unable to create lock file /proc/self/box.lock: "), "{error}");
    assert!(began.elapsed() < Duration::from_secs(25));
}

#[test]
fn what_is_no_file_is_written_to_without_locks() {
    let held = std::fs::File::open("/dev/null").unwrap();
    held.lock().unwrap();
    // A lock file that cannot be made: its name is too long.
    let path = format!("/{}dev/null", "./".repeat(2042));
    append(Path::new(&path), &locking(&[LockKind::Flock, LockKind::Dotlock]), 0).unwrap();
    held.unlock().unwrap();
    let directory = append(Path::new("/proc/self/fd"), &locking(&[LockKind::Dotlock]), 0).unwrap_err();
    assert_eq!(directory.to_string(), "cannot open file: Is a directory");
}

#[test]
fn an_unknown_lock_is_named_with_its_parameter() {
    let source = config::Source::parse(Path::new("/etc/postfix"), "").unwrap();
    let names = ["fcntl", "nonsense"].map(str::to_owned);
    let error = Locking::new(("x_lock", &names), &source.get().unwrap(), Duration::ZERO).unwrap_err();
    assert_eq!(error.to_string(), "unknown x_lock value \"nonsense\" in \"fcntl, nonsense\"");
}

#[test]
fn a_maildir_is_made_and_gets_whole_messages() {
    let directory = tempfile::tempdir().unwrap();
    let maildir = directory.path().join("Maildir");
    let (_kept, file) = file(MESSAGE);
    let naming = Naming {
        host: "h",
        now: UNIX_EPOCH + Duration::from_micros(5_000_042),
        limit: 0,
        failure: Status::temporary(2, 0),
        queue: 0,
    };
    deliver_maildir(&maildir, naming, &mut content_of(&file, 0), &Layout::plain(b"Return-Path: <>\n".to_vec()))
        .unwrap();
    assert_eq!(std::fs::read_dir(maildir.join("tmp")).unwrap().count(), 0);
    assert!(maildir.join("cur").is_dir());
    let (mail,) = (std::fs::read_dir(maildir.join("new")).unwrap().next().unwrap().unwrap(),);
    let name = mail.file_name().into_string().unwrap();
    assert!(name.starts_with("5.V") && name.ends_with("M42.h"), "{name}");
    assert_eq!(std::fs::read_to_string(mail.path()).unwrap(), "Return-Path: <>\nSubject: x\n\nbody\n");
}

#[test]
fn a_message_that_is_corrupt_leaves_no_trace() {
    let directory = tempfile::tempdir().unwrap();
    let (_kept, file) = file(&[(Filter, b"half")]);
    let naming = Naming { host: "h", now: UNIX_EPOCH, limit: 0, failure: Status::temporary(2, 0), queue: 0 };
    let result = deliver_maildir(directory.path(), naming, &mut content_of(&file, 0), &Layout::plain(Vec::new()));
    assert!(matches!(result, Err(Error::Message(_))));
    assert_eq!(std::fs::read_dir(directory.path().join("new")).unwrap().count(), 0);
    assert_eq!(std::fs::read_dir(directory.path().join("tmp")).unwrap().count(), 0);
}

/// Returns when a thread of this process waits for a file to change.
fn somebody_waits() -> bool {
    let waits = || {
        let mut open = std::fs::read_dir("/proc/self/fd").unwrap().flatten();
        open.any(|fd| std::fs::read_link(fd.path()).is_ok_and(|is| is.as_os_str() == "anon_inode:inotify"))
    };
    (0..1_000_000).any(|_| {
        std::thread::yield_now();
        waits()
    })
}

fn taken_when_let_go(kind: LockKind, mailbox: &Path, kept: Option<&Path>, let_go: impl FnOnce()) {
    let patient = Locking { attempts: 3, delay: Duration::from_secs(30), ..locking(&[kind]) };
    std::thread::scope(|scope| {
        let began = std::time::Instant::now();
        let waiting = scope.spawn(|| append_with(mailbox, &patient, 0, kept));
        assert!(somebody_waits());
        let_go();
        waiting.join().unwrap().unwrap();
        assert!(began.elapsed() < Duration::from_secs(25), "{kind:?}: it slept");
    });
}

#[test]
fn a_mailbox_is_taken_as_soon_as_it_is_let_go() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("box");
    let lock = directory.path().join("box.lock");
    std::fs::write(&lock, "").unwrap();
    taken_when_let_go(LockKind::Dotlock, &path, None, || std::fs::remove_file(&lock).unwrap());
    let own = std::fs::metadata(directory.path()).unwrap();
    let kept = Kept::new(directory.path().to_owned()).of(own.uid(), own.dev()).unwrap();
    std::fs::hard_link(&kept, &lock).unwrap();
    taken_when_let_go(LockKind::Dotlock, &path, Some(&kept), || std::fs::remove_file(&lock).unwrap());
    let held = std::fs::File::create(&path).unwrap();
    held.lock().unwrap();
    taken_when_let_go(LockKind::Flock, &path, None, || {
        held.unlock().unwrap();
        drop(held);
    });
}

#[test]
fn locks_that_are_links_leave_one_file_and_age() {
    let directory = tempfile::tempdir().unwrap();
    let (path, lock) = (directory.path().join("box"), directory.path().join("box.lock"));
    let own = std::fs::metadata(directory.path()).unwrap();
    let files = Kept::new(directory.path().to_owned());
    assert_eq!(files.of(own.uid(), own.dev() + 1), None, "no links between file systems");
    let kept = files.of(own.uid(), own.dev()).unwrap();
    let old = std::time::SystemTime::now() - Duration::from_secs(3600);
    let age =
        |time| std::fs::File::open(&kept).unwrap().set_times(std::fs::FileTimes::new().set_modified(time)).unwrap();
    let is_old = || std::fs::metadata(&kept).unwrap().modified().unwrap() == old;
    let locking = locking(&[LockKind::Dotlock]);
    age(old);
    append_with(&path, &locking, 0, Some(&kept)).unwrap();
    assert!(!is_old(), "a lock that is taken is new");
    assert!(!lock.exists() && kept.exists());
    age(old);
    std::fs::hard_link(&kept, &lock).unwrap();
    assert_eq!(status_of(append_with(&path, &locking, 0, Some(&kept))).as_deref(), Some("4.2.0"));
    assert!(is_old(), "a lock that was left behind grows stale");
    std::fs::remove_file(&lock).unwrap();
    // Without the file there are locks as ever.
    std::fs::remove_file(&kept).unwrap();
    append_with(&path, &locking, 0, Some(&kept)).unwrap();
    assert!(!lock.exists() && !kept.exists());
}

#[test]
fn a_message_that_is_not_on_disk_is_taken_back_unless_another_follows() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("box");
    let locking = locking(&[LockKind::Fcntl, LockKind::Dotlock]);
    let destination = Destination {
        path: &path,
        owner: None,
        locking: &locking,
        dotlock: Dotlock::Required,
        kept: None,
        limit: 0,
        failure: Status::permanent(2, 0),
    };
    std::fs::write(&path, "old new").unwrap();
    let file = std::fs::OpenOptions::new().append(true).open(&path).unwrap();
    destination.take_back(&file, 2, 3);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "old new");
    destination.take_back(&file, 4, 7);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "old ");
    assert!(!directory.path().join("box.lock").exists());
}

#[test]
fn mail_waits_for_a_disk_or_system_in_trouble_and_comes_back_where_the_mailbox_is_wrong() {
    let other = Status::permanent(2, 0);
    for (errno, expected) in [
        (Errno::EIO, "4.3.0"),
        (Errno::EROFS, "4.3.0"),
        (Errno::ENOMEM, "4.3.0"),
        (Errno::EMFILE, "4.3.0"),
        (Errno::ETIMEDOUT, "4.3.0"),
        (Errno::ENOSPC, "4.3.0"),
        (Errno::ESTALE, "4.2.0"),
        (Errno::EDQUOT, "5.2.2"),
        (Errno::EACCES, "5.2.0"),
        (Errno::EISDIR, "5.2.0"),
        (Errno::ENXIO, "5.2.0"),
    ] {
        assert_eq!(status(errno, other).to_string(), expected, "{errno}");
    }
}
