//! `smtp_generic_maps`: addresses of the inside replaced by addresses that mean something outside.

use std::borrow::Cow;

use address::Address;
use address::tree::{self, Item};
use dsn::{Detail, Status};
use table::{AddressFind, Error, Maps, Strategy};

/// The replacement of addresses; a value's own `@` domain (`@inside @outside`) keeps the local part.
#[derive(Debug, Clone)]
pub struct Generic {
    /// `smtp_generic_maps`.
    pub maps: Maps,
    /// How addresses are looked up.
    pub find: AddressFind,
    /// `propagate_unmatched_extensions` has `generic`.
    pub propagate: bool,
}

/// Tokens of a header that are looked at (`header_address_token_limit`).
const MOST_TOKENS: usize = 10_240;

impl Generic {
    /// Whether there is anything to do.
    #[must_use]
    pub fn is_off(&self) -> bool {
        self.maps.is_empty()
    }

    /// The address that stands for this one outside; `None` if it may stay. What stands for it is not looked up again.
    pub async fn replace(&self, address: &Address) -> Result<Option<Address>, Error> {
        if self.is_off() || address.is_empty() {
            return Ok(None);
        }
        let Some(found) = self.find.find(&self.maps, address.as_bytes(), Strategy::MAIL).await? else {
            return Ok(None);
        };
        let value = String::from_utf8_lossy(&found.value).into_owned();
        let mut items = tree::parse(value.as_bytes(), MOST_TOKENS);
        let Some(mut target) = items.iter_mut().find_map(|item| item.address_mut().map(std::mem::take)) else {
            return Ok(None);
        };
        if target.local_part().is_empty()
            && let Some(domain) = target.domain()
        {
            target = Address::from_parts(address.local_part(), domain);
        } else if self.propagate
            && let Some(extension) = found.extension
        {
            target = target.extended(&extension);
        }
        // A value without domain is an address of this site.
        if target.domain().is_none() && !target.is_empty() {
            target = Address::from_parts(target.local_part(), self.find.myorigin.as_bytes());
        }
        Ok((target != *address).then_some(target))
    }

    /// What stands for an address outside, if only itself.
    ///
    /// # Errors
    /// It could not be looked up.
    pub async fn outside<'a>(&self, internal: &'a [u8]) -> Result<Cow<'a, [u8]>, Detail> {
        if self.is_off() {
            return Ok(Cow::Borrowed(internal));
        }
        let replaced = self.replace(&Address::new(internal)).await;
        let replaced = replaced.map_err(|_| Detail::new(Status::temporary(3, 0), "address mapping lookup failure"))?;
        Ok(replaced.map_or(Cow::Borrowed(internal), |address| Cow::Owned(address.as_bytes().to_vec())))
    }

    /// Replaces the addresses of a header's value, which begins at `column`; `None` if all may stay.
    pub async fn header(&self, value: &[u8], column: usize) -> Result<Option<Vec<u8>>, Error> {
        let mut items = tree::parse(value, MOST_TOKENS);
        let mut changed = false;
        for address in items.iter_mut().filter_map(Item::address_mut) {
            if let Some(other) = self.replace(address).await? {
                *address = other;
                changed = true;
            }
        }
        Ok(changed.then(|| tree::print(&items, column)))
    }
}

#[cfg(test)]
mod tests {
    use table::{Environment, LocalDomains, Parents, PatternList};

    use super::*;

    #[test]
    fn a_value_without_domain_is_completed() {
        let environment = Environment::default();
        let list = PatternList::open("mydestination", &["example.test"], Parents::Dotted, &environment);
        let find = AddressFind {
            recipient_delimiter: "+".to_owned(),
            myorigin: "origin.test".to_owned(),
            local: LocalDomains::new(list, Vec::new()),
        };
        let generic = Generic {
            maps: Maps::open("smtp_generic_maps", &["inline:{{a@x=b},{c@x=@out},{d@x=e@y},{@y=f@z}}"], &environment),
            find,
            propagate: false,
        };
        for (address, expected) in [("a@x", "b@origin.test"), ("c@x", "c@out"), ("d@x", "e@y")] {
            let replaced = table::block_on(generic.replace(&Address::new(address))).unwrap();
            assert_eq!(replaced, Some(Address::new(expected)), "{address}");
        }
    }
}
