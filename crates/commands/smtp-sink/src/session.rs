//! One session: commands are answered as the script says, messages are counted and thrown away, or kept.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use smtp_proto::conn::{Conn, Error, Pace};
use smtp_proto::dot::{BareNewline, Decoder};
use smtp_proto::ehlo::Keyword;
use trial::place::Stream;

use crate::Sink;
use crate::options::{Protocol, Show};

const LONGEST_LINE: usize = 4096;
/// All that can be offered, in the order in which it is.
pub(crate) const ORDER: [Keyword; 7] = [
    Keyword::Pipelining,
    Keyword::EightBitMime,
    Keyword::Auth,
    Keyword::Xclient,
    Keyword::Xforward,
    Keyword::EnhancedStatusCodes,
    Keyword::Dsn,
];

/// What is known of the message at hand.
#[derive(Debug, Default)]
pub struct Transaction {
    /// As the client called itself.
    pub helo: String,
    /// The argument of MAIL.
    pub sender: String,
    /// The arguments of RCPT.
    pub recipients: Vec<String>,
}

struct Session {
    conn: Conn<Box<dyn Stream>>,
    sink: Arc<Sink>,
    transaction: Transaction,
    dice: u64,
}

#[derive(PartialEq, Eq)]
enum Next {
    Go,
    End,
}

/// Serves a client to its end.
pub async fn serve(stream: Box<dyn Stream>, sink: Arc<Sink>) {
    let pace = Pace::Each(sink.options.bounds.patience);
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let dice = u64::from(now.subsec_nanos()) | 1;
    let transaction = Transaction::default();
    let mut session = Session { conn: Conn::new(stream, pace), sink, transaction, dice };
    // A client that goes away has had enough.
    let _ = session.converse().await;
    let _ = session.conn.flush().await;
}

impl Session {
    async fn converse(&mut self) -> Result<(), Error> {
        let name = self.sink.options.hostname.clone();
        let greeting = match self.sink.options.protocol {
            Protocol::Esmtp | Protocol::Lmtp => format!("220 {name} ESMTP"),
            Protocol::Smtp => format!("220 {name}"),
            Protocol::Pix => "220 ********".to_owned(),
        };
        if self.answer("CONNECT", &greeting).await? == Next::End {
            return Ok(());
        }
        let mut line = Vec::new();
        loop {
            self.conn.read_line(&mut line, LONGEST_LINE).await?;
            let text = String::from_utf8_lossy(&line).into_owned();
            let (verb, rest) = text.split_once(' ').unwrap_or((&text, ""));
            self.show(&text);
            if self.command(&verb.to_ascii_uppercase(), rest).await? == Next::End {
                return Ok(());
            }
        }
    }

    async fn command(&mut self, verb: &str, rest: &str) -> Result<Next, Error> {
        match verb {
            "EHLO" | "LHLO" if self.is_greeting(verb) => {
                self.greet(rest);
                let reply = self.offer();
                self.answer(verb, &reply).await
            }
            "HELO" => {
                self.greet(rest);
                let reply = format!("250 {}", self.sink.options.hostname);
                self.answer(verb, &reply).await
            }
            "MAIL" if !self.transaction.sender.is_empty() => self.refuse("503 5.5.1 Error: nested MAIL command"),
            "MAIL" => {
                if !self.is_refused(verb) {
                    rest.clone_into(&mut self.transaction.sender);
                }
                self.answer(verb, "250 2.1.0 Ok").await
            }
            "RCPT" if self.transaction.sender.is_empty() => self.refuse("503 5.5.1 Error: need MAIL command"),
            "RCPT" => {
                if !self.is_refused(verb) {
                    self.transaction.recipients.push(rest.to_owned());
                }
                self.answer(verb, "250 2.1.5 Ok").await
            }
            "DATA" => self.data().await,
            "RSET" => {
                self.forget();
                self.answer(verb, "250 2.1.0 Ok").await
            }
            // The end of content that was not asked for does no harm.
            "NOOP" | "VRFY" | "." => self.answer(verb, "250 2.0.0 Ok").await,
            "XCLIENT" | "XFORWARD" | "AUTH" if self.offers(verb) => self.answer(verb, "250 2.0.0 Ok").await,
            "QUIT" => {
                self.answer(verb, "221 Bye").await?;
                self.sink.count(|counts| counts.quits += 1);
                Ok(Next::End)
            }
            "" => self.refuse("500 5.5.2 Error: unknown command"),
            _ => self.refuse("500 5.5.1 Error: unknown command"),
        }
    }

