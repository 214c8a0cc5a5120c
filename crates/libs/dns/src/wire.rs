//! From names to query bytes, and from reply bytes to records.
//!
//! Replies are bytes of a stranger: what does not parse, does not answer the question, or names hosts that cannot
//! exist, yields an error or is left out; the number of records is bounded.

use hickory_resolver::proto::op::{Message, MessageType, OpCode, Query, ResponseCode};
use hickory_resolver::proto::rr::{Name, RData, Record as WireRecord, RecordType};

use crate::record::is_address;
use crate::{Answer, Data, Error, Failure, Kind, Record, is_hostname};

/// More records than this are dropped.
const MOST_RECORDS: usize = 100;
/// Longest chain of aliases in one reply.
const MOST_ALIASES: usize = 10;

/// A reply that was asked for.
pub(crate) type Reply = Message;

/// A query with recursion desired and the AD bit set (RFC 6840 section 5.7); `None` if the name cannot be asked for.
pub(crate) fn query(name: &str, kind: Kind) -> Option<Message> {
    let name = name.strip_suffix('.').unwrap_or(name);
    let labels = name.split('.').filter(|_| !name.is_empty()).map(str::as_bytes);
    let mut name = Name::from_labels(labels).ok()?;
    name.set_fqdn(true);
    let mut message = Message::query();
    message.metadata.recursion_desired = true;
    message.metadata.authentic_data = true;
    message.add_query(Query::query(name, wire_type(kind)));
    Some(message)
}

/// Parses a reply; `None` if it is not one to this query, and another datagram may be.
pub(crate) fn reply_to(query: &Message, bytes: &[u8]) -> Option<Result<Message, ()>> {
    let (first, second) = (bytes.first()?, bytes.get(1)?);
    if u16::from_be_bytes([*first, *second]) != query.metadata.id {
        return None;
    }
    let Ok(reply) = Message::from_vec(bytes) else { return Some(Err(())) };
    let same_question = match (query.queries.first(), reply.queries.first()) {
        (Some(asked), Some(answered)) => asked.name == answered.name && asked.query_type == answered.query_type,
        (_, None) => true,
        (None, Some(_)) => false,
    };
    let is_reply = reply.metadata.message_type == MessageType::Response && reply.metadata.op_code == OpCode::Query;
    (is_reply && same_question).then_some(Ok(reply))
}

/// What a reply that stands alone says of `name`, whatever query it was for.
///
/// # Errors
/// It is no reply about the name, or has no such records; one that only leads to another name counts as the latter.
pub fn read_reply(name: &str, kind: Kind, bytes: &[u8]) -> Result<Answer, Error> {
    let failed = |failure| Error::new(failure, name, kind);
    let mut query = query(name, kind).ok_or_else(|| failed(Failure::BadName))?;
    query.metadata.id = bytes.first_chunk().map_or(0, |id| u16::from_be_bytes(*id));
    let Some(Ok(reply)) = reply_to(&query, bytes) else { return Err(failed(Failure::Garbled)) };
    match records(&reply, name, kind)? {
        Said::Answer(answer) => Ok(answer),
        Said::Alias { .. } => Err(failed(Failure::NoData)),
    }
}

/// Whether the server could not or would not find out, so that another may.
pub(crate) fn is_troubled(reply: &Reply) -> bool {
    matches!(reply.metadata.response_code, ResponseCode::ServFail | ResponseCode::Refused | ResponseCode::NotImp)
}

/// What a reply says about the name.
pub(crate) enum Said {
    /// Records.
    Answer(Answer),
    /// Only an alias; its target must be asked for.
    Alias {
        /// What it stands for.
        target: String,
        /// Whether it was validated.
        authentic: bool,
    },
}

