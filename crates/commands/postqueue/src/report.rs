//! What is listed here alone: the form for programs, JSON with an object per line, and messages that were read from the queue.

use address::shown;
use ipc::showq::{Message, Recipient};
use mailq::{Report, sender};
use queue_file::listing::Listed;
use std::io::{self, Write};

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

/// Writes text in quotes, with escapes where JSON needs them.
fn string(out: &mut impl Write, text: &str) -> io::Result<()> {
    Ok(serde_json::to_writer(out, text)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use queue_file::listing::Waiting;
    use queue_file::{QueueId, QueueName};

    #[test]
    fn programs_get_json() {
        let waits = |original: &str, reason: &str| Waiting {
            address: b"a@example.org".to_vec(),
            original: original.into(),
            reason: reason.to_owned(),
        };
        let listed = Listed {
            queue: QueueName::Hold,
            id: QueueId::parse("3CCE398E1B0").unwrap(),
            arrived: 7,
            size: 2048,
            expiring: true,
            sender: Vec::new(),
            recipients: vec![waits("a@example.org", ""), waits("b@example.org", "no \"way\"")],
        };
        let mut out = Vec::new();
        Json.message(&mut out, &message(listed)).unwrap();
        let value: serde_json::Value = serde_json::from_slice(&out).unwrap();
        let expected = serde_json::json!({
            "queue_name": "hold",
            "queue_id": "3CCE398E1B0",
            "arrival_time": 7,
            "message_size": 2048,
            "forced_expire": true,
            "sender": "MAILER-DAEMON",
            "recipients": [
                {"address": "a@example.org", "orig_address": ""},
                {"address": "a@example.org", "orig_address": "b@example.org", "delay_reason": "no \"way\""},
            ],
        });
        assert_eq!(value, expected);
    }
}
