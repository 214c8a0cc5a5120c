//! Looks up a recipient: with its extension, without it, then its domain.

use std::borrow::Cow;

use address::quote::quote_local;
use address::{Address, split_extension};
use table::{Maps, Scope};

/// The keys of a recipient in their order, and which tables each may be asked of. Tables of patterns only see whole addresses.
pub(crate) fn keys(recipient: &[u8], delimiters: &[u8]) -> Vec<(Vec<u8>, Scope)> {
    let folded = table::fold(recipient).into_owned();
    let address = Address::from(&folded[..]);
    let Some(domain) = address.domain() else { return vec![(folded, Scope::All)] };
    let mut keys = forms(address.local_part(), domain, Scope::All);
    let (user, extension) = split_extension(address.local_part(), delimiters);
    if extension.is_some() {
        keys.extend(forms(user, domain, Scope::Fixed));
    }
    keys.push(([b"@", domain].concat(), Scope::Fixed));
    keys
}

/// An address as it is written in mail, with quotes if its local part needs them, then without; patterns see the former only.
fn forms(local: &[u8], domain: &[u8], scope: Scope) -> Vec<(Vec<u8>, Scope)> {
    let key = |local: &[u8]| [local, b"@", domain].concat();
    match quote_local(local) {
        Cow::Owned(quoted) => vec![(key(&quoted), scope), (key(local), Scope::Fixed)],
        Cow::Borrowed(_) => vec![(key(local), scope)],
    }
}

/// The value for a recipient.
pub(crate) fn find(maps: &Maps, recipient: &[u8], delimiters: &[u8]) -> Result<Option<String>, table::Error> {
    for (key, scope) in keys(recipient, delimiters) {
        if let Some(found) = table::block_on(maps.lookup_in(&key, scope))? {
            return Ok(Some(String::from_utf8_lossy(&found).into_owned()));
        }
    }
    Ok(None)
}

/// The number of a user or group, behind which there may be a remark. None is root's.
pub(crate) fn number(text: &str) -> Option<u32> {
    text.split_whitespace().next()?.parse().ok().filter(|number| *number > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_may_have_a_remark() {
        for (text, expected) in [
            ("1001", Some(1001)),
            (" 1001\t# box", Some(1001)),
            ("0", None),
            ("-5", None),
            ("1e3", None),
            ("1001x", None),
            ("4294967296", None),
            (" ", None),
        ] {
            assert_eq!(number(text), expected, "{text}");
        }
    }

    #[test]
    fn the_most_exact_key_comes_first() {
        for (recipient, expected) in [
            ("A+Ext@Box.example", vec!["a+ext@box.example", "a@box.example", "@box.example"]),
            ("a@box.example", vec!["a@box.example", "@box.example"]),
            ("a", vec!["a"]),
            (
                "q R+x@box.example",
                vec![
                    "\"q r+x\"@box.example",
                    "q r+x@box.example",
                    "\"q r\"@box.example",
                    "q r@box.example",
                    "@box.example",
                ],
            ),
        ] {
            let found: Vec<_> =
                keys(recipient.as_bytes(), b"+").into_iter().map(|(key, _)| String::from_utf8(key).unwrap()).collect();
            assert_eq!(found, expected);
        }
    }
}
