//! smtp-sink(1): a server for tests, which takes messages over many sessions and throws them away.

pub mod options;
pub mod session;

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Notify, Semaphore};
use trial::place::Listener;
use trial::program;

use options::{Dump, Options, Show};
use session::Transaction;

/// What has been seen so far.
#[derive(Debug, Default)]
pub struct Counts {
    /// Sessions that have ended.
    pub sessions: usize,
    /// QUIT commands.
    pub quits: usize,
    /// Messages.
    pub messages: usize,
}

/// The server.
#[derive(Debug)]
pub struct Sink {
    /// What was asked for.
    pub options: Options,
    counts: Mutex<Counts>,
    enough: Notify,
}

impl Sink {
    /// Counts, shows it, and sees whether it is enough.
    pub fn count(&self, add: impl FnOnce(&mut Counts)) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        add(&mut counts);
        if self.options.show == Show::Counters {
            let Counts { sessions, quits, messages } = &*counts;
            program::show(&format_args!("sess={sessions} quit={quits} mesg={messages}"));
        }
        let reached = |count, bound| bound > 0 && count >= bound;
        let bounds = &self.options.bounds;
        if reached(counts.messages, bounds.messages) || reached(counts.sessions, bounds.sessions) {
            self.enough.notify_one();
        }
    }

    /// Shows a line on standard error.
    pub fn say(&self, line: &str) {
        program::say("smtp-sink", &line.trim_end());
    }

    /// Keeps a message where that was asked for.
    pub fn keep(&self, transaction: &Transaction, text: &[u8]) {
        let Some(dump) = &self.options.dump else { return };
        if let Err(error) = self.write(dump, transaction, text) {
            self.say(&format!("warning: dump: {error}"));
        }
    }

    fn write(&self, dump: &Dump, transaction: &Transaction, text: &[u8]) -> io::Result<()> {
        let now = jiff::Timestamp::now().to_zoned(time_zone::local());
        let expand = |template: &str| now.strftime(template).to_string();
        let path = match dump {
            Dump::Each(template) => format!("{}{:08x}", expand(template), now.timestamp().subsec_nanosecond()),
            Dump::Together(template) => expand(template),
        };
        if let Some(folder) = std::path::Path::new(&path).parent() {
            std::fs::create_dir_all(folder)?;
        }
        let mut out = self.options.start.clone().into_bytes();
        out.extend(format!("X-Helo-Args: {}\nX-Mail-Args: {}\n", transaction.helo, transaction.sender).bytes());
        for recipient in &transaction.recipients {
            out.extend(format!("X-Rcpt-Args: {recipient}\n").bytes());
        }
        out.extend_from_slice(text);
        let mut file = std::fs::OpenOptions::new().create(true).append(true).open(path)?;
        file.write_all(&out)
    }
}

/// Serves until it is enough.
///
/// # Errors
/// The endpoint cannot be listened on.
pub async fn run(options: Options) -> io::Result<()> {
    let listener = Listener::open(&options.endpoint, options.family, options.backlog).await?;
    let places = Arc::new(Semaphore::new(options.bounds.connections.max(1)));
    let sink = Arc::new(Sink { options, counts: Mutex::default(), enough: Notify::new() });
    loop {
        let place = Arc::clone(&places).acquire_owned().await.map_err(io::Error::other)?;
        let stream = tokio::select! {
            stream = listener.accept() => stream,
            () = sink.enough.notified() => return Ok(()),
        };
        let Ok(stream) = stream else { continue };
        let sink = Arc::clone(&sink);
        tokio::spawn(async move {
            session::serve(stream, Arc::clone(&sink)).await;
            sink.count(|counts| counts.sessions += 1);
            drop(place);
        });
    }
}
