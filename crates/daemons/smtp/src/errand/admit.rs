//! Who can have the message at all, where master.cf has headers put before it: `flags=DO`.

use delivery::loops::Delivered;
use delivery::{Attempt, content_of};
use dsn::{Detail, Status};
use tracing::warn;

use super::Errand;

impl Errand<'_> {
    /// Settles those who cannot. A header for one recipient is not for several to see, and who has had the message by its
    /// own word does not get it again.
    pub(super) async fn admit(&mut self) {
        let attributes = &self.carrier.attributes;
        let Some(flag) = attributes.flags.for_one_recipient() else { return };
        self.attempt = Attempt::by(attributes.service.as_str());
        if self.left.len() > 1 {
            warn!("flag `{flag}' requires {}_destination_recipient_limit = 1", attributes.service);
            let detail = Detail::new(Status::temporary(3, 5), "mail system configuration error");
            while let Some(number) = self.left.first().copied() {
                self.settle(number, detail.clone()).await;
            }
        }
        if attributes.flags.has('D') {
            self.refuse_loops().await;
        }
    }

    async fn refuse_loops(&mut self) {
        let request = self.request();
        if self.left.is_empty() {
            return;
        }
        let delivered = match Delivered::read(&mut content_of(self.delivery.file(), request.message.data_offset)) {
            Ok(delivered) => delivered,
            Err(error) => {
                warn!("{}: {error}", request.queue_id);
                self.left.clear();
                return;
            }
        };
        for number in self.left.clone() {
            let Some(recipient) = request.recipients.get(number) else { continue };
            if let Some(outcome) = delivered.refusal(&recipient.address) {
                let _ = self.delivery.settle(recipient, &self.attempt, outcome).await;
                self.left.remove(&number);
            }
        }
    }
}
