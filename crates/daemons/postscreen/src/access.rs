//! `postscreen_access_list`: who is let through, or sent away, before any test.

use std::net::IpAddr;

use table::{Environment, PatternList, Table};
use tracing::warn;

/// What a list says of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It passes.
    Permit,
    /// It is unwanted.
    Reject,
    /// The list does not know.
    Dunno,
}

/// The list.
pub struct AccessList {
    items: Vec<Item>,
    mynetworks: PatternList,
}

enum Item {
    Word(String),
    Table { spec: String, table: Result<Box<dyn Table>, String> },
}

/// What an item says: an end, or that the next one is asked.
enum Step {
    End(Verdict),
    Next,
}

const PARAMETER: &str = "postscreen_access_list";

impl AccessList {
    /// Opens the tables of a list. One that cannot be opened ends the list where it stands.
    #[must_use]
    pub fn open(items: &[String], mynetworks: PatternList, environment: &Environment) -> Self {
        let item = |text: &String| {
            if !text.contains(':') {
                return Item::Word(text.clone());
            }
            let table = table::open(text, environment).map_err(|problem| problem.to_string());
            Item::Table { spec: text.clone(), table }
        };
        Self { items: items.iter().map(item).collect(), mynetworks }
    }

    /// What the list says of a client.
    pub async fn verdict(&self, address: IpAddr) -> Verdict {
        let text = address.to_string();
        for item in &self.items {
            let step = match item {
                Item::Word(word) => self.obey(PARAMETER, word, &text).await,
                Item::Table { spec, table } => self.look_up(spec, table.as_deref(), &text).await,
            };
            if let Step::End(verdict) = step {
                return verdict;
            }
        }
        Verdict::Dunno
    }

    /// Whether a file behind the list has changed.
    #[must_use]
    pub fn changed(&self) -> bool {
        self.mynetworks.changed()
            || self.items.iter().any(|item| match item {
                Item::Table { table: Ok(table), .. } => table.changed(),
                Item::Table { table: Err(_), .. } | Item::Word(_) => false,
            })
    }

    async fn look_up(&self, spec: &str, table: Result<&dyn Table, &String>, address: &str) -> Step {
        let found = match table {
            Ok(table) => table.lookup(address.as_bytes()).await.map_err(|problem| warn!("{spec}: {problem}")),
            Err(problem) => {
                warn!("{spec} is unavailable. {problem}");
                Err(())
            }
        };
        let Ok(found) = found else {
            warn!("{PARAMETER}: {spec}: table lookup error -- ignoring the remainder of this access list");
            return Step::End(Verdict::Dunno);
        };
        let Some(found) = found else { return Step::Next };
        // What follows the first word is for the reader of the table.
        for word in String::from_utf8_lossy(&found).split([' ', '\t', ',', '\r', '\n']).filter(|word| !word.is_empty())
        {
            // It has nothing to say of this client; another item may.
            if word.eq_ignore_ascii_case("dunno") {
                return Step::Next;
            }
            if let Step::End(verdict) = self.obey(spec, word, address).await {
                return Step::End(verdict);
            }
        }
        Step::Next
    }

    async fn obey(&self, origin: &str, word: &str, address: &str) -> Step {
        let is = |name: &str| word.eq_ignore_ascii_case(name);
        if is("permit") {
            return Step::End(Verdict::Permit);
        }
        if is("reject") {
            return Step::End(Verdict::Reject);
        }
        if is("dunno") {
            return Step::End(Verdict::Dunno);
        }
        if is("permit_mynetworks") {
            return match self.mynetworks.matches_address(address).await {
                Ok(true) => Step::End(Verdict::Permit),
                Ok(false) => Step::Next,
                Err(_) => Step::End(Verdict::Dunno),
            };
        }
        warn!("{origin}: unknown command: {word} -- ignoring the remainder of this access list");
        Step::End(Verdict::Dunno)
    }
}

impl std::fmt::Debug for AccessList {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "AccessList({})", self.items.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use table::Parents;

    fn verdict(list: &str) -> Verdict {
        let environment = Environment::default();
        let items: Vec<String> = list.split(',').map(|item| item.trim().to_owned()).collect();
        let mynetworks = PatternList::open("mynetworks", &["127.0.0.1/32"], Parents::Dotted, &environment);
        let list = AccessList::open(&items, mynetworks, &environment);
        table::block_on(list.verdict("127.0.0.2".parse().unwrap()))
    }

    #[test]
    fn the_first_item_that_knows_decides() {
        for (list, expected) in [
            ("permit", Verdict::Permit),
            ("PERMIT", Verdict::Permit),
            ("permit_mynetworks, reject", Verdict::Reject),
            ("permit_mynetworks, permit", Verdict::Permit),
            ("dunno, permit", Verdict::Dunno),
            ("static:permit", Verdict::Permit),
            ("static:dunno, static:reject", Verdict::Reject),
            ("static:permit_mynetworks, static:reject", Verdict::Reject),
            ("inline:{127.0.0.2=reject}", Verdict::Reject),
            ("inline:{127.0.0.3=reject}, permit", Verdict::Permit),
            ("static:foo, permit", Verdict::Dunno),
            ("foo, permit", Verdict::Dunno),
            ("fail:x, permit", Verdict::Dunno),
            ("cidr:/nonexistent, permit", Verdict::Dunno),
        ] {
            assert_eq!(verdict(list), expected, "{list}");
        }
    }
}
