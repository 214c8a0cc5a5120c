//! verify(8): remembers which addresses are deliverable.
//!
//! # Description
//!
//! smtpd(8) asks it about addresses for `reject_unverified_recipient` and `reject_unverified_sender`. It answers from `address_verify_map`, or
//! sends a probe: a message that agents do not deliver, but report what would have happened. Good news is kept for
//! `address_verify_positive_expire_time`, bad news for `address_verify_negative_expire_time`; both are refreshed before that.
use std::process::ExitCode;

fn main() -> ExitCode {
    service::run::<verify::Verify>()
}
