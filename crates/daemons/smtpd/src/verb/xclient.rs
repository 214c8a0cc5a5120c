//! XCLIENT: a trusted proxy says who its client is, and the session is that client's from then on. See XCLIENT_README.

use std::net::IpAddr;

use smtp_proto::attribute::{self, Attribute, Malformed, TEMPORARILY_UNAVAILABLE, UNAVAILABLE};
use smtp_proto::{Enhanced, Reply};

use crate::access::Fault;
use crate::session::login::Login;
use crate::session::peer::{NameStatus, UNKNOWN};
use crate::session::{Hello, Next, Protocol, Session};
use crate::text::printable;

impl Session {
    pub(super) async fn xclient(&mut self, arguments: &[u8]) -> Next {
        if self.transaction.envelope().is_some() {
            return Next::Error(Reply::fixed(503, Enhanced(5, 5, 1), "Error: MAIL transaction in progress"));
        }
        if arguments.is_empty() {
            return Next::Error(Reply::fixed(501, Enhanced(5, 5, 4), "Syntax: XCLIENT attribute=value..."));
        }
        if !self.rights.xclient {
            self.faults.push(Fault::Policy);
            return Next::Error(Reply::fixed(550, Enhanced(5, 7, 0), "Error: insufficient authorization"));
        }
        let attributes = match parsed(arguments) {
            Ok(attributes) => attributes,
            Err(reply) => return Next::Error(reply),
        };
        let mut hello = (self.helo.clone().map(|helo| helo.name), None);
        for attribute in &attributes {
            if let Err(reply) = self.impersonate(attribute, &mut hello) {
                return Next::Error(reply);
            }
        }
        self.peer.rename(self.server.params.smtpd.smtpd_client_port_logging);
        // It is a new session, whose client has said as much as the proxy told.
        let (name, protocol) = hello;
        let told = attributes.iter().any(|attribute| attribute.name == "HELO");
        self.helo = name.filter(|_| told).map(|name| Hello { name, protocol: protocol.unwrap_or(Protocol::Smtp) });
        self.flush_history(0).await;
        self.deferral = Default::default();
        self.impatient = false;
        let xclient = self.rights.xclient;
        self.find_rights().await;
        self.rights.xclient |= xclient;
        if let Some(reply) = self.refused_client().await {
            return Next::Error(reply);
        }
        match self.meet_milters().await {
            banner if banner.is_positive() => Next::Reply(banner),
            refusal => Next::Error(refusal),
        }
    }

    fn impersonate(
        &mut self,
        attribute: &Attribute,
        hello: &mut (Option<String>, Option<Protocol>),
    ) -> Result<(), Reply> {
        let value = known(&attribute.value);
        let bad = || bad_syntax(&attribute.name, &attribute.value);
        let text = value.map(|value| printable(value).into_owned());
        match attribute.name.as_str() {
            "NAME" => {
                let status = status_of(&attribute.value);
                if text.as_ref().is_some_and(|name| !address::domain::is_hostname(name.as_bytes())) {
                    return Err(bad());
                }
                (self.peer.name, self.peer.name_status) = (text.clone().unwrap_or_else(|| UNKNOWN.to_owned()), status);
                (self.peer.reverse_name, self.peer.reverse_status) =
                    (text.unwrap_or_else(|| UNKNOWN.to_owned()), status);
            }
            "REVERSE_NAME" => {
                (self.peer.reverse_name, self.peer.reverse_status) =
                    (text.unwrap_or_else(|| UNKNOWN.to_owned()), status_of(&attribute.value));
            }
            "ADDR" => match text {
                Some(text) => (self.peer.address, self.peer.ip) = address_of(&text).ok_or_else(bad)?,
                None => (self.peer.address, self.peer.ip) = (UNKNOWN.to_owned(), None),
            },
            "PORT" => self.peer.port = port_of(text).ok_or_else(bad)?,
            "DESTADDR" => {
                self.peer.server_address = match text {
                    Some(text) => address_of(&text).ok_or_else(bad)?.0,
                    None => UNKNOWN.to_owned(),
                };
            }
            "DESTPORT" => self.peer.server_port = port_of(text).ok_or_else(bad)?,
            "HELO" => hello.0 = text,
            "PROTO" => hello.1 = Some(protocol_of(text.as_deref()).ok_or_else(bad)?),
            "LOGIN" => {
                self.login =
                    text.map(|username| Login { method: "XCLIENT".to_owned(), username, sender: String::new() });
            }
            _ => return Err(bad_name(&attribute.name)),
        }
        Ok(())
    }
}

/// The attributes of a command.
pub(super) fn parsed(arguments: &[u8]) -> Result<Vec<Attribute>, Reply> {
    attribute::parse(arguments).map_err(|malformed| match malformed {
        Malformed::NoValue => Reply::fixed(501, Enhanced(5, 5, 4), "Error: attribute=value expected"),
        Malformed::Encoding(value) => {
            Reply::new(501, Some(Enhanced(5, 5, 4)), format!("Bad attribute value syntax: {}", printable(&value)))
        }
    })
}

pub(super) fn bad_syntax(name: &str, value: &[u8]) -> Reply {
    Reply::new(501, Some(Enhanced(5, 5, 4)), format!("Bad {name} syntax: {}", printable(value)))
}

pub(super) fn bad_name(name: &str) -> Reply {
    Reply::new(501, Some(Enhanced(5, 5, 4)), format!("Bad attribute name: {}", printable(name.as_bytes())))
}

/// The value, unless it says that there is none.
pub(super) fn known(value: &[u8]) -> Option<&[u8]> {
    let none = value.eq_ignore_ascii_case(UNAVAILABLE) || value.eq_ignore_ascii_case(TEMPORARILY_UNAVAILABLE);
    (!none && !value.is_empty()).then_some(value)
}

fn status_of(value: &[u8]) -> NameStatus {
    if known(value).is_some() {
        NameStatus::Known
    } else if value.eq_ignore_ascii_case(TEMPORARILY_UNAVAILABLE) {
        NameStatus::Temporary
    } else {
        NameStatus::Unknown
    }
}

/// An address, which may have the prefix that SMTP gives to IPv6.
pub(super) fn address_of(text: &str) -> Option<(String, Option<IpAddr>)> {
    let bare = match text.get(..5) {
        Some(prefix) if prefix.eq_ignore_ascii_case("IPv6:") => text.get(5..)?,
        _ => text,
    };
    let ip = bare.parse::<IpAddr>().ok()?.to_canonical();
    Some((ip.to_string(), Some(ip)))
}

pub(super) fn port_of(text: Option<String>) -> Option<String> {
    match text {
        None => Some(UNKNOWN.to_owned()),
        Some(text) => text.parse::<u16>().ok().map(|_| text),
    }
}

fn protocol_of(text: Option<&str>) -> Option<Protocol> {
    match text {
        Some(text) if text.eq_ignore_ascii_case("ESMTP") => Some(Protocol::Esmtp),
        Some(text) if text.eq_ignore_ascii_case("SMTP") => Some(Protocol::Smtp),
        None => Some(Protocol::Smtp),
        Some(_) => None,
    }
}
