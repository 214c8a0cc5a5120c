//! Where values come from: `-o` overrides, then main.cf, then the defaults.
//!
//! A source is an index of raw texts; a value is expanded and parsed when somebody asks for it. What only the host
//! knows (its name, its addresses) is asked when a default needs it, once.

use crate::error::Error;
use crate::expand::{Failure, Names, expand};
use crate::group::{Group, Problems};
use crate::host;
use crate::main_cf::MainCf;
use crate::networks::{Style, patterns};
use crate::params;
use crate::row::{Row, Standing};
use crate::row_index;
use crate::value::{Context, Value, words};
use std::borrow::Cow;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// The configuration directory when nothing else is said.
pub const CONFIG_DIRECTORY: &str = "/etc/postfix";

/// All that a program may ask about its configuration.
#[derive(Clone, Debug)]
pub struct Source {
    file: Arc<MainCf>,
    overrides: Vec<(String, String)>,
    facts: Facts,
    stress: Option<&'static str>,
    rename: Option<Rename>,
    memory: Arc<Memory>,
}

/// What the process knows about itself.
#[derive(Clone, Debug)]
struct Facts {
    directory: PathBuf,
    config_directory: String,
    process_name: String,
    process_id: String,
    service_name: String,
}

/// Reads the parameters of one prefix under another one.
#[derive(Clone, Debug)]
struct Rename {
    from: String,
    to: String,
}

/// What is found out once.
#[derive(Debug, Default)]
struct Memory {
    myhostname: OnceLock<String>,
    mydomain: OnceLock<String>,
    mynetworks: OnceLock<String>,
    myorigin: OnceLock<String>,
    interfaces: OnceLock<Vec<host::Interface>>,
    wildcards: OnceLock<(Vec<IpAddr>, Vec<IpAddr>)>,
    troubles: Mutex<Vec<String>>,
}

impl Source {
    /// Reads `main.cf` in the directory.
    ///
    /// # Errors
    /// When it cannot be read, or has a line that is no `name = value`.
    pub fn load(directory: &Path) -> Result<Self, Error> {
        let file = MainCf::read(&directory.join("main.cf"))?;
        Ok(Self::new(directory, file))
    }

    /// Parses a text as if it were the main.cf in the directory.
    ///
    /// # Errors
    /// When a line is no `name = value`.
    pub fn parse(directory: &Path, text: &str) -> Result<Self, Error> {
        let file = MainCf::parse(&directory.join("main.cf"), text)?;
        Ok(Self::new(directory, file))
    }

    fn new(directory: &Path, file: MainCf) -> Self {
        let program = std::env::args_os().next().unwrap_or_default();
        let program = Path::new(&program).file_name().unwrap_or_default();
        let facts = Facts {
            config_directory: directory.display().to_string(),
            directory: directory.to_owned(),
            process_name: program.to_string_lossy().into_owned(),
            process_id: std::process::id().to_string(),
            service_name: String::new(),
        };
        Self { file: Arc::new(file), overrides: Vec::new(), facts, stress: None, rename: None, memory: Arc::default() }
    }

    /// With `-o name=value` overrides, the last of a name being the strongest.
    #[must_use]
    pub fn with_overrides(mut self, overrides: &[(String, String)]) -> Self {
        self.overrides.extend_from_slice(overrides);
        self.forget()
    }

    /// As seen by a service of master.cf: its name is `$service_name`.
    #[must_use]
    pub fn for_service(mut self, name: &str) -> Self {
        name.clone_into(&mut self.facts.service_name);
        self.forget()
    }

    /// As seen by a program: its name is `$process_name`. The program `lmtp` reads the `smtp_` parameters under
    /// their `lmtp_` names.
    #[must_use]
    pub fn for_process(mut self, name: &str) -> Self {
        name.clone_into(&mut self.facts.process_name);
        self = self.forget();
        if name == "lmtp" { self.renamed("smtp_", "lmtp_") } else { self }
    }

    /// Reads the parameters that begin with `from` under names that begin with `to`, where such names exist.
    #[must_use]
    pub fn renamed(mut self, from: &str, to: &str) -> Self {
        self.rename = Some(Rename { from: from.to_owned(), to: to.to_owned() });
        self
    }

