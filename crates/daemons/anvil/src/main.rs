//! anvil(8): counts connections and requests of clients.
//!
//! # Description
//!
//! smtpd(8) tells it of every connection, message, recipient, STARTTLS and AUTH of a client, and learns how many there have been within
//! `anvil_rate_time_unit`. Limits themselves are those of smtpd(8), such as `smtpd_client_connection_rate_limit`. Counts
//! are in memory: they begin anew with the process. The largest are logged every `anvil_status_update_time`.
use std::process::ExitCode;

fn main() -> ExitCode {
    service::run::<anvil::Anvil>()
}
