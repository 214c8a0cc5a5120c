//! XFORWARD: an upstream filter tells about the original client, for logs and for the next hop. See XFORWARD_README.

use dns::Families;
use smtp_proto::attribute::{self, Attribute};
use smtp_proto::{Enhanced, Reply};

use super::ehlo::harmless;
use super::xclient::{address_of, bad_name, bad_syntax, known, port_of};
use crate::session::peer::UNKNOWN;
use crate::session::transaction::Envelope;
use crate::session::{Next, Session};

/// What was told.
#[derive(Debug, Clone, Default)]
pub(crate) struct Forward {
    /// The original client. What is not told of it is not known; our own client has nothing to do with it.
    pub(crate) client: Option<Box<Client>>,
    /// The queue id upstream.
    pub(crate) ident: Option<String>,
    pub(crate) domain: Option<Domain>,
}

/// `SOURCE`: where the message came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Domain {
    Local,
    Remote,
}

/// The original client.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    pub(crate) name: String,
    pub(crate) address: String,
    pub(crate) port: String,
    pub(crate) protocol: String,
    pub(crate) helo: Option<String>,
}

impl Client {
    fn unknown() -> Box<Client> {
        let unknown = || UNKNOWN.to_owned();
        Box::new(Client { name: unknown(), address: unknown(), port: unknown(), protocol: unknown(), helo: None })
    }

    /// `name[address]`, or the name alone.
    pub(crate) fn namaddr(&self) -> String {
        if self.address == UNKNOWN { self.name.clone() } else { format!("{}[{}]", self.name, self.address) }
    }
}

impl Forward {
    fn client(&mut self) -> &mut Client {
        self.client.get_or_insert_with(Client::unknown)
    }

    /// Whether anything was told.
    pub(crate) fn tells(&self) -> bool {
        self.client.is_some() || self.ident.is_some() || self.domain.is_some()
    }

    fn learn(&mut self, attribute: &Attribute, families: Families) -> Result<(), Reply> {
        let bad = || bad_syntax(&attribute.name, &attribute.value);
        let unknown = || UNKNOWN.to_owned();
        match (attribute.name.as_str(), known(&attribute.value).map(harmless)) {
            ("NAME", Some(text)) if !address::domain::is_hostname(text.as_bytes()) => return Err(bad()),
            ("NAME", text) => self.client().name = text.unwrap_or_else(unknown),
            ("ADDR", Some(text)) => self.client().address = address_of(&text, families).ok_or_else(bad)?.0,
            ("ADDR", None) => self.client().address = unknown(),
            ("PORT", text) => self.client().port = port_of(text).ok_or_else(bad)?,
            ("PROTO", text) => self.client().protocol = text.unwrap_or_else(unknown),
            ("HELO", text) => self.client().helo = text,
            ("IDENT", text) => self.ident = text,
            ("SOURCE", None) => self.domain = Some(Domain::Remote),
            ("SOURCE", Some(text)) if text.eq_ignore_ascii_case("REMOTE") => self.domain = Some(Domain::Remote),
            ("SOURCE", Some(text)) if text.eq_ignore_ascii_case("LOCAL") => self.domain = Some(Domain::Local),
            ("SOURCE", Some(_)) => return Err(bad()),
            (name, _) => return Err(bad_name("XFORWARD", name)),
        }
        Ok(())
    }
}

impl Session {
    pub(super) async fn xforward(&mut self, arguments: &[u8]) -> Next {
        let attributes = match self.told(arguments, "Syntax: XFORWARD attribute=value...", self.rights.xforward) {
            Ok(attributes) => attributes,
            Err(refusal) => return refusal,
        };
        let mut forward = self.forward.clone();
        for attribute in &attributes {
            if let Err(reply) = forward.learn(attribute, self.server.settings.families) {
                return Next::against_protocol(reply);
            }
        }
        self.forward = forward;
        Next::Reply(Reply::fixed(250, Enhanced(2, 0, 0), "Ok"))
    }

    /// What a before-queue filter is told of the client.
    pub(super) fn forward_attributes(&self, envelope: &Envelope) -> Vec<(&'static str, String)> {
        let told = |value: &str| if value.is_empty() || value == UNKNOWN { "[UNAVAILABLE]" } else { value }.to_owned();
        let peer = &self.peer;
        let helo = self.helo.as_ref().map_or("", |helo| helo.name.as_str());
        let [name, address, port, helo, protocol] = match &self.forward.client {
            Some(client) => {
                let helo = client.helo.as_deref().unwrap_or_default();
                [&client.name, &client.address, &client.port, helo, &client.protocol]
            }
            None => [&peer.name, &peer.address, &peer.port, helo, self.protocol()],
        };
        vec![
            ("NAME", told(name)),
            ("ADDR", told(&attribute::address(address))),
            ("PORT", told(port)),
            ("HELO", told(helo)),
            ("IDENT", told(self.forward.ident.as_deref().unwrap_or_default())),
            ("PROTO", told(protocol)),
            ("SOURCE", if envelope.rewrites_locally { "LOCAL" } else { "REMOTE" }.to_owned()),
        ]
    }
}
