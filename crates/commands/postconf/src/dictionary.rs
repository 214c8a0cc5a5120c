//! Tables of values whose settings are parameters of main.cf, or of a file of their own.

use crate::screen::Screen;
use command::said;
use config::MainCf;
use config::value::{unbraced, words};
use std::path::Path;

/// A table that has settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Dictionary {
    /// Its type.
    pub(crate) kind: String,
    /// Its file, or what its parameters begin with.
    pub(crate) name: String,
}

/// The tables with settings that a value names, also within other tables.
pub(crate) fn dictionaries(value: &str) -> Vec<Dictionary> {
    let mut found = Vec::new();
    for word in words(value) {
        let mut word = word.as_str();
        while let Some(("proxy" | "debug", rest)) = word.split_once(':') {
            word = rest;
        }
        let inner = unbraced(word);
        match (inner, word.split_once(':')) {
            (Some(inner), _) => found.extend(dictionaries(inner)),
            (None, Some((_, name))) if name.starts_with('{') => {
                found.extend(dictionaries(unbraced(name).unwrap_or_default()));
            }
            (None, Some((kind, name))) if !name.is_empty() => {
                found.push(Dictionary { kind: kind.to_owned(), name: name.to_owned() });
            }
            (None, _) => {}
        }
    }
    found.retain(|table| table.settings().next().is_some());
    found
}

impl Dictionary {
    /// The names of the settings that its type has; none where the type has none.
    pub(crate) fn settings(&self) -> impl Iterator<Item = &'static str> {
        let names = match self.kind.as_str() {
            "ldap" => LDAP,
            "mysql" | "pgsql" => SQL,
            "sqlite" => "dbpath domain expansion_limit query result_format",
            "memcache" => MEMCACHE,
            "redis" => REDIS,
            "mongodb" => MONGODB,
            _ => "",
        };
        names.split_ascii_whitespace()
    }

    /// Warns of a file of settings that cannot be read, or that sets what the type does not have.
    pub(crate) fn warn_of_file(&self, screen: &mut Screen) {
        let (kind, name) = (&self.kind, &self.name);
        let file = match std::fs::read(name) {
            Ok(bytes) => MainCf::parse(Path::new(name), &String::from_utf8_lossy(&bytes)),
            Err(error) => {
                return screen.warn(&format!("open \"{kind}\" configuration \"{name}\": {}", said(&error)));
            }
        };
        let file = match file {
            Ok(file) => file,
            Err(error) => return screen.warn(&error.to_string()),
        };
        let mut names: Vec<&str> = file.names().filter(|name| !self.settings().any(|known| known == *name)).collect();
        names.sort_unstable();
        for unknown in names {
            let value = file.get(unknown).map_or("", |entry| entry.value.as_str());
            screen.warn(&format!("{kind}:{name}: unused parameter: {unknown}={value}"));
        }
    }
}

const LDAP: &str = "bind bind_dn bind_pw cache cache_expiry cache_size chase_referrals debuglevel \
    dereference domain expansion_limit leaf_result_attribute query_filter recursion_limit \
    result_attribute result_filter result_format sasl_authz_id sasl_mechs sasl_minssf sasl_realm scope \
    search_base server_host server_port size_limit special_result_attribute start_tls \
    terminal_result_attribute timeout tls_ca_cert_dir tls_ca_cert_file tls_cert tls_cipher_suite \
    tls_key tls_random_file tls_require_cert version";
const SQL: &str = "additional_conditions charset dbname domain encoding expansion_limit hosts \
    idle_interval option_file option_group password query require_result_set result_format \
    retry_interval select_field select_function table tls_CAfile tls_CApath tls_cert_file tls_ciphers \
    tls_key_file tls_verify_cert user where_field";
const REDIS: &str = "dbname domain expansion_limit hosts idle_interval password query result_format retry_interval \
    tls tls_CAfile tls_CApath tls_cert_file tls_key_file tls_verify_cert user";
const MEMCACHE: &str = "backup data_size_limit domain flags key_format line_size_limit max_try memcache \
    retry_pause timeout ttl";
const MONGODB: &str = "collection dbname domain expansion_limit projection query_filter result_attribute \
    result_format uri";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_found_within_others() {
        let value = "hash:/x ldap:a, proxy:pgsql:b pipemap:{mysql:c,sqlite:/d}, unionmap:{ {memcache:e} static:{f} }";
        let found: Vec<String> = dictionaries(value).iter().map(|t| format!("{}:{}", t.kind, t.name)).collect();
        assert_eq!(found, ["ldap:a", "pgsql:b", "mysql:c", "sqlite:/d", "memcache:e"]);
    }
}
