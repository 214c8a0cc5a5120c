//! `postfix logrotate`: puts the log file aside, has it compressed, and a new one begun.

use crate::control;
use crate::instance::Instance;
use command::{Fatal, said};
use std::fs;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

/// How long the file is left to those that still have lines for it.
const LAST_LINES: Duration = Duration::from_secs(1);

/// Rotates `maillog_file`.
pub(crate) fn rotate(instance: &Instance) -> Result<ExitCode, Fatal> {
    let file = instance.layout.maillog_file.as_str();
    if file.is_empty() {
        return Err(Fatal::new("empty 'maillog_file' parameter value - logfile rotation failed"));
    }
    if file.starts_with("/dev/") {
        return Err(Fatal::new(format!("not rotating '{file}'")));
    }
    put_aside(instance, file).map_err(|why| Fatal::new(format!("logfile '{file}' rotation failed: {why}")))?;
    Ok(ExitCode::SUCCESS)
}

fn put_aside(instance: &Instance, file: &str) -> Result<(), String> {
    let aside = format!("{file}.{}", suffix(&instance.layout.maillog_file_rotate_suffix)?);
    fs::rename(file, &aside).map_err(|error| format!("cannot move '{file}' to '{aside}': {}", said(&error)))?;
    if control::refresh(instance).map_err(|fatal| fatal.to_string())? {
        // Nothing tells when the last writer has closed it.
        privsep::wait_readable(&[], Some(Instant::now() + LAST_LINES)).map_err(|error| said(&error))?;
    }
    let compressor = instance.layout.maillog_file_compressor.as_str();
    let done = Command::new(compressor).arg(&aside).output();
    let done = done.map_err(|error| format!("{compressor}: {}", said(&error)))?;
    if done.status.success() { Ok(()) } else { Err(format!("{compressor}: {}", text(&done.stderr))) }
}

/// The time in the format of date(1), which knows this host's ways.
fn suffix(format: &str) -> Result<String, String> {
    let date = Command::new("date").arg(format!("+{format}")).output();
    let date = date.map_err(|error| format!("date: {}", said(&error)))?;
    let suffix = text(&date.stdout);
    if suffix.is_empty() { Err(text(&date.stderr)) } else { Ok(suffix) }
}

fn text(output: &[u8]) -> String {
    String::from_utf8_lossy(output).trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    /// Rotates the log of a mail system that does not run; what is in its place then.
    fn rotated(directory: &Path, main_cf: &str) -> (Result<ExitCode, String>, Vec<String>) {
        let text = format!("queue_directory = {0}\nmaillog_file_rotate_suffix = X\n{main_cf}\n", directory.display());
        fs::write(directory.join("main.cf"), text).unwrap();
        let instance = Instance::of(config::Source::load(directory).unwrap()).unwrap();
        let result = rotate(&instance).map_err(|fatal| fatal.to_string());
        let names = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        (result, names.filter(|name| name.starts_with("log")).collect())
    }

    #[test]
    fn a_log_is_put_aside_and_compressed() {
        let directory = tempfile::tempdir().unwrap();
        let log = directory.path().join("log");
        fs::write(&log, "line\n").unwrap();
        let (result, names) = rotated(directory.path(), &format!("maillog_file = {}", log.display()));
        assert_eq!((result, names), (Ok(ExitCode::SUCCESS), vec!["log.X.gz".to_owned()]));
    }

    #[test]
    fn what_keeps_a_log_from_being_rotated_is_told() {
        let directory = tempfile::tempdir().unwrap();
        let log = directory.path().join("log").display().to_string();
        let failed = |main_cf: &str| rotated(directory.path(), main_cf).0.unwrap_err();
        assert_eq!(failed("maillog_file ="), "empty 'maillog_file' parameter value - logfile rotation failed");
        assert_eq!(failed("maillog_file = /dev/stdout"), "not rotating '/dev/stdout'");
        let missing = failed(&format!("maillog_file = {log}"));
        let start = format!("logfile '{log}' rotation failed: ");
        assert_eq!(missing, format!("{start}cannot move '{log}' to '{log}.X': No such file or directory"));
        fs::write(&log, "").unwrap();
        let compressor = format!("maillog_file = {log}\nmaillog_file_compressor = false");
        assert_eq!(failed(&compressor), format!("{start}false: "));
    }
}
