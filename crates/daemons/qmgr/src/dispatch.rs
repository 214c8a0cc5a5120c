//! From deliveries to agents and back: hands out what the scheduler chooses, and takes what agents answer.

use crate::agent::{Link, Report};
use crate::arena::Key;
use crate::disk;
use crate::engine::{Delivery, Engine, Event};
use crate::message::Agents;
use crate::route::{self, RETRY, Route};
use crate::schedule::{Entry, Feedback, Tick, Transport, Why};
use crate::settings::ticks;
use ipc::deliver::{Finished, Remains, Request};
use queue_file::{Error, Time};
use std::sync::Arc;
use tracing::warn;

impl Engine {
    /// Hands out deliveries as long as agents take them.
    pub(crate) fn dispatch(&mut self, now: Tick) {
        let ready: Vec<_> = self.schedule.ready_transports().collect();
        for transport in ready {
            self.dispatch_to(transport, now);
        }
    }

    fn dispatch_to(&mut self, transport: Key<Transport<Delivery>>, now: Tick) -> Option<()> {
        let patience = self.settings.params.qmgr.qmgr_ipc_timeout;
        while self.schedule.is_ready(transport) {
            let pool = self.pools.get_mut(&transport)?;
            let Some(link) = pool.free() else {
                pool.open(&self.events, patience);
                return None;
            };
            let key = self.schedule.select(transport, now)?;
            match self.request(key) {
                Some(request) => self.pools.get_mut(&transport)?.hand_over(link, key, request),
                None => drop(self.schedule.finish(key, Feedback::Unknown, now)),
            }
        }
        Some(())
    }

    fn request(&self, key: Key<Entry<Delivery>>) -> Option<Request> {
        let delivery = &self.schedule.entry(key)?.payload;
        let active = self.messages.get(&delivery.message)?;
        let mut times = active.times;
        times.handed = Time::now().as_microseconds();
        Some(Request {
            number: 0,
            queue_name: "active".to_owned(),
            queue_id: active.id.as_str().to_owned(),
            nexthop: delivery.nexthop.as_ref().to_owned(),
            mode: active.mode,
            message: active.envelope_for(&delivery.recipients),
            times,
            client: active.client.clone(),
            recipients: delivery.recipients.clone(),
        })
    }

    /// Takes what a connection to an agent has to say.
    pub(crate) fn heard(&mut self, transport: Key<Transport<Delivery>>, link: Key<Link>, report: Report) {
        let now = self.now();
        let Some(pool) = self.pools.get_mut(&transport) else { return };
        match report {
            Report::Ready(credit) => pool.ready(link, credit, now),
            Report::Finished(results) => {
                for result in results {
                    self.finished(transport, link, result, now);
                }
            }
            Report::Closed => {
                let lost = pool.lose(link).unwrap_or_default();
                self.lost(transport, lost);
            }
            Report::Broken(error) => match pool.lose(link) {
                None => self.unavailable(transport, &error),
                Some(lost) => {
                    if !lost.is_empty() {
                        warn!("transport {}: {error}", self.name(transport));
                    }
                    self.lost(transport, lost);
                }
            },
        }
    }

    fn finished(&mut self, transport: Key<Transport<Delivery>>, link: Key<Link>, result: Finished, now: Tick) {
        let Some(pool) = self.pools.get_mut(&transport) else { return };
        let Some(entry) = pool.finished(link, result.number, now) else { return };
        let feedback = match result.unreachable {
            None => Feedback::Reached,
            Some(why) => Feedback::Unreachable(Why {
                status: why.status,
                reason: format!("delivery temporarily suspended: {}", why.reason),
            }),
        };
        self.end(entry, feedback, result.remains);
    }

    /// Ends a delivery, and sends what waited for a dead destination another way.
    fn end(&mut self, entry: Key<Entry<Delivery>>, feedback: Feedback, remains: Remains) {
        let why = match &feedback {
            Feedback::Unreachable(why) => Some(why.clone()),
            Feedback::Reached | Feedback::Unknown => None,
        };
        let now = self.now();
        let Some((delivery, evicted)) = self.schedule.finish(entry, feedback, now) else { return };
        let recipients = delivery.recipients.len();
        self.recipients = self.recipients.saturating_sub(recipients);
        self.leave_stock(delivery.transport, recipients);
        if let Some(active) = self.messages.get_mut(&delivery.message) {
            active.pending = active.pending.saturating_sub(recipients);
            active.leave(remains);
        }
        if let Some(why) = why {
            self.suspend(evicted, &why);
        }
        self.refill(delivery.message);
        self.settle_if_done(delivery.message);
    }

