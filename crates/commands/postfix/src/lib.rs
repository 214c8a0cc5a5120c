//! postfix(1): starts, stops and checks the mail system.
//!
//! What Postfix leaves to shell scripts is done here, with the same lines in the log (as `postfix/postfix-script`) and the
//! same exit codes.

mod check;
mod control;
mod instance;
mod layout;
mod rotate;
mod tls;
mod upgrade;

use command::{Context, Fatal};
use instance::Instance;
use std::process::ExitCode;

/// The commands, as the message about an unknown one lists them.
const COMMANDS: &str = "stop, reload, abort, flush, check, status, set-permissions, upgrade-configuration, logrotate";

/// Runs the command.
///
/// # Errors
/// What made it fail; logged by the caller.
pub fn run(context: &mut Context) -> Result<ExitCode, Fatal> {
    context.log.rename("postfix");
    let usage = |_| Fatal::new("usage: postfix [-c config_dir] [-Dv] command");
    let options = context.options("c:Dv").map_err(usage)?;
    if options.has('v') {
        context.log.verbose();
    }
    if privsep::has_gained_rights() {
        return Err(Fatal::new("the postfix command must not run as a set-uid process"));
    }
    let instance = Instance::read(context, options.value('c'))?;
    let mut words = options.operands.iter().map(String::as_str);
    let name = words.next().unwrap_or_default();
    if let Some(code) = instance.hand_over(&options)? {
        return Ok(code);
    }
    instance.warn_of_old_settings();
    context.log.rename(&format!("{}/postfix-script", instance.syslog_name()));
    instance.check_directories()?;
    if name == "tls" {
        context.log.rename(&format!("{}/postfix-tls-script", instance.syslog_name()));
        return tls::perform(&instance, &words.collect::<Vec<_>>());
    }
    perform(&instance, name, &words.collect::<Vec<_>>())
}

fn perform(instance: &Instance, name: &str, words: &[&str]) -> Result<ExitCode, Fatal> {
    match name {
        "start" => control::start(instance, control::Where::Background),
        "start-fg" => control::start(instance, control::Where::Foreground),
        "stop" => control::stop(instance),
        "quick-stop" => control::quick_stop(instance),
        "abort" => control::abort(instance),
        "drain" => control::drain(instance),
        "reload" => control::reload(instance),
        "flush" => instance.run("postqueue", &["-f"]),
        "status" => control::status(instance),
        "check" => {
            let checked = check::fatal(instance)?;
            if checked == ExitCode::SUCCESS {
                check::warn(instance);
            }
            Ok(checked)
        }
        "set-permissions" => {
            check::accounts(instance)?;
            layout::create_missing(instance)?;
            layout::set_permissions(instance)?;
            Ok(ExitCode::SUCCESS)
        }
        "upgrade-configuration" => {
            check::accounts(instance)?;
            layout::create_missing(instance)?;
            upgrade::run(instance)
        }
        "logrotate" if words.is_empty() => rotate::rotate(instance),
        "logrotate" => Err(Fatal::new("usage postfix logrotate (no arguments)")),
        _ => Err(Fatal::new(format!("unknown command: '{name}'. Usage: postfix start (or {COMMANDS})"))),
    }
}
