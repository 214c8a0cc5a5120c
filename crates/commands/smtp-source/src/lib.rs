//! smtp-source(1): sends test messages over many sessions at a time.

pub mod options;
pub mod session;

use std::io;
use std::sync::Arc;

use jiff::Timestamp;
use options::{Manner, Options, Session as Kept};
use session::Session;

/// Sends all messages.
///
/// # Errors
/// The first failure of a session.
pub async fn run(options: Options) -> io::Result<()> {
    let Options { load, special } = options;
    let content: Arc<[u8]> = session::content(&load, &special, &Timestamp::now().to_zoned(time_zone::local()))?.into();
    let manner = special.manner;
    load.spread(|place| work(place, manner, Arc::clone(&content))).await
}

async fn work(mut place: trial::load::Session, manner: Manner, content: Arc<[u8]>) -> io::Result<()> {
    let mut open = None;
    while let Some(number) = place.next().await {
        let load = place.load();
        let mut session = match open.take() {
            Some(session) => session,
            None => Session::open(load.connect().await?, manner, &load.myhostname).await?,
        };
        session.send(load, &content, number).await?;
        place.count();
        match manner.session {
            Kept::Kept => open = Some(session),
            Kept::OneMessage => session.quit().await,
        }
    }
    if let Some(session) = open {
        session.quit().await;
    }
    Ok(())
}
