//! The five address classes, told by the domain. See ADDRESS_CLASS_README.

use config::Source;
use ipc::rewrite::Class;
use table::{Environment, Error, LocalDomains, Parents, PatternList};

use crate::Params;

/// The lists that make the classes.
#[derive(Debug)]
pub(crate) struct Classes {
    pub(crate) local: LocalDomains,
    virtual_alias_domains: PatternList,
    virtual_mailbox_domains: PatternList,
    relay_domains: PatternList,
}

impl Classes {
    pub(crate) fn open(params: &Params, source: &Source, environment: &Environment) -> Self {
        let identity = &params.identity;
        let list = |parameter: &str, items: &[String]| {
            let parents = Parents::of(parameter, &identity.parent_domain_matches_subdomains);
            PatternList::open(parameter, items, parents, environment)
        };
        Self {
            local: LocalDomains::new(list("mydestination", &identity.mydestination), source.own_addresses()),
            virtual_alias_domains: list("virtual_alias_domains", &identity.virtual_alias_domains),
            virtual_mailbox_domains: list("virtual_mailbox_domains", &identity.virtual_mailbox_domains),
            relay_domains: list("relay_domains", &identity.relay_domains),
        }
    }

    /// Whether mail for this domain ends on this host.
    pub(crate) async fn is_local(&self, domain: &[u8]) -> Result<bool, Error> {
        self.local.contains(domain).await
    }

    /// The class of a domain that is known to be local: warns where it is listed elsewhere too.
    pub(crate) async fn warn_of_twice(&self, domain: &[u8]) -> Result<(), Error> {
        for list in [&self.virtual_alias_domains, &self.virtual_mailbox_domains] {
            if list.matches_string(domain).await? {
                warn_of_both(domain, "mydestination", list.parameter());
            }
        }
        Ok(())
    }

    /// The class of a domain that is not local.
    pub(crate) async fn of_remote(&self, domain: &[u8]) -> Result<Class, Error> {
        if self.virtual_alias_domains.matches_string(domain).await? {
            if self.virtual_mailbox_domains.matches_string(domain).await? {
                warn_of_both(domain, "virtual_alias_domains", "virtual_mailbox_domains");
            }
            if self.relay_domains.matches_domain(domain).await? {
                warn_of_both(domain, "virtual_alias_domains", "relay_domains");
            }
            return Ok(Class::VirtualAlias);
        }
        if self.virtual_mailbox_domains.matches_string(domain).await? {
            if self.relay_domains.matches_domain(domain).await? {
                warn_of_both(domain, "virtual_mailbox_domains", "relay_domains");
            }
            return Ok(Class::VirtualMailbox);
        }
        if self.relay_domains.matches_domain(domain).await? {
            return Ok(Class::Relay);
        }
        Ok(Class::Default)
    }

    pub(crate) fn changed(&self) -> bool {
        let lists = [&self.virtual_alias_domains, &self.virtual_mailbox_domains, &self.relay_domains];
        self.local.changed() || lists.into_iter().any(PatternList::changed)
    }
}

fn warn_of_both(domain: &[u8], one: &str, other: &str) {
    let domain = String::from_utf8_lossy(domain);
    tracing::warn!("do not list domain {domain} in BOTH {one} and {other}");
}
