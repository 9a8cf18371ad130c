//! Against a scripted server on the loopback interface.

mod check;
pub(crate) mod server;

use std::io;
use std::net::{TcpStream, UdpSocket};
use std::sync::atomic::{AtomicU32, Ordering};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::runtime::Handle;

use super::*;
use server::{
    NAME as WIRE_NAME, NXDOMAIN, REFUSED, RESPONSE, SAME, SERVFAIL, Server, TRUNCATED, aaaa, cname, gap, ns, soa,
};

pub(crate) const LINK: u32 = 7;
const ALIAS: &[u8] = b"\x05alias\x07example\0";
const SECOND: Duration = Duration::from_secs(1);

/// Ordinary sockets; which interface they are for is checked, the binding to it is the platform's.
#[derive(Clone, Copy)]
pub(crate) struct Loopback;

impl UplinkSockets for Loopback {
    fn udp(&self, link: u32, port: u16) -> io::Result<UdpSocket> {
        assert_eq!(link, LINK);
        let socket = UdpSocket::bind((Ipv6Addr::LOCALHOST, port))?;
        socket.set_nonblocking(true)?;
        Ok(socket)
    }

    fn tcp(&self, link: u32) -> io::Result<TcpStream> {
        assert_eq!(link, LINK);
        let socket = Socket::new(Domain::IPV6, Type::STREAM, Some(Protocol::TCP))?;
        socket.set_nonblocking(true)?;
        Ok(socket.into())
    }
}

async fn ask_them(servers: &[&Server]) -> DnsAnswer {
    let servers: Vec<_> = servers.iter().map(|server| server.address).collect();
    ask_all(&Loopback, LINK, &servers, BUDGET).await
}

fn found(addresses: &[&str], ttl: u64) -> DnsAnswer {
    let addresses = addresses.iter().map(|address| address.parse().unwrap()).collect();
    DnsAnswer::Addresses { addresses, ttl: Duration::from_secs(ttl) }
}

fn none(ttl: u64) -> DnsAnswer {
    DnsAnswer::Negative { ttl: Duration::from_secs(ttl) }
}

fn reason(answer: DnsAnswer) -> String {
    match answer {
        DnsAnswer::Failed { reason } => reason,
        DnsAnswer::Addresses { .. } | DnsAnswer::Negative { .. } => panic!("{answer:?}"),
    }
}

async fn dns64() -> Server {
    Server::start(|_, heard| vec![heard.answer(RESPONSE, &[aaaa(SAME, 600, "64:ff9b::c000:aa")], &[])]).await
}

async fn says(flags: u16, authority: Vec<Vec<u8>>) -> Server {
    Server::start(move |_, heard| vec![heard.answer(flags, &[], &authority)]).await
}

#[tokio::test]
async fn the_question_is_aaaa_of_the_well_known_name_with_rd_and_without_cd() {
    let server = dns64().await;
    assert_eq!(ask_them(&[&server]).await, found(&["64:ff9b::c000:aa"], 600));
    let heard = server.heard();
    assert_eq!(heard.len(), 1);
    // Flags 0x0100: RD and nothing else. One question, no EDNS.
    let rest = [&[1, 0, 0, 1, 0, 0, 0, 0, 0, 0][..], WIRE_NAME, &[0, 28, 0, 1]].concat();
    assert_eq!(heard[0].bytes[2..], rest);
}

#[tokio::test]
async fn ids_and_ports_differ_from_question_to_question() {
    let server = dns64().await;
    for _ in 0..4 {
        ask_them(&[&server]).await;
    }
    let heard = server.heard();
    assert!(heard.iter().any(|other| other.id() != heard[0].id()));
    assert!(heard.iter().any(|other| other.from.port() != heard[0].from.port()));
}

#[tokio::test]
async fn addresses_come_in_received_order_with_the_smallest_ttl() {
    let all = ["2001:db8:2::c000:ab", "64:ff9b::c000:aa", "2001:db8:1::c000:aa"];
    let server = Server::start(move |_, heard| {
        let mut records = vec![aaaa(b"\x05other\x07example\0", 5, "2001:db8::bad")];
        records.extend(all.iter().zip([600, 90, 300]).map(|(address, ttl)| aaaa(SAME, ttl, address)));
        vec![heard.answer(RESPONSE, &records, &[])]
    })
    .await;
    assert_eq!(ask_them(&[&server]).await, found(&all, 90), "and the record of another name is left out");
}

