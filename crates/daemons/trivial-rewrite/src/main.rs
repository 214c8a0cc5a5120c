//! trivial-rewrite(8): rewrites addresses, and says where mail for them goes.
//!
//! # Description
//!
//! Rewrites addresses to standard form: `user` becomes `user@$myorigin`, `user@host` without a dot gets `$mydomain` where
//! `append_dot_mydomain` says so, `%` and `!` forms become addresses. It resolves an address to a transport, a next hop and a recipient:
//! `transport_maps` first, then the class of its domain: local (`mydestination`), virtual alias, virtual mailbox, relay or default.
//! `relayhost` and `sender_dependent_default_transport_maps` say where default mail goes. Table changes are taken up while it runs.

use std::process::ExitCode;

fn main() -> ExitCode {
    service::run::<trivial_rewrite::TrivialRewrite>()
}
