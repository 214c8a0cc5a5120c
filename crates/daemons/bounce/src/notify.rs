//! Sends the notices about one message.

use ipc::bounce::Notice;
use ipc::cleanup::{Handling, Origin};
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use queue_file::log::Entry;
use queue_file::{Error, QueueId, QueueName, Spool, Time, record};
use tracing::{info, warn};

use crate::letters::{Rules, Wanted, mentions, presentable};
use crate::original::{self, Found};
use crate::report::{Audience, Host, Letter, Original, Report, Returned, Script, Security};
use crate::template::{Kind, Templates};
use crate::{Opened, Params};
use ipc::post::{Outbox, Unposted, double_bounce_sender};
use queue_file::SMTPUTF8_REQUESTED;

/// What is to be told.
#[derive(Debug)]
pub(crate) struct About {
    /// The message.
    pub(crate) notice: Notice,
    /// What became of it. A success report may turn out to be one of verification.
    pub(crate) kind: Kind,
    /// One notice for each recipient, with these delimiters.
    pub(crate) verp: Option<String>,
}

impl About {
    pub(crate) fn of(notice: Notice, kind: Kind) -> Self {
        let sender = presentable(&notice.sender).into();
        Self { notice: Notice { sender, ..notice }, kind, verp: None }
    }
}

/// Writes and sends notices.
#[derive(Debug)]
pub(crate) struct Notifier {
    templates: Templates,
    time_zone: TimeZone,
    rules: Rules,
    host: Host,
    spool: Spool,
    cleanup: Outbox,
    bounce_size_limit: u64,
    maximal_queue_lifetime: std::time::Duration,
    threaded: bool,
    /// `requiretls_redact_dsn`
    redacts: bool,
    filter_classes: Vec<String>,
    autodetect_classes: Vec<String>,
}

/// One message, and all that its notices have in common.
struct Case<'a> {
    kind: Kind,
    found: Found,
    original: Original,
    entries: Option<Vec<Entry>>,
    retried_until: Option<Zoned>,
    verp: Option<&'a str>,
}

impl Notifier {
    pub(crate) fn new(params: &Params, opened: Opened, spool: Spool) -> Self {
        let Params { bounce, identity, lifetimes, ipc, cleanup, .. } = params;
        let double_bounce_sender = double_bounce_sender(&identity.double_bounce_sender, &identity.myhostname);
        Self {
            templates: opened.templates,
            time_zone: opened.time_zone,
            rules: Rules {
                classes: bounce.notify_classes.clone(),
                bounce: bounce.bounce_notice_recipient.clone(),
                double_bounce: bounce.double_bounce_notice_recipient.clone(),
                delay: bounce.delay_notice_recipient.clone(),
                double_bounce_sender: double_bounce_sender.into_bytes(),
            },
            host: Host {
                name: identity.myhostname.clone(),
                mail_name: identity.mail_name.clone(),
                eight_bit: identity.smtputf8_enable,
            },
            spool,
            cleanup: Outbox::new(&ipc.cleanup_service_name, ipc.ipc_timeout),
            bounce_size_limit: bounce.bounce_size_limit,
            maximal_queue_lifetime: lifetimes.maximal_queue_lifetime,
            threaded: bounce.enable_threaded_bounces,
            redacts: cleanup.requiretls_redact_dsn,
            filter_classes: cleanup.internal_mail_filter_classes.clone(),
            autodetect_classes: identity.smtputf8_autodetect_classes.clone(),
        }
    }

