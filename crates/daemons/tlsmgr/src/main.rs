//! tlsmgr(8): keeps the keys of TLS session tickets.
//!
//! # Description
//!
//! smtpd(8) processes resume each other's sessions by tickets, whose keys are made and changed here. A key makes tickets for
//! `smtpd_tls_session_cache_timeout`, and those are accepted for as long again. Keys are in memory only: after a restart clients do
//! full handshakes. There is no cache of sessions, so that `smtpd_tls_session_cache_database` need not be set.
use std::process::ExitCode;

fn main() -> ExitCode {
    service::run::<tlsmgr::Tlsmgr>()
}
