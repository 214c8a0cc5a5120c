//! Parameters: Lmtp.

crate::params! {
    /// lmtp(8): sessions. The fields that lmtp(8) uses are those of `Smtp`.
    Lmtp {
        /// As `smtp_address_preference`, for LMTP.
        lmtp_address_preference: Text = "any" in 1..;
        /// As `smtp_address_verify_target`, for LMTP.
        lmtp_address_verify_target: Text = "rcpt" in 1..;
        /// As `smtp_balance_inet_protocols`, for LMTP.
        lmtp_balance_inet_protocols: Bool = "yes";
        /// As `smtp_bind_address`, for LMTP.
        lmtp_bind_address: Text = "";
        /// As `smtp_bind_address6`, for LMTP.
        lmtp_bind_address6: Text = "";
        /// As `smtp_bind_address_enforce`, for LMTP.
        lmtp_bind_address_enforce: Bool = "no";
        /// As `smtp_body_checks`, for LMTP.
        lmtp_body_checks: TableList = "";
        /// As `smtp_cname_overrides_servername`, for LMTP.
        lmtp_cname_overrides_servername: Bool = "no";
        /// As `smtp_connect_timeout`, for LMTP.
        lmtp_connect_timeout: Duration = "0s";
        /// As `smtp_connection_cache_destinations`, for LMTP.
        lmtp_connection_cache_destinations: List = "";
        /// As `smtp_connection_cache_on_demand`, for LMTP.
        lmtp_connection_cache_on_demand: Bool = "yes";
        /// As `smtp_connection_cache_time_limit`, for LMTP.
        lmtp_connection_cache_time_limit: Duration = "2s" in 1..;
        /// As `smtp_connection_reuse_count_limit`, for LMTP.
        lmtp_connection_reuse_count_limit: Int = "0";
        /// As `smtp_connection_reuse_time_limit`, for LMTP.
        lmtp_connection_reuse_time_limit: Duration = "300s" in 1..;
        /// As `smtp_data_done_timeout`, for LMTP.
        lmtp_data_done_timeout: Duration = "600s" in 1..;
        /// As `smtp_data_init_timeout`, for LMTP.
        lmtp_data_init_timeout: Duration = "120s" in 1..;
        /// As `smtp_data_xfer_timeout`, for LMTP.
        lmtp_data_xfer_timeout: Duration = "180s" in 1..;
        /// As `smtp_defer_if_no_mx_address_found`, for LMTP.
        lmtp_defer_if_no_mx_address_found: Bool = "no";
        /// As `smtp_delivery_status_filter`, for LMTP.
        lmtp_delivery_status_filter: TableList = "$default_delivery_status_filter";
        /// As `smtp_discard_ehlo_keyword_address_maps`, for LMTP.
        lmtp_discard_lhlo_keyword_address_maps: TableList = "";
        /// As `smtp_discard_ehlo_keywords`, for LMTP.
        lmtp_discard_lhlo_keywords: List = "";
        /// As `smtp_dns_reply_filter`, for LMTP.
        lmtp_dns_reply_filter: TableList = "";
        /// As `smtp_dns_resolver_options`, for LMTP.
        lmtp_dns_resolver_options: List = "";
        /// As `smtp_dns_support_level`, for LMTP.
        lmtp_dns_support_level: Text = "";
        /// As `smtp_fallback_relay`, for LMTP.
        lmtp_fallback_relay: List = "";
        /// As `smtp_generic_maps`, for LMTP.
        lmtp_generic_maps: TableList = "";
        /// As `smtp_header_checks`, for LMTP.
        lmtp_header_checks: TableList = "";
        /// As `smtp_host_lookup`, for LMTP.
        lmtp_host_lookup: Words = "dns" of "dns native" in 1..;
        /// As `smtp_helo_name`, for LMTP.
        lmtp_lhlo_name: Text = "$myhostname" in 1..;
        /// As `smtp_helo_timeout`, for LMTP.
        lmtp_lhlo_timeout: Duration = "300s" in 1..;
        /// As `smtp_line_length_limit`, for LMTP.
        lmtp_line_length_limit: Int = "998";
        /// As `smtp_mail_timeout`, for LMTP.
        lmtp_mail_timeout: Duration = "300s" in 1..;
        /// As `smtp_mime_header_checks`, for LMTP.
        lmtp_mime_header_checks: TableList = "";
        /// As `smtp_min_data_rate`, for LMTP.
        lmtp_min_data_rate: Size = "500" in 1..;
        /// As `smtp_mx_address_limit`, for LMTP.
        lmtp_mx_address_limit: Int = "5";
        /// As `smtp_mx_session_limit`, for LMTP.
        lmtp_mx_session_limit: Int = "2";
        /// As `smtp_nested_header_checks`, for LMTP.
        lmtp_nested_header_checks: TableList = "";
        /// As `smtp_per_request_deadline`, for LMTP.
        lmtp_per_request_deadline: Bool = "${lmtp_per_record_deadline?{$lmtp_per_record_deadline}:{no}}";
        /// As `smtp_pix_workaround_delay_time`, for LMTP.
        lmtp_pix_workaround_delay_time: Duration = "10s" in 1..;
        /// As `smtp_pix_workaround_maps`, for LMTP.
        lmtp_pix_workaround_maps: TableList = "";
        /// As `smtp_pix_workaround_threshold_time`, for LMTP.
        lmtp_pix_workaround_threshold_time: Duration = "500s";
        /// As `smtp_pix_workarounds`, for LMTP.
        lmtp_pix_workarounds: List = "disable_esmtp,delay_dotcrlf";
        /// As `smtp_quit_timeout`, for LMTP.
        lmtp_quit_timeout: Duration = "300s" in 1..;
        /// As `smtp_quote_rfc821_envelope`, for LMTP.
        lmtp_quote_rfc821_envelope: Bool = "yes";
        /// As `smtp_randomize_addresses`, for LMTP.
        lmtp_randomize_addresses: Bool = "yes";
        /// As `smtp_rcpt_timeout`, for LMTP.
        lmtp_rcpt_timeout: Duration = "300s" in 1..;
        /// As `smtp_reply_filter`, for LMTP.
        lmtp_reply_filter: TableList = "";
        /// As `smtp_rset_timeout`, for LMTP.
        lmtp_rset_timeout: Duration = "20s" in 1..;
        /// As `smtp_send_dummy_mail_auth`, for LMTP.
        lmtp_send_dummy_mail_auth: Bool = "no";
        /// As `smtp_send_xforward_command`, for LMTP.
        lmtp_send_xforward_command: Bool = "no";
        /// As `smtp_sender_dependent_authentication`, for LMTP.
        lmtp_sender_dependent_authentication: Bool = "no";
        /// As `smtp_skip_5xx_greeting`, for LMTP.
        lmtp_skip_5xx_greeting: Bool = "yes";
        /// As `smtp_skip_quit_response`, for LMTP.
        lmtp_skip_quit_response: Bool = "no";
        /// As `smtp_starttls_timeout`, for LMTP.
        lmtp_starttls_timeout: Duration = "300s" in 1..;
        /// As `smtp_tcp_port`, for LMTP.
        lmtp_tcp_port: Text = "24";
        /// As `smtp_xforward_timeout`, for LMTP.
        lmtp_xforward_timeout: Duration = "300s" in 1..;
    }
}
