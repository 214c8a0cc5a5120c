//! Makes mail of small messages, of those that come at the same time together.
//!
//! While the disk is busy with some, the next ones gather. Their writes are then begun together, before anything is waited for: what
//! the file system has to put on disk for one often serves the others too.

use crate::spares::Goes;
use offload::{Lane, Pace, Shares, divide, spread};
use queue_file::{Committed, Error, NewFile};
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// Messages that are written in one go at most. Those that come meanwhile wait for all of them.
const TOGETHER: usize = 64;

/// How many such goes there are at the same time: while one waits for the disk, the next ones are written.
const AT_ONCE: usize = 2;

/// How many there may be on a disk that takes its time, where nobody is to wait for others.
const AT_MOST: usize = 16;

static PACE: Pace = Pace::of_files();

/// How long it takes to synchronise a file. A disk that needs milliseconds for one needs little more for many at the same time;
/// where it is quick, a thread does several.
static SYNCS: Shares = Shares::of(Duration::from_millis(1));

/// A whole file, still in memory.
#[derive(Debug)]
struct Job {
    file: NewFile,
    bytes: Vec<u8>,
    told: oneshot::Sender<Result<Committed, Error>>,
}

/// What makes mail of whole files.
#[derive(Debug)]
pub(crate) struct Committer(Lane<Job>);

impl Committer {
    pub(crate) fn start(goes: Arc<Goes>) -> Self {
        let work = move |jobs| write_down(jobs, &goes);
        Self(Lane::start(&PACE, TOGETHER, at_once, work, |done| {
            for (told, result) in done {
                // A session that has ended meanwhile has its mail in the queue all the same.
                let _ = told.send(result);
            }
        }))
    }

    /// Writes all bytes of a file, and waits until they are on disk.
    ///
    /// # Errors
    /// What the system says; the file is then removed.
    pub(crate) async fn commit(&self, file: NewFile, bytes: Vec<u8>) -> Result<Committed, Error> {
        let (told, answer) = oneshot::channel();
        self.0.put(Job { file, bytes, told });
        answer.await.unwrap_or_else(|_| Err(io::Error::from(io::ErrorKind::BrokenPipe).into()))
    }
}

type Outcome = (oneshot::Sender<Result<Committed, Error>>, Result<Committed, Error>);

fn write_down(jobs: Vec<Job>, goes: &Goes) -> Vec<Outcome> {
    let (go, several) = (goes.begin(), jobs.len() > 1);
    let written: Vec<_> = jobs
        .into_iter()
        .map(|Job { mut file, bytes, told }| {
            let result = file.write_whole(&bytes);
            if several {
                // Only earlier, not instead: what goes wrong here does so again below.
                let _ = privsep::begin_write_back(file.file());
            }
            (told, result.map(|()| file).map_err(Error::from))
        })
        .collect();
    let completed: Vec<_> = written
        .into_iter()
        .map(|(told, file)| (told, file.and_then(|file| file.complete(privsep::write_back))))
        .collect();
    let parts = SYNCS.parts(completed.len(), TOGETHER);
    let done = spread(divide(completed, parts), |(told, file)| (told, file.and_then(commit)));
    if done.iter().any(|(_, result)| result.is_ok()) {
        goes.end(go);
    }
    done
}

fn at_once() -> usize {
    SYNCS.parts(AT_MOST, AT_MOST).max(AT_ONCE)
}

fn commit(file: NewFile) -> Result<Committed, Error> {
    let began = Instant::now();
    let committed = file.commit();
    SYNCS.learn(began.elapsed());
    committed
}

#[cfg(test)]
mod tests {
    use super::*;
    use queue_file::{Layout, QueueName, Spool};
    use std::os::unix::fs::PermissionsExt;

    #[tokio::test]
    async fn those_that_come_together_are_all_written_and_answered_one_by_one() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("incoming")).unwrap();
        let spool = Spool::new(root.path(), Layout::default());
        let committer = Committer::start(Arc::default());
        let files: Vec<_> = (0..3).map(|_| spool.create(QueueName::Incoming).unwrap()).collect();
        let ids: Vec<_> = files.iter().map(|file| file.id().clone()).collect();
        let [first, second, third] = <[NewFile; 3]>::try_from(files).unwrap();
        let (one, two, gone) = tokio::join!(
            committer.commit(first, b"one".to_vec()),
            committer.commit(second, b"two".to_vec()),
            async {
                let told = committer.commit(third, b"three".to_vec());
                tokio::select! { biased; _ = told => panic!("it was not waited for"), () = tokio::task::yield_now() => () }
            },
        );
        for (done, bytes) in [(one, "one"), (two, "two")] {
            let done = done.unwrap();
            let path = spool.path(QueueName::Incoming, done.id());
            assert_eq!(std::fs::read_to_string(&path).unwrap(), bytes);
            assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o700);
        }
        assert_eq!(gone, ());
        // A session that no longer waits has its mail all the same.
        assert_eq!(std::fs::read_to_string(spool.path(QueueName::Incoming, &ids[2])).unwrap(), "three");
    }
}
