//! One delivery: the recipients of a request, and what is remembered while they are expanded.

use std::collections::HashSet;

use bytes::Bytes;
use delivery::head::Head;
use delivery::loops::Delivered;
use delivery::solo::Delivery;
use delivery::{Attempt, Content, Settled, content_of};
use dsn::{Detail, Outcome, Status};
use ipc::deliver::{Mode, Recipient, Request};
use tracing::warn;

use crate::Office;
use crate::indirect::Forwards;
use crate::state::State;

/// A delivery in progress.
pub(crate) struct Errand<'a, 'd> {
    pub(crate) office: &'a mut Office,
    pub(crate) delivery: &'a mut Delivery<'d>,
    pub(crate) loops: Delivered,
    /// What has been delivered to: nobody gets a message twice.
    seen: HashSet<Vec<u8>>,
    /// What goes elsewhere when the present recipient is through.
    pub(crate) forwards: Forwards,
}

/// Which of the places of `prepend_delivered_header` a copy goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Command,
    File,
}

/// What a recipient hears of a fault that the administrator must mend; which one is in the log.
pub(crate) const CONFIGURATION: &str = "mail system configuration error";

/// Delivers to the recipients of a request.
pub(crate) fn run(office: &mut Office, delivery: &mut Delivery<'_>) {
    let request = delivery.request();
    let loops = match Delivered::read(&mut content_of(delivery.file(), request.message.data_offset)) {
        Ok(loops) => loops,
        Err(error) => {
            // Nobody is settled, so all stay in the queue.
            warn!("{}: {error}", request.queue_id);
            return;
        }
    };
    let mut errand = Errand { office, delivery, loops, seen: HashSet::new(), forwards: Forwards::default() };
    for recipient in &request.recipients {
        errand.deliver(recipient);
    }
}

impl<'d> Errand<'_, 'd> {
    fn deliver(&mut self, recipient: &Recipient) {
        self.forwards = Forwards::default();
        let state = State::of(recipient, &self.request().message.sender);
        let settled = self.recipient(state);
        let settled = if settled == Settled::Finished { self.send_forwards(recipient) } else { settled };
        self.delivery.conclude(recipient, settled);
    }

    pub(crate) fn request(&self) -> &'d Request {
        self.delivery.request()
    }

    /// Whether nothing is to be delivered.
    pub(crate) fn is_dry(&self) -> bool {
        match self.request().mode {
            Mode::Expand | Mode::Probe => true,
            Mode::Deliver | Mode::DeliverAndReport | Mode::DeliverLate => false,
        }
    }

    /// Whether this asks if an address exists: then it does not matter where mail for it goes from here.
    pub(crate) fn is_probe(&self) -> bool {
        self.request().mode == Mode::Probe
    }

    /// The message's text.
    pub(crate) fn content(&self) -> Content {
        content_of(self.delivery.file(), self.request().message.data_offset)
    }

    /// Reports the outcome for an address.
    pub(crate) fn report(&mut self, state: &State, outcome: Outcome) -> Settled {
        let attempt = self.attempt(None);
        self.delivery.report(&state.recipient, &attempt, outcome)
    }

    /// Reports the outcome of a command or file, or of a loop. Of a failure of one that an alias asked for, its owner hears
    /// in place of the sender.
    pub(crate) fn report_to_owner(&mut self, state: &State, outcome: Outcome) -> Settled {
        match &outcome {
            Outcome::Sent(_) | Outcome::Deferred(_) => return self.report(state, outcome),
            Outcome::Bounced(_) => {}
        }
        match self.owner_of(&state.recipient.address) {
            Ok(owner) => {
                let attempt = self.attempt(owner);
                self.delivery.report(&state.recipient, &attempt, outcome)
            }
            Err(()) => self.defer(state, "alias database unavailable"),
        }
    }

    pub(crate) fn attempt(&self, owner: Option<Bytes>) -> Attempt {
        Attempt { owner, ..Attempt::by(self.office.relay.clone()) }
    }

    pub(crate) fn sent(&mut self, state: &State, text: impl Into<String>) -> Settled {
        self.report(state, Outcome::Sent(Detail::new(Status::SENT, text)))
    }

    pub(crate) fn fail(&mut self, state: &State, status: Status, text: impl Into<String>) -> Settled {
        self.report(state, Detail::new(status, text).outcome())
    }

    pub(crate) fn fail_to_owner(&mut self, state: &State, status: Status, text: impl Into<String>) -> Settled {
        self.report_to_owner(state, Detail::new(status, text).outcome())
    }

    /// A fault of the configuration or the system: the log says which, the mail waits.
    pub(crate) fn defer(&mut self, state: &State, text: &str) -> Settled {
        self.fail(state, Status::temporary(3, 0), text)
    }

    /// Whether something has been delivered to before; it counts as delivered from now on.
    pub(crate) fn is_repeated(&mut self, kind: &str, key: &[u8]) -> bool {
        let limit = usize::try_from(self.office.params.cleanup.duplicate_filter_limit).unwrap_or(0);
        let key = [kind.as_bytes(), b" ", &key.to_ascii_lowercase()].concat();
        if self.seen.contains(&key) {
            return true;
        }
        // A file that names its own user would be read again and again.
        if limit == 0 || self.seen.len() < limit || kind == "forward" {
            self.seen.insert(key);
        }
        false
    }

    /// The lines before a copy.
    pub(crate) fn head(&self, state: &State, from_line: Option<&jiff::Zoned>, place: Place) -> Vec<u8> {
        let mut head = Head::default();
        if let Some(now) = from_line {
            head = head.from_line(&state.sender, now);
        }
        let wanted = self.office.params.common.queue.enable_original_recipient;
        head = head.return_path(&state.sender).original(&state.recipient.original, wanted);
        let word = match place {
            Place::Command => "command",
            Place::File => "file",
        };
        if self.prepends(word) {
            head = head.delivered(state.delivered());
        }
        head.into_bytes()
    }

    /// Whether the extension of an address goes on to what it is expanded to.
    pub(crate) fn propagates(&self, word: &str) -> bool {
        self.office.params.cleanup.propagate_unmatched_extensions.iter().any(|known| known == word)
    }

    pub(crate) fn prepends(&self, word: &str) -> bool {
        self.office.params.local.prepend_delivered_header.iter().any(|known| known == word)
    }
}

/// Both must have ended.
pub(crate) fn and(one: Settled, other: Settled) -> Settled {
    match (one, other) {
        (Settled::Finished, Settled::Finished) => Settled::Finished,
        _ => Settled::Remains,
    }
}
