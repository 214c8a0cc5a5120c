//! Certificates, keys and authorities, from PEM files; read by root before the jail, kept in memory.

use crate::Error;
use rustls::RootCertStore;
use rustls::pki_types::pem::{PemObject, SectionKind};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;

/// Where systems keep the authorities that they trust, all in one file.
const SYSTEM_FILES: [&str; 3] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];
/// And one by one.
const SYSTEM_FOLDER: &str = "/etc/ssl/certs";

/// A certificate chain and its key.
#[derive(Debug)]
pub struct Identity {
    /// The leaf first.
    pub chain: Vec<CertificateDer<'static>>,
    /// The leaf's key.
    pub key: PrivateKeyDer<'static>,
}

/// Trusted authorities.
#[derive(Debug, Clone)]
pub struct Authorities {
    /// As rustls wants them.
    pub(crate) store: Arc<RootCertStore>,
    /// As they are in their files: a self-signed server certificate may itself be listed.
    pub(crate) listed: Arc<Vec<CertificateDer<'static>>>,
    /// How many others may stand between one of them and a peer; `None`: as many as rustls follows.
    pub(crate) most_between: Option<usize>,
}

impl Identity {
    /// Reads `*_tls_cert_file` and `*_tls_key_file`.
    ///
    /// # Errors
    /// A file cannot be read or lacks what it should hold.
    pub fn read(cert_file: &Path, key_file: &Path) -> Result<Self, Error> {
        let key = read("private key", key_file)?;
        let key = PrivateKeyDer::from_pem_slice(&key).map_err(|error| content("private key", key_file, &error))?;
        Ok(Self { chain: certificates(cert_file)?, key })
    }

    /// Reads all that a service is configured with, one for each kind of key: the files of `*_tls_chain_files`, which stand for all
    /// others, or else pairs of `*_tls_cert_file` and `*_tls_key_file` (empty or `none`: not that one).
    ///
    /// # Errors
    /// As [`Self::read`] and [`Self::read_chains`].
    pub fn read_all(chains: &[String], pairs: &[(&str, &str)]) -> Result<Vec<Self>, Error> {
        if !chains.is_empty() {
            return Self::read_chains(chains);
        }
        let named = pairs.iter().filter(|(certificate, _)| is_named(certificate));
        named.map(|(certificate, key)| Self::read(Path::new(certificate), Path::new(key))).collect()
    }

    /// Reads the files of `*_tls_chain_files` as one: each key is followed by its certificate and those that vouch for it.
    ///
    /// # Errors
    /// A file cannot be read, a certificate comes before any key, or a key has no certificate.
    pub fn read_chains(files: &[impl AsRef<Path>]) -> Result<Vec<Self>, Error> {
        let mut text = Vec::new();
        for file in files {
            text.extend(read("private key", file.as_ref())?);
            text.push(b'\n');
        }
        let names: Vec<_> = files.iter().map(|file| file.as_ref().display().to_string()).collect();
        Self::parse_chains(&names.join(", "), &text)
    }

    /// The same, from the text of the files; `source` is where it comes from.
    ///
    /// # Errors
    /// As [`Self::read_chains`].
    pub fn parse_chains(source: &str, text: &[u8]) -> Result<Vec<Self>, Error> {
        let wrong = |why: &dyn std::fmt::Display| content("key and certificate chain", Path::new(source), why);
        let mut found: Vec<Self> = Vec::new();
        for item in <(SectionKind, Vec<u8>)>::pem_slice_iter(text) {
            let (kind, der) = item.map_err(|error| wrong(&error))?;
            let key = match kind {
                SectionKind::PrivateKey => PrivateKeyDer::Pkcs8(der.into()),
                SectionKind::RsaPrivateKey => PrivateKeyDer::Pkcs1(der.into()),
                SectionKind::EcPrivateKey => PrivateKeyDer::Sec1(der.into()),
                SectionKind::Certificate => {
                    let last = found.last_mut().ok_or_else(|| wrong(&"a certificate precedes its key"))?;
                    last.chain.push(der.into());
                    continue;
                }
                SectionKind::PublicKey | SectionKind::Crl | SectionKind::Csr | SectionKind::EchConfigList | _ => {
                    continue;
                }
            };
            found.push(Self { chain: Vec::new(), key });
        }
        if found.is_empty() || found.iter().any(|identity| identity.chain.is_empty()) {
            return Err(wrong(&"a key without its certificate, or no key at all"));
        }
        Ok(found)
    }
}

/// Files that were read, kept open to learn whether they are still the ones of their names.
#[derive(Debug, Default)]
pub struct Watch(Vec<(File, Seen)>);

/// What a file is known by: whether a name leads to it, its size, and when it was changed.
type Seen = (bool, u64, i64, i64);

