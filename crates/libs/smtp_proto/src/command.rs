//! What a client says: the verb of a command line, and the arguments of MAIL and RCPT.
//!
//! A server decides by its state before it looks at arguments (a second MAIL is out of order however it is spelled), so
//! parsing has two steps. Lines are split as leniently as Postfix does: any case, white space behind the colon, and
//! addresses without angle brackets.

use std::fmt;

/// The verbs that a server may know. What it does not know is `Unknown`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Verb {
    /// HELO.
    Helo,
    /// EHLO.
    Ehlo,
    /// XCLIENT.
    Xclient,
    /// XFORWARD.
    Xforward,
    /// STARTTLS.
    Starttls,
    /// AUTH.
    Auth,
    /// MAIL.
    Mail,
    /// RCPT.
    Rcpt,
    /// DATA.
    Data,
    /// BDAT.
    Bdat,
    /// RSET.
    Rset,
    /// NOOP.
    Noop,
    /// VRFY.
    Vrfy,
    /// ETRN.
    Etrn,
    /// HELP.
    Help,
    /// QUIT.
    Quit,
    /// Anything else.
    Unknown,
}

impl Verb {
    /// Every known verb, in the order in which Postfix lists them when a session ends.
    pub const ALL: [Verb; 16] = [
        Verb::Helo,
        Verb::Ehlo,
        Verb::Xclient,
        Verb::Xforward,
        Verb::Starttls,
        Verb::Auth,
        Verb::Mail,
        Verb::Rcpt,
        Verb::Data,
        Verb::Bdat,
        Verb::Rset,
        Verb::Noop,
        Verb::Vrfy,
        Verb::Etrn,
        Verb::Help,
        Verb::Quit,
    ];

    /// The verb that a word names, in any case.
    #[must_use]
    pub fn parse(word: &[u8]) -> Verb {
        Verb::ALL.into_iter().find(|verb| word.eq_ignore_ascii_case(verb.name().as_bytes())).unwrap_or(Verb::Unknown)
    }

    /// The verb as it is written.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Verb::Helo => "HELO",
            Verb::Ehlo => "EHLO",
            Verb::Xclient => "XCLIENT",
            Verb::Xforward => "XFORWARD",
            Verb::Starttls => "STARTTLS",
            Verb::Auth => "AUTH",
            Verb::Mail => "MAIL",
            Verb::Rcpt => "RCPT",
            Verb::Data => "DATA",
            Verb::Bdat => "BDAT",
            Verb::Rset => "RSET",
            Verb::Noop => "NOOP",
            Verb::Vrfy => "VRFY",
            Verb::Etrn => "ETRN",
            Verb::Help => "HELP",
            Verb::Quit => "QUIT",
            Verb::Unknown => "UNKNOWN",
        }
    }
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The first word of a line, and what follows it without leading white space. No word: an empty line.
#[must_use]
pub fn split(line: &[u8]) -> (&[u8], &[u8]) {
    let line = line.trim_ascii();
    let end = line.iter().position(u8::is_ascii_whitespace).unwrap_or(line.len());
    let (word, rest) = line.split_at(end);
    (word, rest.trim_ascii_start())
}

/// Whether a line that begins with this word looks like a header field: what browsers send, for one, that are made to talk to
/// port 25.
#[must_use]
pub fn is_header(word: &[u8]) -> bool {
    let Some(colon) = word.iter().position(|byte| *byte == b':') else { return false };
    let name = word.get(..colon).unwrap_or_default();
    let end = name.iter().rposition(|byte| !matches!(byte, b' ' | b'\t')).map_or(0, |last| last + 1);
    let name = name.get(..end).unwrap_or_default();
    !name.is_empty() && name.iter().all(u8::is_ascii_graphic)
}

/// The words of an argument list; quoted strings and angle brackets keep what is inside together.
#[must_use]
pub fn words(arguments: &[u8]) -> Words<'_> {
    Words { rest: arguments }
}

/// Iterator of [`words`].
#[derive(Debug, Clone)]
pub struct Words<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Words<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        self.rest = self.rest.trim_ascii_start();
        if self.rest.is_empty() {
            return None;
        }
        let (word, rest) = self.rest.split_at(word_end(self.rest));
        self.rest = rest;
        Some(word)
    }
}

