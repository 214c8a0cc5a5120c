//! What must happen, and in which order, when the outcome for a recipient is known. Pure.
//!
//! A bounce, a deferral and a success differ in the log they go to and in the word on the delivery line; a probe goes
//! to verify, `sendmail -bv` to the trace log. Whatever cannot be recorded is deferred instead.

use bytes::Bytes;
use dsn::{Class, Detail, Notify, Outcome, Status};
use ipc::bounce::{Entry, Notice};
use ipc::deliver::{Mode, Recipient, Request};
use ipc::verify;
use maillog::line::{Delays, Delivery};

use crate::{FailedProbes, Policy};

/// Facts about the attempt that the delivery line shows.
#[derive(Debug, Clone, Default)]
pub struct Attempt {
    /// `relay=`: the peer as `host[address]:port`, or the agent's own name, or `none`.
    pub relay: String,
    /// When the connection was ready, in microseconds since the epoch, if there was one.
    pub connected: Option<i64>,
    /// `tls=`, if it is to be shown.
    pub tls: Option<String>,
    /// Which delivery over its connection this is, counted from 1; 0 where nobody counts.
    pub conn_use: u32,
    /// Who hears of a failure in place of the message's sender (the owner of a mailing list).
    pub owner: Option<Bytes>,
}

impl Attempt {
    /// An attempt that only has a relay.
    #[must_use]
    pub fn by(relay: impl Into<String>) -> Self {
        Self { relay: relay.into(), ..Self::default() }
    }
}

/// Whether a recipient is finished or stays in the queue.
#[must_use]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Settled {
    /// Delivered, or bounced and its failure is recorded.
    Finished,
    /// To be tried again.
    Remains,
}

/// One thing to be done before a recipient is settled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Tell verify what a probe has found.
    Verify(verify::Request),
    /// Ask the bounce service.
    Bounce(ipc::bounce::Request),
    /// Ask the defer service.
    Defer(ipc::bounce::Request),
    /// Ask the trace service.
    Trace(ipc::bounce::Request),
    /// Tell flush for which site the message waits; nothing depends on it.
    Flush(ipc::flush::Request),
}

/// The steps for one recipient, and how it ends when all of them went well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// In this order.
    pub steps: Vec<Step>,
    /// The delivery line.
    pub line: String,
    /// How the recipient ends.
    pub settled: Settled,
    /// What it is about, for [`Case::otherwise`].
    pub kind: Kind,
}

/// What a plan is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A delivery.
    Sent,
    /// A failure.
    Bounced,
    /// A delay.
    Deferred,
    /// What a probe has found.
    Probed,
    /// What `sendmail -bv` asked for.
    Expanded,
}

/// What happens when a step of a plan fails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Otherwise {
    /// The recipient is deferred with this reason.
    Defer(String),
    /// It is deferred, as its line says, though no log on disk does; this is a warning.
    Remain(String),
    /// It stays in the queue anyway, and this is a warning.
    Warn(String),
}

/// Everything that a plan is made of.
#[derive(Debug, Clone, Copy)]
pub struct Case<'a> {
    /// The delivery.
    pub request: &'a Request,
    /// The recipient, of the request or made from one of its (an alias's member).
    pub recipient: &'a Recipient,
    /// How it was tried.
    pub attempt: &'a Attempt,
    /// Now, in microseconds since the epoch.
    pub now: i64,
}

