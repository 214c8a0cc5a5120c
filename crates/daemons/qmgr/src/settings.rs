//! The parameters of the queue manager, as it uses them.

use crate::schedule::{Limits, Talk, Tick};
use crate::stock::Stock;
use address::LogForm;
use config::Source;
use config::params::{Identity, Ipc, Lifetimes, Qmgr, Queue, Rewrite, TransportLimits};
use queue_file::{Layout, Spool};
use std::time::Duration;

config::bundle! {
    /// All parameters that the queue manager may know.
    pub struct Params {
        qmgr: Qmgr,
        queue: Queue,
        ipc: Ipc,
        identity: Identity,
        rewrite: Rewrite,
        lifetimes: Lifetimes,
        bounce: config::params::Bounce,
        daemon: config::params::Daemon,
    }
}

/// What parameters say about one transport.
#[derive(Debug)]
pub(crate) struct Family {
    pub(crate) limits: Limits,
    /// How many recipients one delivery has; 0: any number.
    pub(crate) recipient_limit: usize,
    pub(crate) stock: Stock,
}

/// The parameters, and those of each transport when it is first used.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) params: Params,
    /// `info_log_address_format`.
    pub(crate) log_form: LogForm,
    source: Source,
}

impl Settings {
    pub(crate) fn new(params: Params, source: Source) -> Self {
        let log_form = params.identity.info_log_address_format.parse().unwrap_or_default();
        if params.lifetimes.bounce_queue_lifetime > params.lifetimes.maximal_queue_lifetime {
            tracing::warn!(
                "bounce_queue_lifetime is larger than maximal_queue_lifetime - adjusting bounce_queue_lifetime"
            );
        }
        if params.qmgr.qmgr_message_recipient_limit < params.qmgr.qmgr_message_active_limit {
            tracing::warn!(
                "qmgr_message_recipient_limit is smaller than qmgr_message_active_limit - adjusting qmgr_message_recipient_limit"
            );
        }
        Self { params, log_form, source }
    }

    /// Whether this is a queue manager beside the usual one: a service of another name, which a cleanup with
    /// `-o queue_service_name` hands its mail.
    pub(crate) fn is_second(&self) -> bool {
        let own = self.source.raw("service_name").unwrap_or_default();
        !own.is_empty() && own != self.params.ipc.queue_service_name
    }

    /// The spool, seen from inside of it.
    pub(crate) fn spool(&self) -> Spool {
        let queue = &self.params.queue;
        let names = queue.hash_queue_names.iter().map(|name| &name[..]);
        Spool::new("", Layout::new(names, count(queue.hash_queue_depth)).with_long_ids(queue.enable_long_queue_ids))
    }

    /// What a transport may do.
    ///
    /// # Errors
    /// A text about what is wrong with its parameters.
    pub(crate) fn transport(&self, name: &str) -> Result<Family, String> {
        let family: TransportLimits = self.source.transport(name).map_err(|problems| problems.to_string())?;
        let rule = |text: &str| text.trim().parse().map_err(|error| format!("{name}: {error}"));
        let many = |value: i64| usize::try_from(value).unwrap_or(0);
        let limits = Limits {
            concurrency: count(family.destination_concurrency_limit),
            initial_concurrency: count(family.initial_destination_concurrency),
            positive: rule(&family.destination_concurrency_positive_feedback)?,
            negative: rule(&family.destination_concurrency_negative_feedback)?,
            failed_cohorts: count(family.destination_concurrency_failed_cohort_limit),
            dead_time: ticks(self.params.qmgr.minimal_backoff_time),
            rate_delay: ticks(family.destination_rate_delay),
            transport_rate_delay: ticks(family.transport_rate_delay),
            slot_cost: count(family.delivery_slot_cost),
            slot_loan: count(family.delivery_slot_loan),
            slot_discount: count(family.delivery_slot_discount),
            minimum_slots: count(family.minimum_delivery_slots),
            talk: if self.params.qmgr.destination_concurrency_feedback_debug { Talk::Verbose } else { Talk::Quiet },
        };
        let stock = Stock {
            limit: many(family.recipient_limit),
            extra: many(family.extra_recipient_limit),
            refill: many(family.recipient_refill_limit).max(1),
            refill_delay: ticks(family.recipient_refill_delay),
            held: 0,
        };
        Ok(Family { limits, recipient_limit: many(family.destination_recipient_limit), stock })
    }

