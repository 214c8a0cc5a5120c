//! Runs a command of an admin or a user: with that user's rights, a clean environment, closed descriptors, a time
//! limit, and an output of bounded size.

use crate::limit::limit_file_size;
use crate::{End, Error, User, is_root, wait_for_end};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::unistd::{Gid, Pid, Uid};
use std::ffi::CString;
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// What is to be run, and how.
#[derive(Debug)]
pub struct Command<'a> {
    /// The command.
    pub line: Line<'a>,
    /// The shell for lines that need one, with its arguments: `local_command_shell`. Empty means `/bin/sh`, and only where needed.
    pub shell: &'a str,
    /// Whose rights it has; `None` keeps those of this process.
    pub user: Option<&'a User>,
    /// A new root directory.
    pub root: Option<&'a Path>,
    /// Where it runs (inside `root`).
    pub directory: Option<&'a Path>,
    /// Its whole environment, but for `PATH`, which is always the system's.
    pub environment: &'a [(String, String)],
    /// How long it may take.
    pub time_limit: Duration,
    /// How large a file that it writes may become: `mailbox_size_limit`. 0 means no limit but that of this process.
    pub file_size_limit: u64,
    /// How much of its output is kept.
    pub output_limit: usize,
}

/// A command as it was written.
#[derive(Debug, Clone, Copy)]
pub enum Line<'a> {
    /// One text. Without characters special to a shell it is split at white space and run directly.
    Text(&'a str),
    /// A program and its arguments.
    Words(&'a [String]),
}

/// How a command ended.
#[derive(Debug)]
pub struct Finished {
    /// Its status; `None` if it was killed at its time limit.
    pub status: Option<ExitStatus>,
    /// What it wrote on standard output and error, up to the limit.
    pub output: Vec<u8>,
    /// The first failure of the one that wrote its input, unless the command did not want to read all.
    pub input: Result<(), io::Error>,
}

/// The usual search path.
const PATH: &str = "/usr/bin:/bin";

/// Runs lines that no other shell is asked for.
const SHELL: &str = "/bin/sh";

/// Runs a command to its end; `input` writes what it reads on standard input.
///
/// # Errors
/// [`Error::Execute`] if it cannot be started, [`Error::Descriptor`].
pub fn run(command: &Command<'_>, input: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<Finished, Error> {
    let deadline = Instant::now() + command.time_limit;
    let mut child = spawn(command)?;
    let mut pipes = Pipes {
        stdin: child.stdin.take(),
        stdout: child.stdout.take(),
        output: Vec::new(),
        limit: command.output_limit,
        deadline,
    };
    let mut written = input(&mut pipes);
    pipes.stdin = None;
    if let Err(error) = &written
        && error.kind() == ErrorKind::BrokenPipe
    {
        written = Ok(());
    }
    let in_time = pipes.drain();
    let status = end(&mut child, deadline, in_time)?;
    Ok(Finished { status, output: pipes.output, input: written })
}

fn spawn(command: &Command<'_>) -> Result<Child, Error> {
    let words = words(command);
    match spawn_words(command, &words) {
        // What no directory of PATH has may be a builtin of the shell.
        Err(Error::Execute { source, .. })
            if source.kind() == ErrorKind::NotFound
                && words.first().is_some_and(|name| !name.contains('/'))
                && command.root.is_none() =>
        {
            if let Line::Text(text) = command.line {
                return spawn_words(command, &[SHELL.into(), "-c".into(), text.into()]);
            }
            Err(Error::Execute { path: words.first().map(PathBuf::from).unwrap_or_default(), source })
        }
        other => other,
    }
}

/// The program and its arguments.
fn words(command: &Command<'_>) -> Vec<String> {
    match command.line {
        Line::Words(words) => words.to_vec(),
        Line::Text(text) if !command.shell.trim().is_empty() => {
            command.shell.split_whitespace().chain([text]).map(str::to_owned).collect()
        }
        Line::Text(text) if is_plain(text) => {
            text.split([' ', '\t']).filter(|word| !word.is_empty()).map(str::to_owned).collect()
        }
        Line::Text(text) => vec![SHELL.into(), "-c".into(), text.into()],
    }
}

/// Whether no shell is needed.
fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!@%-_=+:,./ \t".contains(&byte))
        && !text.trim().is_empty()
}

