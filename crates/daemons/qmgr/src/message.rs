//! A message in the active queue.

use crate::arena::Key;
use crate::disk::Excused;
use crate::engine::Delivery;
use crate::route;
use crate::schedule::{Tick, Transport};
use bytes::Bytes;
use ipc::bounce::Notice;
use ipc::deliver::{self, Client, Mode, Recipient, Remains, Times};
use ipc::verify::PROBE;
use queue_file::{Attributes, Message, Position, QueueId, Sizes};

/// Other flags of the `trace_flags` attribute.
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
    /// Where the file asks for a report.
    pub(crate) trace: Option<u64>,
    pub(crate) filter: Option<(String, String)>,
    /// To whom the message goes in place of its recipients.
    redirect: Option<Bytes>,
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
    /// What is left of it so far.
    remains: Remains,
    pub(crate) agents: Agents,
    pub(crate) handling: Handling,
    traced: Traced,
}

/// What was asked for a message besides the usual.
#[derive(Debug, Clone, Default)]
pub(crate) struct Handling {
    /// `defer_transports` does not apply.
    pub(crate) flush: bool,
    /// `postsuper -e`: nobody is tried again, and the message goes back; of whom nothing is left to be said.
    pub(crate) expire: Option<Excused>,
}

/// Whether some recipient's sender wants to hear of success.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Traced {
    No,
    Yes,
}

/// Whether agents have answered for all recipients that they had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Agents {
    Answered,
    /// One went away, and may have noted a delay of recipients that another one delivered to.
    Lost,
}

