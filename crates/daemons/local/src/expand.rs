//! `$name` in forward_path, luser_relay and command_execution_directory, and the environment of commands.

use std::borrow::Cow;

use ipc::deliver::Client;
use privsep::User;

use crate::errand::Errand;
use crate::state::State;

/// What the expansions of one address know.
pub(crate) struct Names {
    values: Vec<(&'static str, String)>,
}

impl Names {
    /// The names of local(8).
    pub(crate) fn of(errand: &Errand<'_, '_>, state: &State, user: Option<&User>) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let delimiter = state.extension.as_ref().and_then(|_| state.local.get(state.user.len()));
        let mut values = vec![
            ("user", text(&state.user)),
            ("local", text(&state.local)),
            ("mailbox", text(&state.local)),
            ("domain", text(&state.domain)),
            ("recipient", text(&state.recipient.address)),
        ];
        values.extend(state.extension.as_ref().map(|extension| ("extension", text(extension))));
        values.extend(delimiter.map(|&byte| ("recipient_delimiter", char::from(byte).to_string())));
        values.extend(user.map(|user| ("home", user.home.display().to_string())));
        values.extend(user.map(|user| ("shell", user.shell.display().to_string())));
        let client = &errand.request().client;
        values.extend(client_names(client).map(|(name, value)| (name, value.to_owned())));
        Self { values }
    }

    /// Expands a text; what the names stand for keeps only characters of `filter`. `None` if a name in it stands for
    /// nothing, or the text is malformed.
    pub(crate) fn expand(&self, text: &str, filter: &str) -> Option<String> {
        if ["extension", "recipient_delimiter", "home", "shell"].iter().any(|name| self.lacks(name, text)) {
            return None;
        }
        self.expand_loosely(text, filter)
    }

    /// Expands a text in which names may stand for nothing.
    pub(crate) fn expand_loosely(&self, text: &str, filter: &str) -> Option<String> {
        let names = |name: &str| {
            let (_, value) = self.values.iter().find(|(known, _)| *known == name)?;
            Some(Cow::Owned(filtered(value, filter)))
        };
        config::expand_once(text, &names).inspect_err(|error| tracing::warn!("bad expansion: {text}: {error}")).ok()
    }

    /// Whether a text needs a name that stands for nothing (and does not only ask whether it does).
    fn lacks(&self, name: &str, text: &str) -> bool {
        let needed = [format!("${{{name}}}"), format!("$({name})")].iter().any(|form| text.contains(form))
            || text.match_indices(&format!("${name}")).any(|(at, found)| {
                !text
                    .get(at + found.len()..)
                    .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_'))
            });
        needed && !self.values.iter().any(|(known, _)| known == &name)
    }
}

fn client_names(client: &Client) -> impl Iterator<Item = (&'static str, &str)> {
    [
        ("client_address", &client.address),
        ("client_helo", &client.helo),
        ("client_hostname", &client.name),
        ("client_protocol", &client.protocol),
    ]
    .into_iter()
    .filter(|(_, value)| !value.is_empty())
    .map(|(name, value)| (name, value.as_str()))
}

/// Characters that are not allowed become underscores.
fn filtered(value: &str, filter: &str) -> String {
    value.chars().map(|c| if filter.contains(c) { c } else { '_' }).collect()
}

impl Errand<'_, '_> {
    /// What a command finds in its environment.
    pub(crate) fn environment(&self, state: &State, user: &User) -> Vec<(String, String)> {
        let filter = &self.office.params.local.command_expansion_filter;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let client = &self.request().client;
        let delivered = state.delivered();
        let mut given = vec![
            ("USER", user.name.clone()),
            ("LOGNAME", user.name.clone()),
            ("HOME", user.home.display().to_string()),
            ("SHELL", user.shell.display().to_string()),
            ("SENDER", text(&state.sender)),
            ("RECIPIENT", text(delivered)),
            ("ORIGINAL_RECIPIENT", text(&state.recipient.original)),
            ("LOCAL", text(&state.local)),
            ("DOMAIN", text(&state.domain)),
            ("EXTENSION", text(state.extension.as_deref().unwrap_or_default())),
            ("CLIENT_ADDRESS", client.address.clone()),
            ("CLIENT_HELO", client.helo.clone()),
            ("CLIENT_HOSTNAME", client.name.clone()),
            ("CLIENT_PROTOCOL", client.protocol.clone()),
            ("SASL_METHOD", client.sasl_method.clone()),
            ("SASL_SENDER", client.sasl_sender.clone()),
            ("SASL_USERNAME", client.sasl_username.clone()),
        ];
        // The empty sender is told from one that is not known.
        given.retain(|(name, value)| !value.is_empty() || *name == "SENDER");
        let given = given.into_iter().map(|(name, value)| (name.to_owned(), filtered(&value, filter)));
        self.office.exported.iter().cloned().chain(given).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(extension: Option<&str>) -> Names {
        let mut values = vec![("user", "joe".to_owned()), ("home", "/home/joe".to_owned())];
        values.extend(extension.map(|extension| ("extension", extension.to_owned())));
        values.extend(extension.map(|_| ("recipient_delimiter", "+".to_owned())));
        Names { values }
    }

    #[test]
    fn a_path_without_value_for_a_name_is_not_used() {
        for (text, extension, expected) in [
            ("$home/.forward${recipient_delimiter}${extension}", Some("x"), Some("/home/joe/.forward+x")),
            ("$home/.forward${recipient_delimiter}${extension}", None, None),
            ("$home/.forward", None, Some("/home/joe/.forward")),
            ("$home/${extension?{ext}:{none}}-$user", None, Some("/home/joe/none-joe")),
            ("$home/${extension?{ext}:{none}}-$user", Some("y"), Some("/home/joe/ext-joe")),
            ("$home/$extension", Some("../a b"), Some("/home/joe/../a_b")),
            ("$shell", None, None),
        ] {
            let found = names(extension).expand(text, "abcdefghijklmnopqrstuvwxyz./+");
            assert_eq!(found.as_deref(), expected, "{text}");
        }
    }
}