    fn refuse(&mut self, reply: &str) -> Result<Next, Error> {
        self.conn.command(reply.as_bytes());
        Ok(Next::Go)
    }

    /// A greeting ends what was begun.
    fn greet(&mut self, name: &str) {
        self.forget();
        name.clone_into(&mut self.transaction.helo);
    }

    fn forget(&mut self) {
        self.transaction.sender.clear();
        self.transaction.recipients.clear();
    }

    /// Whether this is how a session begins here, besides HELO.
    fn is_greeting(&self, verb: &str) -> bool {
        match self.sink.options.protocol {
            Protocol::Esmtp => verb == "EHLO",
            Protocol::Lmtp => verb == "LHLO",
            Protocol::Smtp | Protocol::Pix => false,
        }
    }

    /// Whether an extension has not been switched off. Where none is announced at all, all work.
    fn offers(&self, verb: &str) -> bool {
        let silent = matches!(self.sink.options.protocol, Protocol::Smtp | Protocol::Pix);
        silent || self.sink.options.offer.iter().any(|keyword| keyword.name() == verb)
    }

    fn offer(&self) -> String {
        let options = &self.sink.options;
        let arguments = [
            (Keyword::Auth, " PLAIN LOGIN"),
            (Keyword::Xclient, " NAME HELO"),
            (Keyword::Xforward, " NAME ADDR PROTO HELO"),
        ];
        let words = ORDER.iter().filter(|keyword| options.offer.has(**keyword)).map(|keyword| {
            let more = arguments.iter().find(|(of, _)| of == keyword).map_or("", |(_, more)| more);
            format!("{}{more}", keyword.name())
        });
        let lines = std::iter::once(options.hostname.clone()).chain(words);
        lines.map(|line| format!("250-{line}\r\n")).collect::<String>() + "250 "
    }

    async fn data(&mut self) -> Result<Next, Error> {
        let before = self.transaction.recipients.len();
        if self.is_refused("DATA") || before == 0 {
            let reply = if before == 0 { "503 5.5.1 Error: need RCPT command" } else { "" };
            return self.answer("DATA", reply).await;
        }
        if self.answer("DATA", "354 End data with <CR><LF>.<CR><LF>").await? == Next::End {
            return Ok(Next::End);
        }
        let script = &self.sink.options.script;
        let (abort, wait) = (script.abort, script.before_content);
        self.conn.flush().await?;
        if let Some(wait) = abort {
            tokio::time::sleep(wait).await;
            self.conn.command(b"550 This violates SMTP");
            return Ok(Next::End);
        }
        tokio::time::sleep(wait).await;
        self.content().await?;
        let (replies, reply) =
            if self.sink.options.protocol == Protocol::Lmtp { (before, "250 2.2.0 Ok") } else { (1, "250 2.0.0 Ok") };
        for _ in 0..replies {
            if self.answer(".", reply).await? == Next::End {
                return Ok(Next::End);
            }
        }
        // The count may end it all.
        self.conn.flush().await?;
        self.sink.count(|counts| counts.messages += 1);
        Ok(Next::Go)
    }

    async fn content(&mut self) -> Result<(), Error> {
        let mut decoder = Decoder::new(BareNewline::Normalize);
        let keeps = self.sink.options.dump.is_some();
        let mut text = Vec::new();
        loop {
            let progress = decoder.push(self.conn.buffered(), &mut text);
            self.conn.consume(progress.consumed);
            if progress.end {
                break;
            }
            if !keeps {
                text.clear();
            }
            self.conn.fill().await?;
        }
        self.sink.keep(&self.transaction, &text);
        self.forget();
        Ok(())
    }

    fn is_refused(&self, verb: &str) -> bool {
        let script = &self.sink.options.script;
        [&script.hard, &script.soft].into_iter().any(|verbs| verbs.iter().any(|listed| listed == verb))
    }

