//! The commands that carry a message's envelope, with the parameters that the server offers.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::io::Write as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use address::quote;
use dsn::{Detail, Notify, OriginalRecipient, xtext};
use ipc::deliver::{Client, Message, Mode, Recipient, Request};
use queue_file::SMTPUTF8_REQUESTED;
use smtp_proto::attribute;
use smtp_proto::ehlo::{Keyword, Offer};

use crate::content::Conversion;
use crate::generic::Generic;
use crate::requiretls;
use crate::session::Login;
use crate::transaction::{Envelope, Goal};

/// Flags of the message's `C` record: a header, the sender or a recipient needs SMTPUTF8.
const UTF8_NEEDED: u32 = 2 | 4 | 8;

/// `smtp_quote_rfc821_envelope`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quoting {
    /// Local parts are quoted where they must be.
    Proper,
    /// Addresses go as they are.
    None,
}

/// `smtp_send_xforward_command`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forwarding {
    /// Servers that offer XFORWARD learn of the client.
    Send,
    /// They do not.
    Keep,
}

/// `smtp_send_dummy_mail_auth`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Submitter {
    /// Servers that know who we are are told that nobody vouches for the sender.
    Nobody,
    /// Nothing is said.
    Unsaid,
}

/// What makes an envelope out of a request.
#[derive(Debug, Clone, Copy)]
pub struct Style {
    /// How addresses are quoted.
    pub quoting: Quoting,
    /// Whether XFORWARD is used.
    pub forwarding: Forwarding,
    /// What is said of who submitted the message.
    pub submitter: Submitter,
    /// Where a probe ends (`smtp_address_verify_target`).
    pub probe: Goal,
}

/// What a message is sent on.
#[derive(Debug, Clone, Copy)]
pub struct Terms<'a> {
    /// What the server offers.
    pub offer: &'a Offer,
    /// What becomes of the content.
    pub conversion: Conversion,
    /// Whether the server knows who we are.
    pub login: Login,
    /// What becomes of the sender's request for TLS.
    pub requiretls: requiretls::Request,
}

/// Whether the message cannot go without SMTPUTF8.
#[must_use]
pub fn needs_utf8(message: &Message) -> bool {
    message.smtputf8 & SMTPUTF8_REQUESTED != 0 && message.smtputf8 & UTF8_NEEDED != 0
}

impl Style {
    /// The commands for some recipients of a request.
    pub async fn envelope(
        &self,
        request: &Request,
        numbers: &BTreeSet<usize>,
        terms: Terms<'_>,
        generic: &Generic,
    ) -> Result<Envelope, Detail> {
        let offer = terms.offer;
        let sender = self.address(&request.message.sender, generic).await?;
        let mut rcpt = Vec::with_capacity(numbers.len());
        for number in numbers {
            let Some(recipient) = request.recipients.get(*number) else { continue };
            let mut line = command(b"RCPT TO:<", &self.address(&recipient.address, generic).await?);
            if offer.has(Keyword::Dsn) {
                recipient_parameters(recipient, &mut line);
            }
            rcpt.push((*number, line));
        }
        let mail = self.mail(&request.message, &sender, terms);
        let xforward = match self.forwarding {
            Forwarding::Send if offer.has(Keyword::Xforward) => {
                xforward(&request.client, &request.queue_id, &request.message, &offer.xforward)
            }
            Forwarding::Send | Forwarding::Keep => Vec::new(),
        };
        let goal = match request.mode {
            Mode::Deliver | Mode::DeliverAndReport | Mode::DeliverLate => Goal::Send,
            Mode::Expand | Mode::Probe => self.probe,
        };
        Ok(Envelope { goal, age: age(request), xforward, mail, rcpt })
    }

    fn mail(&self, message: &Message, sender: &[u8], terms: Terms<'_>) -> Vec<u8> {
        let mut mail = command(b"MAIL FROM:<", sender);
        mail_parameters(message, terms, &mut mail);
        if self.submitter == Submitter::Nobody && terms.login == Login::Authenticated {
            mail.extend_from_slice(b" AUTH=<>");
        }
        mail
    }

    async fn address<'a>(&self, internal: &'a [u8], generic: &Generic) -> Result<Cow<'a, [u8]>, Detail> {
        Ok(match generic.outside(internal).await? {
            Cow::Borrowed(address) => self.quoted(address),
            Cow::Owned(address) => Cow::Owned(self.quoted(&address).into_owned()),
        })
    }

    fn quoted<'a>(&self, internal: &'a [u8]) -> Cow<'a, [u8]> {
        if internal.iter().any(u8::is_ascii_control) {
            let printable: Vec<u8> =
                internal.iter().map(|byte| if byte.is_ascii_control() { b'?' } else { *byte }).collect();
            return Cow::Owned(self.quoted(&printable).into_owned());
        }
        match self.quoting {
            Quoting::Proper => quote::quote(internal),
            Quoting::None => Cow::Borrowed(internal),
        }
    }
}

