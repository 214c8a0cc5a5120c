//! The settings of TLS and SASL, read before the jail: certificates, keys, authorities, tables.

use std::path::{Path, PathBuf};

use config::Level as Compatibility;
use sasl::client::Authorization;
use sasl::mechanism::SecurityOptions;
use service::Fatal;
use table::store::Purpose;
use tls::client::{Client, Level};
use tls::dane::Digest;
use tls::fingerprint::Algorithm;
use tls::identities::Identities;
use tls::loglevel::Loglevel;
use tls::material::{Authorities, Identity};
use tls::names::Wildcards;
use tls::protocols::Protocols;

use crate::auth::{Auth, Dependence, Refusal};
use crate::auth_cache::AuthCache;
use crate::dane::{InsecureHost, InsecureMx, Rules, Validation};
use crate::secure::{EarlyReplies, FeatureStatus, Notes, Reuse, Start, Tls};
use crate::settings::Opening;
use crate::tls_policy::{Defaults, Policies, StsHosts, Wish};
use crate::tls_report::{Reporter, Resumed};

impl Opening<'_> {
    pub(crate) fn policies(&self) -> Result<Policies, Fatal> {
        let tls = &self.params.tls;
        let maps = self.maps("smtp_tls_policy_maps", &tls.smtp_tls_policy_maps);
        let sites = self.maps("smtp_tls_per_site", &tls.smtp_tls_per_site);
        if !maps.is_empty() && !sites.is_empty() {
            tracing::warn!("{} ignored when {} is not empty.", sites.parameter(), maps.parameter());
        }
        Ok(Policies {
            defaults: Defaults {
                wish: self.wish()?,
                protocols: self.protocols("smtp_tls_protocols", &tls.smtp_tls_protocols),
                mandatory_protocols: self.protocols("smtp_tls_mandatory_protocols", &tls.smtp_tls_mandatory_protocols),
                verify_match: split(&tls.smtp_tls_verify_cert_match),
                secure_match: split(&tls.smtp_tls_secure_cert_match),
                fingerprints: tls.smtp_tls_fingerprint_cert_match.iter().flat_map(|word| bars(word)).collect(),
                digest: self.digest().unwrap_or(Algorithm::Sha256),
                server_name: tls.smtp_tls_servername.clone(),
                depth: tls.smtp_tls_scert_verifydepth,
                excluded: tls.smtp_tls_exclude_ciphers.clone(),
                mandatory_excluded: tls.smtp_tls_mandatory_exclude_ciphers.clone(),
                wildcards: if self.params.crypto.tls_wildcard_matches_multiple_labels {
                    Wildcards::AnyLabels
                } else {
                    Wildcards::OneLabel
                },
                tlsa: self.tlsa_rules()?,
                sts_hosts: if tls.smtp_tls_enforce_sts_mx_patterns { StsHosts::Enforced } else { StsHosts::Ignored },
            },
            maps,
            sites,
            requiretls: self.requiretls(),
        })
    }

    /// With a list that nobody understands no handshake is made; mail that needs none goes.
    fn protocols(&self, parameter: &str, list: &[String]) -> Protocols {
        Protocols::parse(&list.join(" ")).unwrap_or_else(|error| {
            tracing::warn!("{}: {error}", self.flavor().parameter(parameter));
            Protocols::none()
        })
    }

    fn digest(&self) -> Result<Algorithm, Fatal> {
        let name = &self.params.tls.smtp_tls_fingerprint_digest;
        Algorithm::named(name).ok_or_else(|| Fatal::new(format!("Digest algorithm \"{name}\" not found")))
    }

    /// The level, by its own parameter or by those that came before it.
    fn wish(&self) -> Result<Wish, Fatal> {
        let tls = &self.params.tls;
        let name = tls.smtp_tls_security_level.as_str();
        if !name.is_empty() {
            return Wish::named(name)
                .ok_or_else(|| Fatal::new(format!("invalid TLS security level: smtp_tls_security_level = {name}")));
        }
        let level = match (tls.smtp_enforce_tls, tls.smtp_tls_enforce_peername, tls.smtp_use_tls) {
            (true, true, _) => Level::Verify,
            (true, false, _) => Level::Encrypt,
            (false, _, true) => Level::May,
            (false, _, false) => Level::None,
        };
        Ok(Wish { level, dane: None })
    }

    pub(crate) fn tls(&self) -> Tls {
        let tls = &self.params.tls;
        Tls {
            client: self.client(),
            start: if tls.smtp_tls_wrappermode { Start::FirstByte } else { Start::Command },
            loglevel: self.loglevel(),
            loglevels: self.maps("smtp_tls_loglevel_maps", &tls.smtp_tls_loglevel_maps),
            notes: if tls.smtp_tls_note_starttls_offer { Notes::Taken } else { Notes::Omitted },
            early: if tls.smtp_tls_block_early_mail_reply { EarlyReplies::Refused } else { EarlyReplies::Taken },
            reuse: if tls.smtp_tls_connection_reuse { Reuse::Allowed } else { Reuse::Never },
            status: self.feature_status(),
        }
    }

    /// Where reports on handshakes go.
    pub(crate) fn reporter(&self) -> Option<Reporter> {
        let tls = &self.params.tls;
        if !tls.smtp_tlsrpt_enable {
            return None;
        }
        if !self.has_dns() {
            tracing::warn!("Cannot enable TLSRPT support: DNS is disabled");
            return None;
        }
        if tls.smtp_tlsrpt_socket_name.is_empty() {
            let parameter = self.flavor().parameter("smtp_tlsrpt_socket_name");
            tracing::warn!("TLSRPT support: parameter {parameter} has empty value -- TLSRPT support will be disabled");
            return None;
        }
        let resumed = if tls.smtp_tlsrpt_skip_reused_handshakes { Resumed::Skipped } else { Resumed::Reported };
        Some(Reporter { socket: PathBuf::from(&tls.smtp_tlsrpt_socket_name), resumed })
    }

    fn loglevel(&self) -> Loglevel {
        let parameter = self.flavor().parameter("smtp_tls_loglevel");
        Loglevel::of(&parameter, &self.params.tls.smtp_tls_loglevel).unwrap_or_else(|unknown| {
            tracing::warn!("{unknown}");
            Loglevel::Nothing
        })
    }

    /// Mail that needs no TLS does not wait for files that TLS needs.
    fn client(&self) -> Option<Client> {
        let material = self.digest().and_then(|_| Ok((self.authorities()?, self.identities()?)));
        match material {
            Ok((authorities, identities)) => Some(Client::new(authorities, identities)),
            Err(error) => {
                tracing::warn!("{error}: disabling TLS support");
                None
            }
        }
    }

    /// Whom we trust. Trust anchors stand for all other authorities.
    fn authorities(&self) -> Result<Authorities, Fatal> {
        let tls = &self.params.tls;
        let anchors = config::value::words(&tls.smtp_tls_trust_anchor_file);
        if !anchors.is_empty() {
            return Ok(
                Authorities::read_all(anchors.iter().map(String::as_str), "")?.within(tls.smtp_tls_scert_verifydepth)
            );
        }
        let authorities = Authorities::read(&tls.smtp_tls_CAfile, &tls.smtp_tls_CApath)?;
        let authorities = authorities.within(tls.smtp_tls_scert_verifydepth);
        Ok(if self.params.crypto.tls_append_default_CA { authorities.with_system()? } else { authorities })
    }

    /// Our own certificates, if there are any; `smtp_tls_chain_files` stands for all other parameters.
    fn identities(&self) -> Result<Option<Identities>, Fatal> {
        let tls = &self.params.tls;
        let identities = if tls.smtp_tls_chain_files.is_empty() {
            let pairs = [
                (&tls.smtp_tls_cert_file, &tls.smtp_tls_key_file),
                (&tls.smtp_tls_eccert_file, &tls.smtp_tls_eckey_file),
            ];
            let named = pairs.into_iter().filter(|(certificate, _)| !certificate.is_empty());
            named
                .map(|(certificate, key)| Identity::read(Path::new(certificate), Path::new(key)))
                .collect::<Result<_, _>>()?
        } else {
            Identity::read_chains(&tls.smtp_tls_chain_files)?
        };
        Ok(if identities.is_empty() { None } else { Some(Identities::new(identities)?) })
    }

    /// How TLSA records count.
    fn tlsa_rules(&self) -> Result<Rules, Fatal> {
        let tls = &self.params.tls;
        let digests = &self.params.crypto.tls_dane_digests;
        let known: Vec<_> = digests.iter().filter_map(|name| Digest::named(name)).collect();
        if known.len() < digests.len() {
            tracing::warn!(
                "tls_dane_digests: of these only sha512 and sha256 occur in TLSA records: {}",
                digests.join(" ")
            );
        }
        let policy = &tls.smtp_tls_dane_insecure_mx_policy;
        let insecure_mx = InsecureMx::named(policy).ok_or_else(|| {
            Fatal::new(format!("invalid TLS security level: smtp_tls_dane_insecure_mx_policy = {policy}"))
        })?;
        let insecure_host =
            if tls.smtp_tls_force_insecure_host_tlsa_lookup { InsecureHost::Asked } else { InsecureHost::Passed };
        let validation = if self.has_dnssec() { Validation::Believed } else { Validation::Disabled };
        Ok(Rules { validation, digests: known, insecure_mx, insecure_host })
    }

    /// Log analysers of older releases do not know the field.
    fn feature_status(&self) -> FeatureStatus {
        let level = &self.params.agent.identity.compatibility_level;
        let known = level.parse::<Compatibility>().is_ok_and(|level| level >= Compatibility::new(3, 11, 0));
        if known && self.params.tls.smtp_log_tls_feature_status { FeatureStatus::Shown } else { FeatureStatus::Hidden }
    }

    pub(crate) fn auth(&self) -> Result<Option<Auth>, Fatal> {
        let sasl = &self.params.sasl;
        if !sasl.smtp_sasl_auth_enable {
            return Ok(None);
        }
        if sasl.smtp_sasl_password_maps.is_empty() {
            return Err(Fatal::new(
                "specify a password table via the `smtp_sasl_password_maps' configuration parameter",
            ));
        }
        let options = |list: &[String]| SecurityOptions::parse(list.iter().map(String::as_str)).map_err(Fatal::from);
        let dependent = self.params.smtp.smtp_sender_dependent_authentication;
        Ok(Some(Auth {
            passwords: self.maps("smtp_sasl_password_maps", &sasl.smtp_sasl_password_maps),
            delimiter: sasl.smtp_sasl_password_result_delimiter.clone(),
            dependence: if dependent { Dependence::Sender } else { Dependence::Destination },
            find: self.find(),
            filter: self.patterns("smtp_sasl_mechanism_filter", &sasl.smtp_sasl_mechanism_filter),
            plain_options: options(&sasl.smtp_sasl_security_options)?,
            tls_options: options(&sasl.smtp_sasl_tls_security_options)?,
            verified_options: options(&sasl.smtp_sasl_tls_verified_security_options)?,
            authorization: if sasl.send_cyrus_sasl_authzid { Authorization::Same } else { Authorization::Unsaid },
            refusal: if sasl.smtp_sasl_auth_soft_bounce { Refusal::Waits } else { Refusal::AsSaid },
            cache: self.auth_cache()?,
        }))
    }

    /// Clients share the cache, so it is behind proxywrite(8).
    fn auth_cache(&self) -> Result<Option<AuthCache>, Fatal> {
        let sasl = &self.params.sasl;
        let Some(spec) = sasl.smtp_sasl_auth_cache_name.first() else { return Ok(None) };
        if !spec.starts_with("proxy:") {
            return Err(Fatal::new(format!("SASL authentication cache name \"{spec}\" must start with \"proxy:\"")));
        }
        let store = table::store::open(spec, Purpose::Update, &self.environment)?;
        Ok(Some(AuthCache::new(store, sasl.smtp_sasl_auth_cache_time)))
    }
}

/// Colons separate patterns as well.
fn split(words: &[String]) -> Vec<String> {
    words.iter().flat_map(|word| word.split(':')).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

fn bars(word: &str) -> impl Iterator<Item = String> + '_ {
    word.split('|').map(str::to_owned)
}
