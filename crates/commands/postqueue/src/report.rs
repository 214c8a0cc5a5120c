//! The list's two forms: the traditional one for people, and JSON, an object per line.

use address::shown;
use ipc::showq::{Message, Recipient};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use queue_file::listing::Listed;
use std::borrow::Cow;
use std::io::{self, Write};

/// A form of the list.
pub(crate) trait Report {
    /// Adds a message.
    fn message(&mut self, out: &mut impl Write, message: &Message) -> io::Result<()>;
    /// Ends the list.
    fn end(&mut self, out: &mut impl Write) -> io::Result<()>;
}

/// For people.
#[derive(Debug)]
pub(crate) struct People {
    zone: TimeZone,
    count: u64,
    bytes: u64,
}

impl Default for People {
    fn default() -> Self {
        Self { zone: TimeZone::system(), count: 0, bytes: 0 }
    }
}

/// For programs.
#[derive(Debug)]
pub(crate) struct Json;

/// What showq would tell of a message that was read here.
pub(crate) fn message(listed: Listed) -> Message {
    let recipients = listed.recipients.into_iter().map(|waiting| Recipient {
        address: waiting.address.into(),
        original: waiting.original.into(),
        reason: waiting.reason,
    });
    Message {
        queue_name: listed.queue.to_string(),
        queue_id: listed.id.to_string(),
        arrived: listed.arrived,
        size: listed.size,
        expiring: listed.expiring,
        sender: listed.sender.into(),
        recipients: recipients.collect(),
    }
}

impl Report for People {
    fn message(&mut self, out: &mut impl Write, message: &Message) -> io::Result<()> {
        if self.count == 0 {
            writeln!(out, "-Queue ID-  --Size-- ----Arrival Time---- -Sender/Recipient-------")?;
        }
        self.count += 1;
        self.bytes += message.size;
        let mark = match message.queue_name.as_str() {
            _ if message.expiring => "#",
            "active" => "*",
            "hold" => "!",
            _ => "",
        };
        let id = format!("{}{mark}", message.queue_id);
        let time = Timestamp::from_second(message.arrived).unwrap_or_default().to_zoned(self.zone.clone());
        let time = time.strftime("%a %b %e %H:%M:%S").to_string();
        writeln!(out, "{id:<11} {:>7} {time:<20} {}", message.size, sender(&message.sender))?;
        let mut reason = "";
        for recipient in &message.recipients {
            if recipient.reason != reason {
                let told = if recipient.reason.is_empty() { "reason unavailable" } else { &recipient.reason };
                let indent = 76_usize.saturating_sub(told.len());
                writeln!(out, "{:indent$}({told})", "")?;
            }
            reason = &recipient.reason;
            writeln!(out, "{:41}{}", "", shown(&recipient.address))?;
        }
        writeln!(out)
    }

    fn end(&mut self, out: &mut impl Write) -> io::Result<()> {
        match self.count {
            0 => writeln!(out, "Mail queue is empty"),
            1 => writeln!(out, "-- {} Kbytes in 1 Request.", self.bytes / 1024),
            count => writeln!(out, "-- {} Kbytes in {count} Requests.", self.bytes / 1024),
        }
    }
}

impl Report for Json {
    fn message(&mut self, out: &mut impl Write, message: &Message) -> io::Result<()> {
        out.write_all(b"{\"queue_name\": ")?;
        string(out, &message.queue_name)?;
        out.write_all(b", \"queue_id\": ")?;
        string(out, &message.queue_id)?;
        write!(out, ", \"arrival_time\": {}, \"message_size\": {}, ", message.arrived, message.size)?;
        write!(out, "\"forced_expire\": {}, \"sender\": ", message.expiring)?;
        string(out, &sender(&message.sender))?;
        out.write_all(b", \"recipients\": [")?;
        for (index, recipient) in message.recipients.iter().enumerate() {
            let original = if recipient.original == recipient.address { &[][..] } else { &recipient.original };
            out.write_all(if index == 0 { b"{\"address\": " } else { b", {\"address\": " })?;
            string(out, &shown(&recipient.address))?;
            out.write_all(b", \"orig_address\": ")?;
            string(out, &shown(original))?;
            if !recipient.reason.is_empty() {
                out.write_all(b", \"delay_reason\": ")?;
                string(out, &recipient.reason)?;
            }
            out.write_all(b"}")?;
        }
        writeln!(out, "]}}")
    }

    fn end(&mut self, _: &mut impl Write) -> io::Result<()> {
        Ok(())
    }
}

fn sender(address: &[u8]) -> Cow<'_, str> {
    if address.is_empty() { Cow::Borrowed("MAILER-DAEMON") } else { shown(address) }
}

/// Writes text in quotes, with escapes where JSON needs them.
fn string(out: &mut impl Write, text: &str) -> io::Result<()> {
    Ok(serde_json::to_writer(out, text)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed() -> Message {
        let recipient = |address: &'static str, reason: &str| Recipient {
            address: address.as_bytes().into(),
            original: address.as_bytes().into(),
            reason: reason.to_owned(),
        };
        Message {
            queue_name: "deferred".to_owned(),
            queue_id: "3CCE398E1B0".to_owned(),
            arrived: 0,
            size: 2048,
            expiring: false,
            sender: Vec::new().into(),
            recipients: vec![recipient("a@example.org", "no \"way\""), recipient("b@example.org", "no \"way\"")],
        }
    }

    #[test]
    fn people_see_each_reason_once() {
        let mut report = People { zone: TimeZone::UTC, count: 0, bytes: 0 };
        let mut out = Vec::new();
        report.message(&mut out, &listed()).unwrap();
        report.end(&mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[1], "3CCE398E1B0    2048 Thu Jan  1 00:00:00  MAILER-DAEMON");
        assert_eq!(lines[2].trim(), "(no \"way\")");
        assert_eq!(lines[2].len(), 78);
        assert_eq!(lines[3..5], [format!("{:41}a@example.org", ""), format!("{:41}b@example.org", "")]);
        assert_eq!(lines[5..], ["", "-- 2 Kbytes in 1 Request."]);
    }

    #[test]
    fn people_see_who_waits_for_no_reason() {
        let mut message = listed();
        message.recipients.last_mut().unwrap().reason.clear();
        let mut out = Vec::new();
        People { zone: TimeZone::UTC, count: 0, bytes: 0 }.message(&mut out, &message).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text.lines().nth(4).map(str::trim_start), Some("(reason unavailable)"), "{text}");
    }

    #[test]
    fn an_empty_queue_is_told() {
        let mut out = Vec::new();
        People::default().end(&mut out).unwrap();
        assert_eq!(out, b"Mail queue is empty\n");
    }

    #[test]
    fn programs_get_json() {
        let mut out = Vec::new();
        Json.message(&mut out, &listed()).unwrap();
        let value: serde_json::Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(value["recipients"][1]["delay_reason"], "no \"way\"");
        assert_eq!(value["recipients"][0]["orig_address"], "");
        assert_eq!(value["sender"], "MAILER-DAEMON");
    }
}
