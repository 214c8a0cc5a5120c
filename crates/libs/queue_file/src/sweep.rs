//! Work on every file of some queues, on more than one processor where there is enough of it.

use crate::{Error, QueueName, Scan, Spool};
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::mpsc::{self, SyncSender};
use std::sync::{Mutex, PoisonError};
use std::thread;

/// Files that one thread takes at a time.
const BATCH: usize = 128;
/// Threads of work on many files, on however few processors: most of the time is spent waiting for the disk, to read what is not in
/// memory, and where the file system tells the disk of every block that it frees.
pub const THREADS: usize = 8;

/// A file and its queue, or why the queue cannot be looked through.
pub type Found = Result<(QueueName, crate::Found), Error>;

/// Does `work` with all files, many at a time and in no particular order, and gives what comes of it to `take` in the order of the
/// queues, until that has had enough.
pub fn sweep<T: Send>(
    spool: &Spool,
    queues: &[QueueName],
    work: impl Fn(Vec<Found>) -> T + Sync,
    mut take: impl FnMut(T) -> ControlFlow<()>,
) {
    let mut source = Source { spool, queues: queues.iter(), scan: None, number: 0 };
    let Some(first) = source.next() else { return };
    let is_all = first.found.len() < BATCH;
    if take(work(first.found)).is_break() || is_all {
        return;
    }
    let source = Mutex::new(source);
    let (sender, results) = mpsc::sync_channel(THREADS);
    thread::scope(|scope| {
        for _ in 0..THREADS {
            let (source, work, sender) = (&source, &work, sender.clone());
            scope.spawn(move || labour(source, work, &sender));
        }
        drop(sender);
        in_order(results, &mut take);
    });
}

/// Works on batches until there are no more, or nobody wants the results.
fn labour<T>(source: &Mutex<Source<'_>>, work: impl Fn(Vec<Found>) -> T, results: &SyncSender<(usize, T)>) {
    loop {
        let batch = source.lock().unwrap_or_else(PoisonError::into_inner).next();
        let Some(batch) = batch else { return };
        if results.send((batch.number, work(batch.found))).is_err() {
            return;
        }
    }
}

/// What is done early waits for its turn; that is never more than a batch of each thread.
fn in_order<T>(results: mpsc::Receiver<(usize, T)>, take: &mut impl FnMut(T) -> ControlFlow<()>) {
    let (mut early, mut wanted) = (BTreeMap::new(), 1);
    for (number, result) in results {
        early.insert(number, result);
        while let Some(result) = early.remove(&wanted) {
            wanted += 1;
            if take(result).is_break() {
                return;
            }
        }
    }
}

/// Files that are worked on together.
struct Batch {
    number: usize,
    found: Vec<Found>,
}

/// The files of all queues, one batch after the other.
struct Source<'a> {
    spool: &'a Spool,
    queues: std::slice::Iter<'a, QueueName>,
    scan: Option<(QueueName, Scan)>,
    number: usize,
}

impl Source<'_> {
    fn next(&mut self) -> Option<Batch> {
        let mut found = Vec::with_capacity(BATCH);
        while found.len() < BATCH {
            let Some((queue, scan)) = &mut self.scan else {
                let Some(queue) = self.queues.next() else { break };
                self.scan = Some((*queue, self.spool.scan(*queue)));
                continue;
            };
            match scan.next() {
                Some(next) => found.push(next.map(|next| (*queue, next))),
                None => self.scan = None,
            }
        }
        let number = self.number;
        self.number += 1;
        (!found.is_empty()).then_some(Batch { number, found })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Layout;
    use std::collections::BTreeSet;
    use std::fs;

    fn spool(count: usize) -> (tempfile::TempDir, Spool) {
        let directory = tempfile::tempdir().unwrap();
        for index in 0..count {
            let queue = if index % 3 == 0 { "hold" } else { "deferred" };
            let name = format!("{index:05X}1");
            let folder = directory.path().join(queue).join(if queue == "hold" { "" } else { &name[4..5] });
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join(name), "").unwrap();
        }
        let spool = Spool::new(directory.path(), Layout::default());
        (directory, spool)
    }

    #[test]
    fn every_file_is_seen_once_and_in_the_order_of_queues() {
        for count in [0, 5, BATCH, 10 * BATCH + 1] {
            let (_directory, spool) = spool(count);
            let mut seen = Vec::new();
            sweep(
                &spool,
                &[QueueName::Deferred, QueueName::Hold],
                |batch| batch,
                |batch| {
                    seen.extend(batch.into_iter().map(Result::unwrap));
                    ControlFlow::Continue(())
                },
            );
            assert!(seen.is_sorted_by_key(|(queue, _)| *queue == QueueName::Hold));
            let ids: BTreeSet<_> = seen.iter().map(|(_, found)| found.id.to_string()).collect();
            assert_eq!((seen.len(), ids.len()), (count, count));
        }
    }

    #[test]
    fn whoever_has_enough_is_given_no_more() {
        let (_directory, spool) = spool(20 * BATCH);
        let mut batches = 0;
        sweep(
            &spool,
            &[QueueName::Deferred],
            |_| (),
            |()| {
                batches += 1;
                if batches == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            },
        );
        assert_eq!(batches, 3);
    }
}
