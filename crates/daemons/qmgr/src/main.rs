//! qmgr(8): moves mail from queue to delivery agent.
//!
//! # Description
//!
//! Takes messages from `incoming`, and from `deferred` when their time has come, into `active`; asks trivial-rewrite(8) for the transport and
//! next hop of each recipient; and hands deliveries to agents, in an order that is fair to destinations and to short messages. What
//! an agent defers goes to `deferred`, with a time that grows from `minimal_backoff_time` to `maximal_backoff_time`; what is older
//! than `maximal_queue_lifetime` is returned. A destination that fails again and again is left alone for a while.
//!
//! Limits of a transport are parameters named after it, such as `smtp_destination_concurrency_limit`; those that begin with `default_`
//! hold for the others.
//!
//! # Triggers
//!
//! - `D`: look at the deferred queue.
//! - `I`: look at the incoming queue.
//! - `A`: look at all, whatever their time.
//! - `F`: forget which destinations are down.
//! - `W`: look at messages whose time has come.
//!
//! # Files
//!
//! - `/var/spool/postfix/incoming`, `active`, `deferred`, `hold`, `corrupt`: the queues.
use std::process::ExitCode;

fn main() -> ExitCode {
    service::run::<qmgr::Qmgr>()
}
