//! A message in the active queue.

use crate::arena::Key;
use crate::engine::Delivery;
use crate::schedule::{Tick, Transport};
use bytes::Bytes;
use ipc::bounce::Notice;
use ipc::deliver::{self, Client, Mode, Recipient, Times};
use queue_file::{Message, Position, QueueId, Sizes};

/// Flags of the `trace_flags` attribute.
const PROBE: u32 = 1 << 8;
const EXPAND: u32 = 1 << 9;
const REPORT: u32 = 1 << 10;

/// What the queue manager keeps in mind of a message while it is active.
#[derive(Debug)]
pub(crate) struct Active {
    pub(crate) id: QueueId,
    pub(crate) envelope: deliver::Message,
    pub(crate) client: Client,
    pub(crate) times: Times,
    pub(crate) mode: Mode,
    /// When it came into being, seconds since the epoch: its lifetime counts from here.
    pub(crate) created: i64,
    /// When the sender is to be warned, and where the file says so. No time is left when that has been done.
    pub(crate) warn: Option<(i64, u64)>,
    pub(crate) filter: Option<(String, String)>,
    pub(crate) redirect: Option<Bytes>,
    pub(crate) verp: Option<String>,
    /// Where the recipients are that have not been read.
    pub(crate) more: Option<Position>,
    /// How many they are, at most.
    pub(crate) unread: usize,
    /// Recipients in memory.
    pub(crate) pending: usize,
    /// The transports that have had recipients of it.
    pub(crate) transports: Vec<Key<Transport<Delivery>>>,
    /// When recipients were read last.
    pub(crate) read: Tick,
    /// Whether recipients are being resolved or read.
    pub(crate) busy: bool,
    /// Whether some recipients must be tried again.
    pub(crate) remains: bool,
    pub(crate) handling: Handling,
    traced: Traced,
}

/// What was asked for a message besides the usual.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Handling {
    /// `defer_transports` does not apply.
    pub(crate) flush: bool,
    /// `postsuper -e`: this attempt is the last.
    pub(crate) expire: bool,
}

/// Whether some recipient's sender wants to hear of success.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Traced {
    No,
    Yes,
}

impl Active {
    /// Takes a parsed envelope; its recipients are given back.
    pub(crate) fn new(id: QueueId, message: Message, now: i64, handling: Handling) -> (Self, Vec<Recipient>) {
        let sizes = message.sizes.unwrap_or_default();
        let attributes = &message.attributes;
        let text = |name: &str| attributes.text(name).to_owned();
        let first = |one: &str, other: &str| if attributes.value(one).is_some() { text(one) } else { text(other) };
        let flags: u32 = attributes.text("trace_flags").parse().unwrap_or(0);
        let ret = match attributes.text("ret_flags") {
            "1" => "FULL",
            "2" => "HDRS",
            _ => "",
        };
        let context = text("rewrite_context");
        let envelope = deliver::Message {
            sender: Bytes::from(message.sender),
            size: sizes.content_size,
            data_offset: message.data_offset,
            data_size: sizes.data_size,
            encoding: text("encoding"),
            smtputf8: sizes.send_flags,
            envelope_id: text("envelope_id"),
            ret: ret.to_owned(),
            rewrite_context: if context.is_empty() { "local".to_owned() } else { context },
        };
        let client = Client {
            name: first("log_client_name", "client_name"),
            address: first("log_client_address", "client_address"),
            port: first("log_client_port", "client_port"),
            protocol: first("log_protocol_name", "protocol_name"),
            helo: first("log_helo_name", "helo_name"),
            ident: text("log_ident"),
            sasl_method: text("sasl_method"),
            sasl_username: text("sasl_username"),
            sasl_sender: text("sasl_sender"),
        };
        let created = attributes.text("create_time").parse().unwrap_or(message.arrived.seconds);
        let active = Self {
            id,
            envelope,
            client,
            times: Times { arrived: message.arrived.as_microseconds(), active: now, handed: 0 },
            mode: mode(flags),
            created,
            warn: message.warn,
            filter: message.filter.map(|filter| split(&filter)),
            redirect: message.redirect.map(Bytes::from),
            verp: message.verp.map(|verp| String::from_utf8_lossy(&verp).into_owned()),
            more: message.more.map(|(position, _)| position),
            unread: message.more.map_or(0, |(_, count)| count),
            pending: 0,
            transports: Vec::new(),
            read: 0,
            busy: false,
            remains: false,
            handling,
            traced: if sizes.qmgr_flags & Sizes::notify(2) != 0 { Traced::Yes } else { Traced::No },
        };
        (active, message.recipients.into_iter().map(recipient).collect())
    }

    /// `confirm_delay_cleared`: a sender who was warned hears of success.
    pub(crate) fn confirm_delay_cleared(&mut self) {
        if self.mode == Mode::Deliver && self.warn.is_some_and(|(time, _)| time <= 0) {
            self.mode = Mode::DeliverLate;
        }
    }

    /// Whether each recipient gets the message from a sender of its own (VERP).
    pub(crate) fn sender_of_its_own(&self) -> bool {
        self.verp.is_some() && !self.envelope.sender.is_empty()
    }

    /// What an agent needs to know to deliver to a recipient.
    pub(crate) fn envelope_for(&self, recipients: &[Recipient]) -> deliver::Message {
        let mut envelope = self.envelope.clone();
        if let (Some(delimiters), [recipient], true) = (&self.verp, recipients, self.sender_of_its_own()) {
            envelope.sender = address::verp(&envelope.sender, &recipient.address, delimiters).into();
        }
        envelope
    }

    /// What bounce needs to know for a notice.
    pub(crate) fn notice(&self) -> Notice {
        Notice {
            queue_name: "active".to_owned(),
            queue_id: self.id.as_str().to_owned(),
            sender: self.envelope.sender.clone(),
            encoding: self.envelope.encoding.clone(),
            smtputf8: self.envelope.smtputf8,
            envelope_id: self.envelope.envelope_id.clone(),
            ret: self.envelope.ret.clone(),
        }
    }

    /// Whether nothing is left to be done for it in this attempt.
    pub(crate) fn is_done(&self) -> bool {
        self.pending == 0 && self.unread == 0 && !self.busy
    }

    /// Whether a trace log may have been written.
    pub(crate) fn is_traced(&self) -> bool {
        self.traced == Traced::Yes || matches!(self.mode, Mode::DeliverAndReport | Mode::DeliverLate | Mode::Expand)
    }
}

/// A recipient as delivery agents know it.
pub(crate) fn recipient(found: queue_file::Recipient) -> Recipient {
    Recipient {
        offset: i64::try_from(found.offset).unwrap_or(-1),
        address: Bytes::from(found.address),
        original: Bytes::from(found.original),
        dsn_original: String::from_utf8_lossy(&found.dsn_original).into_owned(),
        notify: found.notify,
    }
}

fn mode(flags: u32) -> Mode {
    if flags & PROBE != 0 {
        Mode::Probe
    } else if flags & EXPAND != 0 {
        Mode::Expand
    } else if flags & REPORT != 0 {
        Mode::DeliverAndReport
    } else {
        Mode::Deliver
    }
}

/// Splits `transport:nexthop`.
fn split(filter: &[u8]) -> (String, String) {
    let text = String::from_utf8_lossy(filter);
    let (transport, nexthop) = text.split_once(':').unwrap_or((&text, ""));
    (transport.to_owned(), nexthop.to_owned())
}
