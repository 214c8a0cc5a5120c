//! One message on its way through the stages: leading envelope, content, trailing envelope.

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::Arc;

use address::{Address, Sender};
use ipc::cleanup::{Handling, Switch};
use ipc::rewrite::Context;
use jiff::Timestamp;
use queue_file::{Attributes, Time};

use crate::Desk;
use crate::content::Content;
use crate::draft::Draft;
use crate::fate::{Fate, Refusal};

/// Where the caller is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Envelope records go before the content.
    Leading,
    /// Content comes, or envelope records that go behind it.
    Content,
}

/// A message.
pub(crate) struct Message {
    pub(crate) desk: Arc<Desk>,
    pub(crate) id: String,
    pub(crate) handling: Handling,
    pub(crate) stage: Stage,
    pub(crate) began: Timestamp,
    pub(crate) envelope: Envelope,
    pub(crate) recipients: Recipients,
    pub(crate) content: Content,
    pub(crate) fate: Fate,
    /// `None` only after writing it has failed.
    pub(crate) draft: Option<Draft>,
    /// Records for behind the content.
    pub(crate) extracted: Vec<u8>,
    /// The caller's mail filters: numbers and protocol flags.
    pub(crate) filters: Vec<(u32, u32)>,
    /// Before the actions of checks in the log.
    pub(crate) action_prefix: &'static str,
    /// Recipients that filters of our own are shown.
    pub(crate) given: Vec<Address>,
}

/// What the envelope says, as far as later stages want to know.
pub(crate) struct Envelope {
    pub(crate) arrived: Option<Time>,
    pub(crate) sender: Option<Sender>,
    pub(crate) full_name: Vec<u8>,
    pub(crate) context: Context,
    pub(crate) envelope_id: String,
    pub(crate) ret: Option<dsn::Ret>,
    /// `8bit` or `7bit` where the client said so.
    pub(crate) encoding: String,
    /// How many attributes the caller gave, besides those of recipients.
    pub(crate) attributes: usize,
    /// Whether the caller said when the sender is to be warned of a delay.
    pub(crate) warned: bool,
    /// Of the recipient that comes next.
    pub(crate) pending: Pending,
    pub(crate) client: ClientWords,
    /// Whether this asks if its recipient exists.
    pub(crate) probe: bool,
    /// The attribute that asks for a report, until the sender is known.
    pub(crate) trace: Vec<u8>,
}

/// What precedes a recipient.
#[derive(Default)]
pub(crate) struct Pending {
    pub(crate) original: Vec<u8>,
    pub(crate) dsn_original: Vec<u8>,
    pub(crate) notify: dsn::Notify,
}

/// The client in the words of log lines, as the caller's attributes have them. Most messages need none of them.
#[derive(Default)]
pub(crate) struct ClientWords(Attributes);

impl ClientWords {
    /// Keeps an attribute if it is one of these.
    pub(crate) fn note(&mut self, name: &[u8], value: &[u8]) {
        if matches!(
            name,
            b"log_message_origin"
                | b"log_helo_name"
                | b"log_protocol_name"
                | b"client_name"
                | b"client_address"
                | b"client_port"
                | b"helo_name"
        ) {
            self.0.push(name, value);
        }
    }

