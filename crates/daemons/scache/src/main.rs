//! scache(8): a service for master.cf files that name it.
//!
//! # Description
//!
//! smtp(8) keeps connections in the process that made them, which serves many deliveries, and needs no server for that. What
//! connects here is told nothing and let go, so that a master.cf that names the service works as it is.

use std::process::ExitCode;

fn main() -> ExitCode {
    service::run::<scache::Scache>()
}
