//! Carries out what header and body checks say, and logs it.

use dsn::{Class, Status};
use ipc::cleanup::{Cause, Switch};
use table::checks::{Action, Checks, Part};

use crate::fate::Refusal;
use crate::message::Message;
use crate::settings::Tables;

/// What becomes of the text that was checked.
pub(crate) enum Judgement {
    Keep,
    Drop,
    Replace(Vec<u8>),
    Prepend(Vec<u8>),
}

/// Picks one of our sets of checks.
type Pick = fn(&Tables) -> &Checks;

impl Message {
    /// Checks a header or a line.
    pub(crate) async fn check(&mut self, part: Part, text: &[u8]) -> Judgement {
        self.check_by(|tables| &tables.checks, part, text).await
    }

    /// Checks a header that a mail filter has made.
    pub(crate) async fn check_filtered(&mut self, text: &[u8]) -> Judgement {
        self.action_prefix = crate::filter::CHECKED;
        let judgement = self.check_by(|tables| &tables.milter_checks, Part::Header, text).await;
        self.action_prefix = "";
        judgement
    }

    async fn check_by(&mut self, pick: Pick, part: Part, text: &[u8]) -> Judgement {
        let checks = pick(&self.desk.tables);
        let Ok(action) = checks.check(part, text).await else {
            let (id, parameter) = (&self.id, checks.parameter(part));
            tracing::warn!("{id}: {parameter} map lookup problem -- message not accepted, try again later");
            self.fate.refuse(Refusal::write());
            return Judgement::Keep;
        };
        if let Action::Unknown(value) = &action {
            tracing::warn!("unknown command in {} map: {value}", checks.parameter(part));
        }
        self.obey(action, if part == Part::Body { "body" } else { "header" }, text)
    }

    fn obey(&mut self, action: Action, class: &str, text: &[u8]) -> Judgement {
        match action {
            Action::Keep | Action::Unknown(_) => {}
            Action::Pass(note) => {
                self.log_action("pass", class, text, &note);
                self.inspect_no_more();
            }
            Action::Reject(reason) => {
                let (status, rest) = with_status(&reason);
                let reason = format!("{status} {rest}");
                self.log_action("reject", class, text, &reason);
                let cause = if status.class() == Class::Permanent { Cause::Content } else { Cause::Defer };
                // Lines of a header that is quoted are none of the reply.
                self.fate.refuse(Refusal::new(cause, reason.replace(char::is_control, " ")));
            }
            Action::Warn(note) => self.log_action("warning", class, text, &note),
            Action::Info(note) => self.log_action("info", class, text, &note),
            Action::Ignore => return Judgement::Drop,
            Action::Strip(note) => {
                self.log_action("strip", class, text, &note);
                return Judgement::Drop;
            }
            Action::Replace(new) => {
                self.log_action("replace", class, text, &table::shown(&new));
                return Judgement::Replace(new);
            }
            Action::Prepend(new) => {
                self.log_action("prepend", class, text, &table::shown(&new));
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
                self.inspect_no_more();
            }
            Action::Bcc(target) => {
                self.log_action("bcc", class, text, &target);
                self.fate.copies.push(address::Address::from_external(target.as_bytes()));
            }
        }
        Judgement::Keep
    }

    /// Neither checks nor mail filters see what still comes.
    fn inspect_no_more(&mut self) {
        (self.handling.checks, self.handling.milters) = (Switch::Off, Switch::Off);
    }

    /// `ID: reject: header Subject: x from client[1.2.3.4]; from=<a> to=<b> proto=SMTP helo=<c>: note`
    pub(crate) fn log_action(&self, action: &str, class: &str, text: &[u8], note: &str) {
        let text = table::shown(text.get(..200).unwrap_or(text));
        let (parties, hello) = (self.parties(), self.envelope.client.hello());
        let mut line = format!("{}: {}{action}: {class} {text} {parties}{hello}", self.id, self.action_prefix);
        if !note.is_empty() {
            line += &format!(": {note}");
        }
        tracing::info!("{line}");
    }

    /// ` from=<a> to=<b>`, as far as they are known.
    pub(crate) fn addresses(&self) -> String {
        let form = self.desk.settings.log_form;
        let sender = self.envelope.sender.as_ref().map(|sender| format!(" from=<{}>", form.shown(sender.as_bytes())));
        let last = self.recipients.last.as_ref();
        let recipient = last.map(|recipient| format!(" to=<{}>", form.shown(recipient.as_bytes())));
        [sender, recipient].into_iter().flatten().collect()
    }

    /// `from client[1.2.3.4]; from=<a> to=<b>`
    pub(crate) fn parties(&self) -> String {
        let origin = self.envelope.client.origin();
        let origin = Some(origin).filter(|origin| !origin.is_empty()).unwrap_or("unknown".into());
        let mut line = format!("from {origin};");
        line += &self.addresses();
        line
    }
}

/// The enhanced status code of a REJECT, and its text.
fn with_status(text: &str) -> (Status, &str) {
    let (status, rest) = dsn::split_status(text).unwrap_or((Status::permanent(7, 1), text));
    let status = match status.class() {
        Class::Success => {
            tracing::warn!("bad DSN action in {text} -- need 4.x.x or 5.x.x");
            Status::temporary(1, 1)
        }
        Class::Temporary | Class::Permanent => status,
    };
    (status, if rest.is_empty() { "message content rejected" } else { rest })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rejects_have_a_status() {
        for (text, status, rest) in [
            ("", "5.7.1", "message content rejected"),
            ("go away", "5.7.1", "go away"),
            ("5.7.9 no way", "5.7.9", "no way"),
            ("4.9.9 not now", "4.9.9", "not now"),
            ("5.1.1", "5.1.1", "message content rejected"),
            ("2.1.5 fine", "4.1.1", "fine"),
        ] {
            let (found, words) = with_status(text);
            assert_eq!((found.to_string().as_str(), words), (status, rest), "{text}");
        }
    }
}
