//! SMTP for both sides: commands, replies, EHLO words, dot and BDAT framing.
