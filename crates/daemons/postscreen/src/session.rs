//! One client: from CONNECT to its hand-over, or to DISCONNECT.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use ipc::pass::Passed;
use maillog::line::Seconds;
use smtp_proto::{Enhanced, Reply};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tracing::{info, warn};

use crate::Postscreen;
use crate::access::Verdict;
use crate::action::Action;
use crate::cache;
use crate::dialogue::Purpose;
use crate::exam::{Acquaintance, Exam};
use crate::hall::{Mood, Place};
use crate::hand_over::{Blocked, Way};
use crate::proxy::Ends;
use crate::session::carrier::Carrier;

mod carrier;
mod early;
pub(crate) mod talk;

const UNAVAILABLE: &str = "Service currently unavailable";
/// Said to a client for whom no smtpd(8) is free.
const BUSY: Reply = Reply::fixed(421, Enhanced(4, 3, 2), "All server ports are busy");
/// How long a client may take to take a line from us.
const WRITE: Duration = Duration::from_secs(10);

/// A client.
pub(crate) struct Session {
    server: Arc<Postscreen>,
    stream: Carrier,
    ends: Ends,
    exam: Exam,
    began: Instant,
    stay: Stay,
    /// What its recipients are refused with; then it does not get to smtpd(8).
    refusal: Option<Reply>,
    /// It is told to come again, whatever it passes.
    vetoed: bool,
    /// It got the first part of a greeting.
    teased: bool,
}

/// How a session ends, and perhaps goes on elsewhere.
#[derive(Debug)]
enum End {
    /// It is handed to smtpd(8).
    Pass,
    /// It is told this, and sent away.
    Drop(Reply),
    /// The client is gone.
    Gone,
}

/// The part of the session that a client left in.
#[derive(Debug, Clone, Copy)]
enum Part {
    Early,
    Smtp,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Early => "tests before SMTP handshake",
            Self::Smtp => "tests after SMTP handshake",
        })
    }
}

/// As the log names both ends.
struct Shown(SocketAddr);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}]:{}", self.0.ip(), self.0.port())
    }
}

/// Serves a client to its end.
pub(crate) async fn serve(server: Arc<Postscreen>, mut stream: TcpStream) {
    let ends = match Ends::of(&stream) {
        Ok(ends) => ends,
        Err(error) => return warn!("getpeername: {} -- dropping this connection", table::system_text(&error)),
    };
    let _ = stream.set_nodelay(true);
    let ends = if server.rules.proxied {
        match ends.told(&mut stream, server.params.postscreen.postscreen_upstream_proxy_timeout).await {
            Ok(ends) => ends,
            Err(problem) => {
                warn!("haproxy read: {problem}");
                let _ = timeout(WRITE, stream.write_all(b"421 4.3.2 No system resources\r\n")).await;
                return;
            }
        }
    } else {
        ends
    };
    info!("CONNECT from {} to {}", Shown(ends.client), Shown(ends.server));
    let (stay, connections) = Stay::begin(Arc::clone(&server), ends.client.ip());
    let exam = Exam::new(None, server.rules.enabled, cache::now());
    let stream = Carrier::Client(stream);
    let session = Session {
        server,
        stream,
        ends,
        exam,
        began: Instant::now(),
        stay,
        refusal: None,
        vetoed: false,
        teased: false,
    };
    session.run(connections).await;
}

impl Session {
    async fn run(mut self, connections: u32) {
        let end = match self.screen(connections).await {
            Err(end) => end,
            Ok(()) if !self.vetoed && self.refusal.is_none() && !self.exam.is_deep_due() => End::Pass,
            Ok(()) => {
                let purpose = self.purpose();
                self.talk(purpose).await
            }
        };
        self.conclude();
        match end {
            End::Pass => self.hand_over().await,
            End::Drop(_) | End::Gone => self.leave(end).await,
        }
    }

    /// Everything before SMTP.
    async fn screen(&mut self, connections: u32) -> Result<(), End> {
        if let Some(reply) = self.limited(connections) {
            return Err(End::Drop(reply));
        }
        self.admit().await?;
        let record = match &self.server.rules.cache {
            Some(cache) => cache.get(self.ends.client.ip()).await,
            None => None,
        };
        let denied = self.exam.has_failed();
        self.exam = Exam::new(record, self.server.rules.enabled, cache::now());
        if denied {
            self.exam.deny();
        } else if record.is_some() && !self.exam.is_any_due() {
            info!("PASS OLD {}", self.client());
            return Err(End::Pass);
        }
        let interface = self.ends.server.ip().to_string();
        if !matches!(self.server.rules.interfaces.matches_address(&interface).await, Ok(true)) {
            self.exam.deny();
            self.vetoed = true;
            info!("{} VETO {}", if self.is_respectful() { "ALLOWLIST" } else { "WHITELIST" }, self.client());
        }
        let limit = crate::count(self.server.params.postscreen.postscreen_pre_queue_limit);
        if limit > 0 && self.server.hall().screened() >= limit {
            info!("reject: connect from {}: all screening ports busy", self.client());
            return Err(End::Drop(Reply::fixed(421, Enhanced(4, 3, 2), "All screening ports are busy")));
        }
        self.early_tests().await
    }

