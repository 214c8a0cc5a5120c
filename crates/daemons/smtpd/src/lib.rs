//! smtpd(8): receives mail by SMTP, decides about it, and hands it to cleanup.
//!
//! One process serves many sessions. What a session may do is decided by [`access`](self); what is accepted goes to cleanup over
//! kept connections, or through a before-queue filter. Nothing is accepted whose fate is unknown: a failed lookup
//! defers. See smtpd(8), RFC 5321, 2920, 3030, 3461, 6531.

mod access;
mod names;
mod open;
mod resolve;
mod session;
mod settings;
mod sink;
mod text;
mod verb;

use std::sync::Arc;

use config::params;
use ipc::post::Postmaster;
use ipc::{anvil::Anvil, flush::Flush, verify::Verify};
use service::{Client, Fatal, Life, Outside, Service};

use crate::access::Rules;
use crate::names::Names;
use crate::open::{Opened, Tables};
use crate::resolve::Resolver;
use crate::session::Session;
use crate::session::milter::Milters;
use crate::session::received::Dates;
use crate::session::sasl::Sasl;
use crate::session::tls::Tls;
use crate::settings::{Codes, Settings};
use offload::Recent;

config::bundle! {
    /// All that smtpd may know.
    pub struct Params {
        identity: params::Identity,
        networks: params::Networks,
        smtpd: params::Smtpd,
        access: params::SmtpdAccess,
        tls: params::SmtpdTls,
        crypto: params::Tls,
        sasl: params::SmtpdSasl,
        milter: params::Milter,
        rewrite: params::Rewrite,
        cleanup: params::Cleanup,
        verify: params::Verify,
        bounce: params::Bounce,
        verp: params::Verp,
        queue: params::Queue,
        tables: params::Tables,
        sendmail: params::Sendmail,
        ipc: params::Ipc,
        layout: params::Layout,
        daemon: params::Daemon
    }
}

/// The process.
#[derive(Debug)]
pub struct Smtpd {
    params: Params,
    settings: Settings,
    dates: Dates,
    codes: Codes,
    rules: Rules,
    tables: Tables,
    dns: Names,
    tls: Option<Tls>,
    milters: Milters,
    sasl: Option<Sasl>,
    resolver: Resolver,
    listed: Recent<bool>,
    anvil: ipc::Caller<Anvil>,
    verify: ipc::Caller<Verify>,
    flush: ipc::Caller<Flush>,
    cleanup: sink::cleanup::Pool,
    postmaster: Postmaster,
    life: Box<dyn Process>,
}

/// What sessions ask of the process that they are in.
trait Process: std::fmt::Debug + Send + Sync {
    /// Whether the one client is on standard input.
    fn is_standalone(&self) -> bool;
    /// Whether there are more clients than processes.
    fn stress(&self) -> bool;
}

impl Process for Life {
    fn is_standalone(&self) -> bool {
        Life::is_standalone(self)
    }

    fn stress(&self) -> bool {
        Life::stress(self)
    }
}

impl Service for Smtpd {
    const NAME: &'static str = "smtpd";
    type Params = Params;
    type Opened = Opened;

    fn open(params: &Params, outside: &Outside) -> Result<Opened, Fatal> {
        Opened::open(params, &outside.source, &outside.service_name)
    }

    fn start(params: Params, opened: Opened, life: Life) -> Result<Smtpd, Fatal> {
        Smtpd::new(params, opened, Box::new(life))
    }

    async fn serve(self: Arc<Self>, client: Client) {
        let (stream, preamble, slot) = client.into_parts();
        Box::pin(Session::serve(self, stream, preamble)).await;
        drop(slot);
    }

    fn changed(&self) -> bool {
        self.tables.changed()
            || self.rules.changed()
            || self.dns.changed()
            || self.milters.changed()
            || self.tls.as_ref().is_some_and(Tls::changed)
    }
}

impl Smtpd {
    fn new(params: Params, opened: Opened, life: Box<dyn Process>) -> Result<Smtpd, Fatal> {
        let Opened { tables, rules, dns, settings, tls, milters } = opened;
        let deadline = params.ipc.ipc_timeout;
        let private = |name: &str| format!("private/{name}");
        Ok(Smtpd {
            codes: Codes::new(&params.access),
            dates: Dates::new(settings.timezone.clone()),
            sasl: Sasl::new(&params)?,
            tls,
            milters,
            settings,
            rules,
            tables,
            dns,
            resolver: Resolver::new(ipc::Caller::new(private(&params.ipc.rewrite_service_name), deadline)),
            listed: Recent::new(10_000),
            anvil: ipc::Caller::new("private/anvil", deadline),
            verify: ipc::Caller::new(private(&params.verify.address_verify_service_name), deadline),
            flush: ipc::Caller::new(format!("public/{}", params.ipc.flush_service_name), deadline),
            cleanup: sink::cleanup::Pool::new(format!("public/{}", params.ipc.cleanup_service_name), deadline),
            postmaster: service::postmaster(&params.ipc, &params.identity, &params.bounce, &params.cleanup),
            params,
            life,
        })
    }

    /// The limits of a session that begins now.
    fn limits(&self) -> settings::Limits {
        self.settings.limits(self.life.stress())
    }

    /// What the queue may still grow by; `None` where that cannot be told.
    fn free_space(&self) -> Option<u64> {
        privsep::free_space(std::path::Path::new(".")).ok()
    }
}

/// What the system said, as the system's own text.
fn system_text(error: &std::io::Error) -> String {
    let text = error.to_string();
    match text.find(" (os error") {
        Some(at) => text.get(..at).unwrap_or_default().to_owned(),
        None => text,
    }
}

#[cfg(test)]
mod rehearsal;
