//! Which queues are to be looked through, and how far that has come.

use crate::disk::{self, Rules};
use crate::engine::{Engine, Event};
use queue_file::{QueueName, Scan};

/// Files admitted in one go.
const STEP: usize = 100;

/// The scan of one queue.
#[derive(Debug)]
struct Progress {
    queue: QueueName,
    /// What was asked for, and has not begun.
    wanted: Option<Rules>,
    /// What goes on.
    current: Option<(Option<Scan>, Rules)>,
}

/// The scans of the queues that mail comes from.
#[derive(Debug)]
pub(crate) struct Scans {
    progress: [Progress; 3],
    /// Whether another queue manager looks through the queues.
    by_another: bool,
}

impl Default for Scans {
    fn default() -> Self {
        let progress = |queue| Progress { queue, wanted: None, current: None };
        let queues = [QueueName::Active, QueueName::Incoming, QueueName::Deferred];
        Self { progress: queues.map(progress), by_another: false }
    }
}

impl Scans {
    /// Those of a queue manager beside the usual one: it has only what it is handed.
    pub(crate) fn by_another() -> Self {
        Self { by_another: true, ..Self::default() }
    }

    /// Everything is looked at once.
    pub(crate) fn at_start(&mut self) {
        if self.by_another {
            return;
        }
        for progress in &mut self.progress {
            progress.wanted.get_or_insert_default();
        }
    }

    /// Asks for the scans that trigger bytes name. Who has time stamps ignored means new mail, too: that of a clock which was
    /// ahead waits in `incoming`.
    pub(crate) fn wake(&mut self, bytes: &[u8], rules: Rules) {
        let has = |byte| bytes.contains(&byte);
        if has(ipc::qmgr::SCAN_INCOMING) || has(ipc::qmgr::WAKEUP) || rules.ignore_times {
            self.ask(QueueName::Incoming, rules);
        }
        if has(ipc::qmgr::SCAN_DEFERRED) {
            self.ask(QueueName::Deferred, rules);
        }
    }

    /// Asks for a scan. One that goes on is not the one that was asked for: files may be behind it.
    pub(crate) fn ask(&mut self, queue: QueueName, rules: Rules) {
        let known = self.progress.iter_mut().find(|progress| progress.queue == queue);
        if let Some(progress) = known.filter(|_| !self.by_another) {
            let wanted = progress.wanted.get_or_insert_default();
            wanted.ignore_times |= rules.ignore_times;
            wanted.flush |= rules.flush;
        }
    }

    /// A scan has come this far.
    pub(crate) fn returned(&mut self, queue: QueueName, rest: Option<Scan>) {
        if let Some(progress) = self.progress.iter_mut().find(|progress| progress.queue == queue) {
            progress.current = match (progress.current.take(), rest) {
                (Some((_, rules)), Some(scan)) => Some((Some(scan), rules)),
                (_, None) | (None, Some(_)) => None,
            };
        }
    }

    /// Whether all that was in the active queue at the start has been seen. Until then nothing else may enter it, or
    /// the scan would find that too.
    pub(crate) fn knows_active(&self) -> bool {
        !self.progress.iter().any(|progress| {
            progress.queue == QueueName::Active && (progress.wanted.is_some() || progress.current.is_some())
        })
    }

    /// Whether there is nothing to scan.
    fn is_idle(&self) -> bool {
        self.progress.iter().all(|progress| progress.wanted.is_none() && progress.current.is_none())
    }

    /// Whether a scan is on the disk at this moment.
    pub(crate) fn is_scanning(&self) -> bool {
        self.progress.iter().any(|progress| matches!(progress.current, Some((None, _))))
    }
}

impl Engine {
    /// Goes on with scans as far as there is room.
    pub(crate) fn scan_on(&mut self) {
        if self.scans.is_idle() {
            return;
        }
        for index in 0..self.scans.progress.len() {
            let room = self.room();
            let usual = self.rules();
            let Some(progress) = self.scans.progress.get_mut(index) else { return };
            if progress.current.is_none()
                && let Some(rules) = progress.wanted.take()
            {
                progress.current = Some((Some(self.spool.scan(progress.queue)), rules));
            }
            let Some((waiting, asked)) = &mut progress.current else { continue };
            if room == 0 {
                return;
            }
            let Some(mut scan) = waiting.take() else {
                if progress.queue == QueueName::Active {
                    return;
                }
                continue;
            };
            let queue = progress.queue;
            let rules = Rules { ignore_times: asked.ignore_times, flush: asked.flush, ..usual };
            let most = room.min(STEP);
            self.intake.put(move |spool| {
                let (admitted, is_more) = disk::admit_some(spool, queue, &mut scan, most, rules);
                Event::Scanned { queue, admitted, rest: is_more.then_some(scan) }
            });
            if queue == QueueName::Active {
                return;
            }
        }
        // New and old mail take turns where room is short.
        self.scans.progress.swap(1, 2);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flush_is_for_new_mail_of_the_future_too() {
        let table: [(&[u8], [Option<bool>; 3]); 3] = [
            (b"AFD", [None, Some(true), Some(true)]),
            (b"I", [None, Some(false), None]),
            (b"D", [None, None, Some(false)]),
        ];
        for (bytes, expected) in table {
            let mut scans = Scans::default();
            scans.wake(bytes, Rules { ignore_times: bytes.contains(&ipc::qmgr::IGNORE_TIMES), ..Rules::default() });
            let wanted = scans.progress.map(|progress| progress.wanted.map(|rules| rules.ignore_times));
            assert_eq!(wanted, expected, "{bytes:?}");
        }
    }
}
