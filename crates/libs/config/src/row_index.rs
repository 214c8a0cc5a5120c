//! Rows by name. Every program makes this index when it starts, so that it has to be cheap to make.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use crate::row::Row;

#[derive(Debug)]
pub(crate) struct RowIndex(HashMap<&'static str, &'static Row, BuildHasherDefault<Fnv>>);

impl RowIndex {
    pub(crate) fn of(rows: impl Iterator<Item = &'static Row>) -> Self {
        let mut index = HashMap::with_capacity_and_hasher(ABOUT, BuildHasherDefault::default());
        index.extend(rows.map(|row| (row.name, row)));
        Self(index)
    }

    pub(crate) fn get(&self, name: &str) -> Option<&'static Row> {
        self.0.get(name).copied()
    }
}

/// As many rows as there are, or somewhat more.
const ABOUT: usize = 1100;

/// The hash of Fowler, Noll and Vo: for names of our own, nobody chooses them to collide.
#[derive(Debug)]
pub(crate) struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Hasher for Fnv {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
