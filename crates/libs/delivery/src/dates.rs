//! Dates of header fields.

use jiff::Zoned;
use jiff::tz::TimeZone;

/// Dates in the time zone of this host, which is read once, before the jail.
#[derive(Debug, Clone)]
pub struct Dates(TimeZone);

impl Dates {
    /// Reads the time zone.
    #[must_use]
    pub fn of_this_host() -> Self {
        Self(TimeZone::system())
    }

    /// This moment, in the form of [`ipc::post::DATE`].
    #[must_use]
    pub fn now(&self) -> String {
        Zoned::now().with_time_zone(self.0.clone()).strftime(ipc::post::DATE).to_string()
    }
}
