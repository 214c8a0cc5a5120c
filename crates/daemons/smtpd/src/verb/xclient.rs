//! XCLIENT: a trusted proxy says who its client is, and the session is that client's from then on. See XCLIENT_README.

use std::net::IpAddr;

use dns::Families;
use smtp_proto::attribute::{self, Attribute, TEMPORARILY_UNAVAILABLE, UNAVAILABLE};
use smtp_proto::{Enhanced, Reply};

use super::ehlo::harmless;
use crate::session::login::Login;
use crate::session::peer::{NameStatus, UNKNOWN};
use crate::session::{Hello, Next, Protocol, Session};
use crate::text::printable;

impl Session {
    pub(super) async fn xclient(&mut self, arguments: &[u8]) -> Next {
        let attributes = match self.told(arguments, "Syntax: XCLIENT attribute=value...", self.rights.xclient) {
            Ok(attributes) => attributes,
            Err(refusal) => return refusal,
        };
        // It is a new session, whose client has said as much as the proxy tells.
        let before = (self.helo.take(), std::mem::replace(&mut self.spoken, Protocol::Smtp));
        if let Err(reply) = attributes.iter().try_for_each(|attribute| self.impersonate(attribute)) {
            (self.helo, self.spoken) = before;
            return Next::against_protocol(reply);
        }
        self.peer.rename(self.server.params.smtpd.smtpd_client_port_logging);
        self.flush_history(0).await;
        self.deferral = Default::default();
        self.impatient = false;
        // What an upstream filter has told was of another client; that it may tell depends on who it is itself.
        self.forward = Default::default();
        let xforward = self.rights.xforward;
        self.find_rights().await;
        self.rights.xforward = xforward;
        if let Some(reply) = self.refused_client().await {
            return Next::Error(reply);
        }
        match self.meet_milters().await {
            banner if banner.is_positive() => Next::Afresh(banner),
            refusal => Next::Error(refusal),
        }
    }

    /// What XCLIENT or XFORWARD tells, of a client that may; else the refusal.
    pub(super) fn told(&self, arguments: &[u8], syntax: &'static str, may: bool) -> Result<Vec<Attribute>, Next> {
        if self.transaction.envelope().is_some() {
            let reply = Reply::fixed(503, Enhanced(5, 5, 1), "Error: MAIL transaction in progress");
            return Err(Next::against_protocol(reply));
        }
        if arguments.is_empty() {
            return Err(Next::against_protocol(Reply::fixed(501, Enhanced(5, 5, 4), syntax)));
        }
        if !may {
            return Err(Next::against_policy(Reply::fixed(
                550,
                Enhanced(5, 7, 0),
                "Error: insufficient authorization",
            )));
        }
        parsed(arguments).map_err(Next::against_protocol)
    }

    fn impersonate(&mut self, attribute: &Attribute) -> Result<(), Reply> {
        let value = known(&attribute.value);
        let bad = || bad_syntax(&attribute.name, &attribute.value);
        let text = value.map(|value| printable(value).into_owned());
        match attribute.name.as_str() {
            "NAME" => {
                let (name, status) = name_of(&attribute.value).ok_or_else(bad)?;
                // A name that is not known may still be one that the address claims.
                if status == NameStatus::Known {
                    (self.peer.reverse_name, self.peer.reverse_status) = (name.clone(), status);
                }
                (self.peer.name, self.peer.name_status) = (name, status);
            }
            "REVERSE_NAME" => {
                (self.peer.reverse_name, self.peer.reverse_status) = name_of(&attribute.value).ok_or_else(bad)?;
            }
            "ADDR" => match text {
                Some(text) => (self.peer.address, self.peer.ip) = self.address_of(&text).ok_or_else(bad)?,
                None => (self.peer.address, self.peer.ip) = (UNKNOWN.to_owned(), None),
            },
            "PORT" => self.peer.port = port_of(text).ok_or_else(bad)?,
            "DESTADDR" => {
                self.peer.server_address = match text {
                    Some(text) => self.address_of(&text).ok_or_else(bad)?.0,
                    None => UNKNOWN.to_owned(),
                };
            }
            "DESTPORT" => self.peer.server_port = port_of(text).ok_or_else(bad)?,
            "HELO" => self.helo = value.map(|name| Hello { name: harmless(name) }),
            "PROTO" => self.spoken = protocol_of(&attribute.value).ok_or_else(bad)?,
            "LOGIN" => {
                self.login =
                    text.map(|username| Login { method: "XCLIENT".to_owned(), username, sender: String::new() });
            }
            _ => return Err(bad_name("XCLIENT", &attribute.name)),
        }
        Ok(())
    }

    /// An address of a family that is in use; IPv6 has the prefix that SMTP gives it.
    fn address_of(&self, text: &str) -> Option<(String, Option<IpAddr>)> {
        address_of(text, self.server.settings.families)
    }
}

/// The longest value of an attribute.
const LONGEST_VALUE: usize = 255;

/// The attributes of a command.
fn parsed(arguments: &[u8]) -> Result<Vec<Attribute>, Reply> {
    let syntax = |text| Reply::fixed(501, Enhanced(5, 5, 4), text);
    let attributes =
        attribute::parse(arguments).map_err(|attribute::NoValue| syntax("Error: attribute=value expected"))?;
    if attributes.iter().any(|attribute| attribute.value.len() > LONGEST_VALUE) {
        return Err(syntax("Error: attribute value too long"));
    }
    Ok(attributes)
}

pub(super) fn bad_syntax(name: &str, value: &[u8]) -> Reply {
    Reply::new(501, Some(Enhanced(5, 5, 4)), format!("Bad {name} syntax: {}", printable(value)))
}

pub(super) fn bad_name(verb: &str, name: &str) -> Reply {
    Reply::new(501, Some(Enhanced(5, 5, 4)), format!("Bad {verb} attribute name: {}", printable(name.as_bytes())))
}

/// The value, unless it says that there is none.
pub(super) fn known(value: &[u8]) -> Option<&[u8]> {
    (!value.eq_ignore_ascii_case(UNAVAILABLE)).then_some(value)
}

/// A host name that is told, or why there is none.
fn name_of(value: &[u8]) -> Option<(String, NameStatus)> {
    if value.eq_ignore_ascii_case(TEMPORARILY_UNAVAILABLE) {
        return Some((UNKNOWN.to_owned(), NameStatus::Temporary));
    }
    match known(value) {
        Some(name) => address::domain::is_hostname(name).then(|| (printable(name).into_owned(), NameStatus::Known)),
        None => Some((UNKNOWN.to_owned(), NameStatus::Unknown)),
    }
}

/// An address of these families; IPv6 has the prefix that SMTP gives it.
pub(super) fn address_of(text: &str, families: Families) -> Option<(String, Option<IpAddr>)> {
    let ip = match text.split_at_checked(5) {
        Some((prefix, bare)) if prefix.eq_ignore_ascii_case("IPv6:") => IpAddr::V6(bare.parse().ok()?).to_canonical(),
        _ => IpAddr::V4(text.parse().ok()?),
    };
    families.has(ip).then(|| (ip.to_string(), Some(ip)))
}

pub(super) fn port_of(text: Option<String>) -> Option<String> {
    match text {
        None => Some(UNKNOWN.to_owned()),
        Some(text) => text.parse::<u16>().ok().map(|_| text),
    }
}

fn protocol_of(value: &[u8]) -> Option<Protocol> {
    if value.eq_ignore_ascii_case(b"ESMTP") {
        return Some(Protocol::Esmtp);
    }
    value.eq_ignore_ascii_case(b"SMTP").then_some(Protocol::Smtp)
}
