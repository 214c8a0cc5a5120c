//! A sender that asks for a sender of its own for each recipient, in qmail's way: `list-@example.com-@[]`.

/// What the last part of such a sender is.
const MARK: &[u8] = b"-@[]";

/// Splits it into the sender and the two delimiters: the character before its `@`, and `=`. `None`: it is an ordinary sender.
#[must_use]
pub fn split(sender: &[u8]) -> Option<(Vec<u8>, [u8; 2])> {
    let plain = sender.strip_suffix(MARK)?;
    let at = plain.iter().position(|byte| *byte == b'@')?;
    let (user, domain) = plain.split_at_checked(at)?;
    match user {
        [user @ .., delimiter] if !user.is_empty() && domain.len() > 1 => {
            Some(([user, domain].concat(), [*delimiter, b'=']))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn senders_are_told_apart() {
        for (sender, expected) in [
            ("list-@b.test-@[]", Some(("list@b.test", "-="))),
            ("list=@b.test-@[]", Some(("list@b.test", "=="))),
            ("list*@b.test-@[]", Some(("list@b.test", "*="))),
            ("a-@b@c-@[]", Some(("a@b@c", "-="))),
            ("list-@[]", None),
            ("#@[]", None),
            ("-@b.test-@[]", None),
            ("@b-@[]", None),
            ("a-@-@[]", None),
            ("a-@b-@[]x", None),
            ("a@b", None),
            ("", None),
        ] {
            let expected =
                expected.map(|(sender, delimiters)| (sender.into(), delimiters.as_bytes().try_into().unwrap()));
            assert_eq!(split(sender.as_bytes()), expected, "{sender}");
        }
    }

    proptest! {
        #[test]
        fn any_sender_is_ordinary_or_not(sender in "[a@-]{0,6}(-@\\[\\])?") {
            let _ = split(sender.as_bytes());
        }
    }
}
