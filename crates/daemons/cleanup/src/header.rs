//! The headers of a message: checked, noted, left out, their addresses rewritten, and what is missing added.

use std::sync::Arc;

use address::{Address, tree};
use ipc::cleanup::{Cause, Switch};
use mime::{Addresses, Field, Kind, Place};
use table::checks::Part;

use crate::checks::Judgement;
use crate::content::{RequireTlsHeader, TlsRequired, Trace};
use crate::date;
use crate::fate::{Objection, Refusal};
use crate::mapping::Class;
use crate::message::Message;
use crate::rewriting::is_canonical;
use crate::settings::{FromFormat, RequireTls, Strictness, is_resent};

/// The `encoding` of mail that declares bytes beyond ASCII.
const EIGHT_BIT: &str = "8bit";

impl Message {
    /// Takes a logical header of the message or of a part. It ends at a NUL, which no header may have.
    pub(crate) async fn take_header(&mut self, place: Place, mut text: Vec<u8>) {
        text.truncate(before_nul(&text).len());
        if self.content.strict.headers == Strictness::Strict && !text.is_ascii() {
            self.object(Objection::EightBitHeader, &text);
        }
        let is_trace = self.is_trace(place, &text);
        if is_trace {
            self.content.header.trace = Trace::Dropped;
        }
        let text = match self.check_header(place, &text).await {
            Judgement::Keep => text,
            Judgement::Drop => return,
            Judgement::Replace(new) => new,
            Judgement::Prepend(new) => {
                self.put_header(&new);
                text
            }
        };
        if self.is_over() {
            return;
        }
        let field = Field::new(&text);
        if let Some(field) = field {
            self.note_encoding(field);
        }
        let before = self.content.header.written;
        match field {
            Some(field) if place == Place::Primary => {
                let result = self.take_field(field).await;
                self.fate.take(result);
            }
            Some(_) | None => {
                self.content.header.utf8 |= !text.is_ascii();
                self.put_limited(&text, 0);
            }
        }
        if is_trace && self.content.header.written > before {
            self.content.header.trace = Trace::Behind(before);
        }
    }

    /// Whether a header is our own trace, before checks have changed it.
    fn is_trace(&self, place: Place, text: &[u8]) -> bool {
        self.content.header.trace == Trace::Awaited
            && place == Place::Primary
            && Field::new(text).is_some_and(|field| field.kind() == Kind::Received)
    }

    /// Writes a header as far as `header_size_limit` lets it; its lines are indented by bytes that do not count.
    fn put_limited(&mut self, header: &[u8], indent: usize) {
        let limit = self.desk.settings.mime.limits.header;
        self.put_header(shortened(header, limit, indent));
    }

    async fn check_header(&mut self, place: Place, text: &[u8]) -> Judgement {
        let checks = &self.desk.tables.checks;
        let headers = [Part::Header, Part::MimeHeader, Part::NestedHeader];
        if self.handling.checks == Switch::Off || !headers.into_iter().any(|part| checks.cover(part)) {
            return Judgement::Keep;
        }
        let part = Part::of_header(place, text);
        if !checks.cover(part) {
            return Judgement::Keep;
        }
        self.check(part, text).await
    }

    /// A field of the message's own header.
    async fn take_field(&mut self, field: Field<'_>) -> Result<(), Refusal> {
        let kind = field.kind();
        self.note(kind, field)?;
        if !kind.is_mime() && self.desk.settings.drops(field.name()) {
            return Ok(());
        }
        if !field.text().is_ascii() {
            self.content.header.utf8 = true;
        }
        if field.name().eq_ignore_ascii_case(b"TLS-Required") {
            self.note_tls_required(field.value());
        }
        if self.desk.settings.requiretls == RequireTls::Shown
            && field.name().eq_ignore_ascii_case(b"Require-TLS-ESMTP")
            && field.value().trim_ascii().eq_ignore_ascii_case(b"yes")
        {
            self.content.header.requiretls = RequireTlsHeader::Present;
        }
        let rewrites = self.desk.rewriter.rewrites_headers(self.envelope.context);
        match kind.addresses() {
            Some(whose) if rewrites => self.rewrite_addresses(whose, field).await,
            Some(_) | None => {
                self.put_limited(field.text(), 0);
                Ok(())
            }
        }
    }

