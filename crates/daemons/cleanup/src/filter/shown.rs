//! The message as filters see it: its envelope records and headers in memory, its body wherever it is.

use std::fs::File;
use std::io;

use queue_file::record::{self, Pointers, Records, Type};
use queue_file::{Buffered, Error, Source};

use crate::content::Trace;
use crate::draft::{Draft, Replacement, Tail};

/// About the largest chunk of a body; a filter may be given no more than 65535 bytes.
const CHUNK: usize = 60_000;

/// A message that filters work on.
pub(super) struct Shown {
    /// Records before the content, with the one that ends them.
    pub(super) leading: Vec<u8>,
    pub(super) headers: Vec<Header>,
    /// There is an empty line behind the headers.
    separated: bool,
    store: Store,
    /// Where the body begins and ends in the store.
    body: (u64, u64),
    /// A new body, as records.
    replaced: Option<Vec<u8>>,
    changed: bool,
}

/// A logical header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) text: Vec<u8>,
    /// Whether it is our own trace, which filters neither see nor count.
    is_trace: bool,
}

impl Header {
    pub(super) fn new(text: Vec<u8>) -> Self {
        Self { text, is_trace: false }
    }

    /// Whether filters may name it by its number.
    pub(super) fn counts(&self) -> bool {
        !self.is_trace
    }

    pub(super) fn name(&self) -> &[u8] {
        let end = self.text.iter().position(|byte| *byte == b':').unwrap_or(self.text.len());
        self.text.get(..end).unwrap_or_default().trim_ascii_end()
    }

    /// Name and value; the blank before the value is shown only to who has asked for it.
    pub(super) fn parts(&self, with_blank: bool) -> (Vec<u8>, Vec<u8>) {
        let start = self.text.iter().position(|byte| *byte == b':').map_or(self.text.len(), |at| at + 1);
        let value = self.text.get(start..).unwrap_or_default();
        let value = if with_blank { value } else { value.strip_prefix(b" ").unwrap_or(value) };
        (self.name().to_vec(), value.to_vec())
    }
}

/// Where records are.
enum Store {
    Memory(Vec<u8>),
    File(Buffered<File>),
}

impl Source for Store {
    fn window(&mut self, offset: u64, least: usize) -> io::Result<&[u8]> {
        match self {
            Self::Memory(bytes) => Ok(usize::try_from(offset).ok().and_then(|at| bytes.get(at..)).unwrap_or_default()),
            Self::File(file) => file.window(offset, least),
        }
    }
}

impl Store {
    fn again(&self) -> io::Result<Self> {
        Ok(match self {
            Self::Memory(bytes) => Self::Memory(bytes.clone()),
            Self::File(file) => Self::File(Buffered::large(file.file().try_clone()?)),
        })
    }
}

/// A body on its way to a filter.
pub(super) struct Body {
    records: io::Result<Records<Store>>,
    end: u64,
}

impl Shown {
    /// Reads the message that a draft has so far. `trace` is not shown.
    pub(super) async fn of(draft: Draft, trace: Trace) -> Result<(Draft, Self), Error> {
        let draft = draft.settle().await?;
        let store = match draft.whole() {
            Some(bytes) => Store::Memory(bytes.to_vec()),
            None => Store::File(Buffered::large(draft.file().try_clone()?)),
        };
        let (from, end) = (draft.data_offset(), draft.position());
        service::disk(move || Self::read(store, from, end).map(|shown| (draft, shown.hide(trace)))).await
    }

    fn read(mut store: Store, from: u64, end: u64) -> Result<Self, Error> {
        let size = usize::try_from(from).unwrap_or(0);
        let leading = store.window(0, size)?.get(..size).unwrap_or_default().to_vec();
        let mut records = Records::new(store, from, Pointers::Show);
        let (mut headers, mut line) = (Vec::<Header>::new(), Vec::new());
        let (mut start, mut separated) = (from, false);
        while records.offset() < end {
            let Some(found) = records.next()? else { break };
            let ends = found.kind == Type::Line;
            line.extend_from_slice(found.data);
            if !ends {
                continue;
            }
            match headers.last_mut() {
                _ if line.is_empty() => {
                    separated = true;
                    start = records.offset();
                    break;
                }
                Some(last) if matches!(line.first(), Some(b' ' | b'\t')) => {
                    last.text.push(b'\n');
                    last.text.append(&mut line);
                }
                _ if mime::field_name_length(&line).is_some() => headers.push(Header::new(std::mem::take(&mut line))),
                Some(_) | None => break,
            }
            start = records.offset();
        }
        let store = records.into_source();
        Ok(Self { leading, headers, separated, store, body: (start, end), replaced: None, changed: false })
    }

