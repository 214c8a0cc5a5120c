//! A full disk: mail is refused for now, nothing that was accepted is lost, and all goes on when there is room.

use anyhow::Result;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use testkit::client::Client;
use testkit::instance::Setup;

/// A small file system for a spool; gone with this value.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(at: PathBuf) -> Result<Self> {
        fs::create_dir_all(&at)?;
        mount(Some("tmpfs"), &at, Some("tmpfs"), MsFlags::empty(), Some("size=3m"))?;
        Ok(Self(at))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = umount2(&self.0, MntFlags::MNT_DETACH);
    }
}

#[test]
fn a_full_disk_refuses_for_now_and_recovers() -> Result<()> {
    if !tests::is_root("a_full_disk_refuses_for_now_and_recovers") {
        return Ok(());
    }
    let folder = tempfile::tempdir()?;
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755))?;
    let disk = SmallDisk::mount(folder.path().join("spool"))?;
    let refused = testkit::port::free_port()?;
    let mut mail = Setup::new()
        .folder(folder.path())
        .main("relayhost", format!("[127.0.0.1]:{refused}"))
        .main("queue_minfree", "0")
        .main("message_size_limit", "1000000")
        .start()?;

    let big = format!("Subject: big\n\n{}", "A line of some length, to fill the disk with.\n".repeat(8000));
    let mut accepted = Vec::new();
    let refusal = loop {
        match attempt(mail.port, &big)? {
            Ok(id) => accepted.push(id),
            Err(code) => break code,
        }
        assert!(accepted.len() < 100, "the disk never fills");
    };
    assert!((400..500).contains(&refusal), "{refusal}");
    assert!(!accepted.is_empty());

    // Room again: what was accepted is still there, and new mail is taken.
    let deleted = accepted.remove(0);
    assert!(mail.run("postsuper", ["-d", &deleted], "")?.status.success());
    mail.wait("acceptance", || matches!(attempt(mail.port, "Subject: small\n\nx\n"), Ok(Ok(_))))?;
    let listed = mail.run("postqueue", ["-j"], "")?;
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    for id in &accepted {
        assert!(listed.contains(id.as_str()), "{id} is gone: {listed}");
    }
    assert!(!mail.log().contains("panic"), "{}", mail.log());
    mail.stop()?;
    drop(disk);
    Ok(())
}

/// Sends a message: its id, or the code of the refusal.
fn attempt(port: u16, text: &str) -> Result<Result<String, u16>> {
    let mut client = Client::connect(port)?;
    client.say("EHLO client.example", 250)?;
    for line in ["MAIL FROM:<a@example.net>", "RCPT TO:<a@remote.example>", "DATA"] {
        let reply = client.command(line)?;
        if reply.code >= 400 {
            return Ok(Err(reply.code));
        }
    }
    client.send(text.replace('\n', "\r\n").as_bytes())?;
    let reply = client.command(".")?;
    Ok(if reply.code == 250 { Ok(reply.queue_id().unwrap_or_default().to_owned()) } else { Err(reply.code) })
}
