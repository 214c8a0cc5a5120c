//! What is below `queue_directory`.

/// The directories of a queue whose owner is `mail_owner`. Besides them there are `maildrop`, `public`, and
/// `process_id_directory`, which have rules of their own.
pub const QUEUE_DIRECTORIES: [&str; 12] = [
    "active",
    "bounce",
    "corrupt",
    "defer",
    "deferred",
    "flush",
    "hold",
    "incoming",
    "private",
    "saved",
    "submission",
    "trace",
];
