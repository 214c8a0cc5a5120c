//! smtpd(8): receives mail by SMTP.
//!
//! # Description
//!
//! Answers clients, decides by its restriction lists who may send what to whom, and hands accepted messages to cleanup(8), or to a filter
//! before the queue (`smtpd_proxy_filter`). One process serves many sessions.
//!
//! Restrictions are checked at the stages `smtpd_client_restrictions`, `smtpd_helo_restrictions`, `smtpd_sender_restrictions`,
//! `smtpd_relay_restrictions`, `smtpd_recipient_restrictions`, `smtpd_data_restrictions` and `smtpd_end_of_data_restrictions`; with
//! `smtpd_delay_reject` the first ones wait for a recipient. A list ends at the first permission or refusal. A look-up that fails
//! defers, and never permits. By default mail is relayed for `mynetworks` and for clients that have authenticated, and no others.
//!
//! TLS is offered as `smtpd_tls_security_level` says, authentication as `smtpd_sasl_auth_enable` and `smtpd_sasl_type` say. Mail filters
//! are those of `smtpd_milters`.
//!
//! # Standards
//!
//! RFC 5321, 1870 (SIZE), 2034 and 3463 (status codes), 2920 (PIPELINING), 3030 (CHUNKING), 3207 (STARTTLS), 3461 (DSN), 4954 (AUTH), 6152 (8BITMIME),
//! 6531 (SMTPUTF8).
use std::process::ExitCode;

fn main() -> ExitCode {
    service::run::<smtpd::Smtpd>()
}
