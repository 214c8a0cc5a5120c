//! Where mail for an address goes.
//!
//! Domains of our own are peeled off until a local user or a foreign domain is left, since `user%other@here` means
//! `user@other`. The domain's class gives transport and next hop, tables override them. See trivial-rewrite(8).

use address::{Address, domain, quote};
use config::Source;
use ipc::rewrite::{Class, Fault, Purpose, Resolved, Scope};
use table::{AddressFind, Environment, Error, Maps, Strategy};

use crate::Params;
use crate::canonical::Rules;
use crate::classes::{Classes, told};
use crate::routes::{Route, Routes};

/// Rounds of peeling before an address is called malformed.
const PEELING_LIMIT: usize = 100;

/// Everything that resolving asks.
pub(crate) struct Resolver {
    rules: Rules,
    classes: Classes,
    deliver: Routes,
    verify: Routes,
    relocated_maps: Maps,
    find: AddressFind,
    settings: Settings,
}

struct Settings {
    myhostname: String,
    empty_address_recipient: String,
    /// Whether a quoted local part is looked into, and what is found there obeyed.
    dequoted: bool,
    /// Whether addresses are UTF-8 (RFC 6531 section 3.3).
    utf8: bool,
    lenience: Lenience,
    hacks: Hacks,
    unknown_alias: &'static str,
    moved: &'static str,
}

/// Domains that are none, and are taken for something.
#[derive(Clone, Copy)]
struct Lenience {
    /// `user@` is local.
    null_domain: bool,
    /// `user@192.0.2.1` means `user@[192.0.2.1]`.
    numeric_domain: bool,
}

/// Notations by which senders name routes of their own.
#[derive(Clone, Copy)]
struct Hacks {
    percent: bool,
    bang: bool,
}

/// An address peeled down.
struct Peeled {
    address: Address,
    /// Whether its domain is ours.
    local: bool,
    /// Whether peeling changed it.
    changed: bool,
    /// The last domain of ours that was taken away.
    outer: Option<Vec<u8>>,
}

impl Resolver {
    pub(crate) fn open(params: &Params, source: &Source, environment: &Environment, rules: Rules) -> Self {
        let classes = Classes::open(params, source, environment);
        let rewrite = &params.rewrite;
        let table_name = rewrite.show_user_unknown_table_name;
        Self {
            rules,
            find: AddressFind {
                recipient_delimiter: params.identity.recipient_delimiter.clone(),
                myorigin: params.identity.myorigin.clone(),
                local: classes.local.clone(),
            },
            classes,
            deliver: Routes::open(Purpose::Deliver, params, environment),
            verify: Routes::open(Purpose::Verify, params, environment),
            relocated_maps: Maps::open("relocated_maps", &rewrite.relocated_maps, environment),
            settings: Settings {
                myhostname: params.identity.myhostname.clone(),
                empty_address_recipient: params.identity.empty_address_recipient.clone(),
                dequoted: rewrite.resolve_dequoted_address,
                utf8: params.identity.smtputf8_enable,
                lenience: Lenience {
                    null_domain: rewrite.resolve_null_domain,
                    numeric_domain: rewrite.resolve_numeric_domain,
                },
                hacks: Hacks { percent: rewrite.allow_percent_hack, bang: rewrite.swap_bangpath },
                unknown_alias: if table_name {
                    "5.1.1 User unknown in virtual alias table"
                } else {
                    "5.1.1 User unknown"
                },
                moved: if rewrite.relocated_prefix_enable { "5.1.6 User has moved to " } else { "" },
            },
        }
    }

    pub(crate) fn changed(&self) -> bool {
        self.classes.changed() || self.deliver.changed() || self.verify.changed() || self.relocated_maps.changed()
    }

    pub(crate) async fn resolve(&self, purpose: Purpose, sender: &[u8], given: &[u8]) -> Result<Resolved, Error> {
        let address = match given {
            [] => self.rules.rewrite(&Address::from(self.settings.empty_address_recipient.as_str())),
            _ => Address::new(given),
        };
        let peeled = self.named(self.peel(address).await?);
        let Some(domain) = self.usable_domain(&peeled) else {
            return Ok(malformed(peeled.address));
        };
        let address =
            if peeled.address.domain() == Some(&domain) { peeled.address } else { peeled.address.at(&domain) };
        let class = if peeled.local {
            self.classes.warn_of_twice(&domain).await;
            Class::Local
        } else {
            self.classes.of_remote(&domain).await?
        };
        let routes = match purpose {
            Purpose::Deliver => &self.deliver,
            Purpose::Verify => &self.verify,
        };
        let (route, error) = self.route(routes, class, sender, &address).await?;
        let routed = !peeled.local && self.names_a_route(address.local_part());
        let narrow = peeled.changed || routed || error || address.as_bytes() != given;
        let scope = if narrow || routes.heeds_user() || routes.heeds_sender(class) || !self.relocated_maps.is_empty() {
            Scope::Address
        } else {
            Scope::Domain
        };
        Ok(Resolved {
            recipient: address.into_bytes().into(),
            transport: route.transport,
            nexthop: route.nexthop,
            class,
            fault: Fault::None,
            routed,
            scope,
        })
    }

