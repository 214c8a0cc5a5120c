//! Starts a daemon: with its descriptors at known numbers, and nothing else of ours.

use crate::Error;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::spawn::{PosixSpawnAttr, PosixSpawnFileActions, PosixSpawnFlags, posix_spawn};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::stat::Mode;
use std::ffi::{CString, NulError};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::path::Path;

/// The number of the first passed descriptor.
const FIRST: RawFd = 3;

/// A program to be started.
#[derive(Debug)]
pub struct Program<'a> {
    /// The executable.
    pub path: &'a Path,
    /// Its own name for itself.
    pub name: &'a str,
    /// What follows the name.
    pub arguments: &'a [String],
    /// The whole environment.
    pub environment: &'a [(String, String)],
    /// What it finds open at 3, 4, 5, …
    pub descriptors: &'a [BorrowedFd<'a>],
}

/// Starts a program in a process group of its parent; returns its process id. Its standard input is empty, the other standard
/// streams pass on, no signal is blocked, and `SIGPIPE` ends it. The caller reaps it.
///
/// The parent's memory is not copied for the child, as a fork would.
///
/// # Errors
/// [`Error::Execute`], or [`Error::Descriptor`].
pub fn start(program: &Program<'_>) -> Result<u32, Error> {
    let count = RawFd::try_from(program.descriptors.len()).unwrap_or(RawFd::MAX - FIRST);
    // Copies above the range they are to have: none is overwritten before it is in its place.
    let copies = program.descriptors.iter().map(|descriptor| duplicate(descriptor, FIRST + count));
    let sources = copies.collect::<Result<Vec<_>, _>>()?;
    let failed = |errno: nix::Error| Error::Execute { path: program.path.into(), source: errno.into() };
    let (arguments, environment) = words(program).map_err(|_| failed(nix::Error::EINVAL))?;
    let mut actions = PosixSpawnFileActions::init().map_err(failed)?;
    actions.add_open(0, "/dev/null", OFlag::O_RDONLY, Mode::empty()).map_err(failed)?;
    for (target, source) in (FIRST..).zip(&sources) {
        actions.add_dup2(source.as_raw_fd(), target).map_err(failed)?;
    }
    let mut attributes = PosixSpawnAttr::init().map_err(failed)?;
    attributes
        .set_flags(PosixSpawnFlags::POSIX_SPAWN_SETSIGMASK | PosixSpawnFlags::POSIX_SPAWN_SETSIGDEF)
        .and_then(|()| attributes.set_sigmask(&SigSet::empty()))
        .and_then(|()| attributes.set_sigdefault(&SigSet::from(Signal::SIGPIPE)))
        .map_err(failed)?;
    let pid = posix_spawn(program.path, &actions, &attributes, &arguments, &environment).map_err(failed)?;
    Ok(pid.as_raw().cast_unsigned())
}

/// The arguments and the environment, as the system takes them.
fn words(program: &Program<'_>) -> Result<(Vec<CString>, Vec<CString>), NulError> {
    let arguments = [program.name].into_iter().chain(program.arguments.iter().map(String::as_str));
    let environment = program.environment.iter().map(|(name, value)| format!("{name}={value}"));
    Ok((
        arguments.map(CString::new).collect::<Result<_, _>>()?,
        environment.map(CString::new).collect::<Result<_, _>>()?,
    ))
}

fn duplicate(descriptor: &impl std::os::fd::AsFd, least: RawFd) -> Result<OwnedFd, Error> {
    let number = fcntl(descriptor, FcntlArg::F_DUPFD_CLOEXEC(least)).map_err(Error::descriptor("duplicate"))?;
    // SAFETY: the kernel has just made this descriptor for us.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Seek, Write};
    use std::os::fd::AsFd;

    #[test]
    fn program_finds_its_descriptors_in_order() {
        let mut one = tempfile::tempfile().unwrap();
        let two = tempfile::tempfile().unwrap();
        one.write_all(b"first").unwrap();
        one.rewind().unwrap();
        let program = Program {
            path: Path::new("/bin/sh"),
            name: "shell",
            arguments: &["-c".into(), "cat <&3 >&4; echo $X $0 >&4".into()],
            environment: &[("X".into(), "y".into()), ("PATH".into(), "/bin:/usr/bin".into())],
            descriptors: &[one.as_fd(), two.as_fd()],
        };
        let pid = start(&program).unwrap();
        let pid = nix::unistd::Pid::from_raw(pid.cast_signed());
        nix::sys::wait::waitpid(pid, None).unwrap();
        let (mut two, mut text) = (two, String::new());
        two.rewind().unwrap();
        two.read_to_string(&mut text).unwrap();
        assert_eq!(text, "firsty shell\n");
    }

    #[test]
    fn missing_program_is_reported_at_once() {
        let program = Program {
            path: Path::new("/nowhere/at/all"),
            name: "x",
            arguments: &[],
            environment: &[],
            descriptors: &[],
        };
        assert!(matches!(start(&program), Err(Error::Execute { .. })));
    }
}
