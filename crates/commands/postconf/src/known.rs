//! Which parameters there are: built-in ones, those named after services, and those of the administrator.
//!
//! A name of the administrator's is known when a parameter that counts refers to it, directly or through others. What is
//! set but not known does nothing, and is probably a mistake.

use crate::deprecated::alternative;
use crate::screen::Screen;
use crate::service::Service;
use config::params::{TransportLimits, TransportTime};
use config::value::words;
use config::{Group, Row, Source, Standing, references};
use std::collections::{BTreeMap, BTreeSet};

/// Where the name of a parameter comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    Builtin,
    Service,
    User,
}

/// All known parameters of a configuration.
#[derive(Debug)]
pub(crate) struct Known<'s> {
    source: &'s Source,
    services: &'s [Service],
    names: BTreeMap<String, (Class, &'static str)>,
    undefined: Vec<String>,
    used_by_main: BTreeSet<String>,
}

impl<'s> Known<'s> {
    /// The built-in parameters, and those named after delivery agents and the like.
    pub(crate) fn new(source: &'s Source, services: &'s [Service]) -> Self {
        let mut names = BTreeMap::new();
        for row in config::params::all() {
            if row.standing != Standing::Hidden || source.set(row.name).is_some() {
                names.insert(row.name.to_owned(), (Class::Builtin, row.default));
            }
        }
        for service in services.iter().filter(|service| service.kind() == "unix") {
            for row in families(service.program()) {
                let name = row.name.replacen("transport", service.name(), 1);
                let entry = names.entry(name).or_insert((Class::Service, row.default));
                entry.0 = Class::Service;
            }
        }
        Self { source, services, names, undefined: Vec::new(), used_by_main: BTreeSet::new() }
    }

    /// Adds the names of the administrator's that count.
    pub(crate) fn add_user_names(&mut self, screen: &mut Screen) {
        for service in self.services {
            self.add_from_service(service, screen);
        }
        let set: Vec<String> = self.names.keys().filter(|name| self.source.set(name).is_some()).cloned().collect();
        for name in set {
            let value = self.source.set(&name).unwrap_or_default().to_owned();
            self.add_from_value(&value, "main.cf", &BTreeMap::new(), screen);
        }
        let classes = self.source.expanded("smtpd_restriction_classes").ok().flatten();
        self.add_classes(&classes.unwrap_or_default(), screen);
    }

    fn add_from_service(&mut self, service: &Service, screen: &mut Screen) {
        let own: BTreeMap<String, String> = service.parameters().into_iter().collect();
        for (name, value) in &own {
            self.add_from_value(value, "master.cf", &own, screen);
            if name == "smtpd_restriction_classes" {
                self.add_classes(value, screen);
            }
        }
    }

    /// Names of restriction classes are parameters.
    fn add_classes(&mut self, classes: &str, screen: &mut Screen) {
        for class in words(classes) {
            self.add(&class, screen);
        }
    }

    /// Adds the names that a value refers to.
    fn add_from_value(&mut self, value: &str, file: &str, own: &BTreeMap<String, String>, screen: &mut Screen) {
        let found = references(value).unwrap_or_else(|failure| {
            screen.warn(&failure.to_string());
            Vec::new()
        });
        for name in found {
            self.used_by_main.insert(name.clone());
            if self.names.contains_key(&name) || own.contains_key(&name) {
                continue;
            }
            if self.source.set(&name).is_some() {
                self.add(&name, screen);
            } else if !self.is_obsolete(&name) && !self.is_set_by_service(&name) {
                let path = self.source.directory().join(file);
                let warning = format!("{}: undefined parameter: {name}", path.display());
                if !self.undefined.contains(&warning) {
                    self.undefined.push(warning);
                }
            }
        }
        self.add_from_tables(value);
    }

    /// A table of some types has its settings in main.cf, under names that begin with its own.
    fn add_from_tables(&mut self, value: &str) {
        for word in words(value) {
            let word = word.strip_prefix("proxy:").unwrap_or(&word);
            let Some((kind, name)) = word.split_once(':') else {
                continue;
            };
            if name.is_empty() || name.starts_with(['/', '.']) {
                continue;
            }
            for suffix in table_settings(kind) {
                let setting = format!("{name}_{suffix}");
                if self.source.set(&setting).is_some() {
                    self.names.entry(setting).or_insert((Class::User, ""));
                }
            }
        }
    }