#[tokio::test]
async fn an_alias_is_followed_and_its_ttl_counts() {
    let whole = Server::start(|_, heard| {
        let records = [cname(SAME, 30, ALIAS), aaaa(ALIAS, 600, "64:ff9b::c000:aa")];
        vec![heard.answer(RESPONSE, &records, &[])]
    })
    .await;
    assert_eq!(ask_them(&[&whole]).await, found(&["64:ff9b::c000:aa"], 30));

    let in_two_steps = Server::start(|number, heard| {
        let record = if number == 0 { cname(SAME, 30, ALIAS) } else { aaaa(ALIAS, 600, "64:ff9b::c000:aa") };
        vec![heard.answer(RESPONSE, &[record], &[])]
    })
    .await;
    assert_eq!(ask_them(&[&in_two_steps]).await, found(&["64:ff9b::c000:aa"], 30));
    let second = &in_two_steps.heard()[1].bytes;
    assert!(second[12..].starts_with(ALIAS));
}

#[tokio::test]
async fn no_data_lives_as_long_as_the_smaller_of_soa_ttl_and_minimum() {
    assert_eq!(ask_them(&[&says(RESPONSE, vec![soa(900, 3600)]).await]).await, none(900));
    assert_eq!(ask_them(&[&says(RESPONSE, vec![soa(7200, 1800)]).await]).await, none(1800));
    assert_eq!(ask_them(&[&says(RESPONSE, vec![soa(u32::MAX, u32::MAX)]).await]).await, none(86_400));
    assert_eq!(ask_them(&[&says(RESPONSE, vec![]).await]).await, none(60));
}

#[tokio::test]
async fn no_such_name_is_negative_too() {
    assert_eq!(ask_them(&[&says(NXDOMAIN, vec![soa(900, 300)]).await]).await, none(300));
    assert_eq!(ask_them(&[&says(NXDOMAIN, vec![]).await]).await, none(60));
}

#[tokio::test]
async fn an_alias_to_nothing_is_negative() {
    let server = Server::start(|number, heard| {
        let alias = if number == 0 { vec![cname(SAME, 30, ALIAS)] } else { vec![] };
        vec![heard.answer(RESPONSE, &alias, &[soa(900, 3600)])]
    })
    .await;
    assert_eq!(ask_them(&[&server]).await, none(900));
}

#[tokio::test]
async fn failure_refusal_and_referral_are_no_answer() {
    for (flags, authority) in
        [(SERVFAIL, vec![]), (REFUSED, vec![]), (RESPONSE, vec![ns(b"\x04arpa\0", b"\x01a\x0croot-servers\x03net\0")])]
    {
        let server = says(flags, authority).await;
        let started = Instant::now();
        let reason = reason(ask_them(&[&server]).await);
        assert!(reason.starts_with("resolver 1: ") && !reason.ends_with("no answer"), "{reason}");
        assert!(started.elapsed() < SECOND, "{flags:x} is believed at once");
        assert_eq!(server.heard().len(), 1);
    }
}

#[tokio::test]
async fn the_next_resolver_is_asked_at_once_when_one_fails() {
    let (broken, refusing, good) = (says(SERVFAIL, vec![]).await, says(REFUSED, vec![]).await, dns64().await);
    let started = Instant::now();
    assert_eq!(ask_them(&[&broken, &refusing, &good]).await, found(&["64:ff9b::c000:aa"], 600));
    assert!(started.elapsed() < HEAD_START);
}

#[tokio::test]
async fn a_truncated_answer_is_asked_for_again_over_tcp() {
    let server = Server::start(|_, heard| {
        let records: Vec<_> = (0..40).map(|number| aaaa(SAME, 600, &format!("2001:db8:{number}::c000:aa"))).collect();
        vec![if heard.tcp {
            heard.answer(RESPONSE, &records, &[])
        } else {
            heard.answer(TRUNCATED, &records[..1], &[])
        }]
    })
    .await;
    let DnsAnswer::Addresses { addresses, .. } = ask_them(&[&server]).await else { panic!() };
    assert_eq!(addresses.len(), 40);
    let over: Vec<_> = server.heard().iter().map(|heard| heard.tcp).collect();
    assert_eq!(over, [false, true]);
}

