//! Parameters: Pipe.

crate::params! {
    /// pipe(8): delivery to commands.
    Pipe {
        /// As default_delivery_status_filter, for pipe(8).
        pipe_delivery_status_filter: TableList = "$default_delivery_status_filter";
    }
}
