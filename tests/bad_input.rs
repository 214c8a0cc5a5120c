//! Bad input: configuration, tables and clients that are wrong get a clear error, never a crash.

use anyhow::Result;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use testkit::client::{Client, NextHop};
use testkit::instance::{Instance, Setup};

/// What a refused start says, to the terminal and to the log.
fn refused_start(mail: &mut Instance) -> Result<String> {
    let output = mail.run("postfix", ["start"], "")?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success(), "started: {said}");
    Ok(said + &mail.log())
}

#[test]
fn a_wrong_main_cf_line_is_named() -> Result<()> {
    let mut mail = Setup::new().create()?;
    let path = mail.root.join("etc/main.cf");
    let text = fs::read_to_string(&path)?;
    let line = text.lines().count() + 1;
    fs::write(&path, text + "this is no setting\n")?;
    let said = refused_start(&mut mail)?;
    assert!(said.contains("main.cf") && said.contains(&format!("line {line}")), "{said}");
    Ok(())
}

#[test]
fn a_wrong_value_is_named() -> Result<()> {
    let mut mail = Setup::new().main("queue_directory", "relative").create()?;
    let said = refused_start(&mut mail)?;
    assert!(said.contains("queue_directory"), "{said}");
    Ok(())
}

#[test]
fn a_wrong_master_cf_line_is_named() -> Result<()> {
    for bad in [
        "nonsense",
        "smtp inet n - x - - smtpd",
        "x nosuchtype n - n - - smtpd",
        "x unix n - n soon - smtpd",
        "x unix n - n - many smtpd",
        "x unix n - n - -",
        "x unix n - n - - smtpd {",
        "no.such.host.invalid:2525 inet n - n - - smtpd",
        "127.0.0.1:no-such-service inet n - n - - smtpd",
    ] {
        let mut mail = Setup::new().create()?;
        let path = mail.root.join("etc/master.cf");
        let text = fs::read_to_string(&path)?;
        let line = text.lines().count() + 1;
        fs::write(&path, format!("{text}{bad}\n"))?;
        let said = refused_start(&mut mail)?;
        assert!(said.contains(&format!("etc/master.cf: line {line}: ")), "{bad}: {said}");
        mail.wait("end of all processes", || mail.processes().is_empty())?;
    }
    Ok(())
}

#[test]
fn a_program_that_is_not_there_is_named_and_the_rest_works() -> Result<()> {
    let mut mail = Setup::new()
        .master("bounce unix - - n - 0 ../no-such-program")
        .main("service_throttle_time", "1s")
        .main("ipc_timeout", "2s")
        .start()?;
    let user = format!("{}@mail.example.test", mail.user);
    let mut client = Client::connect(mail.port)?;
    client.say("EHLO client.example", 250)?;
    client.deliver("a@example.net", &[&user], "Subject: all the same\n\nx\n")?;
    mail.wait("the message", || mail.mailbox(&mail.user).contains("Subject: all the same"))?;
    // A recipient that is unknown to local only makes it ask for bounce.
    let sent = mail.run("sendmail", ["-i", "-f", &user, "no-such-user@mail.example.test"], "Subject: lost?\n\nx\n")?;
    assert!(sent.status.success());
    mail.wait_log(&["master[", "no-such-program"], 1)?;
    mail.wait_log(&["to=<no-such-user@mail.example.test>", "status=deferred"], 1)?;
    mail.stop()
}

#[test]
fn a_restriction_that_is_cut_at_a_blank_serves_nobody() -> Result<()> {
    let port = testkit::port::free_port()?;
    let restriction = "smtpd_client_restrictions=permit_mynetworks, reject";
    let mut mail = Setup::new().master(&format!("127.0.0.1:{port} inet n - n - - smtpd -o {restriction}")).start()?;
    std::net::TcpStream::connect(("127.0.0.1", port))?;
    mail.wait_log(&["smtpd[", "fatal: unexpected command-line argument: reject"], 1)?;
    mail.stop()
}

#[test]
fn a_missing_or_unreadable_table_defers_and_says_so() -> Result<()> {
    let mail = Setup::new()
        .main("smtpd_recipient_restrictions", "check_recipient_access texthash:{root}/etc/access, permit")
        .create()?;
    let table = mail.root.join("etc/access");
    let mut mail = mail;
    for unreadable in [false, true] {
        if unreadable {
            fs::write(&table, "a@example.net OK\n")?;
            fs::set_permissions(&table, fs::Permissions::from_mode(0o000))?;
        }
        mail.start()?;
        let mut client = Client::connect(mail.port)?;
        client.say("EHLO client.example", 250)?;
        client.say("MAIL FROM:<a@example.net>", 250)?;
        let reply = client.command("RCPT TO:<postmaster@mail.example.test>")?;
        assert_eq!(reply.code, 451, "{reply:?}");
        mail.wait_log(&["etc/access"], 1)?;
        if !unreadable {
            fs::write(&table, "postmaster@mail.example.test REJECT found\n")?;
            mail.wait("a process that finds the table", || is_refused(mail.port).unwrap_or(false))?;
        }
        mail.stop()?;
    }
    Ok(())
}

