//! The dialogue with a server.

use crate::plan::{Plan, Topic, Wish};
use crate::target::{self, Server, Stream};
use crate::{certificate, dane, say};
use smtp_proto::conn::{Conn, Error, Pace};
use smtp_proto::reply::Answer;
use tls::client::{Connector, Level, Sessions};

/// No more of a reply is read.
const MOST_REPLY: usize = 64 * 1024;

/// A session.
pub(crate) struct Session<'a> {
    conn: Conn<Box<dyn Stream>>,
    plan: &'a Plan,
    name: String,
    outcome: Outcome,
}

/// What became of the TLS session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// There is nothing that a later connection could resume.
    Unkept,
    /// It can be resumed.
    Kept,
    /// It was resumed.
    Resumed,
}

impl<'a> Session<'a> {
    /// Over a connection to a server.
    pub(crate) fn new(stream: Box<dyn Stream>, server: &Server, plan: &'a Plan) -> Self {
        let conn = Conn::new(stream, Pace::Each(plan.connect_limit));
        Self { conn, plan, name: target::name(server, plan), outcome: Outcome::Unkept }
    }

    /// Talks to the server, and reports; [`None`] if that came to nothing.
    pub(crate) async fn run(self, server: &Server, connector: &mut Option<Connector>) -> Option<Outcome> {
        if self.plan.wants(Wish::Chat) {
            say(&format!("Connected to {}", self.name));
        }
        match self.talk(server, connector).await {
            Ok(outcome) => Some(outcome),
            Err(reason) => {
                say(&reason);
                None
            }
        }
    }

    async fn talk(mut self, server: &Server, connector: &mut Option<Connector>) -> Result<Outcome, String> {
        if self.plan.wants(Wish::Wrapped) {
            self = self.secure(server, connector).await?;
        }
        let greeting = self.answer("greeting").await?;
        if greeting.class() != 2 {
            let protocol = if self.plan.wants(Wish::Lmtp) { "LMTP" } else { "SMTP" };
            return Err(format!("{protocol} service not available: {}", greeting.logged()));
        }
        self.conn.set_pace(Pace::Each(self.plan.command_limit));
        let offers_tls = self.hello().await?;
        if offers_tls && !self.plan.wants(Wish::Wrapped) && self.plan.policy.level > Level::None {
            let answer = self.command("STARTTLS").await?;
            if answer.class() != 2 {
                return Err(format!("STARTTLS rejected: {}", answer.logged()));
            }
            self = self.secure(server, connector).await?;
            self.hello().await?;
        }
        self.command("QUIT").await.map(drop)?;
        let Self { conn, outcome, .. } = self;
        let is_resumable = conn.into_stream().is_resumable();
        Ok(if outcome == Outcome::Kept && !is_resumable { Outcome::Unkept } else { outcome })
    }

    /// Says hello; whether the server has STARTTLS.
    async fn hello(&mut self) -> Result<bool, String> {
        let verb = if self.plan.wants(Wish::Lmtp) { "LHLO" } else { "EHLO" };
        let answer = self.command(&format!("{verb} {}", self.plan.myhostname)).await?;
        if answer.class() != 2 {
            return Err(format!("{verb} rejected: {}", answer.logged()));
        }
        let mut offers = answer.texts().skip(1).map(|text| text.split(u8::is_ascii_whitespace).next());
        Ok(offers.any(|word| word.is_some_and(|word| word.eq_ignore_ascii_case(b"STARTTLS"))))
    }

    async fn command(&mut self, line: &str) -> Result<Answer, String> {
        if self.plan.wants(Wish::Chat) {
            say(&format!("> {line}"));
        }
        self.conn.command(line.as_bytes());
        self.answer(line).await
    }

    async fn answer(&mut self, what: &str) -> Result<Answer, String> {
        match self.conn.read_answer(MOST_REPLY).await {
            Ok(answer) => {
                if self.plan.wants(Wish::Chat) {
                    let text = String::from_utf8_lossy(&answer.text);
                    text.lines().for_each(|line| say(&format!("< {}", printable(line))));
                }
                Ok(answer)
            }
            Err(Error::Timeout) => Err(format!("timeout while reading the reply to {what} from {}", self.name)),
            Err(error) => Err(format!("{error} with {} after {what}", self.name)),
        }
    }

    /// The handshake, and what it tells.
    async fn secure(self, server: &Server, kept: &mut Option<Connector>) -> Result<Self, String> {
        let Self { conn, plan, name, .. } = self;
        if plan.log.has(Topic::Verbose) {
            say(&format!("setting up TLS connection to {name}"));
        }
        let (stream, _) = conn.into_drained().map_err(|error| format!("{name}: {error}"))?;
        let failed = |error| format!("SSL_connect error to {name}: {error}");
        let connector = match kept {
            Some(connector) => connector,
            None => {
                let policy = dane::policy(server, plan).await;
                kept.insert(plan.client.connector(&policy, Sessions::Kept).map_err(failed)?)
            }
        };
        let (stream, summary) = connector.connect(stream, plan.command_limit).await.map_err(failed)?;
        certificate::report(&summary, &name, connector.policy(), plan);
        let (_, state) = stream.get_ref();
        if plan.wants(Wish::Chain) && !summary.resumed {
            certificate::print(state.peer_certificates().unwrap_or_default(), plan.policy.digest);
        }
        let outcome = if summary.resumed { Outcome::Resumed } else { Outcome::Kept };
        let stream: Box<dyn Stream> = Box::new(stream);
        Ok(Session { conn: Conn::new(stream, Pace::Each(plan.command_limit)), plan, name, outcome })
    }
}

/// A server's line without what would upset a terminal.
fn printable(line: &str) -> String {
    line.chars().map(|character| if character.is_control() { '?' } else { character }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_not_shown() {
        assert_eq!(printable("220 a\x1b[2Jé\r"), "220 a?[2Jé?");
    }
}
