//! Ends a process that is stuck (`daemon_timeout`): the system's alarm goes off unless it is put off in time.
//!
//! The alarm ends the process as any signal does, whatever it hangs in, and master tells. It costs no thread, and in
//! the steady state one system call in hours.

use nix::unistd::alarm;
use std::time::Duration;

/// The alarm of this process. A child begins without one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Watchdog(Duration);

impl Watchdog {
    pub(crate) fn new(patience: Duration) -> Self {
        Self(patience)
    }

    /// Sets the alarm, or puts it off.
    pub(crate) fn put_off(self) {
        let seconds = u32::try_from(self.0.as_secs()).unwrap_or(u32::MAX).max(1);
        let _ = alarm::set(seconds);
    }

    /// Nothing is being done that could get stuck.
    pub(crate) fn rest() {
        let _ = alarm::cancel();
    }

    /// Puts the alarm off as long as tasks get their turn.
    pub(crate) async fn watch(self) {
        loop {
            self.put_off();
            tokio::time::sleep(self.0 / 2).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_alarm_is_set_put_off_and_cancelled() {
        Watchdog::new(Duration::from_secs(100)).put_off();
        Watchdog::new(Duration::from_secs(5000)).put_off();
        assert!(alarm::set(1000).is_some_and(|left| (4990..=5000).contains(&left)));
        Watchdog::rest();
        assert_eq!(alarm::cancel(), None);
    }
}
