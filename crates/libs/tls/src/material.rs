//! Certificates, keys and authorities, from PEM files; read by root before the jail, kept in memory.

use crate::Error;
use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::fs;
use std::path::Path;
use std::sync::Arc;

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

fn content(what: &'static str, file: &Path, why: &dyn std::fmt::Display) -> Error {
    Error::Content { what, file: file.display().to_string(), why: why.to_string() }
}
