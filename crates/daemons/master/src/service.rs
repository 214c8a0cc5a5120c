//! One service: its entry in master.cf, its sockets, its processes, its timer.

use crate::Fatal;
use crate::listen::{self, Listener, Place};
use crate::pool::Pool;
use crate::settings::Settings;
use config::master_cf::{Entry, Kind};
use std::time::{Duration, Instant};

/// A service, running.
#[derive(Debug)]
pub(crate) struct Service {
    pub(crate) entry: Entry,
    pub(crate) listeners: Vec<Listener>,
    pub(crate) pool: Pool,
    /// When it is woken up next.
    pub(crate) next_wakeup: Option<Instant>,
}

impl Service {
    /// Opens its sockets. It is woken up at once, unless only after its first use.
    pub(crate) fn open(entry: &Entry, settings: &Settings, now: Instant) -> Result<Self, Fatal> {
        let places = listen::places(entry, settings)?;
        let listeners = places.into_iter().map(|place| listen::open(place, settings)).collect::<Result<_, _>>()?;
        Ok(Self {
            entry: entry.clone(),
            listeners,
            pool: Pool::new(settings.shares(entry), settings.throttle_time()),
            next_wakeup: first_wakeup(entry, now),
        })
    }

    /// Goes on with another entry of the same name and type; sockets that stay where they were stay open. Returns the
    /// processes that are to finish.
    pub(crate) fn renew(&mut self, entry: &Entry, settings: &Settings, now: Instant) -> Result<Vec<u32>, Fatal> {
        let mut places = listen::places(entry, settings)?;
        if entry.kind == Kind::Inet && !self.listens_at(&places) {
            tracing::warn!("service {}: ignoring inet_interfaces change", entry.name);
            tracing::warn!("to change inet_interfaces, stop and start Postfix");
            places = self.places().cloned().collect();
        }
        let missing = places.iter().filter(|place| !self.places().any(|open| open == *place));
        let opened: Vec<_> = missing.map(|place| listen::open(place.clone(), settings)).collect::<Result<_, _>>()?;
        self.listeners.retain(|listener| places.contains(&listener.place));
        self.listeners.extend(opened);
        self.listeners.sort_by_key(|listener| places.iter().position(|place| *place == listener.place));
        self.entry = entry.clone();
        self.next_wakeup = first_wakeup(entry, now);
        Ok(self.pool.renew(settings.shares(entry), settings.throttle_time()))
    }

    fn places(&self) -> impl Iterator<Item = &Place> {
        self.listeners.iter().map(|listener| &listener.place)
    }

    fn listens_at(&self, places: &[Place]) -> bool {
        places.iter().all(|place| self.places().any(|open| open == place))
            && self.places().all(|open| places.contains(open))
    }

    /// Whether this is the service of that entry.
    pub(crate) fn is(&self, entry: &Entry) -> bool {
        (self.entry.name.as_str(), self.entry.kind, self.entry.private)
            == (entry.name.as_str(), entry.kind, entry.private)
    }

    /// Whether there is stress for it: strangers can reach it.
    pub(crate) fn knows_stress(&self) -> bool {
        match self.entry.kind {
            Kind::Inet => !self.places().all(Place::is_of_this_host),
            Kind::Pass => true,
            Kind::Unix | Kind::Fifo | Kind::UnixDgram => false,
        }
    }

    /// A client came: from now on there is something to wake up.
    pub(crate) fn used(&mut self, now: Instant) {
        if let (None, Some(period)) = (self.next_wakeup, period(&self.entry)) {
            self.next_wakeup = Some(now + period);
        }
    }

    /// Whether it is to be woken up now; sets the timer anew.
    pub(crate) fn wakes_up(&mut self, now: Instant) -> bool {
        if self.next_wakeup.is_none_or(|next| next > now) {
            return false;
        }
        self.next_wakeup = period(&self.entry).map(|period| now + period);
        true
    }
}

fn period(entry: &Entry) -> Option<Duration> {
    entry.wakeup.map(|wakeup| wakeup.every).filter(|period| !period.is_zero())
}

fn first_wakeup(entry: &Entry, now: Instant) -> Option<Instant> {
    period(entry)?;
    entry.wakeup.filter(|wakeup| !wakeup.if_used).map(|_| now)
}
