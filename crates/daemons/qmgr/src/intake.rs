//! From a file to deliveries: arrivals are admitted, recipients resolved and grouped by destination.

use crate::agent::Pool;
use crate::arena::Key;
use crate::disk::{self, Admission, Rules};
use crate::engine::{Delivery, Engine, Event};
use crate::message::{Active, recipient};
use crate::route::{self, RETRY, Route};
use crate::schedule::{Limits, MessageNumber, Transport};
use crate::settings::Family;
use crate::settle;
use crate::stock::{Room, Standing, Stock};
use ipc::deliver::{Mode, RECIPIENTS, Recipient, Remains};
use ipc::qmgr::Arrival;
use ipc::rewrite::{Purpose, Reply, Request};
use maillog::line::{Delays, Delivery as Line};
use queue_file::{Error, Position, QueueName, Time};
use std::collections::HashMap;
use std::sync::Arc;
use tracing::{info, warn};

/// Recipients of one delivery and how they got together.
struct Group {
    transport: Key<Transport<Delivery>>,
    destination: Vec<u8>,
    nexthop: Arc<str>,
    recipients: Vec<Recipient>,
    /// Bytes that they take in a request.
    weight: usize,
}

/// A transport, the destination that counts, the next hop.
type Opened = (Key<Transport<Delivery>>, Vec<u8>, Arc<str>);

impl Engine {
    /// Admits what cleanup has committed, as far as there is room; the rest stays for the next scan.
    pub(crate) fn arrived(&mut self, arrivals: Vec<Arrival>) {
        for arrival in arrivals {
            if self.room() == 0 || !self.is_open() {
                self.scans.ask(QueueName::Incoming, Rules::default());
                continue;
            }
            self.underway += 1;
            let rules = self.rules();
            self.intake.put(move |spool| Event::Admitted(disk::admit_arrival(spool, &arrival, rules)));
        }
    }

    pub(crate) fn admitted(&mut self, admission: Admission) {
        match admission {
            Admission::Active { id, message, handling } => {
                let count = message.sizes.unwrap_or_default().recipient_count;
                let (mut active, mut recipients) = Active::new(id, *message, Time::now().as_microseconds(), handling);
                if self.settings.params.lifetimes.confirm_delay_cleared {
                    active.confirm_delay_cleared();
                }
                info!(
                    "{}: from=<{}>, size={}, nrcpt={count} (queue active)",
                    active.id,
                    self.settings.log_form.shown(&active.envelope.sender),
                    active.envelope.size,
                );
                active.redirect(&mut recipients);
                let number = self.enter(active);
                self.resolve(number, recipients);
            }
            Admission::Passed => {}
            Admission::Busy(id) => info!("{id}: skipped, still being delivered"),
            Admission::Corrupt(id, error) => {
                warn!("{id}: {error}");
                settle::log_corrupt(&id);
            }
            Admission::Failed(id, error) => {
                warn!("{id}: {error}");
                self.put_off(id);
            }
        }
    }

    /// Finds routes for recipients: from memory where all are known, else from trivial-rewrite.
    pub(crate) fn resolve(&mut self, number: MessageNumber, recipients: Vec<Recipient>) {
        let now = self.now();
        let Some(active) = self.messages.get_mut(&number) else { return };
        if active.handling.expire.is_some() {
            return self.let_expire(number, recipients);
        }
        active.pending += recipients.len();
        self.recipients += recipients.len();
        let purpose = purpose(active);
        let known: Option<Vec<Route>> =
            recipients.iter().map(|recipient| self.cache.find(purpose, &recipient.address, now)).collect();
        if let Some(routes) = known {
            self.place(number, recipients.into_iter().zip(routes).collect());
            // A file may come with all recipients done: a crash came between the last mark and the removal.
            return self.settle_if_done(number);
        }
        active.busy = true;
        let requests: Vec<Request> = recipients
            .iter()
            .map(|recipient| Request::Resolve {
                purpose,
                sender: active.envelope.sender.clone(),
                address: recipient.address.clone(),
            })
            .collect();
        let (rewrite, events) = (self.rewrite.clone(), self.events.clone());
        tokio::spawn(async move {
            let mut answers = Vec::with_capacity(requests.len());
            for chunk in requests.chunks(256) {
                let calls = chunk.iter().map(|request| rewrite.call(request.clone()));
                answers.extend(futures_util::future::join_all(calls).await);
            }
            let answers = answers.into_iter().map(|answer| match answer {
                Ok(reply) => Some(reply),
                Err(error) => {
                    warn!("{error}");
                    None
                }
            });
            let _ =
                events.send(Event::Resolved { message: number, routes: recipients.into_iter().zip(answers).collect() });
        });
    }

