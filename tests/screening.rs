//! `postscreen`: what a client meets before `smtpd`, and what `smtpd` learns of it.

use anyhow::{Context, Result};
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;
use testkit::client::Client;
use testkit::instance::{Instance, Setup};

/// An instance with a screened port.
fn screened(change: impl FnOnce(Setup) -> Setup) -> Result<(Instance, u16)> {
    let port = testkit::port::free_port()?;
    let setup = Setup::new()
        .main("postscreen_greet_wait", "1s")
        .main("postscreen_access_list", "")
        .master(&format!("127.0.0.1:{port} inet n - n - 1 postscreen"))
        .master("smtpd pass - - n - - smtpd")
        .master("dnsblog unix - - n - 0 dnsblog");
    Ok((change(setup).start()?, port))
}

/// A client that says what it likes when it likes.
struct Eager(BufReader<TcpStream>);

impl Eager {
    fn connect(port: u16) -> Result<Self> {
        let stream = TcpStream::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))?;
        stream.set_read_timeout(Some(Duration::from_secs(20)))?;
        Ok(Self(BufReader::new(stream)))
    }

    fn say(&mut self, text: &str) -> Result<()> {
        Ok(self.0.get_mut().write_all(text.as_bytes())?)
    }

    /// The next line; nothing at the end.
    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        self.0.read_line(&mut line)?;
        Ok(line.trim_end().to_owned())
    }
}

#[test]
fn a_patient_client_is_served_and_known_again() -> Result<()> {
    let (mail, port) = screened(|setup| setup.main("postscreen_greet_action", "enforce"))?;
    let mut client = Client::connect(port)?;
    client.deliver("a@example.net", &["postmaster@mail.example.test"], "Subject: x\r\n\r\nx\r\n")?;
    mail.wait_log(&["postscreen", "PASS NEW [127.0.0.1]"], 1)?;
    let mut client = Client::connect(port)?;
    client.say("QUIT", 221)?;
    mail.wait_log(&["postscreen", "PASS OLD [127.0.0.1]"], 1)?;
    Ok(())
}

#[test]
fn what_was_passed_counts_after_a_reload_and_running_clients_are_served() -> Result<()> {
    let (mail, port) = screened(|setup| setup.main("postscreen_greet_wait", "3s"))?;
    let mut slow = Eager::connect(port)?;
    assert!(slow.line()?.starts_with("220-"));
    mail.run("postfix", ["reload"], "")?;
    assert!(slow.line()?.starts_with("220 "));
    slow.say("QUIT\r\n")?;
    assert!(slow.line()?.starts_with("221 "));
    Client::connect(port)?.say("QUIT", 221)?;
    mail.wait_log(&["postscreen", "PASS OLD [127.0.0.1]"], 1)?;
    Ok(())
}

#[test]
fn a_client_that_speaks_first_is_refused_at_its_recipients() -> Result<()> {
    let (mail, port) = screened(|setup| setup.main("postscreen_greet_action", "enforce"))?;
    let mut client = Eager::connect(port)?;
    client.say("HELO eager.example\r\n")?;
    assert!(client.line()?.starts_with("220-"));
    for (command, reply) in [
        ("", "250 mail.example.test"),
        ("MAIL FROM:<a@example.net>\r\n", "250 2.1.0 Ok"),
        ("RCPT TO:<b@mail.example.test>\r\n", "550 5.5.1 Protocol error"),
        ("QUIT\r\n", "221 2.0.0 Bye"),
    ] {
        client.say(command)?;
        assert_eq!(client.line()?, reply, "{command}");
    }
    mail.wait_log(&["PREGREET 20 after", "from [127.0.0.1]", "HELO eager.example\\r\\n"], 1)?;
    mail.wait_log(
        &["NOQUEUE: reject: RCPT from [127.0.0.1]", "550 5.5.1 Protocol error; from=<a@example.net>, to=<b@"],
        1,
    )?;
    mail.wait_log(&["DISCONNECT [127.0.0.1]"], 1)?;
    Ok(())
}

#[test]
fn access_lists_come_first() -> Result<()> {
    let (_mail, port) = screened(|setup| {
        setup.main("postscreen_access_list", "inline:{127.0.0.1=reject}").main("postscreen_denylist_action", "drop")
    })?;
    let mut client = Eager::connect(port)?;
    assert_eq!(client.line()?, "521 5.3.2 Service currently unavailable");
    assert_eq!(client.line()?, "");
    Ok(())
}

#[test]
fn a_proxy_says_who_the_client_is_and_smtpd_learns_it() -> Result<()> {
    let (mail, port) = screened(|setup| {
        setup
            .main("postscreen_upstream_proxy_protocol", "haproxy")
            .main("postscreen_access_list", "inline:{192.0.2.7=permit}")
    })?;
    let mut client = Eager::connect(port)?;
    client.say("PROXY TCP4 192.0.2.7 192.0.2.1 1234 25\r\nQUIT\r\n")?;
    assert!(client.line()?.starts_with("220 "));
    assert!(client.line()?.starts_with("221 "));
    mail.wait_log(&["postscreen", "CONNECT from [192.0.2.7]:1234 to [192.0.2.1]:25"], 1)?;
    mail.wait_log(&["smtpd", "disconnect from unknown[192.0.2.7]"], 1)?;
    Ok(())
}

