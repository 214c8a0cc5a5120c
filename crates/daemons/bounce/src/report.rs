//! The text of a notice: RFC 3464 multipart/report with words, fields, and the message or its header. Pure.

use std::io::Write as _;

use address::Address;
use ipc::post::{DATE, put_wrapped, received};
use jiff::Zoned;
use queue_file::log::Entry;

use crate::template::{Kind, Template};

/// Who reads a notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Audience {
    /// The sender of the message.
    Sender,
    /// The postmaster, who knows the words already.
    Postmaster,
}

/// How much of the message comes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Returned {
    /// All of it.
    Full,
    /// Its header.
    Header,
}

/// Whether international addresses and headers may appear.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Script {
    /// ASCII, as in the first mail systems.
    Ascii,
    /// SMTPUTF8 was asked for.
    Utf8,
}

/// What a sender wants of TLS on the way (RFC 8689).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Security {
    /// Nothing.
    Unsaid,
    /// The message goes without where TLS cannot be had.
    Waived,
    /// It goes over verified TLS only; notices are without its content, and go as any mail (`requiretls_redact_dsn`).
    Redacted,
    /// It goes over verified TLS only, and so do notices.
    Required,
}

impl Security {
    pub(crate) fn of(flags: u32, redact: bool) -> Self {
        match (flags & queue_file::TLS_REQUIRED != 0, flags & queue_file::TLS_NOT_REQUIRED != 0) {
            (true, _) if redact => Self::Redacted,
            (true, _) => Self::Required,
            (false, true) => Self::Waived,
            (false, false) => Self::Unsaid,
        }
    }
}

/// The host that reports.
#[derive(Debug, Clone)]
pub(crate) struct Host {
    /// `myhostname`.
    pub(crate) name: String,
    /// `mail_name`.
    pub(crate) mail_name: String,
    /// `smtputf8_enable`: text is declared as UTF-8, 8-bit.
    pub(crate) eight_bit: bool,
}

/// The message that is reported on.
#[derive(Debug, Clone)]
pub(crate) struct Original {
    /// Its queue id.
    pub(crate) queue_id: String,
    /// Its sender, in internal form.
    pub(crate) sender: Vec<u8>,
    /// DSN envelope id.
    pub(crate) envelope_id: String,
    /// When it arrived; `None` if the queue file is gone.
    pub(crate) arrived: Option<Zoned>,
    /// `7bit`, `8bit` or empty.
    pub(crate) encoding: String,
    /// What its sender wants of TLS on the way.
    pub(crate) security: Security,
    /// Whether it asked for SMTPUTF8.
    pub(crate) script: Script,
    /// Its `Message-ID:`, where notices refer to it.
    pub(crate) message_id: Option<String>,
}

/// A notice about to be written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Report<'a> {
    pub(crate) kind: Kind,
    pub(crate) template: &'a Template,
    pub(crate) host: &'a Host,
    pub(crate) original: &'a Original,
    pub(crate) entries: &'a [Entry],
    /// Until when delivery is tried, for a warning.
    pub(crate) retried_until: Option<&'a Zoned>,
}

/// The longest line of a reason, where words allow.
const WIDTH: usize = 79;

/// Where a notice goes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Letter<'a> {
    pub(crate) queue_id: &'a str,
    pub(crate) to: &'a [u8],
    pub(crate) audience: Audience,
    pub(crate) returned: Returned,
    pub(crate) now: &'a Zoned,
}

/// A moment as headers have it.
pub(crate) fn date(moment: &Zoned) -> String {
    moment.strftime(DATE).to_string()
}

