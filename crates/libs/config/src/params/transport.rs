//! Parameters: TransportLimits, TransportTime.

crate::params! {
    /// What one transport may do: read by `Source::transport`, under the transport's name.
    TransportLimits {
        /// How many deliveries earn a later message the right to overtake.
        delivery_slot_cost as "transport_delivery_slot_cost": Int = "$default_delivery_slot_cost", hidden;
        /// Which percentage of its deliveries it may leave unpaid.
        delivery_slot_discount as "transport_delivery_slot_discount": Int = "$default_delivery_slot_discount", hidden;
        /// How many deliveries it may borrow to overtake earlier.
        delivery_slot_loan as "transport_delivery_slot_loan": Int = "$default_delivery_slot_loan", hidden;
        /// How many rounds of failures make a destination dead.
        destination_concurrency_failed_cohort_limit as "transport_destination_concurrency_failed_cohort_limit": Int = "$default_destination_concurrency_failed_cohort_limit", hidden;
        /// How many deliveries to one destination go on at once.
        destination_concurrency_limit as "transport_destination_concurrency_limit": Int = "$default_destination_concurrency_limit", hidden;
        /// How a failure lowers the concurrency.
        destination_concurrency_negative_feedback as "transport_destination_concurrency_negative_feedback": Text = "$default_destination_concurrency_negative_feedback", hidden;
        /// How a success raises the concurrency.
        destination_concurrency_positive_feedback as "transport_destination_concurrency_positive_feedback": Text = "$default_destination_concurrency_positive_feedback", hidden;
        /// How long to wait between deliveries to one destination.
        destination_rate_delay as "transport_destination_rate_delay": Duration = "$default_destination_rate_delay", hidden;
        /// How many recipients one delivery has.
        destination_recipient_limit as "transport_destination_recipient_limit": Int = "$default_destination_recipient_limit", hidden;
        /// How many recipients more messages that may overtake others get.
        extra_recipient_limit as "transport_extra_recipient_limit": Int = "$default_extra_recipient_limit", hidden;
        /// How many deliveries to a new destination begin at once.
        initial_destination_concurrency as "transport_initial_destination_concurrency": Int = "$initial_destination_concurrency", hidden;
        /// How small a message must be not to be overtaken.
        minimum_delivery_slots as "transport_minimum_delivery_slots": Int = "$default_minimum_delivery_slots", hidden;
        /// How many recipients are in memory.
        recipient_limit as "transport_recipient_limit": Int = "$default_recipient_limit", hidden;
        /// After which time recipients are read anyhow.
        recipient_refill_delay as "transport_recipient_refill_delay": Duration = "$default_recipient_refill_delay", hidden;
        /// How many recipients are read at a time when some have been delivered.
        recipient_refill_limit as "transport_recipient_refill_limit": Int = "$default_recipient_refill_limit", hidden;
        /// How long to wait between deliveries by this transport.
        transport_rate_delay as "transport_transport_rate_delay": Duration = "$default_transport_rate_delay", hidden;
    }
}

crate::params! {
    /// Transports and services that run commands: read by `Source::transport`.
    TransportTime {
        /// How long a command may take.
        time_limit as "transport_time_limit": Duration = "$command_time_limit" in 1.., hidden;
    }
}
