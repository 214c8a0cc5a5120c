//! smtp(8): delivers mail by SMTP and LMTP.
//!
//! # Synopsis
//!
//!     smtp [flags=FLAGS]
//!
//! # Description
//!
//! A next hop is a domain, whose mail servers are looked up, a host in brackets, or `host:port`; for LMTP also `unix:PATH` and
//! `inet:host:port`. Servers are tried in the order of their preference until every recipient has an outcome. Connections are kept for
//! a while where `smtp_connection_cache_on_demand` finds mail waiting. TLS is used as `smtp_tls_security_level` and
//! `smtp_tls_policy_maps` say: from `may` over `dane` to `secure`. A server that wants authentication gets what
//! `smtp_sasl_password_maps` has for it.
//!
//! A 4xx reply, a time limit or a lost connection defers; a 5xx reply returns the recipient; a failed greeting tries the next server.
//! Under the name `lmtp` it speaks LMTP and reads the parameters that begin with `lmtp_`.
//!
//! # Attributes
//!
//! - `flags=`: letters: `D` prepend Delivered-To and return mail that has it for the recipient, `O` prepend X-Original-To, `R` prepend Return-Path, `X` the delivery is final. `D` and `O` need `NAME_destination_recipient_limit = 1`.

use std::process::ExitCode;

fn main() -> ExitCode {
    service::run::<smtp::Smtp>()
}