#[test]
fn a_client_comes_again_after_deep_tests() -> Result<()> {
    let (mail, port) = screened(|setup| setup.main("postscreen_pipelining_enable", "yes"))?;
    let mut client = Client::connect(port)?;
    client.say("EHLO client.example", 250)?;
    client.say("MAIL FROM:<a@example.net>", 250)?;
    client.say("RCPT TO:<b@mail.example.test>", 450)?;
    client.say("QUIT", 221)?;
    mail.wait_log(&["PASS NEW [127.0.0.1]"], 1)?;
    let mut client = Client::connect(port).context("the second time")?;
    client.deliver("a@example.net", &["postmaster@mail.example.test"], "Subject: x\r\n\r\nx\r\n")?;
    Ok(())
}

#[test]
fn what_a_client_says_is_tested_to_the_end() -> Result<()> {
    let enforced = |setup: Setup| {
        ["pipelining", "non_smtp_command", "bare_newline"].into_iter().fold(setup, |setup, test| {
            setup
                .main(&format!("postscreen_{test}_enable"), "yes")
                .main(&format!("postscreen_{test}_action"), "enforce")
        })
    };
    let (mail, port) = screened(|setup| enforced(setup).main("postscreen_greet_banner", ""))?;
    let mut client = Client::connect(port)?;
    client.send(b"HELO client.example\n")?;
    client.expect(250)?;
    client.say("MAIL FROM:<a@example.net>", 250)?;
    client.say("RCPT TO:<b@mail.example.test>", 550)?;
    client.say("QUIT", 221)?;
    mail.wait_log(&["BARE NEWLINE from [127.0.0.1]", "after HELO client.example"], 1)?;
    let mut client = Client::connect(port)?;
    client.say("HELO client.example", 250)?;
    client.say("Subject: x", 502)?;
    client.say("MAIL FROM:<a@example.net>", 250)?;
    client.say("RCPT TO:<b@mail.example.test>", 550)?;
    client.send(b"RSET\r\nDATA\r\n")?;
    client.expect(250)?;
    client.expect(503)?;
    mail.wait_log(&["NON-SMTP COMMAND from [127.0.0.1]", "after HELO: Subject: x"], 1)?;
    mail.wait_log(&["COMMAND PIPELINING from [127.0.0.1]", "after RSET: DATA\\r\\n"], 1)?;
    mail.wait_log(&["DATA without valid RCPT from [127.0.0.1]"], 1)?;
    assert!(!mail.log().contains("PASS "), "nobody passed");
    Ok(())
}

#[test]
fn what_is_ignored_lets_a_client_come_again() -> Result<()> {
    let (mail, port) = screened(|setup| {
        setup
            .main("postscreen_greet_banner", "")
            .main("postscreen_pipelining_enable", "yes")
            .main("postscreen_pipelining_action", "ignore")
    })?;
    let mut client = Client::connect(port)?;
    client.send(b"HELO client.example\r\nMAIL FROM:<a@example.net>\r\nRCPT TO:<b@mail.example.test>\r\nQUIT\r\n")?;
    for code in [250, 250, 450, 221] {
        client.expect(code)?;
    }
    mail.wait_log(&["COMMAND PIPELINING from [127.0.0.1]", "after HELO: MAIL FROM:"], 1)?;
    mail.wait_log(&["PASS NEW [127.0.0.1]"], 1)?;
    let mut client = Client::connect(port)?;
    client.deliver("a@example.net", &["postmaster@mail.example.test"], "Subject: x\r\n\r\nx\r\n")?;
    mail.wait_log(&["PASS OLD [127.0.0.1]"], 1)?;
    Ok(())
}

#[test]
fn a_client_at_an_address_without_passes_is_tested_and_comes_again() -> Result<()> {
    let (mail, port) = screened(|setup| {
        setup.main("postscreen_greet_banner", "").main("postscreen_allowlist_interfaces", "!127.0.0.1, static:all")
    })?;
    let mut client = Client::connect(port)?;
    client.send(b"NOOP\n")?;
    client.expect(250)?;
    client.say("MAIL FROM:<a@example.net>", 250)?;
    client.say("RCPT TO:<b@mail.example.test>", 450)?;
    client.say("QUIT", 221)?;
    mail.wait_log(&["VETO [127.0.0.1]"], 1)?;
    mail.wait_log(&["BARE NEWLINE from [127.0.0.1]"], 1)?;
    mail.wait_log(&["DISCONNECT [127.0.0.1]"], 1)?;
    assert!(!mail.log().contains("PASS "), "it passed nothing");
    Ok(())
}

#[test]
fn a_process_limit_other_than_one_is_refused() -> Result<()> {
    for limit in ["-", "0", "2"] {
        let port = testkit::port::free_port()?;
        let mail = Setup::new().master(&format!("127.0.0.1:{port} inet n - n - {limit} postscreen")).start()?;
        let _client = Eager::connect(port)?;
        mail.wait_log(&["fatal: service 127.0.0.1:", "requires a process limit of 1"], 1)?;
    }
    Ok(())
}