    /// Sends all notices about a message; whether those that matter are in the queue.
    pub(crate) async fn notify(&self, about: &About, entries: Option<Vec<Entry>>) -> bool {
        let notice = &about.notice;
        if self.rules.is_double_bounce(&notice.sender) {
            match about.kind {
                Kind::Failure => warn!("{}: undeliverable postmaster notification discarded", notice.queue_id),
                Kind::Success | Kind::Verify => untold(notice, "double-bounce"),
                Kind::Delay => {}
            }
            return true;
        }
        let case = match self.case(about, entries).await {
            Ok(case) => case,
            Err(error) => {
                warn!("{}: {error}", notice.queue_id);
                return false;
            }
        };
        let letters = self.rules.wanted(case.kind, &notice.sender, allowed(&case.found, &case.original, &notice.ret));
        if letters.is_empty() && matches!(case.kind, Kind::Success | Kind::Verify) {
            untold(notice, "single-bounce");
        }
        for wanted in letters {
            let sent = self.send_each(&case, &wanted).await;
            if let Err(error) = sent {
                warn!("{}: {}: {error}", notice.queue_id, wanted.name);
                if wanted.required {
                    return false;
                }
            }
        }
        true
    }

    async fn case<'a>(&self, about: &'a About, entries: Option<Vec<Entry>>) -> Result<Case<'a>, Error> {
        let notice = &about.notice;
        let found = self.read(notice).await?;
        let arrived = found.message.as_ref().and_then(|message| Timestamp::from_second(message.arrived.seconds).ok());
        let arrived = arrived.map(|arrived| arrived.to_zoned(self.time_zone.clone()));
        let lifetime = self.maximal_queue_lifetime;
        Ok(Case {
            kind: if about.kind == Kind::Success && found.is_traced() { Kind::Verify } else { about.kind },
            retried_until: arrived.as_ref().and_then(|arrived| arrived.checked_add(lifetime).ok()),
            original: Original {
                queue_id: notice.queue_id.clone(),
                // Who hears of it may be another, as the owner of a list.
                sender: found.message.as_ref().map_or_else(|| notice.sender.to_vec(), |message| message.sender.clone()),
                envelope_id: notice.envelope_id.clone(),
                arrived,
                encoding: notice.encoding.clone(),
                security: Security::of(notice.smtputf8, self.redacts),
                script: if notice.smtputf8 & SMTPUTF8_REQUESTED == 0 { Script::Ascii } else { Script::Utf8 },
                message_id: if self.threaded { message_id(&found, &notice.queue_id) } else { None },
            },
            found,
            entries,
            verp: about.verp.as_deref(),
        })
    }

    async fn read(&self, notice: &Notice) -> Result<Found, Error> {
        let place = (QueueName::parse(&notice.queue_name), QueueId::parse(&notice.queue_id));
        let (Some(queue), Some(id)) = place else { return Ok(Found::default()) };
        let (spool, limit) = (self.spool.clone(), self.bounce_size_limit);
        service::disk(move || original::read(&spool, queue, &id, limit)).await
    }

    /// Sends one notice, or with VERP one for each recipient.
    async fn send_each(&self, case: &Case<'_>, wanted: &Wanted) -> Result<(), Unposted> {
        let all = case.entries.as_deref().unwrap_or_default();
        let mentioned: Vec<Entry> =
            all.iter().filter(|entry| mentions(case.kind, wanted.audience, entry)).cloned().collect();
        match (case.verp, wanted.audience) {
            (Some(delimiters), Audience::Sender) => {
                for entry in mentioned {
                    let to = address::verp(&wanted.to, (&entry.original, &entry.recipient), delimiters);
                    self.send(case, &Wanted { to, ..wanted.clone() }, &[entry]).await?;
                }
                Ok(())
            }
            _ => self.send(case, wanted, &mentioned).await,
        }
    }

    async fn send(&self, case: &Case<'_>, wanted: &Wanted, entries: &[Entry]) -> Result<(), Unposted> {
        let open = self.cleanup.open().await?;
        info!("{}: {}: {}", case.original.queue_id, wanted.name, open.queue_id);
        if entries.is_empty() && case.entries.is_some() {
            return open.cancel().await;
        }
        let time = Time::now();
        let now = Timestamp::from_microsecond(time.as_microseconds()).unwrap_or_default();
        let now = now.to_zoned(self.time_zone.clone());
        let report = Report {
            kind: case.kind,
            template: self.templates.of(case.kind),
            host: &self.host,
            original: &case.original,
            entries,
            retried_until: case.retried_until.as_ref(),
        };
        let queue_id = open.queue_id.clone();
        let letter = Letter {
            queue_id: &queue_id,
            to: &wanted.to,
            audience: wanted.audience,
            returned: wanted.returned,
            now: &now,
        };
        let text = match wanted.returned {
            Returned::Full => &case.found.text[..],
            Returned::Header => case.found.text.get(..case.found.header).unwrap_or_default(),
        };
        let sender = match wanted.audience {
            Audience::Sender if !case.original.sender.is_empty() => &[],
            Audience::Sender | Audience::Postmaster => &self.rules.double_bounce_sender[..],
        };
        let parts = [&report.head(&letter)[..], text, &report.tail(&letter)];
        let envelope = record::own_envelope(time, sender, &wanted.to);
        open.send(self.handling(wanted.audience, &case.original), envelope.into(), &parts).await
    }

    fn handling(&self, audience: Audience, original: &Original) -> Handling {
        let origin = match audience {
            Audience::Sender => Origin::Bounce,
            Audience::Postmaster => Origin::Notify,
        };
        let handling = Handling::internal(origin, &self.filter_classes, &self.autodetect_classes);
        Handling {
            smtputf8: (original.script == Script::Utf8).into(),
            requiretls: (original.security == Security::Required).into(),
            ..handling
        }
    }
}

