//! An address: ours is taken apart and expanded further, any other is forwarded.

use ::address::{OwnerRequest, split_extension_with};
use bytes::Bytes;
use delivery::Settled;
use dsn::Status;
use ipc::rewrite::{Context, Fault, Reply, Request, Resolved};
use tracing::warn;

use crate::errand::{Errand, and};
use crate::state::{State, Via};
use crate::token::Token;

/// How often an expansion may lead to another address of ours.
const LEVELS: u32 = 24;

impl Errand<'_, '_> {
    /// Delivers to an address of this host.
    pub(crate) fn recipient(&mut self, mut state: State) -> Settled {
        let shown = ::address::Address::from(&state.recipient.address[..]).to_string();
        self.take_apart(&mut state);
        if state.level > LEVELS {
            let text = format!("alias database loop for {}", String::from_utf8_lossy(&state.local));
            warn!("{text}");
            return self.fail(&state, Status::permanent(4, 6), text);
        }
        if self.loops.contains(&state.recipient.address) {
            return self.fail(&state, Status::permanent(4, 6), format!("mail forwarding loop for {shown}"));
        }
        if state.delivered.is_none() || !self.office.params.local.frozen_delivered_to {
            state.delivered = Some(state.recipient.address.to_vec());
        }
        state.level += 1;
        self.switch(&state)
    }

    /// Splits the address into local part, user, extension and domain.
    fn take_apart(&self, state: &mut State) {
        let params = &self.office.params;
        let address = ::address::Address::from(&state.recipient.address[..]);
        state.local = table::fold(address.local_part()).into_owned();
        state.domain = table::fold(address.domain().unwrap_or_default()).into_owned();
        let owner_request =
            if params.local.owner_request_special { OwnerRequest::Special } else { OwnerRequest::Plain };
        let delimiters = params.common.identity.recipient_delimiter.as_bytes();
        let (user, extension) = split_extension_with(&state.local, delimiters, owner_request);
        let (user, mut extension) = (user.to_vec(), extension.map(<[u8]>::to_vec));
        if extension.as_ref().is_some_and(|extension| extension.contains(&b'/')) {
            let local = String::from_utf8_lossy(&state.local);
            warn!("{}: address with illegal extension: {local}", self.request().queue_id);
            extension = None;
        }
        (state.user, state.extension) = (user, extension);
    }

    /// Aliases, `.forward`, the mailbox, and what is done about unknown users, in this order.
    fn switch(&mut self, state: &State) -> Settled {
        if let Some(settled) = self.alias(state, &state.local) {
            return settled;
        }
        if state.extension.is_some()
            && let Some(settled) = self.alias(state, &state.user)
        {
            return settled;
        }
        if let Some(settled) = self.forward(state) {
            return settled;
        }
        self.mailbox_or_unknown(state)
    }

    fn mailbox_or_unknown(&mut self, state: &State) -> Settled {
        match self.mailbox(state) {
            Some(settled) => settled,
            None => self.unknown(state),
        }
    }

    /// Delivers to every place that an expansion names.
    pub(crate) fn tokens(&mut self, state: &State, tokens: &[Token]) -> Settled {
        tokens.iter().fold(Settled::Finished, |settled, token| and(settled, self.token(state, token)))
    }

    fn token(&mut self, state: &State, token: &Token) -> Settled {
        match token {
            Token::Address(address) => self.resolve(state, address),
            Token::Mailbox(user) => {
                let mut state = state.clone();
                state.local = table::fold(user).into_owned();
                (state.user, state.extension) = (state.local.clone(), None);
                self.mailbox_or_unknown(&state)
            }
            Token::File(path) if self.allows(&self.office.params.local.allow_mail_to_files, state) => {
                self.file(state, path)
            }
            Token::File(_) => self.fail(state, Status::permanent(7, 1), "mail to file is restricted"),
            Token::Command(line) if self.allows(&self.office.params.local.allow_mail_to_commands, state) => {
                self.command(state, &String::from_utf8_lossy(line))
            }
            Token::Command(_) => self.fail(state, Status::permanent(7, 1), "mail to command is restricted"),
            Token::Include(path) => self.include(state, path),
        }
    }

    fn allows(&self, list: &[String], state: &State) -> bool {
        list.iter().any(|word| word.eq_ignore_ascii_case(state.via.word()))
    }

    /// Finds out whether an address is ours.
    pub(crate) fn resolve(&mut self, state: &State, address: &[u8]) -> Settled {
        let resolved = match self.resolved(state, address) {
            Ok(resolved) => resolved,
            Err(settled) => return settled,
        };
        let mut state = state.clone();
        state.recipient.address = resolved.recipient;
        if resolved.transport == self.office.relay && !self.leaves_user(&state) {
            return self.recipient(state);
        }
        self.indirect(&state)
    }

    /// What a user's `.forward` sends to others becomes a message of its own, with its own record of what happens, and so
    /// does what goes to the members of a list with an owner, who hears of failures.
    fn leaves_user(&self, state: &State) -> bool {
        if state.owner.is_some() {
            return true;
        }
        let Via::Forward(owner) = &state.via else { return false };
        let mut inner = state.clone();
        self.take_apart(&mut inner);
        inner.user != *owner && inner.local != *owner
    }

    fn resolved(&mut self, state: &State, address: &[u8]) -> Result<Resolved, Settled> {
        let nobody = self.office.params.common.identity.empty_address_recipient.as_bytes();
        let address = if matches!(address, b"" | b"@") { nobody } else { address };
        let request = Request::RewriteAndResolve {
            context: Context::Local,
            sender: state.sender.clone(),
            address: Bytes::copy_from_slice(address),
        };
        let resolved = match self.office.rewrite.call(request) {
            Ok(Reply::Resolved(resolved)) => resolved,
            Ok(Reply::Rewritten(_) | Reply::Failed) => return Err(self.defer(state, "address resolver failure")),
            Err(error) => {
                warn!("rewrite service: {error}");
                return Err(self.defer(state, "address resolver failure"));
            }
        };
        match resolved.fault {
            Fault::None => Ok(resolved),
            Fault::Unavailable => Err(self.defer(state, "address resolver failure")),
            Fault::Malformed => {
                let shown = ::address::Address::from(address);
                Err(self.fail(state, Status::permanent(1, 3), format!("bad recipient address syntax: {shown}")))
            }
        }
    }

    /// The canonical form of an address.
    pub(crate) fn rewritten(&mut self, address: &[u8]) -> Option<Bytes> {
        let request = Request::Rewrite { context: Context::Local, address: Bytes::copy_from_slice(address) };
        match self.office.rewrite.call(request) {
            Ok(Reply::Rewritten(address)) => Some(address),
            Ok(Reply::Resolved(_) | Reply::Failed) => None,
            Err(error) => {
                warn!("rewrite service: {error}");
                None
            }
        }
    }
}
