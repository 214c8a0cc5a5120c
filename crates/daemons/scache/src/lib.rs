//! scache(8): the service that a master.cf names for keeping connections between delivery processes.
//!
//! Our smtp(8) keeps connections in the process that made them, which serves many deliveries. What connects here is told
//! nothing and let go, so that a master.cf that names the service works as it is.

use std::sync::Arc;

use service::{Client, Clients, Fatal, Life, LifeSpan, Outside, ProcessLimit, Service};

/// The service.
#[derive(Debug)]
pub struct Scache;

impl Service for Scache {
    const NAME: &'static str = "scache";
    const CLIENTS: Clients = Clients::Internal;
    const LIFE_SPAN: LifeSpan = LifeSpan::UntilIdle;
    const PROCESS_LIMIT: ProcessLimit = ProcessLimit::One;
    type Params = ();
    type Opened = ();

    fn open((): &(), _: &Outside) -> Result<(), Fatal> {
        Ok(())
    }

    fn start((): (), (): (), _: Life) -> Result<Self, Fatal> {
        Ok(Self)
    }

    async fn serve(self: Arc<Self>, client: Client) {
        drop(client);
    }
}
