//! Tells comsat(8) which user has new mail, as `biff` asks.
//!
//! It is told by one datagram to this host, which may be lost and is never answered. Where nobody listens, nothing happens, and
//! nothing is sent for the next second.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use tracing::debug;

/// Where comsat(8) listens.
const COMSAT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 512);

/// How long nothing is sent after nobody has listened.
const SILENCE: Duration = Duration::from_secs(1);

/// The way to comsat(8).
#[derive(Debug, Default)]
pub(crate) struct Biff {
    socket: Option<UdpSocket>,
    silent_until: Option<Instant>,
}

impl Biff {
    /// Says that the user's mailbox has a new message at an offset.
    pub(crate) fn announce(&mut self, user: &str, offset: u64) {
        if let Err(error) = self.send(COMSAT, user, offset) {
            debug!("biff: {error}");
        }
    }

    fn send(&mut self, to: SocketAddr, user: &str, offset: u64) -> io::Result<()> {
        if self.silent_until.is_some_and(|until| Instant::now() < until) {
            return Ok(());
        }
        let socket = match self.socket.take() {
            Some(socket) => socket,
            None => {
                let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
                socket.connect(to)?;
                socket
            }
        };
        let sent = socket.send(format!("{user}@{offset}\0").as_bytes());
        self.socket = Some(socket);
        // What became of the last datagram.
        self.silent_until = match &sent {
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => Some(Instant::now() + SILENCE),
            Ok(_) | Err(_) => None,
        };
        sent.map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_of_the_message_is_named() {
        let comsat = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        comsat.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let mut biff = Biff::default();
        let mut datagram = [0; 64];
        for offset in [1234, 0] {
            biff.send(comsat.local_addr().unwrap(), "wietse", offset).unwrap();
            let length = comsat.recv(&mut datagram).unwrap();
            assert_eq!(&datagram[..length], format!("wietse@{offset}\0").as_bytes());
        }
    }

    #[test]
    fn where_nobody_listens_nothing_is_sent_for_a_while() {
        let nobody = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
        let mut biff = Biff::default();
        biff.send(nobody, "wietse", 0).unwrap();
        assert_eq!(biff.send(nobody, "wietse", 0).unwrap_err().kind(), ErrorKind::ConnectionRefused);
        assert!(biff.send(nobody, "wietse", 0).is_ok());
        assert!(biff.silent_until.is_some());
    }
}
