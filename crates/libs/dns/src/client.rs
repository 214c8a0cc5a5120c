//! Who a client is: the name of its address, and whether that leads back to the address.

use crate::{Error, Families, Resolver, is_hostname};
use std::net::IpAddr;

/// What became of looking a name up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NameStatus {
    /// There is one.
    Known,
    /// The DNS could not be asked.
    Temporary,
    /// There is none.
    Unknown,
    /// The name does not lead back to the address.
    Forged,
}

impl NameStatus {
    fn of(error: &Error) -> Self {
        if error.is_temporary() { Self::Temporary } else { Self::Unknown }
    }
}

/// The name of a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientName {
    /// The name, if it leads back to the address.
    pub verified: Option<String>,
    /// What became of that.
    pub status: NameStatus,
    /// The name of the address, verified or not.
    pub reverse: Option<String>,
    /// What became of that.
    pub reverse_status: NameStatus,
}

impl ClientName {
    /// That of an address without a name.
    #[must_use]
    pub fn none(status: NameStatus) -> Self {
        Self { verified: None, status, reverse: None, reverse_status: status }
    }
}

impl Resolver {
    /// The name of a client's address, as the system finds it. A name that is none, or does not lead back, is logged.
    pub async fn client_name(&self, ip: IpAddr) -> ClientName {
        let name = match self.native_name(ip).await {
            Ok(name) => name,
            Err(error) => return ClientName::none(NameStatus::of(&error)),
        };
        if !name.is_ascii() || name.ends_with('.') || !is_hostname(&name) {
            let shown: String = name.chars().map(|letter| if letter.is_control() { '?' } else { letter }).collect();
            tracing::warn!("numeric or invalid hostname: {shown}");
            return ClientName::none(NameStatus::Unknown);
        }
        let family = if ip.is_ipv4() { Families::V4 } else { Families::V6 };
        let status = match self.native_addresses(&name, family).await {
            Ok(addresses) if addresses.iter().any(|address| address.to_canonical() == ip) => NameStatus::Known,
            Ok(_) => {
                tracing::warn!("hostname {name} does not resolve to address {ip}");
                NameStatus::Forged
            }
            Err(error) => {
                tracing::warn!("hostname {name} does not resolve to address {ip}: {}", error.native_text());
                NameStatus::of(&error)
            }
        };
        let verified = (status == NameStatus::Known).then(|| name.clone());
        ClientName { verified, status, reverse: Some(name), reverse_status: NameStatus::Known }
    }
}
