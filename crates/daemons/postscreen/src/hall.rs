//! Counts those who are here: clients being screened, clients waiting for smtpd(8), and connections of each. Pure.

use std::collections::HashMap;
use std::net::IpAddr;

/// Everybody who is here.
#[derive(Debug)]
pub struct Hall {
    clients: HashMap<IpAddr, Guest>,
    /// All clients.
    here: usize,
    /// Those of them that wait for smtpd(8).
    waiting: usize,
    stress: Marks,
    stressed: bool,
}

/// What is known of a client with a connection.
#[derive(Debug, Default)]
struct Guest {
    connections: u32,
    /// It was called new in the log already.
    told: bool,
}

/// Between which numbers of clients stress begins and ends.
#[derive(Debug, Clone, Copy)]
struct Marks {
    high: usize,
    low: usize,
}

/// Stress begins or ends, with so many clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    /// From now on waits are shorter.
    Stressed(usize),
    /// They are as usual again.
    Calm(usize),
}

/// Where a session counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Being screened.
    Screened,
    /// Waiting for a free smtpd(8).
    Waiting,
}

impl Hall {
    /// Nobody yet. `limit` is `postscreen_pre_queue_limit`.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        let stress = Marks { high: limit * 9 / 10, low: limit * 7 / 10 };
        Self { clients: HashMap::new(), here: 0, waiting: 0, stress, stressed: false }
    }

    /// A client comes; how many connections it has now.
    pub fn enter(&mut self, client: IpAddr) -> (u32, Option<Mood>) {
        let guest = self.clients.entry(client).or_default();
        guest.connections += 1;
        let connections = guest.connections;
        self.here += 1;
        let begins = !self.stressed && self.here >= self.stress.high;
        self.stressed |= begins;
        (connections, begins.then_some(Mood::Stressed(self.here)))
    }

    /// A client was handed to smtpd(8), which has not taken it yet.
    pub fn hand_over(&mut self) {
        self.waiting += 1;
    }

    /// A client leaves, or was taken by smtpd(8).
    pub fn leave(&mut self, client: IpAddr, from: Place) -> Option<Mood> {
        if let Some(guest) = self.clients.get_mut(&client) {
            guest.connections = guest.connections.saturating_sub(1);
            if guest.connections == 0 {
                self.clients.remove(&client);
            }
        }
        if from == Place::Waiting {
            self.waiting = self.waiting.saturating_sub(1);
        }
        self.here = self.here.saturating_sub(1);
        let ends = self.stressed && self.here <= self.stress.low;
        self.stressed &= !ends;
        ends.then_some(Mood::Calm(self.here))
    }

    /// Clients being screened.
    #[must_use]
    pub fn screened(&self) -> usize {
        self.here.saturating_sub(self.waiting)
    }

    /// Clients waiting for smtpd(8).
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting
    }

    /// Whether there are too many.
    #[must_use]
    pub fn is_stressed(&self) -> bool {
        self.stressed
    }

    /// Whether a client that passes has not been called new before, in all its connections of now.
    pub fn is_told(&mut self, client: IpAddr) -> bool {
        self.clients.get_mut(&client).is_some_and(|guest| std::mem::replace(&mut guest.told, true))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLIENT: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    #[test]
    fn stress_begins_at_nine_tenths_and_ends_at_seven() {
        let mut hall = Hall::new(10);
        let moods: Vec<_> = (0..10).filter_map(|_| hall.enter(CLIENT).1).collect();
        assert_eq!((moods, hall.is_stressed()), (vec![Mood::Stressed(9)], true));
        hall.hand_over();
        assert_eq!((hall.screened(), hall.waiting()), (9, 1));
        let moods = [Place::Screened, Place::Waiting, Place::Screened].map(|place| hall.leave(CLIENT, place));
        assert_eq!(moods, [None, None, Some(Mood::Calm(7))]);
        assert_eq!((hall.screened(), hall.waiting(), hall.is_stressed()), (7, 0, false));
    }

    #[test]
    fn a_client_counts_until_smtpd_has_taken_it() {
        let mut hall = Hall::new(100);
        assert_eq!(hall.enter(CLIENT).0, 1);
        assert_eq!(hall.enter(CLIENT).0, 2);
        assert_eq!([hall.is_told(CLIENT), hall.is_told(CLIENT)], [false, true]);
        hall.hand_over();
        let _ = hall.leave(CLIENT, Place::Waiting);
        let _ = hall.leave(CLIENT, Place::Screened);
        assert!(hall.clients.is_empty() && hall.screened() == 0 && hall.waiting() == 0);
        assert_eq!((hall.enter(CLIENT).0, hall.is_told(CLIENT)), (1, false));
    }
}
