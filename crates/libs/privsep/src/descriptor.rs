//! Descriptors that came with the process, and those that travel over sockets.

use crate::Error;
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::SockaddrLike;
use nix::sys::socket::{ControlMessage, ControlMessageOwned, MsgFlags, SockFlag, UnixAddr, recvmsg, sendmsg};
use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::time::{Duration, Instant};

/// Who is at the other end of a Unix-domain socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    /// Process id.
    pub pid: i32,
    /// User id.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
}

/// Takes a descriptor that the parent left open at this number; it does not pass on to programs that this one
/// executes. Each number may be taken once.
///
/// # Errors
/// [`Error::Descriptor`] if there is none.
pub fn inherited(number: RawFd) -> Result<OwnedFd, Error> {
    // SAFETY: the number is only asked about; `fcntl` below fails if it is not open.
    let borrowed = unsafe { BorrowedFd::borrow_raw(number) };
    fcntl(borrowed, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC)).map_err(Error::descriptor("inherited descriptor"))?;
    // SAFETY: it is open, and by this function's contract nobody else in the process owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// Lets a descriptor pass on to the programs that this one executes.
///
/// # Errors
/// [`Error::Descriptor`].
pub fn keep_open(descriptor: impl AsFd) -> Result<(), Error> {
    fcntl(descriptor, FcntlArg::F_SETFD(FdFlag::empty())).map_err(Error::descriptor("keep open")).map(|_| ())
}

/// Has the system begin to write a file's bytes to disk, and does not wait for that. It is no promise, and no substitute for
/// waiting with `fsync`: that then takes less time.
///
/// # Errors
/// As `sync_file_range`(2).
pub fn begin_write_back(file: &std::fs::File) -> io::Result<()> {
    sync_range(file, libc::SYNC_FILE_RANGE_WRITE)
}

/// Waits until the system has given a file's bytes to the disk. They survive a power failure once the disk has been told to keep what
/// it was given, which the next `fsync` of any file does; what the file system knows of the file is another matter.
///
/// # Errors
/// As `sync_file_range`(2).
pub fn write_back(file: &std::fs::File) -> io::Result<()> {
    sync_range(file, libc::SYNC_FILE_RANGE_WAIT_BEFORE | libc::SYNC_FILE_RANGE_WRITE | libc::SYNC_FILE_RANGE_WAIT_AFTER)
}

