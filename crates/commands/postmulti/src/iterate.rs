//! The same for many instances: the list, postfix(1) commands, and others.

use crate::instance::{Instance, Instances};
use crate::request::Request;
use command::{Fatal, said};
use std::io::{self, Write};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

/// `-l`.
pub(crate) fn list(instances: &Instances, request: &Request) -> Result<ExitCode, Fatal> {
    let mut out = command::output();
    let failed = |error: io::Error| Fatal::new(format!("error writing output: {error}"));
    for instance in instances.selected(&request.selection, request.reverse) {
        writeln!(out, "{}", row(instance)).map_err(failed)?;
    }
    out.flush().map_err(failed)?;
    Ok(ExitCode::SUCCESS)
}

fn row(instance: &Instance) -> String {
    let or_dash = |text: &str| if text.is_empty() { "-".to_owned() } else { text.to_owned() };
    let enabled = if instance.enabled { "y" } else { "n" };
    let (name, group) = (or_dash(&instance.name), or_dash(&instance.group));
    format!("{name:<15} {group:<15} {enabled:<9} {}", instance.directory)
}

/// What a postfix(1) command means for instances.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manner {
    /// Those that are not enabled are only checked.
    Start,
    /// The last first; not for those that are not enabled.
    Stop,
    /// Not for those that are not enabled.
    Control,
    /// For all.
    Other,
}

impl Manner {
    fn of(instances: &Instances, word: &str) -> Self {
        let layout = &instances.params.layout;
        let is_in = |list: &[String]| list.iter().any(|known| known == word);
        if is_in(&layout.postmulti_start_commands) {
            Self::Start
        } else if is_in(&layout.postmulti_stop_commands) {
            Self::Stop
        } else if is_in(&layout.postmulti_control_commands) {
            Self::Control
        } else {
            Self::Other
        }
    }

    /// The words for an instance; none if there is nothing to do.
    fn words<'a>(self, instance: &Instance, words: &'a [String]) -> Option<Vec<&'a str>> {
        match self {
            Self::Start if !instance.enabled => Some(vec!["check"]),
            Self::Stop | Self::Control if !instance.enabled => None,
            Self::Start | Self::Stop | Self::Control | Self::Other => Some(words.iter().map(String::as_str).collect()),
        }
    }
}

/// `-p`: a command of postfix(1).
pub(crate) fn postfix(instances: &Instances, request: &Request, words: &[String]) -> Result<ExitCode, Fatal> {
    let manner = Manner::of(instances, words.first().map_or("", String::as_str));
    let path = Path::new(&instances.params.layout.command_directory).join("postfix");
    let selected = instances.selected(&request.selection, manner == Manner::Stop).into_iter();
    all(selected.filter_map(|instance| {
        let words = manner.words(instance, words)?;
        Some(finish(prepare(instances, request, instance, &path).args(words)))
    }))
}

/// `-x`: any command.
pub(crate) fn command(instances: &Instances, request: &Request, words: &[String]) -> Result<ExitCode, Fatal> {
    let Some((program, words)) = words.split_first() else { return Ok(ExitCode::SUCCESS) };
    let selected = instances.selected(&request.selection, request.reverse).into_iter();
    all(selected.map(|instance| finish(prepare(instances, request, instance, Path::new(program)).args(words))))
}

/// What comes of a command for each of some instances: that each is a good one, and that there is one.
fn all(ends: impl Iterator<Item = bool>) -> Result<ExitCode, Fatal> {
    // Each has its turn, whatever became of the others.
    let good = ends.reduce(|good, next| good && next);
    match good.ok_or_else(|| Fatal::new("No matching instances"))? {
        true => Ok(ExitCode::SUCCESS),
        false => Ok(ExitCode::FAILURE),
    }
}

/// A command with what it must know of the instance in its environment; the mail system's own commands are found first.
pub(crate) fn prepare(instances: &Instances, request: &Request, instance: &Instance, program: &Path) -> Command {
    let layout = &instances.params.layout;
    let mut command = Command::new(program);
    command.env_clear();
    for word in &layout.import_environment {
        let (name, value) = match word.split_once('=') {
            Some((name, value)) => (name, Some(value.into())),
            None => (word.as_str(), std::env::var_os(word)),
        };
        if let Some(value) = value {
            command.env(name, value);
        }
    }
    if request.verbose {
        command.env("MAIL_VERBOSE", "");
    }
    command
        .env("PATH", format!("{}:/usr/sbin:/usr/bin:/sbin:/bin", layout.command_directory))
        .env("MAIL_CONFIG", &instance.directory)
        .env("command_directory", &layout.command_directory)
        .env("daemon_directory", &layout.daemon_directory)
        .env("config_directory", &instance.directory)
        .env("queue_directory", &instance.queue_directory)
        .env("data_directory", &instance.data_directory)
        .env("multi_instance_name", &instance.name)
        .env("multi_instance_group", &instance.group)
        .env("multi_instance_enable", if instance.enabled { "yes" } else { "no" });
    command
}

/// Runs a command to its end; false if that is no good one.
pub(crate) fn finish(command: &mut Command) -> bool {
    match command.status() {
        Ok(status) => status.success(),
        Err(error) => {
            let program = command.get_program().to_string_lossy().into_owned();
            maillog::fatal!("execvp {program}: {}", said(&error));
            false
        }
    }
}

/// As [`finish`], with nothing of what the command says.
pub(crate) fn finish_silently(command: &mut Command) -> bool {
    finish(command.stdout(Stdio::null()).stderr(Stdio::null()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::instance::tests::{instances, secondary};

    #[test]
    fn rows_are_columns() {
        assert_eq!(
            row(&secondary("postfix-in", "", true)),
            "postfix-in      -               y         /etc/postfix-in"
        );
    }

    #[test]
    fn a_command_for_no_instance_fails() {
        let told = |ends: &[bool]| all(ends.iter().copied()).map_err(|fatal| fatal.to_string());
        assert_eq!(told(&[]), Err("No matching instances".to_owned()));
        assert_eq!(told(&[true, true]), Ok(ExitCode::SUCCESS));
        assert_eq!(told(&[false, true]), Ok(ExitCode::FAILURE));
    }

    #[test]
    fn disabled_instances_are_left_alone() {
        let instances = instances();
        let (on, off) = (secondary("postfix-on", "", true), secondary("postfix-off", "", false));
        let table = [
            ("start", Manner::Start, Some("check")),
            ("stop", Manner::Stop, None),
            ("abort", Manner::Stop, None),
            ("reload", Manner::Control, None),
            ("status", Manner::Other, Some("status")),
        ];
        for (word, manner, for_disabled) in table {
            assert_eq!(Manner::of(&instances, word), manner);
            let words = [word.to_owned()];
            assert_eq!(manner.words(&on, &words), Some(vec![word]));
            assert_eq!(manner.words(&off, &words), for_disabled.map(|word| vec![word]));
        }
    }
}
