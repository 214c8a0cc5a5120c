//! `reject_unverified_sender` and `reject_unverified_recipient`: whether the next hop would take mail for an address.

use ipc::verify::{Reply, Request, Status};
use smtp_proto::Enhanced;
use tracing::warn;

use super::restriction::Party;
use super::{Check, Fault, Refusal, Subject, Verdict};

impl Check<'_> {
    pub(crate) async fn reject_unverified(&mut self, party: Party) -> Verdict {
        let Some((given, subject)) = self.party(party) else { return Verdict::Dunno };
        let Some(resolved) = self.resolve(&given).await else {
            return self.lookup_failed(&given);
        };
        match self.verified(&resolved.recipient).await {
            Some((status, _)) if self.accepts_unverified(party, status) => Verdict::Dunno,
            Some((Status::Ok, _)) => Verdict::Dunno,
            Some((Status::Bounced, text)) => self.deny_unverified(party, &subject, &text),
            Some((Status::Deferred, text)) => self.defer_unverified(party, &subject, &text),
            Some((Status::Pending, _)) => self.defer_unverified(party, &subject, "Address verification in progress"),
            None => {
                let fallback = "Address verification service is unavailable";
                self.defer_unverified(party, &subject, fallback)
            }
        }
    }

    /// Whether the code for such a result says that the address is taken all the same, as 250 does.
    fn accepts_unverified(&self, party: Party, status: Status) -> bool {
        let codes = &self.server.codes;
        let (rejected, deferred) = match party {
            Party::Sender => (codes.unverified_sender_reject_code, codes.unverified_sender_defer_code),
            Party::Recipient => (codes.unverified_recipient_reject_code, codes.unverified_recipient_defer_code),
        };
        (200..300).contains(&if status == Status::Bounced { rejected } else { deferred })
    }

    /// Asks until there is a result, or `address_verify_poll_count` times.
    async fn verified(&self, address: &[u8]) -> Option<(Status, String)> {
        let verify = &self.server.params.verify;
        let most = self.server.limits().address_verify_poll_count.max(1);
        for attempt in 1..=most {
            match self.server.verify.call(Request::Query(address.to_vec().into())).await {
                Ok(Reply::Known(Status::Pending, _)) if attempt < most => {
                    tokio::time::sleep(verify.address_verify_poll_delay).await;
                }
                Ok(Reply::Known(status, text)) => return Some((status, text)),
                Ok(Reply::Done | Reply::Failed) => return None,
                Err(error) => {
                    warn!("problem talking to service {}: {error}", verify.address_verify_service_name);
                    return None;
                }
            }
        }
        Some((Status::Pending, String::new()))
    }

    fn deny_unverified(&mut self, party: Party, subject: &Subject<'_>, text: &str) -> Verdict {
        let access = &self.server.params.access;
        let (code, reason, detail) = match party {
            Party::Sender => {
                (self.server.codes.unverified_sender_reject_code, &access.unverified_sender_reject_reason, 7)
            }
            Party::Recipient => {
                (self.server.codes.unverified_recipient_reject_code, &access.unverified_recipient_reject_reason, 1)
            }
        };
        let kind = if code >= 500 { "undeliverable" } else { "unverified" };
        let text = subject.rejected(&format!("{kind} address: {:.250}", given(reason, text)));
        self.refuse(Refusal { code, status: Enhanced(5, 1, detail), text, fault: Fault::Bounce })
    }

    fn defer_unverified(&mut self, party: Party, subject: &Subject<'_>, text: &str) -> Verdict {
        let access = &self.server.params.access;
        let (code, action, reason, detail) = match party {
            Party::Sender => (
                self.server.codes.unverified_sender_defer_code,
                self.server.settings.tempfail.verified_sender,
                &access.unverified_sender_reject_reason,
                7,
            ),
            Party::Recipient => (
                self.server.codes.unverified_recipient_defer_code,
                self.server.settings.tempfail.verified_recipient,
                &access.unverified_recipient_reject_reason,
                1,
            ),
        };
        let text = format!("unverified address: {:.250}", given(reason, text));
        let (status, text) = (Enhanced(4, 1, detail), subject.rejected(&text));
        self.temporary(action, Refusal::policy(code, status, text))
    }
}

/// The reason that is configured, if any, instead of what the probe has found.
fn given<'t>(configured: &'t str, found: &'t str) -> &'t str {
    if configured.is_empty() { found } else { configured }
}
