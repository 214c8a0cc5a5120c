//! Whether a sender or recipient of ours is known, by the class of its domain.
//!
//! An address that canonical or virtual alias maps know is taken as known. What cannot be looked up is deferred.

use ipc::rewrite::Class;
use smtp_proto::Enhanced;
use std::time::Duration;
use table::{Error, Maps, Strategy};

use super::restriction::Party;
use super::{Check, Fault, Refusal, Subject, Verdict};
use crate::Smtpd;
use crate::resolve::Resolution;

/// Where an address was looked for in vain.
#[derive(Debug, Clone, Copy)]
struct Unknown {
    table: &'static str,
    code: u16,
}

const LISTED: Duration = Duration::from_secs(5);
const UNLISTED: Duration = Duration::from_secs(1);

impl Smtpd {
    /// Whether any of these tables knows an address.
    async fn is_listed(&self, maps: &Maps, address: &[u8]) -> Result<bool, Error> {
        if maps.is_empty() {
            return Ok(false);
        }
        let key = [maps.parameter().as_bytes(), b"\0", address].concat();
        if let Some(known) = self.listed.find(&key) {
            return Ok(known);
        }
        let found = self.tables.address_find.find(maps, address, Strategy::MAIL).await?.is_some();
        self.listed.keep(key, found, if found { LISTED } else { UNLISTED });
        Ok(found)
    }