/// How much of the message may come back. What its sender wants (RET) is not for notices that bounce.
fn allowed(found: &Found, original: &Original, ret: &str) -> Returned {
    let unwanted = ret == "HDRS" && !original.sender.is_empty();
    let whole = found.whole && !unwanted && original.security != Security::Redacted;
    if whole { Returned::Full } else { Returned::Header }
}

/// What a notice refers to: the Message-ID, if all of its first line is in angle brackets.
fn message_id(found: &Found, queue_id: &str) -> Option<String> {
    let id = found.header_line("message-id")?;
    if id.starts_with('<') && id.ends_with('>') {
        return Some(id);
    }
    warn!("{queue_id}: ignoring malformed Message-ID");
    None
}

/// Nobody hears of the delivery of a notice.
fn untold(notice: &Notice, kind: &str) {
    info!("{}: not sending trace/success notification for {kind} message", notice.queue_id);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notices_that_bounce_come_back_whatever_their_sender_wanted() {
        for (sender, ret, security, expected) in [
            (&b"a@b"[..], "FULL", Security::Unsaid, Returned::Full),
            (b"a@b", "HDRS", Security::Unsaid, Returned::Header),
            (b"", "HDRS", Security::Unsaid, Returned::Full),
            (b"", "", Security::Redacted, Returned::Header),
        ] {
            let original = Original {
                queue_id: "Q".into(),
                sender: sender.to_vec(),
                envelope_id: String::new(),
                arrived: None,
                encoding: String::new(),
                security,
                script: Script::Ascii,
                message_id: None,
            };
            let found = Found { whole: true, ..Found::default() };
            assert_eq!(allowed(&found, &original, ret), expected, "{sender:?} {ret}");
        }
    }

    #[test]
    fn a_message_id_without_brackets_is_none() {
        for (line, expected) in [
            ("<a@b>", Some("<a@b>")),
            ("<a@b> <c@d>", Some("<a@b> <c@d>")),
            ("  <a@b> \n folded", Some("<a@b>")),
            ("<a@b>, x", None),
            ("a@b", None),
            ("", None),
            ("\n <a@b>", None),
        ] {
            let text = format!("Message-Id: {line}\n").into_bytes();
            let found = Found { header: text.len(), text, ..Found::default() };
            assert_eq!(message_id(&found, "Q").as_deref(), expected, "{line}");
        }
    }
}
