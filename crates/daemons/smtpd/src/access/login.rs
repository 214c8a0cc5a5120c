//! Who may use a sender address: `smtpd_sender_login_maps` against the name that the client logged in with.

use smtp_proto::Enhanced;
use table::Strategy;

use super::restriction::Mismatch;
use super::{Check, Refusal, Subject, Verdict};
use crate::text::printable;

impl Check<'_> {
    pub(crate) async fn reject_login_mismatch(&mut self, mismatch: Mismatch) -> Verdict {
        let Some(sender) = self.facts.sender.filter(|sender| !sender.is_empty()) else { return Verdict::Dunno };
        let asks = match (mismatch, self.facts.login) {
            (Mismatch::Any, _) => true,
            (Mismatch::Authenticated | Mismatch::Known, login) => login.is_some(),
            (Mismatch::Unauthenticated, login) => login.is_none(),
        };
        if !asks {
            return Verdict::Dunno;
        }
        let Some(resolved) = self.resolve(sender).await else {
            return self.lookup_failed(sender);
        };
        let maps = &self.server.tables.smtpd_sender_login_maps;
        let owners = match self.server.tables.address_find.find(maps, &resolved.recipient, Strategy::MAIL).await {
            Ok(found) => found.map(|found| String::from_utf8_lossy(&found.value).into_owned()),
            Err(_) => return self.lookup_failed(sender),
        };
        let subject = Subject { name: printable(sender), class: "Sender address" };
        let refused = match (self.facts.login, owners) {
            (Some(login), Some(owners)) => {
                (!is_among(&owners, &login.username)).then(|| format!("not owned by user {}", login.username))
            }
            (Some(login), None) if mismatch != Mismatch::Known => Some(format!("not owned by user {}", login.username)),
            (None, Some(_)) => Some("not logged in".to_owned()),
            (Some(_) | None, None) => None,
        };
        match refused {
            Some(text) => self.refuse(Refusal::policy(553, Enhanced(5, 7, 1), subject.rejected(&text))),
            None => Verdict::Dunno,
        }
    }
}

fn is_among(owners: &str, name: &str) -> bool {
    owners.split([',', ' ', '\t', '\r', '\n']).any(|owner| owner.eq_ignore_ascii_case(name))
}
