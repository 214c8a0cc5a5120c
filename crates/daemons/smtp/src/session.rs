//! A session from the connection to the point where mail can be sent, each step by value.
//!
//! `connect` gives [`Connected`], its banner [`Greeted`], the greetings [`Ready`]. STARTTLS leads from `Ready` back to
//! `Greeted` over another stream; nothing of what a server said before TLS survives it.

use std::sync::Arc;

use dsn::{Class, Detail, Status};
use smtp_proto::ehlo::{Keyword, Keywords, Offer};
use smtp_proto::reply::Answer;
use tls::summary::Trust;
use tokio::time::Instant;
use tracing::{info, warn};

use crate::complaint;
use crate::dialogue::{Dialect, Dialogue, Farewell, Greeting, HardGreeting, Watch, unreachable};
use crate::failure::{Failure, replied};
use crate::flavor::Flavor;
use crate::peer::Peer;
use crate::pix::{Esmtp, Item};
use crate::secure::Reuse;
use crate::stage::Stage;
use crate::stream::{self, Source};

/// A connection whose server has not spoken yet.
pub struct Connected(Dialogue);

/// A server that has greeted us.
pub struct Greeted {
    dialogue: Dialogue,
    esmtp: bool,
}

/// A session that takes mail.
pub struct Ready {
    /// The connection.
    pub dialogue: Dialogue,
    /// What the server offers.
    pub offer: Offer,
    /// Its reply to EHLO, lines separated by `\n`.
    pub hello: Vec<u8>,
    /// How many transactions have been begun over it.
    pub uses: u32,
    /// When it was made.
    pub since: Instant,
    /// Whether another message can follow.
    pub fitness: Fitness,
    /// Whether another message can follow within TLS.
    pub reuse: Reuse,
    /// What of a transaction the server may still hold.
    pub remains: Remains,
    /// What is known of the server's certificate; `None` in plain.
    pub trust: Option<Trust>,
    /// What the log says of its TLS where it is used again, if that is wanted.
    pub reused: Option<String>,
    /// Whether the server knows who we are.
    pub login: Login,
}

/// Whether a session is authenticated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Login {
    /// It is not.
    Anonymous,
    /// It is.
    Authenticated,
}

/// Whether a session can be used once more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fitness {
    /// It can, after RSET.
    Fit,
    /// The server is about to hang up, or does not understand us, or something was left unfinished.
    Spent,
}

/// What a server holds behind a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remains {
    /// Nothing.
    Nothing,
    /// A sender or recipients of a message that it did not get.
    Envelope,
}

/// What finding ourselves at the other end means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mirror {
    /// The best host for the destination is ourselves: it is final.
    Final,
    /// A lesser one is; the mail waits.
    Later,
    /// Nothing: another port, or LMTP.
    Harmless,
}

impl Connected {
    /// A connection that is there already, under TLS from its first byte.
    #[must_use]
    pub fn over(dialogue: Dialogue) -> Self {
        Self(dialogue)
    }

    /// The connection, for a handshake that comes before everything.
    #[must_use]
    pub fn into_dialogue(self) -> Dialogue {
        self.0
    }

    /// This message of this sender is at hand.
    pub fn carry(&mut self, item: Item, sender: &[u8]) {
        self.0.concern(item);
        self.0.carry(sender);
    }

    /// Connects to a server.
    pub async fn open(peer: &Peer, dialect: &Arc<Dialect>, source: &Source) -> Result<Self, Failure> {
        match stream::connect(&peer.endpoint, source, dialect.timeouts.connect).await {
            Ok((stream, local)) => {
                let address = peer.address().map_or_else(String::new, |address| address.to_string());
                let listed = dialect.debug_peers.matches_client(peer.name.as_bytes(), &address).await;
                let watch = if matches!(listed, Ok(true)) { Watch::On } else { Watch::Off };
                Ok(Self(Dialogue::new(stream, peer.clone(), Arc::clone(dialect)).watched(watch).bound(local)))
            }
            Err(error) => Err(unreachable(peer, &error)),
        }
    }