    /// Answers a command, unless the script has something else in store.
    async fn answer(&mut self, verb: &str, reply: &str) -> Result<Next, Error> {
        self.pause(verb).await?;
        let sink = Arc::clone(&self.sink);
        let script = &sink.options.script;
        let has = |verbs: &[String]| verbs.iter().any(|listed| listed == verb);
        if has(&script.log) {
            self.sink.say(verb);
        }
        if has(&script.hang_up) {
            return Ok(Next::End);
        }
        if has(&script.close) {
            self.conn.command(b"421 4.0.0 Server closing connection");
            return Ok(Next::End);
        }
        let reply = match (has(&script.hard), has(&script.soft)) {
            (true, _) => &script.hard_reply,
            (false, true) => &script.soft_reply,
            (false, false) => reply,
        };
        self.show(reply);
        self.conn.command(reply.as_bytes());
        Ok(Next::Go)
    }

    async fn pause(&mut self, verb: &str) -> Result<(), Error> {
        let delays = self.sink.options.script.delays.iter().filter(|(of, _, _)| of == verb);
        let mut total = Duration::ZERO;
        for (_, time, odds) in delays {
            total += *time;
            // The dice are rolled until they show the odds.
            while let Some(odds) = odds
                && roll(&mut self.dice) < u64::from(*odds)
            {
                total += *time;
            }
        }
        if !total.is_zero() {
            self.conn.flush().await?;
            tokio::time::sleep(total).await;
        }
        Ok(())
    }

    fn show(&self, line: &str) {
        if self.sink.options.show == Show::Dialogue {
            self.sink.say(line);
        }
    }
}

/// 0 to 99.
fn roll(dice: &mut u64) -> u64 {
    *dice ^= *dice << 13;
    *dice ^= *dice >> 7;
    *dice ^= *dice << 17;
    *dice % 100
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::Options;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    async fn told(options: &[&str], commands: &str) -> String {
        let words = options.iter().chain(&["127.0.0.1:1", "1"]).map(|word| (*word).into());
        let options = Options::parse(words).unwrap();
        let sink = Sink { options, counts: Default::default(), enough: Default::default() };
        let (mut near, far) = tokio::io::duplex(64 * 1024);
        near.write_all(commands.as_bytes()).await.unwrap();
        near.shutdown().await.unwrap();
        serve(Box::new(far), Arc::new(sink)).await;
        let mut said = String::new();
        near.read_to_string(&mut said).await.unwrap();
        said
    }

    #[tokio::test]
    async fn commands_have_an_order_and_extensions_too() {
        let said = told(&["-p", "-F"], "EHLO x\r\nXFORWARD NAME=x\r\nQUIT\r\n").await;
        assert!(said.contains("-8BITMIME\r\n250-AUTH PLAIN LOGIN\r\n250-XCLIENT NAME HELO\r\n250-ENHANCED"), "{said}");
        assert!(said.ends_with("250-DSN\r\n250 \r\n500 5.5.1 Error: unknown command\r\n221 Bye\r\n"), "{said}");
        assert!(told(&[], "\r\n.\r\n").await.ends_with("500 5.5.2 Error: unknown command\r\n250 2.0.0 Ok\r\n"));
        let said = told(&["-f", "mail"], "MAIL FROM:<>\r\nRCPT TO:<a>\r\nDATA\r\nRSET\r\nQUIT\r\n").await;
        for part in ["500 5.3.0 ", "\n503 5.5.1 Error: need MAIL", "\n503 5.5.1 Error: need RCPT", "\n250 2.1.0 Ok"] {
            assert!(said.contains(part), "{part}: {said}");
        }
        let said = told(&[], "MAIL FROM:<>\r\nMAIL FROM:<>\r\nHELO x\r\nRCPT TO:<a>\r\n").await;
        for part in ["\n503 5.5.1 Error: nested MAIL", "\n250 smtp-sink\r\n503 5.5.1 Error: need MAIL"] {
            assert!(said.contains(part), "{part}: {said}");
        }
        let mail = "MAIL FROM:<>\r\nRCPT TO:<a>\r\nRCPT TO:<b>\r\nDATA\r\nx\r\n.\r\nQUIT\r\n";
        let said = told(&["-L"], &format!("EHLO x\r\nLHLO x\r\n{mail}")).await;
        assert!(
            said.contains("ESMTP\r\n500 5.5.1 ") && said.ends_with("250 2.2.0 Ok\r\n250 2.2.0 Ok\r\n221 Bye\r\n"),
            "{said}"
        );
    }
}
