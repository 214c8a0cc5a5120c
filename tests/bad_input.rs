//! Bad input: configuration, tables and clients that are wrong get a clear error, never a crash.

use anyhow::Result;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use testkit::client::Client;
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
    for bad in ["nonsense", "smtp inet n - x - - smtpd", "x nosuchtype n - n - - smtpd", "x unix n - n - - ../smtpd"] {
        let mut mail = Setup::new().create()?;
        let path = mail.root.join("etc/master.cf");
        let text = fs::read_to_string(&path)?;
        let line = text.lines().count() + 1;
        fs::write(&path, format!("{text}{bad}\n"))?;
        let said = refused_start(&mut mail)?;
        assert!(said.contains("master.cf") && said.contains(&format!("line {line}")), "{bad}: {said}");
    }
    Ok(())
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
        if unreadable && nix::unistd::Uid::effective().is_root() {
            // The daemons are not root, but the file must be theirs to refuse: it is root's with mode 0.
        }
        mail.start()?;
        let mut client = Client::connect(mail.port)?;
        client.say("EHLO client.example", 250)?;
        client.say("MAIL FROM:<a@example.net>", 250)?;
        let reply = client.command("RCPT TO:<postmaster@mail.example.test>")?;
        assert_eq!(reply.code, 451, "{reply:?}");
        mail.wait_log(&["etc/access"], 1)?;
        mail.stop()?;
    }
    Ok(())
}

#[test]
fn hostile_clients_get_codes_and_the_server_lives() -> Result<()> {
    let mail = Setup::new().main("smtpd_error_sleep_time", "0").main("smtpd_hard_error_limit", "1000").start()?;
    let mut client = Client::connect(mail.port)?;
    client.send(format!("EHLO {}\r\n", "x".repeat(100_000)).as_bytes())?;
    let long = client.reply()?;
    assert!(long.code >= 500, "{long:?}");
    drop(client);

    let mut client = Client::connect(mail.port)?;
    assert!(client.command("NO\0OP\0")?.code >= 500);
    assert!(client.command("\u{1}\u{2}\u{3}")?.code >= 500);
    client.say("EHLO client.example", 250)?;
    assert!(client.command("MAIL FROM:<<<<>")?.code >= 500);
    assert!(client.command("RCPT")?.code >= 500);
    assert!(client.command("BDAT many")?.code >= 500);
    drop(client);

    let mut client = Client::connect(mail.port)?;
    let _ = client.command("STARTTLS")?;
    let _ = client.send(&(0..=255).cycle().take(5000).collect::<Vec<u8>>());
    drop(client);

    // A header of a megabyte, NULs and all, is taken or refused.
    let mut client = Client::connect(mail.port)?;
    client.say("EHLO client.example", 250)?;
    client.say("MAIL FROM:<a@example.net>", 250)?;
    client.say(&format!("RCPT TO:<{}@mail.example.test>", mail.user), 250)?;
    client.say("DATA", 354)?;
    let header = format!("Subject: {}\r\nX: \0\0\r\n\r\nbody\0\r\n.\r\n", "word ".repeat(200_000));
    client.send(header.as_bytes())?;
    assert!([250, 552, 554].contains(&client.reply()?.code));
    assert!(!mail.log().contains("panic:"), "{}", mail.log());
    Ok(())
}
