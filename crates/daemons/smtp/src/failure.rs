//! What goes wrong with a server, in the words that logs and notices have for it.
//!
//! A failure concerns the server (another may do better, and qmgr should slow down), the message (this server will
//! not have it), or one recipient. The class of its status decides between later and never.

use dsn::{Class, Detail, Diagnostic, Status};
use smtp_proto::reply::{Answer, Enhanced};
use smtp_proto::{conn, printable};

use crate::peer::Peer;
use crate::stage::Stage;

/// Whom a failure concerns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// The server or the way to it.
    Site,
    /// The message.
    Message,
}

/// Of what a server should not have said.
const OUT_OF_PROTOCOL: Status = Status::permanent(5, 0);

/// Of a connection that is of no more use.
const BROKEN: Status = Status::temporary(4, 2);

/// A failure that ends a session or a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Whom it concerns.
    pub scope: Scope,
    /// What to say of it.
    pub detail: Box<Detail>,
}

impl Failure {
    /// A failure of the server.
    #[must_use]
    pub fn site(detail: Detail) -> Self {
        Self { scope: Scope::Site, detail: Box::new(detail) }
    }

    /// A failure of the message.
    #[must_use]
    pub fn message(detail: Detail) -> Self {
        Self { scope: Scope::Message, detail: Box::new(detail) }
    }

    /// A connection that broke or fell silent.
    #[must_use]
    pub fn broken(peer: &Peer, stage: Stage, error: &conn::Error) -> Self {
        let doing = stage.doing();
        let reason = match error {
            conn::Error::Timeout => format!("conversation with {peer} timed out while {doing}"),
            conn::Error::Lost => format!("lost connection with {peer} while {doing}"),
            conn::Error::Flood => format!("host {peer} sent too much text while {doing}"),
        };
        Self::site(Detail::new(BROKEN, reason))
    }

    /// Something that we have to know to go on with a server could not be looked up.
    #[must_use]
    pub fn local(peer: &Peer) -> Self {
        let reason = format!("local data error while talking to {peer}");
        Self::message(Detail::new(Status::temporary(3, 0), reason))
    }

    /// A server that will not talk to us.
    #[must_use]
    pub fn refused(peer: &Peer, answer: &Answer) -> Self {
        let reason = format!("host {peer} refused to talk to me: {}", logged(answer));
        Self::site(said(peer, answer, reason))
    }

    /// The same failure as one that a later attempt may overcome.
    #[must_use]
    pub fn softened(mut self) -> Self {
        self.detail.status = self.detail.status.in_class(Class::Temporary);
        self
    }

    /// Whether a connection broke or fell silent.
    #[must_use]
    pub fn is_of_connection(&self) -> bool {
        self.detail.status == BROKEN && self.detail.diagnostic.is_none()
    }
}

/// A refusal in reply to a command. Where success is out of place, it is an error like others of the protocol.
#[must_use]
pub fn replied(peer: &Peer, stage: Stage, answer: &Answer) -> Detail {
    let reason = format!("host {peer} said: {} (in reply to {} command)", logged(answer), stage.command());
    if answer.class() == 2 {
        let detail = said(peer, answer, format!("Protocol error: {reason}"));
        return Detail { status: OUT_OF_PROTOCOL, ..detail };
    }
    said(peer, answer, reason)
}

/// The detail of a reply with a reason in words.
#[must_use]
pub fn said(peer: &Peer, answer: &Answer, reason: String) -> Detail {
    let diagnostic = Diagnostic { kind: "smtp".to_owned(), text: logged(answer) };
    Detail::new(status(answer), reason).said_by(peer.name.clone(), diagnostic)
}

/// A reply on one line, printable.
#[must_use]
pub fn logged(answer: &Answer) -> String {
    if answer.text.iter().all(|byte| matches!(byte, b' '..=b'~')) {
        return String::from_utf8_lossy(&answer.text).into_owned();
    }
    printable(answer.logged().as_bytes()).into_owned()
}

/// The enhanced status of a reply; by its three digits where it has none. What is neither success nor a refusal is
/// out of protocol.
#[must_use]
pub fn status(answer: &Answer) -> Status {
    match (answer.status, answer.class()) {
        (Some(Enhanced(2, subject, detail)), _) => Status::success(subject, detail),
        (Some(Enhanced(5, subject, detail)), _) => Status::permanent(subject, detail),
        (Some(Enhanced(_, subject, detail)), _) => Status::temporary(subject, detail),
        (None, 2) => Status::SENT,
        (None, 4) => Status::temporary(0, 0),
        (None, 5) => Status::permanent(0, 0),
        (None, _) => OUT_OF_PROTOCOL,
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use proptest::prelude::*;

    use super::*;

    fn answer(line: &str) -> Answer {
        let mut assembler = smtp_proto::reply::Assembler::new(1000);
        line.split('\n').filter_map(|line| assembler.add(line.as_bytes())).last().unwrap()
    }

    #[test]
    fn refusals_quote_the_server() {
        let peer = Peer::inet("a.test", IpAddr::from([127, 0, 0, 3]), 25);
        let detail = replied(&peer, Stage::End, &answer("450-4.9.1 No\n450 4.9.1 thanks"));
        assert_eq!(
            detail.reason,
            "host a.test[127.0.0.3] said: 450-4.9.1 No 450 4.9.1 thanks (in reply to end of DATA command)"
        );
        assert_eq!(detail.status.to_string(), "4.9.1");
        let odd = replied(&peer, Stage::Data, &answer("250 2.0.0 ok"));
        assert_eq!(odd.reason, "Protocol error: host a.test[127.0.0.3] said: 250 2.0.0 ok (in reply to DATA command)");
        assert_eq!(odd.status.to_string(), "5.5.0");
        let failure = Failure::refused(&peer, &answer("554 5.3.2 No")).softened();
        assert_eq!(failure.detail.reason, "host a.test[127.0.0.3] refused to talk to me: 554 5.3.2 No");
        assert_eq!(failure.detail.status.to_string(), "4.3.2");
    }

    #[test]
    fn bytes_that_are_no_text_become_question_marks() {
        let text = b"550 5.1.1 J\xf6rg \xc3\xb6".to_vec();
        assert_eq!(logged(&Answer { code: 550, status: None, text }), "550 5.1.1 J?rg \u{f6}");
    }

    proptest! {
        #[test]
        fn replies_are_logged_on_one_line(text in "[ a~\n\r\x7f\u{f6}]{0,12}") {
            let answer = Answer { code: 250, status: None, text: text.clone().into_bytes() };
            let expected: String =
                text.replace('\n', " ").chars().map(|c| if c.is_control() { '?' } else { c }).collect();
            prop_assert_eq!(logged(&answer), expected);
        }
    }

    #[test]
    fn a_reply_without_enhanced_code_has_one_by_its_digits() {
        for (line, status) in [
            ("250 ok", "2.0.0"),
            ("421 bye", "4.0.0"),
            ("550 no", "5.0.0"),
            ("354 go", "5.5.0"),
            ("550 4.1.1 mixed", "5.0.0"),
        ] {
            assert_eq!(super::status(&answer(line)).to_string(), status, "{line}");
        }
    }
}
