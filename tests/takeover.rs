//! Both ways with the distribution's Postfix: each lists and delivers the queue that the other has written.

use anyhow::{Context, Result};
use std::collections::BTreeSet;
use std::fs;
use std::net::TcpListener;
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
    let Some((mut mail, other, hops)) = both("postfix_lists_and_delivers_what_postern_queued")? else { return Ok(()) };
    mail.start()?;
    let queued = fill(&mail, |arguments, text| mail.run("sendmail", arguments.iter().copied(), text))?;
    mail.stop()?;
    // A message that only the maildrop has.
    let dropped = mail.run("sendmail", ["-i", "-f", "a@example.net", "d@remote.example"], "Subject: dropped\n\nx\n")?;
    assert!(dropped.status.success(), "{}", String::from_utf8_lossy(&dropped.stderr));

    listed_alike(&mail, &other, &queued)?;
    let hop = hops.reopen(&mail, &other)?;
    other.text(POSTFIX, &["start"])?;
    let result =
        released(&mail, &hop, &queued, |program, arguments| other.run(&format!("/usr/sbin/{program}"), arguments, ""));
    other.text(POSTFIX, &["stop"])?;
    result?;
    delivered_once(&hop, &hops, &queued)
}

#[test]
fn postern_lists_and_delivers_what_postfix_queued() -> Result<()> {
    let Some((mut mail, other, hops)) = both("postern_lists_and_delivers_what_postfix_queued")? else { return Ok(()) };
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

    listed_alike(&mail, &other, &queued)?;
    let hop = hops.reopen(&mail, &other)?;
    mail.start()?;
    released(&mail, &hop, &queued, |program, arguments| mail.run(program, arguments, ""))?;
    mail.stop()?;
    delivered_once(&hop, &hops, &queued)
}

/// What was queued, by id.
struct Queued {
    deferred: Vec<String>,
    held: String,
    active: String,
}

impl Queued {
    fn all(&self) -> impl Iterator<Item = &String> {
        self.deferred.iter().chain([&self.held, &self.active])
    }
}

/// Where mail goes: one hop that refuses connections, one that never greets, one that takes all it gets.
struct Hops {
    refusing: u16,
    silent: TcpListener,
    good: NextHop,
}

impl Hops {
    /// From now on everything goes to a hop that takes it; both configurations learn of it.
    fn reopen(&self, mail: &Instance, other: &Other) -> Result<NextHop> {
        let hop = NextHop::open()?;
        for file in [mail.root.join("etc/main.cf"), other.etc.join("main.cf")] {
            for old in [self.refusing, self.silent.local_addr()?.port()] {
                replace(&file, &format!("]:{old}"), &format!("]:{}", hop.port))?;
            }
        }
        Ok(hop)
    }
}

/// An instance with the rights of root, and Postfix beside it.
fn both(test: &str) -> Result<Option<(Instance, Other, Hops)>> {
    if !tests::is_root(test) || !tests::has_peer(test, POSTFIX) {
        return Ok(None);
    }
    let hops = Hops {
        refusing: testkit::port::free_port()?,
        silent: TcpListener::bind("127.0.0.1:0")?,
        good: NextHop::open()?,
    };
    let mail = Setup::new()
        .rights(Rights::Root)
        .main("relayhost", format!("[127.0.0.1]:{}", hops.refusing))
        .main(
            "transport_maps",
            format!(
                "inline:{{good.example=smtp:[127.0.0.1]:{}, silent.example=smtp:[127.0.0.1]:{}}}",
                hops.good.port,
                hops.silent.local_addr()?.port()
            ),
        )
        .create()?;
    let other = Other::beside(&mail)?;
    Ok(Some((mail, other, hops)))
}

