//! Variable envelope return paths: a sender for each recipient, so that a bounce tells by itself whose it is.

use crate::Address;

/// The sender with the recipient in it, between two delimiters: `list+user=domain@origin`. See VERP_README.
/// The sender knows the recipient by the address that it gave, which is empty if it is still the same.
#[must_use]
pub fn verp(sender: &[u8], (original, address): (&[u8], &[u8]), delimiters: &str) -> Vec<u8> {
    let recipient = if original.is_empty() { address } else { original };
    let (sender, recipient) = (Address::from(sender), Address::from(recipient));
    let mut marks = delimiters.bytes();
    let (first, second) = (marks.next().unwrap_or(b'+'), marks.next().unwrap_or(b'='));
    let mut local = sender.local_part().to_vec();
    local.push(first);
    local.extend_from_slice(recipient.local_part());
    if let Some(domain) = recipient.domain() {
        local.push(second);
        local.extend_from_slice(domain);
    }
    match sender.domain() {
        Some(domain) => [&local, &b"@"[..], domain].concat(),
        None => local,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_recipient_goes_into_the_sender() {
        assert_eq!(verp(b"list@o.test", (b"", b"b+x@example.com"), "+="), b"list+b+x=example.com@o.test");
        assert_eq!(verp(b"list@o.test", (b"", b"c"), "-="), b"list-c@o.test");
        assert_eq!(verp(b"list", (b"", b"c@d"), "+="), b"list+c=d");
    }

    #[test]
    fn an_alias_goes_there_as_it_was_given() {
        assert_eq!(verp(b"list@o.test", (b"alias@b.c", b"user@d.e"), "+="), b"list+alias=b.c@o.test");
    }
}
