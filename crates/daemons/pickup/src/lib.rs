//! pickup(8): takes mail from the maildrop and hands it to cleanup.
//!
//! A maildrop file belongs to whoever sent the message, and nothing that it says is believed but the message. It is
//! removed only when cleanup has the message on disk: a crash in between makes a duplicate, never a loss.

mod handover;
mod in_hand;
mod letter;
mod spares;
mod submission;

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use config::Overrides;
use futures_util::stream::{self, StreamExt};
use ipc::cleanup::{Handling, Lines, Origin, Switch};
use jiff::tz::TimeZone;
use queue_file::{Layout, QueueId, QueueName, Spool};
use service::{Client, Clients, Fatal, Life, LifeSpan, Outside, ProcessLimit, Service};
use tokio::sync::Semaphore;
use tracing::warn;

use crate::handover::{Counter, Fate};
use crate::in_hand::InHand;
use crate::letter::{Letter, Look};
use crate::spares::Spares;
use crate::submission::Audience;

/// Messages on their way to cleanup at once.
const AT_ONCE: usize = 8;

/// How long a program may pause while it hands in a message by the socket.
const SUBMISSION_PAUSE: Duration = Duration::from_secs(300);

config::bundle! {
    /// The parameters of pickup(8).
    pub struct Params {
        identity: config::params::Identity,
        queue: config::params::Queue,
        ipc: config::params::Ipc,
        cleanup: config::params::Cleanup,
        sendmail: config::params::Sendmail,
    }
}

/// The service.
#[derive(Debug)]
pub struct Pickup {
    spool: Spool,
    counter: Counter,
    spares: Arc<Spares>,
    submission: submission::Desk,
    /// Whose files were in the queue before, or came by the socket.
    own_uid: u32,
    in_hand: InHand,
    turns: Semaphore,
}

impl Service for Pickup {
    const NAME: &'static str = "pickup";
    const CLIENTS: Clients = Clients::Internal;
    const LIFE_SPAN: LifeSpan = LifeSpan::UntilIdle;
    const PROCESS_LIMIT: ProcessLimit = ProcessLimit::One;
    const TRIGGERED: bool = true;
    type Params = Params;
    type Opened = TimeZone;

    fn open(_: &Params, _: &Outside) -> Result<TimeZone, Fatal> {
        Ok(time_zone::local())
    }

    fn start(params: Params, time_zone: TimeZone, _: Life) -> Result<Self, Fatal> {
        let hashed = params.queue.hash_queue_names.iter().map(String::as_str);
        let layout = Layout::new(hashed, u32::try_from(params.queue.hash_queue_depth).unwrap_or(1));
        let cleanup = PathBuf::from("public").join(&params.ipc.cleanup_service_name);
        let counter = Counter {
            lines: Lines::new(cleanup, params.ipc.ipc_timeout, AT_ONCE),
            handling: handling(&params),
            content_filter: params.cleanup.content_filter.clone(),
            myhostname: params.identity.myhostname.clone(),
            mail_name: params.identity.mail_name.clone(),
            log_form: params.identity.info_log_address_format.parse().unwrap_or_default(),
            time_zone,
        };
        let spool = Spool::new("", layout.with_long_ids(params.queue.enable_long_queue_ids));
        let deadline = params.ipc.ipc_timeout.min(SUBMISSION_PAUSE);
        let spares = Arc::new(Spares::new(spool.clone()));
        Ok(Self {
            submission: submission::Desk::new(
                Arc::clone(&spares),
                audience(&params),
                params.queue.message_size_limit,
                deadline,
            ),
            spool,
            spares,
            counter,
            own_uid: privsep::real_uid(),
            in_hand: InHand::default(),
            turns: Semaphore::new(AT_ONCE),
        })
    }

