//! The two ways into the maildrop queue: the submission socket, and postdrop(1).
//!
//! What fits into memory is only sent when it is complete, so that a socket that fails is replaced by postdrop; a
//! message is never sent both ways once one may have taken it.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use ipc::blocking::Channel;
use ipc::submit::{Reply, Request, SOCKET, Submit};

/// The largest message that is kept until it is complete.
const KEPT: usize = 256 * 1024;

/// How long the service may take to say that it reads what comes by the socket. master takes connections while pickup is not there,
/// and mail must not wait for that.
const PATIENCE: Duration = Duration::from_secs(5);

/// Where messages can go.
#[derive(Debug, Clone)]
pub(crate) struct Ways {
    /// The submission socket; `None` if postdrop must judge the user.
    pub(crate) socket: Option<PathBuf>,
    /// `ipc_timeout`.
    pub(crate) deadline: Duration,
    /// postdrop(1).
    pub(crate) postdrop: PathBuf,
    /// The configuration directory for it.
    pub(crate) config: PathBuf,
}

impl Ways {
    /// The submission socket of a queue directory.
    pub(crate) fn socket(queue_directory: &str) -> PathBuf {
        Path::new(queue_directory).join(SOCKET)
    }

    /// Begins a message.
    pub(crate) fn begin(self) -> Outlet {
        Outlet { ways: self, kept: Vec::with_capacity(8 * 1024), open: None }
    }

    /// The socket, if somebody serves it now.
    fn connect(&self) -> io::Result<Option<Channel<Request, Reply>>> {
        let Some(socket) = &self.socket else { return Ok(None) };
        let ready = || {
            let mut channel = Channel::connect::<Submit>(socket, self.deadline)?;
            channel.wait_at_most(Some(PATIENCE.min(self.deadline)))?;
            channel.send(&Request::Begin)?;
            let reply = channel.expect()?;
            channel.wait_at_most(Some(self.deadline))?;
            Ok::<_, ipc::Error>((channel, reply))
        };
        match ready() {
            Ok((channel, Reply::Ready)) => Ok(Some(channel)),
            Ok((_, Reply::Busy)) | Err(_) => Ok(None),
            Ok((_, reply)) => judge(&reply).map(|()| None),
        }
    }

    fn spawn(&self) -> io::Result<Sending> {
        let child = Command::new(&self.postdrop)
            .arg("-r")
            .env("MAIL_CONFIG", &self.config)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn();
        let said = |error| io::Error::other(format!("unable to execute {} -r: {error}", self.postdrop.display()));
        child.map(Sending::Postdrop).map_err(said)
    }
}

/// A message on its way.
pub(crate) struct Outlet {
    ways: Ways,
    kept: Vec<u8>,
    /// Present once the message is too large to be kept.
    open: Option<Sending>,
}

enum Sending {
    Socket(Channel<Request, Reply>),
    Postdrop(Child),
}

impl Outlet {
    /// Sends the rest, and waits until the message is on disk.
    pub(crate) fn finish(mut self) -> io::Result<()> {
        let Some(sending) = self.open.take() else { return self.send_kept() };
        let mut sending = sending;
        sending.write(&self.kept)?;
        sending.finish(&self.ways)
    }

    /// Sends a message that was kept whole: by the socket, unless that fails before all of it is sent.
    fn send_kept(&self) -> io::Result<()> {
        if let Some(channel) = self.ways.connect()?
            && let Some(reply) = whole(channel, &self.kept)
        {
            return judge(&reply.map_err(io::Error::other)?);
        }
        let mut sending = self.ways.spawn()?;
        let written = sending.write(&self.kept);
        // What postdrop did not want to read it has explained.
        sending.finish(&self.ways).and(written)
    }
}

