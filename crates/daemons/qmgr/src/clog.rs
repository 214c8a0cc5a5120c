//! Warns of destinations that take up the active queue.

use crate::engine::Engine;
use crate::schedule::{Cause, Crowd, Tick};
use crate::settings::ticks;
use tracing::warn;

/// A destination may have this share of the active queue, in percent, before other mail is said to be slow.
const NEARLY_ALL: usize = 90;

impl Engine {
    /// Warns of each destination for which a fifth of the active queue, or more, waits.
    pub(crate) fn warn_of_clog(&mut self, now: Tick) {
        let interval = ticks(self.settings.params.qmgr.qmgr_clog_warn_time);
        let fair = self.settings.active_limit() / 5;
        let total = self.messages.len();
        if interval == 0 || total <= fair || !self.settings.params.daemon.helpful_warnings {
            return;
        }
        for crowd in self.schedule.crowds(fair, now, interval) {
            for line in lines(&crowd, total) {
                warn!("{line}");
            }
        }
    }
}

/// What an admin is told of a destination, `total` messages being active.
fn lines(crowd: &Crowd, total: usize) -> Vec<String> {
    let Crowd { transport, destination, length, cause } = crowd;
    let mut lines = vec![format!("mail for {destination} is using up {length} of {total} active queue entries")];
    if length * 100 < total * NEARLY_ALL {
        lines.push("this may slow down other mail deliveries".to_owned());
    }
    match cause {
        Cause::Limit(limit) => lines.push(format!(
            "you may need to increase the main.cf {transport}_destination_concurrency_limit from {limit}"
        )),
        Cause::Company => lines.push(format!("you may need a separate master.cf transport for {destination}")),
        Cause::Slowness => lines.extend([
            format!("you may need to reduce {transport} connect and helo timeouts"),
            "you may need to increase the main.cf minimal_backoff_time and maximal_backoff_time".to_owned(),
            format!("you may need to increase the master.cf {transport} process limit"),
        ]),
    }
    lines.push("to turn off these warnings specify: qmgr_clog_warn_time = 0".to_owned());
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advice_fits_the_cause() {
        let told = |length, cause| {
            let crowd = Crowd { transport: "x".into(), destination: "[h]".into(), length, cause };
            let lines = lines(&crowd, 10);
            (lines.len(), lines.join("; "))
        };
        let (count, text) = told(9, Cause::Limit(2));
        assert_eq!(count, 3, "{text}");
        assert!(text.contains("[h] is using up 9 of 10 active"), "{text}");
        assert!(text.contains("x_destination_concurrency_limit from 2"), "{text}");
        let (count, text) = told(8, Cause::Company);
        assert!(count == 4 && text.contains("slow down") && text.contains("transport for [h]"), "{text}");
        let (count, text) = told(10, Cause::Slowness);
        assert!(count == 5 && text.contains("x process limit"), "{text}");
    }
}
