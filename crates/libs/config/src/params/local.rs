//! Parameters: Local.

crate::params! {
    /// local(8): aliases, .forward files, mailboxes and commands.
    Local {
        /// Aliases of local users.
        alias_maps: TableList = "$default_database_type:/etc/aliases";
        /// Where |command may stand.
        allow_mail_to_commands: Words = "alias, forward" of "alias forward include";
        /// Where /file may stand.
        allow_mail_to_files: Words = "alias, forward" of "alias forward include";
        /// Whether users who asked for it hear of new mail.
        biff: Bool = "yes";
        /// Where commands run.
        command_execution_directory: Raw = "";
        /// Characters that expansions in mailbox_command keep.
        command_expansion_filter: Text = "1234567890!@%-_=+:,./abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ" in 1..;
        /// Characters that expansions in command_execution_directory keep.
        execution_directory_expansion_filter: Text = "1234567890!@%-_=+:,./abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ" in 1..;
        /// Whether the sender becomes what an owner alias expands to.
        expand_owner_alias: Bool = "no";
        /// The transport for users who are not found.
        fallback_transport: Text = "";
        /// As fallback_transport, by user.
        fallback_transport_maps: TableList = "";
        /// Characters that expansions in forward_path keep.
        forward_expansion_filter: Text = "1234567890!@%-_=+:,./abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ" in 1..;
        /// Where .forward files are looked for.
        forward_path: Raw = "$home/.forward${recipient_delimiter}${extension}, $home/.forward";
        /// Whether Delivered-To keeps the first address throughout a delivery.
        frozen_delivered_to: Bool = "yes";
        /// Mailbox below a home directory; with a slash at its end, a maildir.
        home_mailbox: Text = "";
        /// A shell for commands, instead of the usual one.
        local_command_shell: Text = "";
        /// As default_delivery_status_filter, for local(8).
        local_delivery_status_filter: TableList = "$default_delivery_status_filter";
        /// Where mail for unknown users goes.
        luser_relay: Raw = "";
        /// The command that delivers to mailboxes.
        mailbox_command: Raw = "";
        /// As mailbox_command, by user.
        mailbox_command_maps: TableList = "";
        /// The largest mailbox or maildir file, and the largest file that a command of `local` may write.
        mailbox_size_limit: Size = "51200000";
        /// The transport that delivers for all users.
        mailbox_transport: Text = "";
        /// As mailbox_transport, by user.
        mailbox_transport_maps: TableList = "";
        /// Whether owner-list and list-request are special.
        owner_request_special: Bool = "yes";
        /// Which deliveries get a Delivered-To header.
        prepend_delivered_header: Words = "command, file, forward" of "command file forward";
        /// Whether mail waits until the user's home directory exists.
        require_home_directory: Bool = "no";
        /// Whether the sender is reset when an alias without owner has members of its own.
        reset_owner_alias: Bool = "no";
        /// Accepted and ignored.
        sun_mailtool_compatibility: Bool = "no", inert;
    }
}
