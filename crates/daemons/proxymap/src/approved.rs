//! Which tables may be asked for: those that `proxy_read_maps` or `proxy_write_maps` names with `proxy:`.

use std::collections::HashSet;

const PROXY: &str = "proxy:";

/// The tables, as `type:name`.
#[derive(Debug, Default)]
pub(crate) struct Approved(HashSet<String>);

impl Approved {
    /// Reads a list of parameter values: restrictions, tables, anything; only what starts with `proxy:` counts.
    pub(crate) fn read<S: AsRef<str>>(values: &[S]) -> Self {
        let items = values.iter().flat_map(|value| table::split::items(value.as_ref(), table::split::SEPARATORS));
        let names = items.filter_map(|item| item.strip_prefix(PROXY)).map(|name| name.trim_start_matches(PROXY));
        Self(names.filter(|name| name.contains(':')).map(str::to_owned).collect())
    }

    pub(crate) fn has(&self, table: &str) -> bool {
        self.0.contains(table)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_proxied_tables_are_approved() {
        let approved = Approved::read(&[
            "proxy:unix:passwd.byname hash:/etc/x",
            "permit check_client_access proxy:cidr:/etc/y, reject",
            "proxy:proxy:lmdb:/etc/z",
            "proxy:inline:{a=b, c=d}",
            "proxy:broken",
        ]);
        for (table, expected) in [
            ("unix:passwd.byname", true),
            ("cidr:/etc/y", true),
            ("lmdb:/etc/z", true),
            ("inline:{a=b, c=d}", true),
            ("hash:/etc/x", false),
            ("broken", false),
        ] {
            assert_eq!(approved.has(table), expected, "{table}");
        }
    }
}
