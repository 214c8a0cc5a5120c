//! postscreen(8): keeps those from smtpd(8) that are no mail clients.
//!
//! One process meets all clients. [`session`] leads each through the tests that are due; [`exam`], [`hall`] and [`dnsbl`] decide,
//! and know neither clock nor socket. What a client says before its turn is left in the socket, for smtpd(8) to read. Nothing
//! is ever waited for that could hold up other clients.

pub mod access;
pub mod action;
pub mod cache;
pub mod dialogue;
pub mod dnsbl;
pub mod exam;
pub mod hall;
mod hand_over;
mod open;
mod proxy;
mod session;

use crate::hall::Hall;
use crate::open::{Actions, Opened, Rules};
use service::{Client, Clients, Fatal, Life, LifeSpan, Outside, ProcessLimit, Service};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

config::bundle! {
    /// All that this daemon may know.
    pub struct Params {
        identity: config::params::Identity,
        networks: config::params::Networks,
        queue: config::params::Queue,
        postscreen: config::params::Postscreen,
        tls: config::params::PostscreenTls,
        smtpd: config::params::Smtpd,
        ipc: config::params::Ipc,
    }
}

/// The daemon.
#[derive(Debug)]
pub struct Postscreen {
    params: Params,
    rules: Rules,
    actions: Actions,
    /// What all dialogues have in common.
    dialogue: Arc<dialogue::Settings>,
    lists: Arc<dnsbl::Lists>,
    hall: Mutex<Hall>,
    life: Life,
}

impl Service for Postscreen {
    const NAME: &'static str = "postscreen";
    // It counts its clients itself, and answers those that are too many.
    const CLIENTS: Clients = Clients::Internal;
    const LIFE_SPAN: LifeSpan = LifeSpan::Endless;
    const PROCESS_LIMIT: ProcessLimit = ProcessLimit::One;
    type Params = Params;
    type Opened = Opened;

    fn patience(params: &Params) -> Option<Duration> {
        Some(params.postscreen.postscreen_watchdog_timeout)
    }

    fn open(params: &Params, outside: &Outside) -> Result<Opened, Fatal> {
        Opened::open(params, outside)
    }

    fn start(params: Params, opened: Opened, life: Life) -> Result<Self, Fatal> {
        let Opened { rules, actions, lists, dialogue } = opened;
        let postscreen = &params.postscreen;
        let lists = dnsbl::Lists::new(lists, &postscreen.dnsblog_service_name, postscreen.postscreen_dnsbl_timeout);
        let hall = Mutex::new(Hall::new(count(postscreen.postscreen_pre_queue_limit)));
        Ok(Self { params, rules, actions, dialogue: Arc::new(dialogue), lists: Arc::new(lists), hall, life })
    }

    async fn serve(self: Arc<Self>, client: Client) {
        let (stream, _, slot) = client.into_parts();
        match stream {
            service::Stream::Tcp(stream) => Box::pin(session::serve(self, stream)).await,
            service::Stream::Unix(_) => {
                tracing::warn!("service {} must be of type inet", self.life.service_name());
            }
        }
        drop(slot);
    }

    async fn run(self: Arc<Self>) {
        let postscreen = &self.params.postscreen;
        if let Some(cache) = &self.rules.cache {
            let interval = postscreen.postscreen_cache_cleanup_interval;
            let cleaner = async {
                tokio::select! {
                    () = cache.keep_clean(interval, postscreen.postscreen_cache_retention_time) => {}
                    () = self.life.draining() => {}
                }
            };
            tokio::join!(cleaner, cache.keep_written());
        }
    }

    async fn finish(self: Arc<Self>) {
        if let Some(cache) = &self.rules.cache {
            cache.write_pending().await;
        }
    }

    fn changed(&self) -> bool {
        self.rules.changed()
    }
}

impl Postscreen {
    fn hall(&self) -> MutexGuard<'_, Hall> {
        self.hall.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `postscreen_greet_wait`, as it is now.
    fn greet_wait(&self) -> Duration {
        if self.hall().is_stressed() { self.rules.stressed_wait } else { self.params.postscreen.postscreen_greet_wait }
    }
}

/// A number of the configuration as a count; one below zero is none.
fn count(value: i64) -> usize {
    usize::try_from(value).unwrap_or(0)
}
