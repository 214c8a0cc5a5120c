//! Walks a restriction list and returns the first verdict that binds.
//!
//! A temporary failure that might have hidden a reason to refuse is remembered, and turns a later permission into a
//! deferral; `defer_if_reject` does the same to a refusal. `warn_if_reject` turns a refusal into a log line.

use std::pin::Pin;

use smtp_proto::Enhanced;
use tracing::warn;

use super::restriction::{OnClient, OnEnvelope, OnHelo, Party};
use super::verdict::Checks;
use super::{Actions, Facts, Fault, Refusal, Restriction, Subject, Verdict};
use crate::Smtpd;

/// Deferrals that wait for what the rest of the lists says.
#[derive(Debug, Clone, Default)]
pub(crate) struct Deferral {
    /// Instead of permission.
    pub(crate) if_permit: Option<Refusal>,
    /// Instead of refusal.
    pub(crate) if_reject: Option<Refusal>,
}

/// What has been asked already in this walk, so that it need not be asked again at its end.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Asked {
    pub(crate) sender_listed: bool,
    pub(crate) recipient_listed: bool,
}

/// One evaluation of restriction lists.
pub(crate) struct Check<'a> {
    pub(crate) server: &'a Smtpd,
    pub(crate) facts: Facts<'a>,
    pub(crate) actions: &'a mut Actions,
    pub(crate) deferral: Deferral,
    pub(crate) asked: Asked,
    /// Faults of refusals, for `notify_classes`.
    pub(crate) faults: Vec<Fault>,
    /// Whether `smtpd_log_access_permit_actions` counts.
    pub(crate) logs_permit: bool,
    warn: bool,
    depth: u8,
}

/// What is to be set right here is no concern of the client's.
pub(crate) const MISCONFIGURED: &str = "Server configuration error";

/// Lists within lists (classes, results of tables) go no deeper.
const DEPTH: u8 = 100;

type Walking<'w> = Pin<Box<dyn Future<Output = Verdict> + Send + 'w>>;

