//! A transcript of the session, and the notice to postmaster that carries it (`notify_classes`).

use ipc::post::Notice;
use queue_file::{Time, record};
use smtp_proto::{Reply, Transcript, printable};
use tracing::{info, warn};

use super::{End, Session};
use crate::access::Fault;
use crate::settings::Settings;

/// What was said, as far as it may be needed.
#[derive(Debug, Default)]
pub(crate) struct History {
    transcript: Option<Transcript>,
    /// The reply to a message's content is the last that belongs to it, and is not said yet.
    last: bool,
    /// The client, where the log shows what is said (`debug_peer_list`).
    watched: Option<String>,
}

impl History {
    /// Kept only where some class of trouble of sessions is to be told.
    pub(super) fn new(settings: &Settings) -> History {
        let wanted = ["policy", "protocol", "bounce", "software", "resource", "data"]
            .iter()
            .any(|class| settings.notifies(class));
        History { transcript: wanted.then(Transcript::default), watched: None, last: false }
    }

    /// From now on the log shows what is said.
    pub(super) fn watch(&mut self, client: &str) {
        self.watched = Some(client.to_owned());
    }

    /// The content of a message has come.
    pub(super) fn end_message(&mut self) {
        self.last = true;
    }

    /// Whether a message has ended since this was last asked.
    pub(super) fn ends_message(&mut self) -> bool {
        std::mem::take(&mut self.last)
    }

    pub(crate) fn heard(&mut self, line: &[u8]) {
        if let Some(client) = &self.watched {
            info!("< {client}: {}", printable(public(line)));
        }
        if let Some(transcript) = &mut self.transcript {
            transcript.heard(line);
        }
    }

    pub(crate) fn said(&mut self, reply: &Reply) {
        if let Some(client) = &self.watched {
            let mut text = Vec::new();
            reply.print_between(b"", b"\n", &mut text);
            text.split(|byte| *byte == b'\n')
                .filter(|line| !line.is_empty())
                .for_each(|line| info!("> {client}: {}", printable(line)));
        }
        if let Some(transcript) = &mut self.transcript {
            transcript.replied(reply);
        }
    }
}

/// A command without the secrets that may come with it.
fn public(line: &[u8]) -> &[u8] {
    let mut words = line.split(|byte| *byte == b' ');
    match (words.next(), words.next()) {
        (Some(verb), Some(mechanism)) if verb.eq_ignore_ascii_case(b"AUTH") => {
            line.get(..verb.len() + 1 + mechanism.len()).unwrap_or(verb)
        }
        _ => line,
    }
}

/// The class that `notify_classes` knows a fault by.
fn class(fault: Fault) -> &'static str {
    match fault {
        Fault::Policy => "policy",
        Fault::Bounce => "bounce",
        Fault::Protocol => "protocol",
        Fault::Software => "software",
        Fault::Resource => "resource",
        Fault::Data => "data",
    }
}

impl Session {
    /// A new transaction begins: a transcript of more lines than this is not carried on. If it has trouble that postmaster is to
    /// know, it is sent now.
    pub(crate) async fn flush_history(&mut self, threshold: i64) {
        if self.history.transcript.as_ref().is_some_and(|transcript| transcript.len() > threshold) {
            self.notify(End::Quit).await;
            self.faults.clear();
            self.history.transcript = History::new(&self.server.settings).transcript;
        }
    }

    /// Tells postmaster, if some trouble of this session is of a class that is told.
    pub(super) async fn notify(&mut self, end: End) {
        let settings = &self.server.settings;
        if !self.faults.iter().any(|fault| settings.notifies(class(*fault))) {
            return;
        }
        let postmaster = &self.server.postmaster;
        let aborted = end.reason().map(|reason| format!("Session aborted, reason: {reason}\n")).unwrap_or_default();
        let notice = Notice {
            subject: format!("SMTP server: errors from {}", self.peer.namaddr),
            cause: String::new(),
            transcript: self.history.transcript.take().unwrap_or_default().text().into_owned(),
            end: format!("{aborted}\n"),
        };
        let now = jiff::Timestamp::now().to_zoned(settings.timezone.clone());
        let date = now.strftime(ipc::post::DATE).to_string();
        // Of mail that did not get in somebody else may be told, whatever the letter says.
        let recipient = if self.faults.contains(&Fault::Bounce) {
            &self.server.params.bounce.bounce_notice_recipient
        } else {
            &postmaster.recipient
        };
        let envelope = record::own_envelope(Time::now(), postmaster.sender.as_bytes(), recipient.as_bytes());
        let told = postmaster.tell(&notice, &date, envelope.into());
        if let Err(error) = Box::pin(told).await {
            warn!("postmaster notify: {error}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_not_shown() {
        for (line, shown) in [
            ("AUTH PLAIN AGpvZQBzZWNyZXQ=", "AUTH PLAIN"),
            ("auth login am9l", "auth login"),
            ("AUTH PLAIN", "AUTH PLAIN"),
            ("AUTH", "AUTH"),
            ("MAIL FROM:<a@b> SIZE=1", "MAIL FROM:<a@b> SIZE=1"),
            ("", ""),
        ] {
            assert_eq!(public(line.as_bytes()), shown.as_bytes());
        }
    }
}
