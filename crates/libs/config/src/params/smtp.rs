//! Parameters: Smtp.

crate::params! {
    /// smtp(8): sessions with other servers. LMTP reads the same rows under their lmtp_ names.
    Smtp {
        /// Which version of the Internet protocol is tried first.
        smtp_address_preference: Text = "any" in 1..;
        /// The command after which a probe of an address ends.
        smtp_address_verify_target: Text = "rcpt" in 1..;
        /// Whether EHLO is sent whatever the greeting says.
        smtp_always_send_ehlo: Bool = "yes";
        /// Whether EHLO is never sent.
        smtp_never_send_ehlo: Bool = "no";
        /// Whether the addresses tried are of both protocol versions.
        smtp_balance_inet_protocols: Bool = "yes";
        /// The local IPv4 address of connections.
        smtp_bind_address: Text = "";
        /// The local IPv6 address of connections.
        smtp_bind_address6: Text = "";
        /// Whether mail waits while that address cannot be used.
        smtp_bind_address_enforce: Bool = "no";
        /// As body_checks, when mail is sent.
        smtp_body_checks: TableList = "";
        /// As header_checks, when mail is sent.
        smtp_header_checks: TableList = "";
        /// As mime_header_checks, when mail is sent.
        smtp_mime_header_checks: TableList = "";
        /// As nested_header_checks, when mail is sent.
        smtp_nested_header_checks: TableList = "";
        /// Whether the name that an alias points to counts as the server's name.
        smtp_cname_overrides_servername: Bool = "no";
        /// How long connecting may take; 0 is what the system does.
        smtp_connect_timeout: Duration = "30s";
        /// How long to wait for the greeting and for the answer to HELO.
        smtp_helo_timeout: Duration = "300s" in 1..;
        /// How long to wait for the answer to MAIL.
        smtp_mail_timeout: Duration = "300s" in 1..;
        /// How long to wait for the answer to RCPT.
        smtp_rcpt_timeout: Duration = "300s" in 1..;
        /// How long to wait for the answer to DATA.
        smtp_data_init_timeout: Duration = "120s" in 1..;
        /// How long sending a piece of the content may take.
        smtp_data_xfer_timeout: Duration = "180s" in 1..;
        /// How long to wait for the answer to the content.
        smtp_data_done_timeout: Duration = "600s" in 1..;
        /// How long to wait for the answer to RSET.
        smtp_rset_timeout: Duration = "20s" in 1..;
        /// How long to wait for the answer to QUIT.
        smtp_quit_timeout: Duration = "300s" in 1..;
        /// How long to wait for the answer to XFORWARD.
        smtp_xforward_timeout: Duration = "300s" in 1..;
        /// How long a TLS handshake may take.
        smtp_starttls_timeout: Duration = "300s" in 1..;
        /// Whether time limits are for whole requests.
        smtp_per_request_deadline: Bool = "${smtp_per_record_deadline?{$smtp_per_record_deadline}:{no}}";
        /// How many bytes a second extend such limits.
        smtp_min_data_rate: Size = "500" in 1..;
        /// Destinations whose connections are always kept.
        smtp_connection_cache_destinations: List = "";
        /// Whether connections are kept while much mail waits.
        smtp_connection_cache_on_demand: Bool = "yes";
        /// How long a connection is kept unused.
        smtp_connection_cache_time_limit: Duration = "2s" in 1..;
        /// How many deliveries use a connection again after the first one; 0 any number.
        smtp_connection_reuse_count_limit: Int = "0";
        /// How long a connection is used at most.
        smtp_connection_reuse_time_limit: Duration = "300s" in 1..;
        /// Whether mail waits when no MX host has an address.
        smtp_defer_if_no_mx_address_found: Bool = "no";
        /// As default_delivery_status_filter, for smtp(8).
        smtp_delivery_status_filter: TableList = "$default_delivery_status_filter";
        /// EHLO words of servers that are ignored.
        smtp_discard_ehlo_keywords: List = "";
        /// The same, by server address.
        smtp_discard_ehlo_keyword_address_maps: TableList = "";
        /// Tables that change answers of the name service for smtp(8).
        smtp_dns_reply_filter: TableList = "";
        /// Which domains of resolv.conf are tried behind the names of hosts (`res_defnames`, `res_dnsrch`).
        smtp_dns_resolver_options: List = "";
        /// Whether the name service is asked, and with `dnssec` whether its validated answers are believed, which DANE needs.
        smtp_dns_support_level: Text = "";
        /// How host names are looked up.
        smtp_host_lookup: Words = "dns" of "dns native" in 1..;
        /// Where mail goes when its destination cannot be reached.
        smtp_fallback_relay: List = "$fallback_relay";
        /// Rewriting of addresses for the world outside.
        smtp_generic_maps: TableList = "";
        /// The name in HELO.
        smtp_helo_name: Text = "$myhostname" in 1..;
        /// Longest line that is sent in one piece; 0 any.
        smtp_line_length_limit: Int = "998";
        /// How many addresses of a destination are tried.
        smtp_mx_address_limit: Int = "5";
        /// How many of them may get as far as a session.
        smtp_mx_session_limit: Int = "2";
        /// What is done about certain broken firewalls.
        smtp_pix_workarounds: List = "disable_esmtp,delay_dotcrlf";
        /// The same, by server address.
        smtp_pix_workaround_maps: TableList = "";
        /// How long the end of the content is delayed for them.
        smtp_pix_workaround_delay_time: Duration = "10s" in 1..;
        /// How old mail must be for that.
        smtp_pix_workaround_threshold_time: Duration = "500s";
        /// Whether addresses in commands are quoted.
        smtp_quote_rfc821_envelope: Bool = "yes";
        /// Whether addresses of equal preference are tried in random order.
        smtp_randomize_addresses: Bool = "yes";
        /// A table that changes answers of servers.
        smtp_reply_filter: TableList = "";
        /// Whether MAIL carries an empty AUTH.
        smtp_send_dummy_mail_auth: Bool = "no";
        /// Whether servers that know XFORWARD learn of the client.
        smtp_send_xforward_command: Bool = "no";
        /// Whether a server that greets with a refusal is passed over.
        smtp_skip_5xx_greeting: Bool = "yes";
        /// Whether the answer to QUIT is not waited for.
        smtp_skip_quit_response: Bool = "yes";
        /// The port of servers.
        smtp_tcp_port: Text = "smtp";
        /// Whether the sender decides about user name and password.
        smtp_sender_dependent_authentication: Bool = "no";
        /// Whether an LMTP server without DSN is taken to deliver finally.
        lmtp_assume_final: Bool = "no";
        /// Services whose servers are found by SRV records.
        use_srv_lookup: List = "";
        /// Whether a failed SRV lookup counts as no SRV record.
        ignore_srv_lookup_error: Bool = "no";
        /// Whether MX records are asked when there is no SRV record.
        allow_srv_lookup_fallback: Bool = "no";
        /// What to do when this host is the best of its own destination.
        best_mx_transport: Text = "";
        /// Whether 8-bit content is sent as it is to servers without 8BITMIME.
        disable_mime_output_conversion: Bool = "no";
    }
}
