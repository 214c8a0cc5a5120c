//! Transports and next hops, as parameters and tables name them.

use ipc::rewrite::{Class, Purpose};
use table::{AddressFind, Environment, Error, Found, Maps, Parents, Part, Scope, Strategy};

use crate::Params;
use crate::classes::told;

/// `transport:nexthop`; either may be empty.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Route {
    pub(crate) transport: String,
    pub(crate) nexthop: String,
}

impl Route {
    /// Cuts at the first colon.
    pub(crate) fn parse(text: &str) -> Self {
        let (transport, nexthop) = text.split_once(':').unwrap_or((text, ""));
        Self { transport: transport.trim().to_owned(), nexthop: nexthop.trim().to_owned() }
    }

    /// A route that ends here says so where it has no reason of its own.
    pub(crate) fn with_reason(mut self) -> Self {
        if self.nexthop.is_empty() && matches!(self.transport.as_str(), "error" | "retry") {
            "Address is undeliverable".clone_into(&mut self.nexthop);
        }
        self
    }
}

/// One set of routing parameters.
#[derive(Debug)]
pub(crate) struct Routes {
    local_transport: Route,
    virtual_transport: Route,
    relay_transport: Route,
    default_transport: Route,
    relayhost: String,
    sender_relayhost: BySender,
    sender_default_transport: BySender,
    transport_maps: Maps,
    transport_parts: Strategy,
}

/// A table asked by envelope sender.
#[derive(Debug)]
struct BySender {
    maps: Maps,
    /// The key for the null sender.
    null: Vec<u8>,
}

/// Parts of an address that transport tables are asked for.
const DOTTED: Strategy = Strategy::of(&[Part::Full, Part::NoExtension, Part::Domain, Part::DottedParents]);
const PLAIN: Strategy = Strategy::of(&[Part::Full, Part::NoExtension, Part::Domain, Part::Parents]);

impl Routes {
    pub(crate) fn open(purpose: Purpose, params: &Params, environment: &Environment) -> Self {
        // Nobody writes his own route into an address.
        let environment = environment.for_routes();
        let maps = |parameter: &str, specs: &[String]| Maps::open(parameter, specs, &environment);
        let (r, v) = (&params.rewrite, &params.verify);
        let relayhost_key = &r.empty_address_relayhost_maps_lookup_key;
        let transport_key = &r.empty_address_default_transport_maps_lookup_key;
        let by_sender = |maps, key: &str| BySender { maps, null: key.as_bytes().to_vec() };
        let parents = &params.identity.parent_domain_matches_subdomains;
        let transport_parts = match Parents::of("transport_maps", parents) {
            Parents::Plain => PLAIN,
            Parents::Dotted => DOTTED,
        };
        match purpose {
            Purpose::Deliver => Self {
                local_transport: Route::parse(&r.local_transport),
                virtual_transport: Route::parse(&r.virtual_transport),
                relay_transport: Route::parse(&r.relay_transport),
                default_transport: Route::parse(&r.default_transport),
                relayhost: r.relayhost.clone(),
                sender_relayhost: by_sender(
                    maps("sender_dependent_relayhost_maps", &r.sender_dependent_relayhost_maps),
                    relayhost_key,
                ),
                sender_default_transport: by_sender(
                    maps("sender_dependent_default_transport_maps", &r.sender_dependent_default_transport_maps),
                    transport_key,
                ),
                transport_maps: maps("transport_maps", &r.transport_maps),
                transport_parts,
            },
            Purpose::Verify => Self {
                local_transport: Route::parse(&v.address_verify_local_transport),
                virtual_transport: Route::parse(&v.address_verify_virtual_transport),
                relay_transport: Route::parse(&v.address_verify_relay_transport),
                default_transport: Route::parse(&v.address_verify_default_transport),
                relayhost: v.address_verify_relayhost.clone(),
                sender_relayhost: by_sender(
                    maps(
                        "address_verify_sender_dependent_relayhost_maps",
                        &v.address_verify_sender_dependent_relayhost_maps,
                    ),
                    relayhost_key,
                ),
                sender_default_transport: by_sender(
                    maps(
                        "address_verify_sender_dependent_default_transport_maps",
                        &v.address_verify_sender_dependent_default_transport_maps,
                    ),
                    transport_key,
                ),
                transport_maps: maps("address_verify_transport_maps", &v.address_verify_transport_maps),
                transport_parts,
            },
        }
    }