    /// Tries no recipient of a message that an admin has let expire; who has no reason on record gets that one.
    fn let_expire(&mut self, number: MessageNumber, recipients: Vec<Recipient>) {
        let Some(active) = self.messages.get_mut(&number) else { return };
        let Some(excused) = &active.handling.expire else { return };
        let given = recipients.len();
        let rest = recipients.into_iter().filter(|recipient| !excused.contains(&recipient.offset));
        let expired = || Route::defer("4.7.0", "message is administratively expired");
        let routes: Vec<_> = rest.map(|recipient| (recipient, expired())).collect();
        if routes.len() < given {
            active.leave(Remains::Some);
        }
        active.pending += routes.len();
        self.recipients += routes.len();
        self.place(number, routes);
        self.settle_if_done(number);
    }

    /// Takes the answers of trivial-rewrite.
    pub(crate) fn resolved(&mut self, number: MessageNumber, answers: Vec<(Recipient, Option<Reply>)>) {
        let now = self.now();
        let Some(active) = self.messages.get_mut(&number) else { return };
        active.busy = false;
        let purpose = purpose(active);
        let params = &self.settings.params;
        let (error_service, allow) = (&params.ipc.error_service_name, params.rewrite.allow_min_user);
        let mut routes = Vec::with_capacity(answers.len());
        for (recipient, reply) in answers {
            if let Some(Reply::Resolved(resolved)) = &reply {
                self.cache.keep(purpose, &recipient.address, resolved, now);
            }
            let route = route::judge(&recipient.address, reply, error_service, allow);
            routes.push((recipient, route));
        }
        self.place(number, routes);
        self.settle_if_done(number);
    }

    /// Groups recipients into deliveries and hands these to the scheduler.
    fn place(&mut self, number: MessageNumber, mut routes: Vec<(Recipient, Route)>) {
        route::sort(&mut routes);
        let mut groups: Vec<Group> = Vec::new();
        let mut index: HashMap<(Key<Transport<Delivery>>, Vec<u8>), usize> = HashMap::new();
        // Who only asks gets an answer from the delivery agent.
        let real = self.messages.get(&number).is_some_and(|active| !matches!(active.mode, Mode::Probe | Mode::Expand));
        for (mut recipient, route) in routes {
            let route = route.or_filter(self.filter(number, &recipient));
            let sender = &self.settings.params.identity.double_bounce_sender;
            if real && route.is_discarded(sender, &recipient.address) {
                self.discard(number, &recipient);
                continue;
            }
            if let Some(address) = &route.recipient {
                recipient.address = address.clone();
            }
            let Some((transport, destination, nexthop)) = self.open_route(number, &recipient.address, route) else {
                self.give_up(number, 1);
                continue;
            };
            let own_sender = self.messages.get(&number).is_some_and(|active| active.sender_of_its_own());
            let limit = self.pools.get(&transport).map_or(0, |pool| if own_sender { 1 } else { pool.recipient_limit });
            let at = *index.entry((transport, destination.clone())).or_insert(groups.len());
            if at == groups.len() {
                groups.push(Group { transport, destination, nexthop, recipients: Vec::new(), weight: 0 });
            }
            let Some(group) = groups.get_mut(at) else { continue };
            group.weight += recipient.weight();
            group.recipients.push(recipient);
            if (limit > 0 && group.recipients.len() >= limit) || group.weight >= RECIPIENTS {
                group.weight = 0;
                let recipients = std::mem::take(&mut group.recipients);
                self.add(number, group, recipients);
            }
        }
        for mut group in groups {
            let recipients = std::mem::take(&mut group.recipients);
            if !recipients.is_empty() {
                self.add(number, &group, recipients);
            }
        }
        self.expect_more(number);
    }

