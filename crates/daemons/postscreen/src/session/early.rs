//! The tests before the greeting: whether the client speaks before its turn, and what lists say of it.

use std::io::ErrorKind;
use std::time::Duration;

use smtp_proto::{Enhanced, Reply, escaped};
use tokio::time::{Instant, sleep_until};
use tracing::info;

use super::{End, Part, Session};
use crate::action::Action;
use crate::cache;
use crate::dnsbl::{Asked, Score};
use crate::exam::Test;

/// As much as is looked at of what comes too early.
const HEARD: usize = 1023;
/// As much of it as is logged.
const SHOWN: usize = 100;

impl Session {
    /// Makes the tests that are due. Both run at the same time, for `postscreen_greet_wait` at most.
    pub(super) async fn early_tests(&mut self) -> Result<(), End> {
        let tests_greeting = self.exam.is_due(Test::Pregreet);
        if tests_greeting {
            let teaser = format!("220-{}\r\n", self.server.params.postscreen.postscreen_greet_banner);
            self.teased = true;
            if !self.say(teaser.as_bytes()).await {
                return Err(self.lost(Part::Early));
            }
        }
        let asked = self.exam.is_due(Test::Dnsbl).then(|| self.server.lists.ask(self.ends.client.ip()));
        if !tests_greeting && asked.is_none() {
            return Ok(());
        }
        let mut score = None;
        self.wait(tests_greeting, asked.as_deref(), &mut score).await?;
        let Some(asked) = asked else { return Ok(()) };
        let score = match score {
            Some(score) => score,
            None => self.take_score(&asked),
        };
        self.judge(&score).await
    }

    /// Waits for the client, for lists, and for the end of the time.
    async fn wait(&mut self, mut listens: bool, asked: Option<&Asked>, score: &mut Option<Score>) -> Result<(), End> {
        let end = Instant::now() + self.server.greet_wait();
        let mut awaits = asked.is_some();
        while listens || awaits {
            tokio::select! {
                biased;
                readable = self.stream.readable(), if listens => {
                    if readable.is_err() {
                        return Err(self.lost(Part::Early));
                    }
                    listens = !self.heard()?;
                }
                () = complete(asked), if awaits => {
                    awaits = false;
                    if let Some(asked) = asked {
                        *score = Some(self.take_score(asked));
                        listens &= self.exam.is_due(Test::Pregreet);
                    }
                }
                () = sleep_until(end) => break,
            }
        }
        if self.exam.is_due(Test::Pregreet) && listens {
            self.exam.pass(Test::Pregreet, cache::until(self.server.params.postscreen.postscreen_greet_ttl));
        }
        Ok(())
    }

    /// Whether the client said something. What it said stays where it is.
    fn heard(&mut self) -> Result<bool, End> {
        let mut buffer = vec![0; HEARD];
        let count = match self.stream.peek(&mut buffer) {
            Ok(count) if count > 0 => count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
            Ok(_) | Err(_) => return Err(self.lost(Part::Early)),
        };
        let mut text = escaped(buffer.get(..count).unwrap_or_default());
        text.truncate(SHOWN);
        info!("PREGREET {count} after {} from {}: {text}", self.age(), self.client());
        match self.server.actions.greet {
            // The test is over, and has no result.
            Action::Ignore => self.exam.waive(Test::Pregreet),
            Action::Enforce => {
                self.exam.fail(Test::Pregreet);
                self.refusal = Some(Reply::fixed(550, Enhanced(5, 5, 1), "Protocol error"));
            }
            Action::Drop => {
                self.exam.fail(Test::Pregreet);
                return Err(End::Drop(Reply::fixed(521, Enhanced(5, 5, 1), "Protocol error")));
            }
        }
        Ok(true)
    }

    /// The score as far as it is known. A client that lists speak for is spared the other tests.
    fn take_score(&mut self, asked: &Asked) -> Score {
        let score = asked.score();
        let postscreen = &self.server.params.postscreen;
        let threshold = postscreen.postscreen_dnsbl_allowlist_threshold;
        let is_good = threshold < 0 && score.total <= threshold && score.total < postscreen.postscreen_dnsbl_threshold;
        if is_good && !self.exam.has_failed() {
            self.exam.spare(cache::until(self.ttl(&score)));
        }
        score
    }

    async fn judge(&mut self, score: &Score) -> Result<(), End> {
        if score.total < self.server.params.postscreen.postscreen_dnsbl_threshold {
            self.exam.pass(Test::Dnsbl, cache::until(self.ttl(score)));
            return Ok(());
        }
        info!("DNSBL rank {} for {}", score.total, self.client());
        if self.server.actions.dnsbl == Action::Ignore {
            self.exam.waive(Test::Dnsbl);
            return Ok(());
        }
        self.exam.fail(Test::Dnsbl);
        let list = score.heaviest.as_ref().map_or("", |(_, list)| list);
        let name = match self.server.rules.reply_names.lookup(list.as_bytes()).await {
            Ok(Some(name)) => String::from_utf8_lossy(&name).into_owned(),
            Ok(None) | Err(_) => list.to_owned(),
        };
        let code = if self.server.actions.dnsbl == Action::Drop { 521 } else { 550 };
        let client = self.ends.client.ip();
        let text = format!("Service unavailable; client [{client}] blocked using {name}");
        let reply = Reply::new(code, Some(Enhanced(5, 7, 1)), text);
        if self.server.actions.dnsbl == Action::Drop {
            return Err(End::Drop(reply));
        }
        self.refusal = Some(reply);
        Ok(())
    }

    /// How long a score holds.
    fn ttl(&self, score: &Score) -> Duration {
        let postscreen = &self.server.params.postscreen;
        let least = postscreen.postscreen_dnsbl_min_ttl;
        let most = postscreen.postscreen_dnsbl_max_ttl;
        Duration::from_secs(u64::from(score.ttl.unwrap_or(0))).max(least).min(most.max(least))
    }
}

async fn complete(asked: Option<&Asked>) {
    match asked {
        Some(asked) => asked.complete().await,
        None => std::future::pending().await,
    }
}
