//! Keys and certificates of a mail system that is only a directory.

use super::*;
use std::fs;

fn instance(main_cf: &str) -> (tempfile::TempDir, Instance) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().display();
    let text = format!("queue_directory = {path}\nmyhostname = mail.example.org\n{main_cf}");
    fs::write(directory.path().join("main.cf"), text).unwrap();
    let source = config::Source::load(directory.path()).unwrap();
    let instance = Instance::of(source).unwrap();
    (directory, instance)
}

fn words(line: &str) -> Vec<String> {
    line.split_whitespace().map(str::to_owned).collect()
}

#[test]
fn what_an_admin_has_set_is_not_overwritten() {
    for (main_cf, side, is_default) in [
        ("", "smtp", true),
        ("smtp_tls_loglevel = 1", "smtp", true),
        ("smtp_tls_security_level =", "smtp", true),
        ("smtp_tls_security_level = may", "smtp", false),
        ("smtp_tls_security_level = may", "smtpd", true),
        ("smtpd_tls_eccert_file = /x", "smtpd", false),
    ] {
        let (_directory, instance) = instance(main_cf);
        let tls = Tls { instance: &instance, openssl: Openssl::find(&instance).unwrap() };
        assert_eq!(tls.is_default(side), is_default, "{main_cf}");
    }
}

#[test]
fn a_key_and_its_certificate_belong_together() {
    let (directory, instance) = instance("");
    let tls = Tls { instance: &instance, openssl: Openssl::find(&instance).unwrap() };
    for (algorithm, prefix) in [(Algorithm::Rsa, ""), (Algorithm::Ecdsa, "ec")] {
        tls.new_key(&words(&format!("-a {} mx.example.org", algorithm.name()))).unwrap();
        let file = |kind: &str| {
            let begins = format!("{prefix}{kind}-");
            let entries = fs::read_dir(directory.path()).unwrap().flatten();
            let mut paths = entries.map(|entry| entry.path());
            let path = paths.find(|path| path.file_name().unwrap().to_str().unwrap().starts_with(&begins));
            path.unwrap().display().to_string()
        };
        let (certificate, key) = (file("cert"), file("key"));
        assert_eq!(tls.openssl.algorithm(&key).unwrap(), algorithm);
        assert_eq!(tls.openssl.certified_key(&certificate).unwrap(), tls.openssl.public_key(&key).unwrap());
        assert_eq!(tls.openssl.digest(&key).unwrap().len(), 64);
        assert!(tls.openssl.request(&key, &words("a.example b.example")).unwrap().starts_with(b"-----BEGIN CERT"));
    }
}

#[test]
fn what_is_no_key_is_refused() {
    let (_directory, instance) = instance("");
    let tls = Tls { instance: &instance, openssl: Openssl::find(&instance).unwrap() };
    let told = tls.deploy_given(&words("main.cf main.cf")).unwrap_err().to_string();
    assert!(told.starts_with("no private key found in file: ") && told.ends_with("/main.cf"), "{told}");
    let told = tls.output_request(&[]).unwrap_err().to_string();
    assert_eq!(told, "No usable keyfile specified or configured");
    let told = tls.new_key(&words("-a dsa")).unwrap_err().to_string();
    assert_eq!(told, "Unsupported public key algorithm: dsa");
}
