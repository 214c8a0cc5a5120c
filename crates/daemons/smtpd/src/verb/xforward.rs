//! XFORWARD: an upstream filter tells about the original client, for logs and for the next hop. See XFORWARD_README.

use smtp_proto::{Enhanced, Reply};

use super::xclient::{address_of, bad_name, bad_syntax, known, parsed, port_of};
use crate::access::Fault;
use crate::session::peer::UNKNOWN;
use crate::session::{Next, Session};
use crate::text::printable;

/// What was told.
#[derive(Debug, Clone, Default)]
pub(crate) struct Forward {
    pub(crate) name: Option<String>,
    pub(crate) address: Option<String>,
    pub(crate) port: Option<String>,
    pub(crate) protocol: Option<String>,
    pub(crate) helo: Option<String>,
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

impl Forward {
    /// Whether anything was told of the client.
    pub(crate) fn is_set(&self) -> bool {
        self.name.is_some() || self.address.is_some()
    }

    /// `name[address]` of the original client.
    pub(crate) fn namaddr(&self) -> Option<String> {
        let part = |part: &Option<String>| part.clone().unwrap_or_else(|| UNKNOWN.to_owned());
        self.is_set().then(|| format!("{}[{}]", part(&self.name), part(&self.address)))
    }
}

impl Session {
    pub(super) async fn xforward(&mut self, arguments: &[u8]) -> Next {
        if self.transaction.envelope().is_some() {
            return Next::Error(Reply::fixed(503, Enhanced(5, 5, 1), "Error: MAIL transaction in progress"));
        }
        if arguments.is_empty() {
            return Next::Error(Reply::fixed(501, Enhanced(5, 5, 4), "Syntax: XFORWARD attribute=value..."));
        }
        if !self.rights.xforward {
            self.faults.push(Fault::Policy);
            return Next::Error(Reply::fixed(550, Enhanced(5, 7, 0), "Error: insufficient authorization"));
        }
        let attributes = match parsed(arguments) {
            Ok(attributes) => attributes,
            Err(reply) => return Next::Error(reply),
        };
        let mut forward = self.forward.clone();
        for attribute in attributes {
            let bad = || bad_syntax(&attribute.name, &attribute.value);
            let text = known(&attribute.value).map(|value| printable(value).into_owned());
            match attribute.name.as_str() {
                "NAME" => forward.name = Some(text.unwrap_or_else(|| UNKNOWN.to_owned())),
                "ADDR" => match text {
                    None => forward.address = Some(UNKNOWN.to_owned()),
                    Some(text) => match address_of(&text) {
                        Some((address, _)) => forward.address = Some(address),
                        None => return Next::Error(bad()),
                    },
                },
                "PORT" => match port_of(text) {
                    Some(port) => forward.port = Some(port),
                    None => return Next::Error(bad()),
                },
                "PROTO" => forward.protocol = text,
                "HELO" => forward.helo = text,
                "IDENT" => forward.ident = text,
                "SOURCE" => match text.map(|text| text.to_ascii_uppercase()).as_deref() {
                    Some("LOCAL") => forward.domain = Some(Domain::Local),
                    Some("REMOTE") | None => forward.domain = Some(Domain::Remote),
                    Some(_) => return Next::Error(bad()),
                },
                _ => return Next::Error(bad_name(&attribute.name)),
            }
        }
        self.forward = forward;
        Next::Reply(Reply::fixed(250, Enhanced(2, 0, 0), "Ok"))
    }

    /// What a before-queue filter is told of the client.
    pub(super) fn forward_attributes(&self) -> Vec<(&'static str, String)> {
        let told =
            |value: String| if value.is_empty() || value == UNKNOWN { "[UNAVAILABLE]".to_owned() } else { value };
        let peer = &self.peer;
        let forward = &self.forward;
        let or = |value: &Option<String>, own: &str| told(value.clone().unwrap_or_else(|| own.to_owned()));
        let helo = self.helo.as_ref().map_or("", |helo| &helo.name);
        let address = match peer.ip {
            Some(std::net::IpAddr::V6(_)) => format!("IPV6:{}", peer.address),
            _ => peer.address.clone(),
        };
        vec![
            ("NAME", or(&forward.name, &peer.name)),
            ("ADDR", or(&forward.address, &address)),
            ("PORT", or(&forward.port, &peer.port)),
            ("PROTO", or(&forward.protocol, self.protocol())),
            ("HELO", or(&forward.helo, helo)),
            ("IDENT", or(&forward.ident, "")),
            ("SOURCE", "REMOTE".to_owned()),
        ]
    }
}
