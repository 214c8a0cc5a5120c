//! The mail queue as mailq(1) shows it: asked of showq(8), and written for people. Other forms are a [`Report`] away.

use address::shown;
use ipc::blocking::Channel;
use ipc::showq::{Message, Reply, Request, Showq};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use std::borrow::Cow;
use std::cell::LazyCell;
use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

/// Why a list is not complete.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The service did not tell all.
    #[error(transparent)]
    Service(#[from] ipc::Error),
    /// What was told could not be written.
    #[error(transparent)]
    Output(#[from] io::Error),
}

/// A connection to showq(8), before it is asked.
#[derive(Debug)]
pub struct Queue(Channel<Request, Reply>);

impl Queue {
    /// Connects to the service of this socket. Only root, the mail system and the group of `setgid_group` may.
    ///
    /// # Errors
    /// [`ipc::Error::Connect`]: the mail system is down, or the caller may not.
    pub fn connect(socket: &Path, timeout: Duration) -> Result<Self, ipc::Error> {
        Channel::connect::<Showq>(socket, timeout).map(Self)
    }

    /// Writes the whole list, and its end.
    ///
    /// # Errors
    /// The service went away, or the output.
    pub fn list(mut self, report: &mut impl Report, out: &mut impl Write) -> Result<(), Error> {
        self.0.send(&Request::List)?;
        self.0.flush()?;
        // More of this one's recipients may come.
        let mut current: Option<Message> = None;
        loop {
            match self.0.receive()?.ok_or(ipc::Error::Closed)? {
                Reply::More(more) => {
                    if let Some(message) = &mut current {
                        message.recipients.extend(more);
                    }
                }
                Reply::Messages(messages) => {
                    let mut complete: Vec<_> = current.take().into_iter().chain(messages).collect();
                    current = complete.pop();
                    complete.iter().try_for_each(|message| report.message(out, message))?;
                }
                Reply::End => break,
            }
        }
        if let Some(complete) = current {
            report.message(out, &complete)?;
        }
        report.end(out)?;
        Ok(out.flush()?)
    }
}

/// A form of the list.
pub trait Report {
    /// Adds a message.
    ///
    /// # Errors
    /// It cannot be written.
    fn message(&mut self, out: &mut impl Write, message: &Message) -> io::Result<()>;
    /// Ends the list.
    ///
    /// # Errors
    /// It cannot be written.
    fn end(&mut self, out: &mut impl Write) -> io::Result<()>;
}

/// The columns of a list for people: its title, and how wide those of queue id, size and time are.
#[derive(Debug)]
struct Columns {
    title: &'static str,
    id: usize,
    size: usize,
    time: usize,
}

const SHORT: Columns =
    Columns { title: "-Queue ID-  --Size-- ----Arrival Time---- -Sender/Recipient-------", id: 11, size: 7, time: 20 };
/// With room for ids of the long form.
const LONG: Columns = Columns {
    title: "----Queue ID----- --Size-- ---Arrival Time---- --Sender/Recipient------",
    id: 17,
    size: 8,
    time: 19,
};

/// For people, in the time of this place.
#[derive(Debug)]
pub struct People {
    columns: Columns,
    /// Looked for when the first time is told.
    zone: LazyCell<TimeZone>,
    count: u64,
    bytes: u64,
}

impl Default for People {
    fn default() -> Self {
        Self { columns: SHORT, zone: LazyCell::new(time_zone::local), count: 0, bytes: 0 }
    }
}

impl People {
    /// With columns as `enable_long_queue_ids` needs them, whatever the ids that are there.
    #[must_use]
    pub fn with_long_ids(self, enable_long_queue_ids: bool) -> Self {
        Self { columns: if enable_long_queue_ids { LONG } else { SHORT }, ..self }
    }
}

impl Report for People {
    fn message(&mut self, out: &mut impl Write, message: &Message) -> io::Result<()> {
        let Columns { title, id: for_id, size: for_size, time: for_time } = self.columns;
        if self.count == 0 {
            writeln!(out, "{title}")?;
        }
        self.count += 1;
        self.bytes += message.size;
        let mark = match message.queue_name.as_str() {
            _ if message.expiring => "#",
            "active" => "*",
            "hold" => "!",
            _ => "",
        };
        let id = format!("{}{mark}", message.queue_id);
        let time = Timestamp::from_second(message.arrived).unwrap_or_default().to_zoned(TimeZone::clone(&self.zone));
        let time = time.strftime("%a %b %e %H:%M:%S").to_string();
        let (size, from) = (message.size, sender(&message.sender));
        writeln!(out, "{id:<for_id$} {size:>for_size$} {time:<for_time$} {from}")?;
        let margin = for_id + for_size + for_time + 3;
        let mut reason = "";
        for recipient in &message.recipients {
            if recipient.reason != reason {
                let told = if recipient.reason.is_empty() { "reason unavailable" } else { &recipient.reason };
                let indent = 76_usize.saturating_sub(told.len());
                writeln!(out, "{:indent$}({told})", "")?;
            }
            reason = &recipient.reason;
            writeln!(out, "{:margin$}{}", "", shown(&recipient.address))?;
        }
        writeln!(out)
    }

    fn end(&mut self, out: &mut impl Write) -> io::Result<()> {
        match self.count {
            0 => writeln!(out, "Mail queue is empty"),
            1 => writeln!(out, "-- {} Kbytes in 1 Request.", self.bytes / 1024),
            count => writeln!(out, "-- {} Kbytes in {count} Requests.", self.bytes / 1024),
        }
    }
}

/// The sender as lists show it: the null sender is `MAILER-DAEMON`.
#[must_use]
pub fn sender(address: &[u8]) -> Cow<'_, str> {
    if address.is_empty() { Cow::Borrowed("MAILER-DAEMON") } else { shown(address) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ipc::showq::Recipient;
    use std::os::unix::net::UnixListener;

    fn listed() -> Message {
        let recipient = |address: &'static str, reason: &str| Recipient {
            address: address.as_bytes().into(),
            original: address.as_bytes().into(),
            reason: reason.to_owned(),
        };
        Message {
            queue_name: "deferred".to_owned(),
            queue_id: "3CCE398E1B0".to_owned(),
            arrived: 0,
            size: 2048,
            expiring: false,
            sender: Vec::new().into(),
            recipients: vec![recipient("a@example.org", "no \"way\""), recipient("b@example.org", "no \"way\"")],
        }
    }

    fn told(replies: Vec<Reply>) -> (Result<(), Error>, String) {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("showq");
        let listener = UnixListener::bind(&socket).unwrap();
        let patience = Duration::from_secs(10);
        let service = std::thread::spawn(move || {
            let mut caller =
                Channel::<Reply, Request>::accept::<Showq>(listener.accept().unwrap().0, patience).unwrap();
            assert_eq!(caller.receive().unwrap(), Some(Request::List));
            replies.iter().for_each(|reply| caller.send(reply).unwrap());
            caller.flush().unwrap();
        });
        let mut out = Vec::new();
        let listed = Queue::connect(&socket, patience).unwrap().list(&mut People::default(), &mut out);
        service.join().unwrap();
        (listed, String::from_utf8(out).unwrap())
    }

    #[test]
    fn recipients_that_come_later_belong_to_the_message_before() {
        let more = |name: &'static str| {
            Reply::More(vec![Recipient { address: name.into(), original: name.into(), reason: "full".to_owned() }])
        };
        let replies = [Reply::Messages(vec![listed(), listed()]), more("c@example.org"), more("d@example.org")];
        let (listed, text) = told(replies.into_iter().chain([Reply::Messages(vec![listed()]), Reply::End]).collect());
        listed.unwrap();
        let counts = ["a@", "b@", "c@", "d@"].map(|name| text.matches(name).count());
        assert_eq!(counts, [3, 3, 1, 1], "{text}");
        assert!(text.rfind("a@") > text.find("d@"), "{text}");
        assert!(text.ends_with("-- 6 Kbytes in 3 Requests.\n"), "{text}");
    }

    #[test]
    fn a_list_that_breaks_off_is_an_error() {
        let (listed, text) = told(vec![Reply::Messages(vec![listed(), listed()])]);
        assert!(matches!(listed, Err(Error::Service(ipc::Error::Closed))), "{listed:?}");
        assert_eq!(text.matches("3CCE398E1B0").count(), 1);
    }

    fn in_utc() -> People {
        People { zone: LazyCell::new(|| TimeZone::UTC), ..People::default() }
    }

    #[test]
    fn long_ids_have_wider_columns() {
        let mut out = Vec::new();
        in_utc().with_long_ids(true).message(&mut out, &listed()).unwrap();
        let text = String::from_utf8(out).unwrap();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[0], LONG.title);
        assert_eq!(lines[1], "3CCE398E1B0           2048 Thu Jan  1 00:00:00 MAILER-DAEMON");
        assert_eq!(lines[2].len(), 78);
        assert_eq!(lines[3], format!("{:47}a@example.org", ""));
    }

    #[test]
    fn people_see_each_reason_once() {
        let mut report = in_utc();
        let mut out = Vec::new();
        report.message(&mut out, &listed()).unwrap();
        report.end(&mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[1], "3CCE398E1B0    2048 Thu Jan  1 00:00:00  MAILER-DAEMON");
        assert_eq!(lines[2].trim(), "(no \"way\")");
        assert_eq!(lines[2].len(), 78);
        assert_eq!(lines[3..5], [format!("{:41}a@example.org", ""), format!("{:41}b@example.org", "")]);
        assert_eq!(lines[5..], ["", "-- 2 Kbytes in 1 Request."]);
    }

    #[test]
    fn people_see_who_waits_for_no_reason() {
        let mut message = listed();
        message.recipients.last_mut().unwrap().reason.clear();
        let mut out = Vec::new();
        in_utc().message(&mut out, &message).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text.lines().nth(4).map(str::trim_start), Some("(reason unavailable)"), "{text}");
    }

    #[test]
    fn an_empty_queue_is_told() {
        let mut out = Vec::new();
        People::default().end(&mut out).unwrap();
        assert_eq!(out, b"Mail queue is empty\n");
    }
}