    /// Remembers what later decisions depend on.
    fn note(&mut self, kind: Kind, field: Field<'_>) -> Result<(), Refusal> {
        let header = &mut self.content.header;
        if kind != Kind::Other && !header.seen.contains(&kind) {
            header.seen.push(kind);
        }
        header.resent |= is_resent(kind);
        #[expect(clippy::wildcard_enum_match_arm, reason = "nothing depends on the other fields")]
        match kind {
            Kind::MessageId => self.log_message_id("message-id", field.value()),
            Kind::ResentMessageId => self.log_message_id("resent-message-id", field.value()),
            Kind::Received => {
                header.hops += 1;
                if header.hops >= self.desk.settings.limits.hopcount {
                    tracing::warn!("{}: message rejected: hopcount exceeded", self.id);
                    return Err(Refusal::new(Cause::Hops, ""));
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Who says so does without TLS on the way (RFC 8689, section 5).
    fn note_tls_required(&mut self, value: &[u8]) {
        if !self.desk.settings.tls_required {
            return;
        }
        if value.trim_ascii().eq_ignore_ascii_case(b"no") {
            self.content.header.tls_required = TlsRequired::No;
        } else {
            let value: String = String::from_utf8_lossy(value).chars().take(100).collect();
            tracing::warn!("{}: ignoring malformed header: 'TLS-Required: {value}'", self.id);
        }
    }

    /// One part that says `8bit` makes the message 8-bit mail.
    fn note_encoding(&mut self, field: Field<'_>) {
        if field.kind() != Kind::ContentTransferEncoding || !self.desk.settings.mime.detect_encoding {
            return;
        }
        let value = field.value();
        if [&b"8bit"[..], b"binary"].iter().any(|word| value.eq_ignore_ascii_case(word)) {
            self.content.header.encoding = Some(EIGHT_BIT);
        }
    }

    fn log_message_id(&self, name: &str, value: &[u8]) {
        tracing::info!("{}: {name}={}", self.id, String::from_utf8_lossy(value));
    }

    async fn rewrite_addresses(&mut self, whose: Addresses, field: Field<'_>) -> Result<(), Refusal> {
        let class = match whose {
            Addresses::Sender => Class::HeaderSender,
            Addresses::Recipient | Addresses::Mentioned => Class::HeaderRecipient,
        };
        let desk = Arc::clone(&self.desk);
        let (mut items, spelling) = tree::parse_spelled(field.value(), desk.settings.limits.header_tokens);
        let maps = self.handling.mapping == Switch::On && desk.tables.mapping.covers(class);
        let mut changed = spelling == tree::Spelling::Unusual;
        for item in &mut items {
            let is_local = matches!(item, tree::Item::Local(_));
            let Some(address) = item.address_mut().filter(|address| !address.is_empty()) else { continue };
            if is_local {
                let complete = self.at_origin(address).await?;
                changed |= complete != *address;
                *address = complete;
            }
            if address.as_bytes() == b"@" {
                (*address, changed) = (Address::default(), true);
                continue;
            }
            if !maps && is_canonical(address) {
                continue;
            }
            let new = Box::pin(self.rewritten(address, maps.then_some(class))).await?;
            changed |= new != *address;
            *address = new;
        }
        if changed {
            let name = field.name();
            let value = tree::print(&items, name.len() + 2);
            let header = [name, b": ", &value].concat();
            self.put_limited(&header, 1);
        } else {
            self.put_limited(field.text(), 0);
        }
        Ok(())
    }

    /// An address that is all local part, with the domain that such addresses get.
    async fn at_origin(&self, address: &Address) -> Result<Address, Refusal> {
        let user = Address::from("user");
        let user = self.desk.rewriter.canonical(self.envelope.context, &user).await.map_err(|_| Refusal::write())?;
        Ok(user.domain().map_or_else(|| address.clone(), |domain| Address::from_parts(address.as_bytes(), domain)))
    }

    /// What an address in a header becomes, by the tables too where it has a class.
    async fn rewritten(&self, address: &Address, class: Option<Class>) -> Result<Address, Refusal> {
        let desk = &self.desk;
        let new = desk.rewriter.canonical(self.envelope.context, address).await.map_err(|_| Refusal::write())?;
        match class {
            Some(class) => desk.tables.mapping.apply(&self.id, &desk.rewriter, class, new).await,
            None => Ok(new),
        }
    }

    /// Adds what is missing. RFC 5322 §3.6; for resent messages §3.6.6.
    pub(crate) fn complete_header(&mut self) {
        let desk = Arc::clone(&self.desk);
        let settings = &desk.settings;
        let resent = self.content.header.resent;
        let prefix = if resent { "Resent-" } else { "" };
        let has = |kind: Kind| self.content.header.seen.contains(&kind);
        let lacks = |plain, again| !has(if resent { again } else { plain });
        let adds = desk.rewriter.rewrites_headers(self.envelope.context) || settings.headers.always_add_missing;
        let missing_id = adds && lacks(Kind::MessageId, Kind::ResentMessageId);
        let missing_date = adds && lacks(Kind::Date, Kind::ResentDate);
        let missing_from = adds && lacks(Kind::From, Kind::ResentFrom);
        let id_was_seen = has(Kind::MessageId);
        let visible = [Kind::To, Kind::Cc, Kind::ResentTo, Kind::ResentCc].into_iter().any(has);
        let undisclosed = settings.headers.undisclosed_recipients.as_ref().filter(|_| adds && !visible);
        let tells_of_tls = settings.requiretls == RequireTls::Shown
            && self.handling.requiretls == Switch::On
            && self.content.header.requiretls == RequireTlsHeader::Absent;
        if missing_id {
            let value = self.message_id();
            self.put_header(format!("{prefix}Message-Id: {value}").as_bytes());
            let name = if resent { "resent-message-id" } else { "message-id" };
            self.log_message_id(name, value.as_bytes());
        }
        if !id_was_seen && (resent || !missing_id) {
            self.log_message_id("message-id", b"<>");
        }
        if missing_date {
            let date = date::header_date(self.began, &settings.time_zone);
            self.put_header(format!("{prefix}Date: {date}").as_bytes());
        }
        if missing_from {
            let from = self.sender_value();
            self.put_header(&[prefix.as_bytes(), b"From: ", &from].concat());
        }
        if let Some(undisclosed) = undisclosed {
            self.put_header(undisclosed.as_bytes());
        }
        if tells_of_tls {
            self.put_header(b"Require-TLS-ESMTP: yes");
        }
    }

    /// An id for the message. Queue ids of the long form do not repeat, so that they need no date.
    fn message_id(&self) -> String {
        let myhostname = &self.desk.settings.myhostname;
        if self.desk.spool.layout().long_ids() {
            return format!("<{}@{myhostname}>", self.id);
        }
        format!("<{}.{}@{myhostname}>", date::message_id_date(self.began), self.id)
    }

    /// The sender as a `From:` header shows it; a user's name does not go with the null sender.
    fn sender_value(&self) -> Vec<u8> {
        let sender = self.sender().external();
        if sender.is_empty() {
            return b"MAILER-DAEMON".to_vec();
        }
        let name = self.envelope.full_name.trim_ascii();
        if name.is_empty() {
            return sender;
        }
        let headers = &self.desk.settings.headers;
        let encoded = match std::str::from_utf8(name) {
            Ok(text) if !text.is_ascii() && !headers.full_name_charset.is_empty() => {
                Some(mime::encoded_word::encode_phrase(text, &headers.full_name_charset).into_bytes())
            }
            Ok(_) | Err(_) => None,
        };
        match headers.from {
            FromFormat::Standard => {
                let phrase = encoded.unwrap_or_else(|| tree::phrase(name));
                [&phrase, &b" <"[..], &sender, b">"].concat()
            }
            FromFormat::Obsolete => {
                let comment = encoded.unwrap_or_else(|| escaped_comment(name));
                [&sender, &b" ("[..], &comment, b")"].concat()
            }
        }
    }
}

/// What comes before the first NUL.
pub(crate) fn before_nul(text: &[u8]) -> &[u8] {
    memchr::memchr(0, text).and_then(|at| text.get(..at)).unwrap_or(text)
}

/// As much of a header as may be: whole lines if little is lost with the last one, else it is cut within the line.
/// What lines are indented by does not count.
fn shortened(header: &[u8], limit: usize, indent: usize) -> &[u8] {
    let (mut start, mut uncounted) = (0usize, 0);
    for end in memchr::memchr_iter(b'\n', header).chain([header.len()]) {
        let most = limit.saturating_add(uncounted);
        if end > most {
            let spared = most.saturating_sub(start.saturating_add(if start == 0 { 0 } else { indent }));
            let cut = if start > 0 && spared.saturating_mul(10) < limit { start - 1 } else { most };
            return header.get(..cut).unwrap_or_default();
        }
        start = end + 1;
        uncounted += indent;
    }
    header
}

fn escaped_comment(name: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(name.len());
    for &byte in name {
        if matches!(byte, b'(' | b')' | b'\\') {
            out.push(b'\\');
        }
        out.push(byte);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_cut_where_it_is_too_long() {
        for (limit, cut) in [(12, "To: a,\n\tb@c,"), (10, "To: a,\n\tb@c"), (7, "To: a,"), (3, "To:")] {
            assert_eq!(shortened(b"To: a,\n\tb@c,\n\td@e", limit, 1), cut.as_bytes(), "{limit}");
        }
        assert_eq!(shortened(b"To: a,\n\tb@c", 10, 1), b"To: a,\n\tb@c");
        for (first, kept) in [(53, 60), (54, 54), (55, 55)] {
            let header = [vec![b'x'; first], b"\n ".to_vec(), vec![b'y'; 9]].concat();
            assert_eq!(shortened(&header, 60, 0).len(), kept, "{first}");
        }
    }
}
