//! The start of a session: what postscreen or a proxy says of it, names, limits, the greeting.

use std::sync::Arc;

use ipc::pass::Passed;
use smtp_proto::conn::{self, Pace};
use smtp_proto::proxy_header::{self, Origin, Parsed};
use smtp_proto::{Conn, Enhanced, Reply};
use table::PatternList;
use tracing::{info, warn};

use super::peer::Peer;
use super::stream::{Ends, Stream};
use super::{Admission, End, Entrance, Next, Session};
use crate::Smtpd;
use crate::access::{Actions, Check, Deferral};
use crate::settings::Upstream;
use crate::text::escaped;

impl Session {
    /// Finds out who the client is. `None`: it was turned away, or left.
    pub(super) async fn begin(server: Arc<Smtpd>, stream: service::Stream, preamble: &[u8]) -> Option<Session> {
        let stream = Stream::new(stream);
        let mut ends = stream.ends()?;
        let passed = match preamble {
            [] => None,
            bytes => match Passed::decode(bytes) {
                Ok(passed) => Some(passed),
                Err(problem) => {
                    warn!("connection handed over: {problem}");
                    return None;
                }
            },
        };
        let entrance = if passed.is_some() { Entrance::Other } else { Entrance::Own };
        let input = passed.as_ref().map_or(&[][..], |passed| &passed.input);
        let mut conn = Conn::with_input(stream, Pace::Each(server.limits().smtpd_timeout), input);
        if let Some(Passed { client, server, .. }) = passed {
            ends = Ends::Inet { client, server };
        } else if server.settings.upstream == Upstream::Haproxy {
            match read_preamble(&server, &mut conn).await {
                Ok(Origin::Client { source, destination }) => ends = Ends::Inet { client: source, server: destination },
                Ok(Origin::Balancer) => {}
                Err(problem) => {
                    warn!("haproxy read: {problem}");
                    let text = format!("{} Server local error", server.params.identity.myhostname);
                    conn.reply(&Reply::new(421, Some(Enhanced(4, 3, 0)), text));
                    let _ = conn.flush().await;
                    return None;
                }
            }
        }
        let peer = Box::pin(Peer::of(ends, &server)).await;
        let watched = peer.is_listed(&server.tables.debug_peers).await;
        let mut session = Session::new(server, conn, peer);
        session.entrance = entrance;
        if watched {
            session.history.watch(&session.peer.namaddr);
        }
        Some(session)
    }

    /// Greets, unless the client is one too many or not wanted.
    pub(super) async fn greet(&mut self) -> Result<Option<End>, conn::Error> {
        self.find_rights().await;
        if self.server.tls.as_ref().is_some_and(|tls| tls.wrapped) {
            if self.refuse_tls_session("TLS service").await.is_some() {
                return Ok(Some(End::Quit));
            }
            if let Some(reply) = Box::pin(self.encrypt()).await? {
                return self.follow(Next::Hangup(reply)).await;
            }
        }
        if let Some(reply) = self.limit_connections().await {
            return self.follow(Next::Hangup(reply)).await;
        }
        if let Some(reply) = self.refused_client().await {
            return self.follow(Next::Error(reply)).await;
        }
        if self.entrance == Entrance::Own
            && let Some(next) = self.notice_impatience("CONNECT")
        {
            return self.follow(next).await;
        }
        let banner = self.meet_milters().await;
        if banner.code == 421 {
            return self.follow(Next::Hangup(banner)).await;
        }
        self.say(banner).await?;
        Ok(None)
    }

    pub(crate) fn banner(&self) -> Reply {
        Reply::new(220, None, self.server.params.smtpd.smtpd_banner.clone())
    }

    /// What the client may do, and what is hidden from it, by its address.
    pub(crate) async fn find_rights(&mut self) {
        let server = Arc::clone(&self.server);
        let tables = &server.tables;
        self.rights.unknown = None;
        self.hidden = match tables.hidden_keywords.lookup(self.peer.address.as_bytes()).await {
            Ok(Some(list)) => crate::Settings::keywords(&String::from_utf8_lossy(&list)),
            Ok(None) => server.settings.hidden_keywords,
            Err(_) => {
                self.rights.unknown = Some("what EHLO features to announce");
                server.settings.hidden_keywords
            }
        };
        self.may_verp = self.has_right(&tables.verp_clients, "if EHLO feature XVERP should be announced").await;
        self.rights.xclient =
            self.has_right(&tables.xclient_hosts, "if EHLO feature XCLIENT should be announced").await;
        self.rights.xforward =
            self.has_right(&tables.xforward_hosts, "if EHLO feature XFORWARD should be announced").await;
    }

    /// Whether a list names the client; of one that fails it is noted what is not known then.
    async fn has_right(&mut self, list: &PatternList, unknown: &'static str) -> bool {
        let named = self.peer.is_named_by(list).await;
        if named.is_err() {
            self.rights.unknown.get_or_insert(unknown);
        }
        named.unwrap_or(false)
    }

    /// What is due where a table that has to be asked fails: the session ends.
    pub(crate) fn local_data_error(&self) -> Reply {
        let text = format!("{} Server local data error", self.server.params.identity.myhostname);
        let reply = Reply::new(421, Some(Enhanced(4, 3, 0)), text);
        info!("NOQUEUE: reject: {} from {}: {reply}", self.stage, self.peer.namaddr);
        reply
    }

    /// `smtpd_client_restrictions`, where they do not wait for RCPT. A client that they refuse gets no further.
    pub(crate) async fn refused_client(&mut self) -> Option<Reply> {
        if self.server.params.access.smtpd_delay_reject {
            return None;
        }
        let mut actions = Actions::default();
        let server = Arc::clone(&self.server);
        let mut check = Check::new(&server, self.facts(None, None), &mut actions, Deferral::default());
        let outcome = Box::pin(check.client()).await;
        let (faults, deferral) = super::faults_of(check);
        self.faults.extend(faults);
        self.deferral = deferral;
        let reply = outcome.err()?;
        self.admission = Admission::Denied;
        Some(*reply)
    }
}

/// Bytes that are logged of a preamble that is none.
const LONGEST_SHOWN: usize = 536;

/// What the balancer says before anything else.
async fn read_preamble(server: &Smtpd, conn: &mut Conn<Stream>) -> Result<Origin, String> {
    let timeout = server.params.smtpd.smtpd_upstream_proxy_timeout;
    conn.set_pace(Pace::Until(tokio::time::Instant::now() + timeout, 0, timeout));
    loop {
        match proxy_header::parse(conn.buffered()) {
            Ok(Parsed::Complete(origin, length)) => {
                conn.consume(length);
                conn.release();
                conn.set_pace(Pace::Each(server.limits().smtpd_timeout));
                return Ok(origin);
            }
            Ok(Parsed::Incomplete) => {}
            Err(problem) => {
                let shown = conn.buffered();
                return Err(format!("{problem}: {}", escaped(shown.get(..LONGEST_SHOWN).unwrap_or(shown))));
            }
        }
        match conn.fill().await {
            Ok(()) => {}
            Err(conn::Error::Timeout) => return Err("timeout error".to_owned()),
            Err(conn::Error::Lost | conn::Error::Flood) => return Err("EOF error".to_owned()),
        }
    }
}
