//! Dates of header fields.

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// Dates in the time zone of this host, which is read once, before the jail.
#[derive(Debug, Clone)]
pub struct Dates(TimeZone);

impl Dates {
    /// Reads the time zone.
    #[must_use]
    pub fn of_this_host() -> Self {
        Self(time_zone::local())
    }

    /// This moment, in the form of [`ipc::post::DATE`].
    #[must_use]
    pub fn now(&self) -> String {
        Timestamp::now().to_zoned(self.0.clone()).strftime(ipc::post::DATE).to_string()
    }
}