fn spawn_words(command: &Command<'_>, words: &[String]) -> Result<Child, Error> {
    let Some((name, arguments)) = words.split_first() else {
        return Err(Error::Execute { path: PathBuf::new(), source: ErrorKind::InvalidInput.into() });
    };
    let mut process = std::process::Command::new(name);
    process
        .args(arguments)
        .env_clear()
        .envs(command.environment.iter().map(|(name, value)| (name, value)))
        .env("PATH", PATH)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    if matches!(command.line, Line::Text(_)) && name == SHELL {
        process.arg0("sh");
    }
    let setup = Setup::of(command)?;
    // SAFETY: the closure only makes async-signal-safe system calls and allocates nothing.
    unsafe { process.pre_exec(move || setup.apply()) };
    process.spawn().map_err(|source| Step::error(source, name, command))
}

/// How a command ended that had a connection.
#[derive(Debug, PartialEq, Eq)]
pub enum Detached {
    /// By itself.
    Ended(End),
    /// It was killed at its time limit; its process was this one.
    Killed(u32),
}

/// A command that has a connection as its standard streams.
#[derive(Debug)]
pub struct Attached<'a> {
    /// The program and its arguments.
    pub words: &'a [String],
    /// Whose rights it has.
    pub user: &'a User,
    /// Its whole environment, but for `PATH`.
    pub environment: &'a [(String, String)],
    /// How long it may take.
    pub time_limit: Duration,
}

/// Runs a command on a connection to its end.
///
/// # Errors
/// [`Error::Execute`] if it cannot be started, [`Error::Descriptor`].
pub fn attach(command: &Attached<'_>, connection: OwnedFd) -> Result<Detached, Error> {
    let failed = |source| Error::Descriptor { what: "duplicate", source };
    let (name, arguments) = command
        .words
        .split_first()
        .ok_or_else(|| Error::Execute { path: PathBuf::new(), source: ErrorKind::InvalidInput.into() })?;
    let deadline = Instant::now() + command.time_limit;
    let setup = Setup { user: identity(Some(command.user)), root: None, directory: None, file_size_limit: 0 };
    let mut process = std::process::Command::new(name);
    process
        .args(arguments)
        .env_clear()
        .envs(command.environment.iter().map(|(name, value)| (name, value)))
        .env("PATH", PATH)
        .stdin(connection.try_clone().map_err(failed)?)
        .stdout(connection);
    // SAFETY: the closure only makes async-signal-safe system calls and allocates nothing.
    unsafe { process.pre_exec(move || setup.apply()) };
    let mut child = process.spawn().map_err(|source| Error::Execute { path: name.into(), source })?;
    drop(process);
    let Some(status) = end(&mut child, deadline, true)? else { return Ok(Detached::Killed(child.id())) };
    Ok(Detached::Ended(match (status.code(), status.signal()) {
        (Some(code), _) => End::Status(code),
        (None, signal) => End::Signal(signal.unwrap_or(0)),
    }))
}

/// The variables of our own environment that `export_environment` (or another list of the kind) names, with those it sets:
/// `NAME=VALUE`, or `{ NAME = VALUE }` where the value has blanks.
#[must_use]
pub fn chosen_environment(names: &[String]) -> Vec<(String, String)> {
    let chosen = names.iter().filter_map(|word| {
        let inside = word.strip_prefix('{').and_then(|word| word.strip_suffix('}'));
        match inside.unwrap_or(word).split_once('=') {
            Some((name, value)) if inside.is_some() => Some((name.trim().to_owned(), value.trim().to_owned())),
            Some((name, value)) => Some((name.to_owned(), value.to_owned())),
            None => Some((word.clone(), std::env::var(word).ok()?)),
        }
    });
    chosen.collect()
}

