//! Who is told of trouble in sessions.

use config::params::{Bounce, Cleanup, Identity, Ipc};
use ipc::post::{Outbox, Postmaster, double_bounce_sender};

/// Whom a daemon of these parameters tells of trouble, and as whom: `error_notice_recipient`, `double_bounce_sender`.
#[must_use]
pub fn postmaster(ipc: &Ipc, identity: &Identity, bounce: &Bounce, cleanup: &Cleanup) -> Postmaster {
    Postmaster {
        outbox: Outbox::new(&ipc.cleanup_service_name, ipc.ipc_timeout),
        host: identity.myhostname.clone(),
        mail_name: identity.mail_name.clone(),
        sender: double_bounce_sender(&identity.double_bounce_sender, &identity.myhostname),
        recipient: bounce.error_notice_recipient.clone(),
        filtered: cleanup.internal_mail_filter_classes.clone(),
        autodetected: identity.smtputf8_autodetect_classes.clone(),
    }
}
