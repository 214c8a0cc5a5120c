//! The life of a daemon with many clients: runtime, accept loops, orders of master, end.

use crate::arguments::Kind;
use crate::birth::{Birth, tell_troubles};
use crate::client::{Client, Stream};
use crate::datagrams;
use crate::life::{Gate, Inner, Life};
use crate::slots::{Slot, Slots};
use crate::status::Report;
use crate::turns::Turns;
use crate::waker::Waker;
use crate::watchdog::Watchdog;
use crate::{Fatal, LifeSpan, Service, standalone};
use futures_util::FutureExt;
use ipc::Channel;
use ipc::master::{Order, Status};
use privsep::Jailed;
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream as StdUnixStream;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep, sleep_until, timeout};

/// Threads for blocking work; enough for one journal commit to serve many messages.
const DISK_THREADS: usize = 64;
const DISK_STACK: usize = 512 * 1024;
const DISK_IDLE: Duration = Duration::from_secs(10);
/// How long blocking work may go on after the last session.
const DISK_END: Duration = Duration::from_secs(10);
/// How long a client may take to say what it is, or to pass a connection on.
const FIRST_WORD: Duration = Duration::from_secs(10);
/// Connections taken before others get their turn.
const IN_A_ROW: usize = 16;
/// How long one process leaves new clients to another that is about to be born, once it has many: those of a burst would
/// else all be its own, for as long as they stay.
const BIRTH: Duration = Duration::from_millis(30);
/// How long to wait when the system has no descriptors left.
pub(crate) const EXHAUSTED: Duration = Duration::from_millis(100);
/// How often lines that the log did not take are tried again.
pub(crate) const LOG_AGAIN: Duration = Duration::from_millis(20);
/// The most that may come along with a passed connection.
const PREAMBLE: usize = 256 * 1024;

/// Lives from the parameters to the end.
pub(crate) fn live<S: Service>(mut birth: Birth) -> Result<(), Fatal> {
    S::OPERANDS.judge(&birth.outside.arguments)?;
    birth.require_limit(S::PROCESS_LIMIT)?;
    let params: S::Params = birth.outside.source.get()?;
    let opened = S::open(&params, &birth.outside)?;
    tell_troubles(&birth.outside.source, &birth.params.daemon)?;
    let limits = Limits {
        max_idle: birth.params.daemon.max_idle,
        max_use: u64::try_from(birth.params.daemon.max_use).unwrap_or(0),
        share: birth.share,
        stress: birth.stress,
        watchdog: Watchdog::new(S::patience(&params).unwrap_or(birth.params.daemon.daemon_timeout)),
    };
    let listeners = std::mem::take(&mut birth.listeners);
    let status = birth.status.take();
    let mut client = birth.is_standalone().then(standalone::stream).transpose()?;
    let (jailed, outside) = birth.jail(S::MAY_GAIN_RIGHTS)?;
    let report = status.as_ref().map(StdUnixStream::try_clone).transpose()?;
    let slots = Slots::new(S::CLIENTS, S::LIFE_SPAN, limits.share, limits.max_use);
    let life = Life::new(Inner {
        service_name: outside.service_name,
        process_name: outside.process_name,
        kind: outside.kind,
        share: limits.share,
        is_standalone: client.is_some(),
        jailed,
        log: outside.log,
        slots: Mutex::new(slots),
        gate: watch::Sender::new(Gate::Open),
        stress: AtomicBool::new(limits.stress),
        report: Report::new(report),
        idle: Notify::new(),
        turns: Turns::default(),
        log_waits: Notify::new(),
    });
    let runtime = runtime(&life, jailed)?;
    life.log().batch();
    let lived = runtime.block_on(async {
        tokio::spawn(limits.watchdog.watch());
        let service = Arc::new(S::start(params, opened, life.clone())?);
        let daemon = Daemon { service, life };
        match client.as_mut().and_then(|client| client.stream.take()) {
            Some(client) => daemon.serve_one(client).await,
            None => daemon.serve_all(status, listeners, limits.max_idle).await,
        }
    });
    runtime.shutdown_timeout(DISK_END);
    if let Some(client) = client {
        client.finish();
    }
    lived
}

