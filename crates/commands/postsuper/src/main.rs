//! postsuper(1): maintains the queue.
//!
//! # Synopsis
//!
//!     postsuper [-psSv] [-c DIR] [-d ID] [-e ID] [-f ID] [-h ID] [-H ID] [-r ID] [QUEUE...]
//!
//! # Description
//!
//! Acts on single messages or on whole queues, while the mail system runs or not; only the super-user may. An id of `-` reads ids from
//! standard input, one on a line; `ALL` (in capitals) means all messages of the queues that are named, or of those that the
//! operation is for.
//!
//! # Options
//!
//! - `-c DIR`: the configuration directory.
//! - `-d ID`: delete.
//! - `-e ID`: expire: the message is returned to its sender at the next attempt.
//! - `-f ID`: expire, and release from hold.
//! - `-h ID`: put on hold: no attempt is made until it is released.
//! - `-H ID`: release from hold.
//! - `-p`: remove temporary files that crashes left.
//! - `-r ID`: requeue: the message goes through cleanup(8) again, as if it had just come in.
//! - `-s`: mend the structure of directories and the names of files; done at each start.
//! - `-S`: the same, once more after file systems have changed.
//! - `-v`: be verbose.
use std::process::ExitCode;

fn main() -> ExitCode {
    postsuper::run()
}
