//! `demo`: a private instance that receives, delivers and relays mail before your eyes.

use crate::build::{self, Profile};
use anyhow::{Context, Result, bail};
use std::ffi::OsString;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use testkit::instance::{Instance, Setup, free_port};

/// `cargo xtask demo`.
#[expect(clippy::print_stdout, reason = "the demo is there to be seen")]
pub(crate) fn run(arguments: &[OsString]) -> Result<()> {
    let keep = match arguments {
        [] => false,
        [option] if option == "--keep" => true,
        _ => bail!("demo knows --keep only"),
    };
    build::programs(&Profile::dev())?;
    let hop = NextHop::open()?;
    let port = hop.port;
    let mut mail = start(port)?;
    println!("A private instance runs below {} and listens on 127.0.0.1:{}.\n", mail.root.display(), mail.port);
    let user = format!("{}@mail.example.test", mail.user);

    submit(mail.port, &user, "by SMTP")?;
    let sent = mail.run("sendmail", ["-i", &user], "Subject: by sendmail\n\nHello from the sendmail command.\n")?;
    if !sent.status.success() {
        bail!("sendmail: {}", String::from_utf8_lossy(&sent.stderr));
    }
    submit(mail.port, "someone@remote.example", "to a remote domain")?;

    let name = mail.user.clone();
    mail.wait("mail in the mailbox", || {
        ["by SMTP", "by sendmail"].iter().all(|subject| mail.mailbox(&name).contains(subject))
    })?;
    println!("The mailbox {}:\n{}", mail.root.join("mail").join(&name).display(), indent(&mail.mailbox(&name)));
    println!("What the next hop of remote.example on 127.0.0.1:{} received:\n{}", port, indent(&hop.received()?));
    mail.wait("empty queue", || mail.queue_is_empty())?;
    println!("mailq:\n{}", indent(&String::from_utf8_lossy(&mail.run("mailq", [""; 0], "")?.stdout)));
    println!("The log {}:\n{}", mail.root.join("maillog").display(), indent(&mail.log()));
    places(&mail);
    if keep {
        println!("It keeps running. To stop it: MAIL_CONFIG={0}/etc {0}/bin/postfix stop", mail.root.display());
        mail.leave();
        return Ok(());
    }
    mail.stop()
}

fn start(hop: u16) -> Result<Instance> {
    Setup::new().programs(Profile::dev().folder()).main("relayhost", format!("[127.0.0.1]:{hop}")).start()
}

#[expect(clippy::print_stdout, reason = "the demo is there to be seen")]
fn places(mail: &Instance) {
    println!("Configuration: {0}/etc  queue: {0}/spool  mailboxes: {0}/mail  programs: {0}/bin", mail.root.display());
}

fn indent(text: &str) -> String {
    text.lines().map(|line| format!("  | {line}\n")).collect()
}

/// Speaks SMTP to the instance.
fn submit(port: u16, recipient: &str, subject: &str) -> Result<()> {
    let stream = TcpStream::connect(("127.0.0.1", port))?;
    let mut replies = BufReader::new(stream.try_clone()?);
    let mut say = |words: &str, code: &str| -> Result<()> {
        (&stream).write_all(words.as_bytes())?;
        loop {
            let mut line = String::new();
            replies.read_line(&mut line)?;
            if !line.starts_with(code) {
                bail!("to {words:?}, the reply was {line:?}");
            }
            if line.get(3..4) == Some(" ") {
                return Ok(());
            }
        }
    };
    say("", "220")?;
    say("EHLO client.example\r\n", "250")?;
    say("MAIL FROM:<sender@client.example>\r\n", "250")?;
    say(&format!("RCPT TO:<{recipient}>\r\n"), "250")?;
    say("DATA\r\n", "354")?;
    say(
        &format!(
            "From: <sender@client.example>\r\nTo: <{recipient}>\r\nSubject: {subject}\r\n\r\nHello by SMTP.\r\n.\r\n"
        ),
        "250",
    )?;
    say("QUIT\r\n", "221")
}

/// The mail server of another domain, as small as can be: it takes one message.
struct NextHop {
    port: u16,
    session: std::thread::JoinHandle<Result<String>>,
}

impl NextHop {
    fn open() -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", free_port()?))?;
        let port = listener.local_addr()?.port();
        Ok(Self { port, session: std::thread::spawn(move || take_one(&listener)) })
    }

    fn received(self) -> Result<String> {
        self.session.join().map_err(|_| anyhow::anyhow!("the next hop failed"))?
    }
}

fn take_one(listener: &TcpListener) -> Result<String> {
    let (stream, _) = listener.accept()?;
    let mut out = stream.try_clone()?;
    let mut heard = String::new();
    out.write_all(b"220 remote.example ESMTP\r\n")?;
    let mut content = false;
    for line in BufReader::new(stream).lines() {
        let line = line.context("read from the instance")?;
        heard.push_str(&line);
        heard.push('\n');
        let reply: &[u8] = match (content, line.as_str()) {
            (true, ".") => {
                content = false;
                b"250 taken\r\n"
            }
            (true, _) => continue,
            (false, "DATA") => {
                content = true;
                b"354 go on\r\n"
            }
            (false, "QUIT") => {
                out.write_all(b"221 bye\r\n")?;
                break;
            }
            (false, _) => b"250 ok\r\n",
        };
        out.write_all(reply)?;
    }
    Ok(heard)
}
