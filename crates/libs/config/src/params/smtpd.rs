//! Parameters: Smtpd.

crate::params! {
    /// smtpd(8): sessions.
    Smtpd {
        /// The text after the 220 of the greeting.
        smtpd_banner: Text = "$myhostname ESMTP $mail_name" in 1..;
        /// How long to wait for the client.
        smtpd_timeout: Duration = "${stress?{10}:{300}}s" in 1..;
        /// How long a TLS handshake may take.
        smtpd_starttls_timeout: Duration = "${stress?{10}:{300}}s" in 1..;
        /// Whether the time limit is for a whole request.
        smtpd_per_request_deadline: Bool = "\
            ${smtpd_per_record_deadline?{$smtpd_per_record_deadline}:{${stress?{yes}:{no}}}}";
        /// How many bytes a second extend that limit.
        smtpd_min_data_rate: Size = "500" in 1..;
        /// How many errors end a session.
        smtpd_hard_error_limit: Int = "${stress?{1}:{20}}" in 1..;
        /// How many errors slow a session down.
        smtpd_soft_error_limit: Int = "10" in 1..;
        /// How long each answer is then delayed.
        smtpd_error_sleep_time: Duration = "1s";
        /// How many commands without purpose are not counted as errors.
        smtpd_junk_command_limit: Int = "${stress?{1}:{100}}" in 1..;
        /// How many recipients a message may have.
        smtpd_recipient_limit: Int = "1000" in 1..;
        /// How many recipients more are refused without being counted as errors.
        smtpd_recipient_overshoot_limit: Int = "1000" in 1..;
        /// How many lines of a session are kept for the postmaster.
        smtpd_history_flush_threshold: Int = "100" in 1..;
        /// Whether mail needs HELO or EHLO first.
        smtpd_helo_required: Bool = "no";
        /// Whether the client's name is looked up.
        smtpd_peername_lookup: Bool = "yes";
        /// Whether the client's port is logged.
        smtpd_client_port_logging: Bool = "no";
        /// Whether the queue file is made at the first valid recipient.
        smtpd_delay_open_until_valid_rcpt: Bool = "yes";
        /// EHLO words that are not offered.
        smtpd_discard_ehlo_keywords: List = "";
        /// The same, by client address.
        smtpd_discard_ehlo_keyword_address_maps: TableList = "";
        /// A table that changes commands before they are looked at.
        smtpd_command_filter: TableList = "";
        /// Commands that end a session.
        smtpd_forbidden_commands: List = "CONNECT GET POST regexp:{{/^[^A-Z]/ Bogus}}";
        /// Whether commands sent ahead without permission end a session.
        smtpd_forbid_unauth_pipelining: Bool = "yes";
        /// What happens to lines that end without CR.
        smtpd_forbid_bare_newline: Text = "normalize" in 1..;
        /// Clients that may send such lines.
        smtpd_forbid_bare_newline_exclusions: List = "$mynetworks";
        /// The code of the answer to others.
        smtpd_forbid_bare_newline_reject_code: Int = "550" in 500..=599;
        /// Commands that are accepted and do nothing.
        smtpd_noop_commands: List = "";
        /// Whether VRFY is refused.
        disable_vrfy_command: Bool = "no";
        /// A filter that mail goes through before it is accepted.
        smtpd_proxy_filter: Text = "";
        /// The name that is told to the filter.
        smtpd_proxy_ehlo: Text = "$myhostname";
        /// How long to wait for the filter.
        smtpd_proxy_timeout: Duration = "100s" in 1..;
        /// How the filter is spoken with.
        smtpd_proxy_options: List = "";
        /// The protocol of a proxy in front of us.
        smtpd_upstream_proxy_protocol: Text = "";
        /// How long to wait for what that proxy says.
        smtpd_upstream_proxy_timeout: Duration = "5s" in 1..;
        /// Clients that may ask for VERP.
        smtpd_authorized_verp_clients: List = "$authorized_verp_clients";
        /// Clients that may use XCLIENT.
        smtpd_authorized_xclient_hosts: List = "";
        /// Clients that may use XFORWARD.
        smtpd_authorized_xforward_hosts: List = "";
        /// How many sessions a client may have at once.
        smtpd_client_connection_count_limit: Int = "50";
        /// How many sessions a client may begin in a time unit.
        smtpd_client_connection_rate_limit: Int = "0";
        /// How many messages a client may send in a time unit.
        smtpd_client_message_rate_limit: Int = "0";
        /// How many recipients a client may name in a time unit.
        smtpd_client_recipient_rate_limit: Int = "0";
        /// How many full TLS handshakes a client may make in a time unit.
        smtpd_client_new_tls_session_rate_limit: Int = "0";
        /// How often a client may authenticate in a time unit.
        smtpd_client_auth_rate_limit: Int = "0";
        /// Clients without such limits.
        smtpd_client_event_limit_exceptions: List = "${smtpd_client_connection_limit_exceptions:$mynetworks}";
        /// How many bits of an IPv4 address make a client.
        smtpd_client_ipv4_prefix_length: Int = "32";
        /// How many bits of an IPv6 address make a client.
        smtpd_client_ipv6_prefix_length: Int = "84";
        /// Text that is added to refusals.
        smtpd_reject_footer: Raw = "";
        /// The same, by refusal.
        smtpd_reject_footer_maps: TableList = "";
        /// Tables that change refusals.
        smtpd_reject_filter_maps: TableList = "";
        /// Milters for mail that comes by SMTP.
        smtpd_milters: List = "";
        /// The same, by client address.
        smtpd_milter_maps: TableList = "";
        /// Tables that change answers of the name service for smtpd(8).
        smtpd_dns_reply_filter: TableList = "";
        /// Whether clients can authenticate.
        smtpd_sasl_auth_enable: Bool = "no";
        /// Whether Received leaves out who an authenticated client is.
        smtpd_hide_client_session: Bool = "no";
        /// Whether Received tells about TLS.
        smtpd_tls_received_header: Bool = "no";
        /// Whether authentication needs TLS.
        smtpd_tls_auth_only: Bool = "no";
    }
}
