//! What is counted: addresses by domain and age.

use std::collections::HashMap;

/// The name that stands for the null sender.
const NULL: &str = "MAILER-DAEMON";
/// The name of the row for all.
pub(crate) const TOTAL: &str = "TOTAL";

/// The columns.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ages {
    pub(crate) buckets: usize,
    /// Minutes of the first column.
    pub(crate) tick: u64,
    /// Whether every column is as wide as the first; else each is twice as wide as the one before it.
    pub(crate) linear: bool,
}

impl Ages {
    /// The column of an age in seconds, from 0.
    fn column(self, seconds: i64) -> usize {
        let ticks = u64::try_from(seconds).unwrap_or(0) / self.tick.saturating_mul(60).max(1);
        let column = match ticks {
            0 => 0,
            _ if self.linear => usize::try_from(ticks).unwrap_or(usize::MAX),
            _ => 1 + usize::try_from(ticks.ilog2()).unwrap_or(0),
        };
        column.min(self.buckets.saturating_sub(1))
    }

    /// The heading of every column: the age in minutes that it ends with.
    pub(crate) fn headings(self) -> Vec<String> {
        let mut ends: Vec<u64> = Vec::with_capacity(self.buckets);
        for _ in 1..self.buckets {
            let end = match ends.last() {
                Some(last) if !self.linear => last.saturating_mul(2),
                Some(last) => last.saturating_add(self.tick),
                None => self.tick,
            };
            ends.push(end);
        }
        let last = format!("{}+", ends.last().copied().unwrap_or(0));
        ends.iter().map(u64::to_string).chain([last]).collect()
    }
}

/// One row.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) total: u64,
    pub(crate) columns: Vec<u64>,
    /// Names right below it that were seen.
    pub(crate) subdomains: u64,
}

/// The counts of all domains.
#[derive(Debug)]
pub(crate) struct Shape {
    pub(crate) ages: Ages,
    parents: bool,
    now: i64,
    pub(crate) all: Counts,
    pub(crate) domains: HashMap<String, Counts>,
}

impl Shape {
    /// Nothing yet; with `parents`, what is counted counts for the domains above it as well.
    pub(crate) fn new(ages: Ages, parents: bool, now: i64) -> Self {
        Self { ages, parents, now, all: Counts::default(), domains: HashMap::new() }
    }

    /// Counts an address.
    pub(crate) fn add(&mut self, address: &[u8], arrived: i64) {
        let column = self.ages.column(self.now.saturating_sub(arrived));
        let buckets = self.ages.buckets;
        self.all.add(column, buckets);
        let mut name = domain(address);
        let mut is_new = false;
        loop {
            let counts = self.domains.entry(name.clone()).or_default();
            counts.subdomains += u64::from(is_new);
            is_new = counts.total == 0;
            counts.add(column, buckets);
            match parent(&name) {
                Some(above) if self.parents => name = above,
                _ => break,
            }
        }
    }
}

impl Counts {
    fn add(&mut self, column: usize, buckets: usize) {
        self.total += 1;
        self.columns.resize(buckets, 0);
        if let Some(count) = self.columns.get_mut(column) {
            *count += 1;
        }
    }
}

/// The domain of an address as it is shown; the address itself if it has none.
fn domain(address: &[u8]) -> String {
    let text = String::from_utf8_lossy(address).to_lowercase();
    if text.is_empty() {
        return NULL.to_owned();
    }
    let domain = text.rsplit('@').next().unwrap_or_default().replace("..", ".");
    let inner = domain.strip_prefix('.').unwrap_or(&domain);
    let inner = inner.strip_suffix('.').unwrap_or(inner);
    if inner.is_empty() { domain } else { inner.to_owned() }
}

/// The domain above, with a leading dot; none above a domain of two labels.
fn parent(name: &str) -> Option<String> {
    let (first, rest) = name.strip_prefix('.').unwrap_or(name).split_once('.')?;
    (!first.is_empty() && rest.contains('.')).then(|| format!(".{rest}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const AGES: Ages = Ages { buckets: 10, tick: 5, linear: false };

    #[test]
    fn columns_double_or_grow_evenly() {
        let table =
            [(0, 0, 0), (299, 0, 0), (300, 1, 1), (599, 1, 1), (600, 2, 2), (1200, 3, 4), (1 << 40, 9, 9), (-5, 0, 0)];
        for (seconds, doubled, even) in table {
            assert_eq!(AGES.column(seconds), doubled, "{seconds}");
            assert_eq!(Ages { linear: true, ..AGES }.column(seconds), even, "{seconds}");
        }
        assert_eq!(AGES.headings().join(" "), "5 10 20 40 80 160 320 640 1280 1280+");
        assert_eq!(Ages { buckets: 3, linear: true, ..AGES }.headings().join(" "), "5 10 10+");
        assert_eq!(Ages { buckets: 1, ..AGES }.headings().join(" "), "0+");
    }

    #[test]
    fn addresses_have_domains() {
        let table = [
            ("", "MAILER-DAEMON"),
            ("a@Example.COM", "example.com"),
            ("a@b@c", "c"),
            ("root", "root"),
            ("a@.x..y.", "x.y"),
            ("a@", ""),
        ];
        for (address, name) in table {
            assert_eq!(domain(address.as_bytes()), name, "{address}");
        }
    }

    #[test]
    fn parents_count_what_is_below_them() {
        let mut shape = Shape::new(AGES, true, 1000);
        for address in ["a@x.y.example", "b@x.y.example", "c@z.y.example", "d@y.example"] {
            shape.add(address.as_bytes(), 1000);
        }
        let count = |name: &str| shape.domains.get(name).map(|counts| (counts.total, counts.subdomains));
        assert_eq!(count("x.y.example"), Some((2, 0)));
        assert_eq!(count(".y.example"), Some((3, 2)));
        assert_eq!(count("y.example"), Some((1, 0)));
        assert_eq!(count(".example"), None);
        assert_eq!(shape.all.total, 4);
    }

    proptest! {
        #[test]
        fn any_address_is_counted(address in proptest::collection::vec(any::<u8>(), 0..40), age in any::<i64>()) {
            let mut shape = Shape::new(AGES, true, 1000);
            shape.add(&address, age);
            prop_assert_eq!(shape.all.columns.iter().sum::<u64>(), 1);
        }
    }
}