impl Case<'_> {
    /// The plan for an outcome.
    #[must_use]
    pub fn plan(&self, outcome: Outcome, policy: &Policy) -> Plan {
        match self.request.mode {
            Mode::Probe => self.probed(&outcome, policy),
            Mode::Expand => self.expanded(outcome, policy),
            Mode::Deliver | Mode::DeliverAndReport | Mode::DeliverLate => match outcome {
                Outcome::Sent(detail) => self.sent(detail, policy),
                Outcome::Bounced(detail) => self.bounced(detail, policy),
                Outcome::Deferred(detail) => self.deferred(detail, "deferred", policy),
            },
        }
    }

    /// The plan for a recipient whose outcome could not be recorded.
    #[must_use]
    pub fn plan_deferral(&self, reason: String, policy: &Policy) -> Plan {
        self.deferred(Detail::new(Status::temporary(3, 0), reason), "deferred", policy)
    }

    /// What happens when a step of a plan of this kind has failed.
    #[must_use]
    pub fn otherwise(&self, kind: Kind, policy: &Policy) -> Otherwise {
        let id = &self.request.queue_id;
        let (bounce, defer) = (&policy.bounce_service_name, &policy.defer_service_name);
        let trace = &policy.trace_service_name;
        match kind {
            Kind::Sent => Otherwise::Defer(format!("{id}: {trace} service failed")),
            Kind::Bounced => Otherwise::Defer(format!("{bounce} or {trace} service failure")),
            Kind::Deferred => Otherwise::Remain(format!("{id}: {defer} or {trace} service failure")),
            Kind::Probed => Otherwise::Warn(format!("{id}: verify service failure")),
            Kind::Expanded => Otherwise::Warn(format!("{id}: {trace} service failure")),
        }
    }

    fn sent(&self, detail: Detail, policy: &Policy) -> Plan {
        let detail = or_action(detail, "delivered");
        let mut steps = self.reported(&detail);
        let notify = self.notify();
        let is_late = self.request.mode == Mode::DeliverLate && (notify.is_unset() || notify.contains(Notify::DELAY));
        if (notify.contains(Notify::SUCCESS) || is_late) && steps.is_empty() {
            steps.push(Step::Trace(self.trace(&detail)));
        }
        Plan { steps, line: self.line(&detail, "sent", policy), settled: Settled::Finished, kind: Kind::Sent }
    }

    fn bounced(&self, detail: Detail, policy: &Policy) -> Plan {
        if policy.soft_bounce {
            return self.deferred(detail, "SOFTBOUNCE", policy);
        }
        let detail = or_action(detail, "failed");
        let first = match &self.attempt.owner {
            Some(owner) => ipc::bounce::Request::One(self.notice(owner.clone()), self.entry(&detail)),
            None => self.append(&detail),
        };
        let mut steps = vec![Step::Bounce(first)];
        steps.append(&mut self.reported(&detail));
        Plan { steps, line: self.line(&detail, "bounced", policy), settled: Settled::Finished, kind: Kind::Bounced }
    }

    fn deferred(&self, detail: Detail, word: &str, policy: &Policy) -> Plan {
        let status = detail.status.in_class(Class::Temporary);
        let detail = Detail { status, action: "delayed".into(), ..detail };
        let mut steps = vec![Step::Defer(self.append(&detail))];
        steps.append(&mut self.reported(&detail));
        steps.extend(self.waits_for_site(policy));
        Plan { steps, line: self.line(&detail, word, policy), settled: Settled::Remains, kind: Kind::Deferred }
    }

    /// The note that lets `postqueue -s` and ETRN find the message.
    fn waits_for_site(&self, policy: &Policy) -> Option<Step> {
        let at = self.recipient.address.iter().rposition(|byte| *byte == b'@').filter(|_| policy.fast_flush)?;
        let site = std::str::from_utf8(self.recipient.address.get(at + 1..)?).ok()?.to_owned();
        Some(Step::Flush(ipc::flush::Request::Add { site, queue_id: self.request.queue_id.clone() }))
    }

    /// An address probe: the result goes to verify, and the probe ends.
    fn probed(&self, outcome: &Outcome, policy: &Policy) -> Plan {
        let detail = outcome.detail();
        let status = match outcome {
            Outcome::Sent(_) => verify::Status::Ok,
            Outcome::Deferred(_) => verify::Status::Deferred,
            Outcome::Bounced(_) => verify::Status::Bounced,
        };
        let word = match outcome {
            Outcome::Sent(_) => "deliverable",
            Outcome::Deferred(_) | Outcome::Bounced(_) => match policy.failed_probes {
                FailedProbes::Kept => "undeliverable",
                FailedProbes::Forgotten => "undeliverable-but-not-cached",
            },
        };
        let Recipient { address, original, .. } = self.recipient;
        // What was asked for, and what it has become: either may be asked for next.
        let asked = Some(original).filter(|original| !original.is_empty() && *original != address);
        let update = |address: &Bytes| {
            Step::Verify(verify::Request::Update { address: address.clone(), status, text: detail.reason.clone() })
        };
        let steps = asked.into_iter().chain([address]).map(update).collect();
        Plan { steps, line: self.line(detail, word, policy), settled: Settled::Finished, kind: Kind::Probed }
    }

    /// `sendmail -bv`: the result goes to the trace log, and the recipient is finished.
    fn expanded(&self, outcome: Outcome, policy: &Policy) -> Plan {
        let (mut detail, word) = match outcome {
            Outcome::Sent(detail) => (detail, "deliverable"),
            Outcome::Deferred(detail) | Outcome::Bounced(detail) => (detail, "undeliverable"),
        };
        detail.action = word.into();
        Plan {
            steps: vec![Step::Trace(self.trace(&detail))],
            line: self.line(&detail, word, policy),
            settled: Settled::Finished,
            kind: Kind::Expanded,
        }
    }

    /// The trace entry of a delivery that is reported whatever its outcome (`sendmail -v`).
    fn reported(&self, detail: &Detail) -> Vec<Step> {
        match self.request.mode {
            Mode::DeliverAndReport => vec![Step::Trace(self.trace(detail))],
            Mode::Deliver | Mode::DeliverLate | Mode::Expand | Mode::Probe => Vec::new(),
        }
    }

    fn append(&self, detail: &Detail) -> ipc::bounce::Request {
        ipc::bounce::Request::Append { queue_id: self.request.queue_id.clone(), entry: self.entry(detail) }
    }

    /// The entry of the trace log, whose reason says through whom.
    fn trace(&self, detail: &Detail) -> ipc::bounce::Request {
        let relay = &self.attempt.relay;
        if relay == "none" {
            return self.append(detail);
        }
        let reason = format!("delivery via {relay}: {}", detail.reason);
        self.append(&Detail { reason, ..detail.clone() })
    }

    fn notify(&self) -> Notify {
        Notify::from_bits(self.recipient.notify).unwrap_or(Notify::UNSET)
    }

    /// Only an entry of the trace log.
    pub(crate) fn trace_step(&self, detail: &Detail) -> Step {
        Step::Trace(self.trace(detail))
    }

    /// The log entry that says a detail of this recipient.
    #[must_use]
    pub fn entry(&self, detail: &Detail) -> Entry {
        let diagnostic = detail.diagnostic.as_ref();
        Entry {
            recipient: self.recipient.clone(),
            relay: self.attempt.relay.clone(),
            status: detail.status.to_string(),
            action: detail.action.clone().into_owned(),
            reason: detail.reason.clone(),
            diagnostic_type: diagnostic.map(|d| d.kind.clone()).unwrap_or_default(),
            diagnostic: diagnostic.map(|d| d.text.clone()).unwrap_or_default(),
            mta_type: detail.remote_mta.as_ref().map(|_| "dns".to_owned()).unwrap_or_default(),
            mta: detail.remote_mta.clone().unwrap_or_default(),
        }
    }

    /// What a notice about the message says of it, sent to `sender`.
    #[must_use]
    pub fn notice(&self, sender: Bytes) -> Notice {
        let Request { queue_name, queue_id, message, .. } = self.request;
        Notice {
            queue_name: queue_name.clone(),
            queue_id: queue_id.clone(),
            sender,
            encoding: message.encoding.clone(),
            smtputf8: message.smtputf8,
            envelope_id: message.envelope_id.clone(),
            ret: message.ret.clone(),
        }
    }

    fn line(&self, detail: &Detail, word: &str, policy: &Policy) -> String {
        let times = self.request.times;
        let delays = Delays::between(times.arrived, times.active, times.handed, self.attempt.connected, self.now);
        let Recipient { address, original, .. } = self.recipient;
        let original: &[u8] = if original == address { b"" } else { original };
        Delivery {
            queue_id: &self.request.queue_id,
            to: policy.log_form.shown(address),
            orig_to: policy.log_form.shown(original),
            relay: &self.attempt.relay,
            conn_use: self.attempt.conn_use,
            delays,
            resolution: policy.delay_logging_resolution_limit,
            tls: self.attempt.tls.as_deref(),
            dsn: detail.status.to_string().into(),
            status: word,
            text: detail.reason.as_str().into(),
        }
        .line()
    }
}

fn or_action(detail: Detail, action: &'static str) -> Detail {
    if detail.action.is_empty() { detail.with_action(action) } else { detail }
}

#[cfg(test)]
mod tests;
