//! Parameters: Daemon.

crate::params! {
    /// What every daemon heeds, and how master(8) runs them.
    Daemon {
        /// How many sessions a service serves at once if master.cf does not say.
        default_process_limit: Int = "100" in 1..;
        /// How many sessions one process of a service serves at once; 0 leaves that to the service.
        process_session_limit: Int = "0" in 0..;
        /// How long a process waits for the next session before it ends.
        max_idle: Duration = "100s" in 1..;
        /// How many sessions a process serves, for each that it may serve at once, before it ends.
        max_use: Int = "100" in 1..;
        /// How long a daemon may be stuck before it is ended.
        daemon_timeout: Duration = "18000s" in 1..;
        /// How long a service that fails at once stays stopped.
        service_throttle_time: Duration = "60s" in 1..;
        /// Services of master.cf that are not started.
        master_service_disable: List = "";
        /// How often making a process is tried.
        fork_attempts: Int = "5" in 1.., inert;
        /// How long to wait between such attempts.
        fork_delay: Duration = "1s" in 1.., inert;
        /// How long each new message waits at most while mail comes faster than qmgr(8) takes it up; 0 does not wait.
        in_flow_delay: Duration = "1s" in 0..=10;
        /// Whether a daemon ends when it cannot open a table, instead of failing lookups.
        daemon_table_open_error_is_fatal: Bool = "no";
        /// Whether warnings come with advice.
        helpful_warnings: Bool = "yes";
        /// Whether finished queue files are kept aside for inspection.
        dont_remove: Int = "0", inert;
        /// For tests: which failures are simulated.
        fault_injection_code: Int = "0", inert;
        /// The TCP receive buffer size; 0 is what the system does.
        tcp_windowsize: Int = "0", inert;
        /// Whether the name service is not asked for mail.
        disable_dns_lookups: Bool = "no";
        /// Whether negative answers are taken to expire as they should.
        dns_ncache_ttl_fix_enable: Bool = "no", inert;
        /// The question, as type:name, by which it is found out whether the resolver validates; empty for none.
        dnssec_probe: Text = "ns:.";
        /// Whether a failed MX lookup counts as no MX record.
        ignore_mx_lookup_error: Bool = "no";
        /// Port numbers of services, so that the services file is not needed.
        known_tcp_ports: Text = "lmtp=24, smtp=25, smtps=submissions=465, submission=587";
    }
}
