//! postlock(1): runs a command with a mailbox locked.
