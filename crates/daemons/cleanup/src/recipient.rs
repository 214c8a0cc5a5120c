//! A recipient: rewritten, mapped, expanded, and written unless it was there already.

use std::sync::Arc;

use address::Address;
use dsn::Notify;
use ipc::bounce::{Entry, Reply, Request};
use ipc::cleanup::Switch;
use ipc::rewrite::Context;
use queue_file::Sizes;
use queue_file::record::{self, Type};
use table::Maps;

use crate::fate::Refusal;
use crate::mapping::Class;
use crate::message::{Message, Pending};

impl Message {
    /// Takes a recipient that the caller gave, with its automatic copies.
    pub(crate) async fn take_recipient(&mut self, given: Address, pending: Pending) -> Result<(), Refusal> {
        let rewritten = self.canonical(&given).await?;
        let original = if pending.original.is_empty() { given.into_bytes() } else { pending.original };
        let mapped = self.mapped(rewritten).await?;
        let dsn_original = if pending.dsn_original.is_empty() {
            let kind: &[u8] = if mapped.is_international() { b"utf-8;" } else { b"rfc822;" };
            [kind, &mapped.external()].concat()
        } else {
            pending.dsn_original
        };
        self.recipients.last = Some(mapped.clone());
        if self.has_own_filters() {
            self.given.push(mapped.clone());
        }
        if pending.notify != Notify::NEVER {
            self.recipients.qmgr_flags |= Sizes::notify(pending.notify.bits());
        }
        let copy = self.copy_of(&mapped).await?;
        self.expand(mapped, Pending { original, dsn_original, notify: pending.notify }).await?;
        match copy {
            Some(copy) => self.take_copy(copy).await,
            None => Ok(()),
        }
    }

    /// Takes an automatic recipient, of whose fate nobody wants to hear.
    pub(crate) async fn take_copy(&mut self, given: Address) -> Result<(), Refusal> {
        self.take_extra(given, Pending { notify: Notify::NEVER, ..Pending::default() }).await
    }

    /// Takes a recipient that the caller has not given; it has no automatic copies.
    pub(crate) async fn take_extra(&mut self, given: Address, pending: Pending) -> Result<(), Refusal> {
        let rewritten = self.canonical(&given).await?;
        let mapped = self.mapped(rewritten).await?;
        if pending.notify != Notify::NEVER {
            self.recipients.qmgr_flags |= Sizes::notify(pending.notify.bits());
        }
        self.expand(mapped.clone(), Pending { original: mapped.into_bytes(), ..pending }).await
    }

    async fn canonical(&self, address: &Address) -> Result<Address, Refusal> {
        self.desk.rewriter.canonical(Context::Local, address).await.map_err(|_| Refusal::write())
    }

    async fn mapped(&self, address: Address) -> Result<Address, Refusal> {
        if self.handling.mapping == Switch::Off {
            return Ok(address);
        }
        let desk = &self.desk;
        desk.tables.mapping.apply(&self.id, &desk.rewriter, Class::EnvelopeRecipient, address).await
    }

    /// The automatic copy that `recipient_bcc_maps` have for a recipient.
    async fn copy_of(&self, recipient: &Address) -> Result<Option<Address>, Refusal> {
        self.automatic_copy(&self.desk.tables.recipient_bcc_maps, recipient).await
    }

    /// The automatic copy that a table has for an address.
    pub(crate) async fn automatic_copy(&self, maps: &Maps, address: &Address) -> Result<Option<Address>, Refusal> {
        if maps.is_empty() || self.handling.bcc == Switch::Off {
            return Ok(None);
        }
        let (mapping, rewriter) = (&self.desk.tables.mapping, &self.desk.rewriter);
        let results = match mapping.found(maps, address).await {
            // `@domain` is nobody there, and not the same user.
            Ok(Some(found)) => mapping.listed(rewriter, &found.value, b"").await,
            Ok(None) => return Ok(None),
            Err(failed) => Err(failed),
        };
        match results {
            Ok(results) => {
                if results.len() > 1 {
                    tracing::warn!("{}: multi-valued {} entry for {address}", self.id, maps.parameter());
                }
                Ok(results.into_iter().find(|result| !result.is_empty()))
            }
            Err(_) => {
                tracing::warn!(
                    "{}: {} map lookup problem -- message not accepted, try again later",
                    self.id,
                    maps.parameter()
                );
                Err(Refusal::write())
            }
        }
    }