/// What the parameters say about this process.
struct Limits {
    max_idle: Duration,
    max_use: u64,
    share: Option<usize>,
    stress: bool,
    watchdog: Watchdog,
}

/// The one runtime; asks for the proof that threads may start.
fn runtime(life: &Life, _: Jailed) -> Result<tokio::runtime::Runtime, Fatal> {
    let turn = life.clone();
    Ok(tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(DISK_THREADS)
        .thread_name("disk")
        .thread_stack_size(DISK_STACK)
        .thread_keep_alive(DISK_IDLE)
        .on_thread_park(move || turn.end_turn())
        .build()?)
}

struct Daemon<S> {
    service: Arc<S>,
    life: Life,
}

impl<S> Clone for Daemon<S> {
    fn clone(&self) -> Self {
        Self { service: Arc::clone(&self.service), life: self.life.clone() }
    }
}

impl<S: Service> Daemon<S> {
    /// Without a master: the one client.
    async fn serve_one(self, client: StdUnixStream) -> Result<(), Fatal> {
        client.set_nonblocking(true)?;
        tokio::spawn(Arc::clone(&self.service).run());
        if let Some(slot) = self.life.hold() {
            let stream = Stream::Unix(UnixStream::from_std(client)?);
            self.session(Client { stream, preamble: Vec::new(), slot }).await;
        }
        self.service.finish().await;
        Ok(())
    }

    async fn serve_all(
        self,
        status: Option<StdUnixStream>,
        listeners: Vec<OwnedFd>,
        max_idle: Duration,
    ) -> Result<(), Fatal> {
        self.life.report().accepts(true);
        tokio::spawn(keep_log(self.life.clone()));
        tokio::spawn(rest(self.life.clone()));
        tokio::spawn(Arc::clone(&self.service).run());
        let waker = Waker::new();
        tokio::spawn(self.clone().wake_ups(waker.clone()));
        let mut sockets = Vec::new();
        for listener in listeners {
            match self.life.kind() {
                Kind::Fifo => drop(tokio::spawn(self.clone().read_fifo(watch(listener)?, waker.clone()))),
                Kind::UnixDgram => {
                    sockets.push(listener.try_clone()?);
                    drop(tokio::spawn(datagrams::read(Arc::clone(&self.service), self.life.clone(), listener)));
                }
                Kind::Inet | Kind::Unix | Kind::Pass => {
                    drop(tokio::spawn(self.clone().accept(listener, waker.clone())))
                }
            }
        }
        if let Some(status) = status {
            status.set_nonblocking(true)?;
            let channel = Channel::over(UnixStream::from_std(status)?, 4096, FIRST_WORD)?;
            tokio::spawn(obey(channel, self.life.clone(), waker));
        }
        self.outlive_sessions(max_idle).await;
        datagrams::read_last(&*self.service, &sockets);
        Arc::clone(&self.service).finish().await;
        self.life.log().flush();
        Ok(())
    }

    /// Returns when the process is to end: drained, or idle for long enough.
    async fn outlive_sessions(&self, max_idle: Duration) {
        let draining = self.life.draining();
        tokio::pin!(draining);
        loop {
            let idle_for = async {
                match S::LIFE_SPAN {
                    LifeSpan::Endless => std::future::pending().await,
                    LifeSpan::Usual | LifeSpan::UntilIdle if self.life.active() > 0 => std::future::pending().await,
                    LifeSpan::Usual | LifeSpan::UntilIdle => sleep_until(Instant::now() + max_idle).await,
                }
            };
            tokio::select! {
                () = &mut draining => break,
                () = self.life.idle() => {}
                () = idle_for => {
                    if self.life.active() == 0 {
                        self.life.retire();
                    }
                }
            }
        }
        self.life.report().flush();
        while self.life.active() > 0 {
            self.life.idle().await;
        }
    }

    /// Accepts connections whenever the gate is open.
    async fn accept(self, listener: OwnedFd, waker: Waker) {
        let mut gate = self.life.gate();
        loop {
            let now = *gate.borrow_and_update();
            match now {
                Gate::Draining => return,
                Gate::Full => {}
                Gate::Open => {
                    // Watched only while clients are wanted: a full process sleeps through a flood.
                    if let Ok(watched) = watch(listener.as_fd()) {
                        self.accept_while_open(&watched, &mut gate, &waker).await;
                        continue;
                    }
                }
            }
            if gate.changed().await.is_err() {
                return;
            }
        }
    }

