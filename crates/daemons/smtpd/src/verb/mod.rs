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

/// Obeys a command. What a command needs while it is obeyed is on the heap: a session that waits has nothing of it.
pub(crate) async fn obey(session: &mut Session, verb: Verb, arguments: &[u8]) -> Result<Next, conn::Error> {
    Ok(match verb {
        Verb::Helo => Box::pin(session.helo(arguments)).await,
        Verb::Ehlo => Box::pin(session.ehlo(arguments)).await,
        Verb::Mail => Box::pin(session.mail(arguments)).await,
        Verb::Rcpt => Box::pin(session.rcpt(arguments)).await,
        Verb::Data => return Box::pin(session.data(arguments)).await,
        Verb::Bdat => return Box::pin(session.bdat(arguments)).await,
        Verb::Rset => Box::pin(session.rset(arguments)).await,
        Verb::Noop => session.noop(),
        Verb::Quit => {
            session.quit_milters().await?;
            session.quit()
        }
        Verb::Help => Session::help(),
        Verb::Vrfy => Box::pin(session.vrfy(arguments)).await,
        Verb::Etrn => Box::pin(session.etrn(arguments)).await,
        Verb::Starttls => return Box::pin(session.starttls(arguments)).await,
        Verb::Auth => return Box::pin(session.auth(arguments)).await,
        Verb::Xclient => Box::pin(session.xclient(arguments)).await,
        Verb::Xforward => Box::pin(session.xforward(arguments)).await,
        Verb::Unknown => Session::unknown_verb(),
    })
}
