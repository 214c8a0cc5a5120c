//! EHLO words: what a server offers, what is hidden, and how a client reads the offer.

use std::fmt;

/// The extensions that may be offered, hidden, or used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum Keyword {
    /// RFC 2920.
    Pipelining = 1,
    /// RFC 1870.
    Size = 1 << 1,
    /// VRFY is there.
    Vrfy = 1 << 2,
    /// RFC 1985.
    Etrn = 1 << 3,
    /// RFC 3207.
    Starttls = 1 << 4,
    /// RFC 4954.
    Auth = 1 << 5,
    /// RFC 2034.
    EnhancedStatusCodes = 1 << 6,
    /// RFC 6152.
    EightBitMime = 1 << 7,
    /// RFC 3461.
    Dsn = 1 << 8,
    /// RFC 6531.
    SmtpUtf8 = 1 << 9,
    /// RFC 3030.
    Chunking = 1 << 10,
    /// RFC 3030.
    BinaryMime = 1 << 11,
    /// Postfix's way to pass client data through a proxy.
    Xclient = 1 << 12,
    /// Postfix's way to pass client data through a filter.
    Xforward = 1 << 13,
    /// RFC 8689.
    RequireTls = 1 << 14,
    /// RFC 9422.
    Limits = 1 << 15,
    /// Not a word of the protocol: hide others without logging it.
    SilentDiscard = 1 << 16,
}

impl Keyword {
    /// Every keyword.
    pub const ALL: [Keyword; 17] = [
        Keyword::SilentDiscard,
        Keyword::Pipelining,
        Keyword::Size,
        Keyword::Vrfy,
        Keyword::Etrn,
        Keyword::Starttls,
        Keyword::Auth,
        Keyword::EnhancedStatusCodes,
        Keyword::EightBitMime,
        Keyword::Dsn,
        Keyword::SmtpUtf8,
        Keyword::Chunking,
        Keyword::BinaryMime,
        Keyword::Xclient,
        Keyword::Xforward,
        Keyword::RequireTls,
        Keyword::Limits,
    ];

    /// The keyword that a word names, in any case.
    #[must_use]
    pub fn parse(word: &[u8]) -> Option<Keyword> {
        Keyword::ALL.into_iter().find(|keyword| word.eq_ignore_ascii_case(keyword.name().as_bytes()))
    }

    /// As it is written.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Keyword::Pipelining => "PIPELINING",
            Keyword::Size => "SIZE",
            Keyword::Vrfy => "VRFY",
            Keyword::Etrn => "ETRN",
            Keyword::Starttls => "STARTTLS",
            Keyword::Auth => "AUTH",
            Keyword::EnhancedStatusCodes => "ENHANCEDSTATUSCODES",
            Keyword::EightBitMime => "8BITMIME",
            Keyword::Dsn => "DSN",
            Keyword::SmtpUtf8 => "SMTPUTF8",
            Keyword::Chunking => "CHUNKING",
            Keyword::BinaryMime => "BINARYMIME",
            Keyword::Xclient => "XCLIENT",
            Keyword::Xforward => "XFORWARD",
            Keyword::RequireTls => "REQUIRETLS",
            Keyword::Limits => "LIMITS",
            Keyword::SilentDiscard => "SILENT-DISCARD",
        }
    }
}

/// Every keyword that a log line lists, in its order.
const LISTED: [Keyword; 16] = [
    Keyword::EightBitMime,
    Keyword::Auth,
    Keyword::Etrn,
    Keyword::Pipelining,
    Keyword::Size,
    Keyword::Vrfy,
    Keyword::Xclient,
    Keyword::Xforward,
    Keyword::Starttls,
    Keyword::EnhancedStatusCodes,
    Keyword::Dsn,
    Keyword::SmtpUtf8,
    Keyword::Chunking,
    Keyword::BinaryMime,
    Keyword::RequireTls,
    Keyword::Limits,
];

/// A set of keywords.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Keywords(u32);

impl Keywords {
    /// No keyword.
    pub const NONE: Keywords = Keywords(0);

    /// The keywords of a list such as `smtpd_discard_ehlo_keywords`, separated by commas or white space. What is none is
    /// passed over, and `unknown` is told of it.
    pub fn parse(list: &str, mut unknown: impl FnMut(&str)) -> Keywords {
        let mut keywords = Keywords::NONE;
        for word in list.split(|c: char| c == ',' || c.is_ascii_whitespace()).filter(|word| !word.is_empty()) {
            match Keyword::parse(word.as_bytes()) {
                Some(keyword) => keywords.insert(keyword),
                None => unknown(word),
            }
        }
        keywords
    }

    /// Adds one.
    pub const fn insert(&mut self, keyword: Keyword) {
        self.0 |= keyword as u32;
    }

    /// The set with one more.
    #[must_use]
    pub const fn with(self, keyword: Keyword) -> Keywords {
        Keywords(self.0 | keyword as u32)
    }

    /// Takes one out.
    pub const fn remove(&mut self, keyword: Keyword) {
        self.0 &= !(keyword as u32);
    }

    /// Whether it is there.
    #[must_use]
    pub const fn has(self, keyword: Keyword) -> bool {
        self.0 & keyword as u32 != 0
    }

