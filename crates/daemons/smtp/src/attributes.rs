//! The attributes of an smtp(8) service in master.cf: `flags=`, which says what is put before a message.

use delivery::flags::Flags;
use delivery::head::Head;
use dsn::Detail;
use ipc::deliver::Recipient;

use crate::generic::Generic;

/// The letters of `flags=`: Delivered-To, X-Original-To, Return-Path, and that a delivery is final.
const FLAGS: &str = "DORX";

/// `enable_original_recipient`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Originals {
    /// `O` has an effect.
    Shown,
    /// It has none.
    Hidden,
}

/// What master.cf says of the service.
#[derive(Debug, Clone)]
pub struct Attributes {
    /// Its name.
    pub service: String,
    /// `flags=`.
    pub flags: Flags,
    /// Whether original recipients are shown.
    pub originals: Originals,
}

/// The flags among the arguments of the service.
///
/// # Errors
/// What is wrong with them.
pub fn flags(arguments: &[String]) -> Result<Flags, String> {
    let mut flags = Flags::default();
    for argument in arguments {
        let letters = argument.strip_prefix("flags=").ok_or_else(|| format!("unknown attribute name: {argument}"))?;
        flags = Flags::parse(letters, FLAGS)
            .map_err(|unknown| format!("unknown {argument} value \"{unknown}\" in \"{letters}\""))?;
    }
    Ok(flags)
}

impl Attributes {
    /// What is put before a message to these recipients, with the addresses as they are outside.
    ///
    /// # Errors
    /// An address could not be looked up.
    pub async fn head(
        &self,
        sender: &[u8],
        mut recipients: impl Iterator<Item = &Recipient>,
        generic: &Generic,
    ) -> Result<Vec<u8>, Detail> {
        let mut head = Head::default();
        if self.flags.is_empty() {
            return Ok(head.into_bytes());
        }
        let recipient = recipients.next();
        if self.flags.has('R') {
            head = head.return_path(&generic.outside(sender).await?);
        }
        if let Some(recipient) = recipient.filter(|_| self.flags.has('O')) {
            head = head.original(&generic.outside(&recipient.original).await?, self.originals == Originals::Shown);
        }
        if let Some(recipient) = recipient.filter(|_| self.flags.has('D')) {
            head = head.delivered(&generic.outside(&recipient.address).await?);
        }
        Ok(head.into_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(words: &[&str]) -> Result<Flags, String> {
        flags(&words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>())
    }

    fn generic() -> Generic {
        let environment = table::Environment::default();
        let list = table::PatternList::open("mydestination", &[""; 0], table::Parents::Dotted, &environment);
        let find = table::AddressFind {
            recipient_delimiter: String::new(),
            myorigin: "origin.test".to_owned(),
            local: table::LocalDomains::new(list, Vec::new()),
        };
        let maps = table::Maps::open("smtp_generic_maps", &["inline:{b@inside=b@outside}"], &environment);
        Generic { maps, find, propagate: false }
    }

    #[test]
    fn flags_put_headers_before_a_message_with_addresses_of_the_outside() {
        let recipient = |original: &'static str| Recipient {
            offset: 0,
            address: bytes::Bytes::from_static(b"b@inside"),
            original: bytes::Bytes::from_static(original.as_bytes()),
            dsn_original: String::new(),
            notify: 0,
        };
        for (letters, original, originals, expected) in [
            ("", "c@x", Originals::Shown, ""),
            (
                "DOR",
                "c@x",
                Originals::Shown,
                "Return-Path: <\"a a\"@inside>\nX-Original-To: c@x\nDelivered-To: b@outside\n",
            ),
            ("O", "", Originals::Shown, ""),
            ("O", "c@x", Originals::Hidden, ""),
            ("X", "c@x", Originals::Shown, ""),
        ] {
            let flags = Flags::parse(letters, FLAGS).unwrap();
            let attributes = Attributes { service: "lmtp".to_owned(), flags, originals };
            let recipient = recipient(original);
            let head =
                table::block_on(attributes.head(b"a a@inside", std::iter::once(&recipient), &generic())).unwrap();
            assert_eq!(String::from_utf8(head).unwrap(), expected, "{letters}");
        }
    }

    #[test]
    fn what_is_no_flag_is_refused() {
        assert!(parsed(&["flags=DR"]).is_ok_and(|flags| flags.has('D') && flags.has('R') && !flags.has('X')));
        assert!(parsed(&[]).is_ok_and(|flags| flags.is_empty()) && parsed(&["flags="]).is_ok());
        for (word, error) in [
            ("flags=DOh", "unknown flags=DOh value \"h\" in \"DOh\""),
            ("foo=bar", "unknown attribute name: foo=bar"),
            ("reject", "unknown attribute name: reject"),
        ] {
            assert_eq!(parsed(&[word]).unwrap_err(), error);
        }
    }
}