    /// What a client is told that is one too many.
    fn limited(&self, connections: u32) -> Option<Reply> {
        let postscreen = &self.server.params.postscreen;
        let (reason, reply) = {
            let most = postscreen.postscreen_client_connection_count_limit;
            if most > 0 && i64::from(connections) > most {
                ("too many connections", Reply::fixed(421, Enhanced(4, 7, 0), "Error: too many connections"))
            } else {
                let most = crate::count(postscreen.postscreen_post_queue_limit);
                if most == 0 || self.server.hall().waiting() < most {
                    return None;
                }
                ("all server ports busy", BUSY)
            }
        };
        info!("NOQUEUE: reject: CONNECT from {}: {reason}", self.client());
        Some(reply)
    }

    /// `postscreen_access_list`.
    async fn admit(&mut self) -> Result<(), End> {
        match self.server.rules.access.verdict(self.ends.client.ip()).await {
            Verdict::Dunno => Ok(()),
            Verdict::Permit => {
                info!("{} {}", if self.is_respectful() { "ALLOWLISTED" } else { "WHITELISTED" }, self.client());
                Err(End::Pass)
            }
            Verdict::Reject => {
                info!("{} {}", if self.is_respectful() { "DENYLISTED" } else { "BLACKLISTED" }, self.client());
                match self.server.actions.denylist {
                    Action::Ignore => {}
                    Action::Enforce => {
                        self.exam.deny();
                        self.refusal = Some(Reply::fixed(550, Enhanced(5, 3, 2), UNAVAILABLE));
                    }
                    Action::Drop => {
                        self.exam.deny();
                        return Err(End::Drop(Reply::fixed(521, Enhanced(5, 3, 2), UNAVAILABLE)));
                    }
                }
                Ok(())
            }
        }
    }

    /// Tells the log and the cache what the client has passed.
    fn conclude(&self) {
        let address = self.ends.client.ip();
        if let Some(verdict) = self.exam.verdict() {
            let is_told = self.server.hall().is_told(address);
            let word = if verdict == Acquaintance::New && !is_told { "NEW" } else { "OLD" };
            info!("PASS {word} {}", self.client());
        }
        if let (Some(record), Some(cache)) = (self.exam.remembered(), &self.server.rules.cache) {
            cache.put(address, &record);
        }
    }

    async fn hand_over(mut self) {
        let service = self.server.params.ipc.smtpd_service_name.clone();
        let mut way = match Way::open(&service).await {
            Ok(way) => way,
            // A client that got a part of the greeting gets the rest, and is sent away at its first command.
            Err(Blocked) if self.teased => {
                let end =
                    self.talk(Purpose::Dismiss(Reply::fixed(421, Enhanced(4, 3, 2), "No system resources"))).await;
                self.conclude();
                return self.leave(end).await;
            }
            Err(Blocked) => return self.reply(BUSY).await,
        };
        let Self { server: _server, stream, ends, mut stay, .. } = self;
        // Who speaks TLS with us has been told to come again.
        let Some(stream) = stream.into_client() else { return };
        let passed = Passed { client: ends.client, server: ends.server, input: Vec::new() };
        if let Err(error) = way.send(stream, &passed).await {
            return warn!("cannot pass connection to service private/{service}: {}", table::system_text(&error));
        }
        stay.wait();
        way.accepted(&service).await;
    }

    /// The session is over, and goes on nowhere else.
    async fn leave(mut self, end: End) {
        if let End::Drop(reply) = end {
            self.reply(reply).await;
        }
        info!("DISCONNECT {}", self.client());
    }

    /// The last words.
    async fn reply(&mut self, reply: Reply) {
        let mut bytes = Vec::new();
        self.dressed(reply).await.print(&mut bytes);
        let _ = self.say(&bytes).await;
    }

    /// Says something; false if the client does not take it.
    async fn say(&mut self, bytes: &[u8]) -> bool {
        matches!(timeout(WRITE, self.stream.write_all(bytes)).await, Ok(Ok(())))
    }

    /// The client hung up.
    fn lost(&self, part: Part) -> End {
        info!("HANGUP after {} from {} in {part}", self.age(), self.client());
        End::Gone
    }

    fn client(&self) -> Shown {
        Shown(self.ends.client)
    }

    fn age(&self) -> Seconds {
        let micros = i64::try_from(self.began.elapsed().as_micros()).unwrap_or(i64::MAX);
        let resolution = u32::try_from(self.server.params.queue.delay_logging_resolution_limit).unwrap_or(2);
        Seconds { micros, resolution }
    }

    /// Which words the log has for lists.
    fn is_respectful(&self) -> bool {
        let is_respectful = self.server.params.identity.respectful_logging;
        if !is_respectful && self.server.rules.says_old_words.swap(false, Ordering::Relaxed) {
            let client = self.client();
            info!("using backwards-compatible default setting respectful_logging=no for client {client}");
        }
        is_respectful
    }
}

/// A client's place in the hall, free again when dropped.
struct Stay {
    server: Arc<Postscreen>,
    client: std::net::IpAddr,
    place: Place,
}

impl Stay {
    /// The client comes; how many connections it has.
    fn begin(server: Arc<Postscreen>, client: std::net::IpAddr) -> (Self, u32) {
        let (connections, mood) = server.hall().enter(client);
        tell(mood);
        (Self { server, client, place: Place::Screened }, connections)
    }

    /// From now on it waits for smtpd(8).
    fn wait(&mut self) {
        self.server.hall().hand_over();
        self.place = Place::Waiting;
    }
}

impl Drop for Stay {
    fn drop(&mut self) {
        tell(self.server.hall().leave(self.client, self.place));
    }
}

fn tell(mood: Option<Mood>) {
    match mood {
        Some(Mood::Stressed(count)) => info!("entering STRESS mode with {count} connections"),
        Some(Mood::Calm(count)) => info!("leaving STRESS mode with {count} connections"),
        None => {}
    }
}
