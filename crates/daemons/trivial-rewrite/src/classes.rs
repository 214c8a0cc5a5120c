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
    advice: Advice,
}

/// Whether what makes no sense is warned about (`helpful_warnings`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Advice {
    Given,
    Withheld,
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
            advice: if params.daemon.helpful_warnings { Advice::Given } else { Advice::Withheld },
        }
    }

    /// Whether mail for this domain ends on this host.
    pub(crate) async fn is_local(&self, domain: &[u8]) -> Result<bool, Error> {
        self.local.contains(domain).await
    }

    /// The class of a domain that is known to be local: warns where it is listed elsewhere too.
    pub(crate) async fn warn_of_twice(&self, domain: &[u8]) {
        if self.advice == Advice::Withheld {
            return;
        }
        for list in [&self.virtual_alias_domains, &self.virtual_mailbox_domains] {
            if matches!(list.matches_string(domain).await, Ok(true)) {
                warn_of_both(domain, "mydestination", list.parameter());
            }
        }
    }

    /// The class of a domain that is not local: of the first list that has it.
    pub(crate) async fn of_remote(&self, domain: &[u8]) -> Result<Class, Error> {
        let mut found = None;
        for (class, list) in [
            (Class::VirtualAlias, &self.virtual_alias_domains),
            (Class::VirtualMailbox, &self.virtual_mailbox_domains),
            (Class::Relay, &self.relay_domains),
        ] {
            let listed = if class == Class::Relay {
                list.matches_domain(domain).await
            } else {
                list.matches_string(domain).await
            };
            // Once the class is known, what fails is a warning less.
            let listed = match listed {
                Err(_) if found.is_some() => false,
                listed => told(list.parameter(), listed)?,
            };
            match (listed, found) {
                (false, _) => {}
                (true, None) => found = Some((class, list.parameter())),
                (true, Some((_, first))) => warn_of_both(domain, first, list.parameter()),
            }
            if found.is_some() && self.advice == Advice::Withheld {
                break;
            }
        }
        Ok(found.map_or(Class::Default, |(class, _)| class))
    }

    pub(crate) fn changed(&self) -> bool {
        let lists = [&self.virtual_alias_domains, &self.virtual_mailbox_domains, &self.relay_domains];
        self.local.changed() || lists.into_iter().any(PatternList::changed)
    }
}

/// Tells which parameter's tables have failed.
pub(crate) fn told<T>(parameter: &str, answer: Result<T, Error>) -> Result<T, Error> {
    answer.inspect_err(|_| tracing::warn!("{parameter} lookup failure"))
}

fn warn_of_both(domain: &[u8], one: &str, other: &str) {
    let domain = String::from_utf8_lossy(domain);
    tracing::warn!("do not list domain {domain} in BOTH {one} and {other}");
}
