//! Notices to postmaster about trouble in sessions: `notify_classes`.

use super::{Outbox, Unposted, put_wrapped, received};
use crate::cleanup::{Handling, Origin};
use bytes::Bytes;

/// The longest line of a transcript, where words allow.
const WIDTH: usize = 78;

/// Who is told, and by whom.
#[derive(Debug, Clone)]
pub struct Postmaster {
    /// Where notices are handed in.
    pub outbox: Outbox,
    /// `myhostname`.
    pub host: String,
    /// `mail_name`.
    pub mail_name: String,
    /// As by [`double_bounce_sender`].
    pub sender: String,
    /// `error_notice_recipient`.
    pub recipient: String,
    /// `internal_mail_filter_classes`.
    pub filtered: Vec<String>,
    /// `smtputf8_autodetect_classes`.
    pub autodetected: Vec<String>,
}

/// What is told.
#[derive(Debug, Clone)]
pub struct Notice {
    /// What follows `mail_name`.
    pub subject: String,
    /// Whole lines before the transcript.
    pub cause: String,
    /// Its lines, as [`Postmaster::tell`] folds them.
    pub transcript: String,
    /// Whole lines behind it.
    pub end: String,
}

impl Postmaster {
    /// Posts a notice, at this [`super::DATE`]. `envelope` is that of a message from [`Self::sender`] to [`Self::recipient`].
    ///
    /// # Errors
    /// [`Unposted`].
    pub async fn tell(&self, notice: &Notice, date: &str, envelope: Bytes) -> Result<(), Unposted> {
        let letter = self.outbox.open().await?;
        let Self { host, mail_name, recipient, .. } = self;
        let Notice { subject, cause, transcript, end } = notice;
        let mut text = received(host, mail_name, &letter.queue_id, date).into_bytes();
        let head = format!(
            "Date: {date}\nFrom: Mail Delivery System <MAILER-DAEMON>\nTo: Postmaster <{recipient}>\n\
             Subject: {mail_name} {subject}\n\n{cause}Transcript of session follows.\n\n"
        );
        text.extend_from_slice(head.as_bytes());
        for line in transcript.lines() {
            put_wrapped(&mut text, " ", line, WIDTH);
        }
        text.extend_from_slice(format!("\n{end}For other details, see the local mail logfile\n").as_bytes());
        letter.send(Handling::internal(Origin::Notify, &self.filtered, &self.autodetected), envelope, &[&text]).await
    }
}

/// Who notices to postmaster come from: `double_bounce_sender`, which is at this host where it names no other.
#[must_use]
pub fn double_bounce_sender(name: &str, host: &str) -> String {
    if name.contains('@') { name.to_owned() } else { format!("{name}@{host}") }
}
