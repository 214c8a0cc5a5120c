//! Parameters: SmtpTls.

crate::params! {
    /// smtp(8): TLS. LMTP reads the same rows under their lmtp_ names.
    SmtpTls {
        /// How much TLS is wanted.
        smtp_tls_security_level: Text = "${{$compatibility_level} <level {3.11} ? {} : {may}}";
        /// The same and more, by next hop.
        smtp_tls_policy_maps: TableList = "";
        /// A former way to say so, by next hop and by server; not asked where there are policies.
        smtp_tls_per_site: TableList = "";
        /// A former way to ask for TLS.
        smtp_use_tls: Bool = "no";
        /// A former way to demand TLS.
        smtp_enforce_tls: Bool = "no";
        /// Whether, in that way, the name in the certificate must be right.
        smtp_tls_enforce_peername: Bool = "yes";
        /// Whether TLS begins at once, without STARTTLS.
        smtp_tls_wrappermode: Bool = "no";
        /// Certificates of authorities that are trusted.
        smtp_tls_CAfile: Text = "";
        /// A directory of such certificates.
        smtp_tls_CApath: Text = "";
        /// Certificates or keys to trust instead of all authorities.
        smtp_tls_trust_anchor_file: Text = "";
        /// Our certificate.
        smtp_tls_cert_file: Text = "";
        /// The key of that certificate.
        smtp_tls_key_file: Text = "$smtp_tls_cert_file";
        /// Our DSA certificate.
        smtp_tls_dcert_file: Text = "", inert;
        /// The key of that certificate.
        smtp_tls_dkey_file: Text = "$smtp_tls_dcert_file", inert;
        /// Our ECDSA certificate.
        smtp_tls_eccert_file: Text = "";
        /// The key of that certificate.
        smtp_tls_eckey_file: Text = "$smtp_tls_eccert_file";
        /// Files with keys and certificates, instead of the above.
        smtp_tls_chain_files: List = "";
        /// How strong ciphers must be where TLS is not demanded.
        smtp_tls_ciphers: Text = "medium" in 1.., inert;
        /// How strong ciphers must be where TLS is demanded.
        smtp_tls_mandatory_ciphers: Text = "medium" in 1.., inert;
        /// Ciphers that are not used.
        smtp_tls_exclude_ciphers: List = "";
        /// Ciphers that are not used where TLS is demanded.
        smtp_tls_mandatory_exclude_ciphers: List = "";
        /// TLS versions where TLS is not demanded.
        smtp_tls_protocols: List = ">=TLSv1";
        /// TLS versions where TLS is demanded.
        smtp_tls_mandatory_protocols: List = ">=TLSv1";
        /// How fingerprints are made.
        smtp_tls_fingerprint_digest: Text = "${{$compatibility_level} <level {3.6} ? {md5} : {sha256}}" in 1..;
        /// Fingerprints that servers may have.
        smtp_tls_fingerprint_cert_match: List = "";
        /// What the name in a certificate must be, at level verify.
        smtp_tls_verify_cert_match: List = "hostname" in 1..;
        /// What the name in a certificate must be, at level secure.
        smtp_tls_secure_cert_match: List = "nexthop, dot-nexthop" in 1..;
        /// How long a chain of certificates may be.
        smtp_tls_scert_verifydepth: Int = "9";
        /// The server name that is sent in the handshake.
        smtp_tls_servername: Text = "";
        /// Where sessions are kept.
        smtp_tls_session_cache_database: TableList = "", inert;
        /// How long they are kept.
        smtp_tls_session_cache_timeout: Duration = "3600s" in 0..=8640000, inert;
        /// How much is logged about TLS.
        smtp_tls_loglevel: Text = "0";
        /// The same, by next hop, host name or address of the server.
        smtp_tls_loglevel_maps: TableList = "";
        /// Whether it is logged that a server offers TLS that is not used.
        smtp_tls_note_starttls_offer: Bool = "no";
        /// Whether mail waits where replies come before commands within TLS (CVE-2009-3555).
        smtp_tls_block_early_mail_reply: Bool = "no";
        /// Whether TLS connections are kept for more deliveries.
        smtp_tls_connection_reuse: Bool = "no";
        /// What holds for hosts with DANE whose MX record is not signed.
        smtp_tls_dane_insecure_mx_policy: Text = "dane";
        /// Whether TLSA records are looked up for hosts that are not signed.
        smtp_tls_force_insecure_host_tlsa_lookup: Bool = "no";
        /// Whether servers may use a key without a certificate.
        smtp_tls_enable_rpk: Bool = "no", inert;
        /// Whether server names must be among those of an MTA-STS policy.
        smtp_tls_enforce_sts_mx_patterns: Bool = "yes";
        /// How much of a handshake is kept for the log.
        smtp_tls_trace_size_limit: Size = "102400", inert;
        /// Whether deliveries are logged with how TLS was used.
        smtp_log_tls_feature_status: Bool = "${{$compatibility_level} <level {3.11} ? {no} : {yes}}";
        /// How REQUIRETLS is kept, by next hop.
        smtp_requiretls_policy: TableList = "\
            inline:{{${domain_to_ascii{$mydomain}}=opportunistic}, \
            {.${domain_to_ascii{$mydomain}}=opportunistic}, {localhost=opportunistic}}, cidr:{{0.0.0.0/0 \
            opportunistic}, {::/0 opportunistic}}, enforce";
        /// Whether results of handshakes are reported.
        smtp_tlsrpt_enable: Bool = "no";
        /// The socket of the collector of such reports.
        smtp_tlsrpt_socket_name: Text = "";
        /// Whether handshakes of resumed sessions are not reported.
        smtp_tlsrpt_skip_reused_handshakes: Bool = "no";
    }
}
