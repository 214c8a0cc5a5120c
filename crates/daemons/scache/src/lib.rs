//! scache(8): keeps connections for reuse.
