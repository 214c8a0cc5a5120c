//! What the answers of a filter mean for the client.

use super::Verdict;
use crate::packet::Response;
use crate::spec::LATER;

/// The words of a plain refusal.
pub const REJECTED: &str = "550 5.7.1 Command rejected";

/// Why a message is held that a filter could not be asked of.
pub(super) const DEFAULT_ACTION: &str = "default_action";

/// The words that the log has for a message that is held.
#[must_use]
pub fn held(reason: &str) -> String {
    let words = "milter triggers HOLD action";
    if reason.is_empty() { words.to_owned() } else { format!("{words}: {reason}") }
}

/// What stands for a filter's own reply that is none.
pub(super) const MALFORMED: &str = "451 4.3.5 Server configuration problem - try again later";

/// What an answer to an event may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Plain {
    /// Go on.
    Continue,
    /// Ask no more.
    Accept,
    /// More than that.
    Verdict(Verdict),
}

/// The meaning of an answer, if it is none of those that change a message.
#[must_use]
pub fn plain(response: Response) -> Option<Plain> {
    let refusal = |text: &str| Plain::Verdict(Verdict::Reply(text.to_owned()));
    Some(match response {
        Response::Continue | Response::Skip | Response::Progress => Plain::Continue,
        Response::Accept => Plain::Accept,
        Response::Reject => refusal(REJECTED),
        Response::Tempfail | Response::ConnectionFailure => refusal(LATER),
        Response::Discard => Plain::Verdict(Verdict::Discard),
        Response::Shutdown => Plain::Verdict(Verdict::Shutdown),
        Response::Reply(text) => refusal(own_reply(&text).as_deref().unwrap_or(MALFORMED)),
        Response::AddHeader(..)
        | Response::InsertHeader(..)
        | Response::ChangeHeader(..)
        | Response::ChangeSender(_)
        | Response::AddRecipient(_)
        | Response::DeleteRecipient(_)
        | Response::ReplaceBody(_)
        | Response::Quarantine(_)
        | Response::Options(_) => return None,
    })
}

/// A filter's own reply, if it is one that refuses, and if a digit at the start of its text, which would be that of an
/// enhanced code, is of the same kind. Percent signs are there twice; one alone goes away.
pub(super) fn own_reply(text: &[u8]) -> Option<String> {
    let [kind @ (b'4' | b'5'), b'0'..=b'9', b'0'..=b'9', b' ' | b'-', rest @ ..] = text else { return None };
    if rest.first().is_some_and(|first| first.is_ascii_digit() && first != kind) {
        return None;
    }
    let text = String::from_utf8_lossy(text);
    let parts: Vec<String> = text.split("%%").map(|part| part.replace('%', "")).collect();
    Some(parts.join("%"))
}

/// All answers to one message, as they are passed on: a new body, at most.
pub const ANSWERS: usize = 1 << 28;

/// Whether one more answer can be gathered; in a packet it has its length before it.
pub(super) fn has_room(gathered: usize, answer: usize) -> bool {
    gathered.saturating_add(answer) <= ANSWERS - size_of::<u32>()
}