/// A command up to its parameters, for which there is room.
fn command(verb: &[u8], address: &[u8]) -> Vec<u8> {
    let mut line = Vec::with_capacity(2 * (verb.len() + address.len()) + 64);
    line.extend_from_slice(verb);
    line.extend_from_slice(address);
    line.push(b'>');
    line
}

/// How long ago the message arrived.
pub fn age(request: &Request) -> Duration {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let arrived = Duration::from_micros(u64::try_from(request.times.arrived).unwrap_or(0));
    now.saturating_sub(arrived)
}

fn mail_parameters(message: &Message, terms: Terms<'_>, line: &mut Vec<u8>) {
    let Terms { offer, conversion, requiretls, .. } = terms;
    let mut add = |parameter: &[u8], value: &str| {
        line.push(b' ');
        line.extend_from_slice(parameter);
        line.extend_from_slice(value.as_bytes());
    };
    // The size after a conversion is not known.
    if offer.has(Keyword::Size) && conversion == Conversion::None {
        add(b"SIZE=", &message.data_size.to_string());
    }
    if offer.has(Keyword::EightBitMime) {
        match message.encoding.as_str() {
            "8bit" => add(b"BODY=", "8BITMIME"),
            "7bit" => add(b"BODY=", "7BIT"),
            _ => {}
        }
    }
    if offer.has(Keyword::Dsn) {
        let ret = if requiretls == requiretls::Request::Dropped { "HDRS" } else { &message.ret };
        if !message.envelope_id.is_empty() {
            add(b"ENVID=", &xtext::encode(message.envelope_id.as_bytes()));
        }
        if !ret.is_empty() {
            add(b"RET=", ret);
        }
    }
    if offer.has(Keyword::SmtpUtf8) && message.smtputf8 & SMTPUTF8_REQUESTED != 0 {
        add(b"SMTPUTF8", "");
    }
    if requiretls == requiretls::Request::Passed {
        add(b"REQUIRETLS", "");
    }
}

fn recipient_parameters(recipient: &Recipient, line: &mut Vec<u8>) {
    let original = match OriginalRecipient::parse_decoded(recipient.dsn_original.as_bytes()) {
        Ok(original) => original,
        Err(_) => {
            let address = if recipient.original.is_empty() { &recipient.address } else { &recipient.original };
            let external = quote::quote(address);
            let ascii = external.is_ascii();
            if ascii { OriginalRecipient::rfc822(&external) } else { OriginalRecipient::utf8(&external) }
        }
    };
    // Writing to a vector cannot fail.
    let _ = write!(line, " ORCPT={original}");
    let notify = Notify::from_bits(recipient.notify).unwrap_or(Notify::UNSET);
    if !notify.is_unset() {
        line.extend_from_slice(format!(" NOTIFY={notify}").as_bytes());
    }
}

