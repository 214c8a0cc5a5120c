//! Parameters: Verify.

crate::params! {
    /// verify(8) and probes: whether addresses can be delivered.
    Verify {
        /// How often old results are removed.
        address_verify_cache_cleanup_interval: Duration = "12h";
        /// Where results are kept.
        address_verify_map: TableList = "$default_cache_db_type:$data_directory/verify_cache";
        /// Whether failures are kept.
        address_verify_negative_cache: Bool = "yes";
        /// How long a failure is kept.
        address_verify_negative_expire_time: Duration = "3d" in 1..;
        /// When a failure is looked into again.
        address_verify_negative_refresh_time: Duration = "3h" in 1..;
        /// How long a success is kept.
        address_verify_positive_expire_time: Duration = "31d" in 1..;
        /// When a success is looked into again.
        address_verify_positive_refresh_time: Duration = "7d" in 1..;
        /// How many probes are under way at once.
        address_verify_pending_request_limit: Int = "5000" in 1..;
        /// How often smtpd(8) asks for a result.
        address_verify_poll_count: Int = "${stress?{1}:{3}}" in 1..;
        /// How long it waits between.
        address_verify_poll_delay: Duration = "3s" in 1..;
        /// The sender of probes.
        address_verify_sender: Text = "$double_bounce_sender";
        /// How long such a sender is used before it changes; 0 does not change.
        address_verify_sender_ttl: Duration = "0s";
        /// The service that knows about addresses.
        address_verify_service_name: Text = "verify" in 1..;
        /// As default_transport, for probes.
        address_verify_default_transport: Text = "$default_transport" in 1..;
        /// As local_transport, for probes.
        address_verify_local_transport: Text = "$local_transport" in 1..;
        /// As relay_transport, for probes.
        address_verify_relay_transport: Text = "$relay_transport" in 1..;
        /// As virtual_transport, for probes.
        address_verify_virtual_transport: Text = "$virtual_transport" in 1..;
        /// As relayhost, for probes.
        address_verify_relayhost: Text = "$relayhost";
        /// As transport_maps, for probes.
        address_verify_transport_maps: TableList = "$transport_maps";
        /// As sender_dependent_default_transport_maps, for probes.
        address_verify_sender_dependent_default_transport_maps: TableList = "$sender_dependent_default_transport_maps";
        /// As sender_dependent_relayhost_maps, for probes.
        address_verify_sender_dependent_relayhost_maps: TableList = "$sender_dependent_relayhost_maps";
    }
}
