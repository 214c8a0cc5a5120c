//! How mail that a daemon takes in is treated.

use config::Overrides;
use config::params::Identity;
use ipc::cleanup::{Handling, Origin};

/// How mail of an origin is treated, with what `receive_override_options` leaves out and `smtputf8_autodetect_classes` adds.
#[must_use]
pub fn handling(origin: Origin, overrides: Overrides, identity: &Identity) -> Handling {
    let mapping = (!overrides.no_mappings()).into();
    Handling {
        checks: (!overrides.no_checks()).into(),
        mapping,
        bcc: mapping,
        milters: (!overrides.no_milters()).into(),
        autodetect: origin.is_among(&identity.smtputf8_autodetect_classes).into(),
        ..Handling::usual(origin)
    }
}
