//! `pcre:path`: Perl-compatible regular expressions in order, the first match counts.

use engine::pcre;

use crate::pattern_rules::{self, Engine, Flags, Groups, Span, Subject, Syntax};
use crate::{Environment, Error, Table};

pub(crate) fn open(name: &str, environment: &Environment) -> Result<Box<dyn Table>, Error> {
    pattern_rules::open::<pcre::Regex>(name, environment)
}

/// Each letter, and what it turns around.
const FLAGS: &[(u8, pcre::Flags)] = &[
    (b'i', pcre::Flags::CASELESS),
    (b'm', pcre::Flags::MULTILINE),
    (b's', pcre::Flags::DOTALL),
    (b'x', pcre::Flags::EXTENDED),
    (b'A', pcre::Flags::ANCHORED),
    (b'E', pcre::Flags::DOLLAR_ENDONLY),
    (b'U', pcre::Flags::UNGREEDY),
];

impl Engine for pcre::Regex {
    const KIND: &'static str = "pcre";
    const OUT_OF_RANGE: &'static str = "out of range";
    // For PCRE before version 2, which is as strict by itself.
    const OBSOLETE: &'static [u8] = b"X";
    const UNCLOSED: &'static str = "ignoring this rule";

    fn compile(pattern: &[u8], flags: &Flags, _: Groups) -> Result<Self, String> {
        let usual = pcre::Flags::CASELESS.and(pcre::Flags::DOTALL);
        let given = FLAGS.iter().filter(|(letter, _)| flags.has(*letter));
        let flags = given.fold(usual, |flags, (_, flag)| flags.toggled(*flag));
        Self::new(pattern, flags)
            .map_err(|mistake| format!("error in regex at offset {}: {}", mistake.offset, mistake.text))
    }

    fn syntax(flags: &Flags) -> Option<Syntax> {
        (!flags.has(b'x')).then_some(Syntax::Perl)
    }

    fn knows(flag: u8) -> bool {
        Self::OBSOLETE.contains(&flag) || FLAGS.iter().any(|(letter, _)| *letter == flag)
    }

    fn groups(&self) -> usize {
        Self::groups(self)
    }

    fn matches(&self, subject: &Subject<'_>, spans: &mut [Span]) -> Result<bool, String> {
        Self::matches(self, subject.bytes, spans)
    }
}