/// XFORWARD commands with what the server wants to know; the attributes of each fit on a line.
fn xforward(client: &Client, queue_id: &str, message: &Message, wanted: &[String]) -> Vec<Vec<u8>> {
    let source = if message.rewrite_context == "local" { "LOCAL" } else { "REMOTE" };
    // What came from no client has no origin but this system.
    let ident = if client.ident.is_empty() && !client.address.is_empty() { queue_id } else { &client.ident };
    let address = attribute::address(&client.address);
    let lines: [&[(&str, &str)]; 2] = [
        &[("NAME", &client.name), ("ADDR", &address), ("PORT", &client.port)],
        &[("PROTO", &client.protocol), ("HELO", &client.helo), ("IDENT", ident), ("SOURCE", source)],
    ];
    let command = |attributes: &[(&str, &str)]| {
        let mut line = b"XFORWARD".to_vec();
        for (name, value) in attributes {
            // What is not known is not told.
            if !matches!(*value, "" | "unknown") && wanted.iter().any(|word| word == name) {
                attribute::print(name, value.as_bytes(), &mut line);
            }
        }
        line
    };
    lines.map(command).into_iter().filter(|line| line.len() > b"XFORWARD".len()).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use smtp_proto::ehlo::Keywords;

    use super::*;

    fn offer(words: &[&str]) -> Offer {
        let lines = std::iter::once(&b"mx.test"[..]).chain(words.iter().map(|word| word.as_bytes()));
        Offer::parse(lines, Keywords::NONE)
    }

    fn message() -> Message {
        Message {
            sender: bytes::Bytes::from_static(b"a@x"),
            size: 100,
            data_offset: 0,
            data_size: 120,
            encoding: "8bit".into(),
            smtputf8: 1,
            envelope_id: "Q+1".into(),
            ret: "HDRS".into(),
            rewrite_context: "local".into(),
        }
    }

    proptest! {
        #[test]
        fn addresses_are_quoted_where_they_must_be(address in "[a-b.@ \"\x07\u{f6}]{0,9}") {
            let printable: Vec<u8> =
                address.bytes().map(|byte| if byte.is_ascii_control() { b'?' } else { byte }).collect();
            for (quoting, expected) in [
                (Quoting::Proper, quote::quote(&printable).into_owned()),
                (Quoting::None, printable.clone()),
            ] {
                let (forwarding, submitter) = (Forwarding::Keep, Submitter::Unsaid);
                let style = Style { quoting, forwarding, submitter, probe: Goal::ProbeRcpt };
                prop_assert_eq!(style.quoted(address.as_bytes()).into_owned(), expected);
            }
        }
    }

    fn terms(offer: &Offer) -> Terms<'_> {
        let (login, requiretls) = (Login::Anonymous, requiretls::Request::None);
        Terms { offer, conversion: Conversion::None, login, requiretls }
    }

    #[test]
    fn who_is_known_says_that_nobody_vouches_for_the_sender() {
        for (submitter, login, expected) in [
            (Submitter::Nobody, Login::Authenticated, "MAIL FROM:<a@x> AUTH=<>"),
            (Submitter::Nobody, Login::Anonymous, "MAIL FROM:<a@x>"),
            (Submitter::Unsaid, Login::Authenticated, "MAIL FROM:<a@x>"),
        ] {
            let (quoting, forwarding) = (Quoting::Proper, Forwarding::Keep);
            let style = Style { quoting, forwarding, submitter, probe: Goal::ProbeRcpt };
            let offered = offer(&["AUTH PLAIN"]);
            let terms = Terms { login, ..terms(&offered) };
            assert_eq!(style.mail(&message(), b"a@x", terms), expected.as_bytes());
        }
    }

    #[test]
    fn what_is_not_known_of_a_client_is_not_told() {
        let wanted = ["NAME", "ADDR", "PORT", "IDENT", "SOURCE"].map(str::to_owned);
        let client =
            Client { name: "unknown".into(), address: "192.0.2.1".into(), helo: "x".into(), ..Client::default() };
        let lines = xforward(&client, "Q", &message(), &wanted);
        assert_eq!(lines, [&b"XFORWARD ADDR=192.0.2.1"[..], b"XFORWARD IDENT=Q SOURCE=LOCAL"]);
        let lines = xforward(&Client { address: "2001:db8::1".into(), ..client }, "Q", &message(), &wanted);
        assert_eq!(lines[0], b"XFORWARD ADDR=IPv6:2001:db8::1");
        let lines = xforward(&Client::default(), "Q", &message(), &wanted);
        assert_eq!(lines, [b"XFORWARD SOURCE=LOCAL"]);
    }

    #[test]
    fn only_what_is_offered_is_used() {
        for (words, expected) in [
            (&["SIZE 0", "8BITMIME", "DSN", "SMTPUTF8"][..], " SIZE=120 BODY=8BITMIME ENVID=Q+2B1 RET=HDRS SMTPUTF8"),
            (&["8BITMIME"], " BODY=8BITMIME"),
            (&[], ""),
        ] {
            let mut line = Vec::new();
            mail_parameters(&message(), terms(&offer(words)), &mut line);
            assert_eq!(String::from_utf8(line).unwrap(), expected);
        }
    }

    #[test]
    fn who_cannot_promise_tls_is_not_to_return_the_content() {
        let message = Message { ret: "FULL".into(), envelope_id: String::new(), smtputf8: 0, ..message() };
        for (requiretls, words, expected) in [
            (requiretls::Request::None, &["DSN", "REQUIRETLS"][..], " RET=FULL"),
            (requiretls::Request::Passed, &["DSN", "REQUIRETLS"], " RET=FULL REQUIRETLS"),
            (requiretls::Request::Dropped, &["DSN"], " RET=HDRS"),
            (requiretls::Request::Dropped, &[], ""),
        ] {
            let mut line = Vec::new();
            mail_parameters(&message, Terms { requiretls, ..terms(&offer(words)) }, &mut line);
            assert_eq!(String::from_utf8(line).unwrap(), expected);
        }
    }

    #[test]
    fn the_original_recipient_is_always_told() {
        let recipient = |original: &'static str, dsn: &str, notify| Recipient {
            offset: 0,
            address: bytes::Bytes::from_static(b"a@x"),
            original: bytes::Bytes::from_static(original.as_bytes()),
            dsn_original: dsn.into(),
            notify,
        };
        for (recipient, expected) in [
            (recipient("", "", 0), " ORCPT=rfc822;a@x"),
            (recipient("b@x", "", 1), " ORCPT=rfc822;b@x NOTIFY=NEVER"),
            (recipient("b@x", "utf-8;\u{fc}@x", 0), r" ORCPT=utf-8;\x{FC}@x"),
            (recipient("b@x", "rfc822;c+d@x", 6), " ORCPT=rfc822;c+2Bd@x NOTIFY=SUCCESS,FAILURE"),
        ] {
            let mut line = Vec::new();
            recipient_parameters(&recipient, &mut line);
            assert_eq!(String::from_utf8(line).unwrap(), expected);
        }
    }
}
