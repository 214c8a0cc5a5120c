//! Headers, folding, the MIME walk, 8bit to 7bit, RFC 2047.
