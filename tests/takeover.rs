//! Both ways with the distribution's Postfix: each lists and delivers the queue that the other has written.

use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use testkit::client::{Client, NextHop};
use testkit::instance::{Instance, Rights, Setup};

const POSTFIX: &str = "/usr/sbin/postfix";

/// The distribution's programs on an instance's spool, in a mount namespace of their own with its own /etc/postfix.
struct Other {
    etc: PathBuf,
}

impl Other {
    fn beside(mail: &Instance) -> Result<Self> {
        let etc = mail.root.join("etc-postfix");
        fs::create_dir(&etc)?;
        for entry in fs::read_dir("/etc/postfix")? {
            let path = entry?.path();
            let wanted = path.file_name().is_some_and(|name| {
                name.to_string_lossy().starts_with("dynamicmaps") || name.to_string_lossy().starts_with("postfix-files")
            });
            if wanted {
                let to = etc.join(path.file_name().context("name")?);
                Command::new("cp").arg("-r").arg(&path).arg(to).status()?;
            }
        }
        let ours = fs::read_to_string(mail.root.join("etc/main.cf"))?;
        let kept = |line: &&str| {
            let name = line.split('=').next().unwrap_or_default().trim();
            ![
                "command_directory",
                "daemon_directory",
                "sendmail_path",
                "mailq_path",
                "newaliases_path",
                "compatibility_level",
            ]
            .contains(&name)
        };
        let mut main: String = ours.lines().filter(kept).map(|line| format!("{line}\n")).collect();
        main.push_str(
            "compatibility_level = 3.6\ncommand_directory = /usr/sbin\ndaemon_directory = /usr/lib/postfix/sbin\n",
        );
        main.push_str("shlib_directory = /usr/lib/postfix\nmeta_directory = /etc/postfix\n");
        fs::write(etc.join("main.cf"), main)?;
        fs::copy(mail.root.join("etc/master.cf"), etc.join("master.cf"))?;
        Ok(Self { etc })
    }

    fn run(&self, program: &str, arguments: &[&str], input: &str) -> Result<Output> {
        let script = "mount --bind \"$0\" /etc/postfix && exec \"$@\"";
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-c", script]).arg(&self.etc).arg(program).args(arguments);
        command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").stdin(std::process::Stdio::piped());
        command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
        let mut child = command.spawn()?;
        std::io::Write::write_all(&mut child.stdin.take().context("stdin")?, input.as_bytes())?;
        Ok(child.wait_with_output()?)
    }

