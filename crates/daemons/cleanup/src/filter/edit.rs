//! What filters ask for: other headers, another sender, recipients more or less, and the hold queue.

use std::collections::HashSet;
use std::sync::Arc;

use ::milter::chain::Verdict;
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
        let text = |name: &[u8], value: &[u8]| [name, b":", blank, value].concat().replace_line_ends();
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
            Response::Quarantine(_) => self.take_verdict("END-OF-MESSAGE", Verdict::Hold),
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
        let given = address_of(words.first());
        let mut sender = desk.rewriter.canonical(Context::Local, &given).await.map_err(|_| Refusal::write())?;
        if self.handling.mapping == Switch::On && !sender.is_empty() {
            sender = desk.tables.mapping.apply(&self.id, &desk.rewriter, Class::EnvelopeSender, sender).await?;
        }
        for parameter in arguments(words) {
            tracing::warn!("{}: ignoring ESMTP argument of a changed sender: {parameter}", self.id);
        }
        let mut out = Vec::with_capacity(shown.leading.len() + 64);
        let mut records = Records::new(shown.leading.as_slice(), 0, Pointers::Show);
        while let Ok(Some(found)) = records.next() {
            let data = if found.kind == Type::Sender { sender.as_bytes() } else { found.data };
            record::put(&mut out, found.kind, data);
        }
        shown.leading = out;
        shown.note_change();
        self.envelope.sender = Some(Sender::new(sender.into_bytes()));
        Ok(())
    }

    async fn add_recipient(&mut self, shown: &mut Shown, words: &[Vec<u8>]) -> Result<(), Refusal> {
        let mut pending = Pending::default();
        for argument in arguments(words) {
            let (name, value) = argument.split_once('=').unwrap_or((&argument, ""));
            if name.eq_ignore_ascii_case("NOTIFY") {
                pending.notify = Notify::parse(value.as_bytes()).unwrap_or(Notify::UNSET);
            } else if let ("ORCPT", Ok(original)) =
                (name.to_ascii_uppercase().as_str(), OriginalRecipient::parse(value.as_bytes()))
            {
                pending.dsn_original = original.decoded();
            } else {
                tracing::warn!("{}: ignoring ESMTP argument of an added recipient: {argument}", self.id);
            }
        }
        shown.note_change();
        let last = self.recipients.last.clone();
        let result = self.take_recipient(address_of(words.first()), pending).await;
        self.recipients.last = last;
        result
    }

    /// Removes all that some recipients have become.
    pub(super) fn delete_recipients(&mut self, shown: &mut Shown, given: &[Vec<u8>]) {
        if given.is_empty() {
            return;
        }
        let gone = given.iter().map(|given| address_of(Some(given)).as_bytes().to_ascii_lowercase()).collect();
        let leading = self.without(&shown.leading, &gone);
        let extracted = std::mem::take(&mut self.extracted);
        let kept = self.without(&extracted, &gone);
        self.extracted = kept.unwrap_or(extracted);
        if let Some(leading) = leading {
            shown.leading = leading;
            shown.note_change();
        }
    }

    /// Records without those of recipients, given in lower case; `None` where there are none of them.
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
                if gone.contains(&original.to_ascii_lowercase()) {
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

/// A header's place: the `index`-th of its name, our own first one not counted.
fn find(headers: &[Header], index: u32, name: &[u8]) -> Option<usize> {
    let nth = usize::try_from(index.max(1) - 1).ok()?;
    let same = headers.iter().enumerate().skip(1).filter(|(_, header)| header.name().eq_ignore_ascii_case(name));
    same.map(|(at, _)| at).nth(nth)
}

fn address_of(word: Option<&Vec<u8>>) -> Address {
    let text = word.map(|word| word.trim_ascii()).unwrap_or_default();
    let inner = text.strip_prefix(b"<").and_then(|text| text.strip_suffix(b">")).unwrap_or(text);
    Address::from_external(inner)
}

/// What follows the address.
fn arguments(words: &[Vec<u8>]) -> impl Iterator<Item = String> {
    let rest = words.iter().skip(1).map(|word| String::from_utf8_lossy(word).into_owned());
    rest.flat_map(|words| words.split_ascii_whitespace().map(str::to_owned).collect::<Vec<_>>())
}

/// Lines of a header end with LF alone.
trait LineEnds {
    fn replace_line_ends(self) -> Self;
}

impl LineEnds for Vec<u8> {
    fn replace_line_ends(mut self) -> Self {
        self.retain(|byte| *byte != b'\r');
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_counted_without_our_own() {
        let headers: Vec<_> = ["Received: us", "Subject: a", "Received: them", "subject: b"]
            .iter()
            .map(|text| Header::new(text.as_bytes().to_vec()))
            .collect();
        for (index, name, found) in [
            (1, "received", Some(2)),
            (2, "received", None),
            (0, "Subject", Some(1)),
            (2, "SUBJECT", Some(3)),
            (1, "X", None),
        ] {
            assert_eq!(find(&headers, index, name.as_bytes()), found, "{index} {name}");
        }
    }

    #[test]
    fn addresses_may_have_brackets() {
        for text in ["<a@b>", "a@b", " <a@b> "] {
            assert_eq!(address_of(Some(&text.as_bytes().to_vec())).as_bytes(), b"a@b");
        }
    }
}
