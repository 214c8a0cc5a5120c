//! The table: a row for each domain, the largest first.

use crate::shape::{Counts, Shape, TOTAL};
use std::cmp::Reverse;

/// The names have at least this width.
const LEAST_WIDTH: usize = 18;

/// How the table looks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Form {
    pub(crate) width: usize,
    /// Parent domains with fewer names below them are not shown.
    pub(crate) least_subdomains: u64,
    /// Rows; 0 for all.
    pub(crate) top: usize,
}

/// The whole table.
pub(crate) fn table(shape: &Shape, form: &Form) -> String {
    let total = cells(&shape.all, shape.ages.buckets);
    let headings: Vec<String> = ["T".to_owned()].into_iter().chain(shape.ages.headings()).collect();
    let width = |(heading, total): (&String, &String)| match heading.len().max(total.len()) {
        0..=2 => 3,
        longer => longer + 1,
    };
    let widths: Vec<usize> = headings.iter().zip(&total).map(width).collect();
    let name_width = form.width.saturating_sub(widths.iter().sum()).max(LEAST_WIDTH);
    let mut out = row("", &headings, &widths, name_width);
    for (name, counts) in rows(shape, form) {
        out.push_str(&row(name, &cells(counts, shape.ages.buckets), &widths, name_width));
    }
    out
}

fn rows<'a>(shape: &'a Shape, form: &Form) -> Vec<(&'a str, &'a Counts)> {
    let is_shown =
        |(name, counts): &(&str, &Counts)| !name.starts_with('.') || counts.subdomains >= form.least_subdomains;
    let domains = shape.domains.iter().map(|(name, counts)| (name.as_str(), counts));
    let mut rows: Vec<_> = domains.filter(is_shown).collect();
    rows.sort_by_key(|(name, counts)| (Reverse(counts.total), name.len(), *name));
    rows.insert(0, (TOTAL, &shape.all));
    if form.top > 0 {
        rows.truncate(form.top);
    }
    rows
}

fn cells(counts: &Counts, buckets: usize) -> Vec<String> {
    let mut columns = counts.columns.clone();
    columns.resize(buckets, 0);
    [counts.total].iter().chain(&columns).map(u64::to_string).collect()
}

fn row(name: &str, cells: &[String], widths: &[usize], name_width: usize) -> String {
    let cells: String = cells.iter().zip(widths).map(|(cell, width)| format!("{cell:>width$}")).collect();
    format!("{:>name_width$}{cells}\n", shortened(name, name_width))
}

/// A name that is too long keeps its end.
fn shortened(name: &str, width: usize) -> String {
    let length = name.chars().count();
    if length <= width {
        return name.to_owned();
    }
    let mark = if name.starts_with('.') { ".+" } else { "+" };
    let end: String = name.chars().skip(length + mark.len() - width).collect();
    format!("{mark}{end}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shape::Ages;

    #[test]
    fn rows_are_in_order_and_columns_right() {
        let mut shape = Shape::new(Ages { buckets: 3, tick: 5, linear: false }, true, 10_000);
        for (address, age) in [("a@x.example", 0), ("b@x.example", 400), ("c@yy.example", 9000), ("d@q.z.example", 0)] {
            shape.add(address.as_bytes(), 10_000 - age);
        }
        let form = Form { width: 30, least_subdomains: 5, top: 0 };
        assert_eq!(
            table(&shape, &form),
            "                    T  5 10 10+\n             TOTAL  4  2  1   1\n         x.example  2  1  1   0\n\
            \x20       yy.example  1  0  0   1\n       q.z.example  1  1  0   0\n"
        );
        let with_parents = table(&shape, &Form { least_subdomains: 1, ..form });
        assert!(with_parents.contains("\n        .z.example  1  1  0   0\n"), "{with_parents}");
        assert_eq!(table(&shape, &Form { top: 2, ..form }).lines().count(), 3);
    }

    #[test]
    fn long_names_keep_their_end() {
        let table = [
            ("short", "short"),
            ("0123456789.long.example", "+6789.long.example"),
            (".0123456789.long.example", ".+789.long.example"),
        ];
        for (name, expected) in table {
            assert_eq!(shortened(name, 18), expected);
        }
    }
}