    /// As under stress, or as not.
    #[must_use]
    pub fn stress(mut self, stress: bool) -> Self {
        self.stress = Some(if stress { "yes" } else { "" });
        self.forget()
    }

    fn forget(mut self) -> Self {
        self.memory = Arc::default();
        self
    }

    /// The directory of main.cf.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.facts.directory
    }

    /// The entries of main.cf.
    #[must_use]
    pub fn main_cf(&self) -> &MainCf {
        &self.file
    }

    /// What is odd in main.cf but harmless.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        self.file.warnings()
    }

    /// The parameters of a group.
    ///
    /// # Errors
    /// All that is wrong with any of them.
    pub fn get<G: Group>(&self) -> Result<G, Problems> {
        let mut problems = Problems::default();
        let group = G::parse(self, &mut problems);
        problems.into_result().map(|()| group)
    }

    /// A family of parameters (rows named `transport_…`) for one transport.
    ///
    /// # Errors
    /// All that is wrong with any of them.
    pub fn transport<G: Group>(&self, transport: &str) -> Result<G, Problems> {
        self.clone().renamed("transport_", &format!("{transport}_")).get()
    }

    /// The text of a value before expansion; of a parameter that is not set, its default.
    #[must_use]
    pub fn raw(&self, name: &str) -> Option<&str> {
        self.fact(name).or_else(|| self.set(name)).or_else(|| self.default(name))
    }

    /// The text of a value that was set by an override or in main.cf, before expansion.
    #[must_use]
    pub fn set(&self, name: &str) -> Option<&str> {
        if let Some((_, value)) = self.overrides.iter().rev().find(|(known, _)| known == name) {
            return Some(value);
        }
        self.file.get(name).map(|entry| entry.value.as_str())
    }

    /// The default of a parameter before expansion, host facts included.
    #[must_use]
    pub fn default(&self, name: &str) -> Option<&str> {
        let row = self.row(name)?;
        match name {
            _ if row.standing == Standing::Hidden => None,
            "myhostname" => Some(self.myhostname()),
            "mydomain" => Some(self.mydomain()),
            "mynetworks" => Some(self.mynetworks()),
            _ => Some(row.default),
        }
    }

    /// The expanded text of a value, if there is a parameter of this name.
    ///
    /// # Errors
    /// When an expression in it is malformed.
    pub fn expanded(&self, name: &str) -> Result<Option<String>, Failure> {
        self.raw(name).map(|raw| self.expand(raw)).transpose()
    }

    /// Expands a text that may refer to parameters.
    ///
    /// # Errors
    /// When an expression in it is malformed.
    pub fn expand(&self, text: &str) -> Result<String, Failure> {
        expand(text, &|name: &str| self.raw(name).map(|raw| Cow::Borrowed(self.in_use(name, raw))))
    }

    /// What programs use in place of a value: `myorigin` may name a file whose first line it is.
    fn in_use<'s>(&'s self, name: &str, raw: &'s str) -> &'s str {
        if name != "myorigin" || !raw.starts_with('/') {
            return raw;
        }
        self.memory.myorigin.get_or_init(|| {
            let text = std::fs::read_to_string(raw.trim()).unwrap_or_default();
            text.lines().next().unwrap_or_default().trim().to_owned()
        })
    }

    /// Notes that something the configuration names cannot be used; the same words count once.
    pub fn note_trouble(&self, reason: &str) {
        let mut troubles = self.memory.troubles.lock().unwrap_or_else(PoisonError::into_inner);
        if !troubles.iter().any(|known| known == reason) {
            troubles.push(reason.to_owned());
        }
    }

    /// What cannot be used, in the order in which it was noted.
    #[must_use]
    pub fn troubles(&self) -> Vec<String> {
        self.memory.troubles.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The parameters that are set and have no effect here.
    #[must_use]
    pub fn inert(&self) -> Vec<Row> {
        let inert = params::all().filter(|row| row.standing == Standing::Inert);
        inert.filter(|row| self.set(row.name).is_some()).collect()
    }

    /// The row of this name.
    #[must_use]
    pub fn row(&self, name: &str) -> Option<Row> {
        row_index::find(name)
    }

    /// One value, for the structs that `params!` makes.
    #[doc(hidden)]
    pub fn field<V: Value>(&self, row: Option<Row>, problems: &mut Problems) -> V::Out {
        let Some(row) = row else {
            return V::Out::default();
        };
        let name = self.renamed_name(row.name);
        let fallback = || match self.row(&name) {
            Some(own) if own.name != row.name => self.default(own.name).unwrap_or(own.default),
            _ => self.default(row.name).unwrap_or(row.default),
        };
        let raw = self.fact(&name).or_else(|| self.set(&name)).unwrap_or_else(fallback);
        let raw = self.in_use(&name, raw);
        let text = match V::EXPANDED && raw.contains('$') {
            true => self.expand(raw).map(Cow::Owned),
            false => Ok(Cow::Borrowed(raw)),
        };
        let default = || self.expand(fallback()).unwrap_or_default();
        let file = self.facts.directory.join("main.cf");
        let context = Context { row: &row, name: &name, file: &file, default: &default };
        let value =
            text.map_err(|failure| format!("parameter {name}: {failure}")).and_then(|text| V::parse(&text, &context));
        value.unwrap_or_else(|text| {
            problems.push(&name, text);
            V::Out::default()
        })
    }

    /// The name under which a row is looked up here.
    fn renamed_name<'r>(&self, name: &'r str) -> Cow<'r, str> {
        let Some(Rename { from, to }) = &self.rename else {
            return Cow::Borrowed(name);
        };
        let Some(rest) = name.strip_prefix(from.as_str()) else {
            return Cow::Borrowed(name);
        };
        let renamed = match (to.as_str(), rest) {
            ("lmtp_", "helo_name" | "helo_timeout") => format!("lmtp_l{}", rest.replacen("he", "h", 1)),
            ("lmtp_", _) => format!("lmtp_{}", rest.replace("ehlo_keyword", "lhlo_keyword")),
            _ => format!("{to}{rest}"),
        };
        if from == "transport_" || self.row(&renamed).is_some() { Cow::Owned(renamed) } else { Cow::Borrowed(name) }
    }

    /// What nobody can set in a file.
    fn fact(&self, name: &str) -> Option<&str> {
        match name {
            "config_directory" => Some(&self.facts.config_directory),
            "process_name" => Some(&self.facts.process_name),
            "process_id" => Some(&self.facts.process_id),
            "service_name" => Some(&self.facts.service_name),
            "stress" => self.stress,
            _ => None,
        }
    }

    /// The addresses on which services without one of their own listen: those of `inet_interfaces`; with `all`, the
    /// wildcard of each protocol.
    #[must_use]
    pub fn listen_addresses(&self) -> Vec<IpAddr> {
        let names = self.expanded("inet_interfaces").ok().flatten().unwrap_or_default();
        if names.split([',', ' ', '\t']).any(|word| word.eq_ignore_ascii_case("all")) {
            return self.wildcards().0.clone();
        }
        self.served_addresses()
    }

    /// The addresses of this host, of the protocols in `inet_protocols`.
    fn interfaces(&self) -> &[host::Interface] {
        self.memory
            .interfaces
            .get_or_init(|| host::interfaces(&self.expanded("inet_protocols").ok().flatten().unwrap_or_default()))
    }

    /// The wildcard address of each protocol of `inet_protocols`: of those that the kernel knows, and of the others.
    #[must_use]
    pub fn wildcards(&self) -> &(Vec<IpAddr>, Vec<IpAddr>) {
        self.memory.wildcards.get_or_init(|| {
            let protocols = self.expanded("inet_protocols").ok().flatten().unwrap_or_default();
            host::wildcards(&protocols).into_iter().partition(host::is_supported)
        })
    }

    /// Checks that `inet_interfaces` names addresses of this host; names among them are looked up.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn check_interfaces(&self) -> Result<(), String> {
        let value = |name| self.expanded(name).ok().flatten().unwrap_or_default();
        let (names, protocols) = (value("inet_interfaces"), value("inet_protocols"));
        host::stray(self.interfaces(), &protocols, &names).map_or(Ok(()), Err)
    }

    /// The addresses of this host on which mail is received: those of `inet_interfaces`.
    #[must_use]
    pub fn served_addresses(&self) -> Vec<IpAddr> {
        let names = self.expanded("inet_interfaces").ok().flatten().unwrap_or_default();
        host::chosen(self.interfaces(), &names).iter().map(|one| one.address).collect()
    }

    /// The addresses at which mail reaches this host: those of `inet_interfaces` and of `proxy_interfaces`.
    #[must_use]
    pub fn own_addresses(&self) -> Vec<IpAddr> {
        let proxies = self.expanded("proxy_interfaces").ok().flatten().unwrap_or_default();
        let mut addresses = self.served_addresses();
        addresses.extend(host::chosen(&[], &proxies).iter().map(|one| one.address));
        addresses
    }

    fn myhostname(&self) -> &str {
        if let Some(known) = self.memory.myhostname.get() {
            return known;
        }
        let bare = host::name();
        let name = if bare.contains('.') {
            bare
        } else {
            let domain = self.set("mydomain").unwrap_or("localdomain");
            format!("{bare}.{}", self.expand_except(domain, "myhostname", &bare))
        };
        self.memory.myhostname.get_or_init(|| name)
    }

    fn mydomain(&self) -> &str {
        if let Some(known) = self.memory.mydomain.get() {
            return known;
        }
        let name = self.raw("myhostname").unwrap_or_default();
        let name = self.expand_except(name, "mydomain", "localdomain");
        let domain = name.split_once('.').map_or("localdomain", |(_, domain)| domain);
        self.memory.mydomain.get_or_init(|| domain.to_owned())
    }

    fn mynetworks(&self) -> &str {
        if let Some(known) = self.memory.mynetworks.get() {
            return known;
        }
        let value = |name| {
            let raw = self.raw(name).unwrap_or_default();
            self.expand_except(raw, "mynetworks", "")
        };
        let interfaces = host::interfaces(&value("inet_protocols"));
        let chosen = host::chosen(&interfaces, &value("inet_interfaces"));
        let style = Style::parse(&value("mynetworks_style")).unwrap_or(Style::Host);
        let networks = patterns(&chosen, style);
        self.memory.mynetworks.get_or_init(|| networks)
    }

    /// Expands a text that a default is made of, with a stand-in for that default.
    fn expand_except(&self, text: &str, except: &str, stand_in: &str) -> String {
        let names = |name: &str| {
            if name == except {
                return Some(Cow::Owned(stand_in.to_owned()));
            }
            let value = if name == "mynetworks" { self.set(name) } else { self.raw(name) };
            value.map(|value| Cow::Owned(value.to_owned()))
        };
        let names: &Names<'_> = &names;
        expand(text, names).unwrap_or_else(|_| stand_in.to_owned())
    }
}

