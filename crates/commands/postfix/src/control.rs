//! Starting, stopping, reloading.

use crate::instance::{Instance, remove};
use crate::{check, layout};
use command::Fatal;
use privsep::Signal;
use std::fs::{self, OpenOptions};
use std::io::ErrorKind;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// Where master is to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Where {
    /// As a daemon; we return when it has begun.
    Background,
    /// In our place.
    Foreground,
}

/// How often a stop looks again, and how long each time.
const LOOKS: u32 = 5;
const LOOK: Duration = Duration::from_secs(1);

/// `start`, `start-fg`.
pub(crate) fn start(instance: &Instance, place: Where) -> Result<ExitCode, Fatal> {
    if is_running(instance)? {
        return Err(Fatal::new("the Postfix mail system is already running"));
    }
    instance.source.check_interfaces().map_err(Fatal::new)?;
    instance.check_log()?;
    let quick =
        remove(&instance.queue("quick-start")).map_err(|error| Fatal::new(format!("remove quick-start: {error}")))?;
    if quick {
        layout::create_missing(instance)?;
    } else {
        let checked = check::fatal(instance).unwrap_or_else(|fatal| {
            maillog::fatal!("{fatal}");
            ExitCode::FAILURE
        });
        if checked != ExitCode::SUCCESS {
            return Err(Fatal::new("Postfix integrity check failed!"));
        }
        check::warn(instance);
    }
    tracing::info!("starting the Postfix mail system");
    layout::give_room(instance);
    if place == Where::Foreground {
        if Instance::has_others() {
            return Err(Fatal::new("start-fg does not support multi_instance_directories"));
        }
        let mode = if std::process::id() == 1 { "-i" } else { "-s" };
        return Err(instance.become_daemon("master", &[mode]));
    }
    if instance.run_daemon("master", &["-w"])? == ExitCode::SUCCESS {
        return Ok(ExitCode::SUCCESS);
    }
    Err(Fatal::new("mail system startup failed"))
}

/// `stop`.
pub(crate) fn stop(instance: &Instance) -> Result<ExitCode, Fatal> {
    let pid = running(instance)?;
    tracing::info!("stopping the Postfix mail system");
    privsep::kill(pid, Signal::SIGTERM)?;
    for _ in 0..LOOKS {
        if privsep::wait_for_end(pid, Instant::now() + LOOK) {
            return Ok(ExitCode::SUCCESS);
        }
        tracing::info!("waiting for the Postfix mail system to terminate");
    }
    tracing::warn!("stopping the Postfix mail system with force");
    privsep::kill_group(pid, Signal::SIGKILL)?;
    Ok(ExitCode::SUCCESS)
}

/// `quick-stop`: the next start does without checks.
pub(crate) fn quick_stop(instance: &Instance) -> Result<ExitCode, Fatal> {
    // Whether there was anything to stop does not matter.
    if let Err(fatal) = stop(instance) {
        maillog::fatal!("{fatal}");
    }
    let path = instance.queue("quick-start");
    fs::write(&path, "").map_err(|error| Fatal::new(format!("create {}: {error}", path.display())))?;
    Ok(ExitCode::SUCCESS)
}

/// `abort`.
pub(crate) fn abort(instance: &Instance) -> Result<ExitCode, Fatal> {
    let pid = running(instance)?;
    tracing::info!("aborting the Postfix mail system");
    privsep::kill(pid, Signal::SIGTERM)?;
    Ok(ExitCode::SUCCESS)
}

/// `drain`: only master ends; its processes finish what they do.
pub(crate) fn drain(instance: &Instance) -> Result<ExitCode, Fatal> {
    let pid = running(instance)?;
    tracing::info!("stopping the Postfix mail system");
    privsep::kill(pid, Signal::SIGKILL)?;
    Ok(ExitCode::SUCCESS)
}

/// `reload`.
pub(crate) fn reload(instance: &Instance) -> Result<ExitCode, Fatal> {
    let pid = running(instance)?;
    check::accounts(instance)?;
    instance.source.check_interfaces().map_err(Fatal::new)?;
    instance.check_log()?;
    // Master would only log it, and stay as it is.
    instance.services()?;
    tracing::info!("refreshing the Postfix mail system");
    layout::create_missing(instance)?;
    if instance.run("postsuper", &["active"])? != ExitCode::SUCCESS {
        return Ok(ExitCode::FAILURE);
    }
    privsep::kill(pid, Signal::SIGHUP)?;
    // What waits goes where `hash_queue_names` and `hash_queue_depth` now want it; that may take a while.
    instance.run_apart("postsuper", &[])?;
    Ok(ExitCode::SUCCESS)
}

/// Has master, if it runs, read its configuration and begin its log file anew; whether it runs.
pub(crate) fn refresh(instance: &Instance) -> Result<bool, Fatal> {
    let runs = is_running(instance)?;
    if runs {
        privsep::kill(pid(instance)?, Signal::SIGHUP)?;
    }
    Ok(runs)
}

/// `status`.
pub(crate) fn status(instance: &Instance) -> Result<ExitCode, Fatal> {
    if !is_running(instance)? {
        tracing::info!("the Postfix mail system is not running");
        return Ok(ExitCode::FAILURE);
    }
    tracing::info!("the Postfix mail system is running: PID: {}", pid(instance)?);
    Ok(ExitCode::SUCCESS)
}

/// Master's process id; an error if it does not run.
fn running(instance: &Instance) -> Result<u32, Fatal> {
    if !is_running(instance)? {
        return Err(Fatal::new("the Postfix mail system is not running"));
    }
    pid(instance)
}

/// Whether master holds its lock.
fn is_running(instance: &Instance) -> Result<bool, Fatal> {
    let path = instance.pid_file();
    match OpenOptions::new().read(true).write(true).open(&path) {
        Ok(file) => Ok(file.try_lock().is_err()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(Fatal::new(format!("open {}: {error}", path.display()))),
    }
}

fn pid(instance: &Instance) -> Result<u32, Fatal> {
    let path = instance.pid_file();
    let text = fs::read_to_string(&path).map_err(|error| Fatal::new(format!("read {}: {error}", path.display())))?;
    text.trim().parse().map_err(|_| Fatal::new(format!("{}: no process id", path.display())))
}
