//! The restrictions that there are, and the lists of this process.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use table::Maps;

use super::certificate::SearchOrder;
use super::dnsbl::List;
use super::policy::Service;

/// One element of a restriction list.
#[derive(Debug, Clone)]
pub(crate) enum Restriction {
    Permit,
    Reject,
    Defer,
    DeferIfPermit,
    DeferIfReject,
    Sleep(Duration),
    WarnIfReject(Box<Restriction>),
    Class(Arc<str>),
    Access(Target, Maps),
    Policy(Arc<Service>),
    Dnsbl(Arc<List>),
    Client(OnClient),
    Helo(OnHelo),
    Envelope(OnEnvelope),
    /// What means nothing: a server configuration error, with this warning, whenever the walk gets here.
    Broken(Arc<str>),
    /// What is passed over, with this warning.
    Skipped(Arc<str>),
}

/// Restrictions on the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OnClient {
    PermitMynetworks,
    PermitInetInterfaces,
    PermitSaslAuthenticated,
    PermitTlsClientcerts,
    PermitTlsAllClientcerts,
    RejectUnknownClientHostname,
    RejectUnknownForwardClientHostname,
    RejectUnknownReverseClientHostname,
    RejectPlaintextSession,
    RejectUnauthPipelining,
}

/// What makes the name that it gives itself be refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OnHelo {
    Invalid,
    NonFqdn,
    Unknown,
}

/// Restrictions on sender and recipient.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OnEnvelope {
    RejectNonFqdn(Party),
    RejectUnknownDomain(Party),
    RejectUnlisted(Party),
    RejectUnverified(Party),
    RejectLoginMismatch(Mismatch),
    PermitAuthDestination,
    RejectUnauthDestination,
    DeferUnauthDestination,
    PermitMxBackup,
    RejectMultiRecipientBounce,
}

/// Which address of the envelope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Party {
    Sender,
    Recipient,
}

/// Whose name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Host {
    Client,
    ReverseClient,
    Helo,
    Sender,
    Recipient,
}

/// Which records of a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Records {
    A,
    Mx,
    Ns,
}

/// What an access table is asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target {
    /// The name and address, HELO name or envelope address itself.
    Itself(Host),
    /// The hosts behind a name.
    Behind(Host, Records),
    Etrn,
    SaslName,
    ClientCertificate(SearchOrder),
}

/// Which mismatch between login and sender is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mismatch {
    /// `reject_sender_login_mismatch`.
    Any,
    /// `reject_authenticated_sender_login_mismatch`.
    Authenticated,
    /// `reject_known_sender_login_mismatch`.
    Known,
    /// `reject_unauthenticated_sender_login_mismatch`.
    Unauthenticated,
}

/// A list.
pub(crate) type Restrictions = Arc<[Restriction]>;

/// All lists of the process.
#[derive(Debug, Default)]
pub(crate) struct Rules {
    pub(crate) client: Restrictions,
    pub(crate) helo: Restrictions,
    pub(crate) sender: Restrictions,
    pub(crate) relay: Restrictions,
    pub(crate) recipient: Restrictions,
    pub(crate) data: Restrictions,
    pub(crate) end_of_data: Restrictions,
    pub(crate) etrn: Restrictions,
    /// `smtpd_restriction_classes`, by name.
    pub(crate) classes: HashMap<String, Restrictions>,
}

impl Restriction {
    /// Whether a file behind its table is no longer what was read.
    fn changed(&self) -> bool {
        match self {
            Self::Access(_, maps) => maps.changed(),
            Self::WarnIfReject(restriction) => restriction.changed(),
            Self::Permit
            | Self::Reject
            | Self::Defer
            | Self::DeferIfPermit
            | Self::DeferIfReject
            | Self::Sleep(_)
            | Self::Class(_)
            | Self::Policy(_)
            | Self::Dnsbl(_)
            | Self::Client(_)
            | Self::Helo(_)
            | Self::Envelope(_)
            | Self::Broken(_)
            | Self::Skipped(_) => false,
        }
    }
}

impl Rules {
    /// Whether a file behind any access table is no longer what was read.
    pub(crate) fn changed(&self) -> bool {
        let lists = [
            &self.client,
            &self.helo,
            &self.sender,
            &self.relay,
            &self.recipient,
            &self.data,
            &self.end_of_data,
            &self.etrn,
        ];
        lists.into_iter().chain(self.classes.values()).any(|list| list.iter().any(Restriction::changed))
    }

    /// Whether `smtpd_relay_restrictions` or `smtpd_recipient_restrictions` keep strangers from relaying.
    pub(crate) fn refuse_relaying(&self) -> bool {
        self.refuses(&self.relay, 0) || self.refuses(&self.recipient, 0)
    }

    fn refuses(&self, list: &[Restriction], depth: u8) -> bool {
        for restriction in list {
            match restriction {
                Restriction::Envelope(OnEnvelope::RejectUnauthDestination | OnEnvelope::DeferUnauthDestination)
                | Restriction::Reject
                | Restriction::Defer
                | Restriction::DeferIfPermit => return true,
                Restriction::Permit => return false,
                Restriction::Class(name) => {
                    let class = self.classes.get(&**name).filter(|_| depth < 20);
                    if class.is_some_and(|class| self.refuses(class, depth + 1)) {
                        return true;
                    }
                }
                Restriction::DeferIfReject
                | Restriction::Sleep(_)
                | Restriction::WarnIfReject(_)
                | Restriction::Access(..)
                | Restriction::Policy(_)
                | Restriction::Dnsbl(_)
                | Restriction::Client(_)
                | Restriction::Helo(_)
                | Restriction::Envelope(_)
                | Restriction::Broken(_)
                | Restriction::Skipped(_) => {}
            }
        }
        false
    }
}
