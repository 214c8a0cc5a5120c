//! What filters ask for: other headers, another sender, recipients more or less, and the hold queue.

use std::collections::HashSet;
use std::sync::Arc;

use ::milter::packet::{Response, protocol};
use address::{Address, Sender};
use dsn::{Notify, OriginalRecipient};
use ipc::cleanup::Switch;
use ipc::rewrite::Context;
use queue_file::record::{self, Pointers, Records, Type};

use super::shown::{Header, Shown};
use crate::checks::Judgement;
use crate::fate::Refusal;
use crate::mapping::Class;
use crate::message::{Message, Pending};

/// The prefix of the actions of `milter_header_checks` in the log.
pub(crate) const CHECKED: &str = "milter-header-";

impl Message {
    /// Does what one answer says.
    pub(super) async fn change(&mut self, shown: &mut Shown, flags: u32, answer: Response) -> Result<(), Refusal> {
        let blank: &[u8] = if flags & protocol::LEADING_SPACE == 0 { b" " } else { b"" };
        let text = |name: &[u8], value: &[u8]| folded(&[name, b":", blank, value].concat());
        match answer {
            Response::AddHeader(name, value) => {
                let at = shown.headers.len();
                self.insert_header(shown, at, text(&name, &value)).await;
            }
            Response::InsertHeader(index, name, value) => {
                let at = usize::try_from(index).unwrap_or(usize::MAX).min(shown.headers.len());
                self.insert_header(shown, at, text(&name, &value)).await;
            }
            Response::ChangeHeader(index, name, value) => {
                match (find(&shown.headers, index, &name), value.is_empty()) {
                    (Some(at), true) => {
                        shown.headers.remove(at);
                        shown.note_change();
                    }
                    (Some(at), false) => self.replace_header(shown, at, text(&name, &value)).await,
                    (None, true) => {}
                    (None, false) => {
                        let at = shown.headers.len();
                        self.insert_header(shown, at, text(&name, &value)).await;
                    }
                }
            }
            Response::ChangeSender(words) => self.change_sender(shown, &words).await?,
            Response::AddRecipient(words) => self.add_recipient(shown, &words).await?,
            Response::Continue
            | Response::Accept
            | Response::Reject
            | Response::Tempfail
            | Response::Discard
            | Response::Skip
            | Response::Progress
            | Response::Shutdown
            | Response::ConnectionFailure
            | Response::Reply(_)
            | Response::ReplaceBody(_)
            | Response::DeleteRecipient(_)
            | Response::Quarantine(_)
            | Response::Options(_) => tracing::warn!("{}: unexpected answer of a milter", self.id),
        }
        Ok(())
    }

    /// Adds a header, if `milter_header_checks` let it pass.
    async fn insert_header(&mut self, shown: &mut Shown, at: usize, text: Vec<u8>) {
        let mut headers = Vec::new();
        self.checked_header(text, &mut headers).await;
        self.content.header.utf8 |= headers.iter().any(|header| !header.text.is_ascii());
        if !headers.is_empty() {
            shown.note_change();
        }
        shown.headers.splice(at..at, headers);
    }

    async fn replace_header(&mut self, shown: &mut Shown, at: usize, text: Vec<u8>) {
        let mut headers = Vec::new();
        self.checked_header(text, &mut headers).await;
        shown.headers.splice(at..=at, headers);
        shown.note_change();
    }

    async fn checked_header(&mut self, text: Vec<u8>, out: &mut Vec<Header>) {
        if !self.desk.tables.milter_checks.cover(table::checks::Part::Header) {
            return out.push(Header::new(text));
        }
        match self.check_filtered(&text).await {
            Judgement::Keep => out.push(Header::new(text)),
            Judgement::Drop => {}
            Judgement::Replace(new) => out.push(Header::new(new)),
            Judgement::Prepend(new) => {
                out.push(Header::new(new));
                out.push(Header::new(text));
            }
        }
    }

