//! Parameters: Bounce, Verp.

crate::params! {
    /// bounce(8): failure, delay and success notices.
    Bounce {
        /// Largest amount of the original message that a notice carries.
        bounce_size_limit: Size = "50000" in 1..;
        /// A file with texts for notices.
        bounce_template_file: Text = "";
        /// Who learns of returned mail.
        bounce_notice_recipient: Text = "postmaster" in 1..;
        /// Who learns of notices that could not be delivered.
        double_bounce_notice_recipient as "2bounce_notice_recipient": Text = "postmaster" in 1..;
        /// Who learns of delayed mail.
        delay_notice_recipient: Text = "postmaster" in 1..;
        /// Who learns of protocol errors and other trouble.
        error_notice_recipient: Text = "postmaster" in 1..;
        /// What the postmaster is told about.
        notify_classes: Words = "resource, software" of "bounce 2bounce data delay policy protocol resource software";
        /// Whether failure logs can be read by old releases.
        backwards_bounce_logfile_compatibility: Bool = "yes", inert;
        /// Whether notices refer to the message they are about.
        enable_threaded_bounces: Bool = "no";
        /// Whether a failed VERP message gets one notice for all recipients.
        disable_verp_bounces: Bool = "no";
    }
}

crate::params! {
    /// Recipients in sender addresses (VERP), as smtpd(8) and sendmail(1) are asked for them.
    Verp {
        /// The characters that VERP puts around a recipient.
        default_verp_delimiters: Text = "+=" in 2..=2;
        /// The characters that VERP delimiters may be.
        verp_delimiter_filter: Text = "-=+" in 1..;
    }
}
