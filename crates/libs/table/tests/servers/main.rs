//! Tables behind real servers, which are started on loopback in a folder of their own.
//!
//! A server that is not installed is left out by name; where `POSTERN_TEST_PEERS=required` that is a failure.

#[cfg(feature = "ldap")]
#[cfg(test)]
mod ldap;
#[cfg(test)]
mod memcache;
#[cfg(feature = "mysql")]
#[cfg(test)]
mod mysql;
#[cfg(test)]
mod nonsense;
#[cfg(feature = "pgsql")]
#[cfg(test)]
mod pgsql;
#[cfg(feature = "redis")]
#[cfg(test)]
mod redis;
#[cfg(test)]
mod running;