impl Watch {
    /// Begins to watch files. Those that are not there, and names that are empty or `none`, are passed over.
    pub fn of<'a>(files: impl IntoIterator<Item = &'a str>) -> Self {
        let open = files.into_iter().filter(|file| is_named(file)).filter_map(|file| File::open(file).ok());
        Self(open.filter_map(|file| Some((seen(&file)?, file))).map(|(seen, file)| (file, seen)).collect())
    }

    /// Whether one of them was written to, removed, or replaced.
    #[must_use]
    pub fn changed(&self) -> bool {
        self.0.iter().any(|(file, before)| seen(file).is_some_and(|now| now != *before))
    }
}

fn seen(file: &File) -> Option<Seen> {
    let found = file.metadata().ok()?;
    Some((found.nlink() > 0, found.len(), found.mtime(), found.mtime_nsec()))
}

fn is_named(file: &str) -> bool {
    !matches!(file, "" | "none")
}

impl Authorities {
    /// No authority at all.
    #[must_use]
    pub fn none() -> Self {
        Self { store: Arc::new(RootCertStore::empty()), listed: Arc::default(), most_between: None }
    }

    /// Reads `*_tls_CAfile` (empty: none) and every file of `*_tls_CApath` (empty: none).
    ///
    /// # Errors
    /// The file or folder cannot be read. A malformed file of the folder is passed over, as OpenSSL does.
    pub fn read(file: &str, folder: &str) -> Result<Self, Error> {
        Self::read_all(Some(file).filter(|file| !file.is_empty()), folder)
    }

    /// Reads any number of files, and every file of a folder (empty: none).
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn read_all<'a>(files: impl IntoIterator<Item = &'a str>, folder: &str) -> Result<Self, Error> {
        let mut listed = Vec::new();
        for file in files {
            listed.extend(certificates(Path::new(file))?);
        }
        if !folder.is_empty() {
            let path = Path::new(folder);
            let entries = fs::read_dir(path).map_err(|source| Error::Read {
                what: "authorities",
                file: folder.to_owned(),
                source,
            })?;
            for entry in entries.flatten() {
                listed.extend(certificates(&entry.path()).unwrap_or_default());
            }
        }
        let mut store = RootCertStore::empty();
        store.add_parsable_certificates(listed.iter().cloned());
        Ok(Self { store: Arc::new(store), listed: Arc::new(listed), most_between: None })
    }

    /// With those of the system as well, where any are named at all (`tls_append_default_CA`).
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn with_system(self) -> Result<Self, Error> {
        if self.is_empty() {
            return Ok(self);
        }
        let system = match SYSTEM_FILES.into_iter().find(|file| Path::new(file).exists()) {
            Some(file) => Self::read(file, "")?,
            None => Self::read("", SYSTEM_FOLDER)?,
        };
        let mut store = RootCertStore::clone(&self.store);
        store.roots.extend(system.store.roots.iter().cloned());
        let listed = self.listed.iter().chain(system.listed.iter()).cloned().collect();
        Ok(Self { store: Arc::new(store), listed: Arc::new(listed), most_between: self.most_between })
    }

    /// With chains of that depth only (`smtp_tls_scert_verifydepth` and its like), counted as Postfix does: at 0 one authority may
    /// stand between a listed one and the peer.
    #[must_use]
    pub fn within(self, depth: i64) -> Self {
        Self { most_between: Some(usize::try_from(depth.saturating_add(1)).unwrap_or(0)), ..self }
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.listed.is_empty()
    }
}

/// Every certificate of a PEM file.
fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let bytes = read("certificate", file)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    let found = found.map_err(|error| content("certificate", file, &error))?;
    if found.is_empty() {
        return Err(content("certificate", file, &"no certificate in the file"));
    }
    Ok(found)
}

fn read(what: &'static str, file: &Path) -> Result<Vec<u8>, Error> {
    fs::read(file).map_err(|source| Error::Read { what, file: file.display().to_string(), source })
}

fn content(what: &'static str, file: &Path, why: &(impl std::fmt::Display + ?Sized)) -> Error {
    Error::Content { what, file: file.display().to_string(), why: why.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_change_are_noticed() {
        let folder = std::env::temp_dir().join(format!("tls-watch-{}", std::process::id()));
        fs::create_dir(&folder).unwrap();
        let name = |file: &str| folder.join(file).display().to_string();
        let (one, other) = (name("one"), name("other"));
        let watched = |change: &dyn Fn()| {
            fs::write(&one, "1").unwrap();
            fs::write(&other, "2").unwrap();
            let watch = Watch::of(["", "none", &one, &name("missing"), &other]);
            assert!(!watch.changed());
            change();
            watch.changed()
        };
        assert!(!watched(&|| fs::write(name("new"), "3").unwrap()));
        assert!(watched(&|| fs::write(&other, "22").unwrap()));
        assert!(watched(&|| fs::rename(name("new"), &one).unwrap()));
        assert!(watched(&|| fs::remove_file(&one).unwrap()));
        fs::remove_dir_all(&folder).unwrap();
    }
}