#[tokio::test]
async fn a_truncated_answer_without_tcp_is_a_failure() {
    let server = Server::udp_only(|_, heard| vec![heard.answer(TRUNCATED, &[], &[])]).await;
    let reason = reason(ask_them(&[&server]).await);
    assert!(reason.contains("truncated"), "{reason}");
}

#[tokio::test]
async fn one_lost_packet_costs_about_a_second() {
    let server = Server::start(|number, heard| {
        if number == 0 { vec![] } else { vec![heard.answer(RESPONSE, &[aaaa(SAME, 600, "64:ff9b::c000:aa")], &[])] }
    })
    .await;
    let started = Instant::now();
    assert_eq!(ask_them(&[&server]).await, found(&["64:ff9b::c000:aa"], 600));
    assert!(started.elapsed() < Duration::from_millis(1500), "{:?}", started.elapsed());
    let [first, second] = &server.heard()[..] else { panic!() };
    assert!(gap(first, second) > Duration::from_millis(900));
}

#[tokio::test]
async fn a_late_answer_to_the_first_packet_still_counts() {
    let held = std::sync::Mutex::new(Vec::new());
    let server = Server::start(move |number, heard| {
        let mut held = held.lock().unwrap();
        held.push(heard.answer(RESPONSE, &[aaaa(SAME, 600, "64:ff9b::c000:aa")], &[]));
        if number == 0 { vec![] } else { vec![held.remove(0)] }
    })
    .await;
    assert_eq!(ask_them(&[&server]).await, found(&["64:ff9b::c000:aa"], 600));
}

#[tokio::test]
async fn silence_is_met_with_one_packet_a_second_until_the_budget_is_over() {
    let (first, second) = (Server::silent().await, Server::silent().await);
    let started = Instant::now();
    assert_eq!(reason(ask_them(&[&first, &second]).await), "resolver 1: no answer; resolver 2: no answer");
    let took = started.elapsed();
    assert!(took > BUDGET - Duration::from_millis(100) && took < BUDGET + Duration::from_millis(500), "{took:?}");
    assert_eq!((first.heard().len(), second.heard().len()), (5, 5));
    assert!(first.heard().windows(2).all(|pair| gap(&pair[0], &pair[1]) > Duration::from_millis(900)));
}

#[tokio::test]
async fn a_silent_resolver_costs_half_a_second_when_there_is_another() {
    let (silent, good) = (Server::silent().await, dns64().await);
    let started = Instant::now();
    assert_eq!(ask_them(&[&silent, &good]).await, found(&["64:ff9b::c000:aa"], 600));
    assert!(started.elapsed() >= HEAD_START && started.elapsed() < SECOND, "{:?}", started.elapsed());
    assert_eq!(silent.heard().len(), 1);
}

#[tokio::test]
async fn a_slow_first_resolver_still_wins_when_the_second_says_no() {
    let slow = Server::start(|number, heard| {
        if number == 0 { vec![] } else { vec![heard.answer(RESPONSE, &[aaaa(SAME, 600, "64:ff9b::c000:aa")], &[])] }
    })
    .await;
    let plain = says(RESPONSE, vec![soa(900, 900)]).await;
    assert_eq!(ask_them(&[&slow, &plain]).await, found(&["64:ff9b::c000:aa"], 600));
}

#[tokio::test]
async fn a_no_counts_when_nobody_knows_better_in_time() {
    let (plain, silent, longer) =
        (says(RESPONSE, vec![soa(60, 60)]).await, Server::silent().await, says(NXDOMAIN, vec![soa(900, 900)]).await);
    let started = Instant::now();
    assert_eq!(
        ask_them(&[&plain, &silent, &longer]).await,
        none(900),
        "the longer life, so that nobody is asked early"
    );
    assert!(started.elapsed() < SECOND_OPINION + HEAD_START, "{:?}", started.elapsed());
    assert_eq!((plain.heard().len(), longer.heard().len()), (1, 1));
}

