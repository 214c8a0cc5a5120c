//! Who hears of what became of a message, and how much comes back. Pure.

use ipc::deliver::Recipient;
use queue_file::log::Entry;

use crate::report::{Audience, Returned};
use crate::template::Kind;
use dsn::Notify;

/// A notice to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// The recipient, in internal form.
    pub(crate) to: Vec<u8>,
    /// Who that is.
    pub(crate) audience: Audience,
    /// How much of the message comes back.
    pub(crate) returned: Returned,
    /// What the log calls it.
    pub(crate) name: &'static str,
    /// Whether the recipient's entries are kept until this has been sent.
    pub(crate) required: bool,
}

/// The parameters that decide.
#[derive(Debug, Clone)]
pub(crate) struct Rules {
    /// `notify_classes`.
    pub(crate) classes: Vec<String>,
    /// `bounce_notice_recipient`.
    pub(crate) bounce: String,
    /// `2bounce_notice_recipient`.
    pub(crate) double_bounce: String,
    /// `delay_notice_recipient`.
    pub(crate) delay: String,
    /// The envelope sender of notices to postmaster.
    pub(crate) double_bounce_sender: Vec<u8>,
}

impl Rules {
    fn told_of(&self, class: &str) -> bool {
        self.classes.iter().any(|known| known.eq_ignore_ascii_case(class))
    }

    /// Whether a sender is that of a notice to postmaster, which nobody hears more of.
    pub(crate) fn is_double_bounce(&self, sender: &[u8]) -> bool {
        sender.eq_ignore_ascii_case(&self.double_bounce_sender)
    }

    /// The notices about a message from `sender`; `returned` is what its RET parameter and its size allow.
    pub(crate) fn wanted(&self, kind: Kind, sender: &[u8], returned: Returned) -> Vec<Wanted> {
        if self.is_double_bounce(sender) {
            return Vec::new();
        }
        match kind {
            // Who hears of all bounces hears of those that bounce.
            Kind::Failure if sender.is_empty() => {
                let class = if self.told_of("2bounce") { "2bounce" } else { "bounce" };
                let letters = self.postmaster(class, &self.double_bounce, kind, returned);
                letters.into_iter().map(|letter| Wanted { required: true, ..letter }).collect()
            }
            Kind::Failure => {
                let mut letters = vec![to_sender(sender, kind, returned)];
                letters.append(&mut self.postmaster("bounce", &self.bounce, kind, Returned::Header));
                letters
            }
            Kind::Delay => {
                let mut letters = Vec::new();
                if !sender.is_empty() {
                    letters.push(to_sender(sender, kind, Returned::Header));
                }
                letters.append(&mut self.postmaster("delay", &self.delay, kind, Returned::Header));
                letters
            }
            Kind::Success | Kind::Verify if sender.is_empty() && !self.told_of("2bounce") => Vec::new(),
            Kind::Success | Kind::Verify if sender.is_empty() => {
                vec![to_sender(self.double_bounce.as_bytes(), kind, Returned::Header)]
            }
            Kind::Success | Kind::Verify => vec![to_sender(sender, kind, Returned::Header)],
        }
    }

    fn postmaster(&self, class: &str, to: &str, kind: Kind, returned: Returned) -> Vec<Wanted> {
        if !self.told_of(class) {
            return Vec::new();
        }
        let name = match kind {
            Kind::Delay => "postmaster delay notification",
            Kind::Failure | Kind::Success | Kind::Verify => "postmaster non-delivery notification",
        };
        vec![Wanted { to: to.as_bytes().to_vec(), audience: Audience::Postmaster, returned, name, required: false }]
    }
}

fn to_sender(sender: &[u8], kind: Kind, returned: Returned) -> Wanted {
    let name = match kind {
        Kind::Failure => "sender non-delivery notification",
        Kind::Delay => "sender delay notification",
        Kind::Success | Kind::Verify => "sender delivery status notification",
    };
    Wanted { to: sender.to_vec(), audience: Audience::Sender, returned, name, required: true }
}