impl<'a> Check<'a> {
    pub(crate) fn new(server: &'a Smtpd, facts: Facts<'a>, actions: &'a mut Actions, deferral: Deferral) -> Check<'a> {
        Check {
            server,
            facts,
            actions,
            deferral,
            asked: Asked::default(),
            faults: Vec::new(),
            logs_permit: true,
            warn: false,
            depth: 0,
        }
    }

    /// Walks a list.
    pub(crate) async fn walk(&mut self, list: &[Restriction], subject: &Subject<'_>) -> Verdict {
        for restriction in list {
            // Of a message that a table discards nothing more is asked, nor where the answer is a deferral either way.
            if self.actions.checks == Checks::Ended
                || (self.deferral.if_permit.is_some() && self.deferral.if_reject.is_some())
            {
                break;
            }
            match self.apply(restriction, subject).await {
                Verdict::Dunno => {}
                verdict @ (Verdict::Permit | Verdict::Reject(_)) => return verdict,
            }
        }
        Verdict::Dunno
    }

    /// Walks a list within a list.
    pub(crate) fn walk_inner<'w>(&'w mut self, list: &'w [Restriction], subject: &'w Subject<'_>) -> Walking<'w> {
        Box::pin(async move {
            if self.depth >= DEPTH {
                warn!("SMTPD access map, policy or class recursion is too deep, subject {}", subject.name);
                return self.misconfigured();
            }
            self.depth += 1;
            let verdict = self.walk(list, subject).await;
            self.depth -= 1;
            verdict
        })
    }

    async fn apply(&mut self, restriction: &Restriction, subject: &Subject<'_>) -> Verdict {
        match restriction {
            Restriction::Permit => self.permit("permit", subject, ""),
            Restriction::Reject => self.reject_plainly(subject),
            Restriction::Defer => self.defer_plainly(subject),
            Restriction::DeferIfPermit => {
                let text = subject.rejected("defer_if_permit requested");
                self.defer_if_permit(Refusal::policy(450, Enhanced(4, 7, 0), text))
            }
            Restriction::DeferIfReject => {
                let text = subject.rejected("defer_if_reject requested");
                self.defer_if_reject(Refusal::policy(450, Enhanced(4, 7, 0), text))
            }
            Restriction::Sleep(time) => {
                tokio::time::sleep(*time).await;
                Verdict::Dunno
            }
            Restriction::WarnIfReject(inner) => self.warn_if_reject(inner, subject).await,
            Restriction::Class(name) => {
                let class = self.server.rules.classes.get(&**name).cloned().unwrap_or_default();
                self.walk_inner(&class, subject).await
            }
            Restriction::Access(target, maps) => Box::pin(self.check_access(*target, maps)).await,
            Restriction::Policy(service) => Box::pin(self.check_policy(service, subject)).await,
            Restriction::Dnsbl(list) => Box::pin(self.check_dnsbl(list, subject)).await,
            Restriction::Broken(warning) => {
                warn!("{warning}");
                self.misconfigured()
            }
            Restriction::Skipped(warning) => {
                warn!("{warning}");
                Verdict::Dunno
            }
            Restriction::Client(rule) => self.apply_to_client(*rule, subject).await,
            Restriction::Helo(rule) => self.apply_to_helo(*rule).await,
            Restriction::Envelope(rule) => Box::pin(self.apply_to_envelope(*rule, subject)).await,
        }
    }

    async fn apply_to_client(&mut self, rule: OnClient, subject: &Subject<'_>) -> Verdict {
        match rule {
            OnClient::PermitMynetworks => self.permit_mynetworks(subject).await,
            OnClient::PermitInetInterfaces => self.permit_inet_interfaces(),
            OnClient::PermitSaslAuthenticated => self.permit_sasl_authenticated(),
            OnClient::PermitTlsClientcerts => Box::pin(self.permit_tls_clientcerts()).await,
            OnClient::PermitTlsAllClientcerts => self.permit_tls_all_clientcerts(),
            OnClient::RejectUnknownClientHostname => self.reject_unknown_client_hostname(),
            OnClient::RejectUnknownForwardClientHostname => self.reject_unknown_forward_client_hostname(),
            OnClient::RejectUnknownReverseClientHostname => self.reject_unknown_reverse_client_hostname(),
            OnClient::RejectPlaintextSession => self.reject_plaintext_session(),
            OnClient::RejectUnauthPipelining => self.reject_unauth_pipelining(subject),
        }
    }

    async fn apply_to_helo(&mut self, rule: OnHelo) -> Verdict {
        match rule {
            OnHelo::Invalid => self.reject_invalid_helo(),
            OnHelo::NonFqdn => self.reject_non_fqdn_helo(),
            OnHelo::Unknown => Box::pin(self.reject_unknown_helo()).await,
        }
    }

    async fn apply_to_envelope(&mut self, rule: OnEnvelope, subject: &Subject<'_>) -> Verdict {
        match rule {
            OnEnvelope::RejectNonFqdn(party) => self.reject_non_fqdn(party).await,
            OnEnvelope::RejectUnknownDomain(party) => self.reject_unknown_domain(party).await,
            OnEnvelope::RejectUnlisted(Party::Sender) => self.reject_unlisted_sender().await,
            OnEnvelope::RejectUnlisted(Party::Recipient) => self.reject_unlisted_recipient().await,
            OnEnvelope::RejectUnverified(party) => self.reject_unverified(party).await,
            OnEnvelope::RejectLoginMismatch(mismatch) => self.reject_login_mismatch(mismatch).await,
            OnEnvelope::PermitAuthDestination => self.permit_auth_destination().await,
            OnEnvelope::RejectUnauthDestination => self.reject_unauth_destination().await,
            OnEnvelope::DeferUnauthDestination => self.defer_unauth_destination().await,
            OnEnvelope::PermitMxBackup => self.permit_mx_backup().await,
            OnEnvelope::RejectMultiRecipientBounce => self.reject_multi_recipient_bounce(subject),
        }
    }

    async fn warn_if_reject(&mut self, inner: &Restriction, subject: &Subject<'_>) -> Verdict {
        let before = std::mem::replace(&mut self.warn, true);
        let inner = std::slice::from_ref(inner);
        let verdict = self.walk_inner(inner, subject).await;
        self.warn = before;
        verdict
    }

    /// Permission; `smtpd_log_access_permit_actions` may want it logged, unless it comes to nothing.
    pub(crate) fn permit(&self, action: &str, subject: &Subject<'_>, origin: &str) -> Verdict {
        if self.logs_permit && self.deferral.if_permit.is_none() && self.server.settings.logs_permit(action) {
            let text = format!("action={action} for {}={} {origin}", subject.class, subject.name);
            self.facts.log("permit", &text);
        }
        Verdict::Permit
    }

    pub(crate) fn reject_plainly(&mut self, subject: &Subject<'_>) -> Verdict {
        let code = self.server.codes.reject_code;
        self.refuse(Refusal::policy(code, Enhanced(5, 7, 1), subject.rejected("Access denied")))
    }

    pub(crate) fn defer_plainly(&mut self, subject: &Subject<'_>) -> Verdict {
        let code = self.server.codes.defer_code;
        self.refuse(Refusal::policy(code, Enhanced(4, 3, 2), subject.rejected("Try again later")))
    }

    /// A fault in the configuration: neither accepted nor refused for good.
    pub(crate) fn misconfigured(&mut self) -> Verdict {
        self.refuse(Refusal {
            code: 451,
            status: Enhanced(4, 3, 5),
            text: MISCONFIGURED.to_owned(),
            fault: Fault::Software,
        })
    }

    /// Something could not be found out now.
    pub(crate) fn lookup_failed(&mut self, name: &[u8]) -> Verdict {
        self.refuse(Refusal {
            code: 451,
            status: Enhanced(4, 3, 0),
            text: format!("<{}>: Temporary lookup failure", crate::text::told(name)),
            fault: Fault::Data,
        })
    }

    /// What was looked for in a table, which failed: somebody may have to mend it.
    pub(crate) fn table_failed(&mut self, name: &[u8], error: &table::Error) -> Verdict {
        match error.class {
            table::Class::Temporary => self.lookup_failed(name),
            table::Class::Config => self.misconfigured(),
        }
    }

    /// Whether a refusal would only be logged.
    pub(crate) fn only_warns(&self) -> bool {
        self.warn
    }

    /// Something that may be a reason to refuse cannot be known now: a later permission becomes a deferral.
    pub(crate) fn defer_if_permit(&mut self, refusal: Refusal) -> Verdict {
        if self.warn {
            return self.refuse(refusal);
        }
        self.deferral.if_permit.get_or_insert(refusal);
        Verdict::Dunno
    }

    /// A later refusal becomes a deferral.
    pub(crate) fn defer_if_reject(&mut self, refusal: Refusal) -> Verdict {
        self.deferral.if_reject.get_or_insert(refusal);
        Verdict::Dunno
    }

    /// Refuses, unless it was asked to warn only.
    pub(crate) fn refuse(&mut self, refusal: Refusal) -> Verdict {
        let mut refusal = refusal.checked();
        if self.warn && !matches!(refusal.fault, Fault::Software | Fault::Resource | Fault::Data) {
            self.facts.log("reject_warning", &self.server.settings.softened(refusal.reply()).logged());
            return Verdict::Dunno;
        }
        if refusal.code / 100 == 5
            && let Some(instead) = self.deferral.if_reject.take()
        {
            refusal = instead.checked();
        }
        self.faults.push(refusal.fault);
        let reply = self.server.settings.softened(refusal.reply());
        self.facts.log("reject", &reply.logged());
        Verdict::Reject(Box::new(reply))
    }
}
