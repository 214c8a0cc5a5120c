//! smtp-sink(1): an SMTP sink.
