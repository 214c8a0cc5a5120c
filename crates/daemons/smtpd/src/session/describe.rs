//! The envelope records that a message begins with: when it came, from whom, and over what session.

use std::borrow::Cow;

use ipc::cleanup::Handling;
use queue_file::record::{self, Type};
use smtp_proto::{Enhanced, Reply};

use super::Session;
use super::transaction::Envelope;
use crate::access::{Actions, Check, Deferral, Restriction, Subject, Verdict};
use crate::sink::cleanup::Delivery;

impl Session {
    /// Describes the message to cleanup.
    pub(crate) async fn describe(&self, delivery: &mut Delivery, envelope: &Envelope) {
        self.instruct(delivery, envelope);
        let sender = &envelope.sender;
        let local = envelope.rewrites_locally;
        let records = &mut delivery.records;
        record::put_time(records, queue_file::Time::now());
        let content_filter = &self.server.params.cleanup.content_filter;
        if !content_filter.is_empty() {
            record::put(records, Type::Filter, content_filter.as_bytes());
        }
        let mut attribute = |name: &str, value: &[u8]| record::put_attribute(records, name, value);
        if let Some(ident) = &self.forward.ident {
            attribute("log_ident", ident.as_bytes());
        }
        attribute("rewrite_context", if local { b"local" } else { b"remote" });
        for (name, value) in self.login.iter().flat_map(|login| login.attributes()) {
            attribute(name, value.as_bytes());
        }
        if let Some(id) = &sender.envelope_id {
            attribute("envelope_id", id);
        }
        if let Some(ret) = sender.ret {
            attribute("ret_flags", ret.bits().to_string().as_bytes());
        }
        record::put(records, Type::Sender, &sender.address);
        if let Some(body) = sender.body {
            let encoding = if body == smtp_proto::parameter::Body::SevenBit { "7bit" } else { "8bit" };
            record::put_attribute(records, "encoding", encoding.as_bytes());
        }
        self.put_session(records);
        if let Some(verp) = &sender.verp {
            record::put(records, Type::Verp, verp.as_bytes());
        }
    }

    /// What cleanup is to leave out, or do besides.
    fn instruct(&self, delivery: &mut Delivery, envelope: &Envelope) {
        let overrides = self.server.settings.overrides;
        let before = delivery.handling;
        delivery.handling = Handling {
            hold: before.hold,
            smtputf8: envelope.sender.smtputf8.into(),
            requiretls: envelope.sender.requiretls.into(),
            ..service::handling(before.origin, overrides, &self.server.params.identity.smtputf8_autodetect_classes)
        };
    }

    /// The session, as it is logged and as it was.
    fn put_session(&self, records: &mut Vec<u8>) {
        let mut attribute = |name: &str, value: &str| record::put_attribute(records, name, value.as_bytes());
        let peer = &self.peer;
        let helo = self.helo.as_ref().map_or("", |helo| helo.name.as_str());
        let (names, origin, log_helo, protocol) = match &self.forward.client {
            Some(client) => {
                let helo = client.helo.as_deref().unwrap_or_default();
                let names = [&client.name, &client.address, &client.port];
                (names, Cow::Owned(client.namaddr()), helo, client.protocol.as_str())
            }
            None => ([&peer.name, &peer.address, &peer.port], Cow::Borrowed(&peer.namaddr), helo, self.protocol()),
        };
        for (name, value) in ["log_client_name", "log_client_address", "log_client_port"].into_iter().zip(names) {
            attribute(name, value);
        }
        attribute("log_message_origin", &origin);
        if !log_helo.is_empty() {
            attribute("log_helo_name", log_helo);
        }
        attribute("log_protocol_name", protocol);
        attribute("client_name", &peer.name);
        attribute("reverse_client_name", &peer.reverse_name);
        attribute("client_address", &peer.address);
        attribute("client_port", &peer.port);
        attribute("server_address", &peer.server_address);
        attribute("server_port", &peer.server_port);
        if !helo.is_empty() {
            attribute("helo_name", helo);
        }
        attribute("protocol_name", self.protocol());
        attribute("client_address_type", if peer.ip.is_some_and(|ip| ip.is_ipv6()) { "10" } else { "2" });
    }

    /// `local_header_rewrite_clients`: whether addresses in headers are completed with our own domain.
    ///
    /// # Errors
    /// The reply, which has been logged, where that cannot be known now.
    pub(crate) async fn rewrites_locally(&self) -> Result<bool, Reply> {
        if self.forward.domain.is_some() {
            return Ok(self.forward.domain == Some(crate::verb::xforward::Domain::Local));
        }
        let maps = &self.server.tables.rewrite_client_maps;
        match maps.lookup(self.peer.address.as_bytes()).await {
            Ok(Some(_)) => return Ok(true),
            Ok(None) => {}
            Err(_) => {
                let reply = Reply::fixed(451, Enhanced(4, 3, 0), "Temporary lookup error");
                self.facts(None, None).log("reject", &reply.logged());
                return Err(reply);
            }
        }
        let list = &self.server.tables.rewrite_clients;
        Ok(!list.is_empty() && Box::pin(self.is_permitted_by(list)).await?)
    }

    async fn is_permitted_by(&self, list: &[Restriction]) -> Result<bool, Reply> {
        let mut actions = Actions::default();
        let mut check = Check::new(&self.server, self.facts(None, None), &mut actions, Deferral::default());
        let subject = Subject { name: self.peer.namaddr.as_str().into(), class: "Client host" };
        // Nothing is permitted here that could be refused.
        check.logs_permit = false;
        match check.walk(list, &subject).await {
            Verdict::Permit => Ok(true),
            Verdict::Dunno => Ok(false),
            Verdict::Reject(reply) => Err(*reply),
        }
    }
}