    /// Has the retry transport note deliveries that cannot take place now.
    fn suspend(&mut self, deliveries: Vec<Delivery>, why: &Why) {
        let route = Route::defer(&why.status, &why.reason);
        let retry = self.transport(RETRY);
        for mut delivery in deliveries {
            let number = delivery.message;
            self.leave_stock(delivery.transport, delivery.recipients.len());
            if delivery.transport == retry || self.schedule.dead_transport(retry).is_some() {
                self.give_up(number, delivery.recipients.len());
                self.settle_if_done(number);
                continue;
            }
            let destination = route::destination(&route, b"", 0);
            delivery.transport = retry;
            self.take_stock(number, retry, delivery.recipients.len());
            delivery.nexthop = Arc::clone(&route.nexthop);
            delivery.lost = false;
            let queued = self.now();
            self.schedule.add((retry, &destination), (number, queued), delivery);
        }
    }

    fn unavailable(&mut self, transport: Key<Transport<Delivery>>, error: &ipc::Error) {
        if let ipc::Error::Connect { service, source } = error {
            warn!("connect to transport {service}: {source}");
        } else {
            warn!("transport {}: {error}", self.name(transport));
        }
        self.bury(transport, "mail transport unavailable");
    }

    fn bury(&mut self, transport: Key<Transport<Delivery>>, reason: &str) {
        if self.schedule.dead_transport(transport).is_some() {
            return;
        }
        let why = Why { status: "4.3.0".to_owned(), reason: reason.to_owned() };
        let until = self.now() + ticks(self.settings.params.qmgr.transport_retry_time);
        let evicted = self.schedule.bury_transport(transport, why.clone(), until);
        self.suspend(evicted, &why);
    }

    /// An agent went away without answering. One that has ended in good order has not seen these deliveries, so they are
    /// given to another, except for recipients that are done; a second time the transport is at fault.
    fn lost(&mut self, transport: Key<Transport<Delivery>>, entries: Vec<Key<Entry<Delivery>>>) {
        let (mut failed, is_draining) = (false, self.is_draining());
        for key in entries {
            let Some(delivery) = self.schedule.entry_mut(key) else { continue };
            if std::mem::replace(&mut delivery.payload.lost, true) && !is_draining {
                failed = true;
                self.end(key, Feedback::Unknown, Remains::Some);
                continue;
            }
            let offsets: Vec<i64> = delivery.payload.recipients.iter().map(|recipient| recipient.offset).collect();
            let number = delivery.payload.message;
            let Some(active) = self.messages.get_mut(&number) else { continue };
            active.agents = Agents::Lost;
            let id = active.id.clone();
            self.intake
                .put(move |spool| Event::Checked { entry: key, result: disk::still_to_do(spool, &id, &offsets) });
        }
        if failed {
            warn!(
                "transport {} failure -- see a previous warning/fatal/panic logfile record for the problem description",
                self.name(transport)
            );
            self.bury(transport, "unknown mail transport error");
        }
    }

    /// Goes on with a delivery that was lost, with the recipients that are not done.
    pub(crate) fn checked(&mut self, entry: Key<Entry<Delivery>>, result: Result<Vec<bool>, Error>) {
        let Ok(open) = result else { return self.end(entry, Feedback::Unknown, Remains::Some) };
        let Some(delivery) = self.schedule.entry_mut(entry).map(|entry| &mut entry.payload) else { return };
        let before = delivery.recipients.len();
        let mut open = open.into_iter();
        delivery.recipients.retain(|_| open.next().unwrap_or(true));
        let (left, number, transport) = (delivery.recipients.len(), delivery.message, delivery.transport);
        self.recipients = self.recipients.saturating_sub(before - left);
        self.leave_stock(transport, before - left);
        if let Some(active) = self.messages.get_mut(&number) {
            active.pending = active.pending.saturating_sub(before - left);
        }
        match left {
            0 => self.end(entry, Feedback::Unknown, Remains::Nothing),
            _ if self.is_draining() => self.leave(entry),
            _ => self.schedule.put_back(entry),
        }
    }

    /// Leaves a delivery to the next queue manager, which finds the message in the active queue: here it is not done.
    fn leave(&mut self, entry: Key<Entry<Delivery>>) {
        let now = self.now();
        if let Some((delivery, _)) = self.schedule.finish(entry, Feedback::Unknown, now) {
            self.leave_stock(delivery.transport, delivery.recipients.len());
        }
    }

    fn name(&self, transport: Key<Transport<Delivery>>) -> &str {
        self.schedule.transport(transport).map_or("", |transport| &transport.name)
    }
}
