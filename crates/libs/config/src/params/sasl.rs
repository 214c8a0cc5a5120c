//! Parameters: SmtpdSasl, SmtpSasl, LmtpSasl.

crate::params! {
    /// smtpd(8): authentication.
    SmtpdSasl {
        /// The kind of SASL server.
        smtpd_sasl_type: Text = "cyrus" in 1..;
        /// Where that server is found.
        smtpd_sasl_path: Text = "smtpd" in 1..;
        /// The service name that it is told.
        smtpd_sasl_service: Text = "smtp" in 1..;
        /// The realm of users without one.
        smtpd_sasl_local_domain: Text = "", inert;
        /// Mechanisms that are not offered without TLS.
        smtpd_sasl_security_options: List = "noanonymous";
        /// Mechanisms that are not offered with TLS.
        smtpd_sasl_tls_security_options: List = "$smtpd_sasl_security_options";
        /// Which mechanisms are offered.
        smtpd_sasl_mechanism_filter: List = "!external, static:rest";
        /// Clients that authentication is not offered to.
        smtpd_sasl_exceptions_networks: List = "";
        /// Whether Received names the user.
        smtpd_sasl_authenticated_header: Bool = "no";
        /// The longest line of a client's answer.
        smtpd_sasl_response_limit: Int = "12288" in 12288..;
        /// Whether AUTH= is offered for some old clients.
        broken_sasl_auth_clients: Bool = "no";
        /// Where Cyrus-style configuration files are.
        cyrus_sasl_config_path: List = "", inert;
    }
}

crate::params! {
    /// smtp(8): authentication. LMTP reads the same rows under their lmtp_ names.
    SmtpSasl {
        /// Whether we authenticate to servers.
        smtp_sasl_auth_enable: Bool = "no";
        /// A table that remembers failed passwords.
        smtp_sasl_auth_cache_name: TableList = "";
        /// How long they are remembered.
        smtp_sasl_auth_cache_time: Duration = "90d";
        /// Whether mail waits when a server refuses our password.
        smtp_sasl_auth_soft_bounce: Bool = "yes";
        /// Which mechanisms are used.
        smtp_sasl_mechanism_filter: List = "";
        /// User names and passwords, by server.
        smtp_sasl_password_maps: TableList = "";
        /// What separates them.
        smtp_sasl_password_result_delimiter: Text = ":";
        /// Where the implementation finds its settings.
        smtp_sasl_path: Text = "", inert;
        /// Mechanisms that are not used without TLS.
        smtp_sasl_security_options: List = "noplaintext, noanonymous";
        /// Mechanisms that are not used with TLS.
        smtp_sasl_tls_security_options: List = "$smtp_sasl_security_options";
        /// Mechanisms that are not used with servers whose certificate is trusted.
        smtp_sasl_tls_verified_security_options: List = "$smtp_sasl_tls_security_options";
        /// The kind of SASL client.
        smtp_sasl_type: Text = "cyrus" in 1.., inert;
        /// Whether the user's name is sent as authorization identity as well.
        send_cyrus_sasl_authzid: Bool = "no";
    }
}

crate::params! {
    /// lmtp(8): authentication. The fields that lmtp(8) uses are those of `SmtpSasl`.
    LmtpSasl {
        /// As `smtp_sasl_auth_cache_name`, for LMTP.
        lmtp_sasl_auth_cache_name: TableList = "";
        /// As `smtp_sasl_auth_cache_time`, for LMTP.
        lmtp_sasl_auth_cache_time: Duration = "90d";
        /// As `smtp_sasl_auth_enable`, for LMTP.
        lmtp_sasl_auth_enable: Bool = "no";
        /// As `smtp_sasl_auth_soft_bounce`, for LMTP.
        lmtp_sasl_auth_soft_bounce: Bool = "yes";
        /// As `smtp_sasl_mechanism_filter`, for LMTP.
        lmtp_sasl_mechanism_filter: List = "";
        /// As `smtp_sasl_password_maps`, for LMTP.
        lmtp_sasl_password_maps: TableList = "";
        /// As `smtp_sasl_password_result_delimiter`, for LMTP.
        lmtp_sasl_password_result_delimiter: Text = ":";
        /// As `smtp_sasl_path`, for LMTP.
        lmtp_sasl_path: Text = "", inert;
        /// As `smtp_sasl_security_options`, for LMTP.
        lmtp_sasl_security_options: List = "noplaintext, noanonymous";
        /// As `smtp_sasl_tls_security_options`, for LMTP.
        lmtp_sasl_tls_security_options: List = "$lmtp_sasl_security_options";
        /// As `smtp_sasl_tls_verified_security_options`, for LMTP.
        lmtp_sasl_tls_verified_security_options: List = "$lmtp_sasl_tls_security_options";
        /// As `smtp_sasl_type`, for LMTP.
        lmtp_sasl_type: Text = "cyrus" in 1.., inert;
    }
}