    /// Where mail of a class goes unless a transport table knows better. An empty next hop means the domain.
    pub(crate) async fn of_class(&self, class: Class, sender: &[u8], find: &AddressFind) -> Result<Route, Error> {
        match class {
            Class::Local => Ok(self.local_transport.clone()),
            Class::VirtualMailbox => Ok(self.virtual_transport.clone()),
            Class::VirtualAlias => Ok(Route::default()),
            Class::Relay => self.to_other_site(self.relay_transport.clone(), sender, find).await,
            Class::Default => {
                let route = match self.sender_default_transport.find(sender, find).await? {
                    Some(text) => Route::parse(&text),
                    None => self.default_transport.clone(),
                };
                self.to_other_site(route, sender, find).await
            }
        }
    }

    /// The relay host takes the place of a next hop that is not given.
    async fn to_other_site(&self, mut route: Route, sender: &[u8], find: &AddressFind) -> Result<Route, Error> {
        if route.nexthop.is_empty() {
            route.nexthop = match self.sender_relayhost.find(sender, find).await? {
                Some(relayhost) => relayhost,
                None => self.relayhost.clone(),
            };
        }
        Ok(route)
    }

    /// What the transport tables say of a recipient, or of everybody. Empty parts leave things as they are.
    pub(crate) async fn of_recipient(&self, recipient: &[u8], find: &AddressFind) -> Result<Option<Route>, Error> {
        if self.transport_maps.is_empty() {
            return Ok(None);
        }
        let found = find.find(&self.transport_maps, recipient, self.transport_parts).await;
        let found = match told(self.transport_maps.parameter(), found)? {
            Some(Found { value, .. }) => Some(value),
            None => told(self.transport_maps.parameter(), self.transport_maps.lookup_in(b"*", Scope::Fixed).await)?,
        };
        Ok(found.map(|value| Route::parse(&String::from_utf8_lossy(&value))))
    }

    /// Whether the sender decides on routes of this class.
    pub(crate) fn heeds_sender(&self, class: Class) -> bool {
        match class {
            Class::Local | Class::VirtualMailbox | Class::VirtualAlias => false,
            Class::Relay => !self.sender_relayhost.maps.is_empty(),
            Class::Default => !self.sender_relayhost.maps.is_empty() || !self.sender_default_transport.maps.is_empty(),
        }
    }

    /// Whether users of one domain may have different routes.
    pub(crate) fn heeds_user(&self) -> bool {
        !self.transport_maps.is_empty()
    }

    pub(crate) fn changed(&self) -> bool {
        let maps = [&self.sender_relayhost.maps, &self.sender_default_transport.maps, &self.transport_maps];
        maps.into_iter().any(Maps::changed)
    }
}

impl BySender {
    /// The value for a sender, unless it is `DUNNO`.
    async fn find(&self, sender: &[u8], find: &AddressFind) -> Result<Option<String>, Error> {
        if self.maps.is_empty() {
            return Ok(None);
        }
        let key = if sender.is_empty() { &self.null } else { sender };
        let found = told(self.maps.parameter(), find.find(&self.maps, key, Strategy::MAIL).await)?;
        let text = found.map(|found| String::from_utf8_lossy(&found.value).into_owned());
        Ok(text.filter(|text| !text.eq_ignore_ascii_case("DUNNO")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_is_cut_at_the_first_colon() {
        for (text, transport, nexthop) in [
            ("smtp:[host]:25", "smtp", "[host]:25"),
            ("smtp", "smtp", ""),
            (":[host]", "", "[host]"),
            (":", "", ""),
            ("error:5.7.9 no: never", "error", "5.7.9 no: never"),
        ] {
            let route = Route { transport: transport.to_owned(), nexthop: nexthop.to_owned() };
            assert_eq!(Route::parse(text), route, "{text}");
        }
    }
}
