//! A transcript of the session, and the notice to postmaster that carries it (`notify_classes`).

use ipc::post::Notice;
use queue_file::{Time, record};
use smtp_proto::{Reply, Transcript};
use tracing::warn;

use super::{End, Session};
use crate::access::Fault;
use crate::settings::Settings;

/// What was said, as far as it may be needed.
#[derive(Debug, Default)]
pub(crate) struct History(Option<Transcript>);

impl History {
    /// Kept only where some class of trouble of sessions is to be told.
    pub(super) fn new(settings: &Settings) -> History {
        let wanted = ["policy", "protocol", "bounce", "software", "resource", "data"]
            .iter()
            .any(|class| settings.notifies(class));
        History(wanted.then(Transcript::default))
    }

    pub(crate) fn heard(&mut self, line: &[u8]) {
        if let Some(transcript) = &mut self.0 {
            transcript.heard(line);
        }
    }

    pub(crate) fn said(&mut self, reply: &Reply) {
        if let Some(transcript) = &mut self.0 {
            transcript.replied(reply);
        }
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
        if self.history.0.as_ref().is_some_and(|transcript| transcript.len() > threshold) {
            self.notify(End::Quit).await;
            self.faults.clear();
            self.history = History::new(&self.server.settings);
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
            transcript: self.history.0.take().unwrap_or_default().text().into_owned(),
            end: format!("{aborted}\n"),
        };
        let now = jiff::Zoned::now().with_time_zone(settings.timezone.clone());
        let date = now.strftime(ipc::post::DATE).to_string();
        let envelope = record::own_envelope(Time::now(), postmaster.sender.as_bytes(), postmaster.recipient.as_bytes());
        let told = postmaster.tell(&notice, &date, envelope.into());
        if let Err(error) = Box::pin(told).await {
            warn!("postmaster notify: {error}");
        }
    }
}