/// Reads the records of a type out of a reply.
#[expect(clippy::wildcard_enum_match_arm, reason = "response codes are a list that others extend")]
pub(crate) fn records(reply: &Message, name: &str, kind: Kind) -> Result<Said, Error> {
    let failed = |failure| Error::new(failure, name, kind);
    match reply.metadata.response_code {
        ResponseCode::NoError => {}
        ResponseCode::NXDomain => {
            return Err(Error { negative_ttl: negative_ttl(reply), ..failed(Failure::NotFound) });
        }
        ResponseCode::ServFail | ResponseCode::Refused | ResponseCode::NotImp => {
            return Err(failed(Failure::TryAgain));
        }
        _ => return Err(failed(Failure::NoRecovery)),
    }
    let question = reply.queries.first().ok_or_else(|| failed(Failure::Garbled))?;
    let owner = owner(reply, &question.name).ok_or_else(|| failed(Failure::Loop))?;
    let of_type = |record: &&WireRecord| record.name == owner && record.record_type() == wire_type(kind);
    let mut found: Vec<Record> = Vec::new();
    let mut refused = Failure::NoData;
    for record in reply.answers.iter().filter(of_type) {
        if found.len() == MOST_RECORDS {
            let words = "exceeded -- dropping excess record(s) after";
            tracing::warn!("DNS record count limit ({MOST_RECORDS}) {words} qname={name} qtype={kind}");
            break;
        }
        warn_of_names(&record.data, name, kind);
        match data(&record.data) {
            Ok(data) => found.push(Record { name: text(&record.name), ttl: record.ttl, data }),
            // Whatever else is there: the domain says that it does not want to be asked.
            Err(failure @ (Failure::NullMx | Failure::NullSrv)) => return Err(failed(failure)),
            Err(failure) => refused = failure,
        }
    }
    if !found.is_empty() {
        let authentic = reply.metadata.authentic_data;
        return Ok(Said::Answer(Answer { name: text(&owner), records: found, authentic }));
    }
    if question.name != owner && refused == Failure::NoData {
        return Ok(Said::Alias { target: text(&owner), authentic: reply.metadata.authentic_data });
    }
    Err(Error { negative_ttl: negative_ttl(reply), ..failed(refused) })
}

/// How long a reply without records holds (RFC 2308 section 5).
fn negative_ttl(reply: &Message) -> Option<u32> {
    reply.authorities.iter().find_map(|record| {
        let RData::SOA(soa) = &record.data else { return None };
        Some(record.ttl.min(soa.minimum))
    })
}

/// The end of the chain of aliases that starts at a name; `None` if it is too long.
fn owner(reply: &Message, first: &Name) -> Option<Name> {
    let mut owner = first.clone();
    for _ in 0..=MOST_ALIASES {
        let next = reply.answers.iter().find_map(|record| {
            let RData::CNAME(target) = &record.data else { return None };
            (record.name == owner).then(|| target.0.clone())
        });
        match next {
            Some(target) => owner = target,
            None => return Some(owner),
        }
    }
    None
}

#[expect(clippy::wildcard_enum_match_arm, reason = "record types are a list that others extend")]
fn data(data: &RData) -> Result<Data, Failure> {
    Ok(match data {
        RData::A(address) => Data::Address(address.0.into()),
        RData::AAAA(address) => Data::Address(address.0.into()),
        RData::MX(mx) if mx.exchange.is_root() => return Err(Failure::NullMx),
        RData::MX(mx) => Data::Mx { preference: mx.preference, exchange: host_or_address(&mx.exchange)? },
        RData::PTR(name) => Data::Ptr(host_or_address(&name.0)?),
        RData::NS(name) => Data::Ns(host_or_address(&name.0)?),
        RData::SOA(soa) => Data::Soa(text(&soa.mname)),
        RData::TXT(txt) => Data::Txt(txt.txt_data.iter().flat_map(|part| part.iter().copied()).collect()),
        RData::TLSA(tlsa) => Data::Tlsa {
            usage: tlsa.cert_usage.into(),
            selector: tlsa.selector.into(),
            matching: tlsa.matching.into(),
            data: tlsa.cert_data.clone(),
        },
        RData::SRV(srv) if srv.target.is_root() => return Err(Failure::NullSrv),
        RData::SRV(srv) => Data::Srv {
            priority: srv.priority,
            weight: srv.weight,
            port: srv.port,
            target: host_or_address(&srv.target)?,
        },
        _ => return Err(Failure::Garbled),
    })
}

/// Tells the log of host names in records that cannot be such.
fn warn_of_names(data: &RData, name: &str, kind: Kind) {
    let named = match (data, kind) {
        (RData::MX(mx), Kind::Mx) => text(&mx.exchange),
        (RData::SRV(srv), Kind::Srv) => text(&srv.target),
        (RData::PTR(target), Kind::Ptr) => text(&target.0),
        _ => return,
    };
    if is_address(&named) {
        tracing::warn!("numeric domain name in resource data of {kind} record for {name}: {named}");
    } else if !named.is_empty() && !is_hostname(&named) {
        let named: String = named.chars().map(|c| if c.is_control() { '?' } else { c }).collect();
        tracing::warn!("malformed domain name in resource data of {kind} record for {name}: {named}");
    }
}

/// A name that can be a host's. An address in a name's place is let through: it fails where it is looked up.
fn host_or_address(name: &Name) -> Result<String, Failure> {
    let name = text(name);
    if is_hostname(&name) || is_address(&name) { Ok(name) } else { Err(Failure::Malformed) }
}