    fn add(&mut self, number: MessageNumber, group: &Group, recipients: Vec<Recipient>) {
        let queued = self.now();
        let (transport, nexthop) = (group.transport, Arc::clone(&group.nexthop));
        self.take_stock(number, transport, recipients.len());
        let delivery = Delivery { message: number, transport, nexthop, recipients, lost: false };
        self.schedule.add((transport, &group.destination), (number, queued), delivery);
    }

    /// The transport and destination of a route, or of its replacement where these are out of order.
    fn open_route(&mut self, number: MessageNumber, address: &[u8], mut route: Route) -> Option<Opened> {
        let flush = self.messages.get(&number)?.handling.flush;
        if self.settings.is_deferred(&route.transport) && !flush {
            route = Route::defer("4.3.2", "deferred transport");
        }
        // At most one replacement: that of the retry transport is to wait.
        for _ in 0..2 {
            let transport = self.transport(&route.transport);
            let limit = self.pools.get(&transport).map_or(0, |pool| pool.recipient_limit);
            let destination = route::destination(&route, address, limit);
            let dead = self.schedule.dead_transport(transport);
            match dead.or_else(|| self.schedule.dead_destination(transport, &destination)) {
                None => return Some((transport, destination, route.nexthop)),
                Some(_) if &*route.transport == RETRY => return None,
                Some(why) => route = Route::defer(&why.status, &why.reason),
            }
        }
        None
    }

    /// The transport and next hop of the filter that a message has yet to pass.
    fn filter(&self, number: MessageNumber, recipient: &Recipient) -> Option<(&str, String)> {
        let (transport, nexthop) = self.messages.get(&number)?.filter.as_ref()?;
        let default = &self.settings.params.rewrite.default_filter_nexthop;
        let domain = || {
            let at = recipient.address.iter().rposition(|byte| *byte == b'@');
            let domain = at.and_then(|at| recipient.address.get(at + 1..)).unwrap_or_default();
            String::from_utf8_lossy(domain).into_owned()
        };
        let nexthop = match nexthop.as_str() {
            "" if default.is_empty() => domain(),
            "" => default.clone(),
            nexthop => nexthop.to_owned(),
        };
        Some((transport, nexthop))
    }

    /// A transport, which gets its limits when it is first used.
    pub(crate) fn transport(&mut self, name: &str) -> Key<Transport<Delivery>> {
        if let Some(key) = self.schedule.find_transport(name) {
            return key;
        }
        let family = self.settings.transport(name).unwrap_or_else(|problems| {
            warn!("{problems}");
            Family { limits: Limits::default(), recipient_limit: 50, stock: Stock::default() }
        });
        let key = self.schedule.add_transport(name, family.limits.clone());
        self.pools.insert(key, Pool::new(key, name, family));
        key
    }

    /// Postmaster notices that could not be delivered end here, so that no delivery agent is needed for them.
    fn discard(&mut self, number: MessageNumber, recipient: &Recipient) {
        self.recipients = self.recipients.saturating_sub(1);
        let Some(active) = self.messages.get_mut(&number) else { return };
        active.pending = active.pending.saturating_sub(1);
        let times = active.times;
        let line = Line {
            queue_id: active.id.as_str(),
            to: String::from_utf8_lossy(&recipient.address),
            orig_to: String::from_utf8_lossy(&recipient.original),
            relay: "none",
            conn_use: 0,
            delays: Delays::between(times.arrived, times.active, 0, None, Time::now().as_microseconds()),
            resolution: crate::settings::count(self.settings.params.queue.delay_logging_resolution_limit),
            tls: None,
            dsn: "2.0.0".into(),
            status: "sent",
            text: "undeliverable postmaster notification discarded".into(),
        };
        info!("{line}");
        let (id, offset) = (active.id.clone(), recipient.offset);
        self.outlet.put_for(number, move |spool| {
            let marked = spool.open(QueueName::Active, &id).and_then(|file| queue_file::mark_done(&file, offset));
            if let Err(error) = marked {
                warn!("{id}: {error}");
            }
            Event::Done
        });
    }