    async fn serve(self: Arc<Self>, client: Client) {
        // The slot keeps the process until the message is in the queue.
        let (stream, _slot) = match client.into_unix() {
            Ok(parts) => parts,
            Err(error) => return warn!("submission: {error}"),
        };
        if let Some(id) = self.submission.serve(stream).await {
            self.take(&id).await;
        }
    }

    async fn wake(self: Arc<Self>, _: Vec<u8>) {
        // What comes in while the queue is being emptied is found by the next round.
        while self.empty().await {}
        let spares = Arc::clone(&self.spares);
        service::disk(move || spares.remove_unwanted()).await;
    }
}

impl Pickup {
    /// Takes all that is in the maildrop; whether anything was.
    async fn empty(&self) -> bool {
        let spool = self.spool.clone();
        let found = service::disk(move || list(&spool)).await;
        let taken = stream::iter(found).map(|id| async move { self.take(&id).await }).buffer_unordered(AT_ONCE);
        taken.fold(false, |any, taken| async move { any || taken }).await
    }

    /// Takes one message; whether it is gone from the maildrop.
    async fn take(&self, id: &QueueId) -> bool {
        let Some(_hold) = self.in_hand.take(id) else { return false };
        let Ok(_turn) = self.turns.acquire().await else { return false };
        let (spool, of, own_uid) = (self.spool.clone(), id.clone(), self.own_uid);
        match service::file(move || letter::look(&spool, &of, own_uid)).await {
            Ok(Look::Ready(letter)) => match self.counter.hand_over(id, &letter).await {
                Fate::Keep => false,
                Fate::Remove => is_gone(id, self.remove(id, letter).await),
                Fate::Corrupt => is_gone(id, self.put_aside(id).await),
            },
            Ok(Look::NotYet) => false,
            Ok(Look::Corrupt(reason)) => {
                warn!("{id}: {reason}");
                is_gone(id, self.put_aside(id).await)
            }
            Err(error) => {
                warn!("open maildrop file {id}: {error}");
                false
            }
        }
    }

    /// Removes a message that is in the queue; its file is locked until it is no mail.
    async fn remove(&self, id: &QueueId, letter: Letter) -> Result<(), queue_file::Error> {
        let (spool, of) = (self.spool.clone(), id.clone());
        if !letter.is_ours {
            let removed = service::file(move || spool.remove(QueueName::Maildrop, &of)).await;
            drop(letter);
            return removed;
        }
        let spares = Arc::clone(&self.spares);
        service::file(move || {
            letter.file.set_permissions(Permissions::from_mode(0o600))?;
            drop(letter);
            spares.recycle(&of)
        })
        .await
    }

    async fn put_aside(&self, id: &QueueId) -> Result<(), queue_file::Error> {
        warn!("saving queue file {id} to the corrupt queue");
        let (spool, of) = (self.spool.clone(), id.clone());
        service::disk(move || spool.rename(&of, QueueName::Maildrop, QueueName::Corrupt)).await
    }
}

fn is_gone(id: &QueueId, done: Result<(), queue_file::Error>) -> bool {
    done.inspect_err(|error| warn!("{id}: {error}")).is_ok()
}

/// Who may use the submission socket.
fn audience(params: &Params) -> Audience {
    let anyone = params.sendmail.authorized_submit_users.as_slice() == ["static:anyone"];
    let any_sender = params.sendmail.local_login_sender_maps.as_slice() == ["static:*"];
    if anyone && any_sender { Audience::Everyone } else { Audience::System }
}

fn handling(params: &Params) -> Handling {
    let overrides = Overrides::of(&params.cleanup.receive_override_options);
    Handling {
        bounce: Switch::On,
        ..service::handling(Origin::Pickup, overrides, &params.identity.smtputf8_autodetect_classes)
    }
}

fn list(spool: &Spool) -> Vec<QueueId> {
    let mut found = Vec::new();
    for entry in spool.scan(QueueName::Maildrop) {
        match entry {
            Ok(entry) => found.push(entry.id),
            Err(error) => warn!("scan maildrop: {error}"),
        }
    }
    found
}
