//! AUTH: asks an authentication server whether the client is who it says (RFC 4954).

use data_encoding::BASE64;
use sasl::dovecot::{self, Secured, Server, Step};
use smtp_proto::ehlo::Keyword;
use smtp_proto::{Enhanced, Reply, command, conn};
use tracing::warn;

use crate::session::login::Login;
use crate::session::{Next, Session};
use crate::text::printable;

/// How an exchange ended.
enum End {
    Success(String),
    Failure(String),
    /// Nobody could tell.
    Unavailable(&'static str),
    Aborted,
    TooLong,
}

impl Session {
    /// Whether AUTH is possible now.
    pub(crate) fn offers_login(&self) -> bool {
        !self.mechanisms.is_empty() && !self.hidden.has(Keyword::Auth)
    }

    /// Finds out which mechanisms the authentication server has for this session.
    pub(super) async fn find_mechanisms(&mut self) {
        self.mechanisms.clear();
        let Some(sasl) = &self.server.sasl else { return };
        let clear = self.tls.is_none();
        if clear && (self.server.params.smtpd.smtpd_tls_auth_only || self.demands_tls()) {
            return;
        }
        let server = match sasl.take().await {
            Ok(server) => server,
            Err(error) => {
                warn!("SASL: {error}");
                return;
            }
        };
        let options = sasl.options(!clear);
        let mut mechanisms = Vec::new();
        for mechanism in server.mechanisms() {
            let listed = self.server.tables.sasl_mechanism_filter.matches_string(mechanism.name.as_bytes()).await;
            if options.admit(&mechanism.properties) && listed.unwrap_or(false) {
                mechanisms.push(mechanism.name.clone());
            }
        }
        sasl.keep(server);
        self.mechanisms = mechanisms;
    }

    /// The lines that EHLO has for AUTH. Clients of `smtpd_sasl_exceptions_networks` do not see them, yet may log in.
    pub(super) async fn login_offers(&self) -> Vec<String> {
        if self.mechanisms.is_empty() || self.peer.is_listed(&self.server.tables.sasl_exceptions_networks).await {
            return Vec::new();
        }
        let list = self.mechanisms.join(" ");
        let mut lines = vec![format!("AUTH {list}")];
        if self.server.params.sasl.broken_sasl_auth_clients {
            lines.push(format!("AUTH={list}"));
        }
        lines
    }

    pub(super) async fn auth(&mut self, arguments: &[u8]) -> Result<Next, conn::Error> {
        // Whatever becomes of it: who guesses passwords is told apart by how often it asks.
        if let Some(reply) = self.limit_logins().await {
            return Ok(Next::against_policy(reply));
        }
        if self.helo.is_none() && self.server.params.smtpd.smtpd_helo_required {
            let reply = Reply::fixed(503, Enhanced(5, 5, 1), "Error: send HELO/EHLO first");
            return Ok(Next::against_policy(reply));
        }
        if self.helo.is_none() {
            self.find_mechanisms().await;
        }
        let mut words = command::words(arguments);
        let wrong = if !self.offers_login() {
            Some("Error: authentication not enabled")
        } else if self.transaction.envelope().is_some() {
            Some("Error: MAIL transaction in progress")
        } else if self.login.is_some() {
            Some("Error: already authenticated")
        } else {
            None
        };
        if let Some(text) = wrong {
            return Ok(Next::against_protocol(Reply::fixed(503, Enhanced(5, 5, 1), text)));
        }
        let (Some(mechanism), initial, None) = (words.next(), words.next(), words.next()) else {
            return Ok(Next::against_protocol(Reply::fixed(501, Enhanced(5, 5, 4), "Syntax: AUTH mechanism")));
        };
        // Logs and macros have it as the client wrote it.
        let mechanism = printable(mechanism).into_owned();
        let mut name = None;
        let end = match self.mechanisms.iter().find(|known| known.eq_ignore_ascii_case(&mechanism)).cloned() {
            Some(known) => self.exchange(&known, initial, &mut name).await?,
            None => End::Failure(format!("Invalid authentication mechanism: '{mechanism}'")),
        };
        Ok(self.conclude_login(mechanism, end, name))
    }

    fn conclude_login(&mut self, mechanism: String, end: End, name: Option<String>) -> Next {
        match end {
            End::Success(username) => {
                self.login = Some(Login { method: mechanism, username, sender: String::new() });
                Next::Reply(Reply::fixed(235, Enhanced(2, 7, 0), "Authentication successful"))
            }
            End::Failure(reason) => {
                let reason = if reason.is_empty() { "(reason unavailable)" } else { &reason };
                self.warn_of_failure(&mechanism, reason, name);
                Next::Error(Reply::new(535, Some(Enhanced(5, 7, 8)), format!("Error: authentication failed: {reason}")))
            }
            End::Unavailable(reason) => {
                self.warn_of_failure(&mechanism, reason, name);
                let text = format!("Temporary authentication failure: {reason}");
                Next::Error(Reply::new(454, Some(Enhanced(4, 7, 0)), text))
            }
            End::Aborted => {
                warn!("{}: SASL {mechanism} authentication aborted", self.peer.namaddr);
                Next::Error(Reply::fixed(501, Enhanced(5, 7, 0), "Authentication aborted"))
            }
            End::TooLong => Next::Error(Reply::fixed(500, Enhanced(5, 5, 6), "SASL response limit exceeded")),
        }
    }

