//! TLS with clients that `smtpd` has not seen: `postscreen` talks, `tlsproxy` has the keys. And with those that begin with it.

use anyhow::Result;
use std::fs;
use std::path::Path;
use testkit::client::Client;
use testkit::instance::{Instance, Setup};

/// An instance with a screened port that offers TLS.
fn screened(level: &str) -> Result<(Instance, u16)> {
    screened_with(&[("postscreen_tls_security_level", level)])
}

/// The same, with other parameters.
fn screened_with(others: &[(&str, &str)]) -> Result<(Instance, u16)> {
    let port = testkit::port::free_port()?;
    let others = others.iter().fold(Setup::new(), |setup, (name, value)| setup.main(name, *value));
    let mail = others
        .main("postscreen_greet_wait", "1s")
        .main("postscreen_access_list", "")
        .main("postscreen_bare_newline_enable", "yes")
        .main("smtpd_tls_security_level", "may")
        .main("smtpd_tls_cert_file", "{root}/etc/cert.pem")
        .main("smtpd_tls_key_file", "{root}/etc/key.pem")
        .main("smtpd_tls_loglevel", "1")
        .master(&format!("127.0.0.1:{port} inet n - n - 1 postscreen"))
        .master("smtpd pass - - n - - smtpd")
        .master("dnsblog unix - - n - 0 dnsblog")
        .master("tlsproxy unix - - n - 0 tlsproxy")
        .create()?;
    Ok((mail, port))
}

/// One that runs, with a port that begins with TLS.
fn wrapping(setup: Setup, options: &str) -> Result<(Instance, u16)> {
    let port = testkit::port::free_port()?;
    let mut mail = setup
        .main("smtpd_tls_cert_file", "{root}/etc/cert.pem")
        .main("smtpd_tls_key_file", "{root}/etc/key.pem")
        .master(&format!("127.0.0.1:{port} inet n - n - - smtpd -o smtpd_tls_wrappermode=yes {options}"))
        .create()?;
    certify(&mail)?;
    mail.start()?;
    Ok((mail, port))
}

fn certify(mail: &Instance) -> Result<()> {
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/libs/tls/src/testdata");
    for file in ["cert.pem", "key.pem"] {
        // As a file of its own, in the place of the one before.
        let place = mail.root.join("etc").join(file);
        let new = place.with_extension("new");
        fs::copy(samples.join(file), &new)?;
        fs::rename(new, place)?;
    }
    Ok(())
}

/// What a client of TLS says of the server.
fn shaken(mail: &Instance, port: u16) -> Result<String> {
    fingered(mail, &["-l", "encrypt", &format!("[127.0.0.1]:{port}")])
}

/// What a client that begins with TLS says of it.
fn wrapped(mail: &Instance, port: u16) -> Result<String> {
    fingered(mail, &["-w", "-l", "encrypt", &format!("[127.0.0.1]:{port}")])
}

