//! The end of a message: the last records, and then committed, thrown away, refused or returned.

use address::{Address, Sender};
use std::sync::Arc;

use ipc::bounce::{Entry, Notice, Reply, Request};
use ipc::cleanup::{Cause, Switch, Verdict};
use maillog::line::{Delays, Delivery};
use queue_file::record::{self, Type};
use queue_file::{QueueName, SMTPUTF8_REQUESTED, Sizes, TLS_NOT_REQUIRED, TLS_REQUIRED};

use crate::content::{RequireTlsHeader, TlsRequired};
use crate::fate::Refusal;
use crate::filter::Line;
use crate::message::Message;
use crate::settings::{RequireTls, Utf8};

/// Flags of the `C` record: by what SMTPUTF8 is needed.
const UTF8_HEADER: u32 = 2;
const UTF8_SENDER: u32 = 4;
const UTF8_RECIPIENT: u32 = 8;

impl Message {
    /// Ends the message.
    #[cfg(test)]
    pub(crate) async fn finish(self) -> Verdict {
        self.finish_with(None).await
    }

    /// Ends the message; its filters are asked through the caller.
    pub(crate) async fn finish_with(mut self, line: Option<&mut Line>) -> Verdict {
        self.end_content().await;
        self.fate.settle_objections();
        if !self.is_over() {
            let result = self.add_copies().await;
            self.fate.take(result);
        }
        if !self.is_over() && self.fate.refusal.is_none() {
            let result = self.filter(line).await;
            self.fate.take(result);
            // Checks of what filters have made ask for copies too.
            let result = self.add_copies_of_checks().await;
            self.fate.take(result);
        }
        let extracted_at = self.end_records();
        self.check_size();
        // Who takes all recipients away wants the message to be delivered to nobody.
        let nobody = self.recipients.count == 0 && !self.recipients.removed;
        if nobody && self.fate.refusal.is_none() && !self.fate.discard {
            self.fate.refuse(Refusal::new(Cause::NoRecipients, ""));
        }
        match self.fate.refusal.take() {
            Some(refusal) => Box::pin(self.refuse(refusal, extracted_at)).await,
            None if self.fate.discard => {
                tracing::info!("{}: removed (discarded)", self.id);
                self.drop_draft().await;
                Verdict::Discarded
            }
            None => self.commit(extracted_at).await,
        }
    }

    /// Automatic recipients: of the sender, of everything, and of checks.
    async fn add_copies(&mut self) -> Result<(), Refusal> {
        let desk = Arc::clone(&self.desk);
        if self.handling.bcc == Switch::On && self.recipients.count > 0 {
            if !desk.settings.always_bcc.is_empty() {
                let items = address::tree::parse(desk.settings.always_bcc.as_bytes(), usize::MAX);
                if let Some(copy) = address::tree::addresses(&items).next() {
                    Box::pin(self.take_copy(copy.clone())).await?;
                }
            }
            if let Some(sender) = self.sender().address().cloned()
                && let Some(copy) = self.automatic_copy(&desk.tables.sender_bcc_maps, &sender).await?
            {
                Box::pin(self.take_copy(copy)).await?;
            }
        }
        self.add_copies_of_checks().await
    }

    async fn add_copies_of_checks(&mut self) -> Result<(), Refusal> {
        for copy in std::mem::take(&mut self.fate.copies) {
            Box::pin(self.take_copy(copy)).await?;
        }
        Ok(())
    }

    /// Writes everything behind the content; says where that begins.
    fn end_records(&mut self) -> u64 {
        let Some(draft) = &mut self.draft else { return 0 };
        let extracted_at = draft.position();
        let out = draft.records();
        record::put(out, Type::Extracted, b"");
        if let Some(filter) = &self.fate.filter {
            record::put(out, Type::Filter, filter.as_bytes());
        }
        if let Some(redirect) = &self.fate.redirect {
            record::put(out, Type::Redirect, redirect.as_bytes());
        }
        if let Some(encoding) = self.content.header.encoding.filter(|found| *found != self.envelope.encoding) {
            record::put_attribute(out, "encoding", encoding.as_bytes());
        }
        out.append(&mut self.extracted);
        record::put(out, Type::End, b"");
        extracted_at
    }

    fn sizes(&self, extracted_at: u64) -> Sizes {
        let data_offset = self.draft.as_ref().map_or(0, crate::draft::Draft::data_offset);
        let data_size = extracted_at.saturating_sub(data_offset);
        Sizes {
            data_size,
            data_offset,
            recipient_count: self.recipients.count,
            qmgr_flags: self.recipients.qmgr_flags,
            content_size: data_size,
            send_flags: self.send_flags(),
        }
    }

    fn send_flags(&self) -> u32 {
        let needs = [
            (self.content.header.utf8, UTF8_HEADER),
            (matches!(self.sender(), Sender::Mailbox(sender) if sender.is_international()), UTF8_SENDER),
            (self.recipients.utf8, UTF8_RECIPIENT),
        ];
        let needed = needs.iter().filter(|(needs, _)| *needs).map(|(_, flag)| flag).sum::<u32>();
        let detects = self.handling.autodetect == Switch::On && self.desk.settings.utf8 == Utf8::Noted;
        let asked = self.handling.smtputf8 == Switch::On || detects && needed != 0;
        let header = &self.content.header;
        let waived = match header.tls_required {
            TlsRequired::Unsaid => 0,
            TlsRequired::No => TLS_NOT_REQUIRED,
        };
        let requested = self.handling.requiretls == Switch::On || header.requiretls == RequireTlsHeader::Present;
        let required = if requested && self.desk.settings.requiretls != RequireTls::Ignored { TLS_REQUIRED } else { 0 };
        waived | required | if asked { SMTPUTF8_REQUESTED | needed } else { 0 }
    }

