//! The log line of the mail system, as a tracing layer with its targets.
