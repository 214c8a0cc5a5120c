//! MX, A, AAAA, PTR, TLSA, SRV and TXT with the AD bit, and errors that know their status.
