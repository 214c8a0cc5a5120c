//! Lists in the DNS: which there are, and what they say of a client together.
//!
//! All connections that a client has at one time share one set of answers.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use dns::AddressPattern;
use ipc::Caller;
use ipc::dnsblog::{Dnsblog, Request};
use service::Fatal;
use tokio::sync::watch;
use tracing::warn;

/// A list, with what its answers count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct List {
    domain: String,
    rules: Vec<Rule>,
}

/// What an answer counts.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Rule {
    filter: Option<AddressPattern>,
    weight: i64,
}

/// Reads `postscreen_dnsbl_sites`: `domain=filter*weight`, where filter and weight may be left out.
///
/// # Errors
/// An item is not so.
pub fn lists(items: &[String]) -> Result<Vec<List>, Fatal> {
    let mut lists: Vec<List> = Vec::new();
    for item in items {
        let (rest, weight) = match item.split_once('*') {
            None => (item.as_str(), 1),
            Some((rest, weight)) => {
                let wrong = || Fatal::new(format!("bad DNSBL weight factor \"{weight}\" in \"{item}\""));
                (rest, weight.parse::<i32>().map_err(|_| wrong())?)
            }
        };
        let (domain, filter) = match rest.split_once('=') {
            None => (rest, None),
            Some((domain, filter)) => {
                let wrong = || Fatal::new(format!("bad DNSBL filter syntax: {filter}"));
                (domain, Some(AddressPattern::parse(filter).ok_or_else(wrong)?))
            }
        };
        if !dns::is_hostname(domain) {
            return Err(Fatal::new(format!("bad DNSBL domain name \"{domain}\" in \"{item}\"")));
        }
        let rule = Rule { filter, weight: i64::from(weight) };
        match lists.iter_mut().find(|list| list.domain == domain) {
            Some(list) => list.rules.push(rule),
            None => lists.push(List { domain: domain.to_owned(), rules: vec![rule] }),
        }
    }
    Ok(lists)
}

/// What lists say of a client, as far as they have answered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Score {
    /// The weights of all answers.
    pub total: i64,
    /// The list that weighs most, with its weight.
    pub heaviest: Option<(i64, String)>,
    /// The shortest time that an answer holds, in seconds.
    pub ttl: Option<u32>,
    /// Lists that have not answered.
    missing: usize,
}

impl Score {
    /// Whether all lists have answered.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.missing == 0
    }

    fn add(&mut self, list: &List, answer: &[Ipv4Addr], ttl: Option<u32>) {
        self.missing = self.missing.saturating_sub(1);
        self.ttl = self.ttl.into_iter().chain(ttl).min();
        for rule in &list.rules {
            let counts = match &rule.filter {
                None => !answer.is_empty(),
                Some(filter) => answer.iter().any(|address| filter.matches(*address)),
            };
            if counts {
                self.total += rule.weight;
                if self.heaviest.as_ref().is_none_or(|(weight, _)| rule.weight > *weight) {
                    self.heaviest = Some((rule.weight, list.domain.clone()));
                }
            }
        }
    }
}

/// Asks all lists, through dnsblog(8).
#[derive(Debug)]
pub struct Lists {
    lists: Vec<List>,
    dnsblog: Caller<Dnsblog>,
    timeout: Duration,
    asked: Mutex<HashMap<IpAddr, Weak<Asked>>>,
}

/// What is being asked about one client. The last connection that lets go of it ends that.
#[derive(Debug)]
pub struct Asked(watch::Receiver<Score>);

impl Asked {
    /// Done when all lists have answered.
    pub async fn complete(&self) {
        // A sender that is gone means that the time is over.
        let _ = self.0.clone().wait_for(Score::is_complete).await;
    }

    /// What is known so far.
    #[must_use]
    pub fn score(&self) -> Score {
        self.0.borrow().clone()
    }
}

impl Lists {
    /// Asks these lists, for that long at most.
    #[must_use]
    pub fn new(lists: Vec<List>, service: &str, timeout: Duration) -> Self {
        let dnsblog = Caller::new(format!("private/{service}"), timeout);
        Self { lists, dnsblog, timeout, asked: Mutex::default() }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lists.is_empty()
    }

    /// Asks about a client, or joins a connection of it that is asking.
    pub fn ask(self: &Arc<Self>, client: IpAddr) -> Arc<Asked> {
        let mut all = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(asked) = all.get(&client).and_then(Weak::upgrade) {
            return asked;
        }
        let (sender, score) = watch::channel(Score { missing: self.lists.len(), ..Score::default() });
        let sender = Arc::new(sender);
        for at in 0..self.lists.len() {
            tokio::spawn(Arc::clone(self).ask_one(at, client, Arc::clone(&sender)));
        }
        let asked = Arc::new(Asked(score));
        all.retain(|_, asked| asked.strong_count() > 0);
        all.insert(client, Arc::downgrade(&asked));
        asked
    }

    async fn ask_one(self: Arc<Self>, at: usize, client: IpAddr, score: Arc<watch::Sender<Score>>) {
        let Some(list) = self.lists.get(at) else { return };
        let request = Request { domain: list.domain.clone(), address: client };
        match self.dnsblog.call(request).await {
            Ok(reply) => score.send_modify(|score| score.add(list, &reply.answer, reply.ttl)),
            Err(ipc::Error::Timeout) => {
                warn!("dnsblog reply timeout {}s for {}", self.timeout.as_secs(), list.domain);
            }
            Err(ipc::Error::Connect { service, source }) => {
                warn!("psc_dnsbl_request: connect to {service} service: {}", table::system_text(&source));
            }
            Err(problem) => warn!("psc_dnsbl_request: {problem}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<List>, Fatal> {
        lists(&text.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    fn score(text: &str, answers: &[(usize, &str, Option<u32>)]) -> Score {
        let lists = read(text).unwrap();
        let mut score = Score { missing: lists.len(), ..Score::default() };
        for (at, answer, ttl) in answers {
            let answer: Vec<Ipv4Addr> = answer.split_whitespace().map(|address| address.parse().unwrap()).collect();
            score.add(&lists[*at], &answer, *ttl);
        }
        score
    }

    #[test]
    fn answers_add_up() {
        let sites = "a.test*2 b.test=127.0.0.[2..4]*3 b.test=127.0.0.3*4 good.test*-5";
        let said = score(sites, &[(0, "127.0.0.2", Some(60)), (1, "127.0.0.3 127.0.0.9", Some(30)), (2, "", None)]);
        assert_eq!((said.total, said.heaviest, said.ttl), (9, Some((4, "b.test".to_owned())), Some(30)));
        let said = score(sites, &[(2, "127.0.1.1", None)]);
        assert_eq!((said.total, said.is_complete()), (-5, false));
        let said = score("a.test", &[(0, "", Some(7))]);
        assert_eq!((said.total, said.heaviest.clone(), said.ttl, said.is_complete()), (0, None, Some(7), true));
    }

    #[test]
    fn what_is_no_list_is_told() {
        for (text, expected) in [
            ("a.test*x", "bad DNSBL weight factor \"x\" in \"a.test*x\""),
            ("a.test=127.0.0*2", "bad DNSBL filter syntax: 127.0.0"),
            ("a..test", "bad DNSBL domain name \"a..test\" in \"a..test\""),
        ] {
            assert_eq!(read(text).unwrap_err().to_string(), expected);
        }
    }
}
