//! The counting: pure, with the time as an argument.

use ipc::anvil::{Event, Reply};
use std::collections::HashMap;
use std::fmt;
use std::time::{Duration, Instant};

/// All clients of the moment.
#[derive(Debug)]
pub struct Tally {
    unit: Duration,
    clients: HashMap<String, Window>,
    peaks: Vec<Peak>,
    swept: Option<Instant>,
}

/// A client's figures since `start`.
#[derive(Debug)]
struct Window {
    start: Instant,
    figures: Reply,
}

/// The largest value of a figure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peak {
    /// Which figure.
    pub what: Figure,
    /// The value.
    pub value: u32,
    /// Whose; empty for the size of the cache.
    pub identity: String,
    /// When.
    pub at: String,
}

/// A figure of the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Figure {
    /// Connections made.
    ConnectionRate,
    /// Connections open.
    ConnectionCount,
    /// MAIL commands.
    MessageRate,
    /// RCPT commands.
    RecipientRate,
    /// New TLS sessions.
    NewTlsRate,
    /// AUTH commands.
    AuthRate,
    /// Clients known.
    CacheSize,
}

const ORDER: [Figure; 7] = [
    Figure::ConnectionRate,
    Figure::ConnectionCount,
    Figure::MessageRate,
    Figure::RecipientRate,
    Figure::NewTlsRate,
    Figure::AuthRate,
    Figure::CacheSize,
];

impl Figure {
    /// Whether it is counted over the rate's time unit.
    #[must_use]
    pub fn is_rate(self) -> bool {
        !matches!(self, Self::ConnectionCount | Self::CacheSize)
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ConnectionRate => "connection rate",
            Self::ConnectionCount => "connection count",
            Self::MessageRate => "message rate",
            Self::RecipientRate => "recipient rate",
            Self::NewTlsRate => "newtls rate",
            Self::AuthRate => "auth rate",
            Self::CacheSize => "cache size",
        })
    }
}

impl Tally {
    /// Counts over windows of `unit`.
    #[must_use]
    pub fn new(unit: Duration) -> Self {
        Self { unit, clients: HashMap::new(), peaks: Vec::new(), swept: None }
    }

    /// Counts an event; its time is of no interest.
    pub fn count(&mut self, identity: &str, event: Event, now: Instant) -> Reply {
        self.count_at(identity, event, now, String::new)
    }

    /// Counts an event, and gives the client's figures; `stamp` makes the text of the time of a new peak.
    pub fn count_at(&mut self, identity: &str, event: Event, now: Instant, stamp: impl FnMut() -> String) -> Reply {
        self.sweep(now);
        if event == Event::Disconnect || event == Event::Report {
            return self.look(identity, event);
        }
        let unit = self.unit;
        if !self.clients.contains_key(identity) {
            self.clients.insert(identity.to_owned(), Window { start: now, figures: Reply::default() });
        }
        let Some(window) = self.clients.get_mut(identity) else { return Reply::default() };
        if now.duration_since(window.start) >= unit {
            let connections = window.figures.connections;
            *window = Window { start: now, figures: Reply { connections, ..Reply::default() } };
        }
        let figures = &mut window.figures;
        let changed: &[(Figure, u32)] = match event {
            Event::Connect => {
                figures.connections += 1;
                figures.connects += 1;
                &[(Figure::ConnectionRate, figures.connects), (Figure::ConnectionCount, figures.connections)]
            }
            Event::Mail => &[(Figure::MessageRate, increment(&mut figures.mails))],
            Event::Rcpt => &[(Figure::RecipientRate, increment(&mut figures.rcpts))],
            Event::NewTls => &[(Figure::NewTlsRate, increment(&mut figures.tls))],
            Event::Auth => &[(Figure::AuthRate, increment(&mut figures.auths))],
            Event::Disconnect | Event::Report => &[],
        };
        let figures = *figures;
        self.peak(changed, identity, stamp);
        figures
    }

