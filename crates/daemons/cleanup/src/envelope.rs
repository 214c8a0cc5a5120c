//! Takes the caller's envelope records: what is understood is obeyed, and all that belongs into the file goes there.

use address::{Address, Sender};
use dsn::Notify;
use ipc::cleanup::{Cause, HOLD, Switch};
use ipc::rewrite::Context;
use queue_file::Time;
use queue_file::record::{self, Pointers, Records, Type};

use crate::fate::Refusal;
use crate::mapping::Class;
use crate::message::{Message, Pending};

impl Message {
    /// Takes a batch of records.
    pub(crate) async fn take_envelope(&mut self, records: &[u8]) {
        let mut records = Records::new(records, 0, Pointers::Show);
        while !self.is_over() {
            let record = match records.next() {
                Ok(Some(record)) => record,
                Ok(None) => break,
                Err(error) => {
                    tracing::warn!("{}: unexpected envelope record: {error}", self.id);
                    return self.fate.refuse(Refusal::new(Cause::Malformed, ""));
                }
            };
            let result = self.take_record(record.kind, record.data).await;
            self.fate.take(result);
        }
        self.relieve().await;
    }

    async fn take_record(&mut self, kind: Type, data: &[u8]) -> Result<(), Refusal> {
        match kind {
            Type::Time => self.take_time(data),
            Type::Attribute => self.take_attribute(data),
            Type::Sender => self.take_sender(Address::new(data)).await,
            Type::FullName => {
                self.keep(kind, data);
                self.envelope.full_name = data.to_vec();
                Ok(())
            }
            Type::Original => {
                self.envelope.pending.original = data.to_vec();
                Ok(())
            }
            Type::DsnOriginal => {
                self.envelope.pending.dsn_original = data.to_vec();
                Ok(())
            }
            Type::DsnNotify => {
                self.envelope.pending.notify = notify(data);
                Ok(())
            }
            Type::Recipient => {
                let pending = std::mem::take(&mut self.envelope.pending);
                self.take_recipient(Address::new(data), pending).await
            }
            Type::Filter | Type::Inspect | Type::Redirect | Type::Warn | Type::Verp => {
                self.envelope.warned |= kind == Type::Warn;
                self.keep(kind, data);
                Ok(())
            }
            Type::Done | Type::Cancelled => {
                self.envelope.pending = Pending::default();
                Ok(())
            }
            Type::Flags => {
                let flags = std::str::from_utf8(data).ok().and_then(|text| text.trim().parse::<u32>().ok());
                self.fate.hold |= flags.unwrap_or_default() & HOLD != 0;
                Ok(())
            }
            Type::Line => Err(Refusal::new(Cause::Malformed, "")),
            // Known to other stages, or of old releases.
            Type::Size
            | Type::CreateTime
            | Type::ReturnReceipt
            | Type::ErrorsTo
            | Type::Priority
            | Type::Delay
            | Type::Message
            | Type::Deleted
            | Type::Extracted
            | Type::Pointer
            | Type::MilterCount
            | Type::Kill
            | Type::EnvelopeId
            | Type::DsnReturn
            | Type::End => Ok(()),
        }
    }

    fn keep(&mut self, kind: Type, data: &[u8]) {
        record::put(self.segment(), kind, data);
    }

    fn take_time(&mut self, data: &[u8]) -> Result<(), Refusal> {
        let time = Time::parse(data).ok_or_else(|| Refusal::new(Cause::Malformed, ""))?;
        self.put_time(time);
        Ok(())
    }

    /// Notes the arrival, and when the file was made.
    pub(crate) fn put_time(&mut self, time: Time) {
        let created = self.began.as_second().to_string();
        let records = self.segment();
        record::put_time(records, time);
        record::put_attribute(records, "create_time", created.as_bytes());
        self.envelope.arrived = Some(time);
    }

    fn take_attribute(&mut self, data: &[u8]) -> Result<(), Refusal> {
        let Some(middle) = memchr::memchr(b'=', data) else {
            return Err(Refusal::new(Cause::Malformed, ""));
        };
        let (name, rest) = data.split_at_checked(middle).unwrap_or_default();
        let value = rest.get(1..).unwrap_or_default();
        let text = || String::from_utf8_lossy(value);
        let envelope = &mut self.envelope;
        if envelope.pending.take_attribute(data) {
            return Ok(());
        }
        let most = self.desk.settings.limits.attributes;
        if envelope.attributes >= most {
            tracing::warn!("{}: message rejected: attribute count exceeds limit {most}", self.id);
            return Err(Refusal::new(Cause::Malformed, ""));
        }
        envelope.attributes += 1;
        match name {
            // Ours says when this file was made.
            b"create_time" => return Ok(()),
            b"rewrite_context" => {
                envelope.context = if value == b"remote" { Context::Remote } else { Context::Local };
            }
            b"trace_flags" => {
                envelope.probe = text().trim().parse().is_ok_and(|flags: u32| flags & ipc::verify::PROBE != 0);
                if envelope.sender.is_none() {
                    envelope.trace = data.to_vec();
                    return Ok(());
                }
            }
            b"envelope_id" => envelope.envelope_id = text().into_owned(),
            b"encoding" => envelope.encoding = text().into_owned(),
            b"ret_flags" => envelope.ret = text().trim().parse().ok().and_then(dsn::Ret::from_bits),
            _ => envelope.client.note(name, value),
        }
        self.keep(Type::Attribute, data);
        Ok(())
    }

    async fn take_sender(&mut self, given: Address) -> Result<(), Refusal> {
        if self.envelope.sender.is_some() {
            return Err(Refusal::new(Cause::Malformed, ""));
        }
        let desk = std::sync::Arc::clone(&self.desk);
        let mut sender = desk.rewriter.canonical(Context::Local, &given).await.map_err(|_| Refusal::write())?;
        if self.handling.mapping == Switch::On {
            sender = desk.tables.mapping.apply(&self.id, &desk.rewriter, Class::EnvelopeSender, sender).await?;
        }
        self.keep(Type::Sender, sender.as_bytes());
        // Once the report is sent this is a cancelled record. Postfix takes none before the sender.
        let trace = std::mem::take(&mut self.envelope.trace);
        if !trace.is_empty() {
            self.keep(Type::Attribute, &trace);
        }
        self.envelope.sender = Some(Sender::new(sender.into_bytes()));
        Ok(())
    }
}

impl Pending {
    /// Takes an attribute of the recipient that comes next; whether it is one.
    pub(crate) fn take_attribute(&mut self, data: &[u8]) -> bool {
        if let Some(value) = data.strip_prefix(b"notify_flags=") {
            self.notify = notify(value);
        } else if let Some(value) = data.strip_prefix(b"dsn_orig_rcpt=") {
            self.dsn_original = value.to_vec();
        } else {
            return false;
        }
        true
    }
}

fn notify(data: &[u8]) -> Notify {
    let bits = std::str::from_utf8(data).ok().and_then(|text| text.trim().parse().ok());
    bits.and_then(Notify::from_bits).unwrap_or(Notify::UNSET)
}
