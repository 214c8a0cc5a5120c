//! trivial-rewrite(8): rewrites addresses to their canonical form, and says where mail for them goes.
//!
//! Reading order: `canonical` is the pure rewriting; `resolve` peels an address down to where it must go;
//! `classes` tells the five kinds of domain apart; `routes` holds the transports and next hops that parameters and tables
//! name. A table that cannot be read makes the answer "try later", never another route.

pub mod canonical;
mod classes;
mod resolve;
mod routes;

use std::sync::Arc;
use std::time::Duration;

use address::Address;
use bytes::Bytes;
use ipc::rewrite::{Context, Fault, Purpose, Reply, Request, Resolved};
use offload::Recent;
use service::{Client, Clients, Fatal, Life, LifeSpan, Outside, Service};

use crate::canonical::Rules;
use crate::resolve::Resolver;

config::bundle! {
    /// All that this daemon may know.
    pub struct Params {
        identity: config::params::Identity,
        rewrite: config::params::Rewrite,
        verify: config::params::Verify,
        ipc: config::params::Ipc,
        daemon: config::params::Daemon,
    }
}

/// A route is good for so long: smtpd(8) asks for a recipient, and qmgr(8) does the same a moment later.
const FRESH: Duration = Duration::from_secs(1);

/// Routes that are kept.
const MOST: usize = 4096;

/// The daemon.
pub struct TrivialRewrite {
    engine: Engine,
    ipc_timeout: Duration,
    life: Life,
}

/// Rules, tables and routes: everything that an answer is made of.
pub struct Engine {
    local: Rules,
    /// `None` where headers of remote clients are left alone.
    remote: Option<Rules>,
    resolver: Resolver,
    /// Found a moment ago.
    routes: Recent<Resolved>,
}

impl Engine {
    /// Opens all tables.
    #[must_use]
    pub fn open(params: &Params, source: &config::Source, environment: &table::Environment) -> Self {
        let identity = &params.identity;
        let rewrite = &params.rewrite;
        let local = Rules::new(rewrite, &identity.myorigin, &identity.mydomain);
        let remote = &rewrite.remote_header_rewrite_domain;
        Self {
            remote: (!remote.is_empty()).then(|| Rules::new(rewrite, remote, remote).complete()),
            resolver: Resolver::open(params, source, environment, local.clone()),
            local,
            routes: Recent::new(MOST),
        }
    }

    /// Answers a request.
    pub async fn answer(&self, request: Request) -> Reply {
        match request {
            Request::Rewrite { context, address } => Reply::Rewritten(self.rewrite(context, address)),
            Request::Resolve { purpose, sender, address } => self.resolve(purpose, &sender, &address).await,
            Request::RewriteAndResolve { context, sender, address } => {
                let address = self.rewrite(context, address);
                self.resolve(Purpose::Deliver, &sender, &address).await
            }
        }
    }

    fn rewrite(&self, context: Context, address: Bytes) -> Bytes {
        let rules = match context {
            Context::Local => &self.local,
            Context::Remote => match &self.remote {
                Some(rules) => rules,
                None => return address,
            },
        };
        rules.rewrite(&Address::new(address.to_vec())).into_bytes().into()
    }

    async fn resolve(&self, purpose: Purpose, sender: &[u8], address: &[u8]) -> Reply {
        let question = question(purpose, sender, address);
        if let Some(known) = self.routes.find(&question) {
            return Reply::Resolved(known);
        }
        match self.resolver.resolve(purpose, sender, address).await {
            Ok(resolved) => {
                if resolved.fault == Fault::None {
                    self.routes.keep(question, resolved.clone(), FRESH);
                }
                Reply::Resolved(resolved)
            }
            // The table has logged what is wrong.
            Err(_) => Reply::Failed,
        }
    }

    /// Whether a file behind a table has changed.
    #[must_use]
    pub fn changed(&self) -> bool {
        self.resolver.changed()
    }
}

/// All that the answer depends on, told apart by the sender's length.
fn question(purpose: Purpose, sender: &[u8], address: &[u8]) -> Vec<u8> {
    let purpose: &[u8] = match purpose {
        Purpose::Deliver => b"d",
        Purpose::Verify => b"v",
    };
    [purpose, &sender.len().to_le_bytes(), sender, address].concat()
}

impl Service for TrivialRewrite {
    const NAME: &'static str = "trivial-rewrite";
    const CLIENTS: Clients = Clients::Internal;
    const LIFE_SPAN: LifeSpan = LifeSpan::UntilIdle;
    type Params = Params;
    type Opened = Engine;

    fn open(params: &Params, outside: &Outside) -> Result<Engine, Fatal> {
        let environment = table::Environment::of(&outside.source).inside();
        Ok(Engine::open(params, &outside.source, &environment))
    }

    fn start(params: Params, engine: Engine, life: Life) -> Result<Self, Fatal> {
        Ok(Self { engine, ipc_timeout: params.ipc.ipc_timeout, life })
    }

    async fn serve(self: Arc<Self>, client: Client) {
        let handle = |request| self.engine.answer(request);
        if let Err(error) =
            service::answer::<ipc::rewrite::Rewrite, _, _>(client, &self.life, self.ipc_timeout, handle).await
        {
            tracing::warn!("internal connection: {error}");
        }
    }

    fn changed(&self) -> bool {
        self.engine.changed()
    }
}

#[cfg(test)]
mod tests;
