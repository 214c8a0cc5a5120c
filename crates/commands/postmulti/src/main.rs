//! postmulti(1): runs a command for every mail system on the host, and adds, removes and names them.
//!
//! # Synopsis
//!
//!     postmulti -l|-p|-x [-aRv] [-g GROUP|-G GROUP|-i NAME] COMMAND...
//!     postmulti -e ACTION [-aRv] [-I NAME] [-G GROUP] [NAME=VALUE...]
//!
//! # Description
//!
//! The primary instance is the one in the default configuration directory; its `multi_instance_directories` names the others. Each
//! has its own configuration, queue and data directory. A command runs for all of them, for those of a group, or for one.
//!
//! # Options
//!
//! - `-a`: all instances, the default; `-R`: in reverse order.
//! - `-g GROUP`: the instances of a group.
//! - `-i NAME`: one instance; `-` is the primary one.
//! - `-l`: list instances: name, group, whether enabled, directory.
//! - `-p COMMAND`: run postfix(1) for each; those that are disabled are only checked.
//! - `-x COMMAND`: run any command for each, with `MAIL_CONFIG` set.
//! - `-e ACTION`: `init`, `create`, `import`, `enable`, `disable`, `assign`, `deport` or `destroy`.
//! - `-I NAME`: with `-e`, the name to give; `-G GROUP`: the group to give.
//! - `-v`: be verbose.
use command::Program;
use std::process::ExitCode;

fn main() -> ExitCode {
    Program::new("postmulti").writes_log_file().run(postmulti::run)
}
