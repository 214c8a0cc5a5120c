//! What an address is in canonical form, and where mail for it goes: asked of trivial-rewrite, and remembered.

use std::sync::Arc;
use std::time::Duration;

use ipc::rewrite::{Class, Context, Fault, Reply, Request, Rewrite, Scope, shared_domain};
use tracing::warn;

use offload::Recent;

/// The answer for one address.
#[derive(Debug, Clone)]
pub(crate) struct Resolution {
    /// In canonical form, internal.
    pub(crate) recipient: Vec<u8>,
    pub(crate) route: Arc<Route>,
}

/// Where mail goes, which is the same for many an address.
#[derive(Debug)]
pub(crate) struct Route {
    pub(crate) transport: String,
    pub(crate) nexthop: String,
    pub(crate) class: Class,
    /// No mail can ever go there.
    pub(crate) malformed: bool,
    /// It was routed by the sender, `user%elsewhere@here`.
    pub(crate) routed: bool,
}

impl Resolution {
    /// Whether mail for it ends here.
    pub(crate) fn is_final(&self) -> bool {
        matches!(self.route.class, Class::Local | Class::VirtualAlias | Class::VirtualMailbox)
    }

    /// The domain of the canonical form.
    pub(crate) fn domain(&self) -> Option<&str> {
        let at = memchr::memrchr(b'@', &self.recipient)?;
        std::str::from_utf8(self.recipient.get(at + 1..)?).ok()
    }
}

/// Asks trivial-rewrite.
#[derive(Debug)]
pub(crate) struct Resolver {
    caller: ipc::Caller<Rewrite>,
    addresses: Recent<Resolution>,
    domains: Recent<Arc<Route>>,
}

/// trivial-rewrite could not say.
#[derive(Debug)]
pub(crate) struct Unavailable;

const KEPT: Duration = Duration::from_secs(10);
const MOST: usize = 1000;

impl Resolver {
    pub(crate) fn new(caller: ipc::Caller<Rewrite>) -> Resolver {
        Resolver { caller, addresses: Recent::new(MOST), domains: Recent::new(MOST) }
    }

    /// Completes and resolves an address in its internal form.
    pub(crate) async fn resolve(&self, sender: &[u8], address: &[u8]) -> Result<Resolution, Unavailable> {
        let domain = shared_domain(address).map(<[u8]>::to_ascii_lowercase);
        if let Some(route) = domain.as_ref().and_then(|domain| self.domains.find(domain)) {
            return Ok(Resolution { recipient: address.to_vec(), route });
        }
        let key = [sender, b"\0", address].concat();
        if let Some(known) = self.addresses.find(&key) {
            return Ok(known);
        }
        let (resolution, scope) = Box::pin(self.ask(sender, address)).await?;
        match (scope, domain) {
            (Scope::Domain, Some(domain)) => self.domains.keep(domain, Arc::clone(&resolution.route), KEPT),
            _ => self.addresses.keep(key, resolution.clone(), KEPT),
        }
        Ok(resolution)
    }

    async fn ask(&self, sender: &[u8], address: &[u8]) -> Result<(Resolution, Scope), Unavailable> {
        let (sender, address) = (sender.to_vec().into(), address.to_vec().into());
        let request = Request::RewriteAndResolve { context: Context::Local, sender, address };
        let resolved = match self.caller.call(request).await {
            Ok(Reply::Resolved(resolved)) if resolved.fault != Fault::Unavailable => resolved,
            Ok(Reply::Resolved(_) | Reply::Failed | Reply::Rewritten(_)) => return Err(Unavailable),
            Err(error) => {
                warn!("problem talking to service rewrite: {error}");
                return Err(Unavailable);
            }
        };
        let route = Route {
            transport: resolved.transport,
            nexthop: resolved.nexthop,
            class: resolved.class,
            malformed: resolved.fault == Fault::Malformed,
            routed: resolved.routed,
        };
        Ok((Resolution { recipient: resolved.recipient.to_vec(), route: Arc::new(route) }, resolved.scope))
    }
}
