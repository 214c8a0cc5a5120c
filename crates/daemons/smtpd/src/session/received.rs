//! The `Received:` header that we add.

use jiff::Zoned;
use jiff::tz::TimeZone;

use super::Session;
use super::transaction::Envelope;
use crate::text::{external, printable};

impl Session {
    /// The header lines before the client's own content: what checks prepend, then our trace.
    pub(crate) fn leading_headers(&self, envelope: &Envelope) -> String {
        let mut text = String::with_capacity(256);
        for line in &envelope.actions.prepend {
            text.push_str(line);
            text.push('\n');
        }
        self.received(envelope, &mut text);
        text
    }

    fn received(&self, envelope: &Envelope, text: &mut String) {
        let identity = &self.server.params.identity;
        let peer = &self.peer;
        text.push_str("Received: ");
        if !self.hides_client() {
            let helo = self.helo.as_ref().map_or(peer.name.as_str(), |helo| helo.name.as_str());
            let helo = printable(helo.as_bytes());
            text.push_str(&format!("from {helo} ({} [{}])\n", peer.name, peer.rfc_address()));
            if let Some(tls) = self.tls.as_ref().filter(|_| self.server.params.smtpd.smtpd_tls_received_header) {
                text.push_str(&tls.received);
            }
            if let Some(login) = self.login.as_ref().filter(|_| self.server.params.sasl.smtpd_sasl_authenticated_header)
            {
                text.push_str(&format!("\t(Authenticated sender: {})\n", printable(login.username.as_bytes())));
            }
            text.push('\t');
        }
        let id = envelope.queue_id.as_deref().unwrap_or("NOQUEUE");
        let protocol = self.trace_protocol(envelope);
        text.push_str(&format!("by {} ({}) with {protocol} id {id}", identity.myhostname, identity.mail_name));
        match envelope.recipients.first.as_deref().filter(|_| envelope.recipients.count == 1) {
            Some(recipient) => text.push_str(&format!("\n\tfor <{}>; ", external(recipient))),
            None => text.push_str(";\n\t"),
        }
        text.push_str(&date(envelope.arrived, &self.server.settings.timezone));
        text.push('\n');
    }

    /// `ESMTPSA` and its kind (RFC 3848, 6531).
    fn trace_protocol(&self, envelope: &Envelope) -> String {
        let base = if envelope.sender.smtputf8 { "UTF8SMTP" } else { self.protocol() };
        if base == "SMTP" {
            return base.to_owned();
        }
        let secure = if self.tls.is_some() { "S" } else { "" };
        let authenticated = if self.login.is_some() { "A" } else { "" };
        format!("{base}{secure}{authenticated}")
    }

    fn hides_client(&self) -> bool {
        self.server.params.smtpd.smtpd_hide_client_session
    }
}

/// `Tue,  5 Mar 2024 10:00:00 +0000 (UTC)`.
fn date(time: std::time::SystemTime, zone: &TimeZone) -> String {
    let stamp = jiff::Timestamp::try_from(time).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    Zoned::new(stamp, zone.clone()).strftime("%a, %e %b %Y %H:%M:%S %z (%Z)").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, SystemTime};

    #[test]
    fn dates_are_as_postfix_writes_them() {
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_709_632_800);
        assert_eq!(date(time, &TimeZone::UTC), "Tue,  5 Mar 2024 10:00:00 +0000 (UTC)");
    }
}
