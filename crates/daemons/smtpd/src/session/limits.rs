//! Limits by client, kept by anvil: connections at once, and connections, messages, recipients, logins per time.

use std::net::IpAddr;

use ipc::anvil::{Event, Reply as Figures, Request};
use smtp_proto::{Enhanced, Reply};
use tracing::warn;

use super::Session;

impl Session {
    /// Whether limits apply to this client.
    pub(crate) async fn is_limited(&self) -> bool {
        !self.rights.xclient && !self.peer.is_listed(&self.server.tables.limit_exceptions).await
    }

    /// `service:client`, the client by its network.
    pub(crate) fn anvil_identity(&self) -> String {
        let smtpd = &self.server.params.smtpd;
        let service = &self.server.settings.service_name;
        let network = match self.peer.ip {
            Some(IpAddr::V4(ip)) => match u32::try_from(smtpd.smtpd_client_ipv4_prefix_length) {
                Ok(length @ 0..32) => {
                    let mask = u32::MAX.checked_shl(32 - length).unwrap_or(0);
                    format!("{}/{length}", std::net::Ipv4Addr::from(u32::from(ip) & mask))
                }
                _ => self.peer.address.clone(),
            },
            Some(IpAddr::V6(ip)) => match u32::try_from(smtpd.smtpd_client_ipv6_prefix_length) {
                Ok(length @ 0..128) => {
                    let mask = u128::MAX.checked_shl(128 - length).unwrap_or(0);
                    format!("{}/{length}", std::net::Ipv6Addr::from(u128::from(ip) & mask))
                }
                _ => self.peer.address.clone(),
            },
            None => self.peer.address.clone(),
        };
        format!("{service}:{network}")
    }

    /// As whom a client is counted; where TLS comes first that is needed before its connection counts.
    async fn limited_identity(&self) -> Option<String> {
        let is_early = self.limited.is_none() && self.server.tls.as_ref().is_some_and(|tls| tls.wrapped);
        if is_early && self.is_limited().await { Some(self.anvil_identity()) } else { self.limited.clone() }
    }

    /// Tells anvil; a service that does not answer limits nobody.
    async fn count(&self, event: Event) -> Option<Figures> {
        let identity = self.limited_identity().await?;
        match self.server.anvil.call(Request { identity, event }).await {
            Ok(figures) => Some(figures),
            Err(error) => {
                warn!("problem talking to service anvil: {error}");
                None
            }
        }
    }

    /// A client has connected. The reply, if it is one too many.
    pub(crate) async fn limit_connections(&mut self) -> Option<Reply> {
        let smtpd = &self.server.params.smtpd;
        let (at_once, rate) = (smtpd.smtpd_client_connection_count_limit, smtpd.smtpd_client_connection_rate_limit);
        let rates = [
            smtpd.smtpd_client_message_rate_limit,
            smtpd.smtpd_client_recipient_rate_limit,
            smtpd.smtpd_client_new_tls_session_rate_limit,
            smtpd.smtpd_client_auth_rate_limit,
        ];
        let wanted = at_once > 0 || rate > 0 || rates.iter().any(|limit| *limit > 0);
        if !wanted || !self.is_limited().await {
            return None;
        }
        self.limited = Some(self.anvil_identity());
        let figures = self.count(Event::Connect).await?;
        self.connections = figures.connections;
        let host = &self.server.params.identity.myhostname;
        let refusal = || {
            Reply::new(
                421,
                Some(Enhanced(4, 7, 0)),
                format!("{host} Error: too many connections from {}", self.peer.address),
            )
        };
        if self.is_over("Connection concurrency", figures.connections, at_once) {
            return Some(refusal());
        }
        if self.is_over("Connection rate", figures.connects, rate) {
            return Some(refusal());
        }
        None
    }

    /// The client is gone. Nobody waits for the answer.
    pub(crate) fn release_connection(&mut self) {
        if let Some(identity) = self.limited.take() {
            let anvil = self.server.anvil.clone();
            tokio::spawn(async move {
                let _ = anvil.call(Request { identity, event: Event::Disconnect }).await;
            });
        }
    }

    pub(crate) async fn limit_messages(&self) -> Option<Reply> {
        let limit = self.server.params.smtpd.smtpd_client_message_rate_limit;
        let figures = self.count_if(limit, Event::Mail).await?;
        self.is_over("Message delivery request rate", figures.mails, limit).then(|| self.refused_for_rate("mail"))
    }

    pub(crate) async fn limit_recipients(&self) -> Option<Reply> {
        let limit = self.server.params.smtpd.smtpd_client_recipient_rate_limit;
        let figures = self.count_if(limit, Event::Rcpt).await?;
        self.is_over("Recipient address rate", figures.rcpts, limit).then(|| self.refused_for_rate("recipients"))
    }

    pub(crate) async fn limit_logins(&self) -> Option<Reply> {
        let limit = self.server.params.smtpd.smtpd_client_auth_rate_limit;
        let figures = self.count_if(limit, Event::Auth).await?;
        self.is_over("AUTH command rate", figures.auths, limit).then(|| self.refused_for_rate("AUTH commands"))
    }

    /// A client that has begun too many TLS sessions begins no more; it may go on in clear.
    pub(crate) async fn refuse_tls_session(&self, asked: &str) -> Option<Reply> {
        let limit = self.server.params.smtpd.smtpd_client_new_tls_session_rate_limit;
        let figures = self.count_if(limit, Event::Report).await?;
        if i64::from(figures.tls) <= limit {
            return None;
        }
        let (client, name) = (&self.peer.namaddr, &self.server.settings.service_name);
        warn!("Refusing {asked} request from {client} for service {name}");
        let text = format!("Error: too many new TLS sessions from {client}");
        Some(Reply::new(454, Some(Enhanced(4, 7, 0)), text))
    }

    /// A TLS session that is no earlier one resumed has begun, and may have been one too many.
    pub(crate) async fn count_tls_session(&self) -> Option<Reply> {
        let limit = self.server.params.smtpd.smtpd_client_new_tls_session_rate_limit;
        let figures = self.count_if(limit, Event::NewTls).await?;
        let host = &self.server.params.identity.myhostname;
        let text = format!("{host} Error: too many new TLS sessions from {}", self.peer.namaddr);
        self.is_over("New TLS session rate", figures.tls, limit).then(|| Reply::new(421, Some(Enhanced(4, 7, 0)), text))
    }

    async fn count_if(&self, limit: i64, event: Event) -> Option<Figures> {
        if limit > 0 { self.count(event).await } else { None }
    }

    fn is_over(&self, what: &str, count: u32, limit: i64) -> bool {
        let over = limit > 0 && i64::from(count) > limit;
        if over {
            warn!(
                "{what} limit exceeded: {count} from {} for service {}",
                self.peer.namaddr, self.server.settings.service_name
            );
        }
        over
    }

    fn refused_for_rate(&self, what: &str) -> Reply {
        let much = if what == "mail" { "much" } else { "many" };
        Reply::new(450, Some(Enhanced(4, 7, 1)), format!("Error: too {much} {what} from {}", self.peer.address))
    }
}
