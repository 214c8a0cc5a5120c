//! `postfix logrotate`: puts the log file aside, has it compressed, and a new one begun.

use crate::control;
use crate::instance::Instance;
use command::Fatal;
use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode};

/// Rotates `maillog_file`.
pub(crate) fn rotate(instance: &Instance) -> Result<ExitCode, Fatal> {
    let layout = &instance.layout;
    let file = layout.maillog_file.as_str();
    if file.is_empty() {
        return Err(Fatal::new("not logging to file"));
    }
    if file.starts_with("/dev/") {
        return Err(Fatal::new(format!("not rotating device: {file}")));
    }
    let suffix = suffix(&layout.maillog_file_rotate_suffix)?;
    let aside = format!("{file}.{suffix}");
    let renamed = fs::rename(file, &aside);
    renamed.map_err(|error| Fatal::new(format!("rename {file} to {aside}: {error}")))?;
    if control::is_running(instance)? {
        control::reload(instance)?;
    }
    let compressor = layout.maillog_file_compressor.as_str();
    let status = Command::new(compressor).arg(Path::new(&aside)).status();
    match status {
        Ok(status) if status.success() => Ok(ExitCode::SUCCESS),
        Ok(_) | Err(_) => Err(Fatal::new(format!("{compressor} {aside} failed"))),
    }
}

/// The time in the format of date(1), which knows this host's ways.
fn suffix(format: &str) -> Result<String, Fatal> {
    let output = Command::new("date").arg(format!("+{format}")).output();
    let output = output.map_err(|error| Fatal::new(format!("date: {error}")))?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if text.is_empty() || text.contains('/') {
        return Err(Fatal::new(format!("bad maillog_file_rotate_suffix value: {format}")));
    }
    Ok(text)
}
