//! postconf(1): shows and edits the configuration.
