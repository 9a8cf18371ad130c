//! Answers of resolvers: the whole way from the socket to prefixes.

use std::cell::RefCell;
use std::io;
use std::net::{Ipv6Addr, SocketAddr, SocketAddrV6, TcpStream, UdpSocket};
use std::time::Duration;

use everclat_service::dns::ask_all;
use model::DnsAnswer;
use platform_api::UplinkSockets;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::runtime::{Builder, Runtime};
use tokio::time::{pause, timeout};

/// What hickory may take for one question, on a clock that jumps ahead when all wait.
const BUDGET: Duration = Duration::from_secs(1);

/// Ordinary sockets on the loopback interface.
#[derive(Clone, Copy)]
struct Loopback;

impl UplinkSockets for Loopback {
    fn udp(&self, _: u32, port: u16) -> io::Result<UdpSocket> {
        let socket = UdpSocket::bind((Ipv6Addr::LOCALHOST, port))?;
        socket.set_nonblocking(true)?;
        Ok(socket)
    }

    fn tcp(&self, _: u32) -> io::Result<TcpStream> {
        let socket = Socket::new(Domain::IPV6, Type::STREAM, Some(Protocol::TCP))?;
        socket.set_nonblocking(true)?;
        Ok(socket.into())
    }
}

thread_local! {
    static RUNTIME: RefCell<Option<Runtime>> = const { RefCell::new(None) };
}

/// An input is: a byte whose lowest bit says that the question is to be repeated, and what follows the identification,
/// or flags, three counts and what follows the question. The same is a question's answer over and over.
pub fn dns_answers(input: &[u8]) {
    RUNTIME.with_borrow_mut(|runtime| {
        let runtime = runtime
            .get_or_insert_with(|| Builder::new_current_thread().enable_all().build().expect("a runtime for tests"));
        let answer = runtime.block_on(asked(input));
        judge(answer);
    });
}

async fn asked(input: &[u8]) -> DnsAnswer {
    let socket = tokio::net::UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)).await.expect("a port of our own");
    let Ok(SocketAddr::V6(address)) = socket.local_addr() else { unreachable!("bound to IPv6") };
    let server = SocketAddrV6::new(*address.ip(), address.port(), 0, 0);
    let answering = async {
        let mut question = [0; 512];
        // More than hickory sends.
        for _ in 0..20 {
            let Ok((length, from)) = socket.recv_from(&mut question).await else { break };
            if let Some(message) = message(input, &question[..length]) {
                // The asker may have gone.
                let _sent = socket.send_to(&message, from).await;
            }
        }
        std::future::pending::<()>().await;
    };
    pause();
    let servers = [server];
    let answer = tokio::select! {
        answer = timeout(BUDGET * 10, ask_all(&Loopback, 1, &servers, BUDGET)) => answer,
        () = answering => unreachable!("it waits for ever"),
    };
    tokio::time::resume();
    answer.expect("a question ends within its budget")
}

fn message(input: &[u8], question: &[u8]) -> Option<Vec<u8>> {
    let (mode, rest) = input.split_first()?;
    let mut message = question.get(..2)?.to_vec();
    if mode & 1 == 0 {
        message.extend(rest);
        return Some(message);
    }
    let (head, records) = rest.split_at_checked(8)?;
    message.extend(&head[..2]);
    message.extend([0, 1]);
    message.extend(&head[2..8]);
    message.extend(&question[12..]);
    message.extend(records);
    Some(message)
}

fn judge(answer: DnsAnswer) {
    let most = Duration::from_secs(86_400);
    match answer {
        DnsAnswer::Addresses { addresses, ttl } => {
            assert!(!addresses.is_empty() && ttl <= most);
            let prefixes = engine::fuzzing::prefixes(&addresses);
            for prefix in &prefixes {
                // RFC 7050 section 3: one of the two well-known addresses stands in one of the answers.
                let named = |last: u8| addresses.iter().any(|a| prefix.extract(*a) == Some([192, 0, 0, last].into()));
                assert!(named(170) || named(171), "{prefix} is in none of {addresses:?}");
            }
            let mut distinct = prefixes.clone();
            distinct.dedup();
            assert_eq!(distinct, prefixes);
            assert!(prefixes.iter().all(super::can_be_a_nat64s));
            let is_synthesised = !prefixes.is_empty() || engine::fuzzing::refusal(&addresses).is_some();
            assert!(!is_synthesised || !engine::fuzzing::is_captured(&addresses));
        }
        DnsAnswer::Negative { ttl } => assert!(ttl <= most),
        DnsAnswer::Failed { reason } => assert!(!reason.is_empty()),
    }
}
