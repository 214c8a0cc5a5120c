//! discard(8): reports every recipient as delivered, and delivers to none. The next hop is what the log says of it.

use std::sync::Arc;

use delivery::agent::{Agent, Delivery, Destination};
use delivery::{Attempt, Desk, Policy};
use dsn::{Class, Detail, Outcome, Status};
use service::{Client, Clients, Fatal, Life, LifeSpan, Outside, Service};

/// The service.
#[derive(Debug)]
pub struct Discard {
    desk: Arc<Desk>,
    life: Life,
}

impl Service for Discard {
    const NAME: &'static str = "discard";
    const CLIENTS: Clients = Clients::Agent;
    const LIFE_SPAN: LifeSpan = LifeSpan::Usual;
    type Params = delivery::Params;
    type Opened = ();

    fn open(_: &delivery::Params, _: &Outside) -> Result<(), Fatal> {
        Ok(())
    }

    fn start(params: delivery::Params, (): (), life: Life) -> Result<Self, Fatal> {
        Ok(Self { desk: Arc::new(Desk::new(Policy::from(&params))), life })
    }

    async fn serve(self: Arc<Self>, client: Client) {
        delivery::agent::attend(&*self, &self.desk, client, &self.life).await;
    }
}

impl Agent for Discard {
    async fn deliver(&self, delivery: &Delivery) -> Destination {
        let attempt = Attempt::by("none");
        for recipient in &delivery.request().recipients {
            let _ = delivery.settle(recipient, &attempt, outcome(&delivery.request().nexthop)).await;
        }
        Destination::Reached
    }
}

/// Success, in the next hop's words.
fn outcome(nexthop: &str) -> Outcome {
    let (status, reason) = dsn::split_status(nexthop).unwrap_or((Status::SENT, nexthop));
    Detail::new(status.in_class(Class::Success), reason).outcome()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_the_next_hop_says_is_success() {
        for (nexthop, status, reason) in
            [("silently", "2.0.0", "silently"), ("2.1.5 gone", "2.1.5", "gone"), ("5.1.1 x", "2.1.1", "x")]
        {
            let outcome = outcome(nexthop);
            assert_eq!((outcome.word(), &*outcome.detail().reason), ("sent", reason));
            assert_eq!(outcome.detail().status.to_string(), status);
        }
    }
}
