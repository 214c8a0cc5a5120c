//! `-b` and `-t`: the words of notices. bounce(8) knows them, so it is asked.

use crate::options::{Mode, Options};
use crate::screen::{Fatal, Screen, fatal};
use command::said;
use config::Source;
use std::process::{Command, Stdio};

/// Shows the templates of the file that an operand or main.cf names.
pub(crate) fn show(options: &Options, screen: &mut Screen) -> Result<(), Fatal> {
    let directory = config::config_directory(options.config_directory.as_deref());
    let source = Source::load(&directory).map_err(|error| Fatal(format!("fatal: {error}")))?;
    let value = |name| source.expanded(name).map(Option::unwrap_or_default);
    let file = match options.operands.as_slice() {
        [] => value("bounce_template_file").map_err(|error| Fatal(format!("fatal: {error}")))?,
        [file] => file.clone(),
        [_, _, ..] => return fatal("options -b and -t require at most one template file"),
    };
    let programs = value("daemon_directory").map_err(|error| Fatal(format!("fatal: {error}")))?;
    let what = if options.mode == Mode::Texts { "texts" } else { "templates" };
    let program = format!("{programs}/bounce");
    let mut command = Command::new(&program);
    command.args(["-S", what]).arg(&directory).arg(&file);
    // Warnings about the file are for whoever asked.
    let output = command.stderr(Stdio::inherit()).output();
    match output {
        Ok(output) if output.status.success() => {
            screen.bytes(&output.stdout);
            Ok(())
        }
        Ok(_) => Err(Fatal(String::new())),
        Err(error) => fatal(format!("{program}: {}", said(&error))),
    }
}
