//! Keys and certificates, made and read by openssl(1) (`openssl_path`).

use crate::instance::Instance;
use command::Fatal;
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

/// Days until a self-signed certificate expires: a hundred years.
const LIFE: &str = "36525";
/// What certificates are for.
const PURPOSE: &str = "extendedKeyUsage=serverAuth,clientAuth";

/// A kind of key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Algorithm {
    Rsa,
    Ecdsa,
}

impl Algorithm {
    /// By its name; none is RSA.
    pub(super) fn named(name: Option<&str>) -> Result<Self, Fatal> {
        match name {
            None | Some("rsa") => Ok(Self::Rsa),
            Some("ecdsa") => Ok(Self::Ecdsa),
            Some("") => Err(Fatal::new("Invalid empty key algorithm")),
            Some(other) => Err(Fatal::new(format!("Unsupported public key algorithm: {other}"))),
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Rsa => "rsa",
            Self::Ecdsa => "ecdsa",
        }
    }

    /// What file names and parameters of this kind of key begin with.
    pub(super) fn prefix(self) -> &'static str {
        match self {
            Self::Rsa => "",
            Self::Ecdsa => "ec",
        }
    }

    fn default_bits(self) -> &'static str {
        match self {
            Self::Rsa => "2048",
            Self::Ecdsa => "secp256r1",
        }
    }
}

/// The program.
#[derive(Debug)]
pub(super) struct Openssl<'a> {
    instance: &'a Instance,
    path: String,
}

impl<'a> Openssl<'a> {
    /// The one that `openssl_path` names.
    pub(super) fn find(instance: &'a Instance) -> Result<Self, Fatal> {
        let path = instance.layout.openssl_path.clone();
        let openssl = Self { instance, path };
        if openssl.run(&["version"]).is_none() {
            let path = &openssl.path;
            return Err(Fatal::new(format!("No working openssl(1) command found with 'openssl_path = {path}'")));
        }
        Ok(openssl)
    }

    /// A new private key in PEM.
    pub(super) fn new_key(&self, algorithm: Algorithm, bits: Option<&str>) -> Result<Vec<u8>, Fatal> {
        let bits = bits.unwrap_or(algorithm.default_bits());
        let size = format!("rsa_keygen_bits:{bits}");
        let curve = format!("ec_paramgen_curve:{}", if bits == "secp256r1" { "prime256v1" } else { bits });
        let made = match algorithm {
            Algorithm::Rsa => self.run(&["genpkey", "-algorithm", "RSA", "-pkeyopt", &size]),
            Algorithm::Ecdsa => {
                let named = ["-pkeyopt", "ec_param_enc:named_curve"];
                self.run(&[&["genpkey", "-algorithm", "EC", "-pkeyopt", &curve][..], &named].concat())
            }
        };
        let name = algorithm.name();
        made.ok_or_else(|| Fatal::new(format!("error generating new {name} {bits} private key")))
    }

    /// A self-signed certificate of these hosts in PEM.
    pub(super) fn self_signed(&self, key: &str, hosts: &[String]) -> Result<Vec<u8>, Fatal> {
        let subject = format!("/CN={}", hosts.first().map_or("", String::as_str));
        let names = alternatives(hosts);
        let words = ["req", "-x509", "-new", "-key", key, "-days", LIFE, "-subj", &subject, "-addext", &names];
        let constraints = ["-addext", PURPOSE, "-addext", "basicConstraints=CA:FALSE"];
        self.configured(&[&words[..], &constraints].concat())
            .ok_or_else(|| Fatal::new("error generating self-signed SSL certificate"))
    }

    /// A request for a certificate of these hosts in PEM.
    pub(super) fn request(&self, key: &str, hosts: &[String]) -> Result<Vec<u8>, Fatal> {
        let names = alternatives(hosts);
        self.configured(&["req", "-new", "-key", key, "-subj", "/", "-addext", &names, "-addext", PURPOSE])
            .ok_or_else(|| Fatal::new(format!("no private key found in file: {key}")))
    }

    /// The public key of a private one.
    pub(super) fn public_key(&self, key: &str) -> Result<Vec<u8>, Fatal> {
        self.run(&["pkey", "-in", key, "-pubout"])
            .ok_or_else(|| Fatal::new(format!("no private key found in file: {key}")))
    }

    /// The public key of a certificate.
    pub(super) fn certified_key(&self, certificate: &str) -> Result<Vec<u8>, Fatal> {
        self.run(&["x509", "-in", certificate, "-noout", "-pubkey"])
            .ok_or_else(|| Fatal::new("error computing certificate public key digest"))
    }

    /// What kind of key this is.
    pub(super) fn algorithm(&self, key: &str) -> Result<Algorithm, Fatal> {
        let _ = self.public_key(key)?;
        let is_rsa = self.run(&["rsa", "-in", key, "-noout"]).is_some();
        Ok(if is_rsa { Algorithm::Rsa } else { Algorithm::Ecdsa })
    }

    /// The SHA-256 of a key's public part.
    pub(super) fn digest(&self, key: &str) -> Result<String, Fatal> {
        let failed = || Fatal::new(format!("error computing SHA2-256 SPKI digest of \"{key}\""));
        let mut first = self.command(&["pkey", "-in", key, "-pubout", "-outform", "DER"]);
        let mut child = first.stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let piped = child.stdout.take().ok_or_else(failed)?;
        let output = self.command(&["dgst", "-sha256", "-r"]).stdin(piped).output()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let digest = text.split_whitespace().next().unwrap_or_default();
        if child.wait()?.success() && output.status.success() && !digest.is_empty() {
            return Ok(digest.to_owned());
        }
        Err(failed())
    }

    /// Without the requests that the host's own openssl.cnf would add.
    fn configured(&self, words: &[&str]) -> Option<Vec<u8>> {
        self.run(&[words, &["-config", "/dev/null"]].concat())
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = self.instance.command(Path::new(&self.path));
        command.args(words).stdin(Stdio::null());
        command
    }

    /// What it writes, if it succeeds.
    fn run(&self, words: &[&str]) -> Option<Vec<u8>> {
        let output = self.command(words).output().ok()?;
        output.status.success().then_some(output.stdout)
    }
}

fn alternatives(hosts: &[String]) -> String {
    let names: Vec<String> = hosts.iter().map(|host| format!("DNS:{host}")).collect();
    format!("subjectAltName={}", names.join(","))
}

/// Writes a file that must not be there yet.
pub(super) fn write(what: &str, path: &str, mode: u32, content: &[u8]) -> Result<(), Fatal> {
    let file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path);
    let written = file.and_then(|mut file| file.write_all(content));
    written.map_err(|error| {
        if error.kind() == std::io::ErrorKind::AlreadyExists {
            return Fatal::new(format!("New {what} file already exists: {path}"));
        }
        Fatal::new(format!("create {path}: {}", command::said(&error)))
    })
}
