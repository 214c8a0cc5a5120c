//! Queue ids, records, directories, commit, move, mark done, delivery logs.
