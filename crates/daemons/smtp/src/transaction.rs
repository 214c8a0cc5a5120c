//! One message over one session: MAIL, RCPT, DATA, the content, the replies.
//!
//! With PIPELINING all commands up to DATA go out in one write. A server that refuses the sender or every recipient, and
//! says 354 all the same, gets an empty message, which it can only refuse. What a server said to each recipient is
//! noted as it is heard, so that nothing is forgotten when the connection breaks later.

use std::collections::VecDeque;
use std::time::Duration;

use smtp_proto::ehlo::Keyword;
use smtp_proto::reply::Answer;

use crate::dialogue::Dialogue;
use crate::failure::{Failure, Scope, logged};
use crate::flavor::Flavor;
use crate::session::{Fitness, Ready, Remains};
use crate::stage::Stage;

/// Commands that may be unanswered at a time.
const WINDOW: usize = 100;

/// How far a transaction goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Goal {
    /// The message is sent.
    #[default]
    Send,
    /// Only what the server says to RCPT TO is wanted.
    ProbeRcpt,
    /// Only what the server says to DATA is wanted.
    ProbeData,
}

impl Goal {
    /// Whether a reply says that it is reached: only where DATA is the end does "go on" mean success.
    #[must_use]
    pub const fn is_met_by(self, answer: &Answer) -> bool {
        match self {
            Self::Send | Self::ProbeRcpt => answer.class() == 2,
            Self::ProbeData => answer.class() == 3,
        }
    }
}

/// The commands of one message.
#[derive(Debug, Default)]
pub struct Envelope {
    /// How far to go.
    pub goal: Goal,
    /// How long the message has waited already.
    pub age: Duration,
    /// XFORWARD commands.
    pub xforward: Vec<Vec<u8>>,
    /// The MAIL command.
    pub mail: Vec<u8>,
    /// RCPT commands, each with the number that the caller knows the recipient by.
    pub rcpt: Vec<(usize, Vec<u8>)>,
}

/// The content of a message, ready to be sent.
pub trait Body: Send {
    /// Writes the content in wire form, without the final dot.
    fn send(&mut self, dialogue: &mut Dialogue) -> impl Future<Output = Result<(), Failure>> + Send;

    /// Whether the last line was complete.
    fn ends_in_newline(&self) -> bool;
}

/// What the server said to each recipient; numbers are those of the envelope.
#[derive(Debug, Default)]
pub struct Verdicts {
    /// Refused at RCPT TO.
    pub refused: Vec<(usize, Answer)>,
    /// Accepted at RCPT TO, and nothing more is known.
    pub accepted: VecDeque<usize>,
    /// The reply after the final dot, with what it is a reply to.
    pub ended: Vec<(usize, Answer)>,
}

/// How a transaction could not be carried through.
#[derive(Debug)]
pub enum Broken {
    /// A kept connection had gone away before it was used again.
    Stale,
    /// Anything else.
    Failed(Failure),
}

impl From<Failure> for Broken {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Rset,
    Xforward(usize),
    Mail,
    Rcpt(usize),
    Data,
}

/// What was heard before the content.
#[derive(Default)]
struct Heard {
    mail: Option<Answer>,
    data: Option<Answer>,
}

impl Ready {
    /// Sends a message. Recipients without a verdict when this fails share the failure.
    pub async fn transact<B: Body>(
        &mut self,
        envelope: &Envelope,
        body: &mut B,
        verdicts: &mut Verdicts,
    ) -> Result<(), Broken> {
        let steps = self.steps(envelope);
        // What the next one has to begin with does not depend on how far this one gets.
        self.uses += 1;
        let mut heard = Heard::default();
        let conversed = self.converse(&steps, envelope, &mut heard, verdicts).await;
        self.remains = if conversed.is_ok() { Remains::Envelope } else { Remains::Nothing };
        let proceed = heard.data.as_ref().is_some_and(|answer| answer.class() == 3);
        let refused = heard.mail.take_if(|answer| answer.class() != 2);
        if conversed.is_err() {
            self.fitness = Fitness::Spent;
        } else if proceed && (refused.is_some() || verdicts.accepted.is_empty() || envelope.goal == Goal::ProbeData) {
            self.dialogue.say(b".");
            self.remains = Remains::Nothing;
            // All that matters has been said.
            if self.dialogue.hear(Stage::End).await.is_err() {
                self.fitness = Fitness::Spent;
            }
        }
        // A sender that was refused stays so, whatever becomes of the connection after that.
        if let Some(mail) = refused {
            return Err(self.message_refused(Stage::Mail, &mail).into());
        }
        conversed?;
        match heard.data {
            _ if verdicts.accepted.is_empty() => return Ok(()),
            Some(data) if !proceed => return Err(self.message_refused(Stage::Data, &data).into()),
            Some(data) if envelope.goal == Goal::ProbeData => {
                verdicts.ended.extend(verdicts.accepted.drain(..).map(|number| (number, data.clone())));
                return Ok(());
            }
            Some(_) | None => {}
        }
        self.remains = Remains::Nothing;
        if let Err(failure) = self.content(envelope, body).await {
            self.fitness = Fitness::Spent;
            let refused = self.dialogue.last_words().await.map(|answer| self.message_refused(Stage::End, &answer));
            return Err(refused.unwrap_or(failure).into());
        }
        let ended = self.end(verdicts).await;
        if ended.as_ref().is_err_and(|failure| failure.scope != Scope::Message) {
            self.fitness = Fitness::Spent;
        }
        ended.map_err(Broken::Failed)
    }

