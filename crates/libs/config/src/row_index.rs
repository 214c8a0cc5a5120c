//! Rows by name: a hash table that the compiler makes, so that no program has to when it starts.

use crate::params::TOPICS;
use crate::row::Row;

/// The row of this name.
pub(crate) fn find(name: &str) -> Option<Row> {
    let mut slot = hash(name.as_bytes()) % SLOTS;
    loop {
        let (topic, at) = *INDEX.get(slot)?;
        if topic == FREE {
            return None;
        }
        if let Some(row) = TOPICS.get(usize::from(topic)).and_then(|topic| topic.named(at.into(), name)) {
            return Some(row);
        }
        slot = (slot + 1) % SLOTS;
    }
}

/// About twice as many as there are rows.
const SLOTS: usize = 2048;
/// No topic has this number.
const FREE: u8 = u8::MAX;

/// Topic, and place in it.
static INDEX: [(u8, u8); SLOTS] = index();

#[expect(
    clippy::cast_possible_truncation,
    clippy::indexing_slicing,
    reason = "the compiler runs this, and would stop at what does not fit"
)]
const fn index() -> [(u8, u8); SLOTS] {
    let mut index = [(FREE, 0); SLOTS];
    let (mut topic, mut used) = (0, 0);
    while topic < TOPICS.len() {
        assert!(topic < FREE as usize && TOPICS[topic].rows.len() <= u8::MAX as usize && used < SLOTS / 2);
        let (text, rows) = (TOPICS[topic].text.as_bytes(), TOPICS[topic].rows);
        let mut at = 0;
        while at < rows.len() {
            let (_, name) = text.split_at(rows[at].at);
            let (name, _) = name.split_at(rows[at].name as usize);
            let mut slot = hash(name) % SLOTS;
            while index[slot].0 != FREE {
                slot = (slot + 1) % SLOTS;
            }
            index[slot] = (topic as u8, at as u8);
            at += 1;
        }
        used += rows.len();
        topic += 1;
    }
    index
}

/// The hash of Fowler, Noll and Vo: for names of our own, nobody chooses them to collide.
const fn hash(mut bytes: &[u8]) -> usize {
    let mut hash: u32 = 0x811c_9dc5;
    while let Some((byte, rest)) = bytes.split_first() {
        hash = (hash ^ *byte as u32).wrapping_mul(0x0100_0193);
        bytes = rest;
    }
    // The upper bits are the better ones.
    (hash ^ (hash >> 15)) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_found_and_nothing_else() {
        for row in crate::params::all() {
            let found = find(row.name).unwrap();
            assert_eq!(
                (found.name, found.field, found.default, found.doc),
                (row.name, row.field, row.default, row.doc)
            );
        }
        for name in ["", "mail", "no_such_parameter", "mail_owner "] {
            assert!(find(name).is_none(), "{name}");
        }
    }
}
