//! postkick(1): wakes a service.

use command::{Context, Fatal};
use config::params;
use std::path::Path;
use std::process::ExitCode;

/// Runs the command.
///
/// # Errors
/// What made it fail.
pub fn run(context: &mut Context) -> Result<ExitCode, Fatal> {
    let usage = || Fatal::new("usage: postkick [-c config_dir] [-v] class service request");
    let options = context.options("c:v").map_err(|_| usage())?;
    if options.has('v') {
        context.log.verbose();
    }
    let [class, service, request] = options.operands.as_slice() else { return Err(usage()) };
    let source = context.source(options.value('c'))?;
    let layout: params::Layout = context.params(&source)?;
    let name = Path::new(class).join(service);
    let path = Path::new(&layout.queue_directory).join(&name);
    if let Err(error) = ipc::trigger::wake(&path, request.as_bytes()) {
        tracing::warn!("unable to look up {}: {}", name.display(), command::said(&error));
        tracing::warn!("Cannot contact class {class} service {service} - perhaps the mail system is down");
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}
