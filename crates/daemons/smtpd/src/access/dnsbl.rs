//! Lists in the DNS: block lists by address and by name, and allow lists.

use std::borrow::Cow;
use std::net::IpAddr;

use dns::{AddressPattern, Data, Kind as Record};
use smtp_proto::{Enhanced, Reply};
use table::Maps;
use tracing::warn;

use super::restriction::Host;
use super::{Check, Refusal, Subject, Verdict};
use crate::text::{parted, printable, told};

/// Where a list or an operator gives no other words.
const UNAVAILABLE: &str = "Service unavailable";
/// How much of a list's reason is shown.
const REASON: usize = 2000;

/// What a list is asked about, and what being listed means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Kind {
    host: Host,
    by: By,
    meaning: Meaning,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    Address,
    Name,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meaning {
    Block,
    Allow,
}

impl Kind {
    pub(crate) fn parse(name: &str) -> Option<Kind> {
        let kind = |host, by, meaning| Some(Kind { host, by, meaning });
        match name {
            "reject_rbl_client" => kind(Host::Client, By::Address, Meaning::Block),
            "reject_rhsbl_client" => kind(Host::Client, By::Name, Meaning::Block),
            "reject_rhsbl_reverse_client" => kind(Host::ReverseClient, By::Name, Meaning::Block),
            "reject_rhsbl_helo" => kind(Host::Helo, By::Name, Meaning::Block),
            "reject_rhsbl_sender" => kind(Host::Sender, By::Name, Meaning::Block),
            "reject_rhsbl_recipient" => kind(Host::Recipient, By::Name, Meaning::Block),
            "permit_dnswl_client" => kind(Host::Client, By::Address, Meaning::Allow),
            "permit_rhswl_client" => kind(Host::Client, By::Name, Meaning::Allow),
            _ => None,
        }
    }
}

/// A list: `zone` or `zone=127.0.0.[2..11]`.
#[derive(Debug)]
pub(crate) struct List {
    kind: Kind,
    /// The restriction that asks it.
    name: String,
    /// As it is configured.
    text: String,
    zone: String,
    filter: Filter,
}

/// Which of a list's answers count.
#[derive(Debug)]
enum Filter {
    /// All.
    Open,
    /// Those that match.
    Matching(AddressPattern),
    /// Nobody knows.
    Bad,
}

impl List {
    pub(crate) fn new(kind: Kind, name: &str, text: &str) -> List {
        let (zone, filter) = match text.split_once('=') {
            Some((zone, filter)) => (zone, Some(filter)),
            None => (text, None),
        };
        let filter = match filter.map(|filter| (filter, AddressPattern::parse(filter))) {
            None => Filter::Open,
            Some((_, Some(pattern))) => Filter::Matching(pattern),
            Some((filter, None)) => {
                warn!("bad DNSBL filter syntax: {filter}");
                Filter::Bad
            }
        };
        List { kind, name: name.to_owned(), text: text.to_owned(), zone: zone.to_owned(), filter }
    }

    /// What `rbl_reply_maps` have for the list as it is written, or else for its domain.
    async fn template(&self, maps: &Maps) -> Result<Option<String>, table::Error> {
        let mut found = maps.lookup(self.text.as_bytes()).await?;
        if found.is_none() && self.text != self.zone {
            found = maps.lookup(self.zone.as_bytes()).await?;
        }
        Ok(found.map(|template| String::from_utf8_lossy(&template).into_owned()))
    }

    /// Whether an answer counts; `None` where the filter does not say.
    fn takes(&self, address: IpAddr) -> Option<bool> {
        match (&self.filter, address) {
            (Filter::Open, _) => Some(true),
            (Filter::Matching(pattern), IpAddr::V4(address)) => Some(pattern.matches(address)),
            (Filter::Matching(_), IpAddr::V6(_)) => Some(false),
            (Filter::Bad, _) => None,
        }
    }
}

