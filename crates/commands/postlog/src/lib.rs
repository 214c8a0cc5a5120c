//! postlog(1): logs a line, for scripts.

use command::{Context, Fatal};
use std::io::{BufRead, BufReader, Read};
use std::process::ExitCode;

/// The longest line of standard input; the rest is a line of its own.
const LONGEST: u64 = 2048;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Severity {
    Info,
    Warning,
    Error,
    Fatal,
    Panic,
}

/// Runs the command.
///
/// # Errors
/// What made it fail.
pub fn run(context: &mut Context) -> Result<ExitCode, Fatal> {
    let usage = || Fatal::new("usage: postlog [-c config_dir] [-i] [-p priority] [-t tag] [-v] [text]");
    let options = context.options("c:ip:t:v").map_err(|_| usage())?;
    if options.has('v') {
        context.log.verbose();
    }
    context.source(options.value('c'))?;
    let severity = severity(options.value('p').unwrap_or("info"))?;
    if let Some(tag) = options.value('t') {
        context.log.rename(tag);
    }
    if options.operands.is_empty() {
        each_line(std::io::stdin().lock(), |line| say(severity, line))?;
    } else {
        say(severity, &options.operands.join(" "));
    }
    Ok(ExitCode::SUCCESS)
}

fn severity(name: &str) -> Result<Severity, Fatal> {
    Ok(match name.to_ascii_lowercase().as_str() {
        "info" => Severity::Info,
        "warn" | "warning" => Severity::Warning,
        "error" => Severity::Error,
        "fatal" => Severity::Fatal,
        "panic" => Severity::Panic,
        _ => return Err(Fatal::new(format!("bad severity: \"{name}\""))),
    })
}

fn say(severity: Severity, text: &str) {
    match severity {
        Severity::Info => tracing::info!("{text}"),
        Severity::Warning => tracing::warn!("{text}"),
        Severity::Error => tracing::error!("{text}"),
        Severity::Fatal => maillog::fatal!("{text}"),
        Severity::Panic => maillog::panicked!("{text}"),
    }
}

fn each_line(input: impl Read, mut say: impl FnMut(&str)) -> std::io::Result<()> {
    let mut input = BufReader::new(input);
    let mut line = Vec::new();
    while input.by_ref().take(LONGEST).read_until(b'\n', &mut line)? > 0 {
        say(String::from_utf8_lossy(line.strip_suffix(b"\n").unwrap_or(&line)).as_ref());
        line.clear();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn input_is_logged_line_by_line() {
        let long = "x".repeat(3000);
        let text = format!("first\nsecond\r\n\n{long}");
        let mut lines = Vec::new();
        each_line(text.as_bytes(), |line| lines.push(line.to_owned())).unwrap();
        assert_eq!(lines[..3], ["first", "second\r", ""]);
        assert_eq!((lines[3].len(), lines[4].len()), (2048, 952));
    }

    #[test]
    fn severities_have_names() {
        assert_eq!(severity("WARN").unwrap(), Severity::Warning);
        assert!(severity("loud").is_err());
    }
}
