//! postlock(1): runs a command with a mailbox locked.
//!
//! The lock is the one that local(8) takes. The command's status is ours; what keeps it from running is 75, so that
//! a mail filter defers.

use command::{Context, Fatal};
use config::params;
use delivery::mailbox::Locking;
use std::path::Path;
use std::process::{Command, ExitCode, ExitStatus};

/// The mailbox locks of delivery agents.
type Params = (params::Delivery, params::Queue);

/// Runs the command.
///
/// # Errors
/// What kept the other command from running.
pub fn run(context: &mut Context) -> Result<ExitCode, Fatal> {
    let usage = || Fatal::new("usage: postlock [-c config_dir] [-l lock_style] [-v] folder command...");
    let options = context.options("c:l:v").map_err(|_| usage())?;
    if options.has('v') {
        context.log.verbose();
    }
    let [folder, name, words @ ..] = options.operands.as_slice() else { return Err(usage()) };
    let source = context.source(options.value('c'))?;
    let params: Params = context.params(&source)?;
    let locking = locking(&params, options.value('l'))?;
    let _held = locking.hold(Path::new(folder))?;
    let status = Command::new(name).args(words).status();
    match status {
        Ok(status) => Ok(code(status)),
        Err(error) => Err(Fatal::new(format!("execvp {name}: {error}")).with_status(1)),
    }
}

fn locking((delivery, queue): &Params, style: Option<&str>) -> Result<Locking, Fatal> {
    let names: Vec<String> = match style {
        Some(style) => style.split([',', ' ']).filter(|name| !name.is_empty()).map(str::to_owned).collect(),
        None => delivery.mailbox_delivery_lock.clone(),
    };
    Ok(Locking::new(("mailbox_delivery_lock", &names), delivery, queue.stale_lock_time)?)
}

/// The status; a command that a signal ended has failed.
fn code(status: ExitStatus) -> ExitCode {
    status.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::process::ExitStatusExt;

    #[test]
    fn a_command_that_was_killed_has_failed() {
        let shown = |raw| format!("{:?}", code(ExitStatus::from_raw(raw)));
        assert_eq!(shown(9), format!("{:?}", ExitCode::FAILURE));
        assert_eq!(shown(3 << 8), format!("{:?}", ExitCode::from(3)));
        assert_eq!(shown(0), format!("{:?}", ExitCode::SUCCESS));
    }
}
