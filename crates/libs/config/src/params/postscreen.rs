//! Parameters: Postscreen, Dnsblog, PostscreenTls.

crate::params! {
    /// postscreen(8): tests before a client gets to smtpd(8).
    Postscreen {
        /// Clients that are allowed or denied without tests.
        postscreen_access_list: List = "permit_mynetworks";
        /// Our addresses at which a client can earn a pass.
        postscreen_allowlist_interfaces: List = "\
            ${postscreen_whitelist_interfaces?{$postscreen_whitelist_interfaces}:{static:all}}";
        /// What to do about lines that end without CR.
        postscreen_bare_newline_action: Text = "ignore" in 1..;
        /// Whether to look for such lines.
        postscreen_bare_newline_enable: Bool = "no";
        /// How long a passed test counts.
        postscreen_bare_newline_ttl: Duration = "30d" in 1..;
        /// How often old results are removed.
        postscreen_cache_cleanup_interval: Duration = "12h";
        /// Where results are kept.
        postscreen_cache_map: TableList = "$default_cache_db_type:$data_directory/postscreen_cache";
        /// How long results are kept that no longer count.
        postscreen_cache_retention_time: Duration = "7d" in 1..;
        /// How many sessions a client may have at once.
        postscreen_client_connection_count_limit: Int = "$smtpd_client_connection_count_limit";
        /// How many commands a session may have.
        postscreen_command_count_limit: Int = "20" in 1..;
        /// As smtpd_command_filter, for postscreen(8).
        postscreen_command_filter: TableList = "";
        /// How long to wait for a command.
        postscreen_command_time_limit: Duration = "${stress?{10}:{300}}s" in 1..;
        /// What to do about clients that postscreen_access_list denies.
        postscreen_denylist_action: Text = "${postscreen_blacklist_action?{$postscreen_blacklist_action}:{ignore}}" in 1..;
        /// As disable_vrfy_command, for postscreen(8).
        postscreen_disable_vrfy_command: Bool = "$disable_vrfy_command";
        /// As smtpd_discard_ehlo_keyword_address_maps, for postscreen(8).
        postscreen_discard_ehlo_keyword_address_maps: TableList = "$smtpd_discard_ehlo_keyword_address_maps";
        /// As smtpd_discard_ehlo_keywords, for postscreen(8).
        postscreen_discard_ehlo_keywords: List = "$smtpd_discard_ehlo_keywords";
        /// What to do about clients with a bad score.
        postscreen_dnsbl_action: Text = "ignore" in 1..;
        /// The score that spares a client the other tests.
        postscreen_dnsbl_allowlist_threshold: Int = "\
            ${postscreen_dnsbl_whitelist_threshold?{$postscreen_dnsbl_whitelist_threshold}:{0}}";
        /// How long the result of a block list counts at most.
        postscreen_dnsbl_max_ttl: Duration = "${postscreen_dnsbl_ttl?{$postscreen_dnsbl_ttl}:{1}}h" in 1..;
        /// How long the result of a block list counts at least.
        postscreen_dnsbl_min_ttl: Duration = "60s" in 1..;
        /// Names of block lists that clients are told instead.
        postscreen_dnsbl_reply_map: TableList = "";
        /// Block and allow lists with their weights.
        postscreen_dnsbl_sites: List = "";
        /// The score from which a client is bad.
        postscreen_dnsbl_threshold: Int = "1" in 1..;
        /// How long to wait for block lists.
        postscreen_dnsbl_timeout: Duration = "10s" in 1..;
        /// As smtpd_expansion_filter, for postscreen(8).
        postscreen_expansion_filter: Raw = "$smtpd_expansion_filter" in 1..;
        /// As smtpd_forbidden_commands, for postscreen(8).
        postscreen_forbidden_commands: List = "$smtpd_forbidden_commands";
        /// What to do about clients that speak first.
        postscreen_greet_action: Text = "ignore" in 1..;
        /// The first line of a greeting in two lines.
        postscreen_greet_banner: Text = "$smtpd_banner";
        /// How long a passed test counts.
        postscreen_greet_ttl: Duration = "1d" in 1..;
        /// How long to wait for a client that speaks first.
        postscreen_greet_wait: Duration = "${stress?{2}:{6}}s" in 1..;
        /// As smtpd_helo_required, for postscreen(8).
        postscreen_helo_required: Bool = "$smtpd_helo_required";
        /// What to do about commands of other protocols.
        postscreen_non_smtp_command_action: Text = "drop" in 1..;
        /// Whether to look for such commands.
        postscreen_non_smtp_command_enable: Bool = "no";
        /// How long a passed test counts.
        postscreen_non_smtp_command_ttl: Duration = "30d" in 1..;
        /// What to do about commands sent ahead.
        postscreen_pipelining_action: Text = "enforce" in 1..;
        /// Whether to look for such commands.
        postscreen_pipelining_enable: Bool = "no";
        /// How long a passed test counts.
        postscreen_pipelining_ttl: Duration = "30d" in 1..;
        /// How many clients wait for smtpd(8).
        postscreen_post_queue_limit: Int = "$default_process_limit" in 5..;
        /// How many clients are being tested.
        postscreen_pre_queue_limit: Int = "$default_process_limit" in 10..;
        /// As smtpd_reject_footer, for postscreen(8).
        postscreen_reject_footer: Raw = "$smtpd_reject_footer";
        /// As smtpd_reject_footer_maps, for postscreen(8).
        postscreen_reject_footer_maps: TableList = "$smtpd_reject_footer_maps";
        /// How long a TLS handshake may take.
        postscreen_starttls_timeout: Duration = "$smtpd_starttls_timeout" in 1..;
        /// The protocol of a proxy in front of us.
        postscreen_upstream_proxy_protocol: Text = "";
        /// How long to wait for what that proxy says.
        postscreen_upstream_proxy_timeout: Duration = "5s" in 1..;
        /// How long postscreen(8) may be stuck before it is ended.
        postscreen_watchdog_timeout: Duration = "10s" in 10..;
        /// As smtpd_enforce_tls, for postscreen(8).
        postscreen_enforce_tls: Bool = "$smtpd_enforce_tls";
        /// As smtpd_use_tls, for postscreen(8).
        postscreen_use_tls: Bool = "$smtpd_use_tls";
        /// The service that asks block lists.
        dnsblog_service_name: Text = "dnsblog" in 1..;
    }
}

