//! trivial-rewrite: the canonical form of an address, and where mail for it goes. See trivial-rewrite(8).

use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// The service; numbered requests ([`crate::Caller`]).
#[derive(Debug)]
pub struct Rewrite;

impl crate::Protocol for Rewrite {
    const NAME: &'static str = "rewrite";
    const VERSION: u16 = 1;
    type Request = Request;
    type Reply = Reply;
}

/// Whose rules complete an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Context {
    /// `$myorigin` and `$mydomain`: local submission and `local_header_rewrite_clients`.
    Local,
    /// `remote_header_rewrite_domain`.
    Remote,
}

/// Which set of transport parameters resolves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Purpose {
    /// Delivery.
    Deliver,
    /// An address verification probe: the `address_verify_*` parameters.
    Verify,
}

/// What a caller asks. Addresses are in internal (unquoted) form, as octets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request {
    /// The canonical form of an address.
    Rewrite {
        /// Whose rules.
        context: Context,
        /// The address.
        address: Bytes,
    },
    /// Where an address goes.
    Resolve {
        /// Which parameters.
        purpose: Purpose,
        /// The envelope sender, for sender-dependent routing; empty is the null sender.
        sender: Bytes,
        /// The address.
        address: Bytes,
    },
    /// Both in one: the canonical form is what is resolved.
    RewriteAndResolve {
        /// Whose rules.
        context: Context,
        /// The envelope sender.
        sender: Bytes,
        /// The address.
        address: Bytes,
    },
}

/// What the service answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reply {
    /// To [`Request::Rewrite`].
    Rewritten(Bytes),
    /// To [`Request::Resolve`] and [`Request::RewriteAndResolve`].
    Resolved(Resolved),
    /// A table could not be read: try later.
    Failed,
}

/// Where mail for an address goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resolved {
    /// The canonical (for `RewriteAndResolve`) or given address after resolution: the recipient that agents see.
    pub recipient: Bytes,
    /// The master.cf service that delivers, such as `smtp`.
    pub transport: String,
    /// The next hop in the transport's syntax; for `error` and `retry` the text.
    pub nexthop: String,
    /// The address class of its domain.
    pub class: Class,
    /// What is wrong with the address, if anything.
    pub fault: Fault,
    /// Whether `%`, `!` or `@` was found in the local part (sender-specified routing).
    pub routed: bool,
    /// Whether the answer may be reused for every address of the domain.
    pub scope: Scope,
}

/// Postfix's five address classes. See ADDRESS_CLASS_README.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Class {
    /// `mydestination`, `inet_interfaces`, `proxy_interfaces`.
    Local,
    /// `virtual_alias_domains`.
    VirtualAlias,
    /// `virtual_mailbox_domains`.
    VirtualMailbox,
    /// `relay_domains`.
    Relay,
    /// Everything else.
    Default,
}

/// Trouble found while resolving.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Fault {
    /// None.
    None,
    /// The address is malformed; it bounces.
    Malformed,
    /// A table could not be read; mail is deferred.
    Unavailable,
}

/// How far an answer reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Scope {
    /// This address with this sender only.
    Address,
    /// Every address of the same domain that [`shared_domain`] knows, with any sender: transport and next hop are the
    /// same, and the recipient is the address.
    Domain,
}

/// The domain that an answer of [`Scope::Domain`] may be kept and reused under. `None` for addresses whose local part might
/// lead elsewhere (`user%site@here`) or is no UTF-8: they are asked for one by one.
#[must_use]
pub fn shared_domain(address: &[u8]) -> Option<&[u8]> {
    let at = address.iter().rposition(|&byte| byte == b'@')?;
    let (local, domain) = address.split_at_checked(at)?;
    let plain = |byte: &u8| !matches!(byte, b'%' | b'!' | b'@' | b':');
    let shares = !local.is_empty() && local.iter().all(plain) && str::from_utf8(local).is_ok();
    shares.then(|| domain.get(1..)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_may_lead_elsewhere_share_nothing() {
        for (address, domain) in [
            ("a@b.c", Some("b.c")),
            ("a%x@b.c", None),
            ("x!a@b.c", None),
            ("a@x@b.c", None),
            ("a", None),
            ("@b.c", None),
            ("\u{fc}@b.c", Some("b.c")),
        ] {
            assert_eq!(shared_domain(address.as_bytes()), domain.map(str::as_bytes), "{address}");
        }
        assert_eq!(shared_domain(b"\xfc@b.c"), None);
    }
}
