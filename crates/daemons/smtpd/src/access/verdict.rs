//! What a check knows, what it concludes, and what else it causes.

use std::borrow::Cow;
use std::time::Duration;

use smtp_proto::{Enhanced, Reply};
use tracing::{info, warn};

use crate::session::login::Login;
use crate::session::peer::Peer;
use crate::session::transaction::Instance;
use crate::text::{external, printable};

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

/// Why something is refused.
#[derive(Debug, Clone)]
pub(crate) struct Refusal {
    pub(crate) code: u16,
    pub(crate) status: Enhanced,
    pub(crate) text: String,
    pub(crate) fault: Fault,
}

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

    /// The reply; its enhanced code gets the class of the code.
    pub(crate) fn reply(&self) -> Reply {
        let class = u8::try_from(self.code / 100).unwrap_or(5);
        Reply::new(self.code, Some(self.status.with_class(class)), self.text.clone())
    }
}

/// What a reject names: `<who>: Sender address rejected`.
#[derive(Debug, Clone)]
pub(crate) struct Subject<'a> {
    pub(crate) name: Cow<'a, str>,
    pub(crate) class: &'static str,
}

impl Subject<'_> {
    /// `<name>: class rejected: text`.
    pub(crate) fn rejected(&self, text: &str) -> String {
        format!("<{}>: {} rejected: {text}", self.name, self.class)
    }
}

/// What checks have caused for the message, besides letting it pass.
#[derive(Debug, Default)]
pub(crate) struct Actions {
    pub(crate) filter: Option<String>,
    pub(crate) redirect: Option<String>,
    pub(crate) bcc: Vec<String>,
    pub(crate) hold: bool,
    pub(crate) discard: bool,
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
}

impl Facts<'_> {
    /// `reject: RCPT from …: text; from=<…> to=<…> proto=… helo=<…>`.
    pub(crate) fn log(&self, what: &str, text: &str) {
        let mut line = format!(
            "{}: {what}: {} from {}: {text};",
            self.queue_id.unwrap_or("NOQUEUE"),
            self.stage,
            self.peer.namaddr
        );
        if let Some(sender) = self.sender {
            line.push_str(&format!(" from=<{}>", external(sender)));
        }
        if let Some(recipient) = self.recipient {
            line.push_str(&format!(" to=<{}>", external(recipient)));
        }
        line.push_str(&format!(" proto={}", self.protocol));
        if let Some(helo) = self.helo {
            line.push_str(&format!(" helo=<{}>", printable(helo.as_bytes())));
        }
        info!("{line}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
