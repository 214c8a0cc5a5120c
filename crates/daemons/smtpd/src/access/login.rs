//! Who may use a sender address: `smtpd_sender_login_maps` against the name that the client logged in with.

use smtp_proto::Enhanced;
use table::Strategy;

use tracing::warn;

use super::restriction::Mismatch;
use super::{Check, Refusal, Subject, Verdict};
use crate::session::login::Login;
use crate::text::told;

impl Check<'_> {
    /// Whether clients can log in at all. Restrictions that are about them mean nothing where they cannot.
    pub(crate) fn knows_logins(&self, restrictions: &[&str]) -> bool {
        let known = self.server.params.smtpd.smtpd_sasl_auth_enable;
        if !known {
            for restriction in restrictions {
                warn!("restriction `{restriction}' ignored: no SASL support");
            }
        }
        known
    }

    pub(crate) async fn reject_login_mismatch(&mut self, mismatch: Mismatch) -> Verdict {
        if !self.knows_logins(mismatch.names()) {
            return Verdict::Dunno;
        }
        let Some(sender) = self.facts.sender.filter(|sender| !sender.is_empty()) else { return Verdict::Dunno };
        if !mismatch.is_about(self.facts.login) {
            return Verdict::Dunno;
        }
        let Some(resolved) = self.resolve(sender).await else {
            return self.lookup_failed(sender);
        };
        let maps = &self.server.tables.smtpd_sender_login_maps;
        let owners = match self.server.tables.address_find.find(maps, &resolved.recipient, Strategy::MAIL).await {
            Ok(found) => found.map(|found| String::from_utf8_lossy(&found.value).into_owned()),
            Err(error) => return self.table_failed(sender, &error),
        };
        let subject = Subject { name: told(sender), class: "Sender address" };
        match mismatch.found(self.facts.login, owners.as_deref()) {
            Some(text) => self.refuse(Refusal::policy(553, Enhanced(5, 7, 1), subject.rejected(&text))),
            None => Verdict::Dunno,
        }
    }
}

impl Mismatch {
    /// The restrictions that look for it, for warnings.
    fn names(self) -> &'static [&'static str] {
        match self {
            Mismatch::Any => {
                &["reject_authenticated_sender_login_mismatch", "reject_unauthenticated_sender_login_mismatch"]
            }
            Mismatch::Authenticated => &["reject_authenticated_sender_login_mismatch"],
            Mismatch::Known => &["reject_known_sender_login_mismatch"],
            Mismatch::Unauthenticated => &["reject_unauthenticated_sender_login_mismatch"],
        }
    }

    /// Whether clients that have, or have not, logged in are asked about.
    fn is_about(self, login: Option<&Login>) -> bool {
        match self {
            Mismatch::Any | Mismatch::Known => true,
            Mismatch::Authenticated => login.is_some(),
            Mismatch::Unauthenticated => login.is_none(),
        }
    }

    /// What is wrong with a sender that has these owners.
    fn found(self, login: Option<&Login>, owners: Option<&str>) -> Option<String> {
        match (login, owners) {
            (None, Some(_)) => Some("not logged in".to_owned()),
            (None, None) => None,
            (Some(_), None) if self == Mismatch::Known => None,
            (Some(login), Some(owners)) if is_among(owners, &login.username) => None,
            (Some(login), _) => Some(format!("not owned by user {}", login.username)),
        }
    }
}

fn is_among(owners: &str, name: &str) -> bool {
    owners.split([',', ' ', '\t', '\r', '\n']).any(|owner| owner.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn senders_belong_to_their_owners() {
        let joe = Login { method: "plain".to_owned(), username: "joe".to_owned(), sender: String::new() };
        let (joe, stranger, other) = (Some(&joe), Some("not logged in"), Some("not owned by user joe"));
        for (mismatch, login, owners, expected) in [
            (Mismatch::Known, None, Some("joe"), stranger),
            (Mismatch::Known, None, None, None),
            (Mismatch::Known, joe, None, None),
            (Mismatch::Known, joe, Some("bob, jane"), other),
            (Mismatch::Known, joe, Some("bob, JOE"), None),
            (Mismatch::Any, joe, None, other),
            (Mismatch::Any, None, Some("joe"), stranger),
            (Mismatch::Authenticated, joe, None, other),
            (Mismatch::Authenticated, None, Some("joe"), None),
            (Mismatch::Unauthenticated, None, Some("joe"), stranger),
            (Mismatch::Unauthenticated, joe, None, None),
        ] {
            let found = mismatch.is_about(login).then(|| mismatch.found(login, owners)).flatten();
            assert_eq!(found.as_deref(), expected, "{mismatch:?} {login:?} {owners:?}");
        }
    }
}