    fn word(&self, name: &str) -> Cow<'_, str> {
        self.0.value(name).map_or(Cow::Borrowed(""), String::from_utf8_lossy)
    }

    /// Where the message comes from.
    pub(crate) fn origin(&self) -> Cow<'_, str> {
        self.word("log_message_origin")
    }

    /// Of who was really connected, for mail filters.
    pub(crate) fn port(&self) -> Cow<'_, str> {
        self.word("client_port")
    }

    /// What that one said at HELO.
    pub(crate) fn greeting(&self) -> Cow<'_, str> {
        self.word("helo_name")
    }

    /// ` proto=SMTP helo=<c>`, as far as it is known.
    pub(crate) fn hello(&self) -> String {
        let (protocol, helo) = (self.word("log_protocol_name"), self.word("log_helo_name"));
        let mut text = String::new();
        if !protocol.is_empty() {
            text += &format!(" proto={protocol}");
        }
        if !helo.is_empty() {
            text += &format!(" helo=<{helo}>");
        }
        text
    }

    /// Name and address of who was really connected; of mail that was made here, our own.
    pub(crate) fn ends(&self) -> (Cow<'_, str>, Cow<'_, str>) {
        match self.word("client_name") {
            name if name.is_empty() => ("localhost".into(), "127.0.0.1".into()),
            name => (name, self.word("client_address")),
        }
    }

    /// `name[address]`
    pub(crate) fn namaddr(&self) -> String {
        let (name, address) = self.ends();
        format!("{name}[{address}]")
    }
}

/// Recipients so far.
#[derive(Default)]
pub(crate) struct Recipients {
    pub(crate) count: u64,
    /// Whether there are fewer than there were.
    pub(crate) removed: bool,
    pub(crate) qmgr_flags: u64,
    pub(crate) seen: HashSet<Vec<u8>>,
    /// For log lines.
    pub(crate) last: Option<Address>,
    pub(crate) utf8: bool,
}

impl Message {
    pub(crate) fn new(desk: Arc<Desk>, mut draft: Draft, handling: Handling) -> Self {
        draft.begin();
        Self {
            id: draft.id().to_owned(),
            stage: Stage::Leading,
            began: Timestamp::now(),
            envelope: Envelope {
                arrived: None,
                sender: None,
                full_name: Vec::new(),
                context: Context::Local,
                envelope_id: String::new(),
                ret: None,
                encoding: String::new(),
                attributes: 0,
                warned: false,
                pending: Pending::default(),
                client: ClientWords::default(),
                probe: false,
                trace: Vec::new(),
            },
            recipients: Recipients::default(),
            content: Content::new(&desk, &handling),
            fate: Fate { hold: handling.hold == Switch::On, ..Fate::default() },
            draft: Some(draft),
            extracted: Vec::new(),
            filters: Vec::new(),
            given: Vec::new(),
            action_prefix: "",
            handling,
            desk,
        }
    }

    /// Whether what still comes is only thrown away.
    pub(crate) fn is_over(&self) -> bool {
        let returns = self.handling.bounce == Switch::On;
        self.fate.discard || self.fate.refusal.as_ref().is_some_and(|refusal| refusal.stops() || !returns)
    }

    /// Writes what has gathered, if it is much.
    pub(crate) async fn relieve(&mut self) {
        let Some(draft) = self.draft.take() else { return };
        match draft.relieve().await {
            Ok(draft) => self.draft = Some(draft),
            Err(error) => self.write_error(&error),
        }
    }

    /// The file cannot be written.
    pub(crate) fn write_error(&mut self, error: &queue_file::Error) {
        // The bare reason where that is all: which file it is has just been said.
        let reason: &dyn std::fmt::Display = match error {
            queue_file::Error::Read(reason) => reason,
            queue_file::Error::System { .. } | queue_file::Error::Malformed { .. } => error,
        };
        tracing::warn!("{}: write queue file: {reason}", self.id);
        self.fate.refuse(Refusal::write());
    }

    /// The records of this stage; more are appended here.
    pub(crate) fn segment(&mut self) -> &mut Vec<u8> {
        match (self.stage, &mut self.draft) {
            (Stage::Leading, Some(draft)) => draft.records(),
            // Where writing has failed, nobody reads them.
            (Stage::Leading, None) | (Stage::Content, _) => &mut self.extracted,
        }
    }

    /// The sender for log lines and notices.
    pub(crate) fn sender(&self) -> &Sender {
        self.envelope.sender.as_ref().unwrap_or(&Sender::Null)
    }
}
