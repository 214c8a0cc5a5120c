//! What the parameters of a MySQL table say, with what an option file of MySQL adds.

use std::path::{Path, PathBuf};

use crate::Error;
use crate::client::Parameters;
use crate::error::system_text;
use crate::link::Endpoint;
use crate::secure::{Check, Files, Tls};
use crate::servers::endpoint;
use crate::split::{SEPARATORS, items};

const PORT: u16 = 3306;

/// Where the server's socket may be; `localhost` means it.
const SOCKETS: [&str; 3] = ["/run/mysqld/mysqld.sock", "/var/lib/mysql/mysql.sock", "/tmp/mysql.sock"];

/// Character sets in which a byte of a letter may look like a quote or a backslash.
const TREACHEROUS: [&str; 5] = ["big5", "cp932", "gb18030", "gbk", "sjis"];

/// Who we are, and how we speak.
pub(super) struct Settings {
    pub(super) user: String,
    pub(super) password: String,
    pub(super) database: String,
    pub(super) charset: String,
    pub(super) tls: Option<Tls>,
}

/// The settings of one group of an option file.
#[derive(Default)]
struct Options(Vec<(String, String)>);

impl Options {
    fn read(parameters: &Parameters) -> Result<Self, Error> {
        let Some(path) = parameters.text("option_file") else { return Ok(Self::default()) };
        let group = parameters.given("option_group").unwrap_or_else(|| "client".to_owned());
        let text = std::fs::read_to_string(&path)
            .map_err(|error| parameters.mistake(&format!("open {path}: {}", system_text(&error))))?;
        Ok(Self::parse(&text, &group))
    }

    fn parse(text: &str, group: &str) -> Self {
        let mut options = Vec::new();
        let mut is_ours = false;
        for line in text.lines().map(str::trim).filter(|line| !line.starts_with(['#', ';', '!'])) {
            if let Some(name) = line.strip_prefix('[') {
                is_ours = name.trim_end_matches(']') == group;
            } else if is_ours && let Some((name, value)) = line.split_once('=') {
                let value = value.trim();
                let bare = ['"', '\''].iter().find_map(|quote| value.strip_prefix(*quote)?.strip_suffix(*quote));
                options.push((name.trim().replace('_', "-"), bare.unwrap_or(value).to_owned()));
            }
        }
        Self(options)
    }

    fn get(&self, name: &str) -> Option<String> {
        self.0.iter().rev().find(|(known, _)| known == name).map(|(_, value)| value.clone())
    }
}

/// Everything but the query.
pub(super) fn read(parameters: &Parameters) -> Result<(Settings, Vec<Endpoint>), Error> {
    let options = Options::read(parameters)?;
    let text = |name: &str, option: &str| parameters.text(name).or_else(|| options.get(option)).unwrap_or_default();
    let charset = parameters.text("charset").unwrap_or_else(|| "utf8mb4".to_owned());
    let is_word = charset.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if !is_word || TREACHEROUS.contains(&charset.to_ascii_lowercase().as_str()) {
        return Err(parameters.mistake(&format!("charset {charset} cannot be quoted safely")));
    }
    let database = match text("dbname", "database") {
        database if database.is_empty() => parameters.required("dbname")?,
        database => database,
    };
    let settings = Settings {
        user: text("user", "user"),
        password: text("password", "password"),
        database,
        charset,
        tls: security(parameters, text)?,
    };
    Ok((settings, hosts(parameters, &options)))
}

/// TLS is spoken where a parameter is about it.
fn security(parameters: &Parameters, text: impl Fn(&str, &str) -> String) -> Result<Option<Tls>, Error> {
    let files = Files {
        authorities: text("tls_CAfile", "ssl-ca"),
        folder: text("tls_CApath", "ssl-capath"),
        certificate: text("tls_cert_file", "ssl-cert"),
        key: text("tls_key_file", "ssl-key"),
    };
    let check = Check::wanted(parameters, &files);
    let is_wanted =
        check != Check::Nothing || !files.certificate.is_empty() || parameters.text("tls_ciphers").is_some();
    is_wanted.then(|| Tls::open(&files, check, parameters)).transpose()
}

fn hosts(parameters: &Parameters, options: &Options) -> Vec<Endpoint> {
    let hosts = parameters.text("hosts").or_else(|| options.get("host")).unwrap_or_else(|| {
        tracing::warn!("{}: no hostnames specified, defaulting to 'localhost'", parameters.spec());
        "localhost".to_owned()
    });
    let port = options.get("port").and_then(|port| port.parse().ok()).unwrap_or(PORT);
    let local = options.get("socket").map(PathBuf::from);
    let read = |word| {
        let name = |text: &str| text.split(':').next().is_some_and(|name| name.eq_ignore_ascii_case("localhost"));
        if name(word) || word.strip_prefix("inet:").is_some_and(name) {
            Endpoint::Unix(local.clone().unwrap_or_else(default_socket))
        } else {
            endpoint(word, port)
        }
    };
    items(&hosts, SEPARATORS).into_iter().map(read).collect()
}

fn default_socket() -> PathBuf {
    let found = SOCKETS.iter().map(Path::new).find(|path| path.exists());
    PathBuf::from(found.unwrap_or_else(|| Path::new("/run/mysqld/mysqld.sock")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn option_files_are_read_by_group() {
        let text =
            "[mysqld]\nuser=root\n[client]\n# user = a\nuser = b\nssl_ca='/x'\npassword = \"a=b\"\nquick\n[x]\nuser=c";
        let options = Options::parse(text, "client");
        assert_eq!(options.get("user").as_deref(), Some("b"));
        assert_eq!(options.get("password").as_deref(), Some("a=b"));
        assert_eq!(options.get("ssl-ca").as_deref(), Some("/x"));
        assert_eq!(options.get("quick"), None);
        assert_eq!(Options::parse(text, "x").get("user").as_deref(), Some("c"));
    }
}
