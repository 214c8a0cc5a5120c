//! The envelope of a notice.

use bytes::Bytes;
use jiff::Zoned;
use queue_file::Time;
use queue_file::record::{self, Type};

/// The envelope records of a message with one recipient.
pub(crate) fn envelope(sender: &[u8], recipient: &[u8], now: &Zoned) -> Bytes {
    let mut out = Vec::with_capacity(256);
    let now = now.timestamp();
    let microseconds = u32::try_from(now.subsec_microsecond()).unwrap_or(0);
    record::put_time(&mut out, Time { seconds: now.as_second(), microseconds });
    record::put_attribute(&mut out, "rewrite_context", b"local");
    record::put(&mut out, Type::Sender, sender);
    record::put(&mut out, Type::Recipient, recipient);
    out.into()
}
