//! Restrictions on the client: its networks, names, login, certificate, and manners.

use smtp_proto::Enhanced;

use super::{Check, Fault, Refusal, Subject, Verdict};
use crate::session::peer::NameStatus;

impl Check<'_> {
    pub(crate) async fn permit_mynetworks(&mut self, subject: &Subject<'_>) -> Verdict {
        let peer = self.facts.peer;
        match peer.in_mynetworks(&self.server.tables.mynetworks).await {
            Ok(true) => self.permit("permit_mynetworks", &self.client_subject(), ""),
            Ok(false) => Verdict::Dunno,
            Err(_) => self.lookup_failed(subject.name.as_bytes()),
        }
    }

    /// Whom XCLIENT names makes no difference.
    pub(crate) fn permit_inet_interfaces(&self) -> Verdict {
        if self.server.settings.own_addresses.contains(&self.facts.peer.connected) {
            self.permit("permit_inet_interfaces", &self.client_subject(), "")
        } else {
            Verdict::Dunno
        }
    }

    /// XCLIENT may bring a name also where clients cannot log in here.
    pub(crate) fn permit_sasl_authenticated(&self) -> Verdict {
        match self.facts.login {
            Some(_) => self.permit("permit_sasl_authenticated", &self.client_subject(), ""),
            None => Verdict::Dunno,
        }
    }

    /// By fingerprint of certificate or key, in `relay_clientcerts`.
    pub(crate) async fn permit_tls_clientcerts(&mut self) -> Verdict {
        self.warn_of_unasked("permit_tls_clientcerts");
        let Some(tls) = self.facts.tls else { return Verdict::Dunno };
        let maps = self.server.tables.relay_clientcerts.clone();
        for key in tls.fingerprints() {
            match maps.lookup(key.as_bytes()).await {
                Ok(Some(_)) => return self.permit("permit_tls_clientcerts", &self.client_subject(), ""),
                Ok(None) => {}
                Err(_) => return self.misconfigured(),
            }
        }
        Verdict::Dunno
    }

    pub(crate) fn permit_tls_all_clientcerts(&self) -> Verdict {
        self.warn_of_unasked("permit_tls_all_clientcerts");
        match self.facts.tls {
            Some(tls) if tls.trusted => self.permit("permit_tls_all_clientcerts", &self.client_subject(), ""),
            _ => Verdict::Dunno,
        }
    }

    pub(crate) fn reject_unknown_client_hostname(&mut self) -> Verdict {
        let peer = self.facts.peer;
        self.reject_name(peer.name_status, Enhanced(4, 7, 25), "hostname")
    }

    pub(crate) fn reject_unknown_forward_client_hostname(&mut self) -> Verdict {
        self.reject_unknown_client_hostname()
    }

    pub(crate) fn reject_unknown_reverse_client_hostname(&mut self) -> Verdict {
        let peer = self.facts.peer;
        self.reject_name(peer.reverse_status, Enhanced(4, 7, 1), "reverse hostname")
    }

    fn reject_name(&mut self, status: NameStatus, code: Enhanced, what: &str) -> Verdict {
        let reply = match status {
            NameStatus::Known => return Verdict::Dunno,
            NameStatus::Temporary => 450,
            NameStatus::Unknown | NameStatus::Forged => self.server.codes.unknown_client_reject_code,
        };
        let text = format!("Client host rejected: cannot find your {what}, [{}]", self.facts.peer.address);
        self.refuse(Refusal::policy(reply, code, text))
    }

    pub(crate) fn reject_plaintext_session(&mut self) -> Verdict {
        if self.facts.tls.is_some() {
            return Verdict::Dunno;
        }
        let code = self.server.codes.plaintext_reject_code;
        self.refuse(Refusal::policy(code, Enhanced(4, 7, 1), "Session encryption is required".to_owned()))
    }

    pub(crate) fn reject_unauth_pipelining(&mut self, subject: &Subject<'_>) -> Verdict {
        if !self.facts.impatient {
            return Verdict::Dunno;
        }
        let text = subject.rejected("Improper use of SMTP command pipelining");
        self.refuse(Refusal { code: 503, status: Enhanced(5, 5, 0), text, fault: Fault::Protocol })
    }
}
