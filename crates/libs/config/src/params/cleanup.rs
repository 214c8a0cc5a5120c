//! Parameters: Cleanup.

crate::params! {
    /// How messages are completed and looked through on their way into the queue.
    Cleanup {
        /// An address that gets a copy of all mail.
        always_bcc: Text = "";
        /// Addresses that get a copy, by sender.
        sender_bcc_maps: TableList = "";
        /// Addresses that get a copy, by recipient.
        recipient_bcc_maps: TableList = "";
        /// Whether missing headers are also added to mail of remote clients.
        always_add_missing_headers: Bool = "no";
        /// Rewriting of addresses in envelopes and headers.
        canonical_maps: TableList = "";
        /// Which addresses canonical_maps rewrites.
        canonical_classes: List = "envelope_sender, envelope_recipient, header_sender, header_recipient" in 1..;
        /// Rewriting of sender addresses.
        sender_canonical_maps: TableList = "";
        /// Which addresses sender_canonical_maps rewrites.
        sender_canonical_classes: Words = "envelope_sender, header_sender" of "envelope_sender header_sender" in 1..;
        /// Rewriting of recipient addresses.
        recipient_canonical_maps: TableList = "";
        /// Which addresses recipient_canonical_maps rewrites.
        recipient_canonical_classes: Words = "envelope_recipient, header_recipient" of "envelope_recipient header_recipient" in 1..;
        /// The domains whose subdomains are cut off addresses.
        masquerade_domains: List = "";
        /// Which addresses that is done to.
        masquerade_classes: Words = "envelope_sender, header_sender, header_recipient" of "envelope_sender envelope_recipient header_sender header_recipient";
        /// The users whose addresses are left alone.
        masquerade_exceptions: List = "";
        /// The tables whose results get the extension of the address looked up.
        propagate_unmatched_extensions: Words = "canonical, virtual" of "canonical virtual alias forward include generic";
        /// Aliases for addresses of any domain.
        virtual_alias_maps: TableList = "$virtual_maps";
        /// How many addresses one recipient may become.
        virtual_alias_expansion_limit: Int = "1000" in 1..;
        /// How deep aliases may refer to aliases.
        virtual_alias_recursion_limit: Int = "1000" in 1..;
        /// The longest address that aliases may lead to.
        virtual_alias_address_length_limit: Int = "1000" in 1..;
        /// Patterns for headers, with what to do about a match.
        header_checks: TableList = "";
        /// As header_checks, for headers that describe MIME parts.
        mime_header_checks: TableList = "$header_checks";
        /// As header_checks, for headers of attached messages.
        nested_header_checks: TableList = "$header_checks";
        /// As header_checks, for lines of the body.
        body_checks: TableList = "";
        /// How much of each part body_checks looks at.
        body_checks_size_limit: Size = "51200";
        /// How much of a header is kept.
        header_size_limit: Size = "102400" in 1..;
        /// How many words of a header with addresses are kept.
        header_address_token_limit: Int = "10240" in 1..;
        /// How a From header that is added shows the full name.
        header_from_format: Text = "standard" in 1..;
        /// The character set of full names that need encoding.
        full_name_encoding_charset: Text = "utf-8";
        /// How much of a MIME boundary is compared.
        mime_boundary_length_limit: Int = "2048" in 1..;
        /// How deep MIME parts may be nested.
        mime_nesting_limit: Int = "100" in 1..;
        /// Whether the MIME structure of received mail is ignored.
        disable_mime_input_processing: Bool = "no";
        /// Whether the body's encoding is taken from its headers.
        detect_8bit_encoding_header: Bool = "yes";
        /// Whether 8-bit content is converted to 7-bit when it is received.
        force_mime_input_conversion: Bool = "no";
        /// Whether headers with 8-bit text are refused.
        strict_7bit_headers: Bool = "no";
        /// Whether 8-bit text in headers and in undeclared bodies is refused.
        strict_8bitmime: Bool = "no";
        /// Whether 8-bit text in undeclared bodies is refused.
        strict_8bitmime_body: Bool = "no";
        /// Whether invalid encodings of compound MIME parts are refused.
        strict_mime_encoding_domain: Bool = "no";
        /// Whether a lone CR or LF in a line becomes a space.
        cleanup_replace_stray_cr_lf: Bool = "yes";
        /// Headers that are removed.
        message_drop_headers: List = "bcc, content-length, resent-bcc, return-path";
        /// Characters that a message must not contain.
        message_reject_characters: Text = "";
        /// Characters that are removed from a message.
        message_strip_characters: Text = "";
        /// The header that mail without any recipient header gets.
        undisclosed_recipients_header: Text = "";
        /// How many recipients are remembered in order to find duplicates.
        duplicate_filter_limit: Int = "1000";
        /// How many Received headers mean that mail goes in a circle.
        hopcount_limit: Int = "50" in 1..;
        /// Which notices of our own go through content filters.
        internal_mail_filter_classes: Words = "" of "bounce notify";
        /// Which parts of processing a service leaves out.
        receive_override_options: Words = "" of "no_address_mappings no_header_body_checks no_milters no_unknown_recipient_checks";
        /// What to do about headers that do not end with an empty line.
        non_empty_end_of_header_action: Text = "fix_quietly";
        /// Whether the header TLS-Required: no is heeded.
        tls_required_enable: Bool = "yes";
        /// Whether REQUIRETLS is offered and heeded: who asks for it has the message sent over verified TLS only.
        requiretls_enable: Bool = "yes";
        /// Whether a header Require-TLS-ESMTP asks for the same, and tells filters of it.
        requiretls_esmtp_header: Bool = "yes";
        /// Whether notices about such mail leave out its content, and go without REQUIRETLS.
        requiretls_redact_dsn: Bool = "yes";
        /// A filter that all mail is sent through, as transport:nexthop.
        content_filter: Text = "";
    }
}
