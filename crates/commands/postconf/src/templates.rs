//! `-b` and `-t`: the words of notices. bounce(8) knows them, so it is asked.

use crate::options::{Mode, Options};
use crate::rewrite::reason;
use crate::screen::{Fatal, Screen, fatal};
use config::Source;
use std::process::Command;

/// Shows the templates of the file that an operand or main.cf names.
pub(crate) fn show(options: &Options, screen: &mut Screen) -> Result<(), Fatal> {
    let directory = config::config_directory(options.config_directory.as_deref());
    let source = Source::load(&directory).map_err(|error| Fatal(format!("fatal: {error}")))?;
    let value = |name| source.expanded(name).map(Option::unwrap_or_default);
    let file = match options.operands.as_slice() {
        [] => value("bounce_template_file").map_err(|error| Fatal(format!("fatal: {error}")))?,
        [file] => file.clone(),
        [_, _, ..] => return fatal("specify at most one template file"),
    };
    let programs = value("daemon_directory").map_err(|error| Fatal(format!("fatal: {error}")))?;
    let what = if options.mode == Mode::Texts { "texts" } else { "templates" };
    let program = format!("{programs}/bounce");
    let mut command = Command::new(&program);
    command.args(["-S", what]).arg(&directory).arg(&file);
    match command.output() {
        Ok(output) if output.status.success() => {
            for line in String::from_utf8_lossy(&output.stdout).lines() {
                screen.line(line);
            }
            Ok(())
        }
        Ok(output) => Err(Fatal(String::from_utf8_lossy(&output.stderr).into_owned())),
        Err(error) => fatal(format!("{program}: {}", reason(&error))),
    }
}
