//! Tells the service manager how master is doing: sd_notify(3), without its library.

use std::ffi::OsString;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// The service manager's socket, if there is one.
#[derive(Debug)]
pub(crate) struct Manager(Option<OsString>);

impl Manager {
    /// As the environment says.
    pub(crate) fn new() -> Self {
        Self(std::env::var_os("NOTIFY_SOCKET"))
    }

    /// Sends a state, such as `READY=1`.
    pub(crate) fn tell(&self, state: &str) {
        let Some(name) = &self.0 else { return };
        let address = match name.as_bytes().strip_prefix(b"@") {
            Some(hidden) => SocketAddr::from_abstract_name(hidden),
            None => SocketAddr::from_pathname(name),
        };
        // A manager that is not there needs no news.
        let _ = address.and_then(|address| UnixDatagram::unbound()?.send_to_addr(state.as_bytes(), &address));
    }
}
