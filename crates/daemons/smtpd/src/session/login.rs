//! As whom the client has logged in.

/// The result of AUTH, or what XCLIENT said of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Login {
    /// The mechanism.
    pub(crate) method: String,
    /// The name.
    pub(crate) username: String,
    /// `AUTH=` of MAIL, for this message.
    pub(crate) sender: String,
}