    /// Recipients for which nothing can be done now, not even a note: they are tried again.
    pub(crate) fn give_up(&mut self, number: MessageNumber, recipients: usize) {
        self.recipients = self.recipients.saturating_sub(recipients);
        if let Some(active) = self.messages.get_mut(&number) {
            active.pending = active.pending.saturating_sub(recipients);
            active.leave(Remains::Some);
        }
    }

    /// So many recipients of a message are in memory for a transport from now on.
    pub(crate) fn take_stock(&mut self, number: MessageNumber, transport: Key<Transport<Delivery>>, recipients: usize) {
        if let Some(pool) = self.pools.get_mut(&transport) {
            pool.stock.held += recipients;
        }
        if let Some(active) = self.messages.get_mut(&number)
            && !active.transports.contains(&transport)
        {
            active.transports.push(transport);
        }
    }

    /// So many are no longer.
    pub(crate) fn leave_stock(&mut self, transport: Key<Transport<Delivery>>, recipients: usize) {
        if let Some(pool) = self.pools.get_mut(&transport) {
            pool.stock.held = pool.stock.held.saturating_sub(recipients);
        }
    }

    /// Reads more recipients of a message when some have been dealt with.
    pub(crate) fn refill(&mut self, number: MessageNumber) {
        let free = self.settings.recipient_limit().saturating_sub(self.recipients);
        let least = self.settings.recipient_minimum();
        let now = self.now();
        let Some(active) = self.messages.get(&number) else { return };
        let Some(from) = active.more.filter(|_| !active.busy) else { return };
        let overtakes = |key| self.schedule.has_overtaken(key, number);
        let pool = |key: &Key<_>| self.pools.get(key).map(|pool| (&pool.stock, overtakes(*key)));
        let room = Room::of(active.transports.iter().filter_map(pool));
        let standing = Standing { pending: active.pending, least, since: active.read, now };
        let most = room.map_or(Some(free.max(least)), |room| room.refill(free, standing));
        let Some(most) = most.map(|most| most.min(20_000)) else { return };
        let Some(active) = self.messages.get_mut(&number) else { return };
        active.busy = true;
        active.read = now;
        let id = active.id.clone();
        self.intake.put(move |spool| Event::Refilled { message: number, result: disk::refill(spool, &id, from, most) });
    }

    pub(crate) fn refilled(
        &mut self,
        number: MessageNumber,
        result: Result<(Vec<queue_file::Recipient>, Option<Position>), Error>,
    ) {
        let Some(active) = self.messages.get_mut(&number) else { return };
        active.busy = false;
        match result {
            Ok((recipients, more)) => {
                active.more = more;
                active.unread = if more.is_some() { active.unread.saturating_sub(recipients.len()).max(1) } else { 0 };
                let recipients = recipients.into_iter().map(recipient).collect();
                self.resolve(number, recipients);
            }
            Err(error) => {
                if !error.is_gone() {
                    warn!("{}: {error}", active.id);
                }
                active.more = None;
                active.unread = 0;
                active.leave(if error.is_malformed() { Remains::Damaged } else { Remains::Some });
            }
        }
        self.settle_if_done(number);
    }

    fn expect_more(&mut self, number: MessageNumber) {
        let Some(active) = self.messages.get(&number) else { return };
        if active.unread > 0 {
            let unread = u32::try_from(active.unread).unwrap_or(u32::MAX);
            for transport in self.pools.keys() {
                self.schedule.expect_more(*transport, number, unread);
            }
        }
    }
}

fn purpose(active: &Active) -> Purpose {
    if active.mode == Mode::Probe { Purpose::Verify } else { Purpose::Deliver }
}