/// The configuration directory: that of `-c`, else that of `MAIL_CONFIG`, else the one compiled in.
#[must_use]
pub fn config_directory(option: Option<&str>) -> PathBuf {
    match option {
        Some(directory) => PathBuf::from(directory),
        None => match std::env::var_os("MAIL_CONFIG") {
            Some(directory) if !directory.is_empty() => PathBuf::from(directory),
            _ => PathBuf::from(CONFIG_DIRECTORY),
        },
    }
}

/// Refuses a directory that the default main.cf does not name. A set-gid program asks this before it trusts `-c` or
/// `MAIL_CONFIG` of somebody else.
///
/// # Errors
/// When the directory is not allowed, or the default main.cf cannot be read.
pub fn authorize_directory(directory: &Path) -> Result<(), Error> {
    if directory == Path::new(CONFIG_DIRECTORY) {
        return Ok(());
    }
    let source = Source::load(Path::new(CONFIG_DIRECTORY))?;
    if is_directory_listed(&source, directory) {
        return Ok(());
    }
    Err(Error::Unauthorized(directory.display().to_string()))
}

/// Whether a main.cf allows another configuration directory.
#[must_use]
pub fn is_directory_listed(source: &Source, directory: &Path) -> bool {
    ["alternate_config_directories", "multi_instance_directories"].into_iter().any(|name| {
        let listed = source.expanded(name).ok().flatten().unwrap_or_default();
        words(&listed).iter().any(|word| Path::new(word) == directory)
    })
}

#[cfg(test)]
mod tests;