crate::params! {
    /// dnsblog(8).
    Dnsblog {
        /// For tests: how long dnsblog(8) delays its answers.
        dnsblog_reply_delay: Duration = "0s";
    }
}

crate::params! {
    /// postscreen(8): TLS. All but the level is up to tlsproxy(8), which has parameters of its own.
    PostscreenTls {
        /// As `smtpd_tls_CAfile`, for postscreen(8).
        postscreen_tls_CAfile: Text = "$smtpd_tls_CAfile", inert;
        /// As `smtpd_tls_CApath`, for postscreen(8).
        postscreen_tls_CApath: Text = "$smtpd_tls_CApath", inert;
        /// As `smtpd_tls_always_issue_session_ids`, for postscreen(8).
        postscreen_tls_always_issue_session_ids: Bool = "$smtpd_tls_always_issue_session_ids", inert;
        /// As `smtpd_tls_ask_ccert`, for postscreen(8).
        postscreen_tls_ask_ccert: Bool = "$smtpd_tls_ask_ccert", inert;
        /// As `smtpd_tls_ccert_verifydepth`, for postscreen(8).
        postscreen_tls_ccert_verifydepth: Int = "$smtpd_tls_ccert_verifydepth", inert;
        /// As `smtpd_tls_cert_file`, for postscreen(8).
        postscreen_tls_cert_file: Text = "$smtpd_tls_cert_file", inert;
        /// As `smtpd_tls_chain_files`, for postscreen(8).
        postscreen_tls_chain_files: List = "$smtpd_tls_chain_files", inert;
        /// As `smtpd_tls_ciphers`, for postscreen(8).
        postscreen_tls_ciphers: Text = "$smtpd_tls_ciphers", inert;
        /// As `smtpd_tls_dcert_file`, for postscreen(8).
        postscreen_tls_dcert_file: Text = "$smtpd_tls_dcert_file", inert;
        /// As `smtpd_tls_dh1024_param_file`, for postscreen(8).
        postscreen_tls_dh1024_param_file: Text = "$smtpd_tls_dh1024_param_file", inert;
        /// As `smtpd_tls_dh512_param_file`, for postscreen(8).
        postscreen_tls_dh512_param_file: Text = "$smtpd_tls_dh512_param_file", inert;
        /// As `smtpd_tls_dkey_file`, for postscreen(8).
        postscreen_tls_dkey_file: Text = "$smtpd_tls_dkey_file", inert;
        /// As `smtpd_tls_eccert_file`, for postscreen(8).
        postscreen_tls_eccert_file: Text = "$smtpd_tls_eccert_file", inert;
        /// As `smtpd_tls_eckey_file`, for postscreen(8).
        postscreen_tls_eckey_file: Text = "$smtpd_tls_eckey_file", inert;
        /// As `smtpd_tls_eecdh_grade`, for postscreen(8).
        postscreen_tls_eecdh_grade: Text = "$smtpd_tls_eecdh_grade", inert;
        /// As `smtpd_tls_enable_rpk`, for postscreen(8).
        postscreen_tls_enable_rpk: Bool = "$smtpd_tls_enable_rpk", inert;
        /// As `smtpd_tls_exclude_ciphers`, for postscreen(8).
        postscreen_tls_exclude_ciphers: List = "$smtpd_tls_exclude_ciphers", inert;
        /// As `smtpd_tls_fingerprint_digest`, for postscreen(8).
        postscreen_tls_fingerprint_digest: Text = "$smtpd_tls_fingerprint_digest", inert;
        /// As `smtpd_tls_key_file`, for postscreen(8).
        postscreen_tls_key_file: Text = "$smtpd_tls_key_file", inert;
        /// As `smtpd_tls_loglevel`, for postscreen(8).
        postscreen_tls_loglevel: Text = "$smtpd_tls_loglevel", inert;
        /// As `smtpd_tls_loglevel_maps`, for postscreen(8).
        postscreen_tls_loglevel_maps: TableList = "$smtpd_tls_loglevel_maps", inert;
        /// As `smtpd_tls_mandatory_ciphers`, for postscreen(8).
        postscreen_tls_mandatory_ciphers: Text = "$smtpd_tls_mandatory_ciphers", inert;
        /// As `smtpd_tls_mandatory_exclude_ciphers`, for postscreen(8).
        postscreen_tls_mandatory_exclude_ciphers: List = "$smtpd_tls_mandatory_exclude_ciphers", inert;
        /// As `smtpd_tls_mandatory_protocols`, for postscreen(8).
        postscreen_tls_mandatory_protocols: List = "$smtpd_tls_mandatory_protocols", inert;
        /// As `smtpd_tls_protocols`, for postscreen(8).
        postscreen_tls_protocols: List = "$smtpd_tls_protocols", inert;
        /// As `smtpd_tls_req_ccert`, for postscreen(8).
        postscreen_tls_req_ccert: Bool = "$smtpd_tls_req_ccert", inert;
        /// As `smtpd_tls_security_level`, for postscreen(8).
        postscreen_tls_security_level: Text = "$smtpd_tls_security_level";
        /// As `smtpd_tls_trace_size_limit`, for postscreen(8).
        postscreen_tls_trace_size_limit: Size = "$smtpd_tls_trace_size_limit", inert;
    }
}
