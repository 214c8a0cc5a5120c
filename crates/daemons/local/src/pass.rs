//! Hands a recipient to another delivery agent, which settles it as if qmgr had asked.

use delivery::{Policy, Settled};
use ipc::blocking::Channel;
use ipc::deliver::{Deliver, Remains, Request};
use tracing::{info, warn};

use crate::errand::Errand;
use crate::state::State;

impl Errand<'_, '_> {
    /// Has `transport:nexthop` deliver.
    pub(crate) fn pass(&mut self, state: &State, destination: &str) -> Settled {
        let (transport, nexthop) = destination.split_once(':').unwrap_or((destination, ""));
        let request = self.request();
        let nexthop = if nexthop.is_empty() { &request.nexthop } else { nexthop };
        let shown = address::Address::from(&state.recipient.address[..]);
        info!("{}: passing <{shown}> to transport={transport}", request.queue_id);
        let passed = Request {
            number: 1,
            nexthop: nexthop.to_owned(),
            recipients: vec![state.recipient.clone()],
            ..request.clone()
        };
        match self.ask(transport, &passed) {
            Ok(remains) => self.delivery.file().settled(remains),
            Err(ipc::Error::Connect { source, .. }) => {
                warn!("connect #1 to subsystem private/{transport}: {}", delivery::mailbox::said(&source));
                self.defer(state, "mail transport unavailable")
            }
            Err(error) => {
                warn!("transport {transport}: {error}");
                self.defer(state, "mail transport unavailable")
            }
        }
    }

    fn ask(&self, transport: &str, request: &Request) -> Result<Remains, ipc::Error> {
        let deadline = self.office.params.common.ipc.ipc_timeout;
        let mut channel = Channel::connect::<Deliver>(&Policy::socket(transport), deadline)?;
        // The hello goes out first; the agent answers that it is ready.
        channel.expect()?.readiness()?;
        channel.send(request)?;
        channel.expect()?.remains_of(request.number)
    }
}
