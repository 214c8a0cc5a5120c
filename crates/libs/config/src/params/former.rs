//! Parameters: Former.

crate::params! {
    /// Names of earlier releases that still count where they are set.
    Former {
        /// A former name, which another parameter's default refers to.
        authorized_verp_clients: Text = "", hidden;
        /// A former name, which another parameter's default refers to.
        enable_errors_to: Text = "", hidden;
        /// A former name, which another parameter's default refers to.
        extract_recipient_limit: Text = "", hidden;
        /// A former name, which another parameter's default refers to.
        fallback_relay: Text = "", hidden;
        /// A former name, which another parameter's default refers to.
        lmtp_cache_connection: Text = "", hidden;
        /// A former name, which another parameter's default refers to.
        lmtp_per_record_deadline: Text = "", hidden;
        /// A former name, which another parameter's default refers to.
        postscreen_blacklist_action: Text = "", hidden;
        /// A former name, which another parameter's default refers to.
        postscreen_dnsbl_ttl: Text = "", hidden;
        /// A former name, which another parameter's default refers to.
        postscreen_dnsbl_whitelist_threshold: Text = "", hidden;
        /// A former name, which another parameter's default refers to.
        postscreen_whitelist_interfaces: Text = "", hidden;
        /// A former name, which another parameter's default refers to.
        sender_based_routing: Text = "", hidden;
        /// A former name, which another parameter's default refers to.
        smtp_per_record_deadline: Text = "", hidden;
        /// A former name, which another parameter's default refers to.
        smtp_skip_4xx_greeting: Text = "", hidden;
        /// A former name, which another parameter's default refers to.
        smtp_tls_cipherlist: Text = "", hidden;
        /// A former name, which another parameter's default refers to.
        smtpd_client_connection_limit_exceptions: Text = "", hidden;
        /// A former name, which another parameter's default refers to.
        smtpd_per_record_deadline: Text = "", hidden;
        /// A former name, which another parameter's default refers to.
        smtpd_sasl_application_name: Text = "", hidden;
        /// A former name, which another parameter's default refers to.
        smtpd_tls_cipherlist: Text = "", hidden;
        /// A former name, which another parameter's default refers to.
        tls_dane_digest_agility: Text = "", hidden;
        /// A former name, which another parameter's default refers to.
        tls_dane_trust_anchor_digest_enable: Text = "", hidden;
        /// A former name, which another parameter's default refers to.
        tls_legacy_public_key_fingerprints: Text = "", hidden;
        /// A former name, which another parameter's default refers to.
        tlsproxy_client_level: Text = "", hidden;
        /// A former name, which another parameter's default refers to.
        tlsproxy_client_loglevel_parameter: Text = "", hidden;
        /// A former name, which another parameter's default refers to.
        tlsproxy_client_policy: Text = "", hidden;
        /// A former name, which another parameter's default refers to.
        tlsproxy_tls_session_cache_timeout: Text = "", hidden;
        /// A former name, which another parameter's default refers to.
        virtual_maps: Text = "", hidden;
    }
}