    fn text(&self, program: &str, arguments: &[&str]) -> Result<String> {
        let output = self.run(program, arguments, "")?;
        assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

#[test]
fn postfix_lists_and_delivers_what_postern_queued() -> Result<()> {
    let Some((mut mail, other, port)) = both("postfix_lists_and_delivers_what_postern_queued")? else { return Ok(()) };
    mail.start()?;
    let queued = fill(&mail, |arguments, text| mail.run("sendmail", arguments.iter().copied(), text))?;
    mail.stop()?;
    // A message that only the maildrop has.
    let dropped = mail.run("sendmail", ["-i", "-f", "a@example.net", "d@remote.example"], "Subject: dropped\n\nx\n")?;
    assert!(dropped.status.success(), "{}", String::from_utf8_lossy(&dropped.stderr));

    let listed = other.text("/usr/sbin/postqueue", &["-p"])?;
    for id in &queued {
        assert!(listed.contains(id.as_str()), "{id} not in {listed}");
        let shown = other.text("/usr/sbin/postcat", &["-q", id])?;
        assert!(shown.contains("sender: ") && shown.contains("Subject: queued"), "{shown}");
    }
    let hop = open_hop(&mail, &other, port)?;
    other.text(POSTFIX, &["start"])?;
    other.text("/usr/sbin/postsuper", &["-H", "ALL"])?;
    other.text("/usr/sbin/postqueue", &["-f"])?;
    let result = mail.wait("delivery by Postfix", || {
        let _ = other.run("/usr/sbin/postqueue", &["-f"], "");
        hop.messages().len() > queued.len()
    });
    other.text(POSTFIX, &["stop"])?;
    result?;
    assert!(hop.messages().concat().contains("Subject: dropped"));
    assert!(mail.queue_is_empty(), "{}", mail.log());
    Ok(())
}

#[test]
fn postern_lists_and_delivers_what_postfix_queued() -> Result<()> {
    let Some((mut mail, other, port)) = both("postern_lists_and_delivers_what_postfix_queued")? else { return Ok(()) };
    other.text(POSTFIX, &["start"])?;
    mail.wait("greeting of Postfix", || Client::connect(mail.port).is_ok())?;
    let queued = fill(&mail, |arguments, text| other.run("/usr/sbin/sendmail", arguments, text));
    other.text(POSTFIX, &["stop"])?;
    let queued = queued?;
    let dropped = other.run(
        "/usr/sbin/sendmail",
        &["-i", "-f", "a@example.net", "d@remote.example"],
        "Subject: dropped\n\nx\n",
    )?;
    assert!(dropped.status.success(), "{}", String::from_utf8_lossy(&dropped.stderr));

    let listed = mail.run("postqueue", ["-p"], "")?;
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    for id in &queued {
        assert!(listed.contains(id.as_str()), "{id} not in {listed}");
        let shown = mail.run("postcat", ["-q", id], "")?;
        let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
        assert!(shown.contains("sender: ") && shown.contains("Subject: queued"), "{shown}");
    }
    let hop = open_hop(&mail, &other, port)?;
    mail.start()?;
    assert!(mail.run("postsuper", ["-H", "ALL"], "")?.status.success());
    mail.wait("delivery by Postern", || {
        let _ = mail.run("postqueue", ["-f"], "");
        hop.messages().len() > queued.len()
    })?;
    assert!(hop.messages().concat().contains("Subject: dropped"));
    mail.wait("empty queue", || mail.queue_is_empty())?;
    mail.stop()
}

/// An instance with the rights of root whose next hop refuses connections, and Postfix beside it.
fn both(test: &str) -> Result<Option<(Instance, Other, u16)>> {
    if !tests::is_root(test) || !tests::has_peer(test, POSTFIX) {
        return Ok(None);
    }
    let port = testkit::instance::free_port()?;
    let mail = Setup::new().rights(Rights::Root).main("relayhost", format!("[127.0.0.1]:{port}")).create()?;
    let other = Other::beside(&mail)?;
    Ok(Some((mail, other, port)))
}

/// Deferred and held mail by SMTP and by sendmail; gives the ids.
fn fill(mail: &Instance, sendmail: impl Fn(&[&str], &str) -> Result<Output>) -> Result<Vec<String>> {
    let mut ids = Vec::new();
    let mut client = Client::connect(mail.port)?;
    client.say("EHLO client.example", 250)?;
    for number in 0..3 {
        let text =
            format!("From: a@example.net\nSubject: queued {number}\n\n{}", "A line.\n.dot\n".repeat(number * 3000));
        let reply = client.deliver("a@example.net", &["b@remote.example", "c@remote.example"], &text)?;
        ids.push(reply.queue_id().context("no id")?.to_owned());
    }
    for id in &ids {
        mail.wait_log(&[id, "status=deferred"], 2)?;
    }
    let sent = sendmail(&["-i", "-f", "a@example.net", "e@remote.example"], "Subject: queued by sendmail\n\nx\n")?;
    assert!(sent.status.success(), "{}", String::from_utf8_lossy(&sent.stderr));
    let lines = mail.wait_log(&["to=<e@remote.example>", "status=deferred"], 1)?;
    let id = lines.first().and_then(|line| line.split("]: ").nth(1)?.split(':').next()).context("id in the log")?;
    ids.push(id.to_owned());
    hold(mail, ids.first().context("an id")?)?;
    Ok(ids)
}

fn hold(mail: &Instance, id: &str) -> Result<()> {
    let held = mail.run("postsuper", ["-h", id], "")?;
    assert!(held.status.success(), "{}", String::from_utf8_lossy(&held.stderr));
    Ok(())
}

/// A next hop that takes mail, on another port than the one that refused; both configurations learn of it.
fn open_hop(mail: &Instance, other: &Other, port: u16) -> Result<NextHop> {
    let hop = NextHop::open()?;
    for file in [mail.root.join("etc/main.cf"), other.etc.join("main.cf")] {
        replace(&file, &format!("]:{port}"), &format!("]:{}", hop.port))?;
    }
    Ok(hop)
}

fn replace(file: &Path, old: &str, new: &str) -> Result<()> {
    let text = fs::read_to_string(file)?.replace(old, new);
    Ok(fs::write(file, text)?)
}