/// Whether the table has been read.
fn is_refused(port: u16) -> Result<bool> {
    let mut client = Client::connect(port)?;
    client.say("EHLO client.example", 250)?;
    client.say("MAIL FROM:<a@example.net>", 250)?;
    Ok(client.command("RCPT TO:<postmaster@mail.example.test>")?.text().contains("found"))
}

/// Commands that no client should send, and what they get.
const HOSTILE: [(&[u8], &str); 22] = [
    (b"NO\0OP\0", "500 5.5.2 Error: command not recognized"),
    (b"FOO \x01\x02", "500 5.5.2 Error: command not recognized"),
    (b"\xff\xfe", "500 5.5.2 Error: bad UTF-8 syntax"),
    (b"", "500 5.5.2 Error: bad syntax"),
    (b"HELO", "501 Syntax: HELO hostname"),
    (b"EHLO", "501 Syntax: EHLO hostname"),
    (b"HELO client.example", "250 mail.example.test"),
    (b"MAIL", "501 5.5.4 Syntax: MAIL FROM:<address>"),
    (b"MAIL FROM:<<<<>", "501 5.1.7 Bad sender address syntax"),
    (b"MAIL FROM:<a\0b@x.example>", "501 5.1.7 Bad sender address syntax"),
    (b"MAIL FROM:<a@x.example> SIZE=many", "501 5.5.4 Bad message size syntax"),
    ("MAIL FROM:<a@é.example>".as_bytes(), "501 5.1.7 Bad sender address syntax"),
    (b"MAIL FROM:<big@x.example> SIZE=99999999999", "552 5.3.4 Message size exceeds fixed limit"),
    (b"MAIL FROM:<a@x.example>", "250 2.1.0 Ok"),
    (b"BDAT 0 LAST", "554 5.5.1 Error: no valid recipients"),
    (b"RCPT", "503 5.5.1 Error: need MAIL command"),
    (b"HELO <client> example", "250 mail.example.test"),
    (b"DATA", "503 5.5.1 Error: need RCPT command"),
    (b"STARTTLS", "502 5.5.1 Error: command not implemented"),
    (b"STARTTLS \0\xc3\xa9 garbage", "502 5.5.1 Error: command not implemented"),
    (b"AUTH \0", "503 5.5.1 Error: authentication not enabled"),
    (b"BDAT many", "521 5.5.4 Syntax: BDAT count [LAST]"),
];

#[test]
fn hostile_commands_get_codes() -> Result<()> {
    let mail = hardened()?;
    let mut client = Client::connect(mail.port)?;
    for (command, expected) in HOSTILE {
        client.send(&[command, b"\r\n"].concat())?;
        let reply = client.reply()?;
        let shown = String::from_utf8_lossy(command);
        assert_eq!(format!("{} {}", reply.code, reply.text()), expected, "{shown:?}");
    }
    assert!(client.reply().is_err(), "no hang-up after a bad BDAT");
    mail.wait_log(
        &["552 5.3.4 Message size exceeds fixed limit; from=<big@x.example> proto=SMTP helo=<client.example>"],
        1,
    )?;

    // What is no command of SMTP at all ends the session.
    for line in [&b"\x01\x02\x03"[..], b"GET / HTTP/1.1", b"X-Header: y"] {
        let mut client = Client::connect(mail.port)?;
        client.send(&[line, b"\r\n"].concat())?;
        assert_eq!(client.reply()?.code, 221, "{line:?}");
        assert!(client.reply().is_err(), "no hang-up after {line:?}");
    }
    let mut client = Client::connect(mail.port)?;
    client.send(b"\x16\x03\x01\x02\0\x01\0\x01\xfc\r\n")?;
    client.expect(500)?;
    mail.wait_log(&["non-SMTP command from localhost[127.0.0.1]: \\001\\002\\003"], 1)?;
    unharmed(&mail)
}

