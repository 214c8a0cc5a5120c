//! Messages in a spool of their own.

use super::*;
use queue_file::Layout;

fn spool() -> (tempfile::TempDir, Spool) {
    let directory = tempfile::tempdir().unwrap();
    for queue in QueueName::ALL {
        fs::create_dir(directory.path().join(queue.as_str())).unwrap();
    }
    let spool = Spool::new(directory.path(), Layout::default());
    (directory, spool)
}

fn put(spool: &Spool, queue: QueueName) -> QueueId {
    spool.create(queue).unwrap().commit().unwrap().into_id()
}

fn where_is(spool: &Spool, id: &QueueId) -> Vec<QueueName> {
    QueueName::ALL.into_iter().filter(|queue| spool.metadata(*queue, id).is_ok()).collect()
}

#[test]
fn messages_move_as_they_are_told() {
    let (_directory, spool) = spool();
    for (from, act, to) in [
        (QueueName::Deferred, Act::Hold, vec![QueueName::Hold]),
        (QueueName::Active, Act::Hold, vec![QueueName::Hold]),
        (QueueName::Hold, Act::Release, vec![QueueName::Deferred]),
        (QueueName::Hold, Act::ExpireAndRelease, vec![QueueName::Deferred]),
        (QueueName::Deferred, Act::Release, vec![QueueName::Deferred]),
        (QueueName::Hold, Act::Requeue, vec![QueueName::Maildrop]),
        (QueueName::Maildrop, Act::Hold, vec![QueueName::Maildrop]),
        (QueueName::Maildrop, Act::Delete, vec![]),
        (QueueName::Deferred, Act::Expire, vec![QueueName::Deferred]),
    ] {
        let id = put(&spool, from);
        let mut counts = Counts::default();
        one(&spool, act, act.usual_queues(), &id, &mut counts).unwrap();
        assert_eq!(where_is(&spool, &id), to, "{from} {act:?}");
    }
}

#[test]
fn expiry_is_counted_once() {
    let (_directory, spool) = spool();
    let id = put(&spool, QueueName::Deferred);
    let mut counts = Counts::default();
    for _ in 0..2 {
        one(&spool, Act::Expire, Act::Expire.usual_queues(), &id, &mut counts).unwrap();
    }
    assert_eq!(counts.expired, 1);
    let mode = spool.metadata(QueueName::Deferred, &id).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o710);
}

#[test]
fn logs_go_with_their_message() {
    let (_directory, spool) = spool();
    let id = put(&spool, QueueName::Deferred);
    queue_file::log::append(&spool, QueueName::Defer, &id, &queue_file::log::Entry::default()).unwrap();
    let mut counts = Counts::default();
    all(&spool, Act::Delete, &[QueueName::Deferred], &mut counts).unwrap();
    assert_eq!((where_is(&spool, &id), counts.deleted), (vec![], 1));
}

#[test]
fn incomplete_files_are_not_mail() {
    let (_directory, spool) = spool();
    let new = spool.create(QueueName::Incoming).unwrap();
    for act in Act::IN_ORDER {
        let mut counts = Counts::default();
        all(&spool, act, &[QueueName::Incoming], &mut counts).unwrap();
        one(&spool, act, &[QueueName::Incoming], new.id(), &mut counts).unwrap();
        assert_eq!(where_is(&spool, new.id()), [QueueName::Incoming], "{act:?}");
        assert_eq!(counts.deleted, 0);
    }
}

#[test]
fn messages_of_another_layout_are_acted_upon() {
    for (from, act, to) in [
        (QueueName::Deferred, Act::Delete, vec![]),
        (QueueName::Deferred, Act::Hold, vec![QueueName::Hold]),
        (QueueName::Deferred, Act::Requeue, vec![QueueName::Maildrop]),
        (QueueName::Deferred, Act::Expire, vec![QueueName::Deferred]),
        (QueueName::Hold, Act::Release, vec![QueueName::Deferred]),
        (QueueName::Hold, Act::Delete, vec![]),
    ] {
        let (directory, spool) = spool();
        let former = Spool::new(directory.path(), Layout::new(["hold"], 2));
        let id = put(&former, from);
        let mut counts = Counts::default();
        all(&spool, act, act.usual_queues(), &mut counts).unwrap();
        assert_eq!(where_is(&spool, &id), to, "{from} {act:?}");
        assert!(former.metadata(from, &id).is_err(), "{from} {act:?}");
    }
}

#[test]
fn logs_are_deleted_by_name_or_when_their_message_is_gone() {
    let (directory, spool) = spool();
    let id = put(&spool, QueueName::Deferred);
    let gone = QueueId::parse("AAAAA99999").unwrap();
    for (queue, id) in [(QueueName::Defer, &id), (QueueName::Bounce, &gone), (QueueName::Trace, &gone)] {
        queue_file::log::append(&spool, queue, id, &queue_file::log::Entry::default()).unwrap();
    }
    fs::write(directory.path().join("defer/AAAAA88888"), "of another layout").unwrap();
    orphans(&spool).unwrap();
    assert!(where_is(&spool, &gone).is_empty());
    assert!(!directory.path().join("defer/AAAAA88888").exists());
    assert_eq!(where_is(&spool, &id), [QueueName::Deferred, QueueName::Defer]);
    let mut counts = Counts::default();
    all(&spool, Act::Delete, &[QueueName::Defer], &mut counts).unwrap();
    assert_eq!((where_is(&spool, &id), counts.deleted), (vec![QueueName::Deferred], 0));
    assert!(Act::Delete.is_for(QueueName::Flush) && !Act::Hold.is_for(QueueName::Defer));
}

#[test]
fn a_message_is_never_put_over_another() {
    let (directory, spool) = spool();
    let id = put(&spool, QueueName::Hold);
    let copy = directory.path().join("hold/A").join(id.as_str());
    fs::create_dir(copy.parent().unwrap()).unwrap();
    fs::copy(spool.path(QueueName::Hold, &id), &copy).unwrap();
    let found = spool.scan(QueueName::Hold).map(Result::unwrap).find(|found| found.depth == 1).unwrap();
    settle(&spool, QueueName::Hold, &found).unwrap();
    assert!(copy.is_file());
}

#[test]
fn a_file_that_cannot_be_expired_does_not_stop_the_rest() {
    for (kind, expected) in [
        (io::ErrorKind::NotFound, Some(false)),
        (io::ErrorKind::PermissionDenied, Some(false)),
        (io::ErrorKind::StorageFull, None),
    ] {
        assert_eq!(marked_or_gone(Err(kind.into()), "x".into()).ok(), expected, "{kind}");
    }
}
