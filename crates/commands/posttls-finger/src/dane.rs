//! What signed TLSA records say of a server.

use crate::plan::{Plan, Topic};
use crate::say;
use crate::target::Server;
use dns::{Answer, Data, Kind, Resolver};
use std::sync::Arc;
use tls::client::{Level, Policy};
use tls::dane::{Association, Digest};

/// The policy for a server: what its TLSA records want, and without usable ones that of level `secure`.
pub(crate) async fn policy(server: &Server, plan: &Plan) -> Policy {
    let secure = plan.policy.clone();
    let Server::Inet { host, port, address, authentic } = server else { return secure };
    let Some(dane) = plan.dane.filter(|dane| *authentic || dane.insecure_mx) else { return secure };
    let resolver = Resolver::system();
    let kind = if address.is_ipv4() { Kind::A } else { Kind::Aaaa };
    let signed = matches!(resolver.lookup(host, kind).await, Ok(answer) if answer.authentic);
    if !signed && !dane.insecure_host {
        return secure;
    }
    let name = format!("_{port}._tcp.{host}");
    match resolver.lookup(&name, Kind::Tlsa).await {
        Ok(answer) if answer.authentic => announced(&name, &answer, secure, plan),
        Err(error) if error.is_temporary() => {
            say(&format!("warning: TLSA lookup error for {host}:{port}"));
            secure
        }
        Ok(_) | Err(_) => secure,
    }
}

fn announced(name: &str, answer: &Arc<Answer>, secure: Policy, plan: &Plan) -> Policy {
    let mut associations = Vec::new();
    for record in &answer.records {
        if let &Data::Tlsa { usage, selector, matching, ref data } = &record.data {
            associations.push(Association { usage, selector, matching, data: data.clone() });
        }
    }
    let counting = tls::dane::counting(&associations, &Digest::ALL);
    if counting.is_empty() {
        return secure;
    }
    if plan.log.has(Topic::Matching) {
        for association in &associations {
            let Association { usage, selector, matching, .. } = association;
            let digest = association.fingerprint();
            say(&format!("using DANE RR: {name} IN TLSA {usage} {selector} {matching} {digest}"));
        }
    }
    let host = name.splitn(3, '.').nth(2).unwrap_or_default().to_owned();
    let names = [std::slice::from_ref(&host), secure.names.as_slice()].concat();
    Policy { level: Level::Dane, associations: counting, names, server_name: host, ..secure }
}