/// Where the first word of `text` ends: at white space outside quotes and brackets.
fn word_end(text: &[u8]) -> usize {
    let (mut quoted, mut depth, mut escaped) = (false, 0_usize, false);
    for (at, byte) in text.iter().enumerate() {
        if escaped {
            escaped = false;
            continue;
        }
        match byte {
            b'\\' => escaped = true,
            b'"' => quoted = !quoted,
            _ if quoted => {}
            b'<' => depth += 1,
            b'>' => depth = depth.saturating_sub(1),
            _ if depth == 0 && byte.is_ascii_whitespace() => return at,
            _ => {}
        }
    }
    text.len()
}

/// The arguments of MAIL or RCPT: the address as the client wrote it, and its parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathArgument<'a> {
    /// The address in external form, with its brackets if it had any.
    pub path: &'a [u8],
    /// What follows it.
    pub parameters: &'a [u8],
}

impl<'a> PathArgument<'a> {
    /// The arguments of `MAIL`, after the verb.
    #[must_use]
    pub fn of_mail(arguments: &'a [u8]) -> Option<PathArgument<'a>> {
        PathArgument::after(b"FROM", arguments)
    }

    /// The arguments of `RCPT`, after the verb.
    #[must_use]
    pub fn of_rcpt(arguments: &'a [u8]) -> Option<PathArgument<'a>> {
        PathArgument::after(b"TO", arguments)
    }

    /// `None` where the word, its colon, or the address is missing.
    fn after(word: &[u8], arguments: &'a [u8]) -> Option<PathArgument<'a>> {
        let (head, rest) = arguments.split_at_checked(word.len())?;
        if !head.eq_ignore_ascii_case(word) {
            return None;
        }
        let rest = rest.strip_prefix(b":")?.trim_ascii();
        if rest.is_empty() {
            return None;
        }
        let (path, parameters) = rest.split_at(word_end(rest));
        Some(PathArgument { path, parameters: parameters.trim_ascii_start() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn verbs_in_any_case() {
        assert_eq!(Verb::parse(b"mAiL"), Verb::Mail);
        assert_eq!(Verb::parse(b"MAILX"), Verb::Unknown);
        assert_eq!(split(b"  noop  with words \r\n"), (&b"noop"[..], &b"with words"[..]));
        assert_eq!(split(b""), (&b""[..], &b""[..]));
    }

    #[test]
    fn headers_are_told_from_commands() {
        for (line, expected) in [
            ("Host:", true),
            ("X-Y:z", true),
            ("Host\t:", true),
            ("Host\r:", false),
            ("Host", false),
            (":", false),
            ("\t:", false),
            ("a\tb:", false),
            ("\x01:", false),
            ("", false),
        ] {
            assert_eq!(is_header(line.as_bytes()), expected, "{line}");
        }
    }

    #[test]
    fn arguments_of_mail() {
        for (text, expected, why) in [
            ("FROM:<a@b> SIZE=1 X", Some(("<a@b>", "SIZE=1 X")), "the plain case"),
            ("from:a@b size=10", Some(("a@b", "size=10")), "no brackets"),
            ("From: <a b@c>  X", Some(("<a b@c>", "X")), "white space, and white space inside"),
            ("FROM : <a@b>", None, "white space before the colon"),
            ("FROM:<\"a> b\"@c> X", Some(("<\"a> b\"@c>", "X")), "a quoted bracket does not close"),
            ("FROM:<a@b>X", Some(("<a@b>X", "")), "for the address parser to refuse"),
            ("FROM:\"a b\"@c X", Some(("\"a b\"@c", "X")), "quoted white space"),
            ("FROM:<a@b", Some(("<a@b", "")), "left to the address parser"),
            ("FROM:", None, "no address"),
            ("FROM <a@b>", None, "no colon"),
            ("TO:<a@b>", None, "the wrong word"),
            ("FR", None, "too short"),
            ("", None, "nothing"),
        ] {
            let expected = expected.map(|(path, parameters): (&str, &str)| PathArgument {
                path: path.as_bytes(),
                parameters: parameters.as_bytes(),
            });
            assert_eq!(PathArgument::of_mail(text.as_bytes()), expected, "{why}: {text}");
        }
    }

    proptest! {
        #[test]
        fn any_line_is_taken(line: Vec<u8>) {
            let (word, rest) = split(&line);
            let _ = Verb::parse(word);
            let _ = PathArgument::of_mail(rest);
            let total: usize = words(rest).map(<[u8]>::len).sum();
            prop_assert!(total <= rest.len());
        }
    }
}