impl Active {
    /// Takes a parsed envelope; its recipients are given back.
    pub(crate) fn new(id: QueueId, message: Message, now: i64, handling: Handling) -> (Self, Vec<Recipient>) {
        let sizes = message.sizes.unwrap_or_default();
        let known = Known::of(&message.attributes);
        let flags: u32 = known.trace_flags.parse().unwrap_or(0);
        let ret = match known.ret_flags {
            "1" => "FULL",
            "2" => "HDRS",
            _ => "",
        };
        let context = if known.rewrite_context.is_empty() { "local" } else { known.rewrite_context };
        let envelope = deliver::Message {
            sender: Bytes::from(message.sender),
            size: sizes.content_size,
            data_offset: message.data_offset,
            data_size: sizes.data_size,
            encoding: known.encoding.to_owned(),
            smtputf8: sizes.send_flags,
            envelope_id: known.envelope_id.to_owned(),
            ret: ret.to_owned(),
            rewrite_context: context.to_owned(),
        };
        let mode = mode(flags);
        // Who only asks where mail would go asks no filter.
        let filter = message.filter.filter(|_| !matches!(mode, Mode::Probe | Mode::Expand));
        let created = known.create_time.parse().unwrap_or(message.arrived.seconds);
        let client = known.client();
        let active = Self {
            id,
            envelope,
            client,
            times: Times { arrived: message.arrived.as_microseconds(), active: now, handed: 0 },
            mode,
            created,
            warn: message.warn,
            trace: message.trace,
            filter: filter.map(|filter| split(&filter)),
            redirect: message.redirect.map(Bytes::from),
            verp: message.verp.map(|verp| String::from_utf8_lossy(&verp).into_owned()),
            more: message.more.map(|(position, _)| position),
            unread: message.more.map_or(0, |(_, count)| count),
            pending: 0,
            transports: Vec::new(),
            read: 0,
            busy: false,
            remains: Remains::Nothing,
            agents: Agents::Answered,
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

    /// Sends a redirected message to its new recipient, once however many it had, and past its filter. The first of those in
    /// the order of delivery says what its sender wants to hear of it.
    pub(crate) fn redirect(&mut self, recipients: &mut Vec<Recipient>) {
        let Some(target) = &self.redirect else { return };
        let first = recipients.drain(..).min_by(|one, other| route::by_domain(&one.address, &other.address));
        recipients.extend(first.map(|first| Recipient { address: target.clone(), ..first }));
        (self.filter, self.more, self.unread) = (None, None, 0);
    }

    /// Whether each recipient gets the message from a sender of its own (VERP).
    pub(crate) fn sender_of_its_own(&self) -> bool {
        self.verp.is_some() && !self.envelope.sender.is_empty()
    }

    /// What an agent needs to know to deliver to a recipient.
    pub(crate) fn envelope_for(&self, recipients: &[Recipient]) -> deliver::Message {
        let mut envelope = self.envelope.clone();
        if let (Some(delimiters), [recipient], true) = (&self.verp, recipients, self.sender_of_its_own()) {
            envelope.sender =
                address::verp(&envelope.sender, (&recipient.original, &recipient.address), delimiters).into();
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

    /// What is left of it so far.
    pub(crate) fn remains(&self) -> Remains {
        self.remains
    }

    /// Notes what a delivery, or what comes before one, leaves of it.
    pub(crate) fn leave(&mut self, remains: Remains) {
        self.remains = self.remains.max(remains);
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

/// The attributes of a message that matter here, as text. The last of a name counts; one that is not UTF-8 is empty.
#[derive(Default)]
struct Known<'a> {
    encoding: &'a str,
    envelope_id: &'a str,
    ret_flags: &'a str,
    rewrite_context: &'a str,
    trace_flags: &'a str,
    create_time: &'a str,
    client: Origin<'a>,
    /// What is to be logged in place of `client`, where it is told.
    logged: Origin<'a>,
    ident: &'a str,
    sasl_method: &'a str,
    sasl_username: &'a str,
    sasl_sender: &'a str,
}

/// Where a message came from.
#[derive(Default)]
struct Origin<'a> {
    name: Option<&'a str>,
    address: Option<&'a str>,
    port: Option<&'a str>,
    protocol: Option<&'a str>,
    helo: Option<&'a str>,
}

impl<'a> Known<'a> {
    fn of(attributes: &'a Attributes) -> Self {
        let mut known = Self::default();
        for (name, value) in attributes.iter() {
            let text = std::str::from_utf8(value).unwrap_or_default();
            match name {
                b"encoding" => known.encoding = text,
                b"envelope_id" => known.envelope_id = text,
                b"ret_flags" => known.ret_flags = text,
                b"rewrite_context" => known.rewrite_context = text,
                b"trace_flags" => known.trace_flags = text,
                b"create_time" => known.create_time = text,
                b"client_name" => known.client.name = Some(text),
                b"client_address" => known.client.address = Some(text),
                b"client_port" => known.client.port = Some(text),
                b"protocol_name" => known.client.protocol = Some(text),
                b"helo_name" => known.client.helo = Some(text),
                b"log_client_name" => known.logged.name = Some(text),
                b"log_client_address" => known.logged.address = Some(text),
                b"log_client_port" => known.logged.port = Some(text),
                b"log_protocol_name" => known.logged.protocol = Some(text),
                b"log_helo_name" => known.logged.helo = Some(text),
                b"log_ident" => known.ident = text,
                b"sasl_method" => known.sasl_method = text,
                b"sasl_username" => known.sasl_username = text,
                b"sasl_sender" => known.sasl_sender = text,
                _ => {}
            }
        }
        known
    }

    fn client(&self) -> Client {
        let first = |logged: Option<&str>, own: Option<&str>| logged.or(own).unwrap_or_default().to_owned();
        let (logged, own) = (&self.logged, &self.client);
        Client {
            name: first(logged.name, own.name),
            address: first(logged.address, own.address),
            port: first(logged.port, own.port),
            protocol: first(logged.protocol, own.protocol),
            helo: first(logged.helo, own.helo),
            ident: self.ident.to_owned(),
            sasl_method: self.sasl_method.to_owned(),
            sasl_username: self.sasl_username.to_owned(),
            sasl_sender: self.sasl_sender.to_owned(),
        }
    }
}

/// A recipient as delivery agents know it.
pub(crate) fn recipient(found: queue_file::Recipient) -> Recipient {
    Recipient {
        offset: i64::try_from(found.offset).unwrap_or(-1),
        address: Bytes::from(found.address),
        original: Bytes::from(found.original),
        dsn_original: address::printable(&found.dsn_original).into_owned(),
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

#[cfg(test)]
mod tests {
    use super::*;
    use queue_file::Time;

    fn active(attributes: &[(&str, &[u8])]) -> Active {
        let arrived = Time { seconds: 1_900_000_000, microseconds: 0 };
        let mut message = Message { arrived, ..Message::default() };
        for (name, value) in attributes {
            message.attributes.push(name.as_bytes(), value);
        }
        Active::new(QueueId::parse("3CCE398E1B0").unwrap(), message, 0, Handling::default()).0
    }

    #[test]
    fn what_is_to_be_logged_of_the_client_goes_before_what_is_so() {
        let own: &[(&str, &[u8])] = &[("client_name", b"relay"), ("client_port", b"25"), ("helo_name", b"x")];
        let plain = active(own);
        assert_eq!((plain.client.name.as_str(), plain.client.port.as_str()), ("relay", "25"));
        let logged = active(&[own, &[("log_client_name", b"origin"), ("log_helo_name", b"")]].concat());
        assert_eq!((logged.client.name.as_str(), logged.client.port.as_str()), ("origin", "25"));
        assert_eq!(logged.client.helo, "");
    }

    #[test]
    fn a_redirected_message_goes_to_one_recipient_and_to_no_filter() {
        let recipients = ["a@z.test", "c@X.test", "b@x.test", "a@y.test"].map(|address| queue_file::Recipient {
            address: address.into(),
            dsn_original: format!("rfc822;{address}").into(),
            ..queue_file::Recipient::default()
        });
        let message = Message {
            filter: Some(b"scan:".to_vec()),
            redirect: Some(b"new@z.test".to_vec()),
            recipients: recipients.into(),
            ..Message::default()
        };
        let id = QueueId::parse("3CCE398E1B0").unwrap();
        let (mut active, mut recipients) = Active::new(id, message, 0, Handling::default());
        active.unread = 7;
        active.redirect(&mut recipients);
        assert_eq!(recipients.iter().map(|one| &*one.address).collect::<Vec<_>>(), [b"new@z.test"]);
        assert_eq!(recipients[0].dsn_original, "rfc822;b@x.test");
        assert_eq!((active.filter, active.unread), (None, 0));
    }

    #[test]
    fn who_only_asks_asks_no_filter() {
        for (flags, filtered) in [("0", true), ("256", false), ("512", false), ("1024", true)] {
            let mut message = Message { filter: Some(b"scan:".to_vec()), ..Message::default() };
            message.attributes.push(b"trace_flags", flags.as_bytes());
            let id = QueueId::parse("3CCE398E1B0").unwrap();
            let (active, _) = Active::new(id, message, 0, Handling::default());
            assert_eq!(active.filter.is_some(), filtered, "{flags}");
        }
    }

    #[test]
    fn the_last_of_a_name_counts_and_what_is_not_text_is_empty() {
        let message = active(&[
            ("encoding", b"7bit"),
            ("encoding", b"8bit"),
            ("sasl_username", b"\xff"),
            ("ret_flags", b"2"),
            ("trace_flags", b"256"),
            ("create_time", b"1800000000"),
        ]);
        assert_eq!((message.envelope.encoding.as_str(), message.client.sasl_username.as_str()), ("8bit", ""));
        assert_eq!((message.envelope.ret.as_str(), message.envelope.rewrite_context.as_str()), ("HDRS", "local"));
        assert_eq!((message.mode, message.created), (Mode::Probe, 1_800_000_000));
        assert_eq!(active(&[]).created, 1_900_000_000);
    }
}
