//! Parameters: SmtpdTls.

crate::params! {
    /// smtpd(8): TLS. tlsproxy(8) and postscreen(8) read the same rows under their own names.
    SmtpdTls {
        /// How much TLS is wanted.
        smtpd_tls_security_level: Text = "";
        /// A former way to offer TLS.
        smtpd_use_tls: Bool = "no";
        /// A former way to demand TLS.
        smtpd_enforce_tls: Bool = "no";
        /// Whether TLS begins at once, without STARTTLS.
        smtpd_tls_wrappermode: Bool = "no";
        /// Certificates of authorities that are trusted about clients.
        smtpd_tls_CAfile: Text = "";
        /// A directory of such certificates.
        smtpd_tls_CApath: Text = "";
        /// Whether sessions get an ID even when they are not kept.
        smtpd_tls_always_issue_session_ids: Bool = "yes", inert;
        /// Whether clients are asked for a certificate.
        smtpd_tls_ask_ccert: Bool = "no";
        /// Whether clients must have a trusted certificate.
        smtpd_tls_req_ccert: Bool = "no";
        /// How long a chain of client certificates may be.
        smtpd_tls_ccert_verifydepth: Int = "9";
        /// Our certificate.
        smtpd_tls_cert_file: Text = "";
        /// The key of that certificate.
        smtpd_tls_key_file: Text = "$smtpd_tls_cert_file";
        /// Our DSA certificate.
        smtpd_tls_dcert_file: Text = "", inert;
        /// The key of that certificate.
        smtpd_tls_dkey_file: Text = "$smtpd_tls_dcert_file", inert;
        /// Our ECDSA certificate.
        smtpd_tls_eccert_file: Text = "";
        /// The key of that certificate.
        smtpd_tls_eckey_file: Text = "$smtpd_tls_eccert_file";
        /// Files with keys and certificates, instead of the above.
        smtpd_tls_chain_files: List = "";
        /// How strong ciphers must be where TLS is not demanded.
        smtpd_tls_ciphers: Text = "medium" in 1.., inert;
        /// How strong ciphers must be where TLS is demanded.
        smtpd_tls_mandatory_ciphers: Text = "medium" in 1.., inert;
        /// Ciphers that are not used.
        smtpd_tls_exclude_ciphers: List = "";
        /// Ciphers that are not used where TLS is demanded.
        smtpd_tls_mandatory_exclude_ciphers: List = "";
        /// TLS versions where TLS is not demanded.
        smtpd_tls_protocols: List = ">=TLSv1";
        /// TLS versions where TLS is demanded.
        smtpd_tls_mandatory_protocols: List = ">=TLSv1";
        /// Parameters of Diffie-Hellman groups.
        smtpd_tls_dh1024_param_file: Text = "", inert;
        /// Parameters of groups for weak ciphers.
        smtpd_tls_dh512_param_file: Text = "", inert;
        /// Which elliptic curves are used.
        smtpd_tls_eecdh_grade: Text = "auto" in 1.., inert;
        /// How fingerprints are made.
        smtpd_tls_fingerprint_digest: Text = "${{$compatibility_level} <level {3.6} ? {md5} : {sha256}}" in 1..;
        /// Where sessions are kept.
        smtpd_tls_session_cache_database: TableList = "", inert;
        /// How long they are kept.
        smtpd_tls_session_cache_timeout: Duration = "3600s" in 0..=8640000;
        /// How much is logged about TLS.
        smtpd_tls_loglevel: Text = "0";
        /// The same, by name or address of the client; `.domain` stands for the names below it.
        smtpd_tls_loglevel_maps: TableList = "";
        /// Whether keys without a certificate are used.
        smtpd_tls_enable_rpk: Bool = "no", inert;
        /// How much of a handshake is kept for the log.
        smtpd_tls_trace_size_limit: Size = "102400", inert;
        /// Fingerprints of certificates whose clients may relay.
        relay_clientcerts: TableList = "";
    }
}
