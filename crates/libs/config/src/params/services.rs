//! Parameters: Anvil, Flush, Sendmail, Qmqpd.

crate::params! {
    /// anvil(8): counts what clients do.
    Anvil {
        /// The time that rates are counted over.
        anvil_rate_time_unit: Duration = "60s" in 1..;
        /// How often the largest counts are logged.
        anvil_status_update_time: Duration = "600s" in 1..;
    }
}

crate::params! {
    /// flush(8): which queued mail goes to which domain.
    Flush {
        /// Domains whose queued mail can be sent on request.
        fast_flush_domains: List = "$relay_domains";
        /// How long an unused list is kept.
        fast_flush_purge_time: Duration = "7d" in 1..;
        /// How often lists are used although nobody asks.
        fast_flush_refresh_time: Duration = "12h" in 1..;
    }
}

crate::params! {
    /// Local submission: sendmail(1), postdrop(1), postqueue(1), pickup(8).
    Sendmail {
        /// Users who may submit mail.
        authorized_submit_users: List = "static:anyone";
        /// Users who may ask for delivery of queued mail.
        authorized_flush_users: List = "static:anyone";
        /// Users who may list the queue.
        authorized_mailq_users: List = "static:anyone";
        /// What sendmail(1) does about lines that end with CR LF.
        sendmail_fix_line_endings: Text = "always" in 1..;
        /// Which sender addresses a user may give.
        local_login_sender_maps: TableList = "static:*";
        /// What the null sender is called in local_login_sender_maps.
        empty_address_local_login_sender_maps_lookup_key: Text = "<>";
        /// The tables that newaliases builds.
        alias_database: TableList = "$default_database_type:/etc/aliases";
    }
}

crate::params! {
    /// qmqpd(8): mail in the protocol of qmail.
    Qmqpd {
        /// Clients that may send mail.
        qmqpd_authorized_clients: List = "";
        /// Whether the client's port is logged.
        qmqpd_client_port_logging: Bool = "no";
        /// How long a refusal is delayed.
        qmqpd_error_delay: Duration = "1s";
        /// How long to wait for the client.
        qmqpd_timeout: Duration = "300s" in 1..;
    }
}
