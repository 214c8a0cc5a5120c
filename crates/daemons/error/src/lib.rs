//! error(8): fails every recipient it is given, or defers them all as `retry`, with the next hop as the reason.
//!
//! The reason may begin with an enhanced status code; one of another class than the service's means nothing.

use std::sync::Arc;

use delivery::agent::{Agent, Delivery, Destination};
use delivery::{Attempt, Desk, Policy};
use dsn::{Class, Detail, Outcome, Status};
use service::{Client, Clients, Fatal, Life, LifeSpan, Outside, Service};

/// The service, under either of its names.
#[derive(Debug)]
pub struct Error {
    class: Class,
    desk: Arc<Desk>,
    life: Life,
}

impl Service for Error {
    const NAME: &'static str = "error";
    const CLIENTS: Clients = Clients::Agent;
    const LIFE_SPAN: LifeSpan = LifeSpan::Usual;
    type Params = delivery::Params;
    type Opened = ();

    fn open(_: &delivery::Params, _: &Outside) -> Result<(), Fatal> {
        Ok(())
    }

    fn start(params: delivery::Params, (): (), life: Life) -> Result<Self, Fatal> {
        let class = if life.service_name() == "retry" { Class::Temporary } else { Class::Permanent };
        Ok(Self { class, desk: Arc::new(Desk::new(Policy::from(&params))), life })
    }

    async fn serve(self: Arc<Self>, client: Client) {
        delivery::agent::attend(&*self, &self.desk, client, &self.life).await;
    }
}

impl Agent for Error {
    async fn deliver(&self, delivery: &Delivery) -> Destination {
        let attempt = Attempt::by("none");
        for recipient in &delivery.request().recipients {
            let _ = delivery.settle(recipient, &attempt, outcome(self.class, &delivery.request().nexthop)).await;
        }
        Destination::Reached
    }
}

/// What the next hop says about every recipient.
fn outcome(class: Class, nexthop: &str) -> Outcome {
    let plain = Status::permanent(0, 0).in_class(class);
    let (status, reason) = match dsn::split_status(nexthop) {
        Some((status, reason)) if status.class() != class => {
            let log = if class == Class::Temporary { "defer" } else { "bounce" };
            tracing::warn!("{log}_append: ignoring dsn code \"{status}\"");
            (plain, reason)
        }
        Some(found) => found,
        None => (plain, nexthop),
    };
    Detail::new(status, reason).outcome()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_may_carry_a_code_of_the_right_class() {
        for (class, nexthop, status, word, reason) in [
            (Class::Permanent, "no mail here", "5.0.0", "bounced", "no mail here"),
            (Class::Permanent, "5.1.6 moved", "5.1.6", "bounced", "moved"),
            (Class::Permanent, "4.1.6 moved", "5.0.0", "bounced", "moved"),
            (Class::Temporary, "4.2.1 off", "4.2.1", "deferred", "off"),
            (Class::Temporary, "5.2.1 off", "4.0.0", "deferred", "off"),
            (Class::Temporary, "later", "4.0.0", "deferred", "later"),
        ] {
            let outcome = outcome(class, nexthop);
            assert_eq!((outcome.word(), &*outcome.detail().reason), (word, reason));
            assert_eq!(outcome.detail().status.to_string(), status);
        }
    }
}
