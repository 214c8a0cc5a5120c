//! The names of the queues and of the directories with logs about queue files.

use std::fmt;

/// A directory below the queue directory that holds queue files, or logs named after them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum QueueName {
    /// Submitted with sendmail(1), not yet picked up.
    Maildrop,
    /// Put on hold by an administrator or an access rule.
    Hold,
    /// Written by cleanup(8), not yet seen by qmgr(8).
    Incoming,
    /// Open for delivery.
    Active,
    /// Waits for its next attempt.
    Deferred,
    /// Unreadable.
    Corrupt,
    /// Logs of recipients that failed.
    Bounce,
    /// Logs of recipients that wait.
    Defer,
    /// Logs of recipients whose delivery is to be reported.
    Trace,
    /// Fast flush logs by destination.
    Flush,
    /// Bounce logs of messages that were put aside.
    Saved,
}

impl QueueName {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Maildrop,
        Self::Hold,
        Self::Incoming,
        Self::Active,
        Self::Deferred,
        Self::Corrupt,
        Self::Bounce,
        Self::Defer,
        Self::Trace,
        Self::Flush,
        Self::Saved,
    ];

    /// Those that hold messages which are still to be delivered.
    pub const MAIL: [Self; 5] = [Self::Maildrop, Self::Hold, Self::Incoming, Self::Active, Self::Deferred];

    /// Those that hold logs named after messages.
    pub const LOGS: [Self; 3] = [Self::Bounce, Self::Defer, Self::Trace];

    /// The directory's name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Maildrop => "maildrop",
            Self::Hold => "hold",
            Self::Incoming => "incoming",
            Self::Active => "active",
            Self::Deferred => "deferred",
            Self::Corrupt => "corrupt",
            Self::Bounce => "bounce",
            Self::Defer => "defer",
            Self::Trace => "trace",
            Self::Flush => "flush",
            Self::Saved => "saved",
        }
    }

    /// The queue of a directory name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|queue| queue.as_str() == name)
    }

    /// Position in a bit set.
    pub(crate) const fn bit(self) -> u16 {
        1 << self as u16
    }
}

impl fmt::Display for QueueName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