    fn warn_of_failure(&self, mechanism: &str, reason: &str, name: Option<String>) {
        let name = name.unwrap_or_else(|| "(unavailable)".to_owned());
        warn!("{}: SASL {mechanism} authentication failed: {reason}, sasl_username={name}", self.peer.namaddr);
    }

    /// Passes challenges and responses on until the server has decided. `name` becomes the name that the client gave.
    async fn exchange(
        &mut self,
        mechanism: &str,
        initial: Option<&[u8]>,
        name: &mut Option<String>,
    ) -> Result<End, conn::Error> {
        let initial = match initial.map(decoded).transpose() {
            Ok(initial) => initial,
            Err(Undecodable) => return Ok(End::Failure("Invalid base64 data in initial response".to_owned())),
        };
        note_name(mechanism, initial.as_deref(), name);
        let (mut server, mut step) = match self.begin_exchange(mechanism, initial.as_deref()).await {
            Ok(begun) => begun,
            Err(error) => return Ok(broken(&error)),
        };
        loop {
            let challenge = match step {
                Step::Success { user } => {
                    self.keep_server(server);
                    return Ok(End::Success(user));
                }
                Step::Failure { reason, temporary } => {
                    self.keep_server(server);
                    let unsaid = temporary && reason.is_empty();
                    let reason = if unsaid { "Temporary authentication failure".to_owned() } else { reason };
                    return Ok(End::Failure(reason));
                }
                Step::Challenge(challenge) => challenge,
            };
            let response = match self.challenge(&challenge).await? {
                Ok(response) => response,
                Err(end) => return Ok(end),
            };
            note_name(mechanism, Some(&response), name);
            step = match server.respond(&response).await {
                Ok(step) => step,
                Err(error) => return Ok(broken(&error)),
            };
        }
    }

    /// Begins on a kept connection if there is one; that may have broken meanwhile.
    async fn begin_exchange(&self, mechanism: &str, initial: Option<&[u8]>) -> Result<(Server, Step), dovecot::Error> {
        let Some(sasl) = &self.server.sasl else { return Err(dovecot::Error::Malformed) };
        let about = self.about();
        if let Some(mut server) = sasl.idle()
            && let Ok(step) = server.begin(mechanism, &about, initial).await
        {
            return Ok((server, step));
        }
        let mut server = sasl.connect().await?;
        let step = server.begin(mechanism, &about, initial).await?;
        Ok((server, step))
    }

    fn keep_server(&self, server: Server) {
        if let Some(sasl) = &self.server.sasl {
            sasl.keep(server);
        }
    }

    /// What the authentication server is told of the session.
    fn about(&self) -> dovecot::Session {
        dovecot::Session {
            service: self.server.params.sasl.smtpd_sasl_service.clone(),
            local_address: self.peer.server_address.clone(),
            local_port: self.peer.server_port.clone(),
            client_address: self.peer.address.clone(),
            client_port: self.peer.port.clone(),
            secured: if self.tls.is_some() { Secured::Yes } else { Secured::No },
        }
    }

    /// One round with the client.
    async fn challenge(&mut self, challenge: &[u8]) -> Result<Result<Vec<u8>, End>, conn::Error> {
        self.say(Reply::new(334, None, BASE64.encode(challenge))).await?;
        let limit = usize::try_from(self.server.params.sasl.smtpd_sasl_response_limit).unwrap_or(12288);
        let mut line = Vec::new();
        if self.conn.read_line(&mut line, limit).await? == conn::LineEnd::TooLong {
            return Ok(Err(End::TooLong));
        }
        if line == b"*" {
            return Ok(Err(End::Aborted));
        }
        Ok(decoded(&line).map_err(|Undecodable| End::Failure("Invalid base64 data in continued response".to_owned())))
    }
}

struct Undecodable;

/// `=` stands for an empty response.
fn decoded(text: &[u8]) -> Result<Vec<u8>, Undecodable> {
    if text == b"=" {
        return Ok(Vec::new());
    }
    BASE64.decode(text).map_err(|_| Undecodable)
}

/// The name in a response of PLAIN, or in the first of LOGIN.
fn note_name(mechanism: &str, response: Option<&[u8]>, name: &mut Option<String>) {
    let Some(response) = response.filter(|_| name.is_none()) else { return };
    let given = match mechanism {
        "PLAIN" => response.split(|byte| *byte == 0).nth(1),
        "LOGIN" => Some(response),
        _ => None,
    };
    *name = given.filter(|given| !given.is_empty()).map(|given| printable(given).into_owned());
}

fn broken(error: &dovecot::Error) -> End {
    warn!("SASL: {error}");
    End::Unavailable("Connection lost to authentication server")
}
