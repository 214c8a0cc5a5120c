//! Lookup tables, lists of patterns, address look-ups, header and body checks.
