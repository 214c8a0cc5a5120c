//! Hands recipients to another delivery agent, which settles them as if qmgr had asked: `best_mx_transport`.

use delivery::Policy;
use ipc::Channel;
use ipc::deliver::{Deliver, Remains, Request};
use tracing::{info, warn};

use super::Errand;

impl Errand<'_> {
    /// Has `transport:nexthop` deliver to all that are left; whether it could be asked.
    pub(super) async fn pass(&mut self, destination: &str) -> bool {
        let (transport, nexthop) = destination.split_once(':').unwrap_or((destination, ""));
        let request = self.request();
        let recipients: Vec<_> =
            self.left.iter().filter_map(|number| request.recipients.get(*number).cloned()).collect();
        for recipient in &recipients {
            let address = String::from_utf8_lossy(&delivery::external(&recipient.address)).into_owned();
            info!("{}: passing <{address}> to transport={transport}", request.queue_id);
        }
        let nexthop = if nexthop.is_empty() { request.nexthop.clone() } else { nexthop.to_owned() };
        let passed = Request { number: 1, nexthop, recipients, ..request.clone() };
        match self.ask(transport, &passed).await {
            Ok(remains) => {
                // Which of them remain is not known; qmgr will read the file.
                let settled = self.delivery.file().settled(remains);
                std::mem::take(&mut self.left).iter().for_each(|_| self.delivery.conclude(settled));
                true
            }
            Err(error) => {
                warn!("transport {transport}: {error}");
                false
            }
        }
    }

    async fn ask(&self, transport: &str, request: &Request) -> Result<Remains, ipc::Error> {
        let deadline = self.delivery.desk().policy().ipc_timeout;
        let mut channel = Channel::connect::<Deliver>(&Policy::socket(transport), deadline).await?;
        // The hello goes out first; the agent answers that it is ready.
        channel.expect().await?.readiness()?;
        channel.send(request)?;
        channel.expect().await?.remains_of(request.number)
    }
}
