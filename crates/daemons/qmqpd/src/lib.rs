//! qmqpd(8): receives mail by QMQP, from hosts that keep no queue of their own.
//!
//! A client sends a message, its sender and its recipients, and hears once what became of it. `packet` is the pure parser, `session`
//! reads and answers, `delivery` speaks with cleanup. Nothing is answered with K that is not in the queue.

mod delivery;
pub mod packet;
mod peer;
mod session;
pub mod verp;

use std::path::PathBuf;
use std::sync::Arc;

use config::{Overrides, params};
use ipc::cleanup::{Handling, Lines, Origin};
use jiff::tz::TimeZone;
use service::{Client, Fatal, Life, Outside, Service};
use table::{Environment, Parents, PatternList};

config::bundle! {
    /// All that this daemon may know.
    pub struct Params {
        identity: params::Identity,
        qmqpd: params::Qmqpd,
        cleanup: params::Cleanup,
        queue: params::Queue,
        verp: params::Verp,
        ipc: params::Ipc,
    }
}

/// What is opened before the jail.
#[derive(Debug)]
pub struct Opened {
    authorized: PatternList,
    resolver: dns::Resolver,
    time_zone: TimeZone,
}

/// The daemon.
#[derive(Debug)]
pub struct Qmqpd {
    params: Params,
    opened: Opened,
    lines: Lines,
    handling: Handling,
}

/// Connections to cleanup that are kept.
const KEPT: usize = 8;

impl Service for Qmqpd {
    const NAME: &'static str = "qmqpd";
    type Params = Params;
    type Opened = Opened;

    fn open(params: &Params, outside: &Outside) -> Result<Opened, Fatal> {
        Ok(Opened::open(params, &outside.source))
    }

    fn start(params: Params, opened: Opened, _: Life) -> Result<Self, Fatal> {
        Self::new(params, opened)
    }

    async fn serve(self: Arc<Self>, client: Client) {
        let (stream, _, slot) = client.into_parts();
        Box::pin(session::serve(&self, stream)).await;
        drop(slot);
    }

    fn changed(&self) -> bool {
        self.opened.authorized.changed() || self.opened.resolver.changed()
    }
}

impl Opened {
    fn open(params: &Params, source: &config::Source) -> Self {
        let name = "qmqpd_authorized_clients";
        let parents = Parents::of(name, &params.identity.parent_domain_matches_subdomains);
        let environment = Environment { queue_directory: PathBuf::new(), ..Environment::of(source) };
        Self {
            authorized: PatternList::open(name, &params.qmqpd.qmqpd_authorized_clients, parents, &environment),
            resolver: dns::Resolver::system(),
            time_zone: time_zone::local(),
        }
    }
}

impl Qmqpd {
    fn new(params: Params, opened: Opened) -> Result<Self, Fatal> {
        let cleanup = PathBuf::from("public").join(&params.ipc.cleanup_service_name);
        Ok(Self {
            lines: Lines::new(cleanup, params.ipc.ipc_timeout, KEPT),
            handling: handling(&params),
            params,
            opened,
        })
    }
}

fn handling(params: &Params) -> Handling {
    let overrides = Overrides::of(&params.cleanup.receive_override_options);
    service::handling(Origin::Qmqpd, overrides, &params.identity.smtputf8_autodetect_classes)
}
