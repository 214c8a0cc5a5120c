//! One client: from CONNECT to its hand-over, or to DISCONNECT.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ipc::pass::Passed;
use maillog::line::Seconds;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tracing::{info, warn};

use crate::Postscreen;
use crate::access::Verdict;
use crate::action::Action;
use crate::cache;
use crate::exam::{Acquaintance, Exam};
use crate::hall::{Mood, Place};
use crate::hand_over::{Blocked, Way};
use crate::proxy::Ends;

mod early;

/// How long a client may take to take a line from us.
const WRITE: Duration = Duration::from_secs(10);

/// Said to clients that failed nothing: they come again, and are then let in.
const COME_AGAIN: &str = "450 4.3.2 Service currently unavailable";

/// A client.
pub(crate) struct Session {
    server: Arc<Postscreen>,
    stream: TcpStream,
    ends: Ends,
    exam: Exam,
    began: Instant,
    stay: Stay,
    /// What its recipients are refused with; then it does not get to smtpd(8).
    refusal: Option<String>,
    /// It is told to come again, whatever it passes.
    vetoed: bool,
}

/// How a session ends, and perhaps goes on elsewhere.
#[derive(Debug)]
enum End {
    /// It is handed to smtpd(8).
    Pass,
    /// It is told this, and sent away.
    Drop(String),
    /// The client is gone.
    Gone,
}

/// The part of the session that a client left in.
#[derive(Debug, Clone, Copy)]
enum Part {
    Early,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Early => "tests before SMTP handshake",
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
    let session = Session { server, stream, ends, exam, began: Instant::now(), stay, refusal: None, vetoed: false };
    session.run(connections).await;
}

impl Session {
    async fn run(mut self, connections: u32) {
        let end = match self.screen(connections).await {
            Err(end) => end,
            Ok(()) if !self.vetoed && self.refusal.is_none() && !self.exam.is_deep_due() => End::Pass,
            // There is no SMTP here: who is not handed over is sent away.
            Ok(()) => End::Drop(self.refusal.take().unwrap_or_else(|| COME_AGAIN.to_owned())),
        };
        self.conclude();
        match end {
            End::Pass => self.hand_over().await,
            End::Drop(reply) => self.dismiss(&reply).await,
            End::Gone => info!("DISCONNECT {}", self.client()),
        }
    }

    /// Everything before SMTP.
    async fn screen(&mut self, connections: u32) -> Result<(), End> {
        if let Some(reply) = self.limited(connections) {
            return Err(End::Drop(reply.to_owned()));
        }
        self.admit().await?;
        let record = self.server.rules.cache.as_ref().and_then(|cache| cache.get(self.ends.client.ip()));
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
            return Err(End::Drop("421 4.3.2 All screening ports are busy".to_owned()));
        }
        self.early_tests().await
    }

    /// What a client is told that is one too many.
    fn limited(&self, connections: u32) -> Option<&'static str> {
        let postscreen = &self.server.params.postscreen;
        let (reason, reply) = {
            let most = postscreen.postscreen_client_connection_count_limit;
            if most > 0 && i64::from(connections) > most {
                ("too many connections", "421 4.7.0 Error: too many connections")
            } else {
                let most = crate::count(postscreen.postscreen_post_queue_limit);
                if most == 0 || self.server.hall().waiting() < most {
                    return None;
                }
                ("all server ports busy", "421 4.3.2 All server ports are busy")
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
                        self.refusal = Some("550 5.3.2 Service currently unavailable".to_owned());
                    }
                    Action::Drop => {
                        self.exam.deny();
                        return Err(End::Drop("521 5.3.2 Service currently unavailable".to_owned()));
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
            Err(Blocked) => {
                let _ = self.say("421 4.3.2 All server ports are busy\r\n").await;
                return;
            }
        };
        let Self { server: _server, stream, ends, mut stay, .. } = self;
        let passed = Passed { client: ends.client, server: ends.server, input: Vec::new() };
        if let Err(error) = way.send(stream, &passed).await {
            return warn!("cannot pass connection to service private/{service}: {}", table::system_text(&error));
        }
        stay.wait();
        way.accepted(&service).await;
    }

    /// Sends the client away.
    async fn dismiss(mut self, reply: &str) {
        let _ = self.say(&format!("{reply}\r\n")).await;
        info!("DISCONNECT {}", self.client());
    }

    /// Says something; false if the client does not take it.
    async fn say(&mut self, text: &str) -> bool {
        matches!(timeout(WRITE, self.stream.write_all(text.as_bytes())).await, Ok(Ok(())))
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

    fn is_respectful(&self) -> bool {
        self.server.params.identity.respectful_logging
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
        tell(self.server.hall().hand_over());
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