    async fn accept_while_open(
        &self,
        listener: &AsyncFd<BorrowedFd<'_>>,
        gate: &mut watch::Receiver<Gate>,
        waker: &Waker,
    ) {
        loop {
            let mut ready = tokio::select! {
                biased;
                _ = gate.wait_for(|gate| *gate != Gate::Open) => return,
                ready = listener.readable() => match ready {
                    Ok(ready) => ready,
                    Err(_) => return,
                },
            };
            for _ in 0..IN_A_ROW {
                // Those who are here come first. So a process that has much to do leaves new clients to one that has not.
                if self.life.active() > 0 {
                    tokio::task::yield_now().await;
                }
                // Right before each client, for time passes between two: whoever comes after a change is served with it.
                if self.service.changed() {
                    tracing::debug!("what was opened has changed: ending for a successor");
                    self.life.retire();
                    return;
                }
                if !self.life.has_room() {
                    return;
                }
                match privsep::accept(listener.get_ref()) {
                    Ok(connection) => self.welcome(connection, waker).await,
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {
                        ready.clear_ready();
                        break;
                    }
                    Err(error) => {
                        pause_after(&error).await;
                        break;
                    }
                }
            }
        }
    }

    async fn welcome(&self, connection: OwnedFd, waker: &Waker) {
        let was_busy = self.life.was_busy();
        let Some(slot) = self.life.hold() else { return };
        let (daemon, waker) = (self.clone(), waker.clone());
        tokio::spawn(async move {
            match daemon.greet(connection, slot, &waker).await {
                Ok(Some(client)) => daemon.session(client).await,
                Ok(None) => {}
                Err(error) => tracing::warn!("accept connection: {error}"),
            }
        });
        if self.life.was_busy() && !was_busy {
            sleep(BIRTH).await;
        }
    }

    /// Makes a client of a connection; `None` if it only brought trigger bytes.
    async fn greet(&self, connection: OwnedFd, slot: Slot, waker: &Waker) -> io::Result<Option<Client>> {
        let mut preamble = Vec::new();
        let stream = match self.life.kind() {
            Kind::Inet => Stream::Tcp(TcpStream::from_std(connection.into())?),
            Kind::Pass => match take_passed(connection, &mut preamble).await? {
                Some(passed) => passed,
                None => return Ok(None),
            },
            Kind::Unix | Kind::Fifo | Kind::UnixDgram => {
                let stream = UnixStream::from_std(connection.into())?;
                if S::TRIGGERED && brings_trigger(&stream, waker).await {
                    return Ok(None);
                }
                Stream::Unix(stream)
            }
        };
        Ok(Some(Client { stream, preamble, slot }))
    }

    /// Serves a client; a panic ends this session, and then the process.
    async fn session(&self, client: Client) {
        // Other sessions go on with what they share with this one; a panic behind a lock does not keep them from it.
        let session = AssertUnwindSafe(Arc::clone(&self.service).serve(client));
        if session.catch_unwind().await.is_err() {
            self.life.retire();
        }
    }

    async fn wake_ups(self, waker: Waker) {
        loop {
            let requests = waker.next().await;
            let _busy = self.life.work();
            let work = tokio::spawn(Arc::clone(&self.service).wake(requests));
            if work.await.is_err_and(|error| error.is_panic()) {
                self.life.retire();
            }
        }
    }

    async fn read_fifo(self, fifo: AsyncFd<OwnedFd>, waker: Waker) {
        let mut buffer = [0; ipc::trigger::MOST];
        while let Ok(mut ready) = fifo.readable().await {
            if let Ok(result) = ready.try_io(|fifo| privsep::read(fifo.get_ref(), &mut buffer)) {
                match result {
                    Ok(count) => waker.wake(buffer.get(..count).unwrap_or_default()),
                    Err(error) => pause_after(&error).await,
                }
            }
        }
    }
}

