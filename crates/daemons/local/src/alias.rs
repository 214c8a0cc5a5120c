//! Aliases: names that stand for lists of places, and the owners of such lists.

use bytes::Bytes;
use delivery::Settled;
use dsn::{Detail, Notify, Status};
use privsep::User;
use table::{Owner, Scope};
use tracing::warn;

use crate::errand::Errand;
use crate::state::{State, Via};
use crate::token::{self, Token};

/// The value of an alias, and who wrote it.
struct Found {
    value: Vec<u8>,
    owner: Owner,
}

impl Errand<'_, '_> {
    /// Delivers to what an alias stands for. `None` if there is no such alias.
    pub(crate) fn alias(&mut self, state: &State, name: &[u8]) -> Option<Settled> {
        // An alias that names itself means the user, and so does a user who names himself.
        if state.parent.as_deref() == Some(name) {
            return None;
        }
        match self.find(name) {
            Ok(None) => None,
            Ok(Some(found)) => Some(self.expand(state, name, &found)),
            Err(()) => Some(self.defer(state, "alias database unavailable")),
        }
    }

    /// Looks a name up in its quoted form, then as it is.
    fn find(&self, name: &[u8]) -> Result<Option<Found>, ()> {
        let quoted = address::quote::quote_local(name);
        let keys = if quoted == name { vec![name] } else { vec![&quoted[..], name] };
        for key in keys {
            let found = table::block_on(self.office.tables.aliases.find(key, Scope::All)).map_err(|error| {
                warn!("alias_maps: {error}");
            })?;
            if let Some(found) = found {
                return Ok(Some(Found { value: found.value, owner: found.owner }));
            }
        }
        Ok(None)
    }

    fn expand(&mut self, state: &State, name: &[u8], found: &Found) -> Settled {
        if self.is_probe() {
            return self.sent(state, format!("aliased to {}", String::from_utf8_lossy(&found.value)));
        }
        let mut inner = state.clone();
        inner.rights = match self.rights(found.owner) {
            Ok(rights) => rights,
            Err(()) => return self.defer(state, "cannot find alias database owner"),
        };
        match self.owner(name) {
            Ok(Some(owner)) => {
                inner.sender = owner.clone();
                inner.owner = Some(owner);
                // To members of a list they are the ones whom the message was for.
                inner.recipient.original = Bytes::new();
                inner.recipient.dsn_original = String::new();
            }
            // The envelope sender remains the owner of the list above.
            Ok(None) if self.office.params.local.reset_owner_alias => {
                (inner.owner, inner.forwarder, inner.listed) = (None, None, false);
            }
            Ok(None) => {}
            Err(()) => return self.defer(state, "alias database unavailable"),
        }
        // The full local part matches its extension, too.
        let propagates = name.len() < state.local.len() && self.propagates("alias");
        inner.unmatched = if propagates { state.suffix().to_vec() } else { Vec::new() };
        inner.via = Via::Alias;
        inner.parent = Some(name.to_vec());
        self.thaw(&mut inner);
        let tokens = token::parse(&found.value);
        if tokens.is_empty() {
            warn!("no recipient in alias lookup result for {}", String::from_utf8_lossy(name));
            return self.defer(state, "alias database unavailable");
        }
        self.expansion(state, inner, &tokens)
    }

    /// Whose rights commands and files of an alias have.
    fn rights(&self, owner: Owner) -> Result<Option<User>, ()> {
        match owner {
            Owner::Trusted | Owner::User(0) => Ok(None),
            Owner::User(uid) => match User::by_uid(uid) {
                Ok(Some(user)) => Ok(Some(user)),
                Ok(None) => {
                    warn!("cannot find alias database owner: no user with id {uid}");
                    Err(())
                }
                Err(error) => {
                    warn!("cannot find alias database owner: {error}");
                    Err(())
                }
            },
            Owner::Unknown => Ok(Some(self.office.default_user.clone())),
        }
    }

    /// The address of `owner-name`, if there is such an alias and `owner_request_special` lets it mean something. Owners
    /// may have owners.
    pub(crate) fn owner(&mut self, name: &[u8]) -> Result<Option<Bytes>, ()> {
        if !self.office.params.local.owner_request_special {
            return Ok(None);
        }
        let owner = [b"owner-", name].concat();
        let Some(found) = self.find(&owner)? else { return Ok(None) };
        let expanded = token::parse(&found.value).into_iter().find_map(|token| match token {
            Token::Address(address) => Some(address),
            Token::File(_) | Token::Home(_) | Token::Command(_) | Token::Include(_) => None,
        });
        let address = if self.office.params.local.expand_owner_alias { expanded.unwrap_or(owner) } else { owner };
        self.rewritten(&address).map(Some).ok_or(())
    }

    /// Who hears that an address failed for good: the owner of the alias that it is, with its extension or without it.
    pub(crate) fn owner_of(&mut self, address: &[u8]) -> Result<Option<Bytes>, ()> {
        let address = address::Address::from(address);
        let local = address.local_part();
        if let Some(owner) = self.owner(local)? {
            return Ok(Some(owner));
        }
        let delimiters = self.office.params.common.identity.recipient_delimiter.as_bytes();
        match address::split_extension(local, delimiters) {
            (user, Some(_)) => self.owner(user),
            (_, None) => Ok(None),
        }
    }

    /// Delivers to what an alias or a user's file stands for. A sender who asked for success hears that it was expanded, when
    /// nothing of it waits any more, and nothing of its members.
    pub(crate) fn expansion(&mut self, state: &State, mut inner: State, tokens: &[Token]) -> Settled {
        let notify = Notify::from_bits(state.recipient.notify).unwrap_or(Notify::UNSET);
        if !notify.contains(Notify::SUCCESS) || self.is_dry() {
            return self.tokens(&inner, tokens);
        }
        inner.recipient.notify = without_success(notify);
        let settled = self.tokens(&inner, tokens);
        if settled == Settled::Remains {
            return settled;
        }
        // RFC 3461 §5.2.7.3: for a list that is the end, since its owner hears of the rest.
        let action = if inner.owner.is_some() { "delivered" } else { "expanded" };
        let detail = Detail::new(Status::SENT, "alias expanded").with_action(action);
        let attempt = self.attempt(None);
        if !self.delivery.trace(&state.recipient, &attempt, &detail) {
            warn!("{}: trace service failure", self.request().queue_id);
        }
        settled
    }
}

/// Who has heard of success hears no more of it.
pub(crate) fn without_success(notify: Notify) -> u8 {
    match notify.bits() & !Notify::SUCCESS.bits() {
        0 => Notify::NEVER.bits(),
        rest => rest,
    }
}
