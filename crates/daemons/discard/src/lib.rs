//! discard(8): reports every recipient as delivered, and delivers to none. The next hop is what the log says of it.

use std::sync::Arc;

use delivery::agent::{Agent, Delivery, Destination};
use delivery::{Attempt, Desk, Policy, verdict};
use dsn::Class;
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
            let _ = delivery.settle(recipient, &attempt, verdict(Class::Success, &delivery.request().nexthop)).await;
        }
        Destination::Reached
    }
}
