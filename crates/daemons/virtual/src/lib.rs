//! virtual(8): delivers to virtual mailboxes.
