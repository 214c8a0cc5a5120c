//! Starts a daemon: with its descriptors at known numbers, and nothing else of ours.

use crate::Error;
use nix::fcntl::{FcntlArg, fcntl};
use std::fs::File;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

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

/// Starts a program in a process group of its parent; returns its process id. Standard streams pass on. The caller reaps it.
///
/// # Errors
/// [`Error::Execute`], or [`Error::Descriptor`].
pub fn start(program: &Program<'_>) -> Result<u32, Error> {
    let count = RawFd::try_from(program.descriptors.len()).unwrap_or(RawFd::MAX - FIRST);
    let (sources, _occupied) = move_up(program.descriptors, FIRST + count)?;
    let numbers: Vec<RawFd> = sources.iter().map(AsRawFd::as_raw_fd).collect();
    let mut command = Command::new(program.path);
    command
        .arg0(program.name)
        .args(program.arguments)
        .env_clear()
        .envs(program.environment.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null());
    // SAFETY: the closure only makes async-signal-safe system calls and allocates nothing.
    unsafe { command.pre_exec(move || place(&numbers)) };
    let child = command.spawn().map_err(|source| Error::Execute { path: program.path.into(), source })?;
    Ok(child.id())
}

/// Copies of the descriptors above the range they are to have, with that range occupied, so that no descriptor
/// of the standard library's own (its pipe for the error of exec) can be in the way.
fn move_up(descriptors: &[BorrowedFd<'_>], end: RawFd) -> Result<(Vec<OwnedFd>, Vec<OwnedFd>), Error> {
    let null = File::open("/dev/null").map_err(|source| Error::Descriptor { what: "open /dev/null", source })?;
    let mut occupied = Vec::new();
    loop {
        let filler = duplicate(&null, FIRST)?;
        if filler.as_raw_fd() >= end {
            break;
        }
        occupied.push(filler);
    }
    let sources = descriptors.iter().map(|descriptor| duplicate(descriptor, end)).collect::<Result<_, _>>()?;
    Ok((sources, occupied))
}

fn duplicate(descriptor: &impl std::os::fd::AsFd, least: RawFd) -> Result<OwnedFd, Error> {
    let number = fcntl(descriptor, FcntlArg::F_DUPFD_CLOEXEC(least)).map_err(Error::descriptor("duplicate"))?;
    // SAFETY: the kernel has just made this descriptor for us.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// In the child: puts the descriptors where they belong, and unblocks signals.
fn place(numbers: &[RawFd]) -> std::io::Result<()> {
    for (target, source) in (FIRST..).zip(numbers) {
        // SAFETY: dup2 takes any numbers; the target range holds nothing that this child needs.
        if unsafe { libc::dup2(*source, target) } < 0 {
            return Err(std::io::Error::last_os_error());
        }
    }
    nix::sys::signal::SigSet::empty().thread_set_mask().map_err(Into::into)
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
