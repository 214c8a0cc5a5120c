//! dnsblog(8): asks lists in the DNS for postscreen(8).
//!
//! A request names a list and an address; the answer has the addresses that the list gave, and how long they hold. A look-up that
//! fails is logged, and counts as not listed: a list that is down must not keep mail away.

use dns::{Kind, Resolver};
use ipc::dnsblog::{Reply, Request};
use service::{Client, Clients, Fatal, Life, LifeSpan, Outside, ProcessLimit, Service};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

config::bundle! {
    /// All that this daemon may know.
    pub struct Params {
        dnsblog: config::params::Dnsblog,
        ipc: config::params::Ipc,
    }
}

/// The daemon.
#[derive(Debug)]
pub struct Dnsblog {
    resolver: Resolver,
    reply_delay: Duration,
    ipc_timeout: Duration,
    life: Life,
}

impl Service for Dnsblog {
    const NAME: &'static str = "dnsblog";
    const CLIENTS: Clients = Clients::Internal;
    const LIFE_SPAN: LifeSpan = LifeSpan::UntilIdle;
    const PROCESS_LIMIT: ProcessLimit = ProcessLimit::Unlimited;
    type Params = Params;
    type Opened = Resolver;

    fn open(_: &Params, _: &Outside) -> Result<Resolver, Fatal> {
        Ok(Resolver::system())
    }

    fn start(params: Params, resolver: Resolver, life: Life) -> Result<Self, Fatal> {
        let (reply_delay, ipc_timeout) = (params.dnsblog.dnsblog_reply_delay, params.ipc.ipc_timeout);
        Ok(Self { resolver, reply_delay, ipc_timeout, life })
    }

    async fn serve(self: Arc<Self>, client: Client) {
        let handle = |request| self.ask(request);
        let result = service::answer::<ipc::dnsblog::Dnsblog, _, _>(client, &self.life, self.ipc_timeout, handle).await;
        if let Err(error) = result {
            tracing::warn!("internal connection: {error}");
        }
    }

    fn changed(&self) -> bool {
        self.resolver.changed()
    }
}

impl Dnsblog {
    async fn ask(&self, request: Request) -> Reply {
        let reply = look_up(&self.resolver, &request).await;
        if !self.reply_delay.is_zero() {
            tokio::time::sleep(self.reply_delay).await;
        }
        reply
    }
}

/// What a list says of an address; it is logged.
async fn look_up(resolver: &Resolver, Request { domain, address }: &Request) -> Reply {
    let query = query(domain, *address);
    match resolver.lookup(&query, Kind::A).await {
        Ok(found) => {
            let answer: Vec<_> = found.addresses().filter_map(ipv4).collect();
            for listed in &answer {
                tracing::info!("addr {address} listed by domain {domain} as {listed}");
            }
            Reply { answer, ttl: found.records.iter().map(|record| record.ttl).min() }
        }
        Err(error) if error.is_not_found() => Reply { answer: Vec::new(), ttl: error.negative_ttl },
        Err(error) => {
            tracing::warn!("dnsblog_query: lookup error for DNS query {query}: {error}");
            Reply::default()
        }
    }
}

/// The name that stands for an address in a list.
fn query(domain: &str, address: IpAddr) -> String {
    let reverse = dns::reverse_name(address);
    let labels = reverse.trim_end_matches(".in-addr.arpa").trim_end_matches(".ip6.arpa");
    format!("{labels}.{domain}")
}

fn ipv4(address: IpAddr) -> Option<std::net::Ipv4Addr> {
    match address {
        IpAddr::V4(address) => Some(address),
        IpAddr::V6(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dns::{Hosts, ResolvConf};
    use testkit::name_server::NameServer;

    #[tokio::test]
    async fn lists_answer_or_do_not() {
        let records = [
            ("1.2.0.192.list.test", "A", "127.0.0.2"),
            ("1.2.0.192.list.test", "A", "127.0.0.4"),
            ("2.2.0.192.list.test", "RCODE", "2"),
        ];
        let server = NameServer::open(&records).unwrap();
        let conf = ResolvConf { servers: vec![server.address], ..ResolvConf::default() };
        let resolver = Resolver::new(conf, Hosts::parse(""));
        for (address, count) in [("192.0.2.1", 2), ("192.0.2.2", 0), ("192.0.2.3", 0)] {
            let request = Request { domain: "list.test".into(), address: address.parse().unwrap() };
            assert_eq!(look_up(&resolver, &request).await.answer.len(), count, "{address}");
        }
    }

    #[test]
    fn addresses_are_asked_for_backwards() {
        assert_eq!(query("list.test", "192.0.2.1".parse().unwrap()), "1.2.0.192.list.test");
        let long = query("list.test", "2001:db8::1".parse().unwrap());
        let zeros = "0.".repeat(23);
        assert_eq!(long, format!("1.{zeros}8.b.d.0.1.0.0.2.list.test"));
    }
}
