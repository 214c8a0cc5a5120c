//! Scripted peers: a dialogue is text, and this plays either side of it.
//!
//! `C:` lines are the client's, `S:` lines the server's, `#` begins a comment. In a line that is expected, `*` stands for
//! any text. Lines that one side says in a row go out in one write, so that pipelining shows.

use anyhow::{Context, Result, bail};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

/// Who says a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The one that connects.
    Client,
    /// The one that was connected to.
    Server,
}

/// A dialogue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dialog(Vec<(Side, String)>);

impl Dialog {
    /// Reads a dialogue.
    ///
    /// # Errors
    /// A line that belongs to nobody.
    pub fn parse(text: &str) -> Result<Self> {
        let mut lines = Vec::new();
        for line in text.lines().map(str::trim_start).filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let (side, rest) = match line.split_at_checked(2) {
                Some(("C:", rest)) => (Side::Client, rest),
                Some(("S:", rest)) => (Side::Server, rest),
                _ => bail!("neither C: nor S: in {line:?}"),
            };
            lines.push((side, rest.strip_prefix(' ').unwrap_or(rest).to_owned()));
        }
        Ok(Self(lines))
    }

    /// Plays one side over a stream.
    ///
    /// # Errors
    /// The other side says something else, or goes away.
    pub fn play<S: Read + Write>(&self, side: Side, stream: S) -> Result<()> {
        let mut stream = BufReader::new(stream);
        let mut rest = self.0.as_slice();
        while let Some((who, _)) = rest.first() {
            let length = rest.iter().take_while(|(next, _)| next == who).count();
            let (turn, later) = rest.split_at_checked(length).unwrap_or((rest, &[]));
            if *who == side {
                let said: String = turn.iter().flat_map(|(_, line)| [line.as_str(), "\r\n"]).collect();
                stream.get_mut().write_all(said.as_bytes())?;
            } else {
                turn.iter().try_for_each(|(_, line)| expect(&mut stream, line))?;
            }
            rest = later;
        }
        Ok(())
    }
}

fn expect(stream: &mut impl BufRead, pattern: &str) -> Result<()> {
    let mut line = Vec::new();
    stream.read_until(b'\n', &mut line).with_context(|| format!("while waiting for {pattern:?}"))?;
    let line = String::from_utf8_lossy(&line);
    let line = line.trim_end_matches(['\r', '\n']);
    if !matches(pattern, line) {
        bail!("expected {pattern:?}, heard {line:?}");
    }
    Ok(())
}

/// Whether a line is what a pattern says; `*` is any text.
#[must_use]
pub fn matches(pattern: &str, line: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = line.strip_prefix(parts.next().unwrap_or_default()) else { return false };
    let mut parts = parts.peekable();
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        let Some(at) = rest.find(part) else { return false };
        rest = rest.get(at + part.len()..).unwrap_or_default();
    }
    rest.is_empty()
}

/// A server that plays dialogues, one for each connection in the order in which they come.
#[derive(Debug)]
pub struct Peer {
    /// Where it listens.
    pub address: SocketAddr,
    thread: JoinHandle<Result<()>>,
}

impl Peer {
    /// Listens on a free port of this host.
    ///
    /// # Errors
    /// A dialogue does not parse, or no port can be bound.
    pub fn listen(dialogs: &[&str]) -> Result<Self> {
        let dialogs: Vec<Dialog> = dialogs.iter().map(|text| Dialog::parse(text)).collect::<Result<_>>()?;
        let dialogs = Arc::new(dialogs);
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let thread = std::thread::spawn(move || {
            for dialog in dialogs.iter() {
                let (stream, _) = listener.accept()?;
                stream.set_read_timeout(Some(Duration::from_secs(20)))?;
                dialog.play(Side::Server, stream)?;
            }
            Ok(())
        });
        Ok(Self { address, thread })
    }

    /// Waits for the end of the last dialogue.
    ///
    /// # Errors
    /// A client said something else than it should.
    pub fn finish(self) -> Result<()> {
        match self.thread.join() {
            Ok(played) => played,
            Err(_) => bail!("the peer panicked"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpStream;

    #[test]
    fn patterns() {
        for (pattern, line, expected) in [
            ("250 ok", "250 ok", true),
            ("250 ok", "250 okay", false),
            ("250*", "250 anything", true),
            ("*queued as *", "250 2.0.0 Ok: queued as 4ABC", true),
            ("a*b*c", "axxbyyc", true),
            ("a*b*c", "axxcyyb", false),
        ] {
            assert_eq!(matches(pattern, line), expected, "{pattern} {line}");
        }
    }

    #[test]
    fn both_sides_of_a_dialogue_agree() {
        let text = "S: 220 hello\nC: EHLO x\n# twice\nS: 250-a\nS: 250 b\nC: QUIT\n";
        let peer = Peer::listen(&[text]).unwrap();
        let stream = TcpStream::connect(peer.address).unwrap();
        Dialog::parse(text).unwrap().play(Side::Client, stream).unwrap();
        peer.finish().unwrap();
    }
}
