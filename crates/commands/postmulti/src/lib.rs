//! postmulti(1): runs a command for every mail system on the host, and adds, removes and names them.
//!
//! The primary instance is the one in the default configuration directory; its `multi_instance_directories` names the
//! others. Reading order: what is asked for (`request`), the instances and which of them are meant (`instance`),
//! what is done for each (`iterate`), what changes one (`edit`).

mod edit;
mod instance;
mod iterate;
mod request;

use command::{Context, Fatal, Options};
use instance::Instances;
use request::{Request, Task};
use std::path::Path;
use std::process::ExitCode;

config::bundle! {
    /// All that this command may know.
    pub struct Params {
        layout: config::params::Layout,
        identity: config::params::Identity,
    }
}

/// Runs the command.
///
/// # Errors
/// What made it fail; logged by the caller.
pub fn run(context: &mut Context) -> Result<ExitCode, Fatal> {
    let options = Options::parse(request::LETTERS, &context.arguments).map_err(|_| Fatal::new(request::USAGE))?;
    let directory = config::config_directory(None);
    if directory != Path::new(config::CONFIG_DIRECTORY) {
        return Err(Fatal::new(format!("Non-default configuration directory: MAIL_CONFIG={}", directory.display())));
    }
    let source = context.source(None)?;
    if options.has('v') {
        context.log.verbose();
    }
    let request = Request::of(&options)?;
    let params: Params = context.params(&source)?;
    let instances = Instances::load(params)?;
    match request.task {
        Task::List => iterate::list(&instances, &request),
        Task::Postfix(ref words) => iterate::postfix(&instances, &request, words),
        Task::Command(ref words) => iterate::command(&instances, &request, words),
        Task::Edit(ref change) => edit::edit(context, instances, &request, change),
    }
}
