//! Certificates, keys and authorities, from PEM files; read by root before the jail, kept in memory.

use crate::Error;
use rustls::RootCertStore;
use rustls::pki_types::pem::{PemObject, SectionKind};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::fs;
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

impl Authorities {
    /// No authority at all.
    #[must_use]
    pub fn none() -> Self {
        Self { store: Arc::new(RootCertStore::empty()), listed: Arc::default() }
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
        Ok(Self { store: Arc::new(store), listed: Arc::new(listed) })
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
        Ok(Self { store: Arc::new(store), listed: Arc::new(listed) })
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
