//! Parameters: LmtpTls.

crate::params! {
    /// lmtp(8): TLS. The fields that lmtp(8) uses are those of `SmtpTls`.
    LmtpTls {
        /// As `smtp_enforce_tls`, for LMTP.
        lmtp_enforce_tls: Bool = "no";
        /// As `smtp_log_tls_feature_status`, for LMTP.
        lmtp_log_tls_feature_status: Bool = "${{$compatibility_level} <level {3.11} ? {no} : {yes}}";
        /// As `smtp_requiretls_policy`, for LMTP.
        lmtp_requiretls_policy: TableList = "opportunistic";
        /// As `smtp_tls_CAfile`, for LMTP.
        lmtp_tls_CAfile: Text = "";
        /// As `smtp_tls_CApath`, for LMTP.
        lmtp_tls_CApath: Text = "";
        /// As `smtp_tls_block_early_mail_reply`, for LMTP.
        lmtp_tls_block_early_mail_reply: Bool = "no";
        /// As `smtp_tls_cert_file`, for LMTP.
        lmtp_tls_cert_file: Text = "";
        /// As `smtp_tls_chain_files`, for LMTP.
        lmtp_tls_chain_files: List = "";
        /// As `smtp_tls_ciphers`, for LMTP.
        lmtp_tls_ciphers: Text = "medium" in 1.., inert;
        /// As `smtp_tls_connection_reuse`, for LMTP.
        lmtp_tls_connection_reuse: Bool = "no";
        /// As `smtp_tls_dcert_file`, for LMTP.
        lmtp_tls_dcert_file: Text = "", inert;
        /// As `smtp_tls_dkey_file`, for LMTP.
        lmtp_tls_dkey_file: Text = "$lmtp_tls_dcert_file", inert;
        /// As `smtp_tls_eccert_file`, for LMTP.
        lmtp_tls_eccert_file: Text = "";
        /// As `smtp_tls_eckey_file`, for LMTP.
        lmtp_tls_eckey_file: Text = "$lmtp_tls_eccert_file";
        /// As `smtp_tls_enable_rpk`, for LMTP.
        lmtp_tls_enable_rpk: Bool = "no", inert;
        /// As `smtp_tls_enforce_peername`, for LMTP.
        lmtp_tls_enforce_peername: Bool = "yes";
        /// As `smtp_tls_enforce_sts_mx_patterns`, for LMTP.
        lmtp_tls_enforce_sts_mx_patterns: Bool = "yes";
        /// As `smtp_tls_exclude_ciphers`, for LMTP.
        lmtp_tls_exclude_ciphers: List = "";
        /// As `smtp_tls_fingerprint_cert_match`, for LMTP.
        lmtp_tls_fingerprint_cert_match: List = "";
        /// As `smtp_tls_fingerprint_digest`, for LMTP.
        lmtp_tls_fingerprint_digest: Text = "${{$compatibility_level} <level {3.6} ? {md5} : {sha256}}" in 1..;
        /// As `smtp_tls_force_insecure_host_tlsa_lookup`, for LMTP.
        lmtp_tls_force_insecure_host_tlsa_lookup: Bool = "no";
        /// As `smtp_tls_key_file`, for LMTP.
        lmtp_tls_key_file: Text = "$lmtp_tls_cert_file";
        /// As `smtp_tls_loglevel`, for LMTP.
        lmtp_tls_loglevel: Text = "0";
        /// As `smtp_tls_loglevel_maps`, for LMTP.
        lmtp_tls_loglevel_maps: TableList = "";
        /// As `smtp_tls_mandatory_ciphers`, for LMTP.
        lmtp_tls_mandatory_ciphers: Text = "medium" in 1.., inert;
        /// As `smtp_tls_mandatory_exclude_ciphers`, for LMTP.
        lmtp_tls_mandatory_exclude_ciphers: List = "";
        /// As `smtp_tls_mandatory_protocols`, for LMTP.
        lmtp_tls_mandatory_protocols: List = ">=TLSv1";
        /// As `smtp_tls_note_starttls_offer`, for LMTP.
        lmtp_tls_note_starttls_offer: Bool = "no";
        /// As `smtp_tls_per_site`, for LMTP.
        lmtp_tls_per_site: TableList = "";
        /// As `smtp_tls_policy_maps`, for LMTP.
        lmtp_tls_policy_maps: TableList = "";
        /// As `smtp_tls_protocols`, for LMTP.
        lmtp_tls_protocols: List = ">=TLSv1";
        /// As `smtp_tls_scert_verifydepth`, for LMTP.
        lmtp_tls_scert_verifydepth: Int = "9";
        /// As `smtp_tls_secure_cert_match`, for LMTP.
        lmtp_tls_secure_cert_match: List = "nexthop" in 1..;
        /// As `smtp_tls_security_level`, for LMTP.
        lmtp_tls_security_level: Text = "";
        /// As `smtp_tls_servername`, for LMTP.
        lmtp_tls_servername: Text = "";
        /// As `smtp_tls_session_cache_database`, for LMTP.
        lmtp_tls_session_cache_database: TableList = "", inert;
        /// As `smtp_tls_session_cache_timeout`, for LMTP.
        lmtp_tls_session_cache_timeout: Duration = "3600s" in 0..=8640000, inert;
        /// As `smtp_tls_trace_size_limit`, for LMTP.
        lmtp_tls_trace_size_limit: Size = "102400", inert;
        /// As `smtp_tls_trust_anchor_file`, for LMTP.
        lmtp_tls_trust_anchor_file: Text = "";
        /// As `smtp_tls_verify_cert_match`, for LMTP.
        lmtp_tls_verify_cert_match: List = "hostname" in 1..;
        /// As `smtp_tls_wrappermode`, for LMTP.
        lmtp_tls_wrappermode: Bool = "no";
        /// As `smtp_tlsrpt_enable`, for LMTP.
        lmtp_tlsrpt_enable: Bool = "no";
        /// As `smtp_tlsrpt_skip_reused_handshakes`, for LMTP.
        lmtp_tlsrpt_skip_reused_handshakes: Bool = "no";
        /// As `smtp_tlsrpt_socket_name`, for LMTP.
        lmtp_tlsrpt_socket_name: Text = "";
        /// As `smtp_use_tls`, for LMTP.
        lmtp_use_tls: Bool = "no";
    }
}
