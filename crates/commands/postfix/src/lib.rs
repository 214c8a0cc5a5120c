//! postfix(1): starts, stops and checks the mail system.