    /// The peaks in the order of the report, which then begins anew.
    pub fn take_peaks(&mut self) -> Vec<Peak> {
        let mut peaks = std::mem::take(&mut self.peaks);
        peaks.sort_by_key(|peak| ORDER.iter().position(|figure| *figure == peak.what));
        peaks
    }

    fn look(&mut self, identity: &str, event: Event) -> Reply {
        let Some(window) = self.clients.get_mut(identity) else { return Reply::default() };
        if event == Event::Disconnect {
            window.figures.connections = window.figures.connections.saturating_sub(1);
        }
        window.figures
    }

    fn peak(&mut self, changed: &[(Figure, u32)], identity: &str, mut stamp: impl FnMut() -> String) {
        let size = u32::try_from(self.clients.len()).unwrap_or(u32::MAX);
        let all = changed.iter().map(|(what, value)| (*what, *value, identity)).chain([(Figure::CacheSize, size, "")]);
        for (what, value, identity) in all {
            let known = self.peaks.iter_mut().find(|peak| peak.what == what);
            if known.as_ref().is_some_and(|peak| peak.value >= value) {
                continue;
            }
            let new = Peak { what, value, identity: identity.to_owned(), at: stamp() };
            match known {
                Some(peak) => *peak = new,
                None => self.peaks.push(new),
            }
        }
    }

    /// Forgets, once per unit, clients that have been quiet for one and have nothing open.
    fn sweep(&mut self, now: Instant) {
        if self.swept.is_some_and(|swept| now.duration_since(swept) < self.unit) {
            return;
        }
        self.swept = Some(now);
        let unit = self.unit;
        self.clients.retain(|_, window| window.figures.connections > 0 || now.duration_since(window.start) < unit);
    }
}

fn increment(figure: &mut u32) -> u32 {
    *figure += 1;
    *figure
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNIT: Duration = Duration::from_secs(60);

    #[test]
    fn rates_begin_anew_after_a_unit_and_open_connections_stay() {
        let (mut tally, start) = (Tally::new(UNIT), Instant::now());
        for _ in 0..3 {
            tally.count("smtp:a", Event::Connect, start);
        }
        tally.count("smtp:a", Event::Disconnect, start);
        let figures = tally.count("smtp:a", Event::Mail, start + UNIT);
        assert_eq!((figures.connections, figures.connects, figures.mails), (2, 0, 1));
    }

    #[test]
    fn a_quiet_client_is_forgotten_unless_it_is_connected() {
        let (mut tally, start) = (Tally::new(UNIT), Instant::now());
        tally.count("smtp:gone", Event::Connect, start);
        tally.count("smtp:gone", Event::Disconnect, start);
        tally.count("smtp:here", Event::Connect, start);
        tally.count("smtp:new", Event::Connect, start + UNIT * 2);
        assert!(!tally.clients.contains_key("smtp:gone") && tally.clients.contains_key("smtp:here"));
    }

    #[test]
    fn peaks_are_reported_once_in_order() {
        let (mut tally, now) = (Tally::new(UNIT), Instant::now());
        for identity in ["smtp:a", "smtp:b", "smtp:b"] {
            tally.count(identity, Event::Connect, now);
            tally.count(identity, Event::Rcpt, now);
        }
        let peaks: Vec<_> = tally
            .take_peaks()
            .into_iter()
            .map(|peak| format!("{} {} {}", peak.what, peak.value, peak.identity))
            .collect();
        let expected =
            ["connection rate 2 smtp:b", "connection count 2 smtp:b", "recipient rate 2 smtp:b", "cache size 2 "];
        assert_eq!(peaks, expected);
        assert!(tally.take_peaks().is_empty());
    }

    #[test]
    fn a_stray_disconnect_counts_nothing() {
        let mut tally = Tally::new(UNIT);
        assert_eq!(tally.count("smtp:a", Event::Disconnect, Instant::now()), Reply::default());
    }
}
