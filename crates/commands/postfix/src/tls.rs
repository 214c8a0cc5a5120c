//! `postfix tls`: opportunistic TLS switched on, and the keys and certificates of the SMTP server. See postfix-tls(1).
//! A source of randomness (`-r`) is taken and not set, as no session cache is, since nothing here would use them.

mod openssl;

use crate::instance::Instance;
use command::{Fatal, Options};
use openssl::{Algorithm, Openssl};
use std::io::Write;
use std::path::Path;
use std::process::{Command, ExitCode};
use tracing::{error, info, warn};

const USAGE: &str = "usage: postfix tls enable-client (or enable-server, new-server-key, new-server-cert, \
    deploy-server-cert, output-server-csr, output-server-tlsa, all-default-client, all-default-server)";
/// What must be at its default before TLS is switched on.
const SETTINGS: [&str; 7] = [
    "use_tls",
    "enforce_tls",
    "tls_enforce_peername",
    "tls_security_level",
    "tls_cert_file",
    "tls_dcert_file",
    "tls_eccert_file",
];

/// Obeys a subcommand.
pub(crate) fn perform(instance: &Instance, words: &[&str]) -> Result<ExitCode, Fatal> {
    let (name, rest) = words.split_first().map_or(("", &[][..]), |(name, rest)| (*name, rest));
    let words: Vec<String> = rest.iter().map(|word| (*word).to_owned()).collect();
    let tls = Tls { instance, openssl: Openssl::find(instance)? };
    match name {
        "enable-client" => tls.enable_client(&words)?,
        "enable-server" => tls.enable_server(&words)?,
        "new-server-key" => tls.new_key(&words)?,
        "new-server-cert" => tls.new_certificate(&words)?,
        "deploy-server-cert" => tls.deploy_given(&words)?,
        "output-server-csr" => tls.output_request(&words)?,
        "output-server-tlsa" => tls.output_records(&words)?,
        "all-default-client" | "all-default-server" if !words.is_empty() => {
            return Err(Fatal::new(format!("usage: postfix tls {name}")));
        }
        "all-default-client" => return Ok(code(tls.is_default("smtp"))),
        "all-default-server" => return Ok(code(tls.is_default("smtpd"))),
        _ => {
            error!("unknown tls command: '{name}'");
            return Err(Fatal::new(USAGE));
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn code(success: bool) -> ExitCode {
    if success { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn options(spec: &str, words: &[String], usage: &str) -> Result<Options, Fatal> {
    Options::parse(spec, words).map_err(|_| Fatal::new(format!("usage: postfix tls {usage}")))
}

struct Tls<'a> {
    instance: &'a Instance,
    openssl: Openssl<'a>,
}

impl Tls<'_> {
    /// Whether nobody has set up TLS on this side.
    fn is_default(&self, side: &str) -> bool {
        let source = &self.instance.source;
        SETTINGS.iter().all(|setting| {
            let name = format!("{side}_{setting}");
            let default = source.default(&name).and_then(|text| source.expand(text).ok());
            source.set(&name).is_none() || Some(self.value(&name)) == default
        })
    }

    fn value(&self, name: &str) -> String {
        self.instance.source.expand(&format!("${{{name}}}")).unwrap_or_default()
    }

    fn set(&self, settings: &[String]) -> Result<(), Fatal> {
        let words: Vec<&str> = std::iter::once("-e").chain(settings.iter().map(String::as_str)).collect();
        if self.instance.run("postconf", &words)? == ExitCode::SUCCESS {
            return Ok(());
        }
        Err(Fatal::new("error updating main.cf"))
    }

    fn enable_client(&self, words: &[String]) -> Result<(), Fatal> {
        let usage = "enable-client [-r devrandom]";
        let options = options("r:", words, usage)?;
        if !options.operands.is_empty() {
            return Err(Fatal::new(format!("usage: postfix tls {usage}")));
        }
        let settings = ["smtp_tls_security_level = may".to_owned(), "smtp_tls_loglevel = 1".to_owned()];
        if !self.is_default("smtp") {
            info!("*** Non-default SMTP client TLS settings detected, no changes made.");
            info!("For opportunistic TLS in the Postfix SMTP client, the below settings");
            suggest(&settings);
            return Ok(());
        }
        self.set(&settings)?;
        info!("Enabled opportunistic TLS in the Postfix SMTP client.");
        tell_reload();
        Ok(())
    }

    fn enable_server(&self, words: &[String]) -> Result<(), Fatal> {
        let usage = "enable-server [-a algorithm] [-b bits ] [-r devrandom] [hostname ...]";
        let options = options("a:b:r:", words, usage)?;
        let algorithm = Algorithm::named(options.value('a'))?;
        let mut settings = vec![
            "smtpd_tls_security_level = may".to_owned(),
            "smtpd_tls_loglevel = 1".to_owned(),
            "smtpd_tls_received_header = yes".to_owned(),
        ];
        if !self.is_default("smtpd") {
            info!("*** Non-default SMTP server TLS settings detected, no changes made.");
            info!("For opportunistic TLS in the Postfix SMTP server, the below settings");
            suggest(&settings);
            return Ok(());
        }
        let pair = self.pair(algorithm)?;
        openssl::write("private key", &pair.key, 0o600, &self.openssl.new_key(algorithm, options.value('b'))?)?;
        self.certify(&pair, &options.operands)?;
        settings.extend(pair.settings());
        self.set(&settings)?;
        info!("Enabled opportunistic TLS in the Postfix SMTP server");
        self.tell_deployed(&pair);
        Ok(())
    }

    fn new_key(&self, words: &[String]) -> Result<(), Fatal> {
        let options = options("a:b:", words, "new-server-key [-a algorithm] [-b bits ] [hostname ...]")?;
        let algorithm = Algorithm::named(options.value('a'))?;
        let pair = self.pair(algorithm)?;
        openssl::write("private key", &pair.key, 0o600, &self.openssl.new_key(algorithm, options.value('b'))?)?;
        self.certify(&pair, &options.operands)?;
        pair.tell_new();
        Ok(())
    }

    /// A new certificate for the key in use, if there is one.
    fn new_certificate(&self, words: &[String]) -> Result<(), Fatal> {
        let options = options("a:b:", words, "new-server-cert [-a algorithm] [-b bits ] [hostname ...]")?;
        let algorithm = Algorithm::named(options.value('a'))?;
        let old = self.value(&format!("smtpd_tls_{}key_file", algorithm.prefix()));
        let is_there = !old.is_empty() && old != "none" && Path::new(&old).is_file();
        if !is_there {
            warn!("Key file: {old} not found, creating new keys");
        }
        let pair = self.pair(algorithm)?;
        let key = if is_there {
            if self.openssl.algorithm(&old)? != algorithm {
                return Err(Fatal::new(format!("Key algorithm of '{old}' is not '{}'", algorithm.name())));
            }
            std::fs::read(&old)
                .map_err(|_| Fatal::new(format!("Error copying private key from '{old}' to '{}'", pair.key)))?
        } else {
            self.openssl.new_key(algorithm, options.value('b'))?
        };
        openssl::write("private key", &pair.key, 0o600, &key)?;
        self.certify(&pair, &options.operands)?;
        pair.tell_new();
        Ok(())
    }

    fn deploy_given(&self, words: &[String]) -> Result<(), Fatal> {
        let [certificate, key] = words else {
            return Err(Fatal::new("usage: postfix tls deploy-server-cert certfile keyfile"));
        };
        let (certificate, key) = (self.absolute(certificate), self.absolute(key));
        let public = self.openssl.public_key(&key)?;
        if self.openssl.certified_key(&certificate)? != public {
            return Err(Fatal::new(format!("Certificate in {certificate} does not match key in {key}")));
        }
        let pair = Pair { algorithm: self.openssl.algorithm(&key)?, certificate, key };
        self.set(&pair.settings())?;
        self.tell_deployed(&pair);
        Ok(())
    }

    fn output_request(&self, words: &[String]) -> Result<(), Fatal> {
        let options = options("k:", words, "output-server-csr [-k keyfile] [hostname ...]")?;
        let key = self.key_file(options.value('k').unwrap_or("rsa"));
        let key = key.ok_or_else(|| Fatal::new("No usable keyfile specified or configured"))?;
        let request = self.openssl.request(&key, &self.hosts(&options.operands))?;
        Ok(std::io::stdout().write_all(&request)?)
    }

    fn output_records(&self, words: &[String]) -> Result<(), Fatal> {
        let options = options("h:", words, "output-server-tlsa [-h hostname] [keyfile ...]")?;
        let host = options.value('h').map_or_else(|| self.value("myhostname"), str::to_owned);
        let usual = ["rsa".to_owned(), "ecdsa".to_owned()];
        let given = if options.operands.is_empty() { &usual[..] } else { &options.operands };
        let keys: Vec<String> = given.iter().filter_map(|key| self.key_file(key)).collect();
        if keys.is_empty() {
            return Err(Fatal::new("No usable keyfiles specified or configured"));
        }
        let mut out = std::io::stdout().lock();
        for key in keys {
            let digest = self.openssl.digest(&key)?;
            writeln!(out, "; {key}\n_25._tcp.{host}. IN TLSA 3 1 1 {digest}")?;
        }
        Ok(())
    }

    /// A key file by its path, or that of an algorithm in main.cf.
    fn key_file(&self, given: &str) -> Option<String> {
        let configured = |prefix| Some(self.value(&format!("smtpd_tls_{prefix}key_file")));
        let path = match given {
            "rsa" => configured(Algorithm::Rsa.prefix()),
            "ecdsa" => configured(Algorithm::Ecdsa.prefix()),
            path => Some(path.to_owned()),
        };
        path.filter(|path| !path.is_empty() && path != "none").map(|path| self.absolute(&path))
    }

    fn absolute(&self, path: &str) -> String {
        self.instance.directory.join(path).display().to_string()
    }

    fn hosts(&self, given: &[String]) -> Vec<String> {
        if given.is_empty() { vec![self.value("myhostname")] } else { given.to_vec() }
    }

    /// Names of new files.
    fn pair(&self, algorithm: Algorithm) -> Result<Pair, Fatal> {
        let output = Command::new("date").args(["-u", "+%Y%m%d-%H%M%S"]).output()?;
        let time = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        let prefix = algorithm.prefix();
        let path = |kind: &str| self.absolute(&format!("{prefix}{kind}-{time}.pem"));
        Ok(Pair { algorithm, certificate: path("cert"), key: path("key") })
    }

    fn certify(&self, pair: &Pair, hosts: &[String]) -> Result<(), Fatal> {
        let certificate = self.openssl.self_signed(&pair.key, &self.hosts(hosts))?;
        openssl::write("certificate", &pair.certificate, 0o644, &certificate)
    }

    fn tell_deployed(&self, pair: &Pair) {
        info!("New TLS private key and certificate deployed.");
        tell_reload();
        pair.tell_request();
        info!("Save the signed certificate chain in {}.", pair.certificate);
        info!("To generate TLSA records run:");
        info!("  # postfix tls output-server-tlsa [-h <hostname>]");
        info!("(If you have DANE TLSA RRs, update them as soon as possible to match");
        info!("the newly deployed keys).");
    }
}

/// A certificate and its key.
struct Pair {
    algorithm: Algorithm,
    certificate: String,
    key: String,
}

impl Pair {
    fn settings(&self) -> [String; 2] {
        let prefix = self.algorithm.prefix();
        [
            format!("smtpd_tls_{prefix}cert_file = {}", self.certificate),
            format!("smtpd_tls_{prefix}key_file = {}", self.key),
        ]
    }

    fn tell_new(&self) {
        let Self { certificate, key, .. } = self;
        info!("New private key and self-signed certificate created. To deploy run:");
        info!("  # postfix tls deploy-server-cert {certificate} {key}");
        self.tell_request();
        info!("Save the signed certificate chain in {certificate}, and deploy as above.");
        info!("To generate TLSA records run:");
        info!("  # postfix tls output-server-tlsa [-h <hostname>] {key}");
        info!("(deploy after updating the DNS and waiting for stale RRs to expire).");
    }

    fn tell_request(&self) {
        info!("To generate a CSR run:");
        info!("  # postfix tls output-server-csr -k {} [<hostname> ...]", self.key);
    }
}

fn tell_reload() {
    info!("Run the command:");
    info!("  # postfix reload");
    info!("if you want the new settings to take effect immediately.");
}

fn suggest(settings: &[String]) {
    info!("are typical:");
    for setting in settings {
        info!("  {setting}");
    }
}

#[cfg(test)]
mod tests;