    /// Hides our own trace.
    fn hide(mut self, trace: Trace) -> Self {
        if let Trace::Behind(at) = trace
            && let Some(header) = self.headers.get_mut(at)
        {
            header.is_trace = true;
        }
        self
    }

    pub(super) fn visible(&self) -> impl Iterator<Item = &Header> {
        self.headers.iter().filter(|header| header.counts())
    }

    pub(super) fn body(&self) -> Body {
        match &self.replaced {
            Some(records) => {
                let end = records.len() as u64;
                Body { records: Ok(Records::new(Store::Memory(records.clone()), 0, Pointers::Show)), end }
            }
            None => {
                let (start, end) = self.body;
                Body { records: self.store.again().map(|store| Records::new(store, start, Pointers::Show)), end }
            }
        }
    }

    /// Takes a new body, with CRLF line ends.
    pub(super) fn replace_body(&mut self, text: &[u8], limit: usize) {
        let mut records = Vec::with_capacity(text.len() + text.len() / 16);
        let text = text.strip_suffix(b"\n").unwrap_or(text);
        if !text.is_empty() {
            for line in text.split(|byte| *byte == b'\n') {
                record::put_line(&mut records, line.strip_suffix(b"\r").unwrap_or(line), limit);
            }
        }
        self.replaced = Some(records);
        self.separated = true;
        self.changed = true;
    }

    pub(super) fn note_change(&mut self) {
        self.changed = true;
    }

    pub(super) fn is_changed(&self) -> bool {
        self.changed
    }

    /// The message anew, for the file.
    pub(super) fn into_replacement(self, limit: usize) -> Replacement {
        let mut start = self.leading;
        let data_offset = start.len() as u64;
        for line in self.headers.iter().flat_map(|header| header.text.split(|byte| *byte == b'\n')) {
            record::put_line(&mut start, line, limit);
        }
        if self.separated {
            record::put(&mut start, Type::Line, b"");
        }
        let (from, to) = self.body;
        Replacement { start, data_offset, tail: self.replaced.map_or(Tail::Kept { from, to }, Tail::New) }
    }
}

/// The next chunk of a body with CRLF line ends, `None` at its end.
pub(super) async fn next_chunk(body: Body) -> Result<(Body, Option<Vec<u8>>), Error> {
    service::disk(move || {
        let Body { records, end } = body;
        let mut records = records?;
        let mut chunk = Vec::new();
        while chunk.len() < CHUNK && records.offset() < end {
            let Some(found) = records.next()? else { break };
            chunk.extend_from_slice(found.data);
            if found.kind == Type::Line {
                chunk.extend_from_slice(b"\r\n");
            }
        }
        let chunk = (!chunk.is_empty()).then_some(chunk);
        Ok((Body { records: Ok(records), end }, chunk))
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(lines: &[&str]) -> Shown {
        let mut bytes = Vec::new();
        record::put(&mut bytes, Type::Message, b"");
        let from = bytes.len() as u64;
        lines.iter().for_each(|line| record::put_line(&mut bytes, line.as_bytes(), 10));
        let end = bytes.len() as u64;
        Shown::read(Store::Memory(bytes), from, end).unwrap()
    }

    #[tokio::test]
    async fn headers_and_body_are_told_apart() {
        let shown = shown(&["A: 1", "B:  two", "\tlines", "", "text", "", "more than ten"]).hide(Trace::Behind(0));
        let parts: Vec<_> = shown.visible().map(|header| header.parts(false)).collect();
        assert_eq!(parts, [(b"B".to_vec(), b" two\n\tlines".to_vec())]);
        let (body, chunk) = next_chunk(shown.body()).await.unwrap();
        assert_eq!(chunk.as_deref(), Some(&b"text\r\n\r\nmore than ten\r\n"[..]));
        assert_eq!(next_chunk(body).await.unwrap().1, None);
    }

    #[test]
    fn a_new_body_is_cut_into_lines() {
        for (text, count) in [("", 0), ("a\r\n", 1), ("a\r\nb", 2), ("\r\n\r\n", 2)] {
            let mut shown = shown(&["A: 1", "", "old"]);
            shown.replace_body(text.as_bytes(), 100);
            let records = shown.replaced.unwrap();
            assert_eq!(records.iter().filter(|byte| **byte == b'N').count(), count, "{text:?}");
        }
    }
}