#[test]
fn overlong_input_has_bounds() -> Result<()> {
    let mail = hardened()?;
    let mut client = Client::connect(mail.port)?;
    client.say(&format!("EHLO {}", "x".repeat(4000)), 500)?;
    client.say("EHLO client.example", 250)?;
    drop(client);
    // Far beyond the limit the client is dropped, whether or not it is told.
    let mut client = Client::connect(mail.port)?;
    let sent = client.send(format!("EHLO {}\r\n", "x".repeat(1_000_000)).as_bytes());
    assert!(sent.is_err() || client.reply().map_or(true, |reply| reply.code >= 421));
    drop(client);
    // So is one that sends no line ends at all.
    let mut client = Client::connect(mail.port)?;
    client.say("EHLO client.example", 250)?;
    let junk: Vec<u8> = (11..=255).cycle().take(1_000_000).collect();
    assert!(client.send(&junk).is_err() || client.reply().map_or(true, |reply| reply.code >= 421));
    drop(client);

    // A header of a megabyte, and NULs: taken, or refused with a code that says why.
    let mut client = Client::connect(mail.port)?;
    client.say("EHLO client.example", 250)?;
    client.say("MAIL FROM:<a@example.net>", 250)?;
    client.say(&format!("RCPT TO:<{}@mail.example.test>", mail.user), 250)?;
    client.say("DATA", 354)?;
    let header = format!("Subject: {}\r\nX: \0\0\r\n\r\nbody\0body\r\n.\r\n", "word ".repeat(200_000));
    client.send(header.as_bytes())?;
    client.expect(250)?;
    mail.wait("the message", || mail.mailbox(&mail.user).contains("\nbody\0body\n"))?;
    // More recipients and more headers than there is room for.
    client.say("MAIL FROM:<a@example.net>", 250)?;
    let last = (0..1100).map(|number| client.command(&format!("RCPT TO:<r{number}@remote.example>")));
    let codes = last.map(|reply| reply.map(|reply| reply.code)).collect::<Result<Vec<_>>>()?;
    assert_eq!((codes.first(), codes.get(999), codes.get(1000)), (Some(&250), Some(&250), Some(&452)));
    unharmed(&mail)
}

/// An instance without patience for errors, but with no limit to their number.
fn hardened() -> Result<Instance> {
    Setup::new()
        .main("smtpd_error_sleep_time", "0")
        .main("smtpd_soft_error_limit", "10000")
        .main("smtpd_hard_error_limit", "10000")
        .start()
}

/// No daemon has died, and mail is still taken.
fn unharmed(mail: &Instance) -> Result<()> {
    let user = format!("{}@mail.example.test", mail.user);
    let mut client = Client::connect(mail.port)?;
    client.say("EHLO client.example", 250)?;
    client.deliver("a@example.net", &[&user], "Subject: after all that\n\nx\n")?;
    mail.wait("mail", || mail.mailbox(&mail.user).contains("Subject: after all that"))?;
    let log = mail.log();
    for word in ["panic:", "fatal:", "error:", "killed by signal", "exit status"] {
        assert!(!log.contains(word), "{word} in {log}");
    }
    Ok(())
}

#[test]
fn content_that_is_damaged_in_the_queue_is_kept_for_the_admin() -> Result<()> {
    let hop = NextHop::open()?;
    let mail = Setup::new()
        .main("relayhost", format!("[127.0.0.1]:{}", hop.port))
        .main("smtpd_data_restrictions", "check_sender_access inline:{held@mail.example.test=HOLD}")
        .start()?;
    let mailbox = format!("{}@mail.example.test", mail.user);
    for recipient in [mailbox.as_str(), "a@one.example"] {
        let text = "From: held@mail.example.test\n\nThe text.\n";
        let mut client = Client::connect(mail.port)?;
        client.say("EHLO client.example", 250)?;
        let id =
            client.deliver("held@mail.example.test", &[recipient], text)?.queue_id().unwrap_or_default().to_owned();
        let held = mail.root.join("spool/hold").join(&id);
        let mut bytes = fs::read(&held)?;
        let at = bytes.windows(11).position(|found| found == b"N\x09The text.").expect("the text");
        bytes[at] = b'?';
        fs::write(&held, bytes)?;
        assert!(mail.run("postsuper", ["-H", &id], "")?.status.success());
        assert!(mail.run("postqueue", ["-f"], "")?.status.success());
        mail.wait_log(&[&format!("corrupted queue file: active/{id}")], 1)?;
        mail.wait_log(&[&format!("saving corrupt file \"{id}\" from queue \"active\" to queue \"corrupt\"")], 1)?;
        assert!(mail.root.join("spool/corrupt").join(&id).exists());
        assert!(!mail.log().contains(&format!("{id}: to=")), "{}", mail.log());
    }
    assert_eq!((hop.count(), mail.mailbox(&mail.user).as_str()), (0, ""));
    mail.wait("empty queue", || mail.queue_is_empty())
}
