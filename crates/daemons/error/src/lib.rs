//! error(8): fails every recipient it is given, or defers them all as `retry`, with the next hop as the reason.
//!
//! The reason may begin with an enhanced status code; one of another class than the service's means nothing.

use std::sync::Arc;

use delivery::agent::{Agent, Delivery, Destination};
use delivery::{Attempt, Desk, Policy, verdict};
use dsn::Class;
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
            let _ = delivery.settle(recipient, &attempt, verdict(self.class, &delivery.request().nexthop)).await;
        }
        Destination::Reached
    }
}
