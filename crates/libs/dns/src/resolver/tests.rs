//! The resolver against a server on this host that answers from a list.

use hickory_resolver::proto::op::{Message, MessageType, ResponseCode};
use hickory_resolver::proto::rr::rdata::{A, CNAME};
use hickory_resolver::proto::rr::{Name, RData, Record as WireRecord};
use std::net::SocketAddr;
use tokio::net::{TcpListener, UdpSocket};

use super::*;

fn answer(bytes: &[u8], carrier: &str) -> Vec<u8> {
    let mut message = Message::from_vec(bytes).unwrap();
    assert!(message.metadata.authentic_data, "AD is asked for");
    message.metadata.message_type = MessageType::Response;
    let name = message.queries[0].name.clone();
    let add = |message: &mut Message, data| {
        message.add_answer(WireRecord::from_rdata(name.clone(), 60, data));
    };
    match name.to_ascii().as_str() {
        "good.test." => add(&mut message, RData::A(A::new(127, 0, 0, 7))),
        "alias.test." => add(&mut message, RData::CNAME(CNAME(Name::from_ascii("good.test.").unwrap()))),
        "unsigned.test." => {
            message.metadata.authentic_data = false;
            add(&mut message, RData::CNAME(CNAME(Name::from_ascii("good.test.").unwrap())));
        }
        "long.test." if carrier == "udp" => message.metadata.truncation = true,
        "long.test." => (0..120).for_each(|n| add(&mut message, RData::A(A::new(127, 0, 1, n)))),
        "broken.test." => message.metadata.response_code = ResponseCode::ServFail,
        "empty.test." => {}
        "cut.test." => {
            add(&mut message, RData::A(A::new(127, 0, 0, 7)));
            let whole = message.to_vec().unwrap();
            return whole[..whole.len() - 2].to_vec();
        }
        "round.test." => add(&mut message, RData::CNAME(CNAME(name.clone()))),
        _ => message.metadata.response_code = ResponseCode::NXDomain,
    }
    message.to_vec().unwrap()
}

async fn resolver() -> Resolver {
    let address = SocketAddr::from(([127, 0, 0, 1], testkit::port::free_port().unwrap()));
    let udp = UdpSocket::bind(address).await.unwrap();
    let tcp = TcpListener::bind(address).await.unwrap();
    tokio::spawn(async move {
        let mut buffer = [0; 2048];
        while let Ok((length, peer)) = udp.recv_from(&mut buffer).await {
            udp.send_to(&answer(&buffer[..length], "udp"), peer).await.unwrap();
        }
    });
    tokio::spawn(async move {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        while let Ok((mut stream, _)) = tcp.accept().await {
            let length = stream.read_u16().await.unwrap();
            let mut query = vec![0; usize::from(length)];
            stream.read_exact(&mut query).await.unwrap();
            let reply = answer(&query, "tcp");
            stream.write_u16(u16::try_from(reply.len()).unwrap()).await.unwrap();
            stream.write_all(&reply).await.unwrap();
        }
    });
    let conf = ResolvConf { servers: vec![address], timeout: Duration::from_secs(5), ..ResolvConf::default() };
    let search = vec!["test".to_owned()];
    Resolver::new(ResolvConf { search, ..conf }, Hosts::parse("127.0.0.3 listed.test\n"))
}

#[tokio::test]
async fn answers_failures_and_fallback() {
    let resolver = resolver().await;
    for (name, expected) in [
        ("good.test", Ok(1)),
        ("good.test", Ok(1)),
        ("alias.test", Ok(1)),
        ("long.test", Ok(100)),
        ("broken.test", Err(Failure::TryAgain)),
        ("empty.test", Err(Failure::NoData)),
        ("missing.test", Err(Failure::NotFound)),
        ("cut.test", Err(Failure::Garbled)),
        ("round.test", Err(Failure::Loop)),
        ("bad name", Err(Failure::BadName)),
        ("127.0.0.1", Err(Failure::BadName)),
    ] {
        let looked = resolver.lookup(name, Kind::A).await;
        assert_eq!(looked.map(|answer| answer.records.len()).map_err(|error| error.failure), expected, "{name}");
    }
}

#[tokio::test]
async fn an_answer_is_validated_where_its_aliases_are() {
    let resolver = resolver().await;
    for (name, expected) in [("good.test", true), ("alias.test", true), ("unsigned.test", false)] {
        assert_eq!(resolver.lookup(name, Kind::A).await.unwrap().authentic, expected, "{name}");
    }
}

#[tokio::test]
async fn native_lookups_ask_the_hosts_file_first() {
    let resolver = resolver().await;
    for (name, expected) in [("listed.test", "127.0.0.3"), ("good", "127.0.0.7"), ("127.0.0.5", "127.0.0.5")] {
        let found = resolver.native_addresses(name, Families::V4).await.unwrap();
        assert_eq!(found, [expected.parse::<IpAddr>().unwrap()], "{name}");
    }
    assert_eq!(resolver.native_name("127.0.0.3".parse().unwrap()).await.unwrap(), "listed.test");
}

#[test]
fn names_are_looked_for_where_the_options_say() {
    let search = vec!["a.test".to_owned(), "b.test".to_owned()];
    let resolver = Resolver::new(ResolvConf { search, ..ResolvConf::default() }, Hosts::default());
    for (name, search, expected) in [
        ("x", Search::Nowhere, "x"),
        ("x", Search::Domain, "x.a.test x"),
        ("x", Search::Parents, "x"),
        ("x", Search::Everywhere, "x.a.test x.b.test x"),
        ("x.y", Search::Domain, "x.y"),
        ("x.y", Search::Parents, "x.y x.y.a.test x.y.b.test"),
        ("x.", Search::Everywhere, "x"),
    ] {
        assert_eq!(resolver.candidates(name, search).join(" "), expected, "{name} {search:?}");
    }
}

#[test]
fn reverse_names() {
    assert_eq!(reverse_name("127.0.0.2".parse().unwrap()), "2.0.0.127.in-addr.arpa");
    assert!(reverse_name("2001:db8::1".parse().unwrap()).starts_with("1.0.0.0."));
    assert!(reverse_name("2001:db8::1".parse().unwrap()).ends_with(".8.b.d.0.1.0.0.2.ip6.arpa"));
}