    async fn is_mapped(&self, party: Party, address: &[u8]) -> Result<bool, Error> {
        let tables = &self.tables;
        // A sender has to be able to receive, too.
        let own = (party == Party::Sender).then_some(&tables.sender_canonical_maps);
        let common = [&tables.recipient_canonical_maps, &tables.canonical_maps, &tables.virtual_alias_maps];
        for maps in own.into_iter().chain(common) {
            if self.is_listed(maps, address).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// `None`: known, or not ours to know.
    async fn missing(&self, party: Party, resolved: &Resolution) -> Result<Option<Unknown>, Error> {
        let address = &resolved.recipient;
        if self.is_mapped(party, address).await? {
            return Ok(None);
        }
        let (codes, tables) = (&self.codes, &self.tables);
        let (maps, unknown) = match resolved.route.class {
            Class::VirtualAlias => {
                return Ok(Some(Unknown {
                    table: " in virtual alias table",
                    code: codes.unknown_virtual_alias_reject_code,
                }));
            }
            Class::Local => (
                &tables.local_recipient_maps,
                Unknown { table: " in local recipient table", code: codes.unknown_local_recipient_reject_code },
            ),
            Class::VirtualMailbox => (
                &tables.virtual_mailbox_maps,
                Unknown { table: " in virtual mailbox table", code: codes.unknown_virtual_mailbox_reject_code },
            ),
            Class::Relay => (
                &tables.relay_recipient_maps,
                Unknown { table: " in relay recipient table", code: codes.unknown_relay_recipient_reject_code },
            ),
            Class::Default => return Ok(None),
        };
        // These need no table, and are not lost with one that cannot be read.
        let own = resolved.route.class == Class::Local
            && is_always_known(address, &self.params.identity.double_bounce_sender);
        if own || maps.is_empty() || self.is_listed(maps, address).await? {
            return Ok(None);
        }
        Ok(Some(unknown))
    }
}

impl Check<'_> {
    /// The canonical form and destination of an address of this envelope.
    pub(crate) async fn resolve(&mut self, address: &[u8]) -> Option<Resolution> {
        self.server.resolver.resolve(self.facts.sender.unwrap_or_default(), address).await.ok()
    }

    pub(crate) async fn reject_unlisted_sender(&mut self) -> Verdict {
        self.asked.sender_listed |= !self.only_warns();
        match self.facts.sender {
            None | Some(b"") => Verdict::Dunno,
            Some(sender) => self.reject_unlisted(sender, Party::Sender).await,
        }
    }

    pub(crate) async fn reject_unlisted_recipient(&mut self) -> Verdict {
        self.asked.recipient_listed |= !self.only_warns();
        match self.facts.recipient {
            None => Verdict::Dunno,
            Some(recipient) => self.reject_unlisted(recipient, Party::Recipient).await,
        }
    }

    async fn reject_unlisted(&mut self, given: &[u8], party: Party) -> Verdict {
        let Some(resolved) = self.resolve(given).await else {
            return self.lookup_failed(given);
        };
        let subject = Subject::of_address(given, party);
        let detail = if party == Party::Sender { 0 } else { 1 };
        if let Some(fixed) = by_transport(&resolved, detail) {
            // What cleanup makes another address of never gets to that transport.
            match self.server.is_mapped(party, &resolved.recipient).await {
                Ok(true) => return Verdict::Dunno,
                Ok(false) => {}
                Err(error) => return self.table_failed(given, &error),
            }
            let (status, text) = (subject.fitted(fixed.status), subject.rejected(&fixed.text));
            let code = match resolved.route.class {
                Class::VirtualAlias => self.server.codes.unknown_virtual_alias_reject_code,
                Class::Local | Class::VirtualMailbox | Class::Relay | Class::Default => fixed.code,
            };
            let refusal = Refusal { code, status, text, ..fixed };
            return self.refuse(refusal);
        }
        match self.server.missing(party, &resolved).await {
            Ok(None) => Verdict::Dunno,
            Ok(Some(Unknown { table, code })) => {
                let table = if self.server.params.rewrite.show_user_unknown_table_name { table } else { "" };
                let text = subject.rejected(&format!("User unknown{table}"));
                self.refuse(Refusal { code, status: Enhanced(5, 1, detail), text, fault: Fault::Bounce })
            }
            Err(error) => self.table_failed(given, &error),
        }
    }
}

/// Whether mail for a local address is taken by one of ours, user or not: notices come from these, and go there.
fn is_always_known(address: &[u8], double_bounce_sender: &str) -> bool {
    let local = memchr::memchr(b'@', address).and_then(|at| address.get(..at)).unwrap_or_default();
    [double_bounce_sender, "postmaster", "mailer-daemon"]
        .iter()
        .any(|known| !local.is_empty() && local.eq_ignore_ascii_case(known.as_bytes()))
}

/// What the `error` and `retry` transports say at once.
fn by_transport(resolved: &Resolution, detail: u16) -> Option<Refusal> {
    let (code, class) = match resolved.route.transport.as_str() {
        "error" => (550, 5),
        "retry" => (450, 4),
        _ => return None,
    };
    let (status, text) = match Enhanced::split(resolved.route.nexthop.as_bytes()) {
        Some((status, rest)) => (status, String::from_utf8_lossy(rest).into_owned()),
        None => (Enhanced(class, 1, detail), resolved.route.nexthop.clone()),
    };
    Some(Refusal { code, status, text, fault: Fault::Bounce })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_sender_is_also_known_by_what_it_receives_as() {
        let main = "recipient_canonical_maps = inline:{in@mx.test=x}\nsender_canonical_maps = inline:{out@mx.test=x}\n";
        let server = crate::rehearsal::server(main).unwrap();
        for (party, address, expected) in [
            (Party::Sender, &b"in@mx.test"[..], true),
            (Party::Sender, b"out@mx.test", true),
            (Party::Recipient, b"in@mx.test", true),
            (Party::Recipient, b"out@mx.test", false),
        ] {
            assert_eq!(server.is_mapped(party, address).await.unwrap(), expected, "{party:?}");
        }
    }

    #[test]
    fn notices_come_from_known_addresses() {
        for (address, expected) in [
            ("postmaster@example.test", true),
            ("Mailer-Daemon@example.test", true),
            ("double-bounce@example.test", true),
            ("postmaster+x@example.test", false),
            ("postmasters@example.test", false),
            ("@example.test", false),
        ] {
            assert_eq!(is_always_known(address.as_bytes(), "double-bounce"), expected, "{address}");
        }
    }
}
