//! A message for a before-queue filter that is kept until it is complete (`smtpd_proxy_options = speed_adjust`), so that a slow
//! client does not keep the filter waiting.
//!
//! It waits in a file without a name: what happens to this process, nothing of it stays behind.

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::sync::Arc;

use nix::fcntl::OFlag;
use smtp_proto::Reply;
use tracing::warn;

use super::proxy::Filter;
use super::{Broken, Outcome, write_error};
use crate::Smtpd;

/// A message, not yet shown to the filter.
#[derive(Debug)]
pub(crate) struct Held {
    server: Arc<Smtpd>,
    forward: Vec<(&'static str, String)>,
    mail: Vec<u8>,
    recipients: Vec<Vec<u8>>,
    content: Option<File>,
}

/// The filter gets the content in pieces of this size.
const PIECE: usize = 60 * 1024;

impl Held {
    /// A message begins: XFORWARD attributes and the MAIL command.
    pub(crate) fn new(server: Arc<Smtpd>, forward: Vec<(&'static str, String)>, mail: Vec<u8>) -> Held {
        Held { server, forward, mail, recipients: Vec::new(), content: None }
    }

    /// RCPT.
    pub(crate) fn recipient(&mut self, rcpt: &[u8]) {
        self.recipients.push(rcpt.to_vec());
    }

    /// DATA.
    pub(crate) async fn begin(&mut self) -> Result<(), Broken> {
        self.content = Some(service::file(nameless).await.map_err(|error| broken(&error))?);
        Ok(())
    }

    /// Text with LF line ends.
    pub(crate) async fn content(&mut self, text: &[u8]) -> Result<(), Broken> {
        let Some(mut file) = self.content.take() else { return Err(Broken) };
        let text = text.to_vec();
        let written = service::file(move || file.write_all(&text).map(|()| file)).await;
        self.content = Some(written.map_err(|error| broken(&error))?);
        Ok(())
    }

    /// The content is complete: the filter hears all of it, and what it says is the answer.
    pub(crate) async fn finish(self: Box<Self>) -> Outcome {
        match self.repeat().await {
            Ok(filter) => filter.finish().await,
            Err(reply) => Outcome::Said(reply),
        }
    }

    async fn repeat(self: Box<Self>) -> Result<Box<Filter>, Reply> {
        let Held { server, forward, mail, recipients, content } = *self;
        let failed = |Broken| write_error();
        let mut filter = Box::new(Filter::open(&server, &forward, &mail).await?);
        if let Err(reply) = address(&mut filter, &recipients).await {
            filter.abandon();
            return Err(reply);
        }
        let mut rest = service::file(move || rewound(content)).await.map_err(|error| failed(broken(&error)))?;
        loop {
            let (file, piece) = service::file(move || piece(rest)).await.map_err(|error| failed(broken(&error)))?;
            if piece.is_empty() {
                return Ok(filter);
            }
            filter.content(&piece).await.map_err(failed)?;
            rest = file;
        }
    }
}

async fn address(filter: &mut Filter, recipients: &[Vec<u8>]) -> Result<(), Reply> {
    for recipient in recipients {
        filter.recipient(recipient).await?;
    }
    filter.data().await
}

fn nameless() -> io::Result<File> {
    let flags = OFlag::O_TMPFILE.bits();
    File::options().read(true).write(true).mode(0o600).custom_flags(flags).open("incoming")
}

fn rewound(file: Option<File>) -> io::Result<File> {
    let mut file = file.ok_or(io::ErrorKind::NotFound)?;
    file.rewind()?;
    Ok(file)
}

fn piece(mut file: File) -> io::Result<(File, Vec<u8>)> {
    let mut piece = Vec::with_capacity(PIECE);
    Read::by_ref(&mut file).take(PIECE as u64).read_to_end(&mut piece)?;
    Ok((file, piece))
}

fn broken(error: &io::Error) -> Broken {
    warn!("smtpd_proxy_options: keep a message for the filter: {}", crate::system_text(error));
    Broken
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_the_whole() {
        let text: Vec<u8> = (0..PIECE * 2 + 7).map(|at| u8::try_from(at % 251).unwrap()).collect();
        let mut file =
            File::options().read(true).write(true).custom_flags(OFlag::O_TMPFILE.bits()).open("/tmp").unwrap();
        file.write_all(&text).unwrap();
        let mut rest = rewound(Some(file)).unwrap();
        let mut found = Vec::new();
        loop {
            let (file, part) = piece(rest).unwrap();
            if part.is_empty() {
                break;
            }
            assert!(part.len() <= PIECE);
            found.extend(part);
            rest = file;
        }
        assert!(found == text);
    }
}
