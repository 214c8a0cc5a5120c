//! The canonical form of addresses, asked of trivial-rewrite only where that can change anything.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use address::Address;
use ipc::Caller;
use ipc::rewrite::{Context, Reply, Request, Rewrite};

/// Answers kept; when there are more, all are forgotten.
const CACHE: usize = 1000;

/// The service could not say; the message is deferred.
#[derive(Debug)]
pub(crate) struct Unavailable;

/// Asks for canonical forms.
pub(crate) struct Rewriter {
    caller: Caller<Rewrite>,
    /// Whether headers of remote clients are rewritten.
    remote: bool,
    cache: Mutex<HashMap<(Context, Address), Address>>,
}

impl Rewriter {
    pub(crate) fn new(caller: Caller<Rewrite>, remote_header_rewrite_domain: &str) -> Self {
        Self { caller, remote: !remote_header_rewrite_domain.is_empty(), cache: Mutex::default() }
    }

    /// Whether headers are rewritten in this context.
    pub(crate) fn rewrites_headers(&self, context: Context) -> bool {
        context == Context::Local || self.remote
    }

    /// The canonical form. Rules are fixed for the life of the process, so answers are kept.
    pub(crate) async fn canonical(&self, context: Context, address: &Address) -> Result<Address, Unavailable> {
        if address.is_empty() || is_canonical(address) {
            return Ok(address.clone());
        }
        let key = (context, address.clone());
        if let Some(known) = self.cache.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Ok(known.clone());
        }
        let request = Request::Rewrite { context, address: address.as_bytes().to_vec().into() };
        let rewritten = match self.caller.call(request).await {
            Ok(Reply::Rewritten(rewritten)) => Address::new(rewritten.to_vec()),
            Ok(Reply::Resolved(_) | Reply::Failed) => return Err(Unavailable),
            // No mail system has such an address, and tomorrow it is not shorter.
            Err(ipc::Error::TooLarge { .. }) => return Ok(address.clone()),
            Err(error) => {
                tracing::warn!("problem talking to service rewrite: {error}");
                return Err(Unavailable);
            }
        };
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        if cache.len() >= CACHE {
            cache.clear();
        }
        cache.insert(key, rewritten.clone());
        Ok(rewritten)
    }
}

/// Whether no rule can change an address: it has a domain with a dot inside, and no source route.
pub(crate) fn is_canonical(address: &Address) -> bool {
    let complete = |domain: &[u8]| domain.contains(&b'.') && !domain.ends_with(b".");
    !address.as_bytes().starts_with(b"@") && address.domain().is_some_and(complete)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn complete_addresses_need_no_answer() {
        for (address, canonical) in [
            ("user@example.com", true),
            ("user%x@example.com", true),
            ("user@[192.0.2.1]", true),
            ("user@host", false),
            ("user@example.com.", false),
            ("@a:user@example.com", false),
            ("user", false),
            ("a!user", false),
        ] {
            assert_eq!(is_canonical(&Address::from(address)), canonical, "{address}");
        }
    }
}
