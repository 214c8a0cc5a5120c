//! An address: ours is taken apart and expanded further, any other is forwarded.

use std::borrow::Cow;
use std::os::unix::ffi::OsStrExt;

use ::address::{OwnerRequest, split_extension_with};
use bytes::Bytes;
use delivery::Settled;
use dsn::Status;
use ipc::rewrite::{Context, Fault, Reply, Request, Resolved};
use tracing::warn;

use crate::errand::{CONFIGURATION, Errand, and};
use crate::state::State;
use crate::token::Token;

/// How often an expansion may lead to another address of ours, or another list.
const LEVELS: u32 = 24;

impl Errand<'_, '_> {
    /// Delivers to an address of this host.
    pub(crate) fn recipient(&mut self, mut state: State) -> Settled {
        // Lists that share members would else be gone through on every way that leads to them.
        let here = [state.level.to_string().as_bytes(), b" ", &state.recipient.address].concat();
        if self.is_repeated("recipient", &here) {
            return Settled::Finished;
        }
        self.take_apart(&mut state);
        if let Some(refused) = self.refuse_depth(&state, &String::from_utf8_lossy(&state.local)) {
            return refused;
        }
        if let Some(refusal) = self.loops.refusal(&state.recipient.address) {
            return self.report_to_owner(&state, refusal);
        }
        if state.delivered.is_none() {
            state.delivered = Some(state.recipient.address.to_vec());
        }
        state.level += 1;
        // A backslash that is part of the address means the user of that name, whatever aliases and files say.
        if state.recipient.address.first() == Some(&b'\\') {
            state.recipient.address = state.recipient.address.slice(1..);
            self.take_apart(&mut state);
            return self.final_place(&state);
        }
        self.switch(&state)
    }

    /// Refuses to go on where one name has led to another for too long.
    pub(crate) fn refuse_depth(&mut self, state: &State, name: &str) -> Option<Settled> {
        (state.level > LEVELS).then(|| {
            let text = format!("alias database loop for {name}");
            warn!("{text}");
            self.fail(state, Status::permanent(4, 6), text)
        })
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
            state.local.truncate(user.len());
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
        if leaves(state) {
            return self.indirect(state);
        }
        match self.forward(state) {
            Some(settled) => settled,
            None => self.final_place(state),
        }
    }

    /// The mailbox, or what is done about unknown users. A backslash before an address leads here at once.
    fn final_place(&mut self, state: &State) -> Settled {
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
            Token::File(path) => self.permitted_file(state, path),
            Token::Home(path) => self.home_file(state, path),
            Token::Command(line) if self.allows(&self.office.params.local.allow_mail_to_commands, state) => {
                self.command(state, &String::from_utf8_lossy(line))
            }
            Token::Command(_) => self.fail(state, Status::permanent(7, 1), "mail to command is restricted"),
            Token::Include(path) => self.include(state, path),
        }
    }

    fn permitted_file(&mut self, state: &State, path: &[u8]) -> Settled {
        if self.allows(&self.office.params.local.allow_mail_to_files, state) {
            self.file(state, path)
        } else {
            self.fail_to_owner(state, Status::permanent(7, 1), "mail to file is restricted")
        }
    }

    /// A file below the home directory of the user who asks for it. Nobody has one of other users, and an alias of the
    /// administrator has none at all.
    fn home_file(&mut self, state: &State, path: &[u8]) -> Settled {
        let shown = String::from_utf8_lossy(path);
        let problem = match &state.rights {
            _ if !path.starts_with(b"/") => "bad home directory syntax",
            None => "unknown home directory",
            Some(user) => {
                let home = user.home.as_os_str().as_bytes();
                let home = home.strip_suffix(b"/").unwrap_or(home);
                return self.permitted_file(state, &[home, path].concat());
            }
        };
        warn!("{problem} for: ~{shown}");
        self.fail(state, Status::permanent(3, 5), CONFIGURATION)
    }

    fn allows(&self, list: &[String], state: &State) -> bool {
        list.iter().any(|word| word.eq_ignore_ascii_case(state.via.word()))
    }

    /// Finds out whether an address is ours.
    pub(crate) fn resolve(&mut self, state: &State, address: &[u8]) -> Settled {
        let extended = match address {
            b"" | b"@" => Cow::Borrowed(address),
            _ if state.unmatched.is_empty() => Cow::Borrowed(address),
            _ => Cow::Owned(::address::Address::from(address).extended(&state.unmatched).into_bytes()),
        };
        let resolved = match self.resolved(state, &extended) {
            Ok(resolved) => resolved,
            Err(settled) => return settled,
        };
        let mut state = state.clone();
        state.recipient.address = resolved.recipient;
        state.unmatched.clear();
        if resolved.transport == self.office.relay { self.recipient(state) } else { self.indirect(&state) }
    }

    /// What is expanded from here on shows this address in `Delivered-To:`, where each step is to have its own.
    pub(crate) fn thaw(&self, state: &mut State) {
        if !self.office.params.local.frozen_delivered_to {
            state.delivered = Some(state.recipient.address.to_vec());
        }
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
        let is_option = !self.office.params.rewrite.allow_min_user && address::looks_like_option(&resolved.recipient);
        match resolved.fault {
            Fault::None if !is_option => Ok(resolved),
            Fault::Unavailable => Err(self.defer(state, "address resolver failure")),
            Fault::None | Fault::Malformed => {
                let shown = String::from_utf8_lossy(if is_option { &resolved.recipient } else { address });
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

/// What an `:include:` file or a user's `.forward` sends to others becomes a message of its own, with its own record of
/// what happens, and so does what goes to the members of a list with an owner, who hears of failures.
fn leaves(state: &State) -> bool {
    state.owner.is_some() || state.listed || state.forwarder.as_ref().is_some_and(|user| *user != state.user)
}
