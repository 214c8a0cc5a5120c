//! Parameters: Tables.

crate::params! {
    /// Lookup tables in general.
    Tables {
        /// The type of indexed tables that postmap and postalias make.
        default_database_type: Text = "lmdb" in 1..;
        /// The type of tables for caches.
        default_cache_db_type: Text = "lmdb";
        /// The size that an lmdb table begins with.
        lmdb_map_size: Size = "16777216" in 1..;
        /// Memory for making a Berkeley DB table.
        berkeley_db_create_buffer_size: Size = "16777216" in 1.., inert;
        /// Memory for reading a Berkeley DB table.
        berkeley_db_read_buffer_size: Size = "131072" in 1.., inert;
        /// The largest answer of a socketmap server.
        socketmap_max_reply_size: Size = "100000";
        /// The largest question to a socketmap server; a longer one cannot be answered. 0: any.
        socketmap_max_query_size: Size = "10000";
        /// What happens to hash and btree tables where there is no Berkeley DB.
        non_bdb_migration_level: Text = "disable", inert;
        /// Where root's tables may be made anew for that.
        non_bdb_migration_allow_root_prefixes: List = "/etc /usr/local/etc", inert;
        /// Where other users' tables may be made anew for that.
        non_bdb_migration_allow_user_prefixes: List = "$data_directory /var/lib/mailman /var/lib/mailman3", inert;
        /// Whether lookups in other types are logged.
        non_bdb_migration_log_redirect: Bool = "yes", inert;
        /// The service that makes tables anew.
        non_bdb_migration_service_name: Text = "nbdb_reindex", inert;
        /// Which type stands in for which.
        non_bdb_custom_mapping: Text = "", inert;
    }
}