fn fingered(mail: &Instance, arguments: &[&str]) -> Result<String> {
    let output = mail.run("posttls-finger", arguments, "")?;
    Ok([output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat())
}

#[test]
fn a_screened_client_speaks_tls_with_tlsproxy() -> Result<()> {
    let (mut mail, port) = screened("may")?;
    certify(&mail)?;
    mail.start()?;
    let report = shaken(&mail, port)?;
    assert!(report.contains("TLS connection established to 127.0.0.1"), "{report}");
    mail.wait_log(&["tlsproxy", "CONNECT from [127.0.0.1]"], 1)?;
    mail.wait_log(&["tlsproxy", "Anonymous TLS connection established from [127.0.0.1]", "TLSv1.3 with cipher"], 1)?;
    mail.wait_log(&["tlsproxy", "DISCONNECT [127.0.0.1]"], 1)?;
    // The next client gets a certificate that has come meanwhile, from another process.
    let tlsproxies = |mail: &Instance| -> Vec<u32> {
        mail.processes().into_iter().filter(|(_, name)| name.contains("tlsproxy")).map(|(pid, _)| pid).collect()
    };
    let before = tlsproxies(&mail);
    certify(&mail)?;
    assert!(shaken(&mail, port)?.contains("TLS connection established to 127.0.0.1"));
    let after = tlsproxies(&mail);
    assert!(after.iter().any(|pid| !before.contains(pid)), "{before:?} {after:?}");
    Ok(())
}

#[test]
fn tls_is_demanded_and_what_comes_behind_starttls_is_not_heard() -> Result<()> {
    let (mut mail, port) = screened("encrypt")?;
    certify(&mail)?;
    mail.start()?;
    let mut client = Client::connect(port)?;
    client.say("EHLO client.example", 250)?;
    let refused = client.say("MAIL FROM:<a@a.example>", 530)?;
    assert!(refused.text().contains("5.7.0 Must issue a STARTTLS command first"), "{}", refused.text());
    // What comes in clear behind it is thrown away, and no handshake follows.
    client.send(b"STARTTLS\r\nMAIL FROM:<b@b.example>\r\n")?;
    client.expect(220)?;
    client.send(b"RCPT TO:<c@c.example>\r\n")?;
    mail.wait_log(&["tlsproxy", "TLS handshake failed for service=smtpd peer=[127.0.0.1]"], 1)?;
    mail.wait_log(&["postscreen", "HANGUP after", "in tests after SMTP handshake"], 1)?;
    assert!(!mail.log().contains("b.example") && !mail.log().contains("c.example"));
    Ok(())
}

#[test]
fn without_a_certificate_clients_hear_so_and_stay() -> Result<()> {
    let (mut mail, port) = screened("may")?;
    mail.start()?;
    let mut client = Client::connect(port)?;
    client.say("EHLO client.example", 250)?;
    client.say("STARTTLS", 454)?;
    client.say("NOOP", 250)?;
    client.say("QUIT", 221)?;
    mail.wait_log(&["tlsproxy", "disabling TLS support"], 1)?;
    mail.wait_log(&["postscreen", "problem receiving status from private/tlsproxy service"], 1)?;
    Ok(())
}

#[test]
fn a_handshake_has_its_own_time() -> Result<()> {
    let (mut mail, port) =
        screened_with(&[("postscreen_tls_security_level", "may"), ("postscreen_starttls_timeout", "1s")])?;
    certify(&mail)?;
    mail.start()?;
    let mut client = Client::connect(port)?;
    client.say("EHLO client.example", 250)?;
    client.say("STARTTLS", 220)?;
    mail.wait_log(&["tlsproxy", "ciphertext read/write timeout for [127.0.0.1]"], 1)?;
    mail.wait_log(&["postscreen", "HANGUP after", "in tests after SMTP handshake"], 1)?;
    Ok(())
}

#[test]
fn a_client_that_begins_too_many_sessions_with_tls_is_refused() -> Result<()> {
    let limits = Setup::new()
        .main("smtpd_client_new_tls_session_rate_limit", "1")
        .main("smtpd_client_event_limit_exceptions", "");
    let (mail, port) = wrapping(limits, "")?;
    assert!(wrapped(&mail, port)?.contains("220 "));
    // The session that is one too many hears so, and the next one nothing.
    assert!(wrapped(&mail, port)?.contains("Error: too many new TLS sessions from"));
    mail.wait_log(&["smtpd", "New TLS session rate limit exceeded: 2 from"], 1)?;
    assert!(!wrapped(&mail, port)?.contains("TLS connection established"));
    mail.wait_log(&["smtpd", "Refusing TLS service request from"], 1)?;
    Ok(())
}

#[test]
fn certificates_can_be_required_where_clients_begin_with_tls() -> Result<()> {
    let (mail, port) = wrapping(Setup::new(), "-o smtpd_tls_security_level=may -o smtpd_tls_req_ccert=yes")?;
    let said = wrapped(&mail, port)?;
    assert!(said.contains("421 4.7.1 ") && said.contains("Error: No client certificate presented"), "{said}");
    Ok(())
}
