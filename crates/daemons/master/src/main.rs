//! master(8): supervises the daemons.
//!
//! # Synopsis
//!
//!     master [-Dditvw] [-c DIR] [-e SECONDS]
//!
//! # Description
//!
//! Opens the sockets that master.cf names, starts the programs behind them on demand and up to their limits, hands each of them its
//! sockets and takes back its status, wakes services up at their intervals, and starts again what has failed, after
//! `service_throttle_time`. It is started by postfix(1), not by hand. It never touches mail and reads no byte of a client.
//!
//! # Options
//!
//! - `-c DIR`: the configuration directory.
//! - `-d`: do not become a daemon.
//! - `-e SECONDS`: end after a time.
//! - `-i`: as process 1 of a container.
//! - `-t`: only see whether another master runs.
//! - `-v`: be verbose.
//! - `-w`: wait until the new process is ready.
//!
//! # Signals
//!
//! - `HUP`: read the configuration anew; services whose entries are the same keep their sockets.
//! - `TERM`: end, and have all daemons end.
//!
//! # Files
//!
//! - `/etc/postfix/master.cf`: the services.
//! - `/var/spool/postfix/pid/master.pid`: the process id, and the lock.
use std::process::ExitCode;

fn main() -> ExitCode {
    master::run()
}