    async fn change_sender(&mut self, shown: &mut Shown, words: &[Vec<u8>]) -> Result<(), Refusal> {
        let desk = Arc::clone(&self.desk);
        let given = self.address_of(words.first(), "Milter request to add multi-sender");
        let mut sender = desk.rewriter.canonical(Context::Local, &given).await.map_err(|_| Refusal::write())?;
        if self.handling.mapping == Switch::On {
            sender = desk.tables.mapping.apply(&self.id, &desk.rewriter, Class::EnvelopeSender, sender).await?;
        }
        let wishes = self.wishes_of_sender(words);
        shown.leading = with_sender(&shown.leading, &sender, &wishes);
        shown.note_change();
        self.envelope.sender = Some(Sender::new(sender.into_bytes()));
        Ok(())
    }

    /// The ESMTP arguments of a new sender, as records.
    fn wishes_of_sender(&mut self, words: &[Vec<u8>]) -> Vec<u8> {
        let mut records = Vec::new();
        for argument in arguments(words) {
            let (name, value) = argument.split_once('=').unwrap_or((&argument, ""));
            let understood = match name.to_ascii_uppercase().as_str() {
                "RET" => dsn::Ret::parse(value.as_bytes())
                    .map(|ret| {
                        self.envelope.ret = Some(ret);
                        record::put_attribute(&mut records, "ret_flags", ret.bits().to_string().as_bytes());
                    })
                    .is_ok(),
                "ENVID" if !value.is_empty() => dsn::xtext::decode(value.as_bytes())
                    .map(|id| {
                        self.envelope.envelope_id = String::from_utf8_lossy(&id).into_owned();
                        record::put_attribute(&mut records, "envelope_id", &id);
                    })
                    .is_ok(),
                _ => false,
            };
            if !understood {
                tracing::warn!("Ignoring bad ESMTP parameter \"{argument}\" in SMFI_CHGFROM request");
            }
        }
        records
    }

    async fn add_recipient(&mut self, shown: &mut Shown, words: &[Vec<u8>]) -> Result<(), Refusal> {
        let address = self.address_of(words.first(), "Milter or header/body_checks request to add multi-recipient");
        if address.is_empty() {
            tracing::warn!("{}: ignoring attempt from Milter to add null recipient", self.id);
            return Ok(());
        }
        let mut pending = Pending::default();
        for argument in arguments(words) {
            let (name, value) = argument.split_once('=').unwrap_or((&argument, ""));
            let understood = match name.to_ascii_uppercase().as_str() {
                "NOTIFY" => Notify::parse(value.as_bytes()).map(|notify| pending.notify = notify).is_ok(),
                "ORCPT" => {
                    let original = OriginalRecipient::parse(value.as_bytes());
                    original.map(|original| pending.dsn_original = original.decoded()).is_ok()
                }
                _ => {
                    let source = "Milter or header/body_checks";
                    tracing::warn!("{}: ignoring ESMTP argument from {source}: \"{argument}\"", self.id);
                    true
                }
            };
            if !understood {
                tracing::warn!("{}: Bad {name} parameter from Milter or header/body_checks: \"{argument}\"", self.id);
            }
        }
        shown.note_change();
        self.take_extra(address, pending).await
    }

    /// The address that a filter names; what it is for, where it should be one and is several.
    fn address_of(&self, word: Option<&Vec<u8>>, what: &str) -> Address {
        let text = word.map(Vec::as_slice).unwrap_or_default();
        let items = address::tree::parse(text, usize::MAX);
        let mut addresses = address::tree::addresses(&items);
        let first = addresses.next().cloned().unwrap_or_default();
        if addresses.next().is_some() {
            tracing::warn!("{}: {what}: \"{}\"", self.id, table::shown(text));
        }
        first
    }

    /// Removes all that some recipients have become.
    pub(super) fn delete_recipients(&mut self, shown: &mut Shown, given: &[Vec<u8>]) {
        if given.is_empty() {
            return;
        }
        let name = |given| self.address_of(Some(given), "Milter request to drop multi-recipient");
        let gone = given.iter().map(|given| name(given).as_bytes().to_vec()).collect();
        let leading = self.without(&shown.leading, &gone);
        let extracted = std::mem::take(&mut self.extracted);
        let kept = self.without(&extracted, &gone);
        self.extracted = kept.unwrap_or(extracted);
        if let Some(leading) = leading {
            shown.leading = leading;
            shown.note_change();
        }
    }

