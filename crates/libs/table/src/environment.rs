//! What opening a table needs to know of the configuration.

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ipc::Caller;
use ipc::proxymap::Proxymap;

use crate::{Error, fold};

/// Parameters that table types use, and how keys are treated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Environment {
    /// Type of tables that are named without one.
    pub default_database_type: String,
    /// Initial size of LMDB maps, in bytes.
    pub lmdb_map_size: usize,
    /// Where `proxy:` finds its server; relative names are below the queue directory.
    pub queue_directory: PathBuf,
    /// Service name of `proxy:` for reading.
    pub proxymap_service_name: String,
    /// Service name of `proxy:` for writing.
    pub proxywrite_service_name: String,
    /// How long to wait for another program of the suite.
    pub ipc_timeout: Duration,
    /// Longest answer of `socketmap:`.
    pub socketmap_max_reply_size: usize,
    /// Longest question of `socketmap:`; 0 for any.
    pub socketmap_max_query_size: usize,
    /// Whether keys of fixed strings are folded to lower case.
    pub folding: Folding,
    /// Whether text beyond ASCII has to be UTF-8 (`smtputf8_enable`).
    pub text: Text,
    /// What `proxy:` may not be used for, and `$1` neither: tables that decide on rights.
    pub trust: Trust,
    /// What values of text sources are.
    pub values: Values,
    /// Whether stored keys and values end with NUL.
    pub terminator: Terminator,
    /// Connections to `proxy:` servers; shared by what is opened with clones of this environment.
    pub proxies: Proxies,
    /// Parameters of tables that main.cf itself defines.
    pub settings: Settings,
}

/// main.cf, for tables whose parameters it holds as `name_parameter`.
#[derive(Debug, Clone, Default)]
pub struct Settings(Option<Arc<config::Source>>);

impl Settings {
    pub(crate) fn expanded(&self, name: &str) -> Option<String> {
        self.0.as_ref()?.expanded(name).ok().flatten()
    }

    pub(crate) fn note_trouble(&self, error: &Error) {
        if let Some(source) = &self.0 {
            source.note_trouble(&error.reason);
        }
    }
}

// A main.cf is the same as long as the process lives.
impl PartialEq for Settings {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Settings {}

/// Whether stored keys and values end with NUL. Look-ups try both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Terminator {
    /// As Postfix does for the type of table.
    Usual,
    /// With NUL (`postmap -N`).
    With,
    /// Without (`postmap -n`).
    Without,
}

/// Connections to `proxy:` servers, by path.
#[derive(Debug, Clone, Default)]
pub struct Proxies(Arc<Mutex<HashMap<PathBuf, Caller<Proxymap>>>>);

impl Proxies {
    pub(crate) fn caller(&self, path: &Path, deadline: Duration) -> Caller<Proxymap> {
        let mut callers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        callers.entry(path.to_owned()).or_insert_with(|| Caller::new(path, deadline)).clone()
    }
}

// Which connections are open says nothing about what is configured.
impl PartialEq for Proxies {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Proxies {}

/// Folding of keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Folding {
    /// Lower case, for tables of fixed strings.
    Fixed,
    /// Keys as they are (`postmap -f`).
    None,
}

/// What keys and values may contain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Text {
    /// UTF-8; anything else is not found.
    Utf8,
    /// Any bytes (`postmap -U`).
    Bytes,
}

/// What the table decides about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Trust {
    /// Addresses, access.
    Ordinary,
    /// Which program gets the mail and where it sends it (`transport_maps`): no text of the key may get into the result.
    Verbatim,
    /// Which commands are run as whom (`alias_maps`): no text of the key may get into the result, and no
    /// unprivileged server may answer.
    Paranoid,
}

/// What values of text sources are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Values {
    /// The text itself.
    Text,
    /// Names of files, whose content is stored in Base64 (`postmap -F`, `tls_server_sni_maps`).
    Files,
}

impl Environment {
    /// What the parameters say. Values that make no sense are reported by the program that asks for their group.
    #[must_use]
    pub fn of(source: &config::Source) -> Self {
        let mut problems = config::Problems::default();
        let tables = <config::params::Tables as config::Group>::parse(source, &mut problems);
        let ipc = <config::params::Ipc as config::Group>::parse(source, &mut problems);
        let smtputf8_enable = source.expanded("smtputf8_enable").ok().flatten();
        let queue_directory = source.expanded("queue_directory").ok().flatten();
        let utf8 = smtputf8_enable.is_none_or(|value| value.eq_ignore_ascii_case("yes"));
        let size = |value: u64, default: usize| usize::try_from(value).unwrap_or(default);
        let default = Self::default();
        Self {
            default_database_type: tables.default_database_type,
            lmdb_map_size: size(tables.lmdb_map_size, default.lmdb_map_size),
            queue_directory: queue_directory.map_or(default.queue_directory, PathBuf::from),
            proxymap_service_name: ipc.proxymap_service_name,
            proxywrite_service_name: ipc.proxywrite_service_name,
            ipc_timeout: ipc.ipc_timeout,
            socketmap_max_reply_size: size(tables.socketmap_max_reply_size, default.socketmap_max_reply_size),
            socketmap_max_query_size: size(tables.socketmap_max_query_size, default.socketmap_max_query_size),
            folding: default.folding,
            text: if utf8 { Text::Utf8 } else { Text::Bytes },
            trust: default.trust,
            values: default.values,
            terminator: default.terminator,
            proxies: default.proxies,
            settings: Settings(Some(Arc::new(source.clone()))),
        }
    }
}

impl Environment {
    /// A key of fixed strings as tables have it.
    pub(crate) fn folded<'a>(&self, key: &'a [u8]) -> Cow<'a, [u8]> {
        fold::folded(key, self.folding, self.text)
    }

    /// The same for tables that look at the content of messages, which is in any character set.
    #[must_use]
    pub fn for_content(&self) -> Self {
        Self { text: Text::Bytes, ..self.clone() }
    }

    /// The same for tables that say where mail goes, and by which program.
    #[must_use]
    pub fn for_routes(&self) -> Self {
        Self { trust: Trust::Verbatim, ..self.clone() }
    }

    /// The same for a program whose working directory is the queue directory, and whose root may change to it.
    #[must_use]
    pub fn inside(self) -> Self {
        Self { queue_directory: PathBuf::from("."), ..self }
    }
}

impl Default for Environment {
    fn default() -> Self {
        Self {
            default_database_type: "lmdb".to_owned(),
            lmdb_map_size: 16 * 1024 * 1024,
            queue_directory: PathBuf::from("."),
            proxymap_service_name: "proxymap".to_owned(),
            proxywrite_service_name: "proxywrite".to_owned(),
            ipc_timeout: Duration::from_secs(3600),
            socketmap_max_reply_size: 100_000,
            socketmap_max_query_size: 10_000,
            folding: Folding::Fixed,
            text: Text::Utf8,
            trust: Trust::Ordinary,
            values: Values::Text,
            terminator: Terminator::Usual,
            proxies: Proxies::default(),
            settings: Settings::default(),
        }
    }
}
