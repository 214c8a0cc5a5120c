//! Parameters: Milter.

crate::params! {
    /// Milters: filters that speak Sendmail's protocol.
    Milter {
        /// Milters for mail that does not come by SMTP.
        non_smtpd_milters: List = "";
        /// How long to wait for a milter's answer to a command.
        milter_command_timeout: Duration = "30s" in 1..;
        /// How long to wait for a milter at all.
        milter_connect_timeout: Duration = "30s" in 1..;
        /// How long to wait for a milter's verdict on the content.
        milter_content_timeout: Duration = "300s" in 1..;
        /// What to do when a milter fails.
        milter_default_action: Text = "shutdown" in 1..;
        /// Patterns for headers that milters add.
        milter_header_checks: TableList = "";
        /// The version of the protocol, and its variants.
        milter_protocol: Text = "6" in 1..;
        /// The value of {daemon_name}.
        milter_macro_daemon_name: Text = "$myhostname" in 1..;
        /// The value of v.
        milter_macro_v: Text = "$mail_name $mail_version" in 1..;
        /// Values of macros that have none.
        milter_macro_defaults: List = "";
        /// Macros sent when a client connects.
        milter_connect_macros: List = "j {daemon_name} {daemon_addr} v _";
        /// Macros sent at HELO.
        milter_helo_macros: List = "{tls_version} {cipher} {cipher_bits} {cert_subject} {cert_issuer}";
        /// Macros sent at MAIL.
        milter_mail_macros: List = "i {auth_type} {auth_authen} {auth_author} {mail_addr} {mail_host} {mail_mailer}";
        /// Macros sent at RCPT.
        milter_rcpt_macros: List = "i {rcpt_addr} {rcpt_host} {rcpt_mailer}";
        /// Macros sent at DATA.
        milter_data_macros: List = "i";
        /// Macros sent behind the headers.
        milter_end_of_header_macros: List = "i";
        /// Macros sent behind the content.
        milter_end_of_data_macros: List = "i";
        /// Macros sent with an unknown command.
        milter_unknown_command_macros: List = "";
    }
}
