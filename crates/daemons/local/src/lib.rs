//! local(8): delivers to users, aliases, files and commands of this host.
//!
//! A recipient is expanded, depth first, through aliases and `.forward` files until it comes to mailboxes, files, commands
//! and addresses elsewhere. Each of these is reported on its own; the recipient ends when all of them have, else it is
//! tried again as a whole. Whatever a user can influence is done with that user's identity, and nothing is ever done as
//! root but writing to the mail spool, reading lists that the administrator names, and seeing that a user has no `.forward`.
//! Doubt defers.

mod account;
mod address;
mod alias;
mod biff;
mod command;
mod errand;
mod expand;
mod file;
mod forward;
mod include;
mod indirect;
mod mailbox;
mod pass;
mod state;
mod token;
mod unknown;

use ipc::blocking::Caller;
use ipc::rewrite::Rewrite;
use privsep::User;
use service::Fatal;
use service::solo::{Life, Solo, Stream};
use table::{Environment, Maps};

use delivery::mailbox::{Kept, Locking, check_limit};
use delivery::{Policy, StatusFilter, solo};
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use std::path::PathBuf;

use crate::account::Accounts;
use crate::biff::Biff;
use crate::indirect::Line;

config::bundle! {
    /// The parameters of local(8).
    pub struct Params {
        /// What all agents share.
        common: delivery::Params,
        local: config::params::Local,
        delivery: config::params::Delivery,
        layout: config::params::Layout,
        rewrite: config::params::Rewrite,
        cleanup: config::params::Cleanup,
        daemon: config::params::Daemon,
    }
}

/// The tables of local(8).
#[derive(Debug)]
struct Tables {
    aliases: Maps,
    mailbox_commands: Maps,
    mailbox_transports: Maps,
    fallback_transports: Maps,
}

/// All that lasts longer than a delivery, apart from the peers of [`solo::Desk`].
#[derive(Debug)]
struct Office {
    params: Params,
    tables: Tables,
    locking: Locking,
    kept: Kept,
    accounts: Accounts,
    biff: Biff,
    /// For the names of Maildir files.
    host: String,
    time_zone: TimeZone,
    default_user: User,
    rewrite: Caller<Rewrite>,
    /// Kept for the next message that is forwarded.
    cleanup: Option<Line>,
    relay: String,
    exported: Vec<(String, String)>,
}

/// The service.
#[derive(Debug)]
pub struct Local {
    office: Office,
    desk: solo::Desk,
}

impl Solo for Local {
    const NAME: &'static str = "local";
    type Params = Params;

    fn start(params: Params, outside: service::Outside, life: &Life) -> Result<Self, Fatal> {
        let environment = Environment::of(&outside.source);
        let commands = |name: &str, list: &[String]| Maps::open_paranoid(name, list, &environment);
        let of_routes = environment.for_routes();
        let routes = |name: &str, list: &[String]| Maps::open(name, list, &of_routes);
        let local = &params.local;
        let largest = params.common.queue.message_size_limit;
        check_limit("mailbox_size_limit", local.mailbox_size_limit, largest)?;
        let tables = Tables {
            aliases: commands("alias_maps", &local.alias_maps),
            mailbox_commands: commands("mailbox_command_maps", &local.mailbox_command_maps),
            mailbox_transports: routes("mailbox_transport_maps", &local.mailbox_transport_maps),
            fallback_transports: routes("fallback_transport_maps", &local.fallback_transport_maps),
        };
        let ipc = &params.common.ipc;
        let filter =
            StatusFilter::open("local_delivery_status_filter", &local.local_delivery_status_filter, &environment);
        let office = Office {
            tables,
            locking: Locking::new(
                ("mailbox_delivery_lock", &params.delivery.mailbox_delivery_lock),
                &params.delivery,
                params.common.queue.stale_lock_time,
            )?,
            kept: Kept::new(PathBuf::from(&params.layout.process_id_directory)),
            accounts: Accounts::new(),
            biff: Biff::default(),
            host: config::host_name(),
            time_zone: time_zone::local(),
            default_user: default_user(&params.layout.default_privs)?,
            cleanup: None,
            rewrite: Caller::new(Policy::socket(&ipc.rewrite_service_name), ipc.ipc_timeout),
            relay: life.service_name.clone(),
            exported: privsep::chosen_environment(&params.layout.export_environment),
            params,
        };
        Ok(Self { desk: solo::Desk::new(Policy::from(&office.params.common).with_filter(filter)), office })
    }

    fn serve(&mut self, stream: Stream, life: &Life) {
        let idle = self.office.params.daemon.max_idle;
        solo::attend(&mut self.office, &mut self.desk, stream, life, idle);
    }

    fn changed(&self) -> bool {
        let Tables { aliases, mailbox_commands, mailbox_transports, fallback_transports } = &self.office.tables;
        [aliases, mailbox_commands, mailbox_transports, fallback_transports].iter().any(|maps| maps.changed())
    }
}

impl Office {
    fn now(&self) -> Zoned {
        Timestamp::now().to_zoned(self.time_zone.clone())
    }
}

impl solo::Agent for Office {
    fn deliver(&mut self, delivery: &mut solo::Delivery<'_>) {
        errand::run(self, delivery);
    }
}

/// The user of `default_privs`, who must not be root.
fn default_user(name: &str) -> Result<User, Fatal> {
    let user = User::by_name(name)?
        .ok_or_else(|| Fatal::new(format!("file main.cf: parameter default_privs: unknown user name value: {name}")))?;
    if user.uid == 0 {
        return Err(Fatal::new("file main.cf: parameter default_privs: user 0 is not allowed"));
    }
    Ok(user)
}
