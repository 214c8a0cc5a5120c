//! A blocking SMTP client that says what a test tells it to say, and a next hop that takes what it gets.

use anyhow::{Context, Result, bail};
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How long either waits for its peer.
const PATIENCE: Duration = Duration::from_secs(60);

/// A connection to an SMTP server.
#[derive(Debug)]
pub struct Client {
    stream: BufReader<TcpStream>,
}

/// A complete reply: its code and its lines' text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The three digits.
    pub code: u16,
    /// The text of each line, after the separator.
    pub lines: Vec<String>,
}

impl Reply {
    /// All text, one line per line.
    #[must_use]
    pub fn text(&self) -> String {
        self.lines.join("\n")
    }

    /// The queue id of `queued as ID`.
    #[must_use]
    pub fn queue_id(&self) -> Option<&str> {
        self.lines.last()?.split("queued as ").nth(1)
    }
}

impl Client {
    /// Connects and reads the greeting, which must be 220.
    ///
    /// # Errors
    /// No connection, or another greeting.
    pub fn connect(port: u16) -> Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port)).context("connect to smtpd")?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        let mut client = Self { stream: BufReader::new(stream) };
        client.expect(220)?;
        Ok(client)
    }

    /// Sends bytes as they are.
    ///
    /// # Errors
    /// The connection broke.
    pub fn send(&mut self, bytes: &[u8]) -> Result<()> {
        Ok(self.stream.get_mut().write_all(bytes)?)
    }

    /// Reads one reply.
    ///
    /// # Errors
    /// The connection broke, or that is no reply.
    pub fn reply(&mut self) -> Result<Reply> {
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            if self.stream.read_line(&mut line)? == 0 {
                bail!("connection closed");
            }
            let line = line.trim_end_matches(['\r', '\n']);
            let code =
                line.get(..3).and_then(|code| code.parse().ok()).with_context(|| format!("no reply: {line:?}"))?;
            lines.push(line.get(4..).unwrap_or_default().to_owned());
            if line.as_bytes().get(3) != Some(&b'-') {
                return Ok(Reply { code, lines });
            }
        }
    }

    /// Sends a command and reads its reply.
    ///
    /// # Errors
    /// As [`Self::reply`].
    pub fn command(&mut self, line: &str) -> Result<Reply> {
        self.send(format!("{line}\r\n").as_bytes())?;
        self.reply()
    }

    /// Reads a reply that must have this code.
    ///
    /// # Errors
    /// It has another.
    pub fn expect(&mut self, code: u16) -> Result<Reply> {
        let reply = self.reply()?;
        if reply.code != code {
            bail!("expected {code}, got {reply:?}");
        }
        Ok(reply)
    }

    /// Sends a command whose reply must have this code.
    ///
    /// # Errors
    /// It has another.
    pub fn say(&mut self, line: &str, code: u16) -> Result<Reply> {
        self.send(format!("{line}\r\n").as_bytes())?;
        self.expect(code).with_context(|| line.to_owned())
    }

    /// One message in one transaction; `text` has LF line ends. Gives the reply to its end.
    ///
    /// # Errors
    /// Something was not accepted.
    pub fn deliver(&mut self, sender: &str, recipients: &[&str], text: &str) -> Result<Reply> {
        self.say(&format!("MAIL FROM:<{sender}>"), 250)?;
        for recipient in recipients {
            self.say(&format!("RCPT TO:<{recipient}>"), 250)?;
        }
        self.say("DATA", 354)?;
        let mut bytes = Vec::new();
        for line in text.lines() {
            if line.starts_with('.') {
                bytes.push(b'.');
            }
            bytes.extend_from_slice(line.as_bytes());
            bytes.extend_from_slice(b"\r\n");
        }
        bytes.extend_from_slice(b".\r\n");
        self.send(&bytes)?;
        self.expect(250)
    }
}

/// A mail server that takes every message, for as long as it lives.
#[derive(Debug, Clone)]
pub struct NextHop {
    /// Its port on 127.0.0.1.
    pub port: u16,
    taken: Arc<Mutex<Vec<String>>>,
}

impl NextHop {
    /// Listens and serves in threads of its own.
    ///
    /// # Errors
    /// No port can be bound.
    pub fn open() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let hop = Self { port: listener.local_addr()?.port(), taken: Arc::default() };
        let taken = Arc::clone(&hop.taken);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let taken = Arc::clone(&taken);
                std::thread::spawn(move || serve(stream, &taken));
            }
        });
        Ok(hop)
    }

    /// The messages taken so far: envelope commands and content, as lines.
    #[must_use]
    pub fn messages(&self) -> Vec<String> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many it has taken.
    #[must_use]
    pub fn count(&self) -> usize {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

fn serve(stream: TcpStream, taken: &Mutex<Vec<String>>) -> Result<()> {
    stream.set_nodelay(true)?;
    let mut out = stream.try_clone()?;
    let mut message = String::new();
    let mut content = false;
    out.write_all(b"220 remote.example ESMTP\r\n")?;
    for line in BufReader::new(stream).lines() {
        let line = line?;
        if !content && line.starts_with("MAIL") {
            message.clear();
        }
        message.push_str(&line);
        message.push('\n');
        let reply = match (content, line.as_str()) {
            (true, ".") => {
                content = false;
                taken.lock().unwrap_or_else(PoisonError::into_inner).push(std::mem::take(&mut message));
                "250 2.0.0 taken\r\n"
            }
            (true, _) => continue,
            (false, "DATA") => {
                content = true;
                "354 go on\r\n"
            }
            (false, "QUIT") => {
                out.write_all(b"221 bye\r\n")?;
                return Ok(());
            }
            (false, line) if line.starts_with("EHLO") => {
                "250-remote.example\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SIZE\r\n"
            }
            (false, _) => "250 ok\r\n",
        };
        out.write_all(reply.as_bytes())?;
    }
    Ok(())
}
