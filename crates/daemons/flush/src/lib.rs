//! flush(8): knows which deferred mail waits for which destination, so that ETRN and `postqueue -s` need not try all.
//!
//! Agents report each deferral to a domain of `fast_flush_domains`; [`site`] keeps one log of queue ids per domain. To flush
//! a domain is to make the files of its log due and to wake qmgr. A log that nobody asks for is flushed every
//! `fast_flush_refresh_time`, so that it cannot grow for ever, and removed after `fast_flush_purge_time`.

pub mod site;

use crate::site::Site;
use ipc::flush::{Reply, Request};
use queue_file::{Layout, QueueId, Spool};
use service::{Client, Clients, Fatal, Life, LifeSpan, Outside, ProcessLimit, Service};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use table::{Environment, Parents, PatternList};

config::bundle! {
    /// All that this daemon may know.
    pub struct Params {
        identity: config::params::Identity,
        flush: config::params::Flush,
        queue: config::params::Queue,
        ipc: config::params::Ipc,
    }
}

/// The daemon.
pub struct Flush {
    domains: PatternList,
    spool: Spool,
    refresh: Duration,
    purge: Duration,
    qmgr: PathBuf,
    ipc_timeout: Duration,
    life: Life,
}

impl Service for Flush {
    const NAME: &'static str = "flush";
    const CLIENTS: Clients = Clients::Internal;
    const LIFE_SPAN: LifeSpan = LifeSpan::UntilIdle;
    const PROCESS_LIMIT: ProcessLimit = ProcessLimit::Unlimited;
    const TRIGGERED: bool = true;
    type Params = Params;
    type Opened = PatternList;

    fn open(params: &Params, outside: &Outside) -> Result<PatternList, Fatal> {
        const NAME: &str = "fast_flush_domains";
        let parents = Parents::of(NAME, &params.identity.parent_domain_matches_subdomains);
        let environment = Environment::of(&outside.source).inside();
        Ok(PatternList::open(NAME, &params.flush.fast_flush_domains, parents, &environment))
    }

    fn start(params: Params, domains: PatternList, life: Life) -> Result<Self, Fatal> {
        let depth = u32::try_from(params.queue.hash_queue_depth).unwrap_or(1);
        let layout = Layout::new(params.queue.hash_queue_names.iter().map(String::as_str), depth);
        Ok(Self {
            domains,
            spool: Spool::new("", layout),
            refresh: params.flush.fast_flush_refresh_time,
            purge: params.flush.fast_flush_purge_time,
            qmgr: PathBuf::from("public").join(&params.ipc.queue_service_name),
            ipc_timeout: params.ipc.ipc_timeout,
            life,
        })
    }

    async fn serve(self: Arc<Self>, client: Client) {
        let handle = |request| self.answer(request);
        let result = service::answer::<ipc::flush::Flush, _, _>(client, &self.life, self.ipc_timeout, handle).await;
        if let Err(error) = result {
            tracing::warn!("internal connection: {error}");
        }
    }

    async fn wake(self: Arc<Self>, _requests: Vec<u8>) {
        let _ = self.all(self.refresh).await;
    }

    fn changed(&self) -> bool {
        self.domains.changed()
    }
}

impl Flush {
    /// Answers a request.
    async fn answer(&self, request: Request) -> Reply {
        match request {
            Request::Add { site, queue_id } => match (self.admitted(&site).await, QueueId::parse(&queue_id)) {
                (Ok(site), Some(id)) => self.on_disk(move |spool| site.add(spool, &id)).await,
                (Err(reply), _) => reply,
                (Ok(_), None) => Reply::Malformed,
            },
            Request::Site(site) => match self.admitted(&site).await {
                Ok(site) => self.flushed(self.on_disk(move |spool| site.flush(spool)).await),
                Err(reply) => reply,
            },
            Request::Message(id) => match QueueId::parse(&id) {
                Some(id) => self.flushed(self.on_disk(move |spool| site::make_due(spool, &id)).await),
                None => Reply::Malformed,
            },
            Request::Refresh => self.all(self.refresh).await,
            Request::Purge => self.all(Duration::ZERO).await,
        }
    }

    /// The site of a domain that may be flushed.
    async fn admitted(&self, domain: &str) -> Result<Site, Reply> {
        let domain = domain.to_ascii_lowercase();
        match self.domains.matches_domain(domain.as_bytes()).await {
            Ok(true) => Site::named(&domain).ok_or(Reply::Malformed),
            Ok(false) => Err(Reply::Denied),
            Err(error) => {
                tracing::warn!("fast_flush_domains: {error}");
                Err(Reply::Failed)
            }
        }
    }

    /// Flushes every site whose log was last flushed `age` ago or earlier.
    async fn all(&self, age: Duration) -> Reply {
        let purge = self.purge;
        let now = SystemTime::now();
        self.flushed(self.on_disk(move |spool| site::flush_old(spool, now, age, purge)).await)
    }

    async fn on_disk(&self, work: impl FnOnce(&Spool) -> Result<(), queue_file::Error> + Send + 'static) -> Reply {
        let spool = self.spool.clone();
        match service::disk(move || work(&spool)).await {
            Ok(()) => Reply::Done,
            Err(error) => {
                tracing::warn!("{error}");
                Reply::Failed
            }
        }
    }

    /// After files were made due, qmgr looks for them, dead destinations or not.
    fn flushed(&self, reply: Reply) -> Reply {
        if reply == Reply::Done {
            let bytes = [ipc::qmgr::FORGET_DEAD, ipc::qmgr::SCAN_INCOMING, ipc::qmgr::SCAN_DEFERRED];
            if let Err(error) = ipc::trigger::wake(&self.qmgr, &bytes) {
                tracing::warn!("wake {}: {error}", self.qmgr.display());
            }
        }
        reply
    }
}