/// Whether a notice of this kind mentions a recipient that asked for `notify`.
pub(crate) fn mentions(kind: Kind, audience: Audience, entry: &Entry) -> bool {
    let notify = Notify::from_bits(entry.notify).unwrap_or(Notify::UNSET);
    if notify.is_unset() || audience == Audience::Postmaster {
        return true;
    }
    match kind {
        Kind::Failure => notify.contains(Notify::FAILURE),
        Kind::Delay => notify.contains(Notify::DELAY),
        Kind::Success | Kind::Verify => !notify.contains(Notify::NEVER),
    }
}

/// An address as logs and notices have it: question marks stand for control characters and what is no UTF-8, of which a
/// report would not be one (RFC 6533 section 3).
pub(crate) fn presentable(address: &[u8]) -> Vec<u8> {
    address::printable(address).into_owned().into_bytes()
}

/// The entry of a log, as an agent sent it.
pub(crate) fn entry_of(entry: ipc::bounce::Entry) -> Entry {
    let Recipient { offset, address, original, dsn_original, notify } = entry.recipient;
    Entry {
        recipient: presentable(&address),
        original: presentable(&original),
        offset,
        dsn_original,
        notify,
        status: entry.status,
        action: entry.action,
        diagnostic_type: entry.diagnostic_type,
        diagnostic: entry.diagnostic,
        mta_type: entry.mta_type,
        mta: entry.mta,
        reason: entry.reason,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(classes: &str) -> Rules {
        Rules {
            classes: classes.split_whitespace().map(str::to_owned).collect(),
            bounce: "b".into(),
            double_bounce: "2b".into(),
            delay: "d".into(),
            double_bounce_sender: b"double-bounce@h".to_vec(),
        }
    }

    #[test]
    fn addresses_that_are_no_text_become_such() {
        for (address, expected) in [
            (&b"j\xfcrgen@x"[..], "j?rgen@x"),
            ("j\u{fc}rgen@x".as_bytes(), "j\u{fc}rgen@x"),
            (b"a\x7f\n@x", "a??@x"),
            (b"a@x", "a@x"),
        ] {
            assert_eq!(presentable(address), expected.as_bytes());
        }
    }

    #[test]
    fn sender_and_postmaster_hear_what_is_theirs() {
        use Returned::{Full, Header};
        let sender = b"s@x";
        for (classes, kind, sender, expected) in [
            ("resource", Kind::Failure, &sender[..], vec![("s@x", Full)]),
            ("bounce", Kind::Failure, sender, vec![("s@x", Full), ("b", Header)]),
            ("bounce", Kind::Failure, b"", vec![("2b", Full)]),
            ("delay", Kind::Failure, b"", vec![]),
            ("2bounce", Kind::Failure, b"", vec![("2b", Full)]),
            ("2bounce", Kind::Failure, b"Double-Bounce@h", vec![]),
            ("delay", Kind::Delay, sender, vec![("s@x", Header), ("d", Header)]),
            ("delay", Kind::Delay, b"", vec![("d", Header)]),
            ("delay", Kind::Success, sender, vec![("s@x", Header)]),
            ("delay", Kind::Verify, b"", vec![]),
            ("bounce", Kind::Success, b"", vec![]),
            ("2bounce", Kind::Success, b"", vec![("2b", Header)]),
        ] {
            let wanted = rules(classes).wanted(kind, sender, Full);
            let found: Vec<_> = wanted.iter().map(|w| (std::str::from_utf8(&w.to).unwrap(), w.returned)).collect();
            assert_eq!(found, expected, "{classes} {kind:?}");
        }
    }

    #[test]
    fn notify_limits_what_the_sender_hears() {
        for (kind, notify, told) in [
            (Kind::Failure, 0, true),
            (Kind::Failure, 1, false),
            (Kind::Failure, 10, false),
            (Kind::Failure, 4, true),
            (Kind::Delay, 4, false),
            (Kind::Delay, 8, true),
            (Kind::Success, 2, true),
        ] {
            let entry = Entry { notify, ..Entry::default() };
            assert_eq!(mentions(kind, Audience::Sender, &entry), told, "{kind:?} {notify}");
            assert!(mentions(kind, Audience::Postmaster, &entry));
        }
    }
}
