//! The distribution's own master.cf, chroot `y` on most services: mail in and out with nothing copied into the spool.

use anyhow::{Context, Result};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::process::{Command, Stdio};
use testkit::client::{Client, NextHop};
use testkit::instance::{Rights, Setup};

/// Services that a distribution runs chrooted, with the fifth column `y`.
const CHROOTED: [&str; 19] = [
    "pickup    unix  n - y 60    1 pickup",
    "cleanup   unix  n - y -     0 cleanup",
    "tlsmgr    unix  - - y 1000? 1 tlsmgr",
    "rewrite   unix  - - y -     - trivial-rewrite",
    "bounce    unix  - - y -     0 bounce",
    "defer     unix  - - y -     0 bounce",
    "trace     unix  - - y -     0 bounce",
    "verify    unix  - - y -     1 verify",
    "flush     unix  n - y 1000? 0 flush",
    "smtp      unix  - - y -     - smtp",
    "relay     unix  - - y -     - smtp",
    "showq     unix  n - y -     - showq",
    "error     unix  - - y -     - error",
    "retry     unix  - - y -     - error",
    "discard   unix  - - y -     - discard",
    "lmtp      unix  - - y -     - lmtp",
    "anvil     unix  - - y -     1 anvil",
    "dnsblog   unix  - - y -     0 dnsblog",
    "scache    unix  - - y -     1 scache",
];

#[test]
fn chrooted_services_need_nothing_in_the_spool() -> Result<()> {
    if !tests::is_root("chrooted_services_need_nothing_in_the_spool") {
        return Ok(());
    }
    let hop = NextHop::open()?;
    let port = testkit::port::free_port()?;
    let mut setup = Setup::new()
        .rights(Rights::Root)
        .main("transport_maps", "texthash:{root}/etc/transport")
        .main("smtpd_sender_restrictions", "check_sender_access texthash:{root}/etc/senders")
        .master(&format!("127.0.0.1:{port} inet n - y - - smtpd"));
    for line in CHROOTED {
        setup = setup.master(line);
    }
    let mut mail = setup.create()?;
    // A secret table, and one that will change.
    let secret = mail.root.join("etc/transport");
    fs::write(&secret, format!("remote.example smtp:[localhost]:{}\n", hop.port))?;
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o600))?;
    fs::write(mail.root.join("etc/senders"), "bad@example.net REJECT first\n")?;
    mail.start()?;
    let deliver = |subject: &str, recipient: &str| -> Result<()> {
        let mut client = Client::connect(port)?;
        client.say("EHLO client.example", 250)?;
        client.deliver("a@example.net", &[recipient], &format!("Subject: {subject}\n\nx\n"))?;
        Ok(())
    };
    deliver("by the hosts file", "b@remote.example")?;
    mail.wait("relayed mail", || hop.messages().concat().contains("Subject: by the hosts file"))?;
    deliver("to a mailbox", "nobody@mail.example.test")?;
    mail.wait("local mail", || mail.mailbox("nobody").contains("Subject: to a mailbox"))?;
    let sent = mail.run("sendmail", ["-i", "nobody@mail.example.test"], "Subject: by sendmail\n\nx\n")?;
    assert!(sent.status.success());
    mail.wait("local mail", || mail.mailbox("nobody").contains("Subject: by sendmail"))?;

    assert_eq!(refusal(port, "bad@example.net")?, 554);
    assert_eq!(refusal(port, "worse@example.net")?, 250);
    fs::write(mail.root.join("etc/senders"), "worse@example.net REJECT now\n")?;
    mail.wait("the changed table", || refusal(port, "worse@example.net").is_ok_and(|code| code == 554))?;
    assert_eq!(refusal(port, "bad@example.net")?, 250);

    assert!(mail.run("postfix", ["reload"], "")?.status.success());
    mail.wait_log(&["master[", "reload"], 1)?;
    deliver("after reload", "b@remote.example")?;
    mail.wait("relayed mail", || hop.messages().concat().contains("Subject: after reload"))?;
    for name in ["etc", "lib", "usr", "dev"] {
        assert!(!mail.root.join("spool").join(name).exists(), "{name} in the spool");
    }
    mail.stop()
}

/// The code of RCPT for a sender.
fn refusal(port: u16, sender: &str) -> Result<u16> {
    let mut client = Client::connect(port)?;
    client.say("EHLO client.example", 250)?;
    client.say(&format!("MAIL FROM:<{sender}>"), 250)?;
    Ok(client.command("RCPT TO:<b@remote.example>")?.code)
}

#[test]
fn chrooted_services_log_to_syslog() -> Result<()> {
    if !tests::is_root("chrooted_services_log_to_syslog") {
        return Ok(());
    }
    let mut setup = Setup::new().rights(Rights::Root).main("maillog_file", "");
    for line in CHROOTED {
        setup = setup.master(line);
    }
    let mail = setup.create()?;
    let path = mail.root.join("log");
    let socket = UnixDatagram::bind(&path)?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o666))?;
    // Read from the start on, as a syslogd does: what nobody reads makes a writer wait.
    let (line, lines) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let mut bytes = [0; 4096];
        while let Ok(count) = socket.recv(&mut bytes) {
            let text = String::from_utf8_lossy(bytes.get(..count).unwrap_or_default()).into_owned();
            if line.send(text).is_err() {
                return;
            }
        }
    });
    // A /dev/log of the test's own, in a mount namespace of its own.
    let script = "[ -e /dev/log ] || : >/dev/log; mount --bind \"$0\" /dev/log && exec \"$@\"";
    let start = |action: &str| -> Result<()> {
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-c", script]).arg(&path).arg(mail.root.join("bin/postfix")).arg(action);
        command.env("MAIL_CONFIG", mail.root.join("etc")).stdout(Stdio::null()).stderr(Stdio::null());
        assert!(command.status()?.success(), "{action}");
        Ok(())
    };
    start("start")?;
    mail.wait("greeting", || Client::connect(mail.port).is_ok())?;
    let mut client = Client::connect(mail.port)?;
    client.say("EHLO client.example", 250)?;
    let id = client
        .deliver("a@example.net", &["nobody@mail.example.test"], "Subject: x\n\nx\n")?
        .queue_id()
        .context("id")?
        .to_owned();
    let mut seen = String::new();
    while !["cleanup[", "qmgr[", "removed"].iter().all(|word| seen.contains(word)) {
        let line = lines.recv_timeout(testkit::instance::PATIENCE).with_context(|| seen.clone())?;
        assert!(line.starts_with('<'), "no priority: {line}");
        if line.contains(&id) {
            seen.push_str(&line);
        }
    }
    start("stop")
}