/// A name without its final dot; bytes that are not UTF-8 are replaced, so that it cannot pass for a host name.
fn text(name: &Name) -> String {
    let mut text = String::new();
    for label in name.iter() {
        if !text.is_empty() {
            text.push('.');
        }
        match std::str::from_utf8(label) {
            Ok(label) if !label.contains('.') => text.push_str(label),
            Ok(_) | Err(_) => text.push('?'),
        }
    }
    text
}

fn wire_type(kind: Kind) -> RecordType {
    match kind {
        Kind::A => RecordType::A,
        Kind::Aaaa => RecordType::AAAA,
        Kind::Mx => RecordType::MX,
        Kind::Ptr => RecordType::PTR,
        Kind::Txt => RecordType::TXT,
        Kind::Tlsa => RecordType::TLSA,
        Kind::Srv => RecordType::SRV,
        Kind::Ns => RecordType::NS,
        Kind::Soa => RecordType::SOA,
    }
}

#[cfg(test)]
mod tests {
    use hickory_resolver::proto::rr::rdata::{A, CNAME, MX, SOA};
    use proptest::prelude::*;

    use super::*;

    fn name(text: &str) -> Name {
        Name::from_ascii(text).unwrap()
    }

    fn answer(kind: Kind, answers: &[(&str, RData)]) -> Result<Said, Error> {
        let mut reply = query("x.test", kind).unwrap();
        reply.metadata.message_type = MessageType::Response;
        for (owner, data) in answers {
            reply.add_answer(WireRecord::from_rdata(name(owner), 60, data.clone()));
        }
        let bytes = reply.to_vec().unwrap();
        let parsed = reply_to(&reply, &bytes).unwrap().unwrap();
        records(&parsed, "x.test", kind)
    }

    #[test]
    fn a_missing_name_is_missing_for_as_long_as_the_zone_says() {
        let mut reply = query("x.test", Kind::A).unwrap();
        reply.metadata.message_type = MessageType::Response;
        reply.metadata.response_code = ResponseCode::NXDomain;
        let said = |reply: &Message| records(reply, "x.test", Kind::A).err().map(|error| error.negative_ttl);
        assert_eq!(said(&reply), Some(None));
        let soa = SOA::new(name("ns.test."), name("who.test."), 1, 2, 3, 4, 30);
        reply.add_authority(WireRecord::from_rdata(name("test."), 60, RData::SOA(soa)));
        assert_eq!(said(&reply), Some(Some(30)));
    }

    #[test]
    fn aliases_are_followed_within_a_reply() {
        let said = answer(
            Kind::A,
            &[("x.test.", RData::CNAME(CNAME(name("y.test.")))), ("y.test.", RData::A(A::new(127, 0, 0, 9)))],
        );
        let Ok(Said::Answer(answer)) = said else { panic!("no answer") };
        assert_eq!(answer.name, "y.test");
        assert_eq!(answer.addresses().count(), 1);
    }

    #[test]
    fn an_alias_alone_asks_for_its_target() {
        let said = answer(Kind::A, &[("x.test.", RData::CNAME(CNAME(name("y.test."))))]);
        assert!(matches!(said, Ok(Said::Alias { target, authentic: true }) if target == "y.test"));
    }

    #[test]
    fn failures() {
        let root = RData::MX(MX::new(0, Name::root()));
        let good = RData::MX(MX::new(10, name("mx.x.test.")));
        let bad = RData::MX(MX::new(0, Name::from_labels([&b"a b"[..]]).unwrap()));
        let loops = RData::CNAME(CNAME(name("x.test.")));
        for (kind, answers, failure) in [
            (Kind::Mx, vec![("x.test.", root.clone())], Failure::NullMx),
            (Kind::Mx, vec![("x.test.", root), ("x.test.", good)], Failure::NullMx),
            (Kind::Mx, vec![("x.test.", bad)], Failure::Malformed),
            (Kind::A, vec![("x.test.", loops)], Failure::Loop),
            (Kind::A, vec![("other.test.", RData::A(A::new(1, 2, 3, 4)))], Failure::NoData),
            (Kind::A, vec![], Failure::NoData),
        ] {
            let Err(error) = answer(kind, &answers) else { panic!("{failure:?} not seen") };
            assert_eq!(error.failure, failure);
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_handled(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            let mut asked = query("x.test", Kind::Mx).unwrap();
            if let [first, second, ..] = bytes[..] {
                asked.metadata.id = u16::from_be_bytes([first, second]);
            }
            if let Some(Ok(reply)) = reply_to(&asked, &bytes) {
                let _ = records(&reply, "x.test", Kind::Mx);
            }
        }
    }
}
