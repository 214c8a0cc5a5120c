//! Parameters: Qmgr.

crate::params! {
    /// The queue manager: how much it has in hand, and how it shares out deliveries.
    Qmgr {
        /// The shortest time between attempts to deliver a message.
        minimal_backoff_time: Duration = "300s" in 1..;
        /// The longest time between attempts to deliver a message.
        maximal_backoff_time: Duration = "4000s" in 1..;
        /// How often the deferred queue is scanned.
        queue_run_delay: Duration = "300s" in 1..;
        /// How many messages are in the active queue.
        qmgr_message_active_limit: Int = "20000" in 1..;
        /// How many recipients are in memory.
        qmgr_message_recipient_limit: Int = "20000" in 1..;
        /// How many recipients of each message are in memory at least.
        qmgr_message_recipient_minimum: Int = "10" in 1..;
        /// Which percentage of a transport's capacity large messages may use.
        qmgr_fudge_factor: Int = "100" in 10..=100, inert;
        /// How often a full active queue is warned about.
        qmgr_clog_warn_time: Duration = "300s";
        /// How long the queue manager may be stuck before it is ended.
        qmgr_daemon_timeout: Duration = "1000s" in 1..;
        /// How long the queue manager waits for other services.
        qmgr_ipc_timeout: Duration = "60s" in 1..;
        /// How long to wait before a broken delivery agent is asked again.
        transport_retry_time: Duration = "60s" in 1..;
        /// The transports that deliver only on request.
        defer_transports: List = "";
        /// How many deliveries to a new destination begin at once.
        initial_destination_concurrency: Int = "5" in 1..;
        /// How many deliveries to one destination go on at once.
        default_destination_concurrency_limit: Int = "20";
        /// How many recipients one delivery has.
        default_destination_recipient_limit: Int = "50";
        /// How a success raises the concurrency.
        default_destination_concurrency_positive_feedback: Text = "1" in 1..;
        /// How a failure lowers the concurrency.
        default_destination_concurrency_negative_feedback: Text = "1" in 1..;
        /// How many rounds of failures make a destination dead.
        default_destination_concurrency_failed_cohort_limit: Int = "1";
        /// How long to wait between deliveries to one destination.
        default_destination_rate_delay: Duration = "0s";
        /// How long to wait between deliveries by one transport.
        default_transport_rate_delay: Duration = "0s";
        /// How many recipients are in memory for one transport.
        default_recipient_limit: Int = "20000";
        /// How many recipients more messages that may overtake others get.
        default_extra_recipient_limit: Int = "1000";
        /// How many recipients are read at a time when some have been delivered.
        default_recipient_refill_limit: Int = "100" in 1..;
        /// After which time recipients are read anyhow.
        default_recipient_refill_delay: Duration = "5s" in 1..;
        /// How many deliveries earn a later message the right to overtake.
        default_delivery_slot_cost: Int = "5";
        /// How many deliveries it may borrow to overtake earlier.
        default_delivery_slot_loan: Int = "3";
        /// Which percentage of its deliveries it may leave unpaid.
        default_delivery_slot_discount: Int = "50" in 0..=100;
        /// How small a message must be not to be overtaken.
        default_minimum_delivery_slots: Int = "3";
        /// Whether changes of concurrency are logged.
        destination_concurrency_feedback_debug: Bool = "no";
        /// How many deliveries to one local recipient go on at once.
        local_destination_concurrency_limit: Int = "2";
        /// How many recipients one local delivery has.
        local_destination_recipient_limit: Int = "1";
    }
}
