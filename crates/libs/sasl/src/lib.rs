//! SASL for both sides: Dovecot and file servers, PLAIN and LOGIN clients.
