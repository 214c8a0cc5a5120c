//! Parameters: Queue, Lifetimes.

crate::params! {
    /// Where messages wait and what they are made of.
    Queue {
        /// The queues that are split into subdirectories.
        hash_queue_names: List = "deferred, defer" in 1..;
        /// How many levels of subdirectories they have.
        hash_queue_depth: Int = "1" in 1..;
        /// Whether one recipient under several original names gets several copies, which have X-Original-To headers.
        enable_original_recipient: Bool = "yes";
        /// How many bytes must be free for mail to be received; 0 does not look.
        queue_minfree: Size = "0";
        /// How many attributes a queue file may have, besides those of recipients.
        queue_file_attribute_count_limit: Int = "100" in 1..;
        /// Whether queue IDs carry the time and do not repeat.
        enable_long_queue_ids: Bool = "no";
        /// The largest message, envelope included.
        message_size_limit: Size = "10240000";
        /// How many digits of a second delays are logged with.
        delay_logging_resolution_limit: Int = "2" in 0..=6;
        /// How old a lock file must be to be ignored.
        stale_lock_time: Duration = "500s" in 1..;
    }
}

crate::params! {
    /// How long messages wait, and what their senders hear meanwhile.
    Lifetimes {
        /// How long mail stays queued before it is returned.
        maximal_queue_lifetime: Duration = "5d" in 0..=8640000;
        /// How long a notice stays queued before it is given up.
        bounce_queue_lifetime: Duration = "5d" in 0..=8640000;
        /// After how long the sender is told that mail is still queued; 0 never.
        delay_warning_time: Duration = "0h";
        /// Whether the sender is told when such mail is delivered.
        confirm_delay_cleared: Bool = "no";
    }
}
