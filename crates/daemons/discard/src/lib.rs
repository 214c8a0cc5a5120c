//! discard(8): discards mail.
