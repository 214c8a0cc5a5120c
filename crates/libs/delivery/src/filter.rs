//! `default_delivery_status_filter` and its kin: tables that put another status or text in place of an outcome's.

use dsn::{Class, Detail, Outcome, split_status};
use table::{Environment, Maps};
use tracing::warn;

/// The tables of one agent.
#[derive(Debug, Clone)]
pub struct StatusFilter(Maps);

impl StatusFilter {
    /// Opens the tables of a parameter.
    #[must_use]
    pub fn open(parameter: &str, specs: &[String], environment: &Environment) -> Self {
        Self(Maps::open(parameter, specs, environment))
    }

    /// Changes nothing.
    #[must_use]
    pub fn none() -> Self {
        Self(Maps::none("default_delivery_status_filter"))
    }

    /// Whether a table has changed since it was opened.
    #[must_use]
    pub fn changed(&self) -> bool {
        self.0.changed()
    }

    /// The outcome as the tables want it: with another status, and with another text unless they give none. Success stays success, and failure failure; a failure whose table cannot be
    /// read is not final.
    pub async fn apply(&self, outcome: Outcome) -> Outcome {
        if self.0.is_empty() {
            return outcome;
        }
        let detail = outcome.detail();
        let query = format!("{} {}", detail.status, detail.reason);
        match self.0.lookup(query.as_bytes()).await {
            Ok(None) => outcome,
            Ok(Some(found)) => self.replaced(outcome, &String::from_utf8_lossy(&found)),
            Err(error) => {
                warn!("{}: {error}", self.0.parameter());
                match outcome {
                    Outcome::Bounced(detail) => {
                        let status = detail.status.in_class(Class::Temporary);
                        Outcome::Deferred(Detail { status, ..detail })
                    }
                    Outcome::Sent(_) | Outcome::Deferred(_) => outcome,
                }
            }
        }
    }

    fn replaced(&self, outcome: Outcome, found: &str) -> Outcome {
        let was_sent = matches!(outcome, Outcome::Sent(_));
        match split_status(found) {
            Some((status, text)) if (status.class() == Class::Success) == was_sent => {
                let (Outcome::Sent(detail) | Outcome::Deferred(detail) | Outcome::Bounced(detail)) = outcome;
                // The action follows the new class.
                let action = if was_sent { detail.action.clone() } else { "".into() };
                let reason = if text.is_empty() { detail.reason } else { text.to_owned() };
                Detail { status, action, reason, ..detail }.outcome()
            }
            _ => {
                warn!("{}: bad status code: {found}", self.0.parameter());
                outcome
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dsn::Status;

    fn applied(table: &str, status: Status, reason: &str) -> Outcome {
        let filter = StatusFilter::open("test_filter", &[table.to_owned()], &Environment::default());
        table::block_on(filter.apply(Detail::new(status, reason).outcome()))
    }

    #[test]
    fn status_and_text_change_but_success_stays_success() {
        let (later, never) = (Status::temporary(1, 1), Status::permanent(1, 1));
        for (table, status, expected) in [
            ("inline:{{4.1.1 x=5.7.1 harder}}", later, "bounced 5.7.1 harder"),
            ("inline:{{5.1.1 x=4.7.1 softer}}", never, "deferred 4.7.1 softer"),
            ("inline:{{2.0.0 x=2.1.5 fine}}", Status::SENT, "sent 2.1.5 fine"),
            ("inline:{{2.0.0 x=5.1.1 no}}", Status::SENT, "sent 2.0.0 x"),
            ("inline:{{5.1.1 x=2.0.0 ok}}", never, "bounced 5.1.1 x"),
            ("inline:{{5.1.1 x=nonsense}}", never, "bounced 5.1.1 x"),
            ("inline:{{5.1.1 x=4.1.2}}", never, "deferred 4.1.2 x"),
            ("inline:{{a=b}}", never, "bounced 5.1.1 x"),
        ] {
            let outcome = applied(table, status, "x");
            let detail = outcome.detail();
            assert_eq!(format!("{} {} {}", outcome.word(), detail.status, detail.reason), expected, "{table}");
        }
    }

    #[test]
    fn a_filter_that_cannot_be_read_makes_nothing_final() {
        assert_eq!(applied("fail:x", Status::permanent(1, 1), "x").word(), "deferred");
        assert_eq!(applied("fail:x", Status::SENT, "x").word(), "sent");
    }
}
