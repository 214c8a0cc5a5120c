//! Parameters: Layout.

crate::params! {
    /// Where files are, who owns them, and where the log goes.
    Layout {
        /// Where main.cf and master.cf are.
        config_directory: Text = "/etc/postfix" in 1..;
        /// Where mail is kept, and what daemons use as root directory.
        queue_directory: Text = "/var/spool/postfix" in 1..;
        /// Where daemons keep files of their own, such as caches.
        data_directory: Text = "/var/lib/postfix" in 1..;
        /// Where the daemons are.
        daemon_directory: Text = "/usr/libexec/postern" in 1..;
        /// Where the administrative commands are.
        command_directory: Text = "/usr/sbin" in 1..;
        /// Where files about the installation are.
        meta_directory: Text = "/etc/postfix" in 1..;
        /// Where shared libraries would be.
        shlib_directory: Text = "no" in 1..;
        /// Where sample configuration files would be.
        sample_directory: Text = "/etc/postfix" in 1..;
        /// Where the manual pages are.
        manpage_directory: Text = "/usr/local/man" in 1..;
        /// Where documentation in HTML is.
        html_directory: Text = "no" in 1..;
        /// Where documentation as text is.
        readme_directory: Text = "no" in 1..;
        /// Where the mailq command is.
        mailq_path: Text = "/usr/bin/mailq" in 1..;
        /// Where the newaliases command is.
        newaliases_path: Text = "/usr/bin/newaliases" in 1..;
        /// Where the sendmail command is.
        sendmail_path: Text = "/usr/sbin/sendmail" in 1..;
        /// The openssl command that postfix tls runs.
        openssl_path: Text = "openssl" in 1..;
        /// The user that daemons run as, and that owns the queue.
        mail_owner: Text = "postfix" in 1..;
        /// The group of the commands that submit mail.
        setgid_group: Text = "postdrop" in 1..;
        /// The user that delivers to files and commands when no other is known.
        default_privs: Text = "nobody" in 1..;
        /// Where lock files of running services are, below queue_directory.
        process_id_directory: Text = "pid" in 1..;
        /// What is taken over from the environment of who starts a program.
        import_environment: List = "\
            MAIL_CONFIG MAIL_DEBUG MAIL_LOGTAG TZ XAUTHORITY DISPLAY LANG=C POSTLOG_SERVICE \
            POSTLOG_HOSTNAME XDG_RUNTIME_DIR";
        /// What is handed on to programs that are not ours.
        export_environment: List = "TZ MAIL_CONFIG LANG";
        /// Configuration directories that users may name to set-gid commands.
        alternate_config_directories: List = "";
        /// The file that postlogd(8) writes the log to, instead of syslog.
        maillog_file: Text = "";
        /// Where that file may be.
        maillog_file_prefixes: List = "/var, /dev/stdout" in 1..;
        /// The permissions of that file.
        maillog_file_permissions: Text = "0600";
        /// The program that compresses old log files.
        maillog_file_compressor: Text = "gzip" in 1..;
        /// The time format that is added to the name of an old log file.
        maillog_file_rotate_suffix: Text = "%Y%m%d-%H%M%S" in 1..;
        /// The service that takes lines for the log.
        postlog_service_name: Text = "postlog" in 1..;
        /// How long postlogd(8) may be stuck before it is ended.
        postlogd_watchdog_timeout: Duration = "10s" in 10..;
        /// The commands of postmulti(1) that need a running instance.
        postmulti_control_commands: List = "reload flush";
        /// The commands of postmulti(1) that start an instance.
        postmulti_start_commands: List = "start";
        /// The commands of postmulti(1) that stop an instance.
        postmulti_stop_commands: List = "stop abort drain quick-stop";
    }
}
