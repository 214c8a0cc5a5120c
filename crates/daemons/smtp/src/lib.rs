//! smtp(8): delivers mail by SMTP and LMTP.
//!
//! One process serves many deliveries. A delivery's next hop is routed to addresses, which are tried in order until
//! every recipient has an outcome; what a server said decides whether that is final, waits, or is another server's
//! turn. The name of the program in master.cf decides between the two protocols.

pub mod attributes;
pub mod auth;
pub mod auth_cache;
pub mod carrier;
pub mod chance;
pub mod complaint;
pub mod content;
pub mod dane;
pub mod dialogue;
pub mod envelope;
pub mod errand;
pub mod external_policy;
pub mod failure;
pub mod flavor;
pub mod generic;
pub mod nexthop;
pub mod order;
pub mod peer;
pub mod pix;
pub mod pool;
pub mod probe;
pub mod requiretls;
pub mod route;
pub mod secure;
mod security;
pub mod session;
pub mod settings;
pub mod stage;
pub mod stream;
pub mod tls_policy;
pub mod tls_report;
pub mod transaction;
pub mod wire_form;

use std::sync::Arc;

use delivery::{Desk, StatusFilter};
use service::{Client, Clients, Fatal, Life, LifeSpan, Operands, Outside, Service};

use carrier::Carrier;
use settings::Params;

/// The service.
pub struct Smtp {
    carrier: Carrier,
    desk: Arc<Desk>,
    life: Life,
}

impl Service for Smtp {
    const NAME: &'static str = "smtp";
    const CLIENTS: Clients = Clients::Agent;
    const LIFE_SPAN: LifeSpan = LifeSpan::Usual;
    const OPERANDS: Operands = Operands::Taken;
    type Params = Params;
    type Opened = (Carrier, StatusFilter);

    fn open(params: &Params, outside: &Outside) -> Result<(Carrier, StatusFilter), Fatal> {
        Ok((settings::open(params, outside)?, settings::status_filter(params, outside)))
    }

    fn start(params: Params, (carrier, filter): (Carrier, StatusFilter), life: Life) -> Result<Self, Fatal> {
        Ok(Self { carrier, desk: Arc::new(Desk::new(params.policy().with_filter(filter))), life })
    }

    async fn serve(self: Arc<Self>, client: Client) {
        delivery::agent::attend(&self.carrier, &self.desk, client, &self.life).await;
    }

    fn changed(&self) -> bool {
        self.carrier.changed() || self.desk.policy().filter.changed()
    }
}
