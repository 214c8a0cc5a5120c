//! Parameters: Virtual.

crate::params! {
    /// virtual(8): mailboxes of users without an account.
    Virtual {
        /// The directory below which the mailboxes are.
        virtual_mailbox_base: Text = "";
        /// The user that owns each mailbox.
        virtual_uid_maps: TableList = "";
        /// The group of each mailbox.
        virtual_gid_maps: TableList = "";
        /// The smallest user number that is accepted.
        virtual_minimum_uid: Int = "100" in 1..;
        /// The largest mailbox or maildir file.
        virtual_mailbox_limit: Size = "51200000";
        /// How a mailbox is locked.
        virtual_mailbox_lock: List = "fcntl, dotlock" in 1..;
        /// As default_delivery_status_filter, for virtual(8).
        virtual_delivery_status_filter: TableList = "$default_delivery_status_filter";
    }
}