    /// Has the server forget a transaction that was not carried through.
    pub async fn abandon(&mut self) {
        if std::mem::replace(&mut self.remains, Remains::Nothing) == Remains::Nothing {
            return;
        }
        self.dialogue.say(b"RSET");
        if self.dialogue.hear(Stage::Rset).await.is_err() {
            self.fitness = Fitness::Spent;
        }
    }

    fn steps(&self, envelope: &Envelope) -> Vec<Step> {
        let mut steps = Vec::with_capacity(envelope.rcpt.len() + 4);
        if self.uses > 0 {
            steps.push(Step::Rset);
        }
        steps.extend((0..envelope.xforward.len()).map(Step::Xforward));
        steps.push(Step::Mail);
        steps.extend((0..envelope.rcpt.len()).map(Step::Rcpt));
        if envelope.goal != Goal::ProbeRcpt {
            steps.push(Step::Data);
        }
        steps
    }

    async fn converse(
        &mut self,
        steps: &[Step],
        envelope: &Envelope,
        heard: &mut Heard,
        verdicts: &mut Verdicts,
    ) -> Result<(), Broken> {
        let window = if self.offer.has(Keyword::Pipelining) { WINDOW } else { 1 };
        for group in steps.chunks(window) {
            let hopeless = heard.mail.as_ref().is_some_and(|mail| mail.class() != 2)
                || (verdicts.accepted.is_empty() && matches!(group, [Step::Data]));
            if hopeless {
                break;
            }
            self.dialogue.say_ahead(group.iter().map(|step| line(*step, envelope)));
            for step in group {
                self.listen(*step, envelope, heard, verdicts).await?;
            }
        }
        Ok(())
    }

    async fn listen(
        &mut self,
        step: Step,
        envelope: &Envelope,
        heard: &mut Heard,
        verdicts: &mut Verdicts,
    ) -> Result<(), Broken> {
        let answer = match self.dialogue.hear(stage(step)).await {
            Ok(answer) => answer,
            Err(_) if matches!(step, Step::Rset) => return Err(Broken::Stale),
            Err(failure) => return Err(failure.into()),
        };
        if answer.code == 421 {
            self.fitness = Fitness::Spent;
        }
        let positive = answer.class() == 2;
        match step {
            Step::Rset if positive => {}
            Step::Rset => return Err(Broken::Stale),
            Step::Xforward(_) if positive => {}
            Step::Xforward(_) => {
                let told = line(step, envelope);
                tracing::warn!("{}", self.unheeded(told, &answer));
            }
            Step::Mail => heard.mail = Some(answer),
            Step::Data => heard.data = Some(answer),
            Step::Rcpt(at) => {
                let Some((number, _)) = envelope.rcpt.get(at) else { return Ok(()) };
                match (heard.mail.as_ref().is_some_and(|mail| mail.class() == 2), positive) {
                    (true, true) if envelope.goal == Goal::ProbeRcpt => verdicts.ended.push((*number, answer)),
                    (true, true) => verdicts.accepted.push_back(*number),
                    (true, false) => {
                        self.refused_by(&answer);
                        verdicts.refused.push((*number, answer));
                    }
                    (false, _) => {}
                }
            }
        }
        Ok(())
    }

    /// That the server does not want to know what XFORWARD told it.
    fn unheeded(&self, told: &[u8], answer: &Answer) -> String {
        let told = told.get(b"XFORWARD ".len()..).unwrap_or_default();
        let of_client = [&b"NAME"[..], b"ADDR", b"PORT"].iter().any(|word| told.starts_with(word));
        let what = if of_client { "name/address" } else { "helo/protocol" };
        let (relay, said) = (self.dialogue.relay(), logged(answer));
        format!("host {relay} said: {said} (in reply to XFORWARD {what} command)")
    }

    async fn content<B: Body>(&mut self, envelope: &Envelope, body: &mut B) -> Result<(), Failure> {
        self.dialogue.enter(Stage::Body);
        body.send(&mut self.dialogue).await?;
        if !body.ends_in_newline() {
            self.dialogue.output().extend_from_slice(b"\r\n");
        }
        if let Some((threshold, pause)) = self.dialogue.workarounds().pause
            && envelope.age > threshold
        {
            self.dialogue.hesitate(pause).await?;
        }
        self.dialogue.say(b".");
        Ok(())
    }

    /// One reply for all, or with LMTP one for each.
    async fn end(&mut self, verdicts: &mut Verdicts) -> Result<(), Failure> {
        if self.dialogue.dialect().flavor == Flavor::Lmtp {
            while let Some(number) = verdicts.accepted.front().copied() {
                let answer = self.dialogue.hear(Stage::End).await?;
                verdicts.accepted.pop_front();
                if answer.class() != 2 {
                    self.refused_by(&answer);
                }
                verdicts.ended.push((number, answer));
            }
            return Ok(());
        }
        let answer = self.dialogue.hear(Stage::End).await?;
        if answer.class() != 2 {
            return Err(self.message_refused(Stage::End, &answer));
        }
        verdicts.ended.extend(verdicts.accepted.drain(..).map(|number| (number, answer.clone())));
        Ok(())
    }
}

fn line(step: Step, envelope: &Envelope) -> &[u8] {
    match step {
        Step::Rset => b"RSET",
        Step::Xforward(at) => envelope.xforward.get(at).map_or(b"NOOP", Vec::as_slice),
        Step::Mail => &envelope.mail,
        Step::Rcpt(at) => envelope.rcpt.get(at).map_or(b"NOOP", |(_, line)| line.as_slice()),
        Step::Data => b"DATA",
    }
}

const fn stage(step: Step) -> Stage {
    match step {
        Step::Rset => Stage::Rset,
        Step::Xforward(_) => Stage::Xforward,
        Step::Mail => Stage::Mail,
        Step::Rcpt(_) => Stage::Rcpt,
        Step::Data => Stage::Data,
    }
}
