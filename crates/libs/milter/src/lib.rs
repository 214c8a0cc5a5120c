//! The milter protocol, client side.
