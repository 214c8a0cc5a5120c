//! Envelope and header addresses: parse, quote, split, domains, literals, IDNA.
