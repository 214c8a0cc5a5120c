//! Shows the templates of notices, for `postconf -b` and `-t`, which run this program with `-S`.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use config::Source;
use maillog::{Echo, Patience, Verbosity};

use crate::template::dump;

/// Prints what `-S templates DIRECTORY FILE` or `-S texts DIRECTORY FILE` asks for; none if the arguments are others.
#[must_use]
pub fn run(arguments: impl Iterator<Item = String>) -> Option<ExitCode> {
    let arguments: Vec<String> = arguments.take(6).collect();
    let [_, option, what, directory, file] = arguments.as_slice() else {
        return None;
    };
    if option != "-S" {
        return None;
    }
    // For whoever runs the command.
    let _log = maillog::init("bounce", Echo::StderrOnly, Patience::Wait, Verbosity::Normal);
    let source = Source::load(Path::new(directory)).map_err(|error| error.to_string());
    let shown = source.and_then(|source| dump(&source, file, what == "texts"));
    let written = match shown {
        Ok(text) => std::io::stdout().write_all(&text),
        Err(error) => {
            maillog::fatal!("{error}");
            return Some(ExitCode::FAILURE);
        }
    };
    Some(if written.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
