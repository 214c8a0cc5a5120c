//! Parameters: Tlsproxy, TlsproxyTls, TlsproxyClient.

crate::params! {
    /// tlsproxy(8): TLS for other programs.
    Tlsproxy {
        /// How long tlsproxy(8) may be stuck before it is ended.
        tlsproxy_watchdog_timeout: Duration = "10s" in 10..;
        /// As smtpd_use_tls, for tlsproxy(8).
        tlsproxy_use_tls: Bool = "$smtpd_use_tls";
        /// As smtpd_enforce_tls, for tlsproxy(8).
        tlsproxy_enforce_tls: Bool = "$smtpd_enforce_tls";
    }
}

crate::params! {
    /// tlsproxy(8): TLS as a server.
    TlsproxyTls {
        /// As `smtpd_tls_CAfile`, for tlsproxy(8).
        tlsproxy_tls_CAfile: Text = "$smtpd_tls_CAfile";
        /// As `smtpd_tls_CApath`, for tlsproxy(8).
        tlsproxy_tls_CApath: Text = "$smtpd_tls_CApath";
        /// As `smtpd_tls_always_issue_session_ids`, for tlsproxy(8).
        tlsproxy_tls_always_issue_session_ids: Bool = "$smtpd_tls_always_issue_session_ids", inert;
        /// As `smtpd_tls_ask_ccert`, for tlsproxy(8).
        tlsproxy_tls_ask_ccert: Bool = "$smtpd_tls_ask_ccert";
        /// As `smtpd_tls_ccert_verifydepth`, for tlsproxy(8).
        tlsproxy_tls_ccert_verifydepth: Int = "$smtpd_tls_ccert_verifydepth";
        /// As `smtpd_tls_cert_file`, for tlsproxy(8).
        tlsproxy_tls_cert_file: Text = "$smtpd_tls_cert_file";
        /// As `smtpd_tls_chain_files`, for tlsproxy(8).
        tlsproxy_tls_chain_files: List = "$smtpd_tls_chain_files";
        /// As `smtpd_tls_ciphers`, for tlsproxy(8).
        tlsproxy_tls_ciphers: Text = "$smtpd_tls_ciphers" in 1.., inert;
        /// As `smtpd_tls_dcert_file`, for tlsproxy(8).
        tlsproxy_tls_dcert_file: Text = "$smtpd_tls_dcert_file", inert;
        /// As `smtpd_tls_dh1024_param_file`, for tlsproxy(8).
        tlsproxy_tls_dh1024_param_file: Text = "$smtpd_tls_dh1024_param_file", inert;
        /// As `smtpd_tls_dh512_param_file`, for tlsproxy(8).
        tlsproxy_tls_dh512_param_file: Text = "$smtpd_tls_dh512_param_file", inert;
        /// As `smtpd_tls_dkey_file`, for tlsproxy(8).
        tlsproxy_tls_dkey_file: Text = "$smtpd_tls_dkey_file", inert;
        /// As `smtpd_tls_eccert_file`, for tlsproxy(8).
        tlsproxy_tls_eccert_file: Text = "$smtpd_tls_eccert_file";
        /// As `smtpd_tls_eckey_file`, for tlsproxy(8).
        tlsproxy_tls_eckey_file: Text = "$smtpd_tls_eckey_file";
        /// As `smtpd_tls_eecdh_grade`, for tlsproxy(8).
        tlsproxy_tls_eecdh_grade: Text = "$smtpd_tls_eecdh_grade" in 1.., inert;
        /// As `smtpd_tls_enable_rpk`, for tlsproxy(8).
        tlsproxy_tls_enable_rpk: Bool = "$smtpd_tls_enable_rpk", inert;
        /// As `smtpd_tls_exclude_ciphers`, for tlsproxy(8).
        tlsproxy_tls_exclude_ciphers: List = "$smtpd_tls_exclude_ciphers";
        /// As `smtpd_tls_fingerprint_digest`, for tlsproxy(8).
        tlsproxy_tls_fingerprint_digest: Text = "$smtpd_tls_fingerprint_digest" in 1.., inert;
        /// As `smtpd_tls_key_file`, for tlsproxy(8).
        tlsproxy_tls_key_file: Text = "$smtpd_tls_key_file";
        /// As `smtpd_tls_loglevel`, for tlsproxy(8).
        tlsproxy_tls_loglevel: Text = "$smtpd_tls_loglevel";
        /// As `smtpd_tls_mandatory_ciphers`, for tlsproxy(8).
        tlsproxy_tls_mandatory_ciphers: Text = "$smtpd_tls_mandatory_ciphers" in 1.., inert;
        /// As `smtpd_tls_mandatory_exclude_ciphers`, for tlsproxy(8).
        tlsproxy_tls_mandatory_exclude_ciphers: List = "$smtpd_tls_mandatory_exclude_ciphers";
        /// As `smtpd_tls_mandatory_protocols`, for tlsproxy(8).
        tlsproxy_tls_mandatory_protocols: List = "$smtpd_tls_mandatory_protocols";
        /// As `smtpd_tls_protocols`, for tlsproxy(8).
        tlsproxy_tls_protocols: List = "$smtpd_tls_protocols";
        /// As `smtpd_tls_req_ccert`, for tlsproxy(8).
        tlsproxy_tls_req_ccert: Bool = "$smtpd_tls_req_ccert";
        /// As `smtpd_tls_security_level`, for tlsproxy(8).
        tlsproxy_tls_security_level: Text = "$smtpd_tls_security_level";
    }
}

