//! Which bytes a value may bring into a reply: `smtpd_expansion_filter` and its kin.

use std::borrow::Cow;

use crate::value::unescaped;

/// A set of bytes, as such a parameter has them.
#[derive(Debug, Clone)]
pub struct ExpansionFilter([bool; 256]);

impl ExpansionFilter {
    /// The bytes that a text with C escapes stands for.
    #[must_use]
    pub fn parse(text: &str) -> ExpansionFilter {
        let mut kept = [false; 256];
        for byte in unescaped(text) {
            if let Some(entry) = kept.get_mut(usize::from(byte)) {
                *entry = true;
            }
        }
        ExpansionFilter(kept)
    }

    /// A value; other bytes become underscores.
    #[must_use]
    pub fn apply<'v>(&self, value: Cow<'v, str>) -> Cow<'v, str> {
        let keeps = |byte: u8| self.0.get(usize::from(byte)).is_some_and(|kept| *kept);
        if value.bytes().all(keeps) {
            return value;
        }
        let kept: Vec<u8> = value.bytes().map(|byte| if keeps(byte) { byte } else { b'_' }).collect();
        Cow::Owned(String::from_utf8_lossy(&kept).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_keep_what_the_filter_has() {
        let filter = ExpansionFilter::parse("ab\\40\\t\\\\]");
        assert_eq!(filter.apply("a b\t\\]".into()), "a b\t\\]");
        assert_eq!(filter.apply("c a$40\u{e9}".into()), "_ a_____");
        let source = crate::Source::parse(std::path::Path::new("/nonexistent"), "").unwrap();
        let access: crate::params::SmtpdAccess = source.get().unwrap();
        let printable: String = (b' '..0x7f).map(char::from).collect();
        assert_eq!(ExpansionFilter::parse(&access.smtpd_expansion_filter).apply(printable.as_str().into()), printable);
    }
}
