//! Parameters: Delivery.

crate::params! {
    /// What all delivery agents heed.
    Delivery {
        /// How a mailbox is locked.
        mailbox_delivery_lock: List = "fcntl, dotlock" in 1..;
        /// How often locking is tried.
        deliver_lock_attempts: Int = "20" in 1..;
        /// How long to wait between such attempts.
        deliver_lock_delay: Duration = "1s" in 1..;
        /// A table that changes the status of deliveries.
        default_delivery_status_filter: TableList = "";
        /// Whether a mailbox must belong to its recipient.
        strict_mailbox_ownership: Bool = "yes";
        /// How long a command may take to deliver.
        command_time_limit: Duration = "1000s" in 1..;
        /// Where the mailboxes of users are.
        mail_spool_directory: Text = "/var/mail";
    }
}
