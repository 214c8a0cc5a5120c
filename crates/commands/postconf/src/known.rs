//! Which parameters there are: built-in ones, those named after services, and those of the administrator.
//!
//! A name of the administrator's is known when a parameter that counts refers to it, directly or through others. What is
//! set but not known does nothing, and is probably a mistake.

use crate::deprecated::alternative;
use crate::dictionary::dictionaries;
use crate::screen::Screen;
use crate::service::{Pattern, Service, brace_problem};
use config::params::{TransportLimits, TransportTime};
use config::value::words;
use config::{Group, Kind, Row, Source, Standing, references};
use std::collections::{BTreeMap, BTreeSet};

/// What only a program knows of itself.
pub(crate) const READ_ONLY: [&str; 3] = ["process_id", "process_name", "service_name"];

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
    is_malformed: bool,
}

impl<'s> Known<'s> {
    /// The built-in parameters, and those named after delivery agents and the like.
    pub(crate) fn new(source: &'s Source, services: &'s [Service]) -> Self {
        let mut names = BTreeMap::new();
        for row in config::params::all().filter(|row| row.standing != Standing::Hidden) {
            names.insert(row.name.to_owned(), (Class::Builtin, row.default));
        }
        for service in services {
            for row in families(service.program()) {
                let name = row.name.replacen("transport", service.name(), 1);
                let entry = names.entry(name).or_insert((Class::Service, row.default));
                entry.0 = Class::Service;
            }
        }
        let (undefined, used_by_main) = (Vec::new(), BTreeSet::new());
        Self { source, services, names, undefined, used_by_main, is_malformed: false }
    }

    /// Adds the names of the administrator's that count.
    pub(crate) fn add_user_names(&mut self, screen: &mut Screen) {
        for service in self.services {
            self.add_from_service(service, screen);
        }
        let set: Vec<String> = self.names.keys().filter(|name| self.source.set(name).is_some()).cloned().collect();
        for name in set {
            let value = self.source.set(&name).unwrap_or_default().to_owned();
            self.warn_of_shape(&value, screen);
            self.check(&name, &value, self.source, screen);
            if !self.is_raw(&name) {
                self.add_from_value(&value, "main.cf", &BTreeMap::new(), screen);
            }
        }
        // A value counts for what it refers to even where nothing refers to it.
        for name in self.source.main_cf().names() {
            if !self.names.contains_key(name) {
                self.add_references(self.source.set(name).unwrap_or_default(), "main.cf", &BTreeMap::new(), screen);
            }
        }
        self.add_former_names(screen);
        let classes = self.source.expanded("smtpd_restriction_classes").ok().flatten();
        self.add_classes(&classes.unwrap_or_default(), screen);
    }

    /// A former name counts where it is part of the default of the name that replaced it.
    fn add_former_names(&mut self, screen: &mut Screen) {
        let hidden = |name: &str| self.source.row(name).is_some_and(|row| row.standing == Standing::Hidden);
        let by_service = |service: &Service| service.parameters().iter().any(|(name, _)| hidden(name));
        if self.source.main_cf().names().any(hidden) || self.services.iter().any(by_service) {
            for row in config::params::all().filter(|row| row.default.contains('$')) {
                for name in references(row.default).unwrap_or_default() {
                    self.add(&name, screen);
                    self.used_by_main.insert(name);
                }
            }
        }
    }

    /// Whether a value names things that are known only when a daemon uses it, such as `$EXTENSION`.
    fn is_raw(&self, name: &str) -> bool {
        self.source.row(name).is_some_and(|row| row.kind == Kind::Raw)
    }

    /// Finds out whether the value of a parameter can be expanded. One that cannot ends the command.
    fn check(&mut self, name: &str, value: &str, source: &Source, screen: &mut Screen) {
        if self.is_raw(name) {
            return;
        }
        if let Err(failure) = source.expand(value) {
            screen.warn(&failure.to_string());
            self.is_malformed = true;
        }
    }

    /// Warns of comments behind a value, and of braces that do not match.
    fn warn_of_shape(&self, value: &str, screen: &mut Screen) {
        let path = self.source.directory().join("main.cf");
        let is_separator = |c: char| matches!(c, ' ' | '\t' | '\r' | '\n' | ',');
        for word in words(value) {
            if word.starts_with('#') {
                let rest = value.split_once(&word).map_or("", |(_, rest)| rest);
                let rest: String = rest.trim_start_matches(is_separator).chars().take(20).collect();
                let place = path.display();
                return screen.warn(&format!("{place}: #comment after other text is not allowed: {word} {rest}..."));
            }
            if let Some(problem) = brace_problem(brace_part(&word)) {
                screen.warn(&format!("main.cf: {problem} in \"{}\"", brace_part(&word)));
            }
        }
    }

