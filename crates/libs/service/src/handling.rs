//! How mail that a daemon takes in is treated.

use config::Overrides;
use ipc::cleanup::{Handling, Origin};

/// How mail of an origin is treated, with what `receive_override_options` leaves out; that of the `autodetected` origins (`smtputf8_autodetect_classes`) is looked through for UTF-8.
#[must_use]
pub fn handling(origin: Origin, overrides: Overrides, autodetected: &[String]) -> Handling {
    let mapping = (!overrides.no_mappings()).into();
    Handling {
        checks: (!overrides.no_checks()).into(),
        mapping,
        bcc: mapping,
        milters: (!overrides.no_milters()).into(),
        autodetect: origin.is_among(autodetected).into(),
        ..Handling::usual(origin)
    }
}
