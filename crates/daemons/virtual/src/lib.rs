//! virtual(8): delivers to mailboxes of users who have no account.
//!
//! Tables say where a mailbox is and whose it is; the rest is a small part of what local(8) does. Files are only ever
//! written with the user and group that the tables say. Doubt defers.

mod lookup;
mod store;

use delivery::mailbox::Locking;
use delivery::{Policy, StatusFilter, solo};
use jiff::tz::TimeZone;
use service::Fatal;
use service::solo::{Life, Solo, Stream};
use std::collections::HashSet;
use table::{Environment, Maps};

use crate::store::Errand;

config::bundle! {
    /// The parameters of virtual(8).
    pub struct Params {
        /// What all agents share.
        common: delivery::Params,
        mailbox: config::params::Virtual,
        delivery: config::params::Delivery,
        rewrite: config::params::Rewrite,
        daemon: config::params::Daemon,
    }
}

/// The tables of virtual(8).
#[derive(Debug)]
struct Tables {
    mailboxes: Maps,
    uids: Maps,
    gids: Maps,
}

/// All that lasts longer than a delivery, apart from the peers of [`solo::Desk`].
#[derive(Debug)]
struct Office {
    params: Params,
    tables: Tables,
    locking: Locking,
    /// For the names of Maildir files.
    host: String,
    time_zone: TimeZone,
    relay: String,
}

/// The service.
#[derive(Debug)]
pub struct Virtual {
    office: Office,
    desk: solo::Desk,
}

impl Solo for Virtual {
    const NAME: &'static str = "virtual";
    type Params = Params;

    fn start(params: Params, outside: service::Outside, life: &Life) -> Result<Self, Fatal> {
        let Params { common, mailbox, .. } = &params;
        if mailbox.virtual_mailbox_base.is_empty() {
            return Err(Fatal::new("bad string length 0 < 1: virtual_mailbox_base = "));
        }
        let limit = mailbox.virtual_mailbox_limit;
        delivery::mailbox::check_limit("virtual_mailbox_limit", limit, common.queue.message_size_limit)?;
        let environment = Environment::of(&outside.source);
        let open = |name: &str, list: &[String]| Maps::open_paranoid(name, list, &environment);
        let tables = Tables {
            mailboxes: open("virtual_mailbox_maps", &params.rewrite.virtual_mailbox_maps),
            uids: open("virtual_uid_maps", &params.mailbox.virtual_uid_maps),
            gids: open("virtual_gid_maps", &params.mailbox.virtual_gid_maps),
        };
        let filter = StatusFilter::open(
            "virtual_delivery_status_filter",
            &params.mailbox.virtual_delivery_status_filter,
            &environment,
        );
        let stale = params.common.queue.stale_lock_time;
        let names = ("virtual_mailbox_lock", &params.mailbox.virtual_mailbox_lock[..]);
        let locking = Locking::new(names, &params.delivery, stale)?;
        let office = Office {
            tables,
            locking,
            host: config::host_name(),
            time_zone: time_zone::local(),
            relay: life.service_name.clone(),
            params,
        };
        Ok(Self { desk: solo::Desk::new(Policy::from(&office.params.common).with_filter(filter)), office })
    }

    fn serve(&mut self, stream: Stream, life: &Life) {
        let idle = self.office.params.daemon.max_idle;
        solo::attend(&mut self.office, &mut self.desk, stream, life, idle);
    }

    fn changed(&self) -> bool {
        let Tables { mailboxes, uids, gids } = &self.office.tables;
        [mailboxes, uids, gids].iter().any(|maps| maps.changed())
    }
}

impl solo::Agent for Office {
    fn deliver(&mut self, delivery: &mut solo::Delivery<'_>) {
        let mut errand = Errand { office: self, delivery, seen: HashSet::new() };
        for recipient in &errand.delivery.request().recipients {
            errand.deliver(recipient);
        }
    }
}
