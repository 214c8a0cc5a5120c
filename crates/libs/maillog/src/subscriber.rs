//! The one tracing subscriber of a program: makes the line and hands it to the sink.

use crate::clock::Clock;
use crate::sink::{Form, Pace, Sink};
use crate::target::{Characters, Facility, LogFile, Place, Settings, Severity};
use memchr::memmem::Finder;
use std::borrow::Cow;
use std::fmt::{self, Write as _};
use std::io::{self, Write as _};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

/// The longest text of a line; the rest is cut, as syslog would.
const LONGEST: usize = 2000;

/// Room that most texts do with.
const TYPICAL: usize = 256;

/// Crates whose own events are no lines of the mail system's log.
const FOREIGN: [&str; 12] =
    ["hickory", "rustls", "tokio", "mio", "h2", "hyper", "want", "tracing", "mysql", "postgres", "ldap3", "mongodb"];

/// Whether lines are repeated on standard error, as commands do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Echo {
    /// The log only.
    Off,
    /// The log and standard error.
    Stderr,
    /// Standard error only.
    StderrOnly,
}

/// What happens when the log is read too slowly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Patience {
    /// The program has the time to wait a little.
    Wait,
    /// Lines wait in a bounded buffer, and the program goes on.
    Buffer,
}

/// What is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verbosity {
    /// Info and worse.
    Normal,
    /// Debug lines too: `-v`.
    Verbose,
}

/// The log of this program.
#[derive(Debug, Clone)]
pub struct Log {
    state: Arc<Mutex<State>>,
    verbose: Arc<AtomicBool>,
}

#[derive(Debug)]
struct State {
    program: String,
    tag: String,
    /// `postfix/smtpd[1]: `.
    label: String,
    facility: Facility,
    hostname: String,
    echo: Echo,
    clock: Clock,
    sink: Sink,
    characters: Characters,
    line: Vec<u8>,
}

impl Log {
    pub(crate) fn new(program: &str, echo: Echo, patience: Patience, verbosity: Verbosity) -> Self {
        let prefix = std::env::var("MAIL_LOGTAG").unwrap_or_else(|_| "postfix".to_owned());
        let mut state = State {
            program: program.to_owned(),
            tag: String::new(),
            label: String::new(),
            facility: Facility::MAIL,
            hostname: std::fs::read_to_string("/proc/sys/kernel/hostname")
                .map_or_else(|_| String::new(), |name| short(&name)),
            echo,
            clock: Clock::new(),
            sink: Sink::syslog(if patience == Patience::Wait { Pace::Wait } else { Pace::Now }),
            characters: Characters::Utf8,
            line: Vec::new(),
        };
        state.rename(format!("{prefix}/{program}"));
        Self { state: Arc::new(Mutex::new(state)), verbose: Arc::new(AtomicBool::new(verbosity == Verbosity::Verbose)) }
    }

    pub(crate) fn subscriber(&self) -> impl Subscriber + Send + Sync + 'static {
        Lines(self.clone())
    }

    /// Follows the parameters from now on.
    pub fn configure(&self, settings: &Settings) {
        let mut state = self.lock();
        let tag = format!("{}/{}", settings.syslog_name, state.program);
        state.rename(tag);
        state.facility = settings.facility;
        state.hostname = short(&settings.hostname);
        state.characters = settings.characters;
        state.sink.redirect(&settings.place);
    }

    /// Writes this file itself from now on, as the one program does that the others send their lines to.
    pub fn write_file(&self, path: &str) {
        let file = LogFile { path: path.into(), mode: 0o600 };
        self.lock().sink.redirect(&Place::File(file));
    }

    /// Uses another name before the process id, such as `postfix/postfix-script`.
    pub fn rename(&self, tag: &str) {
        self.lock().rename(tag.to_owned());
    }

    /// Changes what is repeated on standard error.
    pub fn echo(&self, echo: Echo) {
        self.lock().echo = echo;
    }

    /// Logs debug lines too, from now on.
    pub fn verbose(&self) {
        self.verbose.store(true, Ordering::Relaxed);
        tracing::callsite::rebuild_interest_cache();
    }

    fn is_verbose(&self) -> bool {
        self.verbose.load(Ordering::Relaxed)
    }

    /// Keeps info lines until [`Self::flush`], which the program calls when it is about to wait. An event for the target
    /// [`BARRIER`](crate::BARRIER) does it earlier, so that the order in the log stays causal.
    pub fn batch(&self) {
        self.lock().sink.batch();
    }

    /// Writes lines that had to wait, as far as possible now.
    pub fn flush(&self) {
        let mut state = self.lock();
        state.sink.flush();
        state.tell_dropped();
    }

    /// Writes lines that had to wait before the program ends: a reader that is slow is waited for, some seconds.
    pub fn finish(&self) {
        let mut state = self.lock();
        state.sink.finish();
        state.tell_dropped();
    }

    /// Whether lines wait for [`Self::flush`].
    #[must_use]
    pub fn is_pending(&self) -> bool {
        self.lock().sink.is_pending()
    }

    /// Whether the log daemon has gone since the start, and its successor cannot be reached from here: inside a jail.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        self.lock().sink.is_lost()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn tell_dropped(&mut self) {
        let dropped = self.sink.take_dropped();
        if dropped > 0 {
            self.write(Severity::Warning, &format!("{dropped} log lines were lost, because the log was not read"));
        }
    }

    fn rename(&mut self, tag: String) {
        self.label = format!("{tag}[{}]: ", std::process::id());
        self.tag = tag;
    }

    fn write(&mut self, severity: Severity, text: &str) {
        let text = printable(text, self.characters);
        let prefix = severity.prefix();
        if self.echo != Echo::Off {
            // Where standard error is closed, the log is enough.
            let tag = &self.tag;
            let name = if tag.contains('/') && tag.ends_with(&self.program) { &self.program } else { tag };
            let _ = io::stderr().write_all(format!("{name}: {prefix}{text}\n").as_bytes());
            if self.echo == Echo::StderrOnly {
                return;
            }
        }
        let stamp = self.clock.now();
        self.line.clear();
        let mut put = |parts: &[&str]| parts.iter().for_each(|part| self.line.extend_from_slice(part.as_bytes()));
        match self.sink.form() {
            Form::Syslog => {
                let priority = self.facility.with(severity).to_string();
                put(&["<", &priority, ">", stamp, " ", &self.label, prefix, &text]);
            }
            Form::File => put(&[stamp, " ", &self.hostname, " ", &self.label, prefix, &text, "\n"]),
        }
        self.sink.write(severity, &self.line);
    }
}

