//! Counts those who are here: clients being screened, clients waiting for smtpd(8), and connections of each. Pure.

use std::collections::HashMap;
use std::net::IpAddr;

/// Everybody who is here.
#[derive(Debug)]
pub struct Hall {
    clients: HashMap<IpAddr, Guest>,
    screened: usize,
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
        Self { clients: HashMap::new(), screened: 0, waiting: 0, stress, stressed: false }
    }

    /// A client comes; how many connections it has now.
    pub fn enter(&mut self, client: IpAddr) -> (u32, Option<Mood>) {
        let guest = self.clients.entry(client).or_default();
        guest.connections += 1;
        let connections = guest.connections;
        self.screened += 1;
        let begins = !self.stressed && self.screened >= self.stress.high;
        self.stressed |= begins;
        (connections, begins.then_some(Mood::Stressed(self.screened)))
    }

    /// A client was handed to smtpd(8), which has not taken it yet.
    pub fn hand_over(&mut self) -> Option<Mood> {
        self.waiting += 1;
        self.end_screening()
    }

    /// A client leaves, or was taken by smtpd(8).
    pub fn leave(&mut self, client: IpAddr, from: Place) -> Option<Mood> {
        if let Some(guest) = self.clients.get_mut(&client) {
            guest.connections = guest.connections.saturating_sub(1);
            if guest.connections == 0 {
                self.clients.remove(&client);
            }
        }
        match from {
            Place::Screened => self.end_screening(),
            Place::Waiting => {
                self.waiting = self.waiting.saturating_sub(1);
                None
            }
        }
    }

    /// Clients being screened.
    #[must_use]
    pub fn screened(&self) -> usize {
        self.screened
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

    fn end_screening(&mut self) -> Option<Mood> {
        self.screened = self.screened.saturating_sub(1);
        let ends = self.stressed && self.screened <= self.stress.low;
        self.stressed &= !ends;
        ends.then_some(Mood::Calm(self.screened))
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
        assert_eq!([hall.leave(CLIENT, Place::Screened), hall.hand_over()], [None, None]);
        assert_eq!(hall.hand_over(), Some(Mood::Calm(7)));
        assert_eq!((hall.screened(), hall.waiting(), hall.is_stressed()), (7, 2, false));
    }

    #[test]
    fn a_client_counts_until_smtpd_has_taken_it() {
        let mut hall = Hall::new(100);
        assert_eq!(hall.enter(CLIENT).0, 1);
        assert_eq!(hall.enter(CLIENT).0, 2);
        assert_eq!([hall.is_told(CLIENT), hall.is_told(CLIENT)], [false, true]);
        let _ = hall.hand_over();
        let _ = hall.leave(CLIENT, Place::Waiting);
        let _ = hall.leave(CLIENT, Place::Screened);
        assert!(hall.clients.is_empty() && hall.screened() == 0 && hall.waiting() == 0);
        assert_eq!((hall.enter(CLIENT).0, hall.is_told(CLIENT)), (1, false));
    }
}
