//! bounce(8): keeps failed-recipient logs and sends the notices.
