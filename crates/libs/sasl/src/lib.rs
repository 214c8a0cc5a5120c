//! SASL for both sides. See RFC 4422, RFC 4954 and Postfix's SASL_README.
//!
//! The server side asks an authentication server in Dovecot's protocol ([`dovecot`]), so that smtpd never sees a
//! password file. The client side ([`client`]) is a state machine for SCRAM, CRAM-MD5, PLAIN and LOGIN.
//! Both work on decoded bytes; base64 belongs to SMTP and to Dovecot's lines, and is done at those edges.

pub mod client;
pub mod dovecot;
pub mod mechanism;
pub mod scram;