/// Deferred, held and active mail by SMTP and by sendmail; some recipients of the deferred have theirs already.
fn fill(mail: &Instance, sendmail: impl Fn(&[&str], &str) -> Result<Output>) -> Result<Queued> {
    let mut deferred = Vec::new();
    let mut client = Client::connect(mail.port)?;
    client.say("EHLO client.example", 250)?;
    for number in 0..4 {
        let text =
            format!("From: a@example.net\nSubject: queued {number}\n\n{}", "A line.\n.dot\n".repeat(number * 3000));
        let reply =
            client.deliver("a@example.net", &["b@remote.example", "c@good.example", "d@remote.example"], &text)?;
        deferred.push(reply.queue_id().context("no id")?.to_owned());
    }
    for id in &deferred {
        mail.wait_log(&[id, "status=deferred"], 2)?;
        mail.wait_log(&[id, "status=sent"], 1)?;
    }
    let sent = sendmail(&["-i", "-f", "a@example.net", "e@remote.example"], "Subject: queued by sendmail\n\nx\n")?;
    assert!(sent.status.success(), "{}", String::from_utf8_lossy(&sent.stderr));
    let lines = mail.wait_log(&["to=<e@remote.example>", "status=deferred"], 1)?;
    let id = lines.first().and_then(|line| line.split("]: ").nth(1)?.split(':').next()).context("id in the log")?;
    deferred.push(id.to_owned());
    let held = deferred.remove(0);
    let done = mail.run("postsuper", ["-h", &held], "")?;
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let reply = client.deliver("a@example.net", &["f@silent.example"], "Subject: queued active\n\nx\n")?;
    let active = reply.queue_id().context("no id")?.to_owned();
    mail.wait("active message", || mail.root.join("spool/active").join(&active).exists())?;
    Ok(Queued { deferred, held, active })
}

/// Both list the same messages in the same words, and show the same content.
fn listed_alike(mail: &Instance, other: &Other, queued: &Queued) -> Result<()> {
    let ours = |program: &str, arguments: &[&str]| -> Result<String> {
        let output = mail.run(program, arguments, "")?;
        assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let entries = |text: &str| text.split("\n\n").map(str::to_owned).collect::<BTreeSet<_>>();
    let (our_list, their_list) = (ours("postqueue", &["-p"])?, other.text("/usr/sbin/postqueue", &["-p"])?);
    assert_eq!(entries(&our_list), entries(&their_list));
    assert!(our_list.contains(&format!("{}! ", queued.held)), "not held: {our_list}");
    assert!(our_list.contains(&format!("{}* ", queued.active)), "not active: {our_list}");
    for id in queued.all() {
        assert!(our_list.contains(id.as_str()), "{id} not in {our_list}");
        let shown = ours("postcat", &["-q", id])?;
        assert!(shown.contains("sender: a@example.net\n") && shown.contains("Subject: queued"), "{shown}");
        assert_eq!(shown, other.text("/usr/sbin/postcat", &["-q", id])?);
    }
    Ok(())
}

/// Releases and flushes all, by the commands of whoever runs, and waits for the hop to have it.
fn released(
    mail: &Instance,
    hop: &NextHop,
    queued: &Queued,
    run: impl Fn(&str, &[&str]) -> Result<Output>,
) -> Result<()> {
    let done = run("postsuper", &["-H", "ALL"])?;
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    mail.wait("delivery of all", || {
        let _ = run("postqueue", &["-f"]);
        hop.messages().len() > queued.all().count()
    })?;
    mail.wait("empty queue", || mail.queue_files() == 0)
}

/// Every recipient that waited has its message once, those that had theirs have no second.
fn delivered_once(hop: &NextHop, hops: &Hops, queued: &Queued) -> Result<()> {
    let messages = hop.messages();
    let text = messages.concat();
    assert_eq!(messages.len(), queued.all().count() + 1, "{text}");
    for (recipient, count) in [("b@remote", 4), ("c@good", 0), ("d@remote", 5), ("e@remote", 1), ("f@silent", 1)] {
        assert_eq!(text.matches(&format!("RCPT TO:<{recipient}.example>")).count(), count, "{recipient}");
    }
    assert_eq!(hops.good.messages().len(), 4, "{}", hops.good.messages().concat());
    for (number, subject) in ["queued 0", "queued 1", "queued 2", "queued 3"].iter().enumerate() {
        let header = format!("\nSubject: {subject}\n");
        let message = messages.iter().find(|message| message.contains(&header)).context("a message is missing")?;
        assert_eq!(message.matches("\nA line.\n..dot").count(), number * 3000, "{subject}");
    }
    for subject in ["queued by sendmail", "queued active", "dropped"] {
        assert!(text.contains(&format!("\nSubject: {subject}\n")), "{subject} is missing");
    }
    Ok(())
}

fn replace(file: &Path, old: &str, new: &str) -> Result<()> {
    let text = fs::read_to_string(file)?.replace(old, new);
    Ok(fs::write(file, text)?)
}
