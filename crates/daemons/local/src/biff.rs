//! Tells comsat(8) which user has new mail, as `biff` asks.
//!
//! It is told by one datagram to this host, which may be lost and is never answered. Where nobody listens, nothing happens.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::OnceLock;

use tracing::debug;

/// One for the life of the process.
static SOCKET: OnceLock<UdpSocket> = OnceLock::new();

/// Where comsat(8) listens.
const COMSAT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 512);

/// Says that the user's mailbox has a new message at an offset.
pub(crate) fn announce(user: &str, offset: u64) {
    if let Err(error) = send(COMSAT, user, offset) {
        debug!("biff: {error}");
    }
}

fn send(to: SocketAddr, user: &str, offset: u64) -> std::io::Result<()> {
    let socket = match SOCKET.get() {
        Some(socket) => socket,
        None => {
            let bound = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
            SOCKET.get_or_init(|| bound)
        }
    };
    socket.send_to(format!("{user}@{offset}\0").as_bytes(), to).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_of_the_message_is_named() {
        let comsat = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        comsat.set_read_timeout(Some(std::time::Duration::from_secs(10))).unwrap();
        send(comsat.local_addr().unwrap(), "wietse", 1234).unwrap();
        let mut datagram = [0; 64];
        let length = comsat.recv(&mut datagram).unwrap();
        assert_eq!(&datagram[..length], b"wietse@1234\0");
    }
}
