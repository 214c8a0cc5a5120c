//! smtp-source(1): sends test messages over many sessions at a time.

pub mod options;
pub mod session;

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use tokio::net::{TcpStream, UnixStream};

use options::{Counter, Family, Options, Pause, Session as Kept, Target};
use session::{Session, Stream};

struct Load {
    options: Options,
    content: Vec<u8>,
    begun: AtomicUsize,
    done: AtomicUsize,
}

/// Sends all messages.
///
/// # Errors
/// The first failure of a session.
pub async fn run(options: Options) -> io::Result<()> {
    let content = session::content(&options.mail, options.manner)?;
    let sessions = options.sessions.min(options.messages).max(1);
    let load = Arc::new(Load { options, content, begun: AtomicUsize::new(0), done: AtomicUsize::new(0) });
    let tasks: Vec<_> = (0..sessions).map(|_| tokio::spawn(work(Arc::clone(&load)))).collect();
    for task in tasks {
        task.await.map_err(io::Error::other)??;
    }
    if load.options.counter == Counter::Shown {
        writeln!(io::stdout())?;
    }
    Ok(())
}

async fn work(load: Arc<Load>) -> io::Result<()> {
    let mut open = None;
    loop {
        let number = load.begun.fetch_add(1, Ordering::Relaxed);
        if number >= load.options.messages {
            break;
        }
        let mut session = match open.take() {
            Some(session) => session,
            None => Session::open(connect(&load.options).await?, load.options.manner, &load.options.mail).await?,
        };
        let recipients = load.options.recipients;
        session.send(&load.options.mail, &load.content, recipients, number.saturating_mul(recipients)).await?;
        load.count()?;
        match load.options.manner.session {
            Kept::Kept => open = Some(session),
            Kept::OneMessage => session.quit().await,
        }
        if let Some(pause) = load.options.pause {
            tokio::time::sleep(length(pause)).await;
        }
    }
    if let Some(session) = open {
        session.quit().await;
    }
    Ok(())
}

impl Load {
    fn count(&self) -> io::Result<()> {
        let done = self.done.fetch_add(1, Ordering::Relaxed) + 1;
        if self.options.counter == Counter::Shown {
            let mut out = io::stdout().lock();
            write!(out, "{done}\r")?;
            out.flush()?;
        }
        Ok(())
    }
}

async fn connect(options: &Options) -> io::Result<Box<dyn Stream>> {
    let mut attempts = options.attempts.max(1);
    loop {
        match connect_once(options).await {
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused && attempts > 1 => attempts -= 1,
            connected => return connected.map_err(|error| io::Error::other(format!("connect: {}", said(&error)))),
        }
    }
}

/// What the system said, in its own words alone.
fn said(error: &io::Error) -> String {
    error.to_string().split(" (os error ").next().unwrap_or_default().to_owned()
}

async fn connect_once(options: &Options) -> io::Result<Box<dyn Stream>> {
    let (host, port) = match &options.target {
        Target::Unix(path) => return Ok(Box::new(UnixStream::connect(path).await?)),
        Target::Inet(host, port) => (host, port),
    };
    let port = port.parse::<u16>().map_err(|_| io::Error::other(format!("unknown service: {port}/tcp")))?;
    let mut last = io::Error::other(format!("host {host} has no address of that kind"));
    for address in tokio::net::lookup_host((host.as_str(), port)).await? {
        let fits = match options.family {
            Family::Any => true,
            Family::V4 => address.is_ipv4(),
            Family::V6 => address.is_ipv6(),
        };
        if !fits {
            continue;
        }
        match TcpStream::connect(address).await {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                return Ok(Box::new(stream));
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn length(pause: Pause) -> Duration {
    match pause {
        Pause::Fixed(time) => time,
        Pause::Random(most) => {
            let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
            most.mul_f64(f64::from(now.subsec_nanos() % 1000) / 1000.0)
        }
    }
}
