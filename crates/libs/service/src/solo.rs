//! Daemons that serve one client at a time, single-threaded and blocking, so that the process has one identity at a
//! time: `local`, `virtual`, `pipe`, `spawn`.

use crate::accept::{EXHAUSTED, LOG_AGAIN, is_shortage};
use crate::birth::{self, Birth, tell_troubles};
use crate::watchdog::Watchdog;
use crate::{Fatal, Kind, Operands, Outside};
use config::Group;
use ipc::blocking::Channel;
use ipc::master::{Order, Status};
use privsep::{Privileged, Rest};
use std::cell::RefCell;
use std::io;
use std::net::TcpStream;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// A daemon that serves one client at a time.
pub trait Solo: Sized {
    /// The program's name.
    const NAME: &'static str;
    /// Whether it has arguments behind its options.
    const OPERANDS: Operands = Operands::Refused;
    /// All parameters that this daemon may know.
    type Params: Group;

    /// Makes the service.
    ///
    /// # Errors
    /// What makes the service impossible.
    fn start(params: Self::Params, outside: Outside, life: &Life) -> Result<Self, Fatal>;

    /// Serves one connection to its end. Before it waits for another request of the same client it asks [`Life::wait`].
    fn serve(&mut self, stream: Stream, life: &Life);

    /// Whether something that was opened has changed since: then the process ends instead of accepting another client.
    fn changed(&self) -> bool {
        false
    }
}

/// A connection.
#[derive(Debug)]
pub enum Stream {
    /// TCP.
    Tcp(TcpStream),
    /// Unix-domain.
    Unix(UnixStream),
}

/// What the wait for a client's next request came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// The client has said something, or closed.
    Ready,
    /// The process is to end: master said so, or is gone, or the time is up.
    End,
}

/// What a service knows of its own process.
#[derive(Debug)]
pub struct Life {
    /// The service's name in `master.cf`.
    pub service_name: String,
    /// Proof that the process may become other users.
    pub privileged: Privileged,
    status: RefCell<Channel<Status, Order>>,
    ending: RefCell<bool>,
    watchdog: Watchdog,
    rest: RefCell<Rest>,
    log: maillog::Log,
}

/// Lives the whole life of a daemon. Its `main` is this call.
#[must_use]
pub fn run<S: Solo>() -> ExitCode {
    birth::deliver(live::<S>, maillog::Patience::Buffer)
}

fn live<S: Solo>(mut birth: Birth) -> Result<(), Fatal> {
    birth.require_rights()?;
    S::OPERANDS.judge(&birth.outside.arguments)?;
    let params: S::Params = birth.outside.source.get()?;
    let daemon = &birth.params.daemon;
    let (max_idle, max_use) = (daemon.max_idle, u64::try_from(daemon.max_use).unwrap_or(u64::MAX));
    let listeners = std::mem::take(&mut birth.listeners);
    let status = birth.status.take().ok_or_else(|| Fatal::new("this service does not support -S"))?;
    if birth.outside.kind == Kind::Pass || !birth.outside.kind.has_connections() {
        return Err(Fatal::new("this service needs connections: inet or unix"));
    }
    let life = Life {
        service_name: birth.outside.service_name.clone(),
        privileged: Privileged::mint(),
        status: RefCell::new(Channel::over(status, 4096)),
        ending: RefCell::new(false),
        watchdog: Watchdog::new(birth.params.daemon.daemon_timeout),
        rest: RefCell::default(),
        log: birth.outside.log.clone(),
    };
    let kind = birth.outside.kind;
    let source = birth.outside.source.clone();
    let mut service = S::start(params, birth.outside, &life)?;
    tell_troubles(&source, &birth.params.daemon)?;
    life.tell(Status::Available);
    let mut served = 0;
    while served < max_use && !*life.ending.borrow() {
        let Some(connection) = next_client(&listeners, &life, Instant::now() + max_idle, || service.changed())? else {
            break;
        };
        life.tell(Status::Full);
        life.watchdog.put_off();
        service.serve(stream(kind, connection)?, &life);
        Watchdog::rest();
        served += 1;
        if served < max_use && !*life.ending.borrow() {
            life.tell(Status::Available);
        }
    }
    life.tell(Status::Exiting);
    Ok(())
}