    /// Whether a value cannot be expanded; the reason has been told.
    pub(crate) fn is_malformed(&self) -> bool {
        self.is_malformed
    }

    fn add_from_service(&mut self, service: &Service, screen: &mut Screen) {
        let own: BTreeMap<String, String> = service.parameters().into_iter().collect();
        if own.is_empty() {
            return;
        }
        let source = self.source.clone().with_overrides(&pairs(&own)).for_service(service.name());
        for (name, value) in &own {
            if self.names.contains_key(name) {
                self.check(name, value, &source, screen);
            }
            if !self.is_raw(name) {
                self.add_from_value(value, "master.cf", &own, screen);
            }
            if name == "smtpd_restriction_classes" {
                self.used_by_main.extend(words(value));
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

    /// Adds the names that a value refers to, and those that tables in it have.
    fn add_from_value(&mut self, value: &str, file: &str, own: &BTreeMap<String, String>, screen: &mut Screen) {
        self.add_references(value, file, own, screen);
        self.add_from_tables(value, own, screen);
    }

    /// Adds the names that a value refers to.
    fn add_references(&mut self, value: &str, file: &str, own: &BTreeMap<String, String>, screen: &mut Screen) {
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
    }

    /// A table of some types has its settings in main.cf, under names that begin with its own, or in a file.
    fn add_from_tables(&mut self, value: &str, own: &BTreeMap<String, String>, screen: &mut Screen) {
        if !value.contains([':', '$']) {
            return;
        }
        let value = match own.is_empty() {
            true => self.source.expand(value),
            false => self.source.clone().with_overrides(&pairs(own)).expand(value),
        };
        let value = value.unwrap_or_default();
        for table in dictionaries(&value) {
            if table.name.starts_with(['/', '.']) {
                table.warn_of_file(screen);
                continue;
            }
            for suffix in table.settings() {
                let setting = format!("{}_{suffix}", table.name);
                if own.contains_key(&setting) {
                    self.used_by_main.insert(setting);
                } else if self.source.set(&setting).is_some() {
                    self.add(&setting, screen);
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

    /// A service with those parameters that are asked for and that it leaves to main.cf.
    pub(crate) fn complete(&self, service: &Service, patterns: &[Pattern]) -> Service {
        let own = service.parameters();
        let mut service = service.clone();
        let wanted: Vec<_> = patterns.iter().filter(|pattern| service.matches(pattern)).collect();
        for name in self.names.keys().filter(|name| wanted.iter().any(|pattern| pattern.wants(name))) {
            if own.binary_search_by(|(known, _)| known.cmp(name)).is_err() {
                service.set_parameter(name, self.value(name).unwrap_or_default());
            }
        }
        service
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
            if READ_ONLY.contains(&name) {
                let value = self.source.set(name).unwrap_or_default();
                screen.warn(&format!("{}: read-only parameter assignment: {name}={value}", path.display()));
            } else if !self.names.contains_key(name) {
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

    /// Warns of parameters that are set and do nothing here.
    pub(crate) fn warn_inert(&self, screen: &mut Screen) {
        let path = self.source.directory().join("main.cf");
        for row in self.source.inert() {
            screen.warn(&format!("{}: parameter {} is accepted but has no effect", path.display(), row.name));
        }
        let of_services = self.services.iter().flat_map(Service::parameters).map(|(name, _)| name);
        let path = self.source.directory().join("master.cf");
        for name in of_services.collect::<BTreeSet<_>>() {
            if self.source.row(&name).is_some_and(|row| row.standing == Standing::Inert) {
                screen.warn(&format!("{}: parameter {name} is accepted but has no effect", path.display()));
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
                    || self.used_by_main.contains(name)
                    || own.iter().any(|(_, value)| refers(value, name));
                if READ_ONLY.contains(&name.as_str()) {
                    screen.warn(&format!("{}: read-only parameter assignment: {name}={value}", path.display()));
                } else if !used {
                    screen.warn(&format!("{}: unused parameter: {name}={value}", path.display()));
                }
            }
        }
    }
}

/// The rows of parameters that are named after a service of this program.
fn families(program: &str) -> Vec<Row> {
    let mut rows = Vec::new();
    if ["error", "lmtp", "local", "pipe", "smtp", "virtual"].contains(&program) {
        rows.extend(TransportLimits::rows());
    }
    if ["pipe", "spawn"].contains(&program) {
        rows.extend(TransportTime::rows());
    }
    rows
}

fn pairs(own: &BTreeMap<String, String>) -> Vec<(String, String)> {
    own.iter().map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// The part of a word that is in braces, if any is.
fn brace_part(word: &str) -> &str {
    match word.split_once(":{") {
        Some((kind, _)) if !kind.contains(['{', '$']) => word.get(kind.len() + 1..).unwrap_or_default(),
        _ => word,
    }
}
