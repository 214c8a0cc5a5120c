//! The arguments of the command, with their macros replaced by facts about the delivery. Pure.

use std::borrow::Cow;

use address::{Address, split_extension};
use ipc::deliver::{Recipient, Request};

use delivery::flags::Flags;

use crate::attributes::Attributes;

/// Macros that stand for something of each recipient.
const OF_RECIPIENT: [&str; 6] = ["recipient", "user", "extension", "domain", "mailbox", "original_recipient"];

/// What the macros of one delivery stand for.
pub(crate) struct Macros<'a> {
    pub(crate) attributes: &'a Attributes,
    pub(crate) request: &'a Request,
    /// The recipients, without those that were refused.
    pub(crate) recipients: Vec<&'a Recipient>,
    pub(crate) recipient_delimiter: &'a [u8],
}

impl Macros<'_> {
    /// The command with its arguments. An argument with a macro of recipients stands there once for each.
    ///
    /// # Errors
    /// A macro that is malformed or unknown.
    pub(crate) fn expand(&self) -> Result<Vec<String>, String> {
        let mut words = Vec::new();
        for argument in &self.attributes.argv {
            if mentions_recipient(argument)? {
                for recipient in &self.recipients {
                    words.push(self.word(argument, Some(recipient))?);
                }
            } else {
                words.push(self.word(argument, None)?);
            }
        }
        Ok(words)
    }

    fn word(&self, argument: &str, recipient: Option<&Recipient>) -> Result<String, String> {
        let names = |name: &str| self.value(name, recipient).map(Cow::Owned);
        config::expand_plain(argument, &names).map_err(|error| error.to_string())
    }

    fn value(&self, name: &str, recipient: Option<&Recipient>) -> Option<String> {
        let Request { client, message, .. } = self.request;
        let flags = &self.attributes.flags;
        let text = match name {
            "client_address" => client.address.clone(),
            "client_helo" => client.helo.clone(),
            "client_hostname" => client.name.clone(),
            "client_port" => client.port.clone(),
            "client_protocol" => client.protocol.clone(),
            "sasl_method" => client.sasl_method.clone(),
            "sasl_sender" => client.sasl_sender.clone(),
            "sasl_username" => client.sasl_username.clone(),
            "queue_id" => self.request.queue_id.clone(),
            "size" => message.data_size.to_string(),
            "envid" => message.envelope_id.clone(),
            "nexthop" if flags.has('h') => self.request.nexthop.to_lowercase(),
            "nexthop" => self.request.nexthop.clone(),
            "sender" => self.sender(),
            _ => return self.of_recipient(name, recipient?),
        };
        Some(text)
    }

    fn sender(&self) -> String {
        let sender = &self.request.message.sender;
        let sender = if sender.is_empty() { self.attributes.null_sender.as_bytes() } else { sender };
        whole(sender, &self.attributes.flags)
    }

    fn of_recipient(&self, name: &str, recipient: &Recipient) -> Option<String> {
        let flags = &self.attributes.flags;
        if name == "original_recipient" {
            return Some(whole(&folded(&recipient.original, flags), flags));
        }
        let address = folded(&recipient.address, flags);
        let parts = Address::from(&address[..]);
        let (user, extension) = split_extension(parts.local_part(), self.recipient_delimiter);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        match name {
            "recipient" => Some(whole(&address, flags)),
            "user" => Some(text(user)),
            "extension" => Some(text(extension.unwrap_or_default())),
            "mailbox" => Some(text(parts.local_part())),
            "domain" => Some(text(parts.domain().unwrap_or_default())),
            _ => None,
        }
    }
}

/// Whether an argument differs for each recipient; a macro that does not exist is an error.
fn mentions_recipient(argument: &str) -> Result<bool, String> {
    const OTHERS: [&str; 13] = [
        "client_address",
        "client_helo",
        "client_hostname",
        "client_port",
        "client_protocol",
        "sasl_method",
        "sasl_sender",
        "sasl_username",
        "queue_id",
        "size",
        "envid",
        "nexthop",
        "sender",
    ];
    let found = std::cell::Cell::new(false);
    let unknown = std::cell::RefCell::new(None);
    let names = |name: &str| {
        if OF_RECIPIENT.contains(&name) {
            found.set(true);
        } else if !OTHERS.contains(&name) {
            unknown.replace(Some(name.to_owned()));
        }
        Some(Cow::Borrowed("x"))
    };
    config::expand_plain(argument, &names).map_err(|error| error.to_string())?;
    match unknown.take() {
        Some(name) => Err(format!("unknown macro name: \"{name}\"")),
        None => Ok(found.get()),
    }
}

