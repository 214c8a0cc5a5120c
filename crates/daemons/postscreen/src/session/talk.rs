//! SMTP with clients that do not get to smtpd(8) now: gives the dialogue its bytes, its tables and its clock.

use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use ipc::tlsproxy::Offer;
use smtp_proto::Reply;
use smtp_proto::ehlo::Keywords;
use tokio::time::{Instant, timeout_at};
use tracing::{info, warn};

use super::carrier::Encryption;
use super::{End, Part, Session};
use crate::cache;
use crate::dialogue::{COME_AGAIN, Client, Dialogue, Event, Greeting, PerTest, Purpose, Test as Deep, Verdict};
use crate::exam::Test;

/// As much as is read at once.
const READ: usize = 4096;

const DEEP: [(Deep, Test); 3] = [
    (Deep::Pipelining, Test::Pipelining),
    (Deep::NonSmtpCommand, Test::NonSmtp),
    (Deep::BareNewline, Test::BareNewline),
];

impl Session {
    /// What the client is led to that passed or failed so far what it did.
    pub(super) fn purpose(&mut self) -> Purpose {
        if self.exam.has_failed() {
            return Purpose::Refuse(self.refusal.take().unwrap_or(COME_AGAIN));
        }
        Purpose::Test(PerTest(DEEP.map(|(_, test)| self.exam.is_due(test))))
    }

    /// Talks to the end.
    pub(super) async fn talk(&mut self, purpose: Purpose) -> End {
        self.began = std::time::Instant::now();
        // A client that spoke before its turn has its answers out of step with another greeting.
        let greeting = if self.exam.failed(Test::Pregreet) { Greeting::Omit } else { Greeting::Say };
        let client = self.as_client().await;
        let mut dialogue = Dialogue::new(Arc::clone(&self.server.dialogue), client, purpose, greeting);
        let end = self.converse(&mut dialogue).await;
        self.mark(&dialogue);
        end
    }

    async fn converse(&mut self, dialogue: &mut Dialogue) -> End {
        let mut commands = dialogue.commands();
        let mut deadline = Instant::now() + self.server.command_time();
        loop {
            let offer = match self.follow(dialogue).await {
                Ok(offer) => offer,
                Err(end) => return end,
            };
            if dialogue.commands() != commands {
                commands = dialogue.commands();
                deadline = Instant::now() + self.server.command_time();
            }
            if let Some(offer) = offer {
                match timeout_at(deadline, self.encrypt(offer)).await {
                    Err(_) => dialogue.time_out(),
                    Ok(Encryption::Failed) => return self.lost(Part::Smtp),
                    Ok(Encryption::Begun) => {}
                }
                continue;
            }
            match timeout_at(deadline, self.stream.readable()).await {
                Err(_) => dialogue.time_out(),
                Ok(Err(_)) => return self.lost(Part::Smtp),
                Ok(Ok(())) => {
                    let mut bytes = vec![0; READ];
                    match self.stream.try_read(&mut bytes) {
                        Ok(count) if count > 0 => dialogue.feed(bytes.get(..count).unwrap_or_default()),
                        Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                        Ok(_) | Err(_) => return self.lost(Part::Smtp),
                    }
                }
            }
        }
    }

    /// Does what the dialogue wants, until it waits for the client. Replies go out together. Where there is an offer of TLS, the
    /// client has been told to begin.
    async fn follow(&mut self, dialogue: &mut Dialogue) -> Result<Option<Offer>, End> {
        let (mut output, mut offer) = (Vec::new(), None);
        while let Some(event) = dialogue.next_event() {
            match event {
                Event::Reply(reply) => self.dressed(reply).await.print(&mut output),
                Event::Log(text) => info!("{text}"),
                Event::Filter(command) => {
                    let found = self.server.rules.command_filter.lookup_line(&command).await;
                    dialogue.filtered(found.unwrap_or_default());
                }
                Event::Forbidden(word) => {
                    let found = self.server.rules.forbidden_commands.matches_string(&word).await;
                    dialogue.judged(found.unwrap_or(false));
                }
                Event::StartTls => {
                    offer = self.offer().await;
                    match offer {
                        Some(_) => dialogue.start_tls(),
                        None => dialogue.refuse_tls(),
                    }
                }
                Event::Dismiss(reply) => {
                    let _ = self.say(&output).await;
                    return Err(End::Drop(reply));
                }
            }
        }
        if !output.is_empty() && !self.say(&output).await {
            return Err(self.lost(Part::Smtp));
        }
        Ok(offer)
    }