impl Write for Outlet {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.kept.extend_from_slice(bytes);
        if self.kept.len() > KEPT || (self.open.is_some() && self.kept.len() >= 32 * 1024) {
            let mut sending = match self.open.take() {
                Some(sending) => sending,
                None => match self.ways.connect()? {
                    Some(channel) => Sending::Socket(channel),
                    None => self.ways.spawn()?,
                },
            };
            let written = sending.write(&self.kept);
            self.kept.clear();
            self.open = Some(sending);
            written?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Outlet {
    fn drop(&mut self) {
        // The input ends before the message does, so that nothing comes of it.
        if let Some(Sending::Postdrop(mut child)) = self.open.take() {
            drop(child.stdin.take());
            let _ = child.wait();
        }
    }
}

impl Sending {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Socket(channel) => channel.send_raw(bytes).and_then(|()| channel.flush()).map_err(io::Error::other),
            Self::Postdrop(child) => child.stdin.as_mut().map_or(Ok(()), |pipe| pipe.write_all(bytes)),
        }
    }

    fn finish(self, ways: &Ways) -> io::Result<()> {
        match self {
            Self::Socket(mut channel) => {
                channel.send(&Request::End).map_err(io::Error::other)?;
                judge(&channel.expect().map_err(io::Error::other)?)
            }
            Self::Postdrop(mut child) => {
                drop(child.stdin.take());
                let status: ExitStatus = child.wait()?;
                if status.success() {
                    return Ok(());
                }
                Err(io::Error::other(format!("{} -r: {status}", ways.postdrop.display())))
            }
        }
    }
}

/// Sends a whole message, its end with the rest of it, and waits for the answer. `None` if not all of it could be sent: then
/// nobody has taken it.
fn whole(mut channel: Channel<Request, Reply>, message: &[u8]) -> Option<Result<Reply, ipc::Error>> {
    channel.send_raw(message).and_then(|()| channel.send(&Request::End)).and_then(|()| channel.flush()).ok()?;
    Some(channel.expect())
}

fn judge(reply: &Reply) -> io::Result<()> {
    match reply {
        Reply::Queued(_) => Ok(()),
        Reply::Ready => Err(io::Error::other("no answer to a message")),
        Reply::Busy => Err(io::Error::other("too many messages at once")),
        Reply::Denied => Err(io::Error::other("not allowed to submit mail")),
        Reply::Refused { reason, .. } => Err(io::Error::other(reason.clone())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ways(postdrop: &str) -> Ways {
        Ways {
            socket: Some("/nonexistent/socket".into()),
            deadline: Duration::from_secs(5),
            postdrop: postdrop.into(),
            config: "/etc/postfix".into(),
        }
    }

    fn sent(postdrop: &str, size: usize) -> io::Result<()> {
        let mut outlet = ways(postdrop).begin();
        outlet.write_all(&vec![b'x'; size])?;
        outlet.finish()
    }

    #[test]
    fn a_socket_that_nobody_serves_is_not_waited_for() {
        let directory = tempfile::tempdir().unwrap();
        let socket = directory.path().join("socket");
        let listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        for size in [10, 3 * KEPT] {
            let mut outlet =
                Ways { socket: Some(socket.clone()), deadline: Duration::from_millis(20), ..ways("/bin/false") }
                    .begin();
            let sent = outlet.write_all(&vec![b'x'; size]).and_then(|()| outlet.finish());
            assert!(sent.is_err(), "{size}");
            let (mut taken, _) = listener.accept().unwrap();
            let mut bytes = Vec::new();
            io::Read::read_to_end(&mut taken, &mut bytes).unwrap();
            assert!(bytes.len() < 100, "what may still be read is no message");
        }
    }

    #[test]
    fn without_a_socket_postdrop_decides() {
        let directory = tempfile::tempdir().unwrap();
        let script = |name: &str, text: &str| {
            let path = directory.path().join(name);
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
            path.to_str().unwrap().to_owned()
        };
        let takes = script("takes", "#!/bin/sh\ncat >/dev/null\n");
        let fails = script("fails", "#!/bin/sh\ncat >/dev/null\nexit 75\n");
        for size in [10, 3 * KEPT] {
            assert!(sent(&takes, size).is_ok());
            assert!(sent(&fails, size).is_err());
            assert!(sent("/nonexistent/postdrop", size).is_err());
        }
    }
}