fn identity(user: Option<&User>) -> Option<(Uid, Gid)> {
    user.filter(|_| is_root()).map(|user| (Uid::from_raw(user.uid), Gid::from_raw(user.gid)))
}

/// What failed in the child. Only a number comes back from there; those of errors are smaller than [`Step::UNIT`].
#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    Root = 1,
    Directory = 2,
}

impl Step {
    const UNIT: i32 = 0x1000;

    fn failed(self, errno: nix::Error) -> io::Error {
        io::Error::from_raw_os_error(self as i32 * Self::UNIT + errno as i32)
    }

    /// The error of a command that was not started.
    fn error(source: io::Error, name: &str, command: &Command<'_>) -> Error {
        let number = source.raw_os_error().unwrap_or(0);
        let shown = |path: Option<&Path>| path.unwrap_or(Path::new("")).display().to_string();
        let what = match number / Self::UNIT {
            step if step == Self::Root as i32 => format!("chroot({})", shown(command.root)),
            step if step == Self::Directory as i32 => {
                let (uid, gid) = command.user.map_or_else(own_identity, |user| (user.uid, user.gid));
                format!("cannot change directory to \"{}\" for uid={uid} gid={gid}", shown(command.directory))
            }
            _ => return Error::Execute { path: name.into(), source },
        };
        Error::Rights { what, source: io::Error::from_raw_os_error(number % Self::UNIT) }
    }
}

fn own_identity() -> (u32, u32) {
    (nix::unistd::getuid().as_raw(), nix::unistd::getgid().as_raw())
}

/// What the child does before it becomes the command; all memory is made before.
struct Setup {
    user: Option<(Uid, Gid)>,
    root: Option<CString>,
    directory: Option<CString>,
    file_size_limit: u64,
}

impl Setup {
    fn of(command: &Command<'_>) -> Result<Self, Error> {
        let path = |path: Option<&Path>| -> Result<Option<CString>, Error> {
            path.map(|path| CString::new(path.as_os_str().as_encoded_bytes()))
                .transpose()
                .map_err(|source| Error::Rights { what: "directory name".into(), source: source.into() })
        };
        Ok(Self {
            user: identity(command.user),
            root: path(command.root.filter(|_| is_root()))?,
            directory: path(command.directory)?,
            file_size_limit: command.file_size_limit,
        })
    }

    fn apply(&self) -> io::Result<()> {
        nix::unistd::setsid()?;
        // SAFETY: dup2 takes plain numbers; both streams are open in this child.
        if unsafe { libc::dup2(libc::STDOUT_FILENO, libc::STDERR_FILENO) } < 0 {
            return Err(io::Error::last_os_error());
        }
        if let Some(root) = &self.root {
            let entered = nix::unistd::chroot(root.as_c_str()).and_then(|()| nix::unistd::chdir(c"/"));
            entered.map_err(|errno| Step::Root.failed(errno))?;
        }
        if let Some((uid, gid)) = self.user {
            // Once root again, should the caller be another user for the moment.
            nix::unistd::seteuid(Uid::from_raw(0)).or_else(|errno| if uid.is_root() { Err(errno) } else { Ok(()) })?;
            nix::unistd::setgroups(&[gid])?;
            nix::unistd::setresgid(gid, gid, gid)?;
            nix::unistd::setresuid(uid, uid, uid)?;
        }
        if let Some(directory) = &self.directory {
            nix::unistd::chdir(directory.as_c_str()).map_err(|errno| Step::Directory.failed(errno))?;
        }
        if self.file_size_limit > 0 {
            limit_file_size(self.file_size_limit)?;
        }
        nix::sys::signal::SigSet::empty().thread_set_mask()?;
        close_rest();
        Ok(())
    }
}

