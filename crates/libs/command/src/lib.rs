//! The command skeleton: options, configuration directory, logging, exit codes.
//!
//! A command's `main` is one call of [`Program::run`]. What it says goes to standard error and to the log, as
//! `postmap: fatal: …`; its result is an exit code, so that guards are dropped. Commands parse only the parameters they
//! use, and a set-gid command reads another configuration directory only if the default one allows that.

mod caller;
mod options;
mod output;
pub mod rewrite;

pub use caller::{Caller, is_anyone};
pub use options::{Options, Usage};
pub use output::{Output, output};

use config::{Group, Source, params};
use maillog::{Characters, Echo, Log, LogFile, Patience, Place, Settings, Verbosity};
use std::cell::Cell;
use std::ffi::OsString;
use std::io::Write;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// What ends a command before its work is done: a reason and an exit status.
#[derive(Debug)]
pub struct Fatal {
    reason: String,
    status: Option<u8>,
}

impl Fatal {
    /// Ends the command for this reason, with the program's usual status.
    pub fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), status: None }
    }

    /// With this exit status (sysexits.h).
    #[must_use]
    pub fn with_status(self, status: u8) -> Self {
        Self { status: Some(status), ..self }
    }
}

impl std::fmt::Display for Fatal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.reason)
    }
}

impl<E: std::error::Error> From<E> for Fatal {
    fn from(error: E) -> Self {
        Self::new(error.to_string())
    }
}

/// What the system said, in its own words alone.
#[must_use]
pub fn said(error: &std::io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error ").next().unwrap_or_default().to_owned()
}

/// A command, before it runs.
#[derive(Debug, Clone, Copy)]
pub struct Program {
    name: &'static str,
    fatal_status: u8,
    writes_log_file: bool,
    has_links: bool,
    mistakes: Mistakes,
}

/// Where one reads of a command line that makes no sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mistakes {
    /// On standard error.
    Shown,
    /// In the log, too.
    Logged,
}

impl Program {
    /// A command of this name.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        Self { name, fatal_status: 1, writes_log_file: false, has_links: false, mistakes: Mistakes::Shown }
    }

    /// Ends with this status for [`Fatal`], unless that has its own: 75 for `sendmail`.
    #[must_use]
    pub const fn fatal_status(self, fatal_status: u8) -> Self {
        Self { fatal_status, ..self }
    }

    /// May write `maillog_file` itself while the mail system is down: `postfix`, `postsuper`, `postmulti`, `postlog`.
    #[must_use]
    pub const fn writes_log_file(self) -> Self {
        Self { writes_log_file: true, ..self }
    }

    /// Logs mistakes of its command line, too, since others call it: `sendmail`, `postqueue`, `postsuper`.
    #[must_use]
    pub const fn logs_mistakes(self) -> Self {
        Self { mistakes: Mistakes::Logged, ..self }
    }

    /// Calls itself what it is called by: `sendmail`, which is `mailq` and `newaliases` too.
    #[must_use]
    pub const fn goes_by_links(self) -> Self {
        Self { has_links: true, ..self }
    }

    /// Runs the command.
    pub fn run(self, work: impl FnOnce(&mut Context) -> Result<ExitCode, Fatal>) -> ExitCode {
        let mut words = std::env::args_os().map(|word| word.to_string_lossy().into_owned());
        let path = words.next().unwrap_or_default();
        let called_as = Path::new(&path)
            .file_name()
            .map_or_else(|| self.name.to_owned(), |name| name.to_string_lossy().into_owned());
        let name = if self.has_links { &called_as } else { self.name };
        let log = maillog::init(name, Echo::Stderr, Patience::Wait, Verbosity::Normal);
        let mut context =
            Context { program: self, called_as, arguments: words.collect(), log: log.clone(), logs: Cell::new(false) };
        let begun = privsep::survive_file_size_limit().map_err(Fatal::from);
        let code = begun.and_then(|()| work(&mut context)).unwrap_or_else(|fatal| {
            if self.mistakes == Mistakes::Logged && !context.logs.get() {
                context.log_as_main_cf_says();
            }
            maillog::fatal!("{fatal}");
            fatal.status.unwrap_or(self.fatal_status).into()
        });
        log.flush();
        code
    }
}

fn bytes_of(text: &str, words: impl IntoIterator<Item = OsString>) -> Vec<u8> {
    for word in words.into_iter().filter(|word| word.to_str().is_none()) {
        // Before a value there are at most letters of options.
        let shown = word.to_string_lossy();
        if let Some(before) = shown.strip_suffix(text) {
            return word.as_bytes().get(before.len()..).unwrap_or_default().to_vec();
        }
    }
    text.as_bytes().to_vec()
}

