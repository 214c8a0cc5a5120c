//! postdrop(1): writes a message into the maildrop.
