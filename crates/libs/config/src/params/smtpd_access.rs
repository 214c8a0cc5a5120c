//! Parameters: SmtpdAccess.

crate::params! {
    /// smtpd(8): who may send what to whom.
    SmtpdAccess {
        /// Whether refusals wait for RCPT.
        smtpd_delay_reject: Bool = "yes";
        /// What is checked when a client connects.
        smtpd_client_restrictions: List = "";
        /// What is checked at HELO.
        smtpd_helo_restrictions: List = "";
        /// What is checked at MAIL.
        smtpd_sender_restrictions: List = "";
        /// What is checked at RCPT about relaying.
        smtpd_relay_restrictions: List = "\
            ${{$compatibility_level} <level {1} ? {} : {permit_mynetworks, permit_sasl_authenticated, \
            defer_unauth_destination}}";
        /// What is checked at RCPT.
        smtpd_recipient_restrictions: List = "";
        /// What is checked at DATA.
        smtpd_data_restrictions: List = "";
        /// What is checked at the end of the content.
        smtpd_end_of_data_restrictions: List = "";
        /// What is checked at ETRN.
        smtpd_etrn_restrictions: List = "";
        /// Names of lists of restrictions.
        smtpd_restriction_classes: List = "";
        /// Whether relaying is checked first.
        smtpd_relay_before_recipient_restrictions: Bool = "${{$compatibility_level} <level {3.6} ? {no} : {yes}}";
        /// What the null sender is called in access tables.
        smtpd_null_access_lookup_key: Text = "<>";
        /// Whether unknown recipients are refused.
        smtpd_reject_unlisted_recipient: Bool = "yes";
        /// Whether unknown senders of our domains are refused.
        smtpd_reject_unlisted_sender: Bool = "no";
        /// Who may use which sender address.
        smtpd_sender_login_maps: TableList = "";
        /// Which permissions are logged.
        smtpd_log_access_permit_actions: List = "";
        /// Characters that expansions in default_rbl_reply keep.
        smtpd_expansion_filter: Raw = "\
            \\t\\40!\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\\\]^_`abcdefghijklmnopqrstuvwxyz{|}~" in 1..;
        /// What a client on a block list is told.
        default_rbl_reply: Raw = "\
            $rbl_code Service unavailable; $rbl_class [$rbl_what] blocked using $rbl_domain${rbl_reason?; \
            $rbl_reason}" in 1..;
        /// The same, by list.
        rbl_reply_maps: TableList = "";
        /// Block lists of a former restriction.
        maps_rbl_domains: List = "", inert;
        /// The code of REJECT.
        access_map_reject_code: Int = "554";
        /// The code of DEFER.
        access_map_defer_code: Int = "450";
        /// The code of reject_invalid_helo_hostname.
        invalid_hostname_reject_code: Int = "501";
        /// The code of block lists.
        maps_rbl_reject_code: Int = "554";
        /// The code of reject_non_fqdn restrictions.
        non_fqdn_reject_code: Int = "504";
        /// The code of reject_plaintext_session.
        plaintext_reject_code: Int = "450";
        /// The code of reject.
        reject_code: Int = "554";
        /// The code of defer.
        defer_code: Int = "450";
        /// The code of reject_unauth_destination.
        relay_domains_reject_code: Int = "554";
        /// The code for domains that do not exist.
        unknown_address_reject_code: Int = "450";
        /// The code of reject_unknown_client_hostname.
        unknown_client_reject_code: Int = "450";
        /// The code of reject_unknown_helo_hostname.
        unknown_hostname_reject_code: Int = "450";
        /// The code for unknown recipients of mydestination.
        unknown_local_recipient_reject_code: Int = "550";
        /// The code for unknown recipients of relay_domains.
        unknown_relay_recipient_reject_code: Int = "550";
        /// The code for unknown recipients of virtual_alias_domains.
        unknown_virtual_alias_reject_code: Int = "550";
        /// The code for unknown recipients of virtual_mailbox_domains.
        unknown_virtual_mailbox_reject_code: Int = "550";
        /// The code for recipients found undeliverable.
        unverified_recipient_reject_code: Int = "450" in 200..=599;
        /// The code for recipients not yet known.
        unverified_recipient_defer_code: Int = "450" in 200..=499;
        /// What is said instead of why a recipient is undeliverable.
        unverified_recipient_reject_reason: Text = "";
        /// The code for senders found undeliverable.
        unverified_sender_reject_code: Int = "450" in 200..=599;
        /// The code for senders not yet known.
        unverified_sender_defer_code: Int = "450" in 200..=499;
        /// What is said instead of why a sender is undeliverable.
        unverified_sender_reject_reason: Text = "";
        /// The code of reject_multi_recipient_bounce.
        multi_recipient_bounce_reject_code: Int = "550";
        /// What follows from failures that pass.
        reject_tempfail_action: Text = "defer_if_permit" in 1..;
        /// The same, for looking up sender and recipient domains.
        unknown_address_tempfail_action: Text = "$reject_tempfail_action" in 1..;
        /// The same, for looking up HELO names.
        unknown_helo_hostname_tempfail_action: Text = "$reject_tempfail_action" in 1..;
        /// The same, for verifying recipients.
        unverified_recipient_tempfail_action: Text = "$reject_tempfail_action" in 1..;
        /// The same, for verifying senders.
        unverified_sender_tempfail_action: Text = "$reject_tempfail_action" in 1..;
        /// The networks of the primary hosts of domains that we are backup for.
        permit_mx_backup_networks: List = "";
        /// Whether addresses in commands must be written as the standard says.
        strict_rfc821_envelopes: Bool = "no";
        /// What is answered when a policy server cannot be asked.
        smtpd_policy_service_default_action: Text = "451 4.3.5 Server configuration problem" in 1..;
        /// How long an unused connection to a policy server is kept.
        smtpd_policy_service_max_idle: Duration = "300s" in 1..;
        /// How long any connection to a policy server is kept.
        smtpd_policy_service_max_ttl: Duration = "1000s" in 1..;
        /// A word that is told to policy servers.
        smtpd_policy_service_policy_context: Text = "";
        /// How many questions one such connection carries; 0 any number.
        smtpd_policy_service_request_limit: Int = "0";
        /// How long to wait before asking again.
        smtpd_policy_service_retry_delay: Duration = "1s" in 1..;
        /// How long to wait for a policy server.
        smtpd_policy_service_timeout: Duration = "100s" in 1..;
        /// How often to ask.
        smtpd_policy_service_try_limit: Int = "2" in 1..;
    }
}