/// Flags `u` and `h`.
fn folded(address: &[u8], flags: &Flags) -> Vec<u8> {
    let address = Address::from(address);
    let fold = |part: &[u8], flag| if flags.has(flag) { part.to_ascii_lowercase() } else { part.to_vec() };
    let local = fold(address.local_part(), 'u');
    match address.domain() {
        Some(domain) => [&local[..], b"@", &fold(domain, 'h')].concat(),
        None => local,
    }
}

/// Flag `q`.
fn whole(address: &[u8], flags: &Flags) -> String {
    let quoted = if flags.has('q') { address::quote::quote(address) } else { address.into() };
    String::from_utf8_lossy(&quoted).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use ipc::deliver::{Client, Message, Mode, Times};

    fn expanded(flags: &str, argv: &[&str], recipients: &[&str], sender: &str) -> Result<Vec<String>, String> {
        let mut arguments = vec![format!("flags={flags}"), "user=x".to_owned(), "argv=".to_owned()];
        arguments.extend(argv.iter().map(|word| (*word).to_owned()));
        let recipients: Vec<Recipient> = recipients
            .iter()
            .map(|address| Recipient {
                offset: 1,
                address: Bytes::copy_from_slice(address.as_bytes()),
                original: Bytes::from_static(b"Orig@X.org"),
                dsn_original: String::new(),
                notify: 0,
            })
            .collect();
        let request = Request {
            number: 1,
            queue_name: "active".into(),
            queue_id: "ABC".into(),
            nexthop: "Hop.example".into(),
            mode: Mode::Deliver,
            message: Message {
                sender: Bytes::copy_from_slice(sender.as_bytes()),
                size: 5,
                data_offset: 0,
                data_size: 7,
                encoding: String::new(),
                smtputf8: 0,
                envelope_id: String::new(),
                ret: String::new(),
                rewrite_context: String::new(),
            },
            times: Times { arrived: 0, active: 0, handed: 0 },
            client: Client { address: "192.0.2.1".into(), ..Client::default() },
            recipients,
        };
        let attributes = Attributes::parse(&arguments).unwrap();
        let recipients = request.recipients.iter().collect();
        Macros { attributes: &attributes, request: &request, recipients, recipient_delimiter: b"+" }.expand()
    }

    #[test]
    fn macros_of_recipients_repeat_their_argument() {
        let found = expanded("", &["-f", "$sender", "--", "to=${recipient}", "end"], &["a@x", "b@x"], "s@y");
        assert_eq!(found.unwrap(), ["-f", "s@y", "--", "to=a@x", "to=b@x", "end"]);
        let found = expanded("", &["$user,$(extension),${mailbox},$domain", "$$", "$size$queue_id"], &["u+e@D"], "");
        assert_eq!(found.unwrap(), ["u,e,u+e,D", "$", "7ABC"]);
    }

    #[test]
    fn flags_fold_and_quote() {
        for (flags, expected) in [
            ("", ["Us er@PIPE.example", "Us er", "PIPE.example", "Orig@X.org", "Hop.example"]),
            ("h", ["Us er@pipe.example", "Us er", "pipe.example", "Orig@x.org", "hop.example"]),
            ("u", ["us er@PIPE.example", "us er", "PIPE.example", "orig@X.org", "Hop.example"]),
            ("hqu", ["\"us er\"@pipe.example", "us er", "pipe.example", "orig@x.org", "hop.example"]),
        ] {
            let argv = ["$recipient", "$user", "$domain", "$original_recipient", "$nexthop"];
            assert_eq!(expanded(flags, &argv, &["Us er@PIPE.example"], "").unwrap(), expected, "{flags}");
        }
    }

    #[test]
    fn the_null_sender_has_a_name_and_unknown_macros_none() {
        assert_eq!(expanded("", &["$sender"], &["a"], "").unwrap(), ["MAILER-DAEMON"]);
        assert_eq!(expanded("", &["$color"], &["a"], "").unwrap_err(), "unknown macro name: \"color\"");
    }

    #[test]
    fn macros_know_no_conditions() {
        for name in ["sender?{x}:{y}", "sender:x", " recipient ", "{$user}=={u}?{x}", "sender$user", "1"] {
            let error = expanded("", &[&format!("${{{name}}}")], &["a"], "").unwrap_err();
            assert_eq!(error, format!("unknown macro name: \"{name}\""));
        }
    }
}
