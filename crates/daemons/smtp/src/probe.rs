//! `dnssec_probe`: whether there is any point in asking for validated answers.
//!
//! Asked once at most in the life of a process: where its first answer is one that nobody has validated. An operator who relies on DANE
//! learns so that it does not work; deliveries go on as they would.

use std::str::FromStr;
use std::sync::atomic::{AtomicBool, Ordering};

use dns::{Answer, Kind, Resolver};

/// A question whose answer a resolver that validates has validated.
#[derive(Debug)]
pub struct Probe {
    /// As main.cf has it.
    text: String,
    kind: Kind,
    name: String,
    /// An answer was validated, or the question was asked.
    settled: AtomicBool,
}

/// A value that is not `type:name`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("malformed dnssec_probe value: {0} format is qtype:qname")]
pub struct Malformed(String);

impl FromStr for Probe {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let malformed = || Malformed(text.to_owned());
        let (kind, name) = text.split_once(':').filter(|(_, name)| !name.is_empty()).ok_or_else(malformed)?;
        let kind = Kind::named(kind).ok_or_else(malformed)?;
        Ok(Self { text: text.to_owned(), kind, name: name.to_owned(), settled: AtomicBool::new(false) })
    }
}

impl Probe {
    /// Takes note of what a lookup gave; asks and warns if that is what it takes.
    pub async fn heed<T: AsRef<Answer>>(&self, looked: &Result<T, dns::Error>, resolver: &Resolver) {
        let is_validated = looked.as_ref().is_ok_and(|answer| answer.as_ref().authentic);
        if self.settled.swap(true, Ordering::Relaxed) || is_validated {
            return;
        }
        if let Some(reason) = self.doubt(resolver).await {
            tracing::warn!("DNSSEC validation may be unavailable");
            tracing::warn!("reason: {reason}");
        }
    }

    /// What speaks against validation.
    async fn doubt(&self, resolver: &Resolver) -> Option<String> {
        let received = match resolver.lookup(&self.name, self.kind).await {
            Ok(answer) if answer.authentic => return None,
            Err(error) if error.is_temporary() => format!("no response: {error}"),
            Ok(_) | Err(_) => "a response that is not DNSSEC validated".to_owned(),
        };
        Some(format!("dnssec_probe '{}' received {received}", self.text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dns::{Hosts, ResolvConf};
    use std::sync::Arc;
    use testkit::name_server::NameServer;

    #[test]
    fn probes_are_a_type_and_a_name() {
        for (text, expected) in
            [("ns:.", Some(Kind::Ns)), ("A:Probe.test", Some(Kind::A)), ("xx:.", None), ("mx:", None), ("bogus", None)]
        {
            assert_eq!(text.parse::<Probe>().ok().map(|probe| probe.kind), expected, "{text}");
        }
        let error = "bogus".parse::<Probe>().unwrap_err();
        assert_eq!(error.to_string(), "malformed dnssec_probe value: bogus format is qtype:qname");
    }

    #[tokio::test]
    async fn only_a_validated_answer_dispels_doubt() {
        let records = [
            ("signed.test", "NS", "ns.test"),
            ("signed.test", "SIGNED", ""),
            ("plain.test", "NS", "ns.test"),
            ("ill.test", "RCODE", "2"),
        ];
        let server = NameServer::open(&records).unwrap();
        let conf = ResolvConf { servers: vec![server.address], ..ResolvConf::default() };
        let resolver = Resolver::new(conf, Hosts::default());
        let unsigned = |text| Some(format!("dnssec_probe '{text}' received a response that is not DNSSEC validated"));
        let silent = "dnssec_probe 'ns:ill.test' received no response: Host or domain name not found. \
                      Name service error for name=ill.test type=NS: Host not found, try again";
        for (text, expected) in [
            ("ns:signed.test", None),
            ("ns:plain.test", unsigned("ns:plain.test")),
            ("ns:missing.test", unsigned("ns:missing.test")),
            ("ns:.", unsigned("ns:.")),
            ("ns:ill.test", Some(silent.to_owned())),
        ] {
            let probe: Probe = text.parse().unwrap();
            assert_eq!(probe.doubt(&resolver).await, expected, "{text}");
        }
    }

    #[tokio::test]
    async fn a_validated_answer_settles_the_matter() {
        let resolver = Resolver::new(ResolvConf { servers: Vec::new(), ..ResolvConf::default() }, Hosts::default());
        let answer = |authentic| Answer { name: "x.test".to_owned(), records: Vec::new(), authentic };
        let probe: Probe = "ns:.".parse().unwrap();
        assert!(!probe.settled.load(Ordering::Relaxed));
        probe.heed(&Ok(Arc::new(answer(true))), &resolver).await;
        assert!(probe.settled.load(Ordering::Relaxed));
    }
}