    async fn commit(&mut self, extracted_at: u64) -> Verdict {
        let sizes = self.sizes(extracted_at);
        let queue = if self.fate.hold { QueueName::Hold } else { QueueName::Incoming };
        let Some(draft) = self.draft.take() else {
            return Refusal::write().into_verdict();
        };
        let done = draft.commit(&self.desk, queue, sizes, extracted_at).await;
        match done {
            Ok(done) => {
                if queue == QueueName::Incoming {
                    self.desk.handover.send(ipc::qmgr::Arrival {
                        queue_id: done.committed.id().as_str().to_owned(),
                        arrived: queue_file::Time::now().seconds,
                        leading: done.leading,
                        extracted_at: done.extracted_at,
                        extracted: done.extracted,
                    });
                }
                Verdict::Queued
            }
            Err(error) => {
                self.write_error(&error);
                Refusal::write().into_verdict()
            }
        }
    }

    /// Does not accept the message; returns it to its sender where the caller cannot.
    async fn refuse(&mut self, refusal: Refusal, extracted_at: u64) -> Verdict {
        let returns = self.handling.bounce == Switch::On && refusal.is_final() && self.envelope.sender.is_some();
        let verdict = if returns {
            match self.return_to_sender(&refusal, extracted_at).await {
                Ok(()) => Verdict::Discarded,
                Err(later) => later.into_verdict(),
            }
        } else {
            refusal.into_verdict()
        };
        self.drop_draft().await;
        verdict
    }

    async fn return_to_sender(&mut self, refusal: &Refusal, extracted_at: u64) -> Result<(), Refusal> {
        let sizes = self.sizes(extracted_at);
        let draft = self.draft.take().ok_or_else(Refusal::write)?;
        let draft = draft.complete(sizes).await.map_err(|_| Refusal::write())?;
        let recipients = recipients_of(&self.desk.spool, &draft)?;
        self.draft = Some(draft);
        for recipient in recipients {
            self.note_bounce(recipient, refusal).await?;
        }
        let notice = Notice {
            queue_name: QueueName::Incoming.as_str().to_owned(),
            queue_id: self.id.clone(),
            sender: self.sender().as_bytes().to_vec().into(),
            encoding: self.content.header.encoding.unwrap_or(&self.envelope.encoding).to_owned(),
            smtputf8: self.send_flags(),
            envelope_id: self.envelope.envelope_id.clone(),
            ret: refusal.returned(self.envelope.ret).map(|ret| ret.to_string()).unwrap_or_default(),
        };
        self.ask_bounce(Request::Notify(notice)).await
    }

    async fn note_bounce(&self, recipient: queue_file::Recipient, refusal: &Refusal) -> Result<(), Refusal> {
        let (status, reason) = refusal.detail();
        let to = Address::new(recipient.address.clone());
        let original = Address::new(recipient.original.clone());
        let entry = Entry {
            recipient: ipc::deliver::Recipient {
                offset: -1,
                address: recipient.address.into(),
                original: recipient.original.into(),
                dsn_original: String::from_utf8_lossy(&recipient.dsn_original).into_owned(),
                notify: recipient.notify,
            },
            relay: "none".to_owned(),
            status: status.to_owned(),
            action: "failed".to_owned(),
            reason: reason.to_owned(),
            diagnostic_type: String::new(),
            diagnostic: String::new(),
            mta_type: String::new(),
            mta: String::new(),
        };
        self.ask_bounce(Request::Append { queue_id: self.id.clone(), entry }).await?;
        self.log_outcome((&to, &original), (status, "bounced", reason));
        Ok(())
    }

    /// The line of a recipient whose fate is decided here: its address and the original one; status, word and text.
    pub(crate) fn log_outcome(&self, (to, original): (&Address, &Address), (dsn, status, text): (&str, &str, &str)) {
        let arrived = self.envelope.arrived.unwrap_or_default().as_microseconds();
        let line = Delivery {
            queue_id: &self.id,
            to: to.to_string().into(),
            orig_to: original.to_string().into(),
            relay: "none",
            conn_use: 0,
            delays: Delays::between(arrived, 0, 0, None, jiff::Timestamp::now().as_microsecond()),
            resolution: self.desk.settings.delay_logging_resolution_limit,
            tls: None,
            dsn: dsn.into(),
            status,
            text: text.into(),
        };
        tracing::info!("{line}");
    }

    async fn ask_bounce(&self, request: Request) -> Result<(), Refusal> {
        match self.desk.bounce.call(request).await {
            Ok(Reply::Done) => Ok(()),
            Ok(Reply::Failed) => Err(Refusal::write()),
            Err(error) => {
                tracing::warn!("{}: problem talking to service bounce: {error}", self.id);
                Err(Refusal::write())
            }
        }
    }

    pub(crate) async fn drop_draft(&mut self) {
        if let Some(draft) = self.draft.take() {
            draft.discard().await;
        }
    }
}

/// The recipients of a file that is complete.
fn recipients_of(
    spool: &queue_file::Spool,
    draft: &crate::draft::Draft,
) -> Result<Vec<queue_file::Recipient>, Refusal> {
    let id = queue_file::QueueId::parse(draft.id()).ok_or_else(Refusal::write)?;
    let file = spool.open_read(QueueName::Incoming, &id).map_err(|_| Refusal::write())?;
    let message = queue_file::Message::parse(queue_file::Buffered::large(file), usize::MAX);
    message.map(|message| message.recipients).map_err(|_| Refusal::write())
}
