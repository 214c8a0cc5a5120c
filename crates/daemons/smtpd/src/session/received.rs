//! The `Received:` header that we add.

use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

use super::Session;
use super::transaction::Envelope;
use crate::text::{external, printable};

impl Session {
    /// The header lines before the client's own content: what checks prepend, then our trace.
    pub(crate) fn leading_headers(&self, envelope: &Envelope) -> String {
        let mut text = String::with_capacity(256);
        if envelope.sender.requiretls && self.tells_filter_of_requiretls() {
            text.push_str("Require-TLS-ESMTP: yes\n");
        }
        for line in &envelope.actions.prepend {
            text.push_str(line);
            text.push('\n');
        }
        if !self.repeats_for_filter() {
            self.received(envelope, &mut text);
        }
        text
    }

    /// Between a filter that says by XFORWARD whose mail it is and the next one we are no station of the message.
    fn repeats_for_filter(&self) -> bool {
        !self.server.params.smtpd.smtpd_proxy_filter.is_empty() && self.forward.tells()
    }

    /// What is sent to a filter before the queue goes over no TLS, and comes back as another message.
    fn tells_filter_of_requiretls(&self) -> bool {
        let params = &self.server.params;
        !params.smtpd.smtpd_proxy_filter.is_empty() && params.cleanup.requiretls_esmtp_header
    }

    fn received(&self, envelope: &Envelope, text: &mut String) {
        let identity = &self.server.params.identity;
        let peer = &self.peer;
        text.push_str("Received: ");
        if !self.hides_client() {
            let helo = self.helo.as_ref().map_or(peer.name.as_str(), |helo| helo.name.as_str());
            let helo = printable(helo.as_bytes());
            text.extend(["from ", &helo, " (", &peer.name, " [", &peer.rfc_address(), "])\n"]);
            if let Some(tls) = self.tls.as_ref().filter(|_| self.server.params.smtpd.smtpd_tls_received_header) {
                text.push_str(&tls.received);
            }
            if let Some(login) = self.login.as_ref().filter(|_| self.server.params.sasl.smtpd_sasl_authenticated_header)
            {
                text.extend(["\t(Authenticated sender: ", &printable(login.username.as_bytes()), ")\n"]);
            }
            text.push('\t');
        }
        text.extend(["by ", &identity.myhostname, " (", &identity.mail_name, ")"]);
        if !self.hides_client() {
            text.push_str(" with ");
            text.extend(self.trace_protocol(envelope));
        }
        if let Some(id) = &envelope.queue_id {
            text.extend([" id ", id]);
        }
        match envelope.recipients.first.as_deref().filter(|_| envelope.recipients.count == 1) {
            Some(recipient) => text.extend(["\n\tfor <", &external(recipient), ">; "]),
            None => text.push_str(";\n\t"),
        }
        self.server.dates.push(envelope.instance.arrived, text);
        text.push('\n');
    }

    /// `ESMTPSA` and its kind (RFC 3848, 6531).
    fn trace_protocol(&self, envelope: &Envelope) -> [&'static str; 3] {
        let base = if envelope.sender.smtputf8 { "UTF8SMTP" } else { self.protocol() };
        let extended = base != "SMTP";
        let secure = if extended && self.tls.is_some() { "S" } else { "" };
        let authenticated = if extended && self.login.is_some() { "A" } else { "" };
        [base, secure, authenticated]
    }

    fn hides_client(&self) -> bool {
        self.server.params.smtpd.smtpd_hide_client_session
    }
}

/// Dates as headers have them, in local time: the text of a second is made once.
#[derive(Debug)]
pub(crate) struct Dates {
    zone: TimeZone,
    /// The second that was asked for last, and its text.
    last: Mutex<(i64, String)>,
}

impl Dates {
    pub(crate) fn new(zone: TimeZone) -> Dates {
        Dates { last: Mutex::new((0, date(Timestamp::UNIX_EPOCH, &zone))), zone }
    }

    /// Appends the date of a time.
    fn push(&self, time: SystemTime, text: &mut String) {
        let stamp = Timestamp::try_from(time).unwrap_or(Timestamp::UNIX_EPOCH);
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.0 != stamp.as_second() {
            *last = (stamp.as_second(), date(stamp, &self.zone));
        }
        text.push_str(&last.1);
    }
}

/// `Tue, 05 Mar 2024 10:00:00 +0000 (UTC)`.
fn date(stamp: Timestamp, zone: &TimeZone) -> String {
    Zoned::new(stamp, zone.clone()).strftime(ipc::post::DATE).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn dates_are_as_postfix_writes_them() {
        let dates = Dates::new(TimeZone::UTC);
        for (seconds, expected) in [
            (1_709_632_800, "Tue, 05 Mar 2024 10:00:00 +0000 (UTC)"),
            (1_709_632_800, "Tue, 05 Mar 2024 10:00:00 +0000 (UTC)"),
            (1_709_632_799, "Tue, 05 Mar 2024 09:59:59 +0000 (UTC)"),
            (0, "Thu, 01 Jan 1970 00:00:00 +0000 (UTC)"),
        ] {
            let mut text = String::new();
            dates.push(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds), &mut text);
            assert_eq!(text, expected);
        }
    }
}
