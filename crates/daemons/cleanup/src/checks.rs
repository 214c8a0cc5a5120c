//! Carries out what header and body checks say, and logs it.

use ipc::cleanup::Cause;
use table::checks::{Action, Checks, Part};

use crate::fate::Refusal;
use crate::message::Message;

/// What becomes of the text that was checked.
pub(crate) enum Judgement {
    Keep,
    Drop,
    Replace(String),
    Prepend(String),
}

impl Message {
    /// Checks a header or a line. `class` is the word for it in the log.
    pub(crate) async fn check(&mut self, part: Part, class: &str, text: &[u8]) -> Judgement {
        let action = match self.desk.tables.checks.check(part, text).await {
            Ok(action) => action,
            Err(error) => {
                tracing::warn!(
                    "{}: {} map lookup problem -- message not accepted, try again later",
                    self.id,
                    error.table
                );
                self.fate.refuse(Refusal::later());
                return Judgement::Keep;
            }
        };
        self.obey(action, class, text)
    }

    /// Checks a header that a mail filter has made.
    pub(crate) async fn check_filtered(&mut self, checks: &Checks, text: &[u8]) -> Judgement {
        let Ok(action) = checks.check(Part::Header, text).await else {
            self.fate.refuse(Refusal::later());
            return Judgement::Keep;
        };
        self.action_prefix = crate::filter::CHECKED;
        let judgement = self.obey(action, "header", text);
        self.action_prefix = "";
        judgement
    }

    fn obey(&mut self, action: Action, class: &str, text: &[u8]) -> Judgement {
        match action {
            Action::Pass => return Judgement::Keep,
            Action::Reject(reason) => {
                let reason = with_status(&reason);
                self.log_action("reject", class, text, &reason);
                self.fate.refuse(Refusal::new(Cause::Content, reason));
            }
            Action::Warn(note) => self.log_action("warning", class, text, &note),
            Action::Info(note) => self.log_action("info", class, text, &note),
            Action::Ignore => return Judgement::Drop,
            Action::Strip(note) => {
                self.log_action("strip", class, text, &note);
                return Judgement::Drop;
            }
            Action::Replace(new) => {
                self.log_action("replace", class, text, &new);
                return Judgement::Replace(new);
            }
            Action::Prepend(new) => {
                self.log_action("prepend", class, text, &new);
                return Judgement::Prepend(new);
            }
            Action::Discard(note) => {
                self.log_action("discard", class, text, &note);
                self.fate.discard = true;
            }
            Action::Hold(note) => {
                if !self.fate.hold {
                    self.log_action("hold", class, text, &note);
                }
                self.fate.hold = true;
            }
            Action::Filter(filter) => {
                self.log_action("filter", class, text, &filter);
                self.fate.filter = Some(filter);
            }
            Action::Redirect(target) => {
                self.log_action("redirect", class, text, &target);
                self.fate.redirect = Some(address::Address::from_external(target.as_bytes()));
            }
            Action::Bcc(target) => {
                self.log_action("bcc", class, text, &target);
                self.fate.copies.push(address::Address::from_external(target.as_bytes()));
            }
        }
        Judgement::Keep
    }

    /// `ID: reject: header Subject: x from client[1.2.3.4]; from=<a> to=<b> proto=SMTP helo=<c>: note`
    pub(crate) fn log_action(&self, action: &str, class: &str, text: &[u8], note: &str) {
        let client = &self.envelope.client;
        let origin = Some(client.origin()).filter(|origin| !origin.is_empty()).unwrap_or("unknown".into());
        let text: String = String::from_utf8_lossy(text).chars().take(200).collect();
        let mut line = format!("{}: {}{action}: {class} {text} from {origin};", self.id, self.action_prefix);
        if let Some(sender) = &self.envelope.sender {
            line += &format!(" from=<{sender}>");
        }
        if let Some(recipient) = &self.recipients.last {
            line += &format!(" to=<{recipient}>");
        }
        line += &client.hello();
        if !note.is_empty() {
            line += &format!(": {note}");
        }
        tracing::info!("{line}");
    }
}

/// The text of a REJECT with an enhanced status code before it.
fn with_status(text: &str) -> String {
    match dsn::split_status(text) {
        Some((status, rest)) if status.class() == dsn::Class::Permanent && !rest.is_empty() => {
            format!("{status} {rest}")
        }
        Some((status, _)) if status.class() == dsn::Class::Permanent => format!("{status} message content rejected"),
        Some(_) | None if text.is_empty() => "5.7.1 message content rejected".to_owned(),
        Some(_) | None => format!("5.7.1 {text}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rejects_have_a_status() {
        for (text, reason) in
            [("", "5.7.1 message content rejected"), ("go away", "5.7.1 go away"), ("5.7.9 no way", "5.7.9 no way")]
        {
            assert_eq!(with_status(text), reason);
        }
    }
}
