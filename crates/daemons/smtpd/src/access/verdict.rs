//! What a check knows, what it concludes, and what else it causes.

use std::borrow::Cow;
use std::time::Duration;

use address::LogForm;
use smtp_proto::{Enhanced, Reply};
use tracing::{info, warn};

use super::restriction::Party;
use crate::session::login::Login;
use crate::session::peer::Peer;
use crate::session::transaction::Instance;
use crate::text::{printable, told};

/// What a walk concludes.
#[must_use]
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Nothing; the next restriction decides.
    Dunno,
    /// The list is done.
    Permit,
    /// The client gets this.
    Reject(Box<Reply>),
}

/// What a client hears that a table cuts off (HANGUP): nothing. No reply has this code.
pub(crate) const HANGUP: Reply = Reply::plain(0, "");

/// Why something is refused.
#[derive(Debug, Clone)]
pub(crate) struct Refusal {
    pub(crate) code: u16,
    pub(crate) status: Enhanced,
    pub(crate) text: String,
    pub(crate) fault: Fault,
}

/// The longest line of a reply, without its end (RFC 5321, section 4.5.3.1.5).
const LINE: usize = 510;

/// Who is told of a refusal (`notify_classes`), and whether `warn_if_reject` may turn it into a warning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The site does not want it.
    Policy,
    /// Recipients that do not exist.
    Bounce,
    /// The client is at fault.
    Protocol,
    /// A table or server of ours is at fault.
    Software,
    /// Something is missing for the moment.
    Resource,
    /// A table of recipients, domains or the like cannot be read now; nothing that postmaster is told unasked.
    Data,
}

impl Refusal {
    /// A refusal by policy.
    pub(crate) fn policy(code: u16, status: Enhanced, text: String) -> Refusal {
        Refusal { code, status, text, fault: Fault::Policy }
    }

    /// The same, if its code can refuse; else the client is to try again, until the operator has read of it.
    pub(crate) fn checked(self) -> Refusal {
        if (400..600).contains(&self.code) {
            return self;
        }
        warn!("SMTP reply code configuration error: {} {} {}", self.code, self.status, self.text);
        Refusal { code: 450, status: Enhanced(4, 7, 1), text: "Service unavailable".to_owned(), fault: self.fault }
    }

    /// The reply, cut to what a line may hold; its enhanced code gets the class of the code.
    pub(crate) fn reply(&self) -> Reply {
        let status = self.status.with_class(u8::try_from(self.code / 100).unwrap_or(5));
        let room = LINE.saturating_sub(format!("{} {status} ", self.code).len());
        let text = self.text.get(..self.text.floor_char_boundary(room)).unwrap_or_default();
        Reply::new(self.code, Some(status), text)
    }
}

/// What a reject names: `<who>: Sender address rejected`.
#[derive(Debug, Clone)]
pub(crate) struct Subject<'a> {
    pub(crate) name: Cow<'a, str>,
    pub(crate) class: &'static str,
}

impl Subject<'_> {
    pub(crate) const SENDER: &'static str = "Sender address";
    pub(crate) const RECIPIENT: &'static str = "Recipient address";

    /// An address of the envelope.
    pub(crate) fn of_address(address: &[u8], party: Party) -> Subject<'static> {
        let class = match party {
            Party::Sender => Subject::SENDER,
            Party::Recipient => Subject::RECIPIENT,
        };
        Subject { name: told(address).into_owned().into(), class }
    }

    /// The enhanced code for a refusal of this: those of the form `x.1.y` say which address is wrong, and how.
    pub(crate) fn fitted(&self, status: Enhanced) -> Enhanced {
        let Enhanced(class, 1, detail) = status else { return status };
        let fitted = match (self.class, detail) {
            (Subject::SENDER, 1 | 3 | 4 | 6 | 7) => Enhanced(class, 1, 7),
            (Subject::SENDER, 2 | 8) => Enhanced(class, 1, 8),
            (Subject::RECIPIENT, 1..=6) => status,
            (Subject::RECIPIENT, 7) => Enhanced(class, 1, 3),
            (Subject::RECIPIENT, 8) => Enhanced(class, 1, 2),
            (Subject::SENDER | Subject::RECIPIENT, _) => Enhanced(class, 1, 0),
            _ => Enhanced(class, 0, 0),
        };
        if fitted != status {
            info!("mapping DSN status {status} into {} status {fitted}", self.class);
        }
        fitted
    }

    /// `<name>: class text`.
    pub(crate) fn says(&self, text: &str) -> String {
        format!("<{}>: {} {text}", self.name, self.class)
    }

    /// `<name>: class rejected: text`.
    pub(crate) fn rejected(&self, text: &str) -> String {
        self.says(&format!("rejected: {text}"))
    }
}

