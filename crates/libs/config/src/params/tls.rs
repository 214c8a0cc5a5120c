//! Parameters: Tls.

crate::params! {
    /// TLS in general.
    Tls {
        /// Whether the system's authorities are trusted too.
        tls_append_default_CA: Bool = "no";
        /// The configuration file of the TLS library.
        tls_config_file: Text = "default", inert;
        /// The section of that file.
        tls_config_name: Text = "", inert;
        /// How much randomness a daemon asks for.
        tls_daemon_random_bytes: Int = "32" in 1.., inert;
        /// Digests in TLSA records, the strongest first.
        tls_dane_digests: List = "sha512 sha256" in 1..;
        /// Workarounds of the TLS library that are switched off.
        tls_disable_workarounds: Text = "", inert;
        /// Elliptic curves, in order.
        tls_eecdh_auto_curves: List = "X25519 X448 prime256v1 secp384r1 secp521r1" in 1.., inert;
        /// The curve of grade strong.
        tls_eecdh_strong_curve: Text = "prime256v1" in 1.., inert;
        /// The curve of grade ultra.
        tls_eecdh_ultra_curve: Text = "secp384r1" in 1.., inert;
        /// Diffie-Hellman groups, in order.
        tls_ffdhe_auto_groups: Text = "ffdhe2048 ffdhe3072", inert;
        /// Ciphers of grade export.
        tls_export_cipherlist: Text = "", inert;
        /// Ciphers of grade low.
        tls_low_cipherlist: Text = "", inert;
        /// Ciphers of grade medium.
        tls_medium_cipherlist: Text = "\
            aNULL:-aNULL:HIGH:MEDIUM:!SEED:!IDEA:!3DES:!RC2:!RC4:!RC5:!kDH:!kECDH:!aDSS:!MD5:+RC4:@STRENGTH" in 1.., inert;
        /// Ciphers of grade high.
        tls_high_cipherlist: Text = "\
            aNULL:-aNULL:HIGH:!SEED:!IDEA:!3DES:!RC2:!RC4:!RC5:!kDH:!kECDH:!aDSS:!MD5:@STRENGTH" in 1.., inert;
        /// Ciphers that do not encrypt.
        tls_null_cipherlist: Text = "eNULL:!kDH:!kECDH:!aDSS:!MD5:!aNULL" in 1.., inert;
        /// Whether the end of a session is not waited for.
        tls_fast_shutdown_enable: Bool = "yes", inert;
        /// Whether our order of ciphers counts.
        tls_preempt_cipherlist: Bool = "no";
        /// How much randomness tlsmgr(8) asks for.
        tls_random_bytes: Int = "32" in 1.., inert;
        /// Where tlsmgr(8) keeps randomness for its next start.
        tls_random_exchange_name: Text = "${data_directory}/prng_exch", inert;
        /// How often that is written.
        tls_random_prng_update_period: Duration = "3600s" in 1.., inert;
        /// How often tlsmgr(8) asks for randomness.
        tls_random_reseed_period: Duration = "3600s" in 1.., inert;
        /// Where randomness comes from.
        tls_random_source: Text = "dev:/dev/urandom", inert;
        /// Keys and certificates, by the server name that a client asks for.
        tls_server_sni_maps: TableList = "";
        /// How session tickets are encrypted.
        tls_session_ticket_cipher: Text = "aes-256-cbc", inert;
        /// Options of the TLS library.
        tls_ssl_options: Text = "", inert;
        /// How many handshakes a second are kept for the log.
        tls_trace_rate_limit: Int = "1", inert;
        /// Whether certificates made for servers are accepted of clients.
        tls_trust_server_ccerts: Bool = "no";
        /// Whether a wildcard covers several labels.
        tls_wildcard_matches_multiple_labels: Bool = "yes";
    }
}
