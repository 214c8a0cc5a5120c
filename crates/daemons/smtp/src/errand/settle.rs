//! What becomes of recipients: which failures are final, which wait, which are another server's turn.

use std::borrow::Cow;

use delivery::Attempt;
use delivery::agent::Destination;
use dsn::{Class, Detail, Notify, Outcome, Status};
use ipc::deliver::Unreachable;
use queue_file::Time;
use smtp_proto::ehlo::Keyword;
use smtp_proto::reply::Answer;
use tracing::{info, warn};

use super::{Errand, Turn};
use crate::carrier::Finality;
use crate::failure::{self, Failure, Scope, replied};
use crate::flavor::Flavor;
use crate::route::LOOP;
use crate::session::Ready;
use crate::stage::Stage;
use crate::transaction::{Goal, Verdicts};

impl Errand<'_> {
    /// Settles what the server has said to single recipients of a message that was to get this far. Those that another server
    /// may take are given back: whatever this one says of the message from here on does not concern them.
    pub(super) async fn judge(&mut self, ready: &Ready, verdicts: Verdicts, goal: Goal) -> Vec<usize> {
        let refused = verdicts.refused.into_iter().map(|(number, answer)| (number, Stage::Rcpt, answer));
        let ended = verdicts.ended.into_iter().map(|(number, answer)| (number, Stage::End, answer));
        let mut put_off = Vec::new();
        for (number, stage, answer) in refused.chain(ended) {
            if stage == Stage::End && goal.is_met_by(&answer) {
                self.sent(number, ready, &answer).await;
                continue;
            }
            let detail = replied(ready.peer(), stage, &answer);
            if self.may_try_elsewhere(&detail) {
                self.note(detail);
                self.left.remove(&number);
                put_off.push(number);
            } else {
                self.settle(number, detail).await;
            }
        }
        put_off
    }

    async fn sent(&mut self, number: usize, ready: &Ready, answer: &Answer) {
        let takes_over = ready.offer.has(Keyword::Dsn);
        let action = match self.carrier.rules.finality {
            Finality::Delivered if !takes_over => "delivered",
            Finality::Delivered | Finality::Relayed => "relayed",
        };
        let text = failure::logged(answer);
        let detail = failure::said(ready.peer(), answer, text).with_action(action);
        let status = if answer.status.is_some() { detail.status.in_class(Class::Success) } else { Status::SENT };
        let detail = Detail { status, ..detail };
        if let Some(recipient) = self.request().recipients.get(number) {
            let mut recipient = Cow::Borrowed(recipient);
            // A server that knows DSN tells the sender of success itself.
            if takes_over && recipient.notify & Notify::SUCCESS.bits() != 0 {
                recipient.to_mut().notify &= !Notify::SUCCESS.bits();
            }
            let _ = self.delivery.settle(&recipient, &self.attempt, Outcome::Sent(detail)).await;
        }
        self.left.remove(&number);
    }

    /// All recipients that are left share a failure: another server may do better, if it is not final.
    pub(super) async fn fail(&mut self, failure: Failure) {
        let Failure { scope, detail } = failure;
        let detail = *detail;
        if self.may_try_elsewhere(&detail) {
            self.note(detail);
            return;
        }
        self.settle_all(scope, detail).await;
    }

    /// What went wrong last, where another server has its turn.
    fn note(&mut self, detail: Detail) {
        info!("{}: {}", self.request().queue_id, detail.reason);
        self.why = Some(detail);
    }

    fn may_try_elsewhere(&self, detail: &Detail) -> bool {
        self.turn == Turn::More && detail.status.class() != Class::Permanent
    }

    async fn settle_all(&mut self, scope: Scope, detail: Detail) {
        if scope == Scope::Site && detail.status.class() != Class::Permanent {
            let (status, reason) = (detail.status.to_string(), detail.reason.clone());
            self.destination = Destination::Unreachable(Unreachable { status, reason });
        }
        while let Some(number) = self.left.first().copied() {
            self.settle(number, detail.clone()).await;
        }
    }

    /// A refusal is final or waits; a server that refuses with a code of success does not know what it says.
    pub(super) async fn settle(&mut self, number: usize, detail: Detail) {
        let outcome = match detail.status.class() {
            Class::Permanent => Outcome::Bounced(detail),
            Class::Temporary => Outcome::Deferred(detail),
            Class::Success => {
                let status = detail.status.in_class(Class::Temporary);
                Outcome::Deferred(Detail { status, ..detail })
            }
        };
        if let Some(recipient) = self.request().recipients.get(number) {
            let _ = self.delivery.settle(recipient, &self.attempt, outcome).await;
        }
        self.left.remove(&number);
    }

    /// No server is left to try.
    pub(super) async fn leave(&mut self, reached_fallback: bool) {
        if self.left.is_empty() {
            return;
        }
        let mut detail = self
            .why
            .take()
            .unwrap_or_else(|| Detail::new(Status::temporary(3, 0), "server unavailable or unable to receive mail"));
        if detail.status.class() == Class::Permanent {
            // What an admin has configured is not the sender's fault.
            let culprit = match self.carrier.dialect.flavor {
                Flavor::Smtp if reached_fallback => Some("smtp_fallback_relay"),
                Flavor::Lmtp if reached_fallback => Some("lmtp_fallback_relay"),
                Flavor::Smtp if self.is_relayhost() => Some("relayhost"),
                Flavor::Smtp | Flavor::Lmtp => None,
            };
            let best = &self.carrier.rules.best_mx_transport;
            if let Some(culprit) = culprit {
                warn!("{culprit} configuration problem");
                detail.status = Status::temporary(3, 5);
            } else if detail.status == LOOP && !best.is_empty() {
                if self.pass(best).await {
                    return;
                }
                detail = Detail::new(Status::temporary(3, 0), "mail transport unavailable");
            }
        }
        let tls = self.attempt.tls.take();
        self.attempt = Attempt { connected: Some(Time::now().as_microseconds()), tls, ..Attempt::by("none") };
        self.settle_all(Scope::Site, detail).await;
    }

    fn is_relayhost(&self) -> bool {
        let relayhost = &self.carrier.rules.relayhost;
        !relayhost.is_empty() && *relayhost == self.request().nexthop
    }
}