    /// Waits for the banner.
    pub async fn greeting(mut self) -> Result<Greeted, Failure> {
        let answer = self.0.hear(Stage::Greeting).await?;
        if answer.class() == 2 {
            if says_my_name(&self.0, &answer) {
                let (relay, myhostname) = (self.0.relay(), &self.0.dialect().myhostname);
                warn!("host {relay} greeted me with my own hostname {myhostname}");
            }
            let workarounds = self.0.dialect().pix.workarounds(&answer, self.0.peer(), self.0.item()).await;
            self.0.work_around(workarounds);
            let mut words = answer.texts().flat_map(|text| text.split(u8::is_ascii_whitespace));
            let esmtp = words.any(|word| word.eq_ignore_ascii_case(b"ESMTP"));
            return Ok(Greeted { dialogue: self.0, esmtp });
        }
        self.0.refused_by(&answer);
        let failure = Failure::refused(self.0.peer(), &answer);
        let skip = answer.class() == 5 && self.0.dialect().hard_greeting == HardGreeting::Skip;
        self.0.quit(Farewell::Skip).await;
        Err(if skip { failure.softened() } else { failure })
    }
}

impl Greeted {
    /// A server behind a TLS handshake: it does not greet again.
    #[must_use]
    pub fn secured(dialogue: Dialogue) -> Self {
        Self { dialogue, esmtp: true }
    }

    /// EHLO (LHLO), or HELO where that is refused or not wanted.
    pub async fn hello(mut self, mirror: Mirror, nexthop: &str) -> Result<Ready, Failure> {
        let flavor = self.dialogue.dialect().flavor;
        let extended = match self.dialogue.dialect().greeting {
            _ if self.dialogue.workarounds().esmtp == Esmtp::Disabled => false,
            Greeting::Always => true,
            Greeting::IfOffered => self.esmtp,
            Greeting::Never => false,
        };
        let mut answer = None;
        if extended || flavor == Flavor::Lmtp {
            let heard = self.ask(flavor.hello(), Stage::Hello(flavor)).await?;
            match heard.class() {
                2 => answer = Some((heard, true)),
                _ if heard.code == 421 || flavor == Flavor::Lmtp => return Err(self.refused(&heard).await),
                _ => {}
            }
        }
        let (answer, extended) = match answer {
            Some(answer) => answer,
            None => (self.ask("HELO", Stage::Helo).await?, false),
        };
        if answer.class() != 2 {
            return Err(self.refused(&answer).await);
        }
        if extended && let Some(failure) = self.look_into_mirror(&answer, mirror, nexthop) {
            self.dialogue.quit(Farewell::Skip).await;
            return Err(failure);
        }
        let offer = if extended { self.offer(&answer).await } else { Ok(Offer::default()) };
        let offer = match offer {
            Ok(offer) => offer,
            Err(failure) => {
                self.dialogue.quit(Farewell::Skip).await;
                return Err(failure);
            }
        };
        if offer.has(Keyword::Pipelining) {
            self.dialogue.pipeline();
        }
        let (uses, since, fitness, login) = (0, Instant::now(), Fitness::Fit, Login::Anonymous);
        let (hello, remains) = (answer.text, Remains::Nothing);
        Ok(Ready {
            dialogue: self.dialogue,
            offer,
            hello,
            uses,
            since,
            fitness,
            reuse: Reuse::Allowed,
            remains,
            trust: None,
            reused: None,
            login,
        })
    }

    async fn ask(&mut self, verb: &str, stage: Stage) -> Result<Answer, Failure> {
        let line = format!("{verb} {}", self.dialogue.dialect().hello_name);
        self.dialogue.say(line.as_bytes());
        self.dialogue.hear(stage).await
    }

    async fn refused(mut self, answer: &Answer) -> Failure {
        self.dialogue.refused_by(answer);
        let failure = Failure::refused(self.dialogue.peer(), answer);
        self.dialogue.quit(Farewell::Skip).await;
        failure
    }

    /// A server that replies to EHLO with our own name is ourselves, by way of a relay or a translated address. One that
    /// knows only HELO is not.
    fn look_into_mirror(&self, answer: &Answer, mirror: Mirror, nexthop: &str) -> Option<Failure> {
        if mirror == Mirror::Harmless || !says_my_name(&self.dialogue, answer) {
            return None;
        }
        let (relay, myhostname) = (self.dialogue.relay(), &self.dialogue.dialect().myhostname);
        warn!("host {relay} replied to HELO/EHLO with my own hostname {myhostname}");
        let class = if mirror == Mirror::Final { Class::Permanent } else { Class::Temporary };
        let reason = format!("mail for {nexthop} loops back to myself");
        Some(Failure::site(Detail::new(Status::permanent(4, 6).in_class(class), reason)))
    }