/// Everything beyond the standard streams closes when the command starts.
fn close_rest() {
    // SAFETY: close_range only marks descriptors of this child; it touches no memory.
    let _ = unsafe { libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC) };
}

/// The two ends that we hold. Writing keeps reading what the command says, so that neither waits for the other.
struct Pipes {
    stdin: Option<ChildStdin>,
    stdout: Option<ChildStdout>,
    output: Vec<u8>,
    limit: usize,
    deadline: Instant,
}

impl Pipes {
    /// Waits until the command's input takes bytes, or (`None` for input) its output has ended.
    /// True if so, false at the time limit.
    fn wait_for_input(&mut self) -> io::Result<bool> {
        loop {
            let Some(stdin) = &self.stdin else { return Ok(false) };
            let mut polled = vec![PollFd::new(stdin.as_fd(), PollFlags::POLLOUT)];
            if let Some(stdout) = &self.stdout {
                polled.push(PollFd::new(stdout.as_fd(), PollFlags::POLLIN));
            }
            if !wait(&mut polled, self.deadline)? {
                return Ok(false);
            }
            let writable = polled.first().and_then(PollFd::any).unwrap_or(false);
            let readable = polled.get(1).and_then(PollFd::any).unwrap_or(false);
            if readable {
                self.read_some()?;
            }
            if writable {
                return Ok(true);
            }
        }
    }

    /// Reads until the command has closed its output; false at the time limit.
    fn drain(&mut self) -> bool {
        while let Some(stdout) = &self.stdout {
            let mut polled = [PollFd::new(stdout.as_fd(), PollFlags::POLLIN)];
            if !wait(&mut polled, self.deadline).unwrap_or(false) {
                return false;
            }
            if self.read_some().is_err() {
                self.stdout = None;
            }
        }
        true
    }

    fn read_some(&mut self) -> io::Result<()> {
        let Some(stdout) = &mut self.stdout else { return Ok(()) };
        let mut buffer = [0; 4096];
        let count = stdout.read(&mut buffer)?;
        let room = self.limit.saturating_sub(self.output.len());
        self.output.extend(buffer.iter().take(count.min(room)));
        if count == 0 {
            self.stdout = None;
        }
        Ok(())
    }
}

impl Write for Pipes {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if !self.wait_for_input()? {
            return Err(ErrorKind::TimedOut.into());
        }
        // A pipe that polls writable takes this much without blocking.
        let part = bytes.get(..bytes.len().min(libc::PIPE_BUF)).unwrap_or(bytes);
        self.stdin.as_mut().map_or(Err(ErrorKind::BrokenPipe.into()), |stdin| stdin.write(part))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// False when the deadline has passed.
fn wait(polled: &mut [PollFd<'_>], deadline: Instant) -> io::Result<bool> {
    loop {
        let rest = deadline.saturating_duration_since(Instant::now());
        let timeout = PollTimeout::try_from(rest).unwrap_or(PollTimeout::MAX);
        match poll(polled, timeout) {
            Ok(0) if rest.is_zero() => return Ok(false),
            Ok(0) | Err(nix::Error::EINTR) => {}
            Ok(_) => return Ok(true),
            Err(errno) => return Err(errno.into()),
        }
    }
}

/// Reaps the command, killing it and what it started when its time is up.
fn end(child: &mut Child, deadline: Instant, in_time: bool) -> Result<Option<ExitStatus>, Error> {
    let failed = |source| Error::Descriptor { what: "wait for command", source };
    if in_time && wait_for_end(child.id(), deadline) {
        return child.wait().map(Some).map_err(failed);
    }
    let group = Pid::from_raw(child.id().cast_signed());
    // It may have ended just now.
    let _ = nix::sys::signal::killpg(group, nix::sys::signal::Signal::SIGKILL);
    child.wait().map_err(failed)?;
    Ok(None)
}

#[cfg(test)]
mod tests;
