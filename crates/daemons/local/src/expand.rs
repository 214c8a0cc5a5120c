//! `$name` in forward_path, luser_relay and command_execution_directory, and the environment of commands.

use std::borrow::Cow;
use std::cell::Cell;

use privsep::User;

use crate::errand::Errand;
use crate::state::State;

/// An expanded text.
#[derive(Debug)]
pub(crate) struct Expanded {
    pub(crate) text: String,
    /// Whether it depends on the extension of the address.
    pub(crate) names_extension: bool,
}

/// What the expansions of one address know.
pub(crate) struct Names {
    values: Vec<(&'static str, String)>,
}

impl Names {
    /// The names of local(8). An address without extension has the first delimiter that there is.
    fn of(state: &State, user: Option<&User>, delimiters: &[u8]) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let own = state.extension.as_ref().and_then(|_| state.local.get(state.user.len()));
        let delimiter = own.or(delimiters.first());
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
        Self { values }
    }

    /// Expands a text; what the names stand for keeps only characters of `filter`. `None` if a name in it stands for
    /// nothing, or the text is malformed.
    pub(crate) fn expand(&self, text: &str, filter: &str) -> Option<Expanded> {
        let names_extension = Cell::new(false);
        let expanded = config::expand_defined(text, &|name| {
            let value = self.value(name, Some(filter));
            names_extension.set(names_extension.get() || name == "extension" && value.is_some());
            value
        });
        let text = expanded.inspect_err(|error| warn_malformed(text, error)).ok().flatten()?;
        Some(Expanded { text, names_extension: names_extension.get() })
    }

    /// Expands a text in which names may stand for nothing. Without a filter values go in as they are.
    pub(crate) fn expand_loosely(&self, text: &str, filter: Option<&str>) -> Option<String> {
        let expanded = config::expand_once(text, &|name| self.value(name, filter));
        expanded.inspect_err(|error| warn_malformed(text, error)).ok()
    }

    fn value(&self, name: &str, filter: Option<&str>) -> Option<Cow<'_, str>> {
        let (_, value) = self.values.iter().find(|(known, _)| *known == name)?;
        Some(filter.map_or(Cow::Borrowed(value), |filter| Cow::Owned(filtered(value, filter))))
    }
}

fn warn_malformed(text: &str, error: &config::Failure) {
    tracing::warn!("bad expansion: {text}: {error}");
}

/// Characters that are not allowed become underscores.
fn filtered(value: &str, filter: &str) -> String {
    value.chars().map(|c| if filter.contains(c) { c } else { '_' }).collect()
}

impl Errand<'_, '_> {
    /// What names in the values of parameters stand for.
    pub(crate) fn names(&self, state: &State, user: Option<&User>) -> Names {
        Names::of(state, user, self.office.params.common.identity.recipient_delimiter.as_bytes())
    }

    /// What a command finds in its environment. One with the rights of default_privs is nobody's, and has no home.
    pub(crate) fn environment(&self, state: &State) -> Vec<(String, String)> {
        let filter = &self.office.params.local.command_expansion_filter;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let client = &self.request().client;
        let user = state.rights.as_ref();
        let name = user.map_or_else(|| text(&state.user), |user| user.name.clone());
        let mut given = vec![
            ("USER", name.clone()),
            ("LOGNAME", name),
            ("HOME", user.map_or_else(String::new, |user| user.home.display().to_string())),
            ("SHELL", user.map_or_else(String::new, |user| user.shell.display().to_string())),
            ("SENDER", text(&state.sender)),
            ("RECIPIENT", text(&state.recipient.address)),
            ("ORIGINAL_RECIPIENT", text(&state.recipient.original)),
            ("LOCAL", text(&state.local)),
            ("DOMAIN", text(&state.domain)),
            ("EXTENSION", text(state.extension.as_deref().unwrap_or_default())),
            ("ENVID", self.request().message.envelope_id.clone()),
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
    use bytes::Bytes;
    use ipc::deliver::Recipient;

    fn names(extension: Option<&str>) -> Names {
        let mut values = vec![("user", "joe".to_owned()), ("home", "/home/joe".to_owned())];
        values.extend(extension.map(|extension| ("extension", extension.to_owned())));
        values.extend(extension.map(|_| ("recipient_delimiter", "+".to_owned())));
        Names { values }
    }

    #[test]
    fn an_address_without_extension_has_the_first_delimiter() {
        let (address, original, dsn_original) = (Bytes::new(), Bytes::new(), String::new());
        let recipient = Recipient { offset: 0, address, original, dsn_original, notify: 0 };
        let mut state = State::of(&recipient, &Bytes::new());
        (state.user, state.local) = (b"joe".to_vec(), b"joe=x".to_vec());
        for (extension, delimiters, expected) in
            [(Some(b"x"), "+=", Some("=")), (None, "+=", Some("+")), (None, "", None)]
        {
            state.extension = extension.map(|extension| extension.to_vec());
            let names = Names::of(&state, None, delimiters.as_bytes());
            assert_eq!(names.value("recipient_delimiter", None).as_deref(), expected);
        }
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
            ("$home/${nosuch}.fw", None, None),
            ("$home/$user_", None, None),
        ] {
            let found = names(extension).expand(text, "abcdefghijklmnopqrstuvwxyz./+");
            assert_eq!(found.as_ref().map(|found| &*found.text), expected, "{text}");
            let names_extension = extension.is_some() && text.contains("extension");
            assert!(found.is_none_or(|found| found.names_extension == names_extension), "{text}");
        }
    }

    #[test]
    fn elsewhere_a_name_may_stand_for_nothing() {
        for (extension, filtered, unfiltered) in
            [(Some("../a b"), "/tmp/../a_b@joe", "/tmp/../a b@joe"), (None, "/tmp/@joe", "/tmp/@joe")]
        {
            let names = names(extension);
            let text = "/tmp/$extension$shell@$user";
            assert_eq!(names.expand_loosely(text, Some("joeab./")).as_deref(), Some(filtered));
            assert_eq!(names.expand_loosely(text, None).as_deref(), Some(unfiltered));
        }
    }
}
