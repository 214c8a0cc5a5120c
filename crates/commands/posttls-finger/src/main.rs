//! posttls-finger(1): shows what TLS a server has, and whether its certificate is the one wanted.
//!
//! # Synopsis
//!
//!     posttls-finger [OPTIONS] DESTINATION [MATCH...]
//!
//! # Description
//!
//! Connects to the mail server of a domain, or to a host in brackets, as smtp(8) would, does STARTTLS, and says which protocol and
//! cipher were agreed on and what is known of the certificate. With the level of `-l` it says whether a delivery at that level
//! would trust the server; the arguments behind the destination are the names or fingerprints that the certificate must match.
//!
//! # Options
//!
//! - `-c`: only the handshake, without certificate details; `-C`: print the certificates.
//! - `-d DIGEST`: the digest of fingerprints.
//! - `-F FILE`: certificates of authorities; `-P DIR`: a folder of them; `-A FILE`: a trust anchor.
//! - `-l LEVEL`: `none`, `may`, `encrypt`, `fingerprint`, `dane`, `dane-only`, `verify` or `secure`.
//! - `-L OPTIONS`: what to report, such as `summary`, `verbose`, `certmatch`.
//! - `-m COUNT`: how many times to reconnect; `-r DELAY`: after which time, to see whether sessions are resumed.
//! - `-o NAME=VALUE`: a parameter.
//! - `-S`: LMTP; `-w`: TLS from the start, without STARTTLS.
//! - `-t SECONDS`: the limit of connecting; `-T SECONDS`: of each command.
//! - `-v`: be verbose.
use std::process::ExitCode;

fn main() -> ExitCode {
    command::Program::new("posttls-finger").run(posttls_finger::run)
}