    /// What both have.
    #[must_use]
    pub const fn and(self, other: Keywords) -> Keywords {
        Keywords(self.0 & other.0)
    }

    /// What this has and the other has not.
    #[must_use]
    pub const fn without(self, other: Keywords) -> Keywords {
        Keywords(self.0 & !other.0)
    }

    /// Whether it is empty.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Its keywords in the order of [`Keyword::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Keyword> {
        Keyword::ALL.into_iter().filter(move |keyword| self.has(*keyword))
    }
}

/// As `discarding EHLO keywords:` lists them: in Postfix's order, separated by a space.
impl fmt::Display for Keywords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for keyword in LISTED.into_iter().filter(|keyword| self.has(*keyword)) {
            write!(f, "{separator}{}", keyword.name())?;
            separator = " ";
        }
        Ok(())
    }
}

impl fmt::Debug for Keywords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

/// What a server offers to a client.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Offer {
    /// The extensions.
    pub keywords: Keywords,
    /// The limit of SIZE; `None` if not offered, 0 if without a limit.
    pub size: Option<u64>,
    /// The words of AUTH, in upper case; those of the old `AUTH=` form too.
    pub mechanisms: Vec<String>,
    /// The attributes of XFORWARD, in upper case.
    pub xforward: Vec<String>,
    /// The attributes of XCLIENT, in upper case.
    pub xclient: Vec<String>,
}

impl Offer {
    /// Reads the lines of a reply to EHLO, without codes; the first, the server's name, is passed over. What is in `hidden`
    /// (`smtp_discard_ehlo_keywords`) was not said. A size that is none leaves the one before it.
    pub fn parse<'a>(lines: impl Iterator<Item = &'a [u8]>, hidden: Keywords) -> Offer {
        let mut offer = Offer::default();
        for line in lines.skip(1) {
            let mut words =
                line.split(|byte| *byte == b' ' || *byte == b'\t' || *byte == b'=').filter(|word| !word.is_empty());
            let Some(keyword) = words.next().and_then(Keyword::parse).filter(|keyword| !hidden.has(*keyword)) else {
                continue;
            };
            offer.keywords.insert(keyword);
            let upper = |word: &[u8]| String::from_utf8_lossy(word).to_ascii_uppercase();
            match keyword {
                Keyword::Size => offer.size = words.next().and_then(crate::parameter::size).or(offer.size).or(Some(0)),
                Keyword::Auth => add_new(&mut offer.mechanisms, words.map(upper)),
                Keyword::Xforward => add_new(&mut offer.xforward, words.map(upper)),
                Keyword::Xclient => add_new(&mut offer.xclient, words.map(upper)),
                Keyword::Pipelining
                | Keyword::Vrfy
                | Keyword::Etrn
                | Keyword::Starttls
                | Keyword::EnhancedStatusCodes
                | Keyword::EightBitMime
                | Keyword::Dsn
                | Keyword::SmtpUtf8
                | Keyword::Chunking
                | Keyword::BinaryMime
                | Keyword::RequireTls
                | Keyword::Limits
                | Keyword::SilentDiscard => {}
            }
        }
        offer
    }

    /// Whether this is offered.
    #[must_use]
    pub const fn has(&self, keyword: Keyword) -> bool {
        self.keywords.has(keyword)
    }
}

fn add_new(list: &mut Vec<String>, words: impl Iterator<Item = String>) {
    for word in words {
        if !list.contains(&word) {
            list.push(word);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_keywords() {
        let mut unknown = Vec::new();
        let keywords = Keywords::parse("silent-discard, foo dsn,etrn,Bar", |word| unknown.push(word.to_owned()));
        assert_eq!(unknown, ["foo", "Bar"]);
        assert!(keywords.has(Keyword::SilentDiscard) && keywords.has(Keyword::Dsn) && !keywords.has(Keyword::Size));
        let several = Keywords::parse("chunking pipelining size silent-discard vrfy 8bitmime", |_| ());
        assert_eq!(several.to_string(), "8BITMIME PIPELINING SIZE VRFY CHUNKING");
        for keyword in Keyword::ALL {
            assert_eq!(Keyword::parse(keyword.name().to_lowercase().as_bytes()), Some(keyword));
        }
    }

    #[test]
    fn offers_are_read() {
        let lines =
            [&b"mx.test Hello"[..], b"pipelining", b"SIZE 1000", b"AUTH=PLAIN", b"AUTH plain LOGIN", b"DSN", b"X-Own"];
        let offer = Offer::parse(lines.into_iter(), Keywords::NONE.with(Keyword::Dsn));
        assert!(offer.has(Keyword::Pipelining) && !offer.has(Keyword::Dsn));
        assert_eq!(offer.size, Some(1000));
        assert_eq!(offer.mechanisms, ["PLAIN", "LOGIN"]);
        for (sizes, limit) in [(["SIZE 300", "SIZE -5"], 300), (["size=300", "SIZE"], 300), (["SIZE", "SIZE 7"], 7)] {
            let lines = ["mx.test", sizes[0], sizes[1]].map(str::as_bytes);
            assert_eq!(Offer::parse(lines.into_iter(), Keywords::NONE).size, Some(limit), "{sizes:?}");
        }
    }
}
