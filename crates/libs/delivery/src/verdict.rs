//! What a next hop that is a text says of every recipient. Pure.

use dsn::{Class, Detail, Outcome, Status};

/// The outcome of the class with the text as its reason. A code at its start counts if it is of that class.
pub fn verdict(class: Class, text: &str) -> Outcome {
    let plain = Status::SENT.in_class(class);
    let (status, reason) = match dsn::split_status(text) {
        Some((status, reason)) if status.class() != class => {
            let writer = match class {
                Class::Success => "sent",
                Class::Temporary => "defer_append",
                Class::Permanent => "bounce_append",
            };
            tracing::warn!("{writer}: ignoring dsn code \"{status}\"");
            (plain, reason)
        }
        Some(found) => found,
        None => (plain, text),
    };
    Detail::new(status, reason).outcome()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_may_carry_a_code_of_the_right_class() {
        for (class, text, status, word, reason) in [
            (Class::Permanent, "no mail here", "5.0.0", "bounced", "no mail here"),
            (Class::Permanent, "5.1.6 moved", "5.1.6", "bounced", "moved"),
            (Class::Permanent, "4.1.6 moved", "5.0.0", "bounced", "moved"),
            (Class::Temporary, "4.2.1 off", "4.2.1", "deferred", "off"),
            (Class::Temporary, "5.2.1 off", "4.0.0", "deferred", "off"),
            (Class::Temporary, "later", "4.0.0", "deferred", "later"),
            (Class::Success, "silently", "2.0.0", "sent", "silently"),
            (Class::Success, "2.1.5 gone", "2.1.5", "sent", "gone"),
            (Class::Success, "5.1.1 gone", "2.0.0", "sent", "gone"),
        ] {
            let outcome = verdict(class, text);
            assert_eq!((outcome.word(), &*outcome.detail().reason), (word, reason));
            assert_eq!(outcome.detail().status.to_string(), status);
        }
    }
}
