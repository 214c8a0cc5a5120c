//! The time stamp of a line, `Nov 21 10:00:00`, in local time.
//!
//! The zone is read once, before the jail; the text is made once a second.

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// Makes time stamps.
#[derive(Debug)]
pub struct Clock {
    zone: TimeZone,
    second: i64,
    text: String,
}

impl Clock {
    /// Reads the zone of the host: to be called before the jail.
    #[must_use]
    pub fn new() -> Self {
        Self::in_zone(time_zone::local())
    }

    fn in_zone(zone: TimeZone) -> Self {
        Self { zone, second: i64::MIN, text: String::new() }
    }

    /// The stamp for now.
    pub fn now(&mut self) -> &str {
        self.at(Timestamp::now())
    }

    fn at(&mut self, now: Timestamp) -> &str {
        if now.as_second() != self.second {
            self.second = now.as_second();
            self.text = now.to_zoned(self.zone.clone()).strftime("%b %e %H:%M:%S").to_string();
        }
        &self.text
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn day_of_one_digit_is_padded_with_a_space() {
        let mut clock = Clock::in_zone(TimeZone::UTC);
        assert_eq!(clock.at(Timestamp::from_second(0).unwrap()), "Jan  1 00:00:00");
        assert_eq!(clock.at(Timestamp::from_second(1_700_000_000).unwrap()), "Nov 14 22:13:20");
    }
}
