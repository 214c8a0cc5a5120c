//! postscreen(8): keeps those from smtpd(8) that are no mail clients.
//!
//! # Description
//!
//! One process meets all clients first, at little cost each. It looks at `postscreen_access_list`, waits for those that speak before their
//! turn, and has dnsblog(8) ask lists in the DNS. A client that passes is handed to smtpd(8), and is let through
//! at once as long as what it passed counts. What is done about others is said for each test: it is ignored, their mail is refused,
//! or the connection is ended.
//!
//! Clients whose mail is refused, and those that are to be tested by what they say, meet an SMTP server that takes no mail. It leads them to
//! their recipients, so that the log says whose mail it was, and refuses those: for good, or, where nothing speaks against the client, until
//! it comes again. What is tested there are commands that are sent ahead of replies, commands of other protocols, and lines that end without
//! CR.
//!
//! In master.cf it takes the place of smtpd(8) on the port, with a process limit of 1, and smtpd(8) becomes a service of type `pass`.
use std::process::ExitCode;

fn main() -> ExitCode {
    service::run::<postscreen::Postscreen>()
}
