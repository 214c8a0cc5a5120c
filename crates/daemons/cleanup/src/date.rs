//! Dates as headers and message ids have them.

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// `Sat, 01 Aug 2026 11:12:19 +0000 (UTC)`
pub(crate) fn header_date(now: Timestamp, zone: &TimeZone) -> String {
    now.to_zoned(zone.clone()).strftime(ipc::post::DATE).to_string()
}

/// `20260801111219`, in UTC.
pub(crate) fn message_id_date(now: Timestamp) -> String {
    now.to_zoned(TimeZone::UTC).strftime("%Y%m%d%H%M%S").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_have_two_digits() {
        let time = Timestamp::from_second(1_785_582_739).unwrap();
        assert_eq!(header_date(time, &TimeZone::UTC), "Sat, 01 Aug 2026 11:12:19 +0000 (UTC)");
        assert_eq!(message_id_date(time), "20260801111219");
    }
}