    /// Records without those of recipients, which are written as they were given; `None` where there are none of them.
    fn without(&mut self, records: &[u8], gone: &HashSet<Vec<u8>>) -> Option<Vec<u8>> {
        let mut out = Vec::with_capacity(records.len());
        let mut removed = false;
        // Where the records of the recipient that comes next begin.
        let mut begin = None;
        let mut pending = Pending::default();
        let mut records = Records::new(records, 0, Pointers::Show);
        while let Ok(Some(found)) = records.next() {
            let start = out.len();
            record::put(&mut out, found.kind, found.data);
            if found.kind == Type::Original {
                pending.original = found.data.to_vec();
            } else if found.kind == Type::Attribute && !pending.take_attribute(found.data) {
                continue;
            } else if found.kind == Type::Recipient {
                let pending = std::mem::take(&mut pending);
                let begin = begin.take().unwrap_or(start);
                let original = if pending.original.is_empty() { found.data } else { &pending.original };
                if gone.contains(original) {
                    self.forget_recipient(&Address::new(found.data.to_vec()), &pending);
                    out.truncate(begin);
                    removed = true;
                }
                continue;
            } else if found.kind != Type::Attribute {
                continue;
            }
            begin.get_or_insert(start);
        }
        removed.then_some(out)
    }
}

/// A header's place: the `index`-th of its name, our own trace not counted.
fn find(headers: &[Header], index: u32, name: &[u8]) -> Option<usize> {
    let nth = usize::try_from(index.max(1) - 1).ok()?;
    let counted = headers.iter().enumerate().filter(|(_, header)| header.counts());
    let same = counted.filter(|(_, header)| header.name().eq_ignore_ascii_case(name));
    same.map(|(at, _)| at).nth(nth)
}

/// Leading records with another sender, and what it wishes in the place of what the one before has wished.
fn with_sender(leading: &[u8], sender: &Address, wishes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(leading.len() + wishes.len() + 64);
    let mut records = Records::new(leading, 0, Pointers::Show);
    while let Ok(Some(found)) = records.next() {
        let is_wish = [&b"ret_flags="[..], b"envelope_id="].iter().any(|name| found.data.starts_with(name));
        if found.kind == Type::Sender {
            record::put(&mut out, Type::Sender, sender.as_bytes());
            out.extend_from_slice(wishes);
        } else if !is_wish || wishes.is_empty() || found.kind != Type::Attribute {
            record::put(&mut out, found.kind, found.data);
        }
    }
    out
}

/// What follows the address.
fn arguments(words: &[Vec<u8>]) -> impl Iterator<Item = String> {
    let rest = words.iter().skip(1).map(|word| String::from_utf8_lossy(word).into_owned());
    rest.flat_map(|words| words.split_ascii_whitespace().map(str::to_owned).collect::<Vec<_>>())
}

/// A header in our form: its lines end with LF alone, and none of them looks like another header or the end of all.
fn folded(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let end = text.iter().rposition(|byte| !matches!(byte, b'\r' | b'\n')).map_or(0, |last| last + 1);
    for (number, line) in text.get(..end).unwrap_or_default().split(|byte| *byte == b'\n').enumerate() {
        if number > 0 {
            out.push(b'\n');
            if !matches!(line.first(), Some(b' ' | b'\t')) {
                out.push(b'\t');
            }
        }
        out.extend(line.iter().filter(|byte| **byte != b'\r'));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_of_a_filter_is_one_header() {
        for (text, expected) in [
            ("X: a\r\n b\r\n", "X: a\n b"),
            ("X: a\nBcc: b", "X: a\n\tBcc: b"),
            ("X: a\n\n\tb", "X: a\n\t\n\tb"),
            ("X: ", "X: "),
        ] {
            assert_eq!(folded(text.as_bytes()), expected.as_bytes(), "{text:?}");
        }
    }
}