    /// The complete route of a recipient, and whether it is its own error.
    async fn route(
        &self,
        routes: &Routes,
        class: Class,
        sender: &[u8],
        recipient: &Address,
    ) -> Result<(Route, bool), Error> {
        let domain = recipient.domain().unwrap_or_default();
        let moved = self.find.find(&self.relocated_maps, recipient.as_bytes(), Strategy::MAIL).await;
        if let Some(found) = told(self.relocated_maps.parameter(), moved)? {
            let text = String::from_utf8_lossy(&found.value);
            return Ok((error_route(format!("{}{text}", self.settings.moved)), true));
        }
        if class == Class::VirtualAlias {
            return Ok((error_route(self.settings.unknown_alias.to_owned()), false));
        }
        let mut route = routes.of_class(class, sender, &self.find).await?;
        if let Some(own) = routes.of_recipient(recipient.as_bytes(), &self.find).await? {
            if !own.transport.is_empty() {
                route = own.with_reason();
            } else if !own.nexthop.is_empty() {
                route.nexthop = own.nexthop;
            }
        }
        if route.nexthop.is_empty() {
            route.nexthop = String::from_utf8_lossy(domain).into_owned();
        }
        Ok((route, false))
    }

    /// Takes our own domains away while the local part says where to go on.
    async fn peel(&self, mut address: Address) -> Result<Peeled, Error> {
        let (mut changed, mut outer) = (false, None);
        for _ in 0..PEELING_LIMIT {
            let local = match address.domain() {
                // Without a domain it is at this host, or at the last one of ours that was taken away.
                None => outer.is_some() || self.classes.is_local(self.settings.myhostname.as_bytes()).await?,
                Some(b"") => true,
                Some(domain) if self.settings.lenience.numeric_domain && domain::is_numeric(domain) => {
                    self.classes.is_local(&[b"[", domain, b"]"].concat()).await?
                }
                Some(domain) => self.classes.is_local(domain).await?,
            };
            let inner = if local { self.inner(&address) } else { None };
            match inner {
                Some(inner) => {
                    outer = address.domain().filter(|domain| !domain.is_empty()).map(<[u8]>::to_vec).or(outer);
                    (address, changed) = (self.rules.rewrite(&inner), true);
                }
                None if address.domain() == Some(b"") => {
                    let local = outer.is_some() || self.classes.is_local(self.settings.myhostname.as_bytes()).await?;
                    return Ok(Peeled { address, local, changed, outer });
                }
                None => return Ok(Peeled { address, local, changed, outer }),
            }
        }
        Ok(Peeled { address: Address::default(), local: false, changed, outer })
    }

    /// Nobody at a domain of ours is who gets mail for the empty address.
    fn named(&self, mut peeled: Peeled) -> Peeled {
        let domain = peeled.address.domain();
        if let Some(domain) = domain.filter(|domain| peeled.local || domain.is_empty())
            && peeled.address.local_part().is_empty()
        {
            let someone = Address::from(self.settings.empty_address_recipient.as_str());
            peeled.address = Address::from_parts(someone.local_part(), domain);
            peeled.changed = true;
        }
        peeled
    }

    /// The address that a local part is, if it is one.
    fn inner(&self, address: &Address) -> Option<Address> {
        address.domain()?;
        let local = Address::new(address.local_part());
        let opaque = !quote::is_dot_string(local.as_bytes());
        if opaque && !self.settings.dequoted {
            return None;
        }
        if local.domain().is_some_and(|domain| !domain.is_empty()) && !local.local_part().is_empty() {
            return Some(local);
        }
        self.rules.turned_round(&local)
    }

    /// The domain to go to; `None` where there is no such domain, or the address is no text.
    fn usable_domain(&self, peeled: &Peeled) -> Option<Vec<u8>> {
        let address = &peeled.address;
        match address.domain() {
            Some(name) if name.starts_with(b"[") => domain::literal(name).map(|_| name.to_vec()),
            _ if self.settings.utf8 && str::from_utf8(address.as_bytes()).is_err() => None,
            None if address.is_empty() => None,
            None => Some(self.settings.myhostname.clone().into_bytes()),
            Some(b"") => {
                let own = || peeled.outer.clone().unwrap_or_else(|| self.settings.myhostname.clone().into_bytes());
                self.settings.lenience.null_domain.then(own)
            }
            Some(name) if domain::is_numeric(name) => {
                let literal = [b"[", name, b"]"].concat();
                (self.settings.lenience.numeric_domain && domain::literal(&literal).is_some()).then_some(literal)
            }
            Some(name) if name.is_ascii() => domain::is_hostname(name).then(|| name.to_vec()),
            Some(name) => {
                let ascii = domain::to_ascii(name).filter(|ascii| domain::is_hostname(ascii.as_bytes()));
                ascii.map(|_| name.to_vec())
            }
        }
    }

    /// Whether a local part at somebody else's domain names a further hop.
    fn names_a_route(&self, local: &[u8]) -> bool {
        if !self.settings.dequoted && !quote::is_dot_string(local) {
            return false;
        }
        let hacks = self.settings.hacks;
        local.contains(&b'@') || hacks.percent && local.contains(&b'%') || hacks.bang && local.contains(&b'!')
    }
}

fn error_route(text: String) -> Route {
    Route { transport: "error".to_owned(), nexthop: text }
}

fn malformed(address: Address) -> Resolved {
    Resolved {
        recipient: address.into_bytes().into(),
        transport: String::new(),
        nexthop: String::new(),
        class: Class::Default,
        fault: Fault::Malformed,
        routed: false,
        scope: Scope::Address,
    }
}