    /// A reply as this client gets it: with a footer, and softened, where parameters say so.
    pub(super) async fn dressed(&self, reply: Reply) -> Reply {
        let manner = &self.server.dialogue.manner;
        let mapped = match reply.is_positive() || self.server.rules.footers.is_empty() {
            true => None,
            false => self.server.rules.footers.lookup(reply.logged().as_bytes()).await.ok(),
        };
        let mapped = mapped.flatten().map(|footer| String::from_utf8_lossy(&footer).into_owned());
        let zone = &self.server.rules.zone;
        let localtime = || jiff::Timestamp::now().to_zoned(zone.clone()).strftime("%b %d %H:%M:%S").to_string();
        let client = self.plain_client();
        let dressed = manner.dressed(reply, mapped.as_deref(), &client, &localtime);
        for warning in dressed.warnings {
            warn!("{warning}");
        }
        dressed.reply
    }

    fn plain_client(&self) -> Client {
        let client = self.ends.client;
        Client { address: client.ip().to_string(), port: client.port().to_string(), hidden: None }
    }

    /// The client as the dialogue knows it.
    async fn as_client(&self) -> Client {
        let mut client = self.plain_client();
        if let Ok(Some(list)) = self.server.rules.hidden_keywords.lookup(client.address.as_bytes()).await {
            client.hidden = Some(keywords(&String::from_utf8_lossy(&list)));
        }
        client
    }

    /// Marks what came out of the tests.
    fn mark(&mut self, dialogue: &Dialogue) {
        for (deep, test) in DEEP {
            let ttl = match dialogue.verdict(deep) {
                Verdict::Off | Verdict::Open => continue,
                Verdict::Failed => {
                    self.exam.fail(test);
                    continue;
                }
                Verdict::Passed => self.server.ttl(test),
                Verdict::Ignored => self.server.least_ttl(),
            };
            if self.exam.is_due(test) {
                self.exam.pass(test, cache::until(ttl));
            }
        }
    }
}

/// Keywords of a list; what is none is warned about.
pub(crate) fn keywords(list: &str) -> Keywords {
    Keywords::parse(list, |word| warn!("unknown EHLO keyword \"{word}\""))
}

impl crate::Postscreen {
    /// How long a passed test counts.
    fn ttl(&self, test: Test) -> Duration {
        let postscreen = &self.params.postscreen;
        match test {
            Test::Pregreet => postscreen.postscreen_greet_ttl,
            Test::Dnsbl => postscreen.postscreen_dnsbl_min_ttl,
            Test::Pipelining => postscreen.postscreen_pipelining_ttl,
            Test::NonSmtp => postscreen.postscreen_non_smtp_command_ttl,
            Test::BareNewline => postscreen.postscreen_bare_newline_ttl,
        }
    }

    /// The shortest time that a passed test counts.
    fn least_ttl(&self) -> Duration {
        let enabled = Test::ALL.into_iter().filter(|test| self.rules.enabled.has(*test));
        enabled.map(|test| self.ttl(test)).min().unwrap_or_default()
    }

    /// `postscreen_starttls_timeout`, as it is now.
    pub(super) fn starttls_time(&self) -> Duration {
        let usual = self.params.postscreen.postscreen_starttls_timeout;
        if self.hall().is_stressed() { self.rules.stressed_starttls } else { usual }
    }

    /// `postscreen_command_time_limit`, as it is now.
    pub(super) fn command_time(&self) -> Duration {
        let usual = self.params.postscreen.postscreen_command_time_limit;
        if self.hall().is_stressed() { self.rules.stressed_command } else { usual }
    }
}
