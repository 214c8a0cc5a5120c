//! Work on the disk, many pieces in one go. What is asked for a message is done in the order in which it was asked for.

use crate::engine::Event;
use crate::schedule::MessageNumber;
use nix::sys::resource::{UsageWho, getrusage};
use offload::{Pace, Shares, spread};
use queue_file::Spool;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// What is done in one go at most.
const BATCH: usize = 128;
/// One thread more is to have this much work: it also gets into the way of the others, where they rename. Work that comes
/// faster than it is done gathers, and then is worth more threads.
const SHARE: Duration = Duration::from_millis(2);

static PACE: Pace = Pace::of_files();

type Job = Box<dyn FnOnce(&Spool) -> Event + Send>;

/// A queue of work on the disk. The result of each piece comes as an event.
#[derive(Debug)]
pub(crate) struct Lane(offload::Lane<(MessageNumber, Job)>);

impl Lane {
    /// Starts the task that has the work done, on so many threads at most; on one, everything is done in the order in which it was
    /// asked for.
    pub(crate) fn start(spool: Arc<Spool>, events: mpsc::UnboundedSender<Event>, threads: usize) -> Self {
        // By how long a piece waits for the disk.
        let shares = Arc::new(Shares::of(SHARE));
        let work = move |batch: Vec<(MessageNumber, Job)>| {
            let count = shares.parts(batch.len(), threads);
            let parts = parts(batch, count);
            let own = parts.first().map_or(0, Vec::len);
            let (began, before) = (Instant::now(), waits());
            // In the end this thread waits for each of the others.
            let others = parts.len().saturating_sub(1);
            let spool = Arc::clone(&spool);
            let done = spread(parts, move |job: Job| job(&spool));
            let waits = usize::try_from(waits() - before).unwrap_or(0).saturating_sub(others);
            shares.learn(waited(began.elapsed(), own, waits));
            done
        };
        Self(offload::Lane::start(
            &PACE,
            BATCH,
            || 1,
            work,
            move |done| {
                for event in done {
                    let _ = events.send(event);
                }
            },
        ))
    }

    /// Asks for a piece of work.
    pub(crate) fn put(&self, job: impl FnOnce(&Spool) -> Event + Send + 'static) {
        self.put_for(0, job);
    }

    /// Asks for a piece of work about a message.
    pub(crate) fn put_for(&self, number: MessageNumber, job: impl FnOnce(&Spool) -> Event + Send + 'static) {
        self.0.put((number, Box::new(job)));
    }
}

/// How long each of so many pieces has waited, if they took so long together and this thread had to wait so many times. Work that
/// only had to share the processors with others has not waited: more threads would not make it quicker.
fn waited(took: Duration, pieces: usize, waits: usize) -> Duration {
    let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    let pieces = number(pieces).max(1);
    took / pieces * number(waits).min(pieces) / pieces
}

/// How many times this thread has waited for something so far.
fn waits() -> i64 {
    getrusage(UsageWho::RUSAGE_THREAD).map_or(0, |usage| usage.voluntary_context_switches())
}

/// Work in so many parts; that of one message is in one part.
fn parts(batch: Vec<(MessageNumber, Job)>, count: usize) -> Vec<Vec<Job>> {
    let mut parts: Vec<Vec<Job>> = (0..count).map(|_| Vec::new()).collect();
    for (number, job) in batch {
        let place = usize::try_from(number % count as u64).unwrap_or(0);
        if let Some(part) = parts.get_mut(place) {
            part.push(job);
        }
    }
    parts.retain(|part| !part.is_empty());
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_that_only_shares_the_processors_has_not_waited() {
        let took = Duration::from_millis(100);
        assert_eq!(waited(took, 10, 0), Duration::ZERO);
        assert_eq!(waited(took, 10, 1), Duration::from_millis(1));
        assert_eq!(waited(took, 10, 10), Duration::from_millis(10));
        assert_eq!(waited(took, 10, 50), Duration::from_millis(10));
        assert_eq!(waited(took, 0, 1), took);
    }

    #[test]
    fn no_thread_is_without_work() {
        let split = |numbers: &[u64], count| -> Vec<usize> {
            let jobs = numbers.iter().map(|number| (*number, Box::new(|_: &Spool| Event::Done) as Job)).collect();
            parts(jobs, count).iter().map(Vec::len).collect()
        };
        assert_eq!(split(&[0, 1, 2], 3), [1, 1, 1]);
        assert_eq!(split(&[0, 1, 2, 3, 4], 1), [5]);
        assert_eq!(split(&[7, 7, 7, 7], 4), [4]);
    }

    #[tokio::test]
    async fn what_is_asked_for_a_message_stays_in_order() {
        let (sender, asked) = std::sync::mpsc::channel();
        let batch = (0..100u64)
            .map(|number| {
                let sender = sender.clone();
                let job: Job = Box::new(move |_| {
                    let _ = sender.send((number % 5, number));
                    Event::Done
                });
                (number % 5, job)
            })
            .collect();
        drop(sender);
        let spool = Spool::new("", queue_file::Layout::default());
        let parts = parts(batch, 8);
        assert!(parts.len() > 1);
        offload::pool(|| spread(parts, move |job: Job| job(&spool))).await;
        let asked: Vec<_> = asked.iter().collect();
        assert_eq!(asked.len(), 100);
        for message in 0..5 {
            assert!(asked.iter().filter(|(of, _)| *of == message).is_sorted());
        }
    }
}
