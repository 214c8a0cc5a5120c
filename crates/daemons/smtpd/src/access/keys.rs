//! The keys under which names and addresses are looked up in access tables: the whole first, then its parents.

use std::net::IpAddr;

use table::{Error, Maps, Scope};

/// Whether `example.com` in an access table also stands for the hosts below it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Parents {
    /// As `example.com`.
    Plain,
    /// As `.example.com`.
    Dotted,
}

/// A host name, then its parent domains.
pub(crate) async fn of_domain(maps: &Maps, name: &[u8], parents: Parents) -> Result<Option<Vec<u8>>, Error> {
    if let Some(found) = maps.lookup_in(name, Scope::All).await? {
        return Ok(Some(found));
    }
    // A number has no parents.
    if std::str::from_utf8(name).is_ok_and(|name| name.parse::<IpAddr>().is_ok()) {
        return Ok(None);
    }
    let mut rest = name;
    while let Some(dot) = memchr::memchr(b'.', rest.get(1..).unwrap_or_default()) {
        let (dotted, plain) = (rest.get(dot + 1..).unwrap_or_default(), rest.get(dot + 2..).unwrap_or_default());
        let key = if parents == Parents::Plain { plain } else { dotted };
        if let Some(found) = maps.lookup_in(key, Scope::Fixed).await? {
            return Ok(Some(found));
        }
        rest = dotted;
    }
    Ok(None)
}

/// An IP address, then the networks around it: `192.0.2.1`, `192.0.2`, `192.0`, `192`; `2001:db8::1`, `2001:db8:`, `2001:db8`, `2001`.
pub(crate) async fn of_address(maps: &Maps, address: &str) -> Result<Option<Vec<u8>>, Error> {
    if let Some(found) = maps.lookup_in(address.as_bytes(), Scope::All).await? {
        return Ok(Some(found));
    }
    let separator = if address.contains(':') { ':' } else { '.' };
    let mut rest = address;
    while let Some((network, _)) = rest.rsplit_once(separator) {
        rest = network;
        if let Some(found) = maps.lookup_in(rest.as_bytes(), Scope::Fixed).await? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use table::Environment;

    #[test]
    fn the_whole_comes_before_its_parents() {
        let maps = Maps::open(
            "test",
            &["inline:{a.b.test=1,b.test=2,.c.test=3,192.0.2=4,2001:db8=5,2.7=6,fd00:1:=7,fd00=8}"],
            &Environment::default(),
        );
        for (name, plain, dotted) in [
            ("a.b.test", "1", "1"),
            ("x.b.test", "2", ""),
            ("x.y.b.test", "2", ""),
            ("x.c.test", "", "3"),
            ("c.test", "", ""),
            ("a.b.test.", "", ""),
            ("x.2.7", "6", ""),
            ("192.0.2.7", "", ""),
            (".", "", ""),
        ] {
            for (parents, expected) in [(Parents::Plain, plain), (Parents::Dotted, dotted)] {
                let found = table::block_on(of_domain(&maps, name.as_bytes(), parents)).unwrap().unwrap_or_default();
                assert_eq!(found, expected.as_bytes(), "{name} {parents:?}");
            }
        }
        for (address, expected) in
            [("192.0.2.7", "4"), ("192.0.3.7", ""), ("2001:db8::1", "5"), ("fd00:1::2", "7"), ("fd00:1:2::3", "8")]
        {
            assert_eq!(
                table::block_on(of_address(&maps, address)).unwrap().unwrap_or_default(),
                expected.as_bytes(),
                "{address}"
            );
        }
    }
}