impl Check<'_> {
    pub(crate) async fn check_dnsbl(&mut self, list: &List, _subject: &Subject<'_>) -> Verdict {
        // A list of good clients does not make a relay of us, wherever it stands.
        if list.kind.meaning == Meaning::Allow && !self.stays_here().await {
            return Verdict::Dunno;
        }
        let Some((what, query, subject)) = self.dnsbl_query(list) else { return Verdict::Dunno };
        let listed = match self.server.dns.lookup(&query, Record::A).await {
            Ok(answer) => {
                let Some(taken) = answer.addresses().map(|address| list.takes(address)).collect::<Option<Vec<_>>>()
                else {
                    return self.misconfigured();
                };
                taken.contains(&true)
            }
            Err(error) if error.is_not_found() => false,
            Err(error) => {
                warn!("{query}: RBL lookup error: {error}");
                return match list.kind.meaning {
                    Meaning::Block => Verdict::Dunno,
                    Meaning::Allow => {
                        let text = subject.rejected(UNAVAILABLE);
                        self.defer_if_reject(Refusal::policy(450, Enhanced(4, 7, 1), text))
                    }
                };
            }
        };
        match (listed, list.kind.meaning) {
            (false, _) => Verdict::Dunno,
            (true, Meaning::Allow) => self.permit(&list.name, &self.client_subject(), &format!("from {}", list.text)),
            (true, Meaning::Block) => self.block(list, &what, &query, &subject).await,
        }
    }

    /// What is looked up, under which name, and what a reject names.
    fn dnsbl_query(&self, list: &List) -> Option<(String, String, Subject<'static>)> {
        let peer = self.facts.peer;
        let class = match list.kind.host {
            Host::Client => "Client host",
            Host::ReverseClient => "Unverified Client host",
            Host::Helo => "Helo command",
            Host::Sender => "Sender address",
            Host::Recipient => "Recipient address",
        };
        if list.kind.by == By::Address {
            let reversed = dns::reverse_name(peer.ip?);
            let reversed = reversed.strip_suffix(".in-addr.arpa").or_else(|| reversed.strip_suffix(".ip6.arpa"))?;
            let subject = Subject { name: peer.address.clone().into(), class };
            return Some((peer.address.clone(), format!("{reversed}.{}", list.zone), subject));
        }
        let address = match list.kind.host {
            Host::Sender => self.facts.sender,
            Host::Recipient => self.facts.recipient,
            Host::Client | Host::ReverseClient | Host::Helo => None,
        };
        let (what, name) = match (list.kind.host, address) {
            (Host::Client, _) => (peer.name.clone(), peer.name.clone()),
            (Host::ReverseClient, _) => (peer.reverse_name.clone(), peer.reverse_name.clone()),
            (Host::Helo, _) => (self.facts.helo?.to_owned(), self.facts.helo?.to_owned()),
            (Host::Sender | Host::Recipient, address) => {
                // As it was given: where the address is rewritten to does not matter.
                let shown = told(address?).into_owned();
                let domain = shown.rsplit_once('@').map_or(shown.as_str(), |(_, domain)| domain).to_owned();
                (shown, domain)
            }
        };
        let name = name.trim_end_matches('.');
        if name.is_empty() || name == "unknown" || name.starts_with('[') || name.parse::<IpAddr>().is_ok() {
            return None;
        }
        let query = format!("{name}.{}", list.zone);
        Some((what.clone(), query, Subject { name: what.into(), class }))
    }

    async fn block(&mut self, list: &List, what: &str, query: &str, subject: &Subject<'_>) -> Verdict {
        let reason = self.reason(query).await;
        let Ok(special) = list.template(&self.server.tables.rbl_reply_maps).await else {
            return self.misconfigured();
        };
        let code = self.server.codes.maps_rbl_reject_code;
        let names = |name: &str| -> Option<Cow<'_, str>> {
            Some(match name {
                "rbl_code" => code.to_string().into(),
                "rbl_domain" => list.zone.as_str().into(),
                "rbl_reason" | "rbl_txt" => reason.as_str().into(),
                "rbl_what" => what.into(),
                "rbl_class" => subject.class.into(),
                name => return self.told(name),
            })
        };
        let filter = &self.server.settings.expansion_filter;
        let names = |name: &str| names(name).map(|value| filter.apply(value));
        let expanded = |template: &str| config::expand_defined(template, &names).ok().flatten();
        let text = special.and_then(|template| {
            let text = expanded(&template);
            if text.is_none() {
                warn!("bad rbl reply template for domain {}: {template}", list.text);
            }
            text
        });
        let text = text.or_else(|| expanded(&self.server.params.access.default_rbl_reply));
        let refusal = refusal_of(&text.unwrap_or_else(|| format!("{code} {UNAVAILABLE}")));
        let status = subject.fitted(refusal.status);
        self.refuse(Refusal { status, ..refusal })
    }

    /// What a reply can tell of the client and its message; nothing where that is not known yet.
    fn told(&self, name: &str) -> Option<Cow<'_, str>> {
        let facts = self.facts;
        let (sender, recipient) = (told_address(facts.sender), told_address(facts.recipient));
        Some(match name {
            "client" => facts.peer.namaddr.as_str().into(),
            "client_address" => facts.peer.address.as_str().into(),
            "client_name" => facts.peer.name.as_str().into(),
            "reverse_client_name" => facts.peer.reverse_name.as_str().into(),
            "server_name" => self.server.params.identity.myhostname.as_str().into(),
            "helo_name" => facts.helo.unwrap_or_default().into(),
            "sender" => sender.into(),
            "sender_name" => parted(&sender).0.to_owned().into(),
            "sender_domain" => parted(&sender).1.to_owned().into(),
            "recipient" => recipient.into(),
            "recipient_name" => parted(&recipient).0.to_owned().into(),
            "recipient_domain" => parted(&recipient).1.to_owned().into(),
            _ => return None,
        })
    }

    async fn reason(&self, query: &str) -> String {
        match self.server.dns.lookup(query, Record::Txt).await {
            Ok(answer) => joined(&answer),
            Err(_) => String::new(),
        }
    }
}

