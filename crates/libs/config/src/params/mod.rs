//! Every parameter, one file for each topic.

mod bounce;
mod cleanup;
mod daemon;
mod delivery;
mod former;
mod identity;
mod ipc;
mod layout;
mod lmtp;
mod lmtp_tls;
mod local;
mod milter;
mod pipe;
mod postscreen;
mod proxymap;
mod qmgr;
mod queue;
mod rewrite;
mod sasl;
mod services;
mod smtp;
mod smtp_tls;
mod smtpd;
mod smtpd_access;
mod smtpd_tls;
mod tables;
mod tls;
mod tlsproxy;
mod transport;
mod verify;
mod virtual_agent;

pub use bounce::{Bounce, Verp};
pub use cleanup::Cleanup;
pub use daemon::Daemon;
pub use delivery::Delivery;
pub use former::Former;
pub use identity::{Identity, Networks};
pub use ipc::{Ipc, Scache};
pub use layout::Layout;
pub use lmtp::Lmtp;
pub use lmtp_tls::LmtpTls;
pub use local::Local;
pub use milter::Milter;
pub use pipe::Pipe;
pub use postscreen::{Dnsblog, Postscreen, PostscreenTls};
pub use proxymap::Proxymap;
pub use qmgr::Qmgr;
pub use queue::{Lifetimes, Queue};
pub use rewrite::Rewrite;
pub use sasl::{LmtpSasl, SmtpSasl, SmtpdSasl};
pub use services::{Anvil, Flush, Qmqpd, Sendmail};
pub use smtp::Smtp;
pub use smtp_tls::SmtpTls;
pub use smtpd::Smtpd;
pub use smtpd_access::SmtpdAccess;
pub use smtpd_tls::SmtpdTls;
pub use tables::Tables;
pub use tls::Tls;
pub use tlsproxy::{Tlsproxy, TlsproxyClient, TlsproxyTls};
pub use transport::{TransportLimits, TransportTime};
pub use verify::Verify;
pub use virtual_agent::Virtual;

use crate::packed::Packed;
use crate::row::Row;

/// All rows, topic by topic.
pub fn all() -> impl Iterator<Item = Row> {
    TOPICS.iter().flat_map(|topic| topic.rows())
}

/// The rows of each topic.
pub(crate) const TOPICS: &[Packed] = &[
    Identity::PACKED,
    Networks::PACKED,
    Layout::PACKED,
    Ipc::PACKED,
    Scache::PACKED,
    Daemon::PACKED,
    Queue::PACKED,
    Lifetimes::PACKED,
    Qmgr::PACKED,
    Cleanup::PACKED,
    Rewrite::PACKED,
    Bounce::PACKED,
    Verp::PACKED,
    Delivery::PACKED,
    Local::PACKED,
    Virtual::PACKED,
    Pipe::PACKED,
    Proxymap::PACKED,
    Tables::PACKED,
    Smtpd::PACKED,
    SmtpdAccess::PACKED,
    Smtp::PACKED,
    SmtpTls::PACKED,
    SmtpdTls::PACKED,
    Tls::PACKED,
    SmtpdSasl::PACKED,
    SmtpSasl::PACKED,
    Milter::PACKED,
    Postscreen::PACKED,
    Verify::PACKED,
    Anvil::PACKED,
    Flush::PACKED,
    Sendmail::PACKED,
    Qmqpd::PACKED,
    Tlsproxy::PACKED,
    LmtpTls::PACKED,
    LmtpSasl::PACKED,
    Lmtp::PACKED,
    Dnsblog::PACKED,
    PostscreenTls::PACKED,
    TlsproxyTls::PACKED,
    TlsproxyClient::PACKED,
    TransportLimits::PACKED,
    TransportTime::PACKED,
    Former::PACKED,
];
