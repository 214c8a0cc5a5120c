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

impl Login {
    /// What is known of it, as the log and queue files name it.
    pub(crate) fn attributes(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let all = [("sasl_method", &self.method), ("sasl_username", &self.username), ("sasl_sender", &self.sender)];
        all.into_iter().map(|(name, value)| (name, value.as_str())).filter(|(_, value)| !value.is_empty())
    }
}
