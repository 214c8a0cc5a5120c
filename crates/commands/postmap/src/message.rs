//! Keys from a message on standard input: its headers (`-h`), its lines (`-b`), those of its parts too (`-m`).

use std::io::{BufRead, Write};

use mime::{End, Event, Limits, Parts, Walker};
use table::upkeep::{Asking, Failure};

/// What of a message is looked up.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted {
    headers: bool,
    body: bool,
    parts: Parts,
}

const LIMITS: Limits = Limits { header: 102_400, boundary: 2048, nesting: 100 };

impl Wanted {
    pub(crate) fn read(body: bool, headers: bool, parts: bool) -> Option<Self> {
        if !body && !headers {
            if parts {
                tracing::warn!("ignoring -m option without -b or -h");
            }
            return None;
        }
        Some(Self { headers, body, parts: if parts { Parts::All } else { Parts::Message } })
    }

    /// Looks up what is wanted, and shows what is found. Tells whether anything was.
    pub(crate) fn find(
        self,
        asking: &mut Asking<'_>,
        input: &mut dyn BufRead,
        output: &mut dyn Write,
    ) -> Result<bool, Failure> {
        let mut walker = Walker::new(self.parts, LIMITS);
        let mut found = false;
        let mut line = Vec::new();
        loop {
            line.clear();
            if input.read_until(b'\n', &mut line)? == 0 {
                break;
            }
            let line = line.strip_suffix(b"\n").unwrap_or(&line);
            for event in walker.line(line, End::Line) {
                found |= self.event(&event, asking, output)?;
            }
        }
        for event in walker.finish() {
            found |= self.event(&event, asking, output)?;
        }
        Ok(found)
    }

    fn event(self, event: &Event<'_>, asking: &mut Asking<'_>, output: &mut dyn Write) -> Result<bool, Failure> {
        match event {
            Event::Header(_, header) if self.headers => asking.show(header, output),
            Event::Body(line, _) if self.body => asking.show(line, output),
            // The line between header and body counts as one of the body, even where it is missing.
            Event::Separator if self.body => asking.show(b"", output),
            Event::Header(..) | Event::HeaderEnd(_) | Event::Body(..) | Event::Separator | Event::Fault(..) => {
                Ok(false)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use table::Environment;
    use table::upkeep::{Options, Shown};

    const MESSAGE: &[u8] =
        b"Subject: a\nX: b\n c\nContent-Type: multipart/mixed; boundary=x\n\nfirst\n--x\nY: d\n\nsecond\n--x--\n";

    #[test]
    fn a_missing_line_between_header_and_body_is_found() {
        for message in [&b"A: b\n\nc\n"[..], b"A: b\nc\n"] {
            let options = Options::read(&[], Shown::Text, Environment::default()).unwrap();
            let specs = ["regexp:{{/^$/ none}, {/./ some}}".to_owned()];
            let mut output = Vec::new();
            let wanted = Wanted::read(true, false, false).unwrap();
            wanted.find(&mut Asking::new(&specs, &options), &mut &message[..], &mut output).unwrap();
            assert_eq!(String::from_utf8(output).unwrap(), "\tnone\nc\tsome\n");
        }
    }

    fn found(body: bool, headers: bool, parts: bool) -> String {
        let environment = Environment::default();
        let options = Options::read(&[], Shown::Text, environment).unwrap();
        let specs = ["regexp:{{/^(.).*$/m $1}}".to_owned()];
        let mut output = Vec::new();
        let wanted = Wanted::read(body, headers, parts).unwrap();
        wanted.find(&mut Asking::new(&specs, &options), &mut &MESSAGE[..], &mut output).unwrap();
        let lines = String::from_utf8(output).unwrap();
        lines.lines().filter_map(|line| line.split_once('\t')).map(|(_, value)| value).collect()
    }

    #[test]
    fn headers_and_lines_are_told_apart() {
        assert_eq!(found(false, true, false), "SXC");
        assert_eq!(found(true, false, false), "f-Ys-");
        assert_eq!(found(false, true, true), "SXCY");
        assert_eq!(found(true, false, true), "f-s-");
        assert!(Wanted::read(false, false, false).is_none());
        assert!(Wanted::read(false, false, true).is_none());
    }
}
