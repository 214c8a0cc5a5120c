//! Safe wrappers of LMDB, mapped files, PCRE2, regcomp and crypt; no policy.