#[tokio::test]
async fn garbage_is_a_failure_and_a_scrap_is_ignored() {
    let server = Server::start(|_, heard| {
        let garbage = [&heard.id()[..], &[0x81, 0x80, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xc0, 0x0c, 1]].concat();
        vec![vec![0x55], garbage]
    })
    .await;
    let started = Instant::now();
    let reason = reason(ask_them(&[&server]).await);
    assert!(!reason.ends_with("no answer"), "{reason}");
    assert!(started.elapsed() < SECOND);
}

#[tokio::test]
async fn a_cut_answer_never_becomes_addresses() {
    for cut in 2..19 + 28 {
        let server = Server::start(move |_, heard| {
            vec![heard.answer(RESPONSE, &[aaaa(SAME, 600, "64:ff9b::c000:aa")], &[])[..12 + cut].to_vec()]
        })
        .await;
        let answer = ask_all(&Loopback, LINK, &[server.address], Duration::from_millis(300)).await;
        assert!(matches!(answer, DnsAnswer::Failed { .. }), "cut at {cut}: {answer:?}");
    }
}

#[tokio::test]
async fn answers_with_a_wrong_id_another_question_or_from_elsewhere_are_ignored() {
    let server = Server::start(|_, heard| {
        let forged = |change: &dyn Fn(&mut Vec<u8>)| {
            let mut message = heard.answer(RESPONSE, &[aaaa(SAME, 600, "2001:db8:bad::c000:aa")], &[]);
            change(&mut message);
            message
        };
        let elsewhere = UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)).unwrap();
        elsewhere.send_to(&forged(&|_| {}), heard.from).unwrap();
        vec![
            forged(&|message| message[1] ^= 1),
            forged(&|message| message[13] = b'x'),
            heard.answer(RESPONSE, &[aaaa(SAME, 600, "64:ff9b::c000:aa")], &[]),
        ]
    })
    .await;
    assert_eq!(ask_them(&[&server]).await, found(&["64:ff9b::c000:aa"], 600));
}

/// Refuses, and counts how often it had to.
#[derive(Clone, Copy)]
struct Refusing(&'static AtomicU32);

impl UplinkSockets for Refusing {
    fn udp(&self, _: u32, _: u16) -> io::Result<UdpSocket> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Err(io::ErrorKind::NetworkUnreachable.into())
    }

    fn tcp(&self, _: u32) -> io::Result<TcpStream> {
        Err(io::ErrorKind::NetworkUnreachable.into())
    }
}

#[tokio::test]
async fn an_uplink_that_is_gone_is_a_failure_at_once() {
    static TRIES: AtomicU32 = AtomicU32::new(0);
    let started = Instant::now();
    let said = reason(ask(&Refusing(&TRIES), LINK, &[Ipv6Addr::LOCALHOST; 2], BUDGET).await);
    assert_eq!(said, "resolver 1: cannot be reached; resolver 2: cannot be reached");
    assert!(started.elapsed() < HEAD_START);
    assert_eq!(TRIES.load(Ordering::Relaxed), 2);
    let reason = reason(ask(&Refusing(&TRIES), LINK, &[], BUDGET).await);
    assert_eq!(reason, "no resolver is known");
}

#[tokio::test]
async fn nothing_runs_on_after_the_answer() {
    let (silent, good) = (Server::silent().await, dns64().await);
    let before = Handle::current().metrics().num_alive_tasks();
    ask_them(&[&silent, &good]).await;
    ask_all(&Loopback, LINK, &[silent.address], Duration::from_millis(100)).await;
    sleep(Duration::from_millis(50)).await;
    assert_eq!(Handle::current().metrics().num_alive_tasks(), before);
}

#[test]
fn a_link_local_resolver_is_reached_through_its_link() {
    let resolver = |address: &str| endpoint(address.parse().unwrap(), LINK);
    assert_eq!(resolver("fe80::1"), SocketAddrV6::new("fe80::1".parse().unwrap(), 53, 0, LINK));
    assert_eq!(resolver("2001:db8::53"), SocketAddrV6::new("2001:db8::53".parse().unwrap(), 53, 0, 0));
}

#[test]
fn a_question_may_be_asked_from_a_task() {
    fn task(_: impl Future<Output = DnsAnswer> + Send + 'static) {}
    task(async move { ask(&Loopback, LINK, &[], BUDGET).await });
}