/// The next client. `None` when the process is to end.
fn next_client(
    listeners: &[OwnedFd],
    life: &Life,
    deadline: Instant,
    changed: impl Fn() -> bool,
) -> Result<Option<OwnedFd>, Fatal> {
    let watched: Vec<BorrowedFd<'_>> = listeners.iter().map(AsFd::as_fd).collect();
    loop {
        let Some(ready) = life.watch(&watched, deadline)? else { return Ok(None) };
        if changed() {
            return Ok(None);
        }
        for listener in ready.into_iter().filter_map(|at| listeners.get(at)) {
            match privsep::accept(listener) {
                Ok(connection) => return Ok(Some(connection)),
                Err(error) if is_shortage(&error) => {
                    // The client is still there, so that it must not be looked for all the time.
                    life.watch(&[], Instant::now() + EXHAUSTED)?;
                    if *life.ending.borrow() {
                        return Ok(None);
                    }
                }
                // Another process may have been faster.
                Err(_) => {}
            }
        }
    }
}

fn stream(kind: Kind, connection: OwnedFd) -> Result<Stream, Fatal> {
    if kind == Kind::Inet {
        let stream = TcpStream::from(connection);
        stream.set_nonblocking(false)?;
        return Ok(Stream::Tcp(stream));
    }
    let stream = UnixStream::from(connection);
    stream.set_nonblocking(false)?;
    Ok(Stream::Unix(stream))
}

impl Life {
    /// Waits until the client says something, but no longer than the process is wanted, and at most `idle`.
    pub fn wait(&self, client: &impl AsFd, idle: Duration) -> Next {
        if *self.ending.borrow() {
            return Next::End;
        }
        Watchdog::rest();
        let ready = self.watch(&[client.as_fd()], Instant::now() + idle);
        self.watchdog.put_off();
        match ready {
            Ok(Some(_)) => Next::Ready,
            Ok(None) | Err(_) => Next::End,
        }
    }

    /// Which of these are readable. `None` at the deadline, or when master wants an end.
    fn watch(&self, watched: &[BorrowedFd<'_>], deadline: Instant) -> Result<Option<Vec<usize>>, Fatal> {
        loop {
            let ready = {
                let status = self.status.borrow();
                let mut all = vec![status.stream().as_fd()];
                all.extend_from_slice(watched);
                self.wait_readable(&all, deadline)?
            };
            if ready.contains(&0) {
                self.obey();
                if *self.ending.borrow() {
                    return Ok(None);
                }
            }
            let found: Vec<usize> = ready.iter().filter_map(|at| at.checked_sub(1)).collect();
            if !found.is_empty() {
                return Ok(Some(found));
            }
            if ready.is_empty() {
                return Ok(None);
            }
        }
    }

    /// Writes lines that the log did not take at once, and gives back memory, while nothing happens.
    fn wait_readable(&self, watched: &[BorrowedFd<'_>], deadline: Instant) -> io::Result<Vec<usize>> {
        self.log.flush();
        while self.log.is_pending() {
            let again = deadline.min(Instant::now() + LOG_AGAIN);
            let ready = privsep::wait_readable(watched, Some(again))?;
            if !ready.is_empty() || again == deadline {
                return Ok(ready);
            }
            self.log.flush();
        }
        let rest_at = Instant::now() + self.rest.borrow().pause();
        if rest_at < deadline {
            let ready = privsep::wait_readable(watched, Some(rest_at))?;
            if !ready.is_empty() {
                return Ok(ready);
            }
            self.rest.borrow_mut().begin();
        }
        privsep::wait_readable(watched, Some(deadline))
    }

    fn obey(&self) {
        match self.status.borrow_mut().receive() {
            Ok(Some(Order::Wake(_) | Order::Stress(_))) => {}
            Ok(Some(Order::Drain) | None) | Err(_) => *self.ending.borrow_mut() = true,
        }
    }

    fn tell(&self, status: Status) {
        let mut channel = self.status.borrow_mut();
        // Without a master there is nobody to tell, and the next wait notices.
        let _ = channel.send(&status).and_then(|()| channel.flush());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use maillog::{Echo, Patience, Verbosity};
    use std::cell::Cell;
    use std::io::Write;

    #[test]
    fn clients_that_cannot_be_taken_are_tried_now_and_then() {
        let (status, _master) = UnixStream::pair().unwrap();
        let life = Life {
            service_name: String::new(),
            privileged: Privileged::mint(),
            status: RefCell::new(Channel::over(status, 4096)),
            ending: RefCell::new(false),
            watchdog: Watchdog::new(Duration::from_secs(100)),
            rest: RefCell::default(),
            log: maillog::init("local", Echo::Off, Patience::Buffer, Verbosity::Normal),
        };
        // It has something to read, and takes no clients.
        let (waiting, mut other) = UnixStream::pair().unwrap();
        other.write_all(b"x").unwrap();
        let (tries, began) = (Cell::new(0), Instant::now());
        let found = next_client(&[waiting.into()], &life, began + EXHAUSTED, || tries.replace(tries.get() + 1) == 3);
        assert!(found.unwrap().is_none());
        assert!(began.elapsed() >= 3 * EXHAUSTED);
    }
}
