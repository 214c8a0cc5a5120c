//! Parameters: Ipc, Scache.

crate::params! {
    /// How the daemons talk with each other.
    Ipc {
        /// How long a program waits for a local service.
        ipc_timeout: Duration = "3600s" in 1..;
        /// How long an unused connection to a local service is kept.
        ipc_idle: Duration = "5s" in 1..;
        /// How long any connection to a local service is kept.
        ipc_ttl: Duration = "1000s" in 1.., inert;
        /// Longest line that goes into a queue file in one piece.
        line_length_limit: Int = "2048" in 512..;
        /// How long waking up a service may take.
        trigger_timeout: Duration = "10s" in 1.., inert;
        /// How long a daemon that ends waits for its other work.
        application_event_drain_time: Duration = "100s" in 1..;
        /// The service that keeps failure logs and sends failure notices.
        bounce_service_name: Text = "bounce" in 1..;
        /// The service that completes messages.
        cleanup_service_name: Text = "cleanup" in 1..;
        /// The service that keeps logs of deferred recipients.
        defer_service_name: Text = "defer" in 1..;
        /// The service that returns recipients with a given reason.
        error_service_name: Text = "error" in 1..;
        /// The service that knows which queued mail goes to which domain.
        flush_service_name: Text = "flush" in 1..;
        /// The service that takes up local submissions.
        pickup_service_name: Text = "pickup" in 1..;
        /// The service that reads tables for others.
        proxymap_service_name: Text = "proxymap" in 1..;
        /// The service that writes tables for others.
        proxywrite_service_name: Text = "proxywrite" in 1..;
        /// The service that schedules deliveries.
        queue_service_name: Text = "qmgr" in 1..;
        /// The service that rewrites and resolves addresses.
        rewrite_service_name: Text = "rewrite" in 1..;
        /// The service that lists the queue.
        showq_service_name: Text = "showq" in 1..;
        /// The service that postscreen(8) hands connections to.
        smtpd_service_name: Text = "smtpd" in 1..;
        /// The service that keeps TLS sessions and keys.
        tlsmgr_service_name: Text = "tlsmgr" in 1..;
        /// The service that speaks TLS for others.
        tlsproxy_service_name: Text = "tlsproxy" in 1..;
        /// The service that keeps logs of successful deliveries.
        trace_service_name: Text = "trace" in 1..;
        /// The service that keeps connections for later.
        connection_cache_service_name: Text = "scache" in 1.., inert;
    }
}

crate::params! {
    /// scache(8): connections that are kept for others.
    Scache {
        /// How long scache(8) keeps a connection at most.
        connection_cache_ttl_limit: Duration = "2s" in 1.., inert;
        /// How often scache(8) logs what it did.
        connection_cache_status_update_time: Duration = "600s" in 1.., inert;
        /// How long a program waits for scache(8).
        connection_cache_protocol_timeout: Duration = "5s" in 1.., inert;
    }
}
