//! SASL for both sides. See RFC 4422, RFC 4954 and Postfix's SASL_README.
//!
//! The server side asks an authentication server in Dovecot's protocol ([`dovecot`]), so that smtpd never sees a
//! password file. The client side ([`client`]) is a pure state machine for PLAIN, LOGIN and CRAM-MD5.
//! Both work on decoded bytes; base64 belongs to SMTP and to Dovecot's lines, and is done at those edges.

pub mod client;
pub mod dovecot;
pub mod mechanism;