/// What a running command has.
#[derive(Debug)]
pub struct Context {
    program: Program,
    /// The last component of the path it was called by: `mailq`, say.
    pub called_as: String,
    /// The arguments after the name.
    pub arguments: Vec<String>,
    /// The log; it repeats its lines on standard error.
    pub log: Log,
    /// Whether the log is where main.cf has it.
    logs: Cell<bool>,
}

impl Context {
    /// Takes the arguments apart as getopt(3) does, and says on standard error what is wrong with them; `spec` has the
    /// letters, those with a value followed by a colon.
    ///
    /// # Errors
    /// [`Usage`], for an unknown letter or a missing value.
    pub fn options(&self, spec: &str) -> Result<Options, Usage> {
        Options::parse(spec, &self.arguments).inspect_err(|usage| self.complain(usage))
    }

    /// Says on standard error what is wrong with the arguments. Where that is closed, the exit code tells.
    pub fn complain(&self, usage: &Usage) {
        let _ = writeln!(std::io::stderr(), "{}: {usage}", self.called_as);
    }

    /// The bytes of the arguments after the name.
    #[must_use]
    pub fn words(&self) -> Vec<Vec<u8>> {
        std::env::args_os().skip(1).map(OsString::into_vec).collect()
    }

    /// The bytes of an argument, or of an option's value, that reads like `text`: they need not be UTF-8.
    #[must_use]
    pub fn bytes(&self, text: &str) -> Vec<u8> {
        bytes_of(text, std::env::args_os().skip(1))
    }

    /// Reads main.cf of the directory that `-c` names (else `MAIL_CONFIG`, else the default), and logs as it says.
    ///
    /// # Errors
    /// main.cf cannot be read, or may not be used by this user.
    pub fn source(&self, directory: Option<&str>) -> Result<Source, Fatal> {
        self.source_with(directory, &[])
    }

    /// As [`Self::source`], with `-o name=value` overrides.
    ///
    /// # Errors
    /// As [`Self::source`].
    pub fn source_with(&self, directory: Option<&str>, overrides: &[(String, String)]) -> Result<Source, Fatal> {
        let directory = self.directory(directory)?;
        let source = Source::load(&directory)?.with_overrides(overrides).for_process(self.program.name);
        source.check()?;
        self.log.configure(&self.settings(&source)?);
        self.logs.set(true);
        for warning in source.warnings() {
            tracing::warn!("{warning}");
        }
        Ok(source)
    }

    /// For who has not come as far as to read main.cf; without one, standard error has to do.
    fn log_as_main_cf_says(&self) {
        let source = self.directory(None).and_then(|directory| Ok(Source::load(&directory)?));
        let settings = source.and_then(|source| self.settings(&source.for_process(self.program.name)));
        if let Ok(settings) = settings {
            self.log.configure(&settings);
        }
    }

    /// The parameters of a group; all that is wrong with them is the reason of the error.
    ///
    /// # Errors
    /// Values that make no sense.
    pub fn params<G: Group>(&self, source: &Source) -> Result<G, Fatal> {
        Ok(source.get()?)
    }

    /// The configuration directory, if this user may name it.
    fn directory(&self, option: Option<&str>) -> Result<PathBuf, Fatal> {
        let directory = config::config_directory(option);
        if privsep::has_gained_rights() {
            config::authorize_directory(&directory)?;
        }
        Ok(directory)
    }

    /// Where the log goes, from the parameters.
    fn settings(&self, source: &Source) -> Result<Settings, Fatal> {
        let (layout, identity): (params::Layout, params::Identity) = source.get()?;
        let place = if layout.maillog_file.is_empty() {
            Place::Syslog
        } else {
            let socket = Path::new(&layout.queue_directory).join("public").join(&layout.postlog_service_name);
            let (path, permissions) = (&layout.maillog_file, &layout.maillog_file_permissions);
            let file = LogFile::allowed(path, permissions, &layout.maillog_file_prefixes).ok_or_else(|| {
                Fatal::new(format!("maillog_file value '{path}' does not match any prefix in maillog_file_prefixes"))
            })?;
            let fallback = (self.program.writes_log_file && !privsep::has_gained_rights()).then_some(file);
            Place::Postlog { socket, fallback }
        };
        let facility = identity.syslog_facility.parse()?;
        let characters = Characters::of(identity.smtputf8_enable);
        Ok(Settings { syslog_name: identity.syslog_name, facility, hostname: identity.myhostname, place, characters })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_keep_their_bytes() {
        let words = || [&b"-c"[..], b"dir\xff", b"-vqa\xfe\xff", b"x:y"].map(|word| OsString::from_vec(word.to_vec()));
        for (text, expected) in
            [("a\u{fffd}\u{fffd}", &b"a\xfe\xff"[..]), ("dir\u{fffd}", b"dir\xff"), ("x:y", b"x:y"), ("-", b"-")]
        {
            assert_eq!(bytes_of(text, words()), expected, "{text}");
        }
    }
}
