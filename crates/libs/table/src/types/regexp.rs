//! `regexp:path`: POSIX regular expressions in order, the first match counts.

use std::ffi::CString;

use engine::posix;

use crate::pattern_rules::{self, Engine, Flags, Groups, Span, Subject, Syntax};
use crate::{Environment, Error, Table};

pub(crate) fn open(name: &str, environment: &Environment) -> Result<Box<dyn Table>, Error> {
    pattern_rules::open::<posix::Regex>(name, environment)
}

impl Engine for posix::Regex {
    const KIND: &'static str = "regexp";
    const OUT_OF_RANGE: &'static str = "out-of-range";
    const OBSOLETE: &'static [u8] = b"";
    const UNCLOSED: &'static str = "skipping this rule";
    const TWO_PATTERNS: bool = true;

    fn compile(pattern: &[u8], flags: &Flags, groups: Groups) -> Result<Self, String> {
        let pattern = CString::new(pattern).map_err(|_| "null byte in pattern".to_owned())?;
        let flags = posix::Flags {
            ignore_case: !flags.has(b'i'),
            extended: !flags.has(b'x'),
            newline: flags.has(b'm'),
            only_whether: groups == Groups::Unused,
        };
        Self::new(&pattern, flags)
    }

    fn syntax(flags: &Flags) -> Option<Syntax> {
        (!flags.has(b'x')).then_some(Syntax::Posix)
    }

    fn knows(flag: u8) -> bool {
        b"imx".contains(&flag)
    }

    fn groups(&self) -> usize {
        Self::groups(self)
    }

    fn matches(&self, subject: &Subject<'_>, spans: &mut [Span]) -> Result<bool, String> {
        Self::matches(self, subject.text(), spans)
    }
}