/// Whether more is to be checked of the message.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Checks {
    #[default]
    GoOn,
    /// A table has said `DISCARD`.
    Ended,
}

/// What checks have caused for the message, besides letting it pass.
#[derive(Debug, Default)]
pub(crate) struct Actions {
    pub(crate) filter: Option<String>,
    pub(crate) redirect: Option<String>,
    pub(crate) bcc: Vec<String>,
    pub(crate) hold: bool,
    pub(crate) discard: bool,
    pub(crate) checks: Checks,
    pub(crate) delay: Option<Duration>,
    pub(crate) prepend: Vec<String>,
}

/// What is known of the client and of what it wants.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Facts<'a> {
    /// The command, as logs name it.
    pub(crate) stage: &'static str,
    pub(crate) peer: &'a Peer,
    pub(crate) helo: Option<&'a str>,
    pub(crate) protocol: &'static str,
    /// In internal form; empty is the null sender.
    pub(crate) sender: Option<&'a [u8]>,
    pub(crate) recipient: Option<&'a [u8]>,
    pub(crate) etrn: Option<&'a str>,
    pub(crate) queue_id: Option<&'a str>,
    pub(crate) instance: Option<Instance>,
    pub(crate) login: Option<&'a Login>,
    pub(crate) tls: Option<&'a crate::session::tls::Facts>,
    pub(crate) size: u64,
    pub(crate) recipients: usize,
    /// The client talked ahead of our replies where it may not.
    pub(crate) impatient: bool,
    /// How addresses stand in the log.
    pub(crate) log_form: LogForm,
}

impl Facts<'_> {
    /// `reject: RCPT from …: text; from=<…> to=<…> proto=… helo=<…>`, and as whom the client has logged in.
    pub(crate) fn log(&self, what: &str, text: &str) {
        let mut line = format!(
            "{}: {what}: {} from {}: {text};",
            self.queue_id.unwrap_or("NOQUEUE"),
            self.stage,
            self.peer.namaddr
        );
        if let Some(sender) = self.sender {
            line.push_str(&format!(" from=<{}>", self.log_form.shown(sender)));
        }
        if let Some(recipient) = self.recipient {
            line.push_str(&format!(" to=<{}>", self.log_form.shown(recipient)));
        }
        line.push_str(&format!(" proto={}", self.protocol));
        if let Some(helo) = self.helo {
            line.push_str(&format!(" helo=<{}>", printable(helo.as_bytes())));
        }
        for (name, value) in self.login.iter().flat_map(|login| login.attributes()) {
            line.push_str(&format!(" {name}={}", printable(value.as_bytes())));
        }
        info!("{line}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_fit_what_is_refused() {
        for (detail, sender, recipient) in [
            (0, 0, 0),
            (1, 7, 1),
            (2, 8, 2),
            (3, 7, 3),
            (4, 7, 4),
            (5, 0, 5),
            (6, 7, 6),
            (7, 7, 3),
            (8, 8, 2),
            (9, 0, 0),
            (10, 0, 0),
        ] {
            let fitted = |class| Subject { name: "x".into(), class }.fitted(Enhanced(5, 1, detail));
            assert_eq!(fitted(Subject::SENDER), Enhanced(5, 1, sender), "{detail}");
            assert_eq!(fitted(Subject::RECIPIENT), Enhanced(5, 1, recipient), "{detail}");
            assert_eq!(fitted("Helo command"), Enhanced(5, 0, 0), "{detail}");
        }
        let subject = Subject::of_address(b"a@b.test", Party::Sender);
        assert_eq!(subject.fitted(Enhanced(5, 7, 1)), Enhanced(5, 7, 1));
    }

    #[test]
    fn no_refusal_says_yes() {
        for (code, expected) in [
            (554, "554 5.7.1 no"),
            (450, "450 4.7.1 no"),
            (250, "450 4.7.1 Service unavailable"),
            (351, "450 4.7.1 Service unavailable"),
            (45, "450 4.7.1 Service unavailable"),
            (600, "450 4.7.1 Service unavailable"),
        ] {
            let refusal = Refusal::policy(code, Enhanced(5, 7, 1), "no".to_owned());
            assert_eq!(refusal.checked().reply().logged(), expected);
        }
    }

    #[test]
    fn refusals_fit_into_a_line() {
        let logged = |text: &str| Refusal::policy(554, Enhanced(5, 7, 1), text.to_owned()).reply().logged();
        assert_eq!(logged(&"x".repeat(2000)).len(), LINE);
        assert_eq!(logged(&"\u{fc}".repeat(1000)).len(), LINE);
        assert_eq!(logged("no"), "554 5.7.1 no");
    }
}