/// Watches a descriptor for something to read.
#[expect(
    deprecated,
    reason = "the replacement is unsafe for descriptors that lie; only owned and borrowed ones come here"
)]
pub(crate) fn watch<T: AsFd + AsRawFd>(descriptor: T) -> io::Result<AsyncFd<T>> {
    AsyncFd::with_interest(descriptor, Interest::READABLE)
}

/// Whether a connection brought trigger bytes; hands them on then.
async fn brings_trigger(stream: &UnixStream, waker: &Waker) -> bool {
    let mut buffer = [0; ipc::trigger::MOST];
    let first = timeout(FIRST_WORD, async {
        loop {
            stream.readable().await?;
            match stream.try_io(Interest::READABLE, || privsep::peek(stream, &mut buffer)) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                other => return other,
            }
        }
    });
    match first.await {
        Ok(Ok(0)) => true,
        Ok(Ok(count)) => {
            let bytes = buffer.get(..count).unwrap_or_default();
            let is_trigger = bytes.first().is_some_and(|first| ipc::trigger::is_trigger(*first));
            if is_trigger {
                waker.wake(bytes);
            }
            is_trigger
        }
        // A client that says nothing is not kept.
        Ok(Err(_)) | Err(_) => true,
    }
}

/// Takes a connection that another daemon passes on, and what it says about it.
async fn take_passed(connection: OwnedFd, preamble: &mut Vec<u8>) -> io::Result<Option<Stream>> {
    let carrier = UnixStream::from_std(connection.into())?;
    let mut passed = None;
    let mut buffer = vec![0; 16 * 1024];
    let all = timeout(FIRST_WORD, async {
        loop {
            carrier.readable().await?;
            let result = carrier.try_io(Interest::READABLE, || privsep::try_receive_descriptor(&carrier, &mut buffer));
            match result {
                Ok((0, None)) => return Ok(()),
                Ok((count, found)) => {
                    passed = passed.take().or(found);
                    preamble.extend_from_slice(buffer.get(..count).unwrap_or_default());
                    if preamble.len() > PREAMBLE {
                        return Err(ErrorKind::FileTooLarge.into());
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
    });
    all.await.map_err(|_| io::Error::from(ErrorKind::TimedOut))??;
    let Some(passed) = passed else { return Ok(None) };
    if privsep::is_unix_socket(&passed) {
        let stream = StdUnixStream::from(passed);
        stream.set_nonblocking(true)?;
        return Ok(Some(Stream::Unix(UnixStream::from_std(stream)?)));
    }
    let stream = std::net::TcpStream::from(passed);
    stream.set_nonblocking(true)?;
    Ok(Some(Stream::Tcp(TcpStream::from_std(stream)?)))
}

/// Does what master says, as long as there is one.
async fn obey(mut channel: Channel<Status, Order>, life: Life, waker: Waker) {
    loop {
        match channel.receive().await {
            Ok(Some(Order::Drain)) => life.retire(),
            Ok(Some(Order::Wake(bytes))) => waker.wake(&bytes),
            Ok(Some(Order::Stress(stress))) => life.order_stress(stress),
            Ok(None) | Err(_) => return life.retire(),
        }
    }
}

/// Writes log lines that had to wait. Without a way to the log the process ends, for a successor that finds one.
async fn keep_log(life: Life) {
    loop {
        life.log_waits().await;
        if life.log().is_lost() {
            return life.retire();
        }
        sleep(LOG_AGAIN).await;
        life.log().flush();
    }
}

/// Gives back memory while nothing happens.
async fn rest(life: Life) {
    life.turns().watch().await;
}

/// Says what is wrong, and waits if the system is short of something.
pub(crate) async fn pause_after(error: &io::Error) {
    if is_shortage(error) {
        sleep(EXHAUSTED).await;
    }
}

/// Says what is wrong with accepting a client, if anything is, and not only the client gone: to try again at once would not help.
pub(crate) fn is_shortage(error: &io::Error) -> bool {
    let harmless = [ErrorKind::WouldBlock, ErrorKind::Interrupted, ErrorKind::ConnectionAborted];
    let found = !harmless.contains(&error.kind());
    if found {
        tracing::warn!("accept connection: {error}");
    }
    found
}
