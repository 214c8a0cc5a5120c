//! Parameters: Rewrite.

crate::params! {
    /// How addresses are rewritten and where mail is sent.
    Rewrite {
        /// Whether user%domain means user@domain.
        allow_percent_hack: Bool = "yes";
        /// Whether site!user means user@site.
        swap_bangpath: Bool = "yes";
        /// Whether addresses without a domain get myorigin.
        append_at_myorigin: Bool = "yes";
        /// Whether domains without a dot get mydomain.
        append_dot_mydomain: Bool = "${{$compatibility_level} <level {1} ? {yes} : {no}}";
        /// Whether routed addresses of strangers are relayed.
        allow_untrusted_routing: Bool = "no";
        /// Whether the local part is looked at without its quotes.
        resolve_dequoted_address: Bool = "yes";
        /// Whether user@ is local.
        resolve_null_domain: Bool = "no";
        /// Whether user@1.2.3.4 means user@[1.2.3.4].
        resolve_numeric_domain: Bool = "no";
        /// The clients whose headers get our domains.
        local_header_rewrite_clients: List = "permit_inet_interfaces";
        /// The domain that addresses in other clients' headers get.
        remote_header_rewrite_domain: Text = "";
        /// The transport for domains that are none of ours.
        default_transport: Text = "smtp" in 1..;
        /// The transport for mydestination.
        local_transport: Text = "local:$myhostname" in 1..;
        /// The transport for relay_domains.
        relay_transport: Text = "relay" in 1..;
        /// The transport for virtual_mailbox_domains.
        virtual_transport: Text = "virtual" in 1..;
        /// Transports and next hops by recipient.
        transport_maps: TableList = "";
        /// The next hop for mail that goes to other sites.
        relayhost: Text = "";
        /// As relayhost, by sender.
        sender_dependent_relayhost_maps: TableList = "";
        /// As default_transport, by sender.
        sender_dependent_default_transport_maps: TableList = "";
        /// What the null sender is called in sender_dependent_relayhost_maps.
        empty_address_relayhost_maps_lookup_key: Text = "<>" in 1..;
        /// What the null sender is called in sender_dependent_default_transport_maps.
        empty_address_default_transport_maps_lookup_key: Text = "<>" in 1..;
        /// New addresses of recipients who have moved.
        relocated_maps: TableList = "";
        /// Whether results of relocated_maps are introduced with words of our own.
        relocated_prefix_enable: Bool = "yes";
        /// Whether "User unknown" names the table that was asked.
        show_user_unknown_table_name: Bool = "yes";
        /// The next hop of a filter that names none.
        default_filter_nexthop: Text = "";
        /// The recipients that exist in relay_domains.
        relay_recipient_maps: TableList = "";
        /// The mailboxes that exist in virtual_mailbox_domains.
        virtual_mailbox_maps: TableList = "";
        /// Whether recipients may begin with a minus sign.
        allow_min_user: Bool = "no";
    }
}
