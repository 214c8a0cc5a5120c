//! postalias(1): makes and queries alias databases.
