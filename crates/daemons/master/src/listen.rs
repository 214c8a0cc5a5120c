//! Opens the sockets that services listen on.

use crate::Fatal;
use crate::settings::Settings;
use config::endpoint;
use config::master_cf::{Entry, Kind};
use nix::sys::socket::{
    self, AddressFamily, Backlog, SockFlag, SockType, SockaddrIn, SockaddrIn6, SockaddrLike, UnixAddr, sockopt,
};
use std::fs;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 1024;
/// The permissions of sockets; who may come near is decided by their directory.
const SOCKET_MODE: u32 = 0o666;
/// Those of FIFOs.
const FIFO_MODE: u32 = 0o622;

/// Where a service listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// A TCP port.
    Port(SocketAddr),
    /// A stream socket below the queue directory.
    Stream(PathBuf),
    /// A datagram socket there.
    Datagram(PathBuf),
    /// A FIFO there.
    Fifo(PathBuf),
}

impl Place {
    /// Whether only this host gets there.
    pub(crate) fn is_of_this_host(&self) -> bool {
        match self {
            Self::Port(address) => address.ip().is_loopback(),
            Self::Stream(_) | Self::Datagram(_) | Self::Fifo(_) => true,
        }
    }
}

/// An open socket.
#[derive(Debug)]
pub(crate) struct Listener {
    pub(crate) place: Place,
    descriptor: OwnedFd,
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

/// Where an entry of master.cf wants to listen.
pub(crate) fn places(entry: &Entry, settings: &Settings) -> Result<Vec<Place>, Fatal> {
    let directory = if entry.private { "private" } else { "public" };
    let path = Path::new(directory).join(&entry.name);
    Ok(match entry.kind {
        Kind::Inet if settings.wildcards.is_empty() => Vec::new(),
        Kind::Inet => {
            let file = settings.directory.join("master.cf");
            let located = |problem| Fatal::new(format!("{}: line {}: {problem}", file.display(), entry.line));
            ports(entry, settings).map_err(located)?.into_iter().map(Place::Port).collect()
        }
        // Mail may be submitted by everyone, where they cannot reach `public`.
        Kind::Unix if entry.name == "pickup" => vec![Place::Stream(path), Place::Stream(ipc::submit::SOCKET.into())],
        Kind::Unix | Kind::Pass => vec![Place::Stream(path)],
        Kind::UnixDgram => vec![Place::Datagram(path)],
        Kind::Fifo => vec![Place::Fifo(path)],
    })
}

/// `port`, `host:port` or `[host]:port`, in numbers or names.
fn ports(entry: &Entry, settings: &Settings) -> Result<Vec<SocketAddr>, String> {
    let malformed = |problem| format!("{problem} in \"{}\"", entry.name);
    let place = endpoint::Place::listener(&entry.name).map_err(malformed)?;
    let port = place.port("", &settings.params.daemon.known_tcp_ports).map_err(|problem| problem.to_string())?;
    let host = place.host;
    if host.is_empty() {
        return Ok(settings.addresses.iter().map(|address| SocketAddr::new(*address, port)).collect());
    }
    let found = match host.parse::<IpAddr>() {
        Ok(address) => vec![SocketAddr::new(address, port)],
        Err(_) => (host, port).to_socket_addrs().map(Iterator::collect).unwrap_or_default(),
    };
    let addresses = usable(&found, &settings.wildcards);
    if addresses.is_empty() {
        return Err(format!("bad hostname or network address: {}", entry.name));
    }
    Ok(addresses)
}

/// Those of the protocols whose wildcards these are, each once: a name may have addresses that nobody here can have.
fn usable(found: &[SocketAddr], wildcards: &[IpAddr]) -> Vec<SocketAddr> {
    let mut addresses = Vec::new();
    for address in found {
        let is_spoken = wildcards.iter().any(|wildcard| wildcard.is_ipv4() == address.is_ipv4());
        if is_spoken && !addresses.contains(address) {
            addresses.push(*address);
        }
    }
    addresses
}

/// Opens a socket, as the owner of the mail system where that is another user.
pub(crate) fn open(place: Place, settings: &Settings) -> Result<Listener, Fatal> {
    let descriptor = match &place {
        Place::Port(address) => open_port(*address)
            .map_err(|error| Fatal::new(format!("bind {} port {}: {error}", address.ip(), address.port())))?,
        Place::Stream(path) | Place::Datagram(path) | Place::Fifo(path) => {
            let opened = make_directory(path, settings).and_then(|()| match &settings.owner {
                Some(owner) => privsep::become_user(&owner.user(), || open_path(&place, path))
                    .unwrap_or_else(|error| Err(io::Error::other(error))),
                None => open_path(&place, path),
            });
            opened.map_err(|error| Fatal::new(format!("bind: {}: {error}", path.display())))?
        }
    };
    Ok(Listener { place, descriptor })
}

/// The submission socket has a directory that older installations lack.
fn make_directory(path: &Path, settings: &Settings) -> io::Result<()> {
    let Some(directory) = path.parent().filter(|_| path == Path::new(ipc::submit::SOCKET)) else { return Ok(()) };
    if !directory.exists() {
        fs::create_dir(directory)?;
        fs::set_permissions(directory, fs::Permissions::from_mode(0o755))?;
        if let Some(owner) = &settings.owner {
            std::os::unix::fs::chown(directory, Some(owner.uid), Some(owner.gid))?;
        }
    }
    Ok(())
}

fn open_port(address: SocketAddr) -> io::Result<OwnedFd> {
    let family = if address.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let descriptor = socket::socket(family, SockType::Stream, flags, None)?;
    socket::setsockopt(&descriptor, sockopt::ReuseAddr, &true)?;
    // One service may have a port on all addresses, another on one of them.
    socket::setsockopt(&descriptor, sockopt::ReusePort, &true)?;
    match address {
        SocketAddr::V4(address) => bind(&descriptor, &SockaddrIn::from(address))?,
        SocketAddr::V6(address) => {
            socket::setsockopt(&descriptor, sockopt::Ipv6V6Only, &true)?;
            bind(&descriptor, &SockaddrIn6::from(address))?;
        }
    }
    listen(&descriptor)?;
    Ok(descriptor)
}

fn open_path(place: &Place, path: &Path) -> io::Result<OwnedFd> {
    if let Place::Fifo(_) = place {
        return open_fifo(path);
    }
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let kind = if matches!(place, Place::Datagram(_)) { SockType::Datagram } else { SockType::Stream };
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let descriptor = socket::socket(AddressFamily::Unix, kind, flags, None)?;
    bind(&descriptor, &UnixAddr::new(path)?)?;
    fs::set_permissions(path, fs::Permissions::from_mode(SOCKET_MODE))?;
    if kind == SockType::Stream {
        listen(&descriptor)?;
    }
    Ok(descriptor)
}

/// Open both ways, so that it never ends when its last writer goes.
fn open_fifo(path: &Path) -> io::Result<OwnedFd> {
    use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
    match fs::symlink_metadata(path) {
        Ok(found) if found.file_type().is_fifo() => {}
        Ok(_) => {
            fs::remove_file(path)?;
            nix::unistd::mkfifo(path, nix::sys::stat::Mode::empty())?;
        }
        Err(_) => nix::unistd::mkfifo(path, nix::sys::stat::Mode::empty())?,
    }
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
    let flags = nix::fcntl::OFlag::O_NONBLOCK.bits();
    let fifo = fs::OpenOptions::new().read(true).write(true).custom_flags(flags).open(path)?;
    fifo.set_permissions(fs::Permissions::from_mode(FIFO_MODE))?;
    Ok(fifo.into())
}

fn bind(descriptor: &OwnedFd, address: &dyn SockaddrLike) -> io::Result<()> {
    Ok(socket::bind(descriptor.as_raw_fd(), address)?)
}

fn listen(descriptor: &OwnedFd) -> io::Result<()> {
    Ok(socket::listen(descriptor, Backlog::new(BACKLOG)?)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn a_port_on_all_addresses_leaves_room_for_one_address() {
        let all = open_port("0.0.0.0:0".parse().unwrap()).unwrap();
        let port = TcpListener::from(all.try_clone().unwrap()).local_addr().unwrap().port();
        open_port(SocketAddr::new([127, 0, 0, 1].into(), port)).unwrap();
    }

    #[test]
    fn strangers_reach_ports_that_are_not_of_the_loopback() {
        let table = [("127.0.0.2:25", true), ("[::1]:25", true), ("0.0.0.0:25", false), ("192.0.2.1:25", false)];
        for (address, expected) in table {
            assert_eq!(Place::Port(address.parse().unwrap()).is_of_this_host(), expected, "{address}");
        }
    }

    #[test]
    fn only_addresses_of_the_protocols_in_use_are_listened_on() {
        let found = ["127.0.0.1:25", "[::1]:25", "127.0.0.1:25"].map(|address| address.parse().unwrap());
        for (wildcards, expected) in [
            (vec!["0.0.0.0", "::"], vec!["127.0.0.1:25", "[::1]:25"]),
            (vec!["0.0.0.0"], vec!["127.0.0.1:25"]),
            (vec!["::"], vec!["[::1]:25"]),
            (vec![], vec![]),
        ] {
            let wildcards: Vec<IpAddr> = wildcards.iter().map(|address| address.parse().unwrap()).collect();
            let usable: Vec<String> = usable(&found, &wildcards).iter().map(ToString::to_string).collect();
            assert_eq!(usable, expected);
        }
    }

    #[test]
    fn a_port_of_another_program_is_not_shared() {
        let other = TcpListener::bind("127.0.0.1:0").unwrap();
        let refused = open_port(other.local_addr().unwrap()).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::AddrInUse);
    }
}