impl Report<'_> {
    /// Everything up to the text of the message.
    pub(crate) fn head(&self, letter: &Letter<'_>) -> Vec<u8> {
        let mut out = Vec::with_capacity(4096);
        self.headers(letter, &mut out);
        self.words(letter, &mut out);
        self.fields(letter, &mut out);
        self.returned(letter, &mut out);
        out
    }

    /// What follows the text of the message.
    pub(crate) fn tail(&self, letter: &Letter<'_>) -> Vec<u8> {
        format!("\n--{}--\n", self.boundary(letter)).into_bytes()
    }

    fn boundary(&self, letter: &Letter<'_>) -> String {
        format!("{}.{}/{}", self.original.queue_id, letter.now.timestamp().as_second(), self.host.name)
    }

    fn headers(&self, letter: &Letter<'_>, out: &mut Vec<u8>) {
        let now = date(letter.now);
        let (subject, submitted) = match letter.audience {
            Audience::Sender => (&self.template.subject, "auto-replied"),
            Audience::Postmaster => (&self.template.postmaster_subject, "auto-generated"),
        };
        out.extend_from_slice(received(&self.host.name, &self.host.mail_name, letter.queue_id, &now).as_bytes());
        put(out, format_args!("Date: {now}\n"));
        put(out, format_args!("From: {}\nSubject: {subject}\nTo: ", self.template.from));
        out.extend_from_slice(&Address::from(letter.to).external());
        out.push(b'\n');
        if let Some(id) = &self.original.message_id {
            put(out, format_args!("References: {id}\nIn-Reply-To: {id}\n"));
        }
        put(out, format_args!("Auto-Submitted: {submitted}\n"));
        if self.original.security == Security::Waived {
            out.extend_from_slice(b"TLS-Required: no\n");
        }
        out.extend_from_slice(b"MIME-Version: 1.0\n");
        out.extend_from_slice(b"Content-Type: multipart/report; report-type=delivery-status;\n");
        put(out, format_args!("\tboundary=\"{}\"\n", self.boundary(letter)));
        let encoding = self.encoding();
        if !encoding.is_empty() {
            put(out, format_args!("Content-Transfer-Encoding: {encoding}\n"));
        }
        out.extend_from_slice(b"\nThis is a MIME-encapsulated message.\n");
    }

    /// `global-` where RFC 6533 forms of the parts are needed.
    fn global(&self) -> &'static str {
        match self.original.script {
            Script::Ascii => "",
            Script::Utf8 => "global-",
        }
    }

    fn encoding(&self) -> &str {
        let eight_bit = self.host.eight_bit || !self.template.charset.eq_ignore_ascii_case("us-ascii");
        if eight_bit { "8bit" } else { &self.original.encoding }
    }

    /// Of a part: that of one in 7bit goes without saying.
    fn part_encoding(&self, out: &mut Vec<u8>) {
        match self.encoding() {
            "" | "7bit" => {}
            encoding => put(out, format_args!("Content-Transfer-Encoding: {encoding}\n")),
        }
    }

    fn words(&self, letter: &Letter<'_>, out: &mut Vec<u8>) {
        let charset = match &*self.template.charset {
            charset if self.encoding() == "8bit" && charset.eq_ignore_ascii_case("us-ascii") => "utf-8",
            charset => charset,
        };
        put(out, format_args!("\n--{}\nContent-Description: Notification\n", self.boundary(letter)));
        put(out, format_args!("Content-Type: text/plain; charset={charset}\n"));
        self.part_encoding(out);
        out.push(b'\n');
        if letter.audience == Audience::Sender {
            out.extend_from_slice(&self.template.text);
        }
        for entry in self.entries {
            out.push(b'\n');
            let recipient = Address::from(&entry.recipient[..]);
            let original = Address::from(&entry.original[..]);
            let expanded = if original.is_empty() || entry.original.eq_ignore_ascii_case(&entry.recipient) {
                String::new()
            } else {
                format!(" (expanded from <{original}>)")
            };
            put_wrapped(out, "", &format!("<{recipient}>{expanded}: {}", entry.reason), WIDTH);
        }
        if self.entries.is_empty() {
            out.extend_from_slice(b"\n--- Delivery report unavailable ---\n");
        }
    }

    fn fields(&self, letter: &Letter<'_>, out: &mut Vec<u8>) {
        let Original { queue_id, sender, envelope_id, arrived, .. } = self.original;
        let mail_name = token(&self.host.mail_name);
        put(out, format_args!("\n--{}\nContent-Description: Delivery report\n", self.boundary(letter)));
        put(out, format_args!("Content-Type: message/{}delivery-status\n", self.global()));
        if self.original.script == Script::Utf8 {
            out.extend_from_slice(b"Content-Transfer-Encoding: 8bit\n");
        }
        put(out, format_args!("\nReporting-MTA: dns; {}\n", self.host.name));
        if !envelope_id.is_empty() {
            put(out, format_args!("Original-Envelope-Id: {envelope_id}\n"));
        }
        put(out, format_args!("X-{mail_name}-Queue-ID: {queue_id}\n"));
        put(out, format_args!("X-{mail_name}-Sender: "));
        put_typed(out, &Address::from(&self.sender(sender)[..]), self.original.script);
        if let Some(arrived) = arrived {
            put(out, format_args!("Arrival-Date: {}\n", date(arrived)));
        }
        for entry in self.entries {
            self.recipient(entry, &mail_name, out);
        }
    }

    /// The null sender is shown as the mail system.
    fn sender(&self, sender: &[u8]) -> Vec<u8> {
        if sender.is_empty() { format!("MAILER-DAEMON@{}", self.host.name).into_bytes() } else { sender.to_vec() }
    }

    fn recipient(&self, entry: &Entry, mail_name: &str, out: &mut Vec<u8>) {
        let recipient = Address::from(&entry.recipient[..]);
        let original = Address::from(&entry.original[..]);
        out.extend_from_slice(b"\nFinal-Recipient: ");
        put_typed(out, &recipient, self.original.script);
        if !entry.dsn_original.is_empty() {
            put(out, format_args!("Original-Recipient: {}\n", entry.dsn_original));
        } else if !original.is_empty() {
            out.extend_from_slice(b"Original-Recipient: ");
            put_typed(out, &original, self.original.script);
        }
        let action = match self.kind {
            Kind::Failure => "failed",
            Kind::Delay => "delayed",
            Kind::Success | Kind::Verify => &entry.action,
        };
        put(out, format_args!("Action: {action}\nStatus: {}\n", entry.status));
        if !entry.mta_type.is_empty() && !entry.mta.is_empty() {
            put(out, format_args!("Remote-MTA: {}; {}\n", entry.mta_type, entry.mta));
        }
        let (kind, text) = if entry.diagnostic_type.is_empty() || entry.diagnostic.is_empty() {
            (format!("X-{mail_name}"), &entry.reason)
        } else {
            (entry.diagnostic_type.clone(), &entry.diagnostic)
        };
        put_wrapped(out, "", &format!("Diagnostic-Code: {kind}; {text}"), WIDTH);
        if let (Kind::Delay, Some(until)) = (self.kind, self.retried_until) {
            put(out, format_args!("Will-Retry-Until: {}\n", date(until)));
        }
    }

    fn returned(&self, letter: &Letter<'_>, out: &mut Vec<u8>) {
        let undelivered = match self.kind {
            Kind::Failure | Kind::Delay => "Undelivered ",
            Kind::Success | Kind::Verify => "",
        };
        let (headers, kind) = match (letter.returned, self.original.script) {
            (Returned::Full, Script::Ascii) => ("", "message/rfc822"),
            (Returned::Full, Script::Utf8) => ("", "message/global"),
            (Returned::Header, Script::Ascii) => (" Headers", "text/rfc822-headers"),
            (Returned::Header, Script::Utf8) => (" Headers", "message/global-headers"),
        };
        put(out, format_args!("\n--{}\n", self.boundary(letter)));
        put(out, format_args!("Content-Description: {undelivered}Message{headers}\nContent-Type: {kind}\n"));
        self.part_encoding(out);
        out.extend_from_slice(b"\nReturn-Path: <");
        out.extend_from_slice(&Address::from(&self.sender(&self.original.sender)[..]).external());
        out.extend_from_slice(b">\n");
    }
}

/// `rfc822; address`, or `utf-8; address`.
fn put_typed(out: &mut Vec<u8>, address: &Address, script: Script) {
    let kind = if script == Script::Utf8 && !address.is_ascii() { "utf-8" } else { "rfc822" };
    put(out, format_args!("{kind}; "));
    out.extend_from_slice(&address.external());
    out.push(b'\n');
}

/// A name as part of a header name.
fn token(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_graphic() && c != ':' { c } else { '-' }).collect()
}

fn put(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    // Writing to a Vec cannot fail.
    let _ = out.write_fmt(text);
}

#[cfg(test)]
mod tests;
