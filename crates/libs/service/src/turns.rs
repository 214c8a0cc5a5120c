//! The turns of the event loop, and the rest after the last of them.

use privsep::Rest;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::sleep;

/// As few turns are no work: timers and wake-ups from [`Turns::end`] take some by themselves.
const FEW: u64 = 4;

/// Counts the turns: while there are few the process rests, whoever may be connected.
#[derive(Debug, Default)]
pub(crate) struct Turns {
    inner: Mutex<Inner>,
    /// Signalled when there is work after a rest.
    woken: Notify,
}

/// What is counted. Pure, but for what a rest does.
#[derive(Debug, Default)]
struct Inner {
    ended: u64,
    state: State,
    rest: Rest,
    /// Whether there were clients, who are gone.
    has_served: bool,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    Awake,
    /// Until the end of this turn: so after the birth, too.
    #[default]
    Tired,
    /// Until the next turn.
    Resting,
}

impl Turns {
    /// The process is about to wait.
    pub(crate) fn end(&self) {
        if self.inner().end() {
            self.woken.notify_one();
        }
    }

    /// The last client is gone. The first is often the only one for long, and all that was needed for its sake.
    pub(crate) fn idle(&self) {
        self.inner().idle();
    }

    /// Sends the process to rest when there were few turns for a while; runs for ever.
    pub(crate) async fn watch(&self) {
        loop {
            let (before, pause) = self.inner().now();
            sleep(pause).await;
            if self.inner().tires(before) {
                self.woken.notified().await;
            }
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// Ends a turn; tells whether it was the first after a rest.
    fn end(&mut self) -> bool {
        self.ended += 1;
        match self.state {
            State::Awake => false,
            State::Tired => {
                self.state = State::Resting;
                self.rest.begin();
                false
            }
            State::Resting => {
                self.state = State::Awake;
                true
            }
        }
    }

    fn idle(&mut self) {
        if !self.has_served {
            self.has_served = true;
            self.state = State::Tired;
        }
    }

    /// How many turns have ended, and how long to wait for more.
    fn now(&self) -> (u64, Duration) {
        (self.ended, self.rest.pause())
    }

    /// Decides whether there is to be a rest: not many turns have ended since there were so many.
    fn tires(&mut self, before: u64) -> bool {
        let is_quiet = self.ended <= before + FEW;
        if is_quiet {
            self.state = State::Tired;
        } else {
            self.rest.put_off();
        }
        is_quiet
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn process_rests_after_its_birth_until_there_is_work() {
        let mut turns = Inner::default();
        assert!(!turns.end());
        assert_eq!(turns.state, State::Resting);
        assert!(turns.end(), "woken");
        assert!(!turns.end(), "once");
        assert_eq!(turns.state, State::Awake);
    }

    #[test]
    fn process_rests_at_once_after_its_first_client_only() {
        let mut turns = Inner { state: State::Awake, ..Inner::default() };
        turns.idle();
        assert!(!turns.end());
        assert_eq!(turns.state, State::Resting);
        assert!(turns.end());
        turns.idle();
        assert_eq!(turns.state, State::Awake);
    }

    #[test]
    fn process_rests_after_few_turns_and_not_after_many() {
        let mut turns = Inner { state: State::Awake, ..Inner::default() };
        let (before, pause) = turns.now();
        for _ in 0..=FEW {
            assert!(!turns.end());
        }
        assert!(!turns.tires(before));
        let (before, longer) = turns.now();
        assert!(longer > pause);
        for _ in 0..FEW {
            assert!(!turns.end());
        }
        assert!(turns.tires(before));
        assert!(!turns.end());
        assert_eq!(turns.state, State::Resting);
    }
}
