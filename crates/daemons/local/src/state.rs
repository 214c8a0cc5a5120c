//! Where in the expansion of a recipient a delivery is.

use bytes::Bytes;
use ipc::deliver::Recipient;
use privsep::User;

/// What led to the present address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Via {
    /// qmgr's request.
    Request,
    /// An alias.
    Alias,
    /// An `:include:` file.
    Include,
    /// A `.forward` file.
    Forward,
}

impl Via {
    /// The word of `allow_mail_to_commands` and `allow_mail_to_files`.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Request => "",
            Self::Alias => "alias",
            Self::Include => "include",
            Self::Forward => "forward",
        }
    }
}

/// An address on its way to a mailbox, a file, a command, or another host.
#[derive(Debug, Clone)]
pub(crate) struct State {
    /// The address now, and what notices say of it.
    pub(crate) recipient: Recipient,
    /// The envelope sender of what is delivered.
    pub(crate) sender: Bytes,
    /// Who hears of failures in place of the sender: the owner of an alias.
    pub(crate) owner: Option<Bytes>,
    /// The address of `Delivered-To:`.
    pub(crate) delivered: Option<Vec<u8>>,
    /// The local part in lower case.
    pub(crate) local: Vec<u8>,
    /// The local part without its extension.
    pub(crate) user: Vec<u8>,
    /// The extension.
    pub(crate) extension: Option<Vec<u8>>,
    /// What `propagate_unmatched_extensions` adds to the addresses of the present expansion: a delimiter and an extension.
    pub(crate) unmatched: Vec<u8>,
    /// The domain in lower case.
    pub(crate) domain: Vec<u8>,
    /// How deep the expansion is.
    pub(crate) level: u32,
    /// What led here.
    pub(crate) via: Via,
    /// The name of the alias, or of the user with a `.forward` file, that led here last.
    pub(crate) parent: Option<Vec<u8>>,
    /// The user whose `.forward` file led here, perhaps by aliases.
    pub(crate) forwarder: Option<Vec<u8>>,
    /// Whether an `:include:` file led here, perhaps by aliases.
    pub(crate) listed: bool,
    /// Whether `luser_relay` led here, which is asked once only.
    pub(crate) relayed: bool,
    /// Whose rights commands and files have; `None` means those of `default_privs`.
    pub(crate) rights: Option<User>,
}

impl State {
    /// The beginning: a recipient as qmgr gave it.
    pub(crate) fn of(recipient: &Recipient, sender: &Bytes) -> Self {
        Self {
            recipient: recipient.clone(),
            sender: sender.clone(),
            owner: None,
            delivered: None,
            local: Vec::new(),
            user: Vec::new(),
            extension: None,
            unmatched: Vec::new(),
            domain: Vec::new(),
            level: 0,
            via: Via::Request,
            parent: None,
            forwarder: None,
            listed: false,
            relayed: false,
            rights: None,
        }
    }

    /// The extension with its delimiter.
    pub(crate) fn suffix(&self) -> &[u8] {
        self.local.get(self.user.len()..).unwrap_or_default()
    }

    /// The address of `Delivered-To:`.
    pub(crate) fn delivered(&self) -> &[u8] {
        self.delivered.as_deref().unwrap_or(&self.recipient.address)
    }
}