    /// Adds a name that is set, and what it refers to.
    fn add(&mut self, name: &str, screen: &mut Screen) {
        let Some(value) = self.source.set(name) else {
            return;
        };
        if !self.names.contains_key(name) {
            self.names.insert(name.to_owned(), (Class::User, ""));
            self.add_from_value(value, "main.cf", &BTreeMap::new(), screen);
        }
    }

    fn is_obsolete(&self, name: &str) -> bool {
        self.source.row(name).is_some_and(|row| row.standing == Standing::Hidden)
    }

    fn is_set_by_service(&self, name: &str) -> bool {
        let sets = |service: &Service| service.parameters().iter().any(|(known, _)| known == name);
        self.services.iter().any(sets)
    }

    /// All names in order, with their class.
    pub(crate) fn names(&self) -> impl Iterator<Item = (&str, Class)> {
        self.names.iter().map(|(name, (class, _))| (name.as_str(), *class))
    }

    /// The value of a known parameter before expansion.
    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        let (class, default) = self.names.get(name)?;
        let known = match class {
            Class::Builtin => self.source.raw(name),
            Class::Service | Class::User => self.source.set(name),
        };
        Some(known.unwrap_or(default))
    }

    /// Warns of names that do not exist.
    pub(crate) fn warn_undefined(&self, screen: &mut Screen) {
        for warning in &self.undefined {
            screen.warn(warning);
        }
    }

    /// Warns of entries of main.cf that nothing uses, or that something else should be used for.
    pub(crate) fn warn_unused_in_main(&self, options: &[(String, String)], screen: &mut Screen) {
        let given = options.iter().map(|(name, _)| name.as_str());
        let names: BTreeSet<&str> = self.source.main_cf().names().chain(given).collect();
        let path = self.source.directory().join("main.cf");
        for name in names {
            if !self.names.contains_key(name) {
                let value = self.source.set(name).unwrap_or_default();
                screen.warn(&format!("{}: unused parameter: {name}={value}", path.display()));
            } else if let Some(alternative) = alternative(name) {
                screen.warn(&format!(
                    "{}: support for parameter \"{name}\" will be removed; instead, {alternative}",
                    path.display()
                ));
            }
        }
    }

    /// Warns of parameters of services that nothing uses.
    pub(crate) fn warn_unused_in_master(&self, screen: &mut Screen) {
        let path = self.source.directory().join("master.cf");
        for service in self.services {
            let own = service.parameters();
            let refers =
                |value: &str, name: &str| references(value).is_ok_and(|names| names.iter().any(|known| known == name));
            for (name, value) in &own {
                let used = self.names.contains_key(name)
                    || self.is_obsolete(name)
                    || self.used_by_main.contains(name)
                    || own.iter().any(|(_, value)| refers(value, name));
                if !used {
                    screen.warn(&format!("{}: unused parameter: {name}={value}", path.display()));
                }
            }
        }
    }
}

/// The rows of parameters that are named after a service of this program.
fn families(program: &str) -> Vec<&'static Row> {
    let mut rows = Vec::new();
    if ["error", "lmtp", "local", "pipe", "smtp", "virtual"].contains(&program) {
        rows.extend(TransportLimits::rows());
    }
    if ["pipe", "spawn"].contains(&program) {
        rows.extend(TransportTime::rows());
    }
    rows
}

/// The settings of tables of a type.
fn table_settings(kind: &str) -> impl Iterator<Item = &'static str> {
    let names = match kind {
        "ldap" => LDAP,
        "mysql" | "pgsql" => SQL,
        "sqlite" => "dbpath domain expansion_limit query result_format",
        "memcache" => MEMCACHE,
        _ => "",
    };
    names.split_ascii_whitespace()
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
const MEMCACHE: &str = "backup data_size_limit domain flags key_format line_size_limit max_try memcache \
    retry_pause timeout ttl";