    /// How many messages are in the active queue at most.
    pub(crate) fn active_limit(&self) -> usize {
        usize::try_from(self.params.qmgr.qmgr_message_active_limit).unwrap_or(usize::MAX)
    }

    /// How many recipients are in memory at most: one of each message has its place.
    pub(crate) fn recipient_limit(&self) -> usize {
        let limit = usize::try_from(self.params.qmgr.qmgr_message_recipient_limit).unwrap_or(usize::MAX);
        limit.max(self.active_limit())
    }

    /// How many of each message at least.
    pub(crate) fn recipient_minimum(&self) -> usize {
        usize::try_from(self.params.qmgr.qmgr_message_recipient_minimum).unwrap_or(1).max(1)
    }

    /// How long a message of so many seconds waits for its next attempt, in seconds.
    pub(crate) fn backoff(&self, age: i64) -> i64 {
        let qmgr = &self.params.qmgr;
        let (least, most) = (seconds(qmgr.minimal_backoff_time), seconds(qmgr.maximal_backoff_time));
        age.min(most).max(least)
    }

    /// How long mail stays in the queue, in seconds.
    pub(crate) fn lifetime(&self, sender: &[u8]) -> i64 {
        let lifetimes = &self.params.lifetimes;
        let own = if sender.is_empty() { lifetimes.bounce_queue_lifetime } else { lifetimes.maximal_queue_lifetime };
        seconds(own.min(lifetimes.maximal_queue_lifetime))
    }

    /// Whether a transport delivers only on request.
    pub(crate) fn is_deferred(&self, transport: &str) -> bool {
        self.params.qmgr.defer_transports.iter().any(|name| name == transport)
    }
}

pub(crate) fn count(value: i64) -> u32 {
    u32::try_from(value.max(0)).unwrap_or(u32::MAX)
}

pub(crate) fn seconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_secs()).unwrap_or(i64::MAX)
}

pub(crate) fn ticks(duration: Duration) -> Tick {
    Tick::try_from(duration.as_millis()).unwrap_or(Tick::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_of_another_name_works_beside_the_usual_one() {
        for (text, name, is_second) in
            [("", "qmgr", false), ("", "watchdog_qmgr", true), ("queue_service_name = own\n", "own", false)]
        {
            let source = Source::parse(std::path::Path::new("/nonexistent"), text).unwrap().for_service(name);
            let settings = Settings::new(source.get().unwrap(), source);
            assert_eq!(settings.is_second(), is_second, "{name}");
        }
    }

    #[test]
    fn notices_stay_no_longer_than_other_mail() {
        for (text, notice, other) in [
            ("maximal_queue_lifetime = 1h\n", 3600, 3600),
            ("maximal_queue_lifetime = 2h\nbounce_queue_lifetime = 0\n", 0, 7200),
        ] {
            let source = Source::parse(std::path::Path::new("/nonexistent"), text).unwrap();
            let settings = Settings::new(source.get().unwrap(), source);
            assert_eq!((settings.lifetime(b""), settings.lifetime(b"a@b.c")), (notice, other));
        }
    }

    #[test]
    fn a_family_is_read_under_the_name_of_its_transport() {
        let text = "default_recipient_limit = 7\ndefault_recipient_refill_delay = 3s\nslow_recipient_limit = 5\n\
                    slow_extra_recipient_limit = 2\nslow_recipient_refill_limit = 4\nslow_recipient_refill_delay = 1s\n\
                    destination_concurrency_feedback_debug = yes\n";
        let source = Source::parse(std::path::Path::new("/nonexistent"), text).unwrap();
        let settings = Settings::new(source.get().unwrap(), source);
        let slow = settings.transport("slow").unwrap();
        assert_eq!(slow.stock, Stock { limit: 5, extra: 2, refill: 4, refill_delay: 1000, held: 0 });
        assert_eq!(slow.limits.talk, Talk::Verbose);
        let other = settings.transport("other").unwrap();
        assert_eq!(other.stock, Stock { limit: 7, refill_delay: 3000, ..Stock::default() });
    }

    #[test]
    fn there_is_room_for_a_recipient_of_each_message() {
        for (recipients, messages, expected) in [(100, 50, 100), (50, 100, 100)] {
            let text = format!("qmgr_message_recipient_limit = {recipients}\nqmgr_message_active_limit = {messages}\n");
            let source = Source::parse(std::path::Path::new("/nonexistent"), &text).unwrap();
            let settings = Settings::new(source.get().unwrap(), source);
            assert_eq!(settings.recipient_limit(), expected);
        }
    }
}
