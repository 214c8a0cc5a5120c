//! One file for each command, and the table that leads to them.

mod auth;
mod bdat;
mod data;
mod ehlo;
mod etrn;
mod mail;
mod plain;
mod rcpt;
mod starttls;
mod vrfy;
mod xclient;
pub(crate) mod xforward;

use smtp_proto::{Verb, conn};

use crate::session::{Next, Session};

/// Obeys a command.
pub(crate) async fn obey(session: &mut Session, verb: Verb, arguments: &[u8]) -> Result<Next, conn::Error> {
    Ok(match verb {
        Verb::Helo => session.helo(arguments).await,
        Verb::Ehlo => session.ehlo(arguments).await,
        Verb::Mail => session.mail(arguments).await,
        Verb::Rcpt => session.rcpt(arguments).await,
        Verb::Data => return session.data(arguments).await,
        Verb::Bdat => return session.bdat(arguments).await,
        Verb::Rset => session.rset(arguments).await,
        Verb::Noop => session.noop(),
        Verb::Quit => {
            session.quit_milters().await?;
            session.quit()
        }
        Verb::Help => session.help(),
        Verb::Vrfy => session.vrfy(arguments).await,
        Verb::Etrn => session.etrn(arguments).await,
        Verb::Starttls => return session.starttls(arguments).await,
        Verb::Auth => return session.auth(arguments).await,
        Verb::Xclient => session.xclient(arguments).await,
        Verb::Xforward => session.xforward(arguments).await,
        Verb::Unknown => Session::unknown_verb(),
    })
}
