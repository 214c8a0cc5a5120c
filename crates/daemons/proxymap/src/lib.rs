//! proxymap(8): look-ups in tables for other daemons, which are in a jail or too many to open every table.
//!
//! Under the name proxywrite it changes tables too, for one client at a time. Only tables that the configuration
//! names with `proxy:` may be asked for. It runs with the rights of `mail_owner`, and without a root of its own.

mod approved;
mod tables;

use std::sync::Arc;
use std::time::Duration;

use ipc::proxymap::{Action, Reply, Request};
use service::{Client, Clients, Fatal, Life, LifeSpan, Outside, Service};
use table::Environment;

use approved::Approved;
use tables::{Missing, Step, Tables};

config::bundle! {
    /// All that this daemon may know.
    pub struct Params {
        approved: config::params::Proxymap,
        ipc: config::params::Ipc,
    }
}

/// What callers may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Read,
    Write,
}

/// The daemon.
pub struct Proxymap {
    role: Role,
    approved: Approved,
    tables: Tables,
    ipc_timeout: Duration,
    life: Life,
}

impl Service for Proxymap {
    const NAME: &'static str = "proxymap";
    const CLIENTS: Clients = Clients::Internal;
    const LIFE_SPAN: LifeSpan = LifeSpan::UntilIdle;
    type Params = Params;
    type Opened = Environment;

    fn open(_: &Params, outside: &Outside) -> Result<Environment, Fatal> {
        if outside.chroot {
            tracing::warn!("{}: a chroot hides the tables that are asked for", outside.service_name);
        }
        Ok(Environment::of(&outside.source).inside())
    }

    fn start(params: Params, environment: Environment, life: Life) -> Result<Self, Fatal> {
        let is_writer = life.service_name() == params.ipc.proxywrite_service_name;
        let (role, maps) = if is_writer {
            (Role::Write, &params.approved.proxy_write_maps)
        } else {
            (Role::Read, &params.approved.proxy_read_maps)
        };
        let approved = Approved::read(maps);
        let missing = if role == Role::Write { Missing::Made } else { Missing::Told };
        Ok(Self {
            role,
            approved,
            tables: Tables::new(environment, missing),
            ipc_timeout: params.ipc.ipc_timeout,
            life,
        })
    }

    async fn serve(self: Arc<Self>, client: Client) {
        let handle = |request| self.answer(request);
        let result =
            service::answer::<ipc::proxymap::Proxymap, _, _>(client, &self.life, self.ipc_timeout, handle).await;
        if let Err(error) = result {
            tracing::warn!("internal connection: {error}");
        }
    }
}

impl Proxymap {
    async fn answer(&self, request: Request) -> Reply {
        if !self.approved.has(&request.table) {
            self.refuse(&request.table);
            return Reply::Denied;
        }
        let name = (request.table, request.folding);
        if self.role == Role::Write {
            self.tables.create(&name).await;
        }
        let step = match request.action {
            Action::Open => return self.tables.open(&name).await,
            Action::Lookup(key) => return self.tables.lookup(&name, &key).await,
            Action::Update(key, value) => Step::Update(key, value),
            Action::Delete(key) => Step::Delete(key),
            Action::First => Step::First,
            Action::Next => Step::Next,
        };
        if self.role == Role::Read {
            tracing::warn!("refusing {} request on non-proxywrite service", step.verb());
            return Reply::Denied;
        }
        self.tables.step(&name, step).await
    }

    fn refuse(&self, table: &str) {
        let (access, parameter) = match self.role {
            Role::Read => ("read-only", "proxy_read_maps"),
            Role::Write => ("read-write", "proxy_write_maps"),
        };
        tracing::warn!("request for unapproved table: \"{table}\"");
        tracing::warn!("to approve this table for {access} access, list proxy:{table} in main.cf:{parameter}");
    }
}
