//! LDAP URLs, as servers are named and as values of entries refer to others. See RFC 4516.

use super::message::Scope;
use crate::percent;

/// `scheme://place/base?attributes?scope?filter`, with `%XX` undone.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Url {
    pub(super) scheme: String,
    pub(super) place: String,
    pub(super) base: String,
    pub(super) attributes: Vec<String>,
    pub(super) scope: Scope,
    pub(super) filter: String,
}

impl Url {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (scheme, rest) = text.split_once("://")?;
        let scheme = scheme.to_ascii_lowercase();
        if !["ldap", "ldaps", "ldapi"].contains(&scheme.as_str()) {
            return None;
        }
        let (place, rest) = rest.split_once('/').unwrap_or((rest, ""));
        let mut parts = rest.split('?');
        let mut next = || decoded(parts.next().unwrap_or_default());
        let (base, attributes, scope, filter) = (next()?, next()?, next()?, next()?);
        let scope = match scope.to_ascii_lowercase().as_str() {
            "" | "base" => Scope::Base,
            "one" | "onelevel" => Scope::One,
            "sub" | "subtree" => Scope::Subtree,
            _ => return None,
        };
        let attributes = attributes.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect();
        let filter = if filter.is_empty() { "(objectclass=*)".to_owned() } else { filter };
        Some(Self { scheme, place: decoded(place)?, base, attributes, scope, filter })
    }
}

fn decoded(text: &str) -> Option<String> {
    String::from_utf8(percent::decoded(text.as_bytes())?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn urls_are_taken_apart() {
        let url = Url::parse("LDAP://h:7/dc=a%20b?mail,cn?sub?(cn=%28x)").unwrap();
        assert_eq!((url.scheme.as_str(), url.place.as_str(), url.base.as_str()), ("ldap", "h:7", "dc=a b"));
        assert_eq!((url.attributes.len(), url.scope, url.filter.as_str()), (2, Scope::Subtree, "(cn=(x)"));
        let url = Url::parse("ldapi://%2frun%2fslapd").unwrap();
        assert_eq!((url.place.as_str(), url.scope), ("/run/slapd", Scope::Base));
        assert_eq!(Url::parse("cn=x"), None);
        assert_eq!(Url::parse("ldap:///x?a?deep"), None);
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in "ldap://[a-z%0-9/?=,é]{0,30}") {
            let _ = Url::parse(&text);
        }
    }
}
