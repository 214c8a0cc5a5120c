//! postfix(1): starts, stops and checks the mail system.
//!
//! # Synopsis
//!
//!     postfix [-Dv] [-c DIR] COMMAND
//!
//! # Description
//!
//! Controls the mail system whose configuration is in a directory. Where `multi_instance_enable` and its kin say so, the
//! command is handed to postmulti(1), for all instances. What happens is logged under the name `postfix/postfix-script`.
//!
//! # Commands
//!
//! - `check`: look for wrong owners and modes, and for parameters that have no effect; make missing directories.
//! - `start`: check, then start master(8) in the background. On ext4, an empty queue directory in which daemons create files
//!   changes places, once, with a new one that has a part of the disk to itself, and keeps the attribute `T` of chattr(1).
//! - `start-fg`: the same in the foreground, as for systemd or a container.
//! - `stop`: stop; deliveries in progress may end.
//! - `abort`: stop at once.
//! - `reload`: read the configuration anew, without dropping a connection.
//! - `flush`: try all queued mail now.
//! - `status`: say whether the mail system runs.
//! - `set-permissions`: give directories, configuration, set-gid programs and queue files the owner and mode that they should have.
//! - `upgrade-configuration`: bring the configuration of an older Postfix up to date: add services that master.cf lacks, mend columns that have changed since, and hash
//!   the queues that hold many files.
//! - `logrotate`: put `maillog_file` away and begin a new one.
//!
//! # Options
//!
//! - `-c DIR`: the configuration directory.
//! - `-D`: accepted for compatibility.
//! - `-v`: be verbose.
//!
//! # Files
//!
//! - `/etc/postfix`: the configuration.
//! - `/var/spool/postfix`: the queue.
use std::process::ExitCode;

fn main() -> ExitCode {
    command::Program::new("postfix").writes_log_file().run(postfix::run)
}