    /// The extensions, without those that are to be hidden.
    async fn offer(&self, answer: &Answer) -> Result<Offer, Failure> {
        let dialect = self.dialogue.dialect();
        let peer = self.dialogue.peer();
        let mut hidden = dialect.hidden;
        if !dialect.hidden_by_address.is_empty()
            && let Some(address) = peer.address()
        {
            let maps = &dialect.hidden_by_address;
            let failed = |_| self.dialogue.data_error(&format!("{} map lookup error for {address}", maps.parameter()));
            if let Some(words) = maps.lookup(address.to_string().as_bytes()).await.map_err(failed)? {
                hidden = keywords(&String::from_utf8_lossy(&words));
            }
        }
        for limit in bad_sizes(answer).filter(|_| !hidden.has(Keyword::Size)) {
            warn!("bad EHLO SIZE limit \"{limit:.100}\" from {}", self.dialogue.relay());
        }
        let all = Offer::parse(answer.texts(), Keywords::NONE);
        let discarded = all.keywords.and(hidden);
        if !discarded.is_empty() && !hidden.has(Keyword::SilentDiscard) {
            info!("discarding EHLO keywords: {discarded}");
        }
        let mut offer = Offer::parse(answer.texts(), hidden);
        if offer.has(Keyword::SmtpUtf8) && !offer.has(Keyword::EightBitMime) {
            // The one is not possible without the other.
            info!("host {} offers SMTPUTF8 support, but not 8BITMIME", self.dialogue.peer());
            offer.keywords.insert(Keyword::EightBitMime);
        }
        Ok(offer)
    }
}

/// Keywords of a list; what is none is warned about.
#[must_use]
pub fn keywords(list: &str) -> Keywords {
    Keywords::parse(list, |word| warn!("unknown EHLO keyword \"{word}\""))
}

/// What follows SIZE, where that is no number.
fn bad_sizes(answer: &Answer) -> impl Iterator<Item = String> {
    answer.texts().skip(1).filter_map(|line| {
        let mut words = line.split(|byte| *byte == b'=' || byte.is_ascii_whitespace()).filter(|word| !word.is_empty());
        let limit = words.next().filter(|word| word.eq_ignore_ascii_case(b"SIZE")).and(words.next())?;
        let printable = || String::from_utf8_lossy(limit).replace(|c: char| c.is_control(), "?");
        (!limit.iter().all(u8::is_ascii_digit)).then(printable)
    })
}

/// Whether the first word of a reply is our own name.
fn says_my_name(dialogue: &Dialogue, answer: &Answer) -> bool {
    let name = answer.texts().next().and_then(|text| text.split(u8::is_ascii_whitespace).next());
    let dialect = dialogue.dialect();
    dialect.flavor == Flavor::Smtp && name.is_some_and(|name| name.eq_ignore_ascii_case(dialect.myhostname.as_bytes()))
}

impl Ready {
    /// The server.
    #[must_use]
    pub fn peer(&self) -> &Peer {
        self.dialogue.peer()
    }

    /// A refusal of the whole message in reply to a command.
    #[must_use]
    pub fn message_refused(&mut self, stage: Stage, answer: &Answer) -> Failure {
        self.refused_by(answer);
        Failure::message(replied(self.peer(), stage, answer))
    }

    /// Considers a reply that kept mail from going on. Where one side does not understand the other, other mail goes by a new session.
    pub(crate) fn refused_by(&mut self, answer: &Answer) {
        self.dialogue.refused_by(answer);
        if complaint::is_improper(answer.code) {
            self.fitness = Fitness::Spent;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_that_is_no_number_is_told() {
        for (line, bad) in
            [("size abc", Some("abc")), ("SIZE=-1", Some("-1")), ("SIZE 100", None), ("SIZE", None), ("DSN abc", None)]
        {
            let answer = Answer { code: 250, status: None, text: format!("250-mx.test\n250 {line}").into_bytes() };
            assert_eq!(bad_sizes(&answer).next().as_deref(), bad, "{line}");
        }
    }
}