/// An address as replies tell it: without quotes, and the null sender visibly.
fn told_address(address: Option<&[u8]>) -> String {
    match address {
        None => String::new(),
        Some(b"") => "<>".to_owned(),
        Some(address) => String::from_utf8_lossy(address).into_owned(),
    }
}

/// What the reply to a listed client says. It has to begin with a code that refuses.
fn refusal_of(text: &str) -> Refusal {
    match Reply::from_text(text.as_bytes()).filter(|reply| !reply.is_positive()) {
        Some(reply) if reply.text.is_empty() => {
            Refusal::policy(reply.code, reply.status.unwrap_or(Enhanced(4, 7, 1)), UNAVAILABLE.to_owned())
        }
        Some(reply) => {
            let text = printable(&reply.text).into_owned();
            Refusal::policy(reply.code, reply.status.unwrap_or(Enhanced(4, 7, 1)), text)
        }
        None => {
            warn!("rbl response code configuration error: {text}");
            Refusal::policy(450, Enhanced(4, 7, 1), UNAVAILABLE.to_owned())
        }
    }
}

/// All that the list says, on one line. What is not printable ASCII becomes spaces.
fn joined(answer: &dns::Answer) -> String {
    let text = |record: &dns::Record| {
        let Data::Txt(text) = &record.data else { return None };
        let plain = |byte: &u8| if matches!(byte, b' '..=b'~') { char::from(*byte) } else { ' ' };
        Some(text.iter().map(plain).collect::<String>())
    };
    let mut all = answer.records.iter().filter_map(text).collect::<Vec<_>>().join(" / ");
    all.truncate(REASON);
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listed_clients_are_never_told_yes() {
        for (text, expected) in [
            ("554 5.7.1 blocked", "554 5.7.1 blocked"),
            ("450 later", "450 4.7.1 later"),
            ("554 5.7.1", "554 5.7.1 Service unavailable"),
            ("250 ok", "450 4.7.1 Service unavailable"),
            ("no code here", "450 4.7.1 Service unavailable"),
        ] {
            assert_eq!(refusal_of(text).reply().logged(), expected);
        }
    }

    #[test]
    fn addresses_are_told_in_parts() {
        for (address, whole, name, domain) in [
            (None, "", "", ""),
            (Some(&b""[..]), "<>", "<>", ""),
            (Some(b"u"), "u", "u", ""),
            (Some(b"a b@c@d.test"), "a b@c@d.test", "a b@c", "d.test"),
        ] {
            let told = told_address(address);
            assert_eq!((told.as_str(), parted(&told)), (whole, (name, domain)));
        }
    }

    #[test]
    fn reasons_are_joined() {
        let record = |text: &[u8]| dns::Record { name: "x.test".to_owned(), ttl: 0, data: Data::Txt(text.to_vec()) };
        let answer = |records| dns::Answer { name: "x.test".to_owned(), records, authentic: false };
        assert_eq!(joined(&answer(vec![record(b"one"), record(b"t\nw\xc3\xb6")])), "one / t w  ");
        assert_eq!(joined(&answer(vec![record(&[b'x'; 3000])])).len(), REASON);
    }

    #[test]
    fn filters_match_ranges() {
        let list = List::new(
            Kind::parse("reject_rbl_client").unwrap(),
            "reject_rbl_client",
            "zone.test=127.0.[0;2].[2..11;20]",
        );
        assert_eq!(list.zone, "zone.test");
        for (address, expected) in
            [("127.0.0.2", true), ("127.0.2.20", true), ("127.0.1.2", false), ("127.0.0.12", false), ("::1", false)]
        {
            assert_eq!(list.takes(address.parse().unwrap()), Some(expected), "{address}");
        }
        let kind = Kind::parse("reject_rbl_client").unwrap();
        let list = List::new(kind, "reject_rbl_client", "zone.test=127.0.0.*");
        assert_eq!(list.takes("127.0.0.2".parse().unwrap()), None);
    }

    #[test]
    fn a_reply_for_the_domain_is_for_its_filters_too() {
        let items =
            ["inline:{{z.test=for all}}".to_owned(), "regexp:{{/^x.test=/ for one}, {/^x.test$/ for all}}".to_owned()];
        let maps = Maps::open("rbl_reply_maps", &items, &table::Environment::default());
        for (text, expected) in [
            ("z.test", Some("for all")),
            ("z.test=127.0.0.3", Some("for all")),
            ("x.test", Some("for all")),
            ("x.test=127.0.0.2", Some("for one")),
            ("y.test=127.0.0.2", None),
        ] {
            let list = List::new(Kind::parse("reject_rbl_client").unwrap(), "reject_rbl_client", text);
            let found = table::block_on(list.template(&maps)).unwrap();
            assert_eq!(found.as_deref(), expected, "{text}");
        }
    }
}