    async fn expand(&mut self, recipient: Address, mut pending: Pending) -> Result<(), Refusal> {
        if self.handling.mapping == Switch::Off || !self.desk.tables.mapping.has_aliases() {
            self.put_recipient(&recipient, &pending);
            return Ok(());
        }
        let desk = Arc::clone(&self.desk);
        let targets = desk.tables.mapping.expand(&self.id, &desk.rewriter, recipient.clone()).await?;
        if targets.len() > 1 && self.envelope.probe {
            return self.answer_probe(&recipient, &pending).await;
        }
        let is_expanded = targets != [recipient.clone()];
        if is_expanded && pending.notify.contains(Notify::SUCCESS) {
            self.trace_expansion(&recipient, &pending).await?;
            // RFC 3461 §5.2.7.3: the notice about the expansion is the only one about success.
            let rest = Notify::from_bits(pending.notify.bits() & !Notify::SUCCESS.bits()).unwrap_or(Notify::NEVER);
            pending.notify = if rest.is_unset() { Notify::NEVER } else { rest };
        }
        for target in &targets {
            self.put_recipient(target, &pending);
        }
        Ok(())
    }

    /// An address that stands for several exists, whatever becomes of these.
    async fn answer_probe(&mut self, recipient: &Address, pending: &Pending) -> Result<(), Refusal> {
        let text = "aliased to multiple recipients";
        let original = Address::new(pending.original.clone());
        let address = if original.is_empty() { recipient } else { &original };
        let update = ipc::verify::Request::Update {
            address: address.as_bytes().to_vec().into(),
            status: ipc::verify::Status::Ok,
            text: text.to_owned(),
        };
        let Ok(ipc::verify::Reply::Done) = self.desk.verify.call(update).await else {
            tracing::warn!("{}: verify service failure", self.id);
            return Err(Refusal::write());
        };
        self.log_outcome((recipient, &original), ("2.0.0", "deliverable", text));
        self.fate.discard = true;
        Ok(())
    }

    /// Tells the trace log that an alias was expanded, for the sender's notice.
    async fn trace_expansion(&self, recipient: &Address, pending: &Pending) -> Result<(), Refusal> {
        let entry = Entry {
            recipient: ipc::deliver::Recipient {
                offset: -1,
                address: recipient.as_bytes().to_vec().into(),
                original: pending.original.clone().into(),
                dsn_original: String::from_utf8_lossy(&pending.dsn_original).into_owned(),
                notify: pending.notify.bits(),
            },
            relay: "none".to_owned(),
            status: "2.0.0".to_owned(),
            action: "expanded".to_owned(),
            reason: "alias expanded".to_owned(),
            diagnostic_type: String::new(),
            diagnostic: String::new(),
            mta_type: String::new(),
            mta: String::new(),
        };
        match self.desk.trace.call(Request::Append { queue_id: self.id.clone(), entry }).await {
            Ok(Reply::Done) => Ok(()),
            Ok(Reply::Failed) | Err(_) => Err(Refusal::write()),
        }
    }

    /// By what a recipient is found to be there already.
    fn recipient_key(&self, recipient: &Address, pending: &Pending) -> Vec<u8> {
        if !self.desk.settings.enable_original_recipient {
            return recipient.folded();
        }
        let parts: [&[u8]; 4] =
            [&[pending.notify.bits()], &pending.dsn_original, &pending.original, recipient.as_bytes()];
        Address::new(parts.join(&b'\n')).folded()
    }

    /// A recipient is no longer there.
    pub(crate) fn forget_recipient(&mut self, recipient: &Address, pending: &Pending) {
        let key = self.recipient_key(recipient, pending);
        self.recipients.seen.remove(&key);
        self.recipients.count = self.recipients.count.saturating_sub(1);
        self.recipients.removed = true;
    }

    /// Writes a recipient, unless the same one is there.
    fn put_recipient(&mut self, recipient: &Address, pending: &Pending) {
        let key = self.recipient_key(recipient, pending);
        let limit = self.desk.settings.duplicate_filter_limit;
        let seen = &mut self.recipients.seen;
        if limit > 0 && seen.len() >= limit && !seen.contains(&key) {
            // Later repetitions of this one are not recognised.
        } else if !seen.insert(key) {
            return;
        }
        let records = self.segment();
        if !pending.notify.is_unset() {
            record::put_attribute(records, "notify_flags", pending.notify.bits().to_string().as_bytes());
        }
        if !pending.dsn_original.is_empty() {
            record::put_attribute(records, "dsn_orig_rcpt", &pending.dsn_original);
        }
        if !pending.original.is_empty() {
            record::put(records, Type::Original, &pending.original);
        }
        record::put(records, Type::Recipient, recipient.as_bytes());
        self.recipients.count += 1;
        self.recipients.utf8 |= recipient.is_international();
    }
}