crate::params! {
    /// tlsproxy(8): TLS as a client.
    TlsproxyClient {
        /// As `smtp_tls_CAfile`, for tlsproxy(8).
        tlsproxy_client_CAfile: Text = "$smtp_tls_CAfile", inert;
        /// As `smtp_tls_CApath`, for tlsproxy(8).
        tlsproxy_client_CApath: Text = "$smtp_tls_CApath", inert;
        /// As `smtp_tls_cert_file`, for tlsproxy(8).
        tlsproxy_client_cert_file: Text = "$smtp_tls_cert_file", inert;
        /// As `smtp_tls_chain_files`, for tlsproxy(8).
        tlsproxy_client_chain_files: List = "$smtp_tls_chain_files", inert;
        /// As `smtp_tls_dcert_file`, for tlsproxy(8).
        tlsproxy_client_dcert_file: Text = "$smtp_tls_dcert_file", inert;
        /// As `smtp_tls_dkey_file`, for tlsproxy(8).
        tlsproxy_client_dkey_file: Text = "$smtp_tls_dkey_file", inert;
        /// As `smtp_tls_eccert_file`, for tlsproxy(8).
        tlsproxy_client_eccert_file: Text = "$smtp_tls_eccert_file", inert;
        /// As `smtp_tls_eckey_file`, for tlsproxy(8).
        tlsproxy_client_eckey_file: Text = "$smtp_tls_eckey_file", inert;
        /// As `smtp_enforce_tls`, for tlsproxy(8).
        tlsproxy_client_enforce_tls: Bool = "$smtp_enforce_tls", inert;
        /// As `smtp_tls_fingerprint_digest`, for tlsproxy(8).
        tlsproxy_client_fingerprint_digest: Text = "$smtp_tls_fingerprint_digest" in 1.., inert;
        /// As `smtp_tls_key_file`, for tlsproxy(8).
        tlsproxy_client_key_file: Text = "$smtp_tls_key_file", inert;
        /// As `smtp_tls_loglevel`, for tlsproxy(8).
        tlsproxy_client_loglevel: Text = "$smtp_tls_loglevel", inert;
        /// As `smtp_tls_per_site`, for tlsproxy(8).
        tlsproxy_client_per_site: Text = "$smtp_tls_per_site", inert;
        /// As `smtp_tls_policy_maps`, for tlsproxy(8).
        tlsproxy_client_policy_maps: TableList = "${tlsproxy_client_policy?{$tlsproxy_client_policy}:{$smtp_tls_policy_maps}}", inert;
        /// As `smtp_tls_scert_verifydepth`, for tlsproxy(8).
        tlsproxy_client_scert_verifydepth: Int = "$smtp_tls_scert_verifydepth", inert;
        /// As `smtp_tls_security_level`, for tlsproxy(8).
        tlsproxy_client_security_level: Text = "${tlsproxy_client_level?{$tlsproxy_client_level}:{$smtp_tls_security_level}}", inert;
        /// As `smtp_use_tls`, for tlsproxy(8).
        tlsproxy_client_use_tls: Bool = "$smtp_use_tls", inert;
    }
}