fn sync_range(file: &std::fs::File, flags: libc::c_uint) -> io::Result<()> {
    // SAFETY: the call takes an open descriptor and no memory.
    let result = unsafe { libc::sync_file_range(file.as_raw_fd(), 0, 0, flags) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// The credentials of the peer when it connected.
///
/// # Errors
/// [`Error::Descriptor`].
pub fn peer(socket: &impl AsFd) -> Result<Peer, Error> {
    let found = nix::sys::socket::getsockopt(socket, nix::sys::socket::sockopt::PeerCredentials)
        .map_err(Error::descriptor("peer credentials"))?;
    Ok(Peer { pid: found.pid(), uid: found.uid(), gid: found.gid() })
}

/// Looks at the bytes that a socket has, without taking them and without waiting.
///
/// # Errors
/// As recv(2); `WouldBlock` if there are none.
pub fn peek(socket: &impl AsFd, buffer: &mut [u8]) -> io::Result<usize> {
    let flags = MsgFlags::MSG_PEEK | MsgFlags::MSG_DONTWAIT;
    Ok(nix::sys::socket::recv(socket.as_fd().as_raw_fd(), buffer, flags)?)
}

/// Takes a connection from a listening socket that is ready; it does not block, nor pass on to other programs.
///
/// # Errors
/// As accept(2).
pub fn accept(listener: &impl AsFd) -> io::Result<OwnedFd> {
    let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
    let number = nix::sys::socket::accept4(listener.as_fd().as_raw_fd(), flags)?;
    // SAFETY: the kernel has just made this descriptor for us.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// Reads from any descriptor.
///
/// # Errors
/// As read(2).
pub fn read(descriptor: &impl AsFd, buffer: &mut [u8]) -> io::Result<usize> {
    Ok(nix::unistd::read(descriptor, buffer)?)
}

/// Which of the descriptors have something to read (or have ended), waiting until the deadline for the first.
///
/// # Errors
/// As poll(2).
pub fn wait_readable(descriptors: &[BorrowedFd<'_>], deadline: Option<Instant>) -> io::Result<Vec<usize>> {
    let mut polled: Vec<_> = descriptors.iter().map(|descriptor| PollFd::new(*descriptor, PollFlags::POLLIN)).collect();
    loop {
        let rest = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let timeout = rest.map_or(PollTimeout::NONE, |rest| {
            // A part of a millisecond is a whole one, lest the wait spins.
            PollTimeout::try_from(rest + Duration::from_micros(999)).unwrap_or(PollTimeout::MAX)
        });
        match poll(&mut polled, timeout) {
            Ok(0) if rest.is_some_and(|rest| rest.is_zero()) => return Ok(Vec::new()),
            Ok(0) | Err(nix::Error::EINTR) => {}
            Ok(_) => break,
            Err(errno) => return Err(errno.into()),
        }
    }
    let ready = polled.iter().enumerate().filter(|(_, polled)| polled.any().unwrap_or(true));
    Ok(ready.map(|(at, _)| at).collect())
}

/// Whether a descriptor is a Unix-domain socket.
#[must_use]
pub fn is_unix_socket(descriptor: &impl AsFd) -> bool {
    let address = nix::sys::socket::getsockname::<nix::sys::socket::SockaddrStorage>(descriptor.as_fd().as_raw_fd());
    address.is_ok_and(|address| address.family() == Some(nix::sys::socket::AddressFamily::Unix))
}

/// Sends bytes together with a descriptor; returns how many bytes went.
///
/// # Errors
/// As sendmsg(2).
pub fn send_descriptor(socket: &impl AsFd, bytes: &[u8], descriptor: &impl AsFd) -> io::Result<usize> {
    let passed = [descriptor.as_fd().as_raw_fd()];
    let control = [ControlMessage::ScmRights(&passed)];
    let parts = [IoSlice::new(bytes)];
    Ok(sendmsg::<UnixAddr>(socket.as_fd().as_raw_fd(), &parts, &control, MsgFlags::MSG_NOSIGNAL, None)?)
}

/// Receives bytes, and a descriptor if one came with them. More than one are closed.
///
/// # Errors
/// As recvmsg(2).
pub fn receive_descriptor(socket: &impl AsFd, buffer: &mut [u8]) -> io::Result<(usize, Option<OwnedFd>)> {
    receive(socket, buffer, MsgFlags::empty())
}

/// As [`receive_descriptor`], without waiting.
///
/// # Errors
/// As recvmsg(2); `WouldBlock` if nothing is there.
pub fn try_receive_descriptor(socket: &impl AsFd, buffer: &mut [u8]) -> io::Result<(usize, Option<OwnedFd>)> {
    receive(socket, buffer, MsgFlags::MSG_DONTWAIT)
}

fn receive(socket: &impl AsFd, buffer: &mut [u8], flags: MsgFlags) -> io::Result<(usize, Option<OwnedFd>)> {
    let mut space = nix::cmsg_space!([RawFd; 4]);
    let mut parts = [IoSliceMut::new(buffer)];
    let flags = flags | MsgFlags::MSG_CMSG_CLOEXEC;
    let message = recvmsg::<UnixAddr>(socket.as_fd().as_raw_fd(), &mut parts, Some(&mut space), flags)?;
    let mut found = Vec::new();
    for control in message.cmsgs()? {
        if let ControlMessageOwned::ScmRights(numbers) = control {
            for number in numbers {
                // SAFETY: the kernel has just installed this descriptor for us; nobody else owns it.
                found.push(unsafe { OwnedFd::from_raw_fd(number) });
            }
        }
    }
    let bytes = message.bytes;
    found.truncate(1);
    Ok((bytes, found.pop()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Seek, Write};
    use std::os::unix::net::UnixStream;

    #[test]
    fn descriptor_travels_with_its_bytes() {
        let (here, there) = UnixStream::pair().unwrap();
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"content").unwrap();
        assert_eq!(send_descriptor(&here, b"take", &file).unwrap(), 4);
        drop(file);
        let mut buffer = [0; 16];
        let (length, passed) = receive_descriptor(&there, &mut buffer).unwrap();
        assert_eq!(&buffer[..length], b"take");
        let mut file = std::fs::File::from(passed.unwrap());
        let mut text = String::new();
        file.rewind().unwrap();
        file.read_to_string(&mut text).unwrap();
        assert_eq!(text, "content");
    }

    #[test]
    fn bytes_without_descriptor_are_just_bytes() {
        let (mut here, there) = UnixStream::pair().unwrap();
        let mut buffer = [0; 16];
        assert_eq!(peek(&there, &mut buffer).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        here.write_all(b"x").unwrap();
        assert_eq!(peek(&there, &mut buffer).unwrap(), 1);
        let (length, passed) = try_receive_descriptor(&there, &mut buffer).unwrap();
        assert!((length, passed.is_none()) == (1, true));
        assert_eq!(peer(&there).unwrap().pid, std::process::id().cast_signed());
    }
}
