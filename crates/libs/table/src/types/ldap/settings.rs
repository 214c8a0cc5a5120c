//! What the parameters of an LDAP table say.

use std::path::PathBuf;
use std::time::Duration;

use super::expand::{Reach, Wanted};
use super::message::{Bounds, Scope};
use super::session::{Host, Login, Manner};
use super::url::Url;
use crate::Error;
use crate::client::Parameters;
use crate::link::Endpoint;
use crate::secure::{Check, Files, Tls};
use crate::servers::endpoint;
use crate::split::{SEPARATORS, items};

fn flag(parameters: &Parameters, name: &str) -> Result<bool, Error> {
    match parameters.text(name).map(|value| value.to_ascii_lowercase()).as_deref() {
        None | Some("no" | "0") => Ok(false),
        Some("yes" | "1") => Ok(true),
        Some(_) => Err(parameters.mistake(&format!("{name} is neither yes nor no"))),
    }
}

fn small(parameters: &Parameters, name: &str, default: usize) -> Result<u32, Error> {
    let number = parameters.number(name, default)?;
    u32::try_from(number).map_err(|_| parameters.mistake(&format!("bad numerical configuration: {name} = {number}")))
}

/// The servers, in their order.
pub(super) fn hosts(parameters: &Parameters) -> Result<Vec<Host>, Error> {
    let port = u16::try_from(small(parameters, "server_port", 389)?);
    let port = port.map_err(|_| parameters.mistake("bad server_port"))?;
    let text = parameters.text("server_host").unwrap_or_else(|| "localhost".to_owned());
    let read = |word: &str| {
        if !word.contains("://") {
            return Some(Host { endpoint: endpoint(word, port), is_tls: false });
        }
        let url = Url::parse(word)?;
        let place = if url.place.is_empty() { "localhost" } else { &url.place };
        Some(match url.scheme.as_str() {
            "ldapi" if url.place.is_empty() => local("/var/run/slapd/ldapi"),
            "ldapi" => local(place),
            "ldaps" => Host { endpoint: endpoint(place, 636), is_tls: true },
            _ => Host { endpoint: endpoint(place, 389), is_tls: false },
        })
    };
    let hosts: Option<Vec<_>> = items(&text, SEPARATORS).into_iter().map(read).collect();
    hosts.ok_or_else(|| parameters.mistake("malformed LDAP URL in server_host"))
}

fn local(path: &str) -> Host {
    Host { endpoint: Endpoint::Unix(PathBuf::from(path)), is_tls: false }
}

/// How servers are spoken with.
pub(super) fn manner(parameters: &Parameters) -> Result<Manner, Error> {
    let text = |name: &str| parameters.text(name).unwrap_or_default();
    let login = login(parameters)?;
    let start_tls = flag(parameters, "start_tls")?;
    let mut version = small(parameters, "version", 2)?;
    if version < 3 && (start_tls || matches!(login, Login::External { .. } | Login::Plain { .. })) {
        tracing::warn!("{}: start_tls and SASL require protocol version 3", parameters.spec());
        version = 3;
    }
    if flag(parameters, "chase_referrals")? {
        tracing::warn!("{}: referrals are not followed", parameters.spec());
    }
    let dereference = small(parameters, "dereference", 0)?;
    if dereference > 3 {
        tracing::warn!("{}: unrecognized value {dereference} specified for dereference; using 0", parameters.spec());
    }
    let files = Files {
        authorities: text("tls_ca_cert_file"),
        folder: text("tls_ca_cert_dir"),
        certificate: text("tls_cert"),
        key: text("tls_key"),
    };
    let check = if flag(parameters, "tls_require_cert")? { Check::Name } else { Check::Nothing };
    let timeout = parameters.seconds("timeout", 10)?;
    Ok(Manner {
        login,
        name: text("bind_dn"),
        password: text("bind_pw"),
        version,
        start_tls,
        tls: Tls::open(&files, check, parameters)?,
        bounds: Bounds {
            dereference: if dereference > 3 { 0 } else { dereference },
            size_limit: u32::try_from(size_limit(parameters)?).unwrap_or(u32::MAX >> 1),
            seconds: u32::try_from(timeout.as_secs()).unwrap_or(0),
        },
        timeout: timeout.max(Duration::from_secs(1)),
    })
}

fn size_limit(parameters: &Parameters) -> Result<usize, Error> {
    parameters.number("size_limit", parameters.number("expansion_limit", 0)?)
}

fn login(parameters: &Parameters) -> Result<Login, Error> {
    let authorization = parameters.text("sasl_authz_id").unwrap_or_default();
    match parameters.text("bind").unwrap_or_else(|| "yes".to_owned()).to_ascii_lowercase().as_str() {
        "no" | "none" | "0" => Ok(Login::Nobody),
        "yes" | "simple" | "1" => Ok(Login::Simple),
        "sasl" => {
            let mechanisms =
                parameters.text("sasl_mechs").unwrap_or_else(|| "EXTERNAL".to_owned()).to_ascii_uppercase();
            let known = items(&mechanisms, SEPARATORS).into_iter().find_map(|mechanism| match mechanism {
                "EXTERNAL" => Some(Login::External { authorization: authorization.clone() }),
                "PLAIN" => Some(Login::Plain { authorization: authorization.clone() }),
                _ => None,
            });
            known.ok_or_else(|| parameters.mistake("sasl_mechs has neither EXTERNAL nor PLAIN"))
        }
        _ => Err(parameters.mistake("bind is none of yes, no, simple, sasl")),
    }
}

/// How far below its base the search goes.
pub(super) fn scope(parameters: &Parameters) -> Scope {
    match parameters.text("scope").as_deref() {
        None | Some("sub") => Scope::Subtree,
        Some("one") => Scope::One,
        Some("base") => Scope::Base,
        Some(other) => {
            tracing::warn!("{}: unrecognized value {other} specified for scope; using sub", parameters.spec());
            Scope::Subtree
        }
    }
}

/// Which attributes count.
pub(super) fn wanted(parameters: &Parameters) -> Wanted {
    let names = |name: &str, default: &str| {
        let text = parameters.given(name).unwrap_or_else(|| default.to_owned());
        items(&text, SEPARATORS).into_iter().map(str::to_owned).collect()
    };
    Wanted {
        terminal: names("terminal_result_attribute", ""),
        leaf: names("leaf_result_attribute", ""),
        ordinary: names("result_attribute", "maildrop"),
        special: names("special_result_attribute", ""),
    }
}

/// How far expansion goes.
pub(super) fn reach(parameters: &Parameters) -> Result<Reach, Error> {
    Ok(Reach {
        recursion_limit: parameters.number("recursion_limit", 1000)?,
        expansion_limit: parameters.number("expansion_limit", 0)?,
        size_limit: size_limit(parameters)?,
    })
}
