//! A transcript of the session, and the notice to postmaster that carries it (`notify_classes`).

use smtp_proto::Reply;

use super::Session;
use crate::access::Fault;
use crate::settings::Settings;
use crate::text::printable;

/// What was said, as far as it may be needed.
#[derive(Debug, Default)]
pub(crate) struct History {
    kept: Option<Vec<u8>>,
    lines: i64,
}

/// A transcript grows no further than this.
const LIMIT: usize = 16 * 1024;
/// What most sessions need.
const USUAL: usize = 768;

impl History {
    /// Kept only where some class of trouble of sessions is to be told.
    pub(super) fn new(settings: &Settings) -> History {
        let wanted = ["policy", "protocol", "bounce", "software", "resource", "data"]
            .iter()
            .any(|class| settings.notifies(class));
        History { kept: wanted.then(|| Vec::with_capacity(USUAL)), lines: 0 }
    }

    pub(crate) fn heard(&mut self, line: &[u8]) {
        if let Some(text) = self.next_line() {
            text.extend_from_slice(b" In:  ");
            text.extend_from_slice(printable(line).as_bytes());
            text.push(b'\n');
        }
    }

    pub(crate) fn said(&mut self, reply: &Reply) {
        if let Some(text) = self.next_line() {
            reply.print_between(b" Out: ", b"\n", text);
        }
    }

    /// The transcript, where it goes on by a line.
    fn next_line(&mut self) -> Option<&mut Vec<u8>> {
        let text = self.kept.as_mut().filter(|text| text.len() < LIMIT)?;
        self.lines += 1;
        Some(text)
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
        if self.history.lines > threshold {
            self.notify().await;
            self.faults.clear();
            self.history = History::new(&self.server.settings);
        }
    }

    /// Tells postmaster, if some trouble of this session is of a class that is told.
    pub(super) async fn notify(&mut self) {
        let mut classes: Vec<&str> =
            self.faults.iter().copied().map(class).filter(|class| self.server.settings.notifies(class)).collect();
        classes.sort_unstable();
        classes.dedup();
        if classes.is_empty() {
            return;
        }
        let identity = &self.server.params.identity;
        let recipient = &self.server.params.bounce.error_notice_recipient;
        let transcript = self.history.kept.take().unwrap_or_default();
        let transcript = String::from_utf8_lossy(&transcript);
        let text = format!(
            "From: Mail Delivery System <MAILER-DAEMON>\nTo: Postmaster <{recipient}>\nSubject: {} SMTP server: errors from {}\n\n\
             Transcript of session follows.\n\n{transcript}\n\nFor other details, see the local mail logfile\n",
            identity.mail_name, self.peer.namaddr
        );
        Box::pin(self.server.cleanup.post_notice(&identity.double_bounce_sender, recipient, &text)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use smtp_proto::Enhanced;

    #[test]
    fn transcripts_have_all_lines_of_each_reply() {
        let mut history = History { kept: Some(Vec::new()), lines: 0 };
        history.heard(b"NO\xffOP\r");
        history.said(&Reply::fixed(250, Enhanced(2, 0, 0), "Ok"));
        history.said(&Reply::plain(250, "a\nb"));
        let expected = " In:  NO?OP?\n Out: 250 2.0.0 Ok\n Out: 250-a\n Out: 250 b\n";
        assert_eq!((history.kept.unwrap(), history.lines), (expected.as_bytes().to_vec(), 3));
        let mut history = History::default();
        history.heard(b"NOOP");
        assert_eq!((history.kept, history.lines), (None, 0));
    }
}
