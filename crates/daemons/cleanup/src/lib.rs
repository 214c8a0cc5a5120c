//! cleanup(8): completes messages and writes queue files.
//!
//! A message comes in as envelope records and content; it leaves as a queue file that is on disk before the answer says so.
//! Reading order: `session` talks with the caller, `message` holds one message on its way, `envelope`, `recipient` and
//! `content` are its stages, `draft` is the file. Addresses pass through `rewriting`, `mapping` and `expand`. The cost of
//! a message is linear in its size and in its recipients. What cannot be looked up defers the message; nothing is
//! accepted that was not synchronised.

mod checks;
mod committer;
mod content;
mod date;
mod draft;
mod envelope;
mod expand;
mod fate;
mod filter;
mod finish;
mod handover;
mod header;
mod mapping;
mod message;
mod recipient;
mod rewriting;
mod session;
mod settings;
mod spares;

use std::path::Path;
use std::sync::Arc;

use ipc::Caller;
use queue_file::{Layout, Spool};
use service::{Client, Clients, Fatal, Life, LifeSpan, Outside, ProcessLimit, Service};

use crate::committer::Committer;
use crate::filter::Filters;
use crate::handover::Handover;
use crate::rewriting::Rewriter;
pub use crate::settings::Params;
use crate::settings::{Settings, Tables};
use crate::spares::{Goes, Spares};

/// The daemon.
pub struct Cleanup {
    life: Life,
    desk: Arc<Desk>,
}

/// What all sessions share.
pub(crate) struct Desk {
    settings: Settings,
    tables: Tables,
    rewriter: Rewriter,
    spool: Spool,
    handover: Handover,
    committer: Committer,
    filters: Filters,
    bounce: Caller<ipc::bounce::Bounce>,
    trace: Caller<ipc::bounce::Bounce>,
    verify: Caller<ipc::verify::Verify>,
}

/// What is opened before the jail.
pub struct Opened {
    settings: Settings,
    tables: Tables,
}

impl Opened {
    /// Opens all tables.
    fn new(params: &Params, source: &config::Source, environment: &table::Environment) -> Result<Self, Fatal> {
        Ok(Self { settings: Settings::new(params)?, tables: Tables::open(params, source, environment) })
    }
}

impl Desk {
    /// `root` is the queue directory; empty for a process that is in it.
    fn new(params: &Params, opened: Opened, root: &Path) -> Self {
        let ipc = &params.ipc;
        let deadline = ipc.ipc_timeout;
        let private = |name: &str| root.join("private").join(name);
        let depth = u32::try_from(params.queue.hash_queue_depth).unwrap_or(1);
        let layout = Layout::new(params.queue.hash_queue_names.iter().map(String::as_str), depth)
            .with_long_ids(params.queue.enable_long_queue_ids);
        let (spool, goes) = (Spool::new(root, layout), Arc::new(Goes::default()));
        let spares = Spares::new(spool.clone(), Arc::clone(&goes));
        Self {
            rewriter: Rewriter::new(
                Caller::new(private(&ipc.rewrite_service_name), deadline),
                &params.rewrite.remote_header_rewrite_domain,
            ),
            filters: Filters::new(params),
            settings: opened.settings,
            tables: opened.tables,
            handover: Handover::new(root.join("public").join(&ipc.queue_service_name), deadline, spares),
            committer: Committer::start(goes),
            spool,
            bounce: Caller::new(private(&ipc.bounce_service_name), deadline),
            trace: Caller::new(private(&ipc.trace_service_name), deadline),
            verify: Caller::new(private(&params.verify.address_verify_service_name), deadline),
        }
    }
}

impl Service for Cleanup {
    const NAME: &'static str = "cleanup";
    const CLIENTS: Clients = Clients::Internal;
    const LIFE_SPAN: LifeSpan = LifeSpan::UntilIdle;
    const PROCESS_LIMIT: ProcessLimit = ProcessLimit::Unlimited;
    type Params = Params;
    type Opened = Opened;

    fn open(params: &Params, outside: &Outside) -> Result<Opened, Fatal> {
        let environment = table::Environment::of(&outside.source).inside();
        Opened::new(params, &outside.source, &environment)
    }

    fn start(params: Params, opened: Opened, life: Life) -> Result<Self, Fatal> {
        Ok(Self { life, desk: Arc::new(Desk::new(&params, opened, Path::new(""))) })
    }

    async fn serve(self: Arc<Self>, client: Client) {
        session::serve(Arc::clone(&self.desk), client, &self.life).await;
    }

    async fn finish(self: Arc<Self>) {
        self.desk.handover.end().await;
    }

    fn changed(&self) -> bool {
        self.desk.tables.changed()
    }
}

#[cfg(test)]
mod tests;