/// The name up to its first dot, as logs show hosts.
fn short(name: &str) -> String {
    name.trim().split('.').next().unwrap_or_default().to_owned()
}

/// What may not be shown becomes question marks, and so does what stands for bytes that were no text; the numbers that Rust
/// adds to the system's errors go; and the text is cut at [`LONGEST`].
fn printable(text: &str, characters: Characters) -> Cow<'_, str> {
    if text.len() <= LONGEST && text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return without_error_numbers(text);
    }
    let text = without_error_numbers(text);
    let mut end = text.len().min(LONGEST);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let cut = text.get(..end).unwrap_or_default();
    let mut out = String::with_capacity(cut.len());
    for found in cut.chars() {
        match found {
            ' '..='~' => out.push(found),
            char::REPLACEMENT_CHARACTER => out.push('?'),
            _ if characters == Characters::Ascii => out.extend(std::iter::repeat_n('?', found.len_utf8())),
            _ => out.push(if found.is_control() { '?' } else { found }),
        }
    }
    Cow::Owned(out)
}

/// `Permission denied (os error 13)` as everyone else has it: `Permission denied`.
fn without_error_numbers(text: &str) -> Cow<'_, str> {
    const MARK: &str = " (os error ";
    static MARKED: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(MARK));
    let Some(at) = MARKED.find(text.as_bytes()) else { return Cow::Borrowed(text) };
    let (before, rest) = text.split_at(at);
    let rest = rest.get(MARK.len()..).unwrap_or_default();
    match rest.split_once(')') {
        Some((number, after)) if number.bytes().all(|byte| byte.is_ascii_digit()) => {
            Cow::Owned(format!("{before}{}", without_error_numbers(after)))
        }
        Some(_) | None => Cow::Borrowed(text),
    }
}

struct Lines(Log);

impl Subscriber for Lines {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        let most = if self.0.is_verbose() { Level::DEBUG } else { Level::INFO };
        metadata.is_event()
            && *metadata.level() <= most
            && !FOREIGN.iter().any(|name| metadata.target().starts_with(name))
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(if self.0.is_verbose() { LevelFilter::DEBUG } else { LevelFilter::INFO })
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        if event.metadata().target() == crate::BARRIER {
            return self.0.lock().sink.flush();
        }
        let mut text = Text(String::with_capacity(TYPICAL));
        event.record(&mut text);
        self.0.lock().write(severity(event.metadata()), &text.0);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

fn severity(metadata: &Metadata<'_>) -> Severity {
    match (metadata.target(), *metadata.level()) {
        ("maillog::fatal", _) => Severity::Fatal,
        ("maillog::panic", _) => Severity::Panic,
        (_, Level::ERROR) => Severity::Error,
        (_, Level::WARN) => Severity::Warning,
        (_, Level::INFO) => Severity::Info,
        _ => Severity::Debug,
    }
}

/// The message of an event.
struct Text(String);

impl Visit for Text {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            self.0.push_str(value);
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            let _ = write!(self.0, "{value:?}");
        }
    }
}

#[cfg(test)]
mod tests;
