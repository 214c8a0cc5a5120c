//! rustls set-up: levels, verifiers, sessions, the log summary.
