//! Parameters: Identity, Networks.

crate::params! {
    /// Who this mail system is, which addresses it serves, and what its programs are called.
    Identity {
        /// The full name of this host, as other parameters and the protocols use it.
        myhostname: Host = "localhost.localdomain" in 1..;
        /// The domain of this host: its name without the first label.
        mydomain: Host = "localdomain" in 1..;
        /// The domain that addresses without one get, a name or a file that holds it.
        myorigin: Text = "$myhostname" in 1..;
        /// The domains that are delivered on this host.
        mydestination: List = "$myhostname, localhost.$mydomain, localhost";
        /// The addresses on which mail is received.
        inet_interfaces: List = "all";
        /// The versions of the Internet protocol in use.
        inet_protocols: List = "all";
        /// Addresses at which mail also reaches this host, through a proxy or address translation.
        proxy_interfaces: List = "";
        /// The domains that mail is relayed to.
        relay_domains: List = "${{$compatibility_level} <level {2} ? {$mydestination} : {}}";
        /// The recipients that exist in the domains of mydestination.
        local_recipient_maps: TableList = "proxy:unix:passwd.byname $alias_maps";
        /// The domains all of whose addresses are aliases.
        virtual_alias_domains: List = "$virtual_alias_maps";
        /// The domains delivered by virtual_transport.
        virtual_mailbox_domains: List = "$virtual_mailbox_maps";
        /// The characters that may separate a user name from its extension.
        recipient_delimiter: Text = "";
        /// The parameters in which example.com also matches its subdomains.
        parent_domain_matches_subdomains: List = "\
            debug_peer_list,fast_flush_domains,mynetworks,permit_mx_backup_networks,qmqpd_authorized_clients,relay_domains,smtpd_access_maps";
        /// The name of the mail system in banners and headers.
        mail_name: Text = "Postern" in 1..;
        /// The release whose behaviour this is, and our own version.
        mail_version: Text = "3.12.0-postern-0.1.0" in 1..;
        /// The day of that release.
        mail_release_date: Text = "20261121" in 1.., inert;
        /// What the names of programs in the log begin with.
        syslog_name: Text = "${multi_instance_name?{$multi_instance_name}:{postfix}}" in 1..;
        /// The syslog facility.
        syslog_facility: Text = "mail" in 1..;
        /// The name of the running program.
        process_name: Text = "";
        /// The process number of the running program.
        process_id: Text = "0";
        /// The name of the running service in master.cf.
        service_name: Text = "";
        /// The release whose defaults this configuration was written for.
        compatibility_level: Text = "0";
        /// Whether addresses and headers may contain UTF-8.
        smtputf8_enable: Bool = "${{$compatibility_level} <level {1} ? {no} : {yes}}";
        /// Whether UTF-8 is refused unless the client asked for SMTPUTF8.
        strict_smtputf8: Bool = "no";
        /// The kinds of mail that are looked through for need of SMTPUTF8.
        smtputf8_autodetect_classes: Words = "sendmail, verify" of "sendmail smtpd qmqpd forward bounce notify verify all" in 1..;
        /// Whether domain names are converted as in 2003 where that differs from 2008.
        enable_idna2003_compatibility: Bool = "no", inert;
        /// Whether mail that would be returned stays queued instead.
        soft_bounce: Bool = "no";
        /// The name of this instance, different from all others.
        multi_instance_name: Text = "";
        /// The group that this instance belongs to.
        multi_instance_group: Text = "";
        /// Whether this instance is started with the others.
        multi_instance_enable: Bool = "no";
        /// The configuration directories of the other instances.
        multi_instance_directories: List = "";
        /// The program that postfix(1) runs to manage several instances.
        multi_instance_wrapper: Text = "";
        /// The sender of notices whose own failure is not reported.
        double_bounce_sender: Text = "double-bounce" in 1..;
        /// Who gets mail for the null address.
        empty_address_recipient: Text = "MAILER-DAEMON" in 1..;
        /// Whether the log uses allow and deny for lists.
        respectful_logging: Bool = "${{$compatibility_level} <level {3.6} ? {no} : {yes}}";
        /// Whether addresses in the log are quoted as in headers (`external`) or not at all (`internal`).
        info_log_address_format: Text = "external" in 1..;
        /// Set by master(8) while a service is overloaded.
        stress: Text = "";
        /// The peers whose commands and replies are logged.
        debug_peer_list: List = "";
        /// How much more is logged about those peers.
        debug_peer_level: Int = "2" in 1.., inert;
        /// The command that runs beside a daemon started with -D.
        debugger_command: Text = "", inert;
    }
}

crate::params! {
    /// Who is no stranger. Apart from who this mail system is, since the default has to be asked of the kernel.
    Networks {
        /// The clients that may do more than strangers.
        mynetworks: List = "127.0.0.0/8 [::1]/128";
        /// How much around this host's own addresses the default of mynetworks covers.
        mynetworks_style: Text = "${{$compatibility_level} <level {2} ? {subnet} : {host}}" in 1..;
    }
}
