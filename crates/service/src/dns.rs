//! The question of RFC 7050: the AAAA records of `ipv4only.arpa.`, asked of the resolvers learnt on one uplink. The few
//! other names that are looked up there take the same way.
//!
//! When to ask and what the addresses mean is the engine's; here one question is brought to an answer.

mod check;
mod provider;
#[cfg(test)]
pub(crate) mod tests;

use std::net::{IpAddr, Ipv6Addr, SocketAddrV6};
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use hickory_resolver::Resolver;
use hickory_resolver::config::{NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts};
use hickory_resolver::lookup::Lookup;
use hickory_resolver::net::{DnsError, NetError, NoRecords};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::rdata::{AAAA, CNAME};
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use model::DnsAnswer;
use platform_api::UplinkSockets;
use tokio::time::{Instant, sleep, sleep_until};
use tracing::debug;

pub use check::check_points;
use provider::{Uplink, Way};

/// The well-known IPv4-only name (RFC 7050 section 3). Its final dot keeps search lists out.
const NAME: &str = "ipv4only.arpa.";
const PORT: u16 = 53;

/// Time for one question, all resolvers and retransmissions included: as long as common stub resolvers wait for one.
pub const BUDGET: Duration = Duration::from_secs(5);

/// A resolver silent for so long is slow or gone, and asking the next one costs a packet. Longer than a resolver with an
/// empty cache usually needs for this name.
const HEAD_START: Duration = Duration::from_millis(500);

/// After a "no" the other resolvers get this long to know better: one lost packet and its retransmission.
const SECOND_OPINION: Duration = Duration::from_millis(1500);

/// Without an SOA record a "no" says nothing about its life and is not to be kept (RFC 2308 section 5). A minute keeps
/// us from asking such a resolver all the time, and finds a DNS64 that was switched on before people give up.
const NEGATIVE_DEFAULT: Duration = Duration::from_secs(60);

/// Larger values have been found to be mistakes (RFC 2308 section 5); hickory cuts positive answers to the same.
const LONGEST: Duration = Duration::from_secs(86_400);

const SILENCE: &str = "no answer";

/// What came of one question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Records of the name, aliases followed, and the smallest TTL on the way.
    Found(Vec<RData>, Duration),
    /// There are none, for so long.
    Nothing(Duration),
    /// No usable answer, and why.
    Failed(String),
}

/// Asks `servers`, which were learnt on `link`, from sockets bound to `link`, for `budget` at the longest.
///
/// They are asked in their order, each next one as soon as those before it have failed, said no, or been silent for
/// half a second. The first one that has addresses decides; a "no" counts when nobody has any, with the longest life
/// that was given, so that nobody is asked again too soon.
pub async fn ask<S: UplinkSockets>(sockets: &S, link: u32, servers: &[Ipv6Addr], budget: Duration) -> DnsAnswer {
    ask_all(sockets, link, &endpoints(servers, link), budget).await
}

/// [`ask`] with ports of the caller's choice: fuzz targets answer from one of their own.
#[doc(hidden)]
pub async fn ask_all<S: UplinkSockets>(
    sockets: &S,
    link: u32,
    servers: &[SocketAddrV6],
    budget: Duration,
) -> DnsAnswer {
    match look_up(sockets, link, servers, NAME, RecordType::AAAA, budget).await {
        Outcome::Found(records, ttl) => DnsAnswer::Addresses { addresses: addresses(&records), ttl },
        Outcome::Nothing(ttl) => DnsAnswer::Negative { ttl },
        Outcome::Failed(reason) => DnsAnswer::Failed { reason },
    }
}

/// The IPv6 addresses among `records`.
pub(crate) fn addresses(records: &[RData]) -> Vec<Ipv6Addr> {
    let address = |record: &RData| if let RData::AAAA(AAAA(address)) = record { Some(*address) } else { None };
    records.iter().filter_map(address).collect()
}

/// Where `servers` are asked.
pub(crate) fn endpoints(servers: &[Ipv6Addr], link: u32) -> Vec<SocketAddrV6> {
    servers.iter().map(|server| endpoint(*server, link)).collect()
}

fn endpoint(server: Ipv6Addr, link: u32) -> SocketAddrV6 {
    let scope = if server.is_unicast_link_local() { link } else { 0 };
    SocketAddrV6::new(server, PORT, 0, scope)
}

/// Asks for the records `kind` of `name`, which ends with a dot, as [`ask`] does.
pub(crate) async fn look_up<S: UplinkSockets>(
    sockets: &S,
    link: u32,
    servers: &[SocketAddrV6],
    name: &str,
    kind: RecordType,
    budget: Duration,
) -> Outcome {
    let mut deadline = Instant::now() + budget;
    let mut negative: Option<Duration> = None;
    let mut failures = vec![SILENCE.to_owned(); servers.len()];
    let mut waiting = servers.iter().enumerate();
    let mut asked = FuturesUnordered::new();
    loop {
        if let Some((number, &server)) = waiting.next() {
            let way = Way { uplink: Uplink::new(sockets.clone(), link), server };
            asked.push(async move { (number, ask_one(way, name, kind, budget).await) });
        } else if asked.is_empty() {
            break;
        }
        tokio::select! {
            biased;
            Some((number, outcome)) = asked.next() => match outcome {
                Outcome::Found(..) => return outcome,
                Outcome::Nothing(ttl) => {
                    negative = negative.max(Some(ttl));
                    deadline = deadline.min(Instant::now() + SECOND_OPINION);
                }
                Outcome::Failed(reason) => {
                    debug!(link, server = %servers[number], reason, "the resolver is of no help");
                    failures[number] = reason;
                }
            },
            () = sleep_until(deadline) => break,
            () = sleep(HEAD_START), if waiting.len() > 0 => {}
        }
    }
    match negative {
        Some(ttl) => Outcome::Nothing(ttl),
        None if failures.is_empty() => failed("no resolver is known"),
        None => {
            let numbered = failures.iter().zip(1..).map(|(failure, number)| format!("resolver {number}: {failure}"));
            failed(&numbered.collect::<Vec<_>>().join("; "))
        }
    }
}

async fn ask_one<S: UplinkSockets>(way: Way<S>, name: &str, kind: RecordType, budget: Duration) -> Outcome {
    match exchange(way, name, kind, budget).await {
        Ok((name, lookup)) => records(name, kind, &lookup),
        Err(error) => without_records(&error),
    }
}

async fn exchange<S: UplinkSockets>(
    way: Way<S>,
    name: &str,
    kind: RecordType,
    budget: Duration,
) -> Result<(Name, Lookup), NetError> {
    let name = Name::from_ascii(name)?;
    let server = NameServerConfig::udp_and_tcp(IpAddr::V6(*way.server.ip()));
    let config = ResolverConfig::from_parts(None, Vec::new(), vec![server]);
    let mut builder = Resolver::builder_with_config(config, way);
    set(builder.options_mut(), budget);
    let lookup = builder.build()?.lookup(name.clone(), kind).await?;
    Ok((name, lookup))
}

/// A plain question: RD = 1 and CD = 0 (RFC 7050 section 3) are hickory's defaults; validation (RFC 8880 section 7.1
/// forbids it) is not even compiled in.
fn set(options: &mut ResolverOpts, budget: Duration) {
    options.timeout = budget;
    // Retransmission is the transport's; another round would only begin when the budget is over.
    options.attempts = 0;
    options.cache_size = 0;
    options.use_hosts_file = ResolveHosts::Never;
    // Some forwarders still choke on EDNS, and the answer is small: TCP takes those that are not.
    options.edns0 = false;
    // Their TTLs count, too.
    options.preserve_intermediates = true;
}

/// Follows the aliases from `owner` on; records of other names are none of ours.
fn records(mut owner: Name, kind: RecordType, lookup: &Lookup) -> Outcome {
    let mut found = Vec::new();
    let mut ttl = LONGEST;
    for record in lookup.answers() {
        if record.name != owner {
            continue;
        }
        if let RData::CNAME(CNAME(target)) = &record.data {
            owner = target.clone();
        } else if record.record_type() == kind {
            found.push(record.data.clone());
        } else {
            continue;
        }
        ttl = ttl.min(Duration::from_secs(record.ttl.into()));
    }
    if found.is_empty() { failed("an answer about another name") } else { Outcome::Found(found, ttl) }
}

fn without_records(error: &NetError) -> Outcome {
    if let NetError::Dns(DnsError::NoRecordsFound(no)) = error {
        negative(no)
    } else if let NetError::Dns(DnsError::ResponseCode(code)) = error {
        failed(code)
    } else if let NetError::Timeout = error {
        failed(SILENCE)
    } else if let NetError::NoConnections = error {
        // What the system said exactly is in hickory's debug log only.
        failed("cannot be reached")
    } else {
        failed(error)
    }
}

fn negative(no: &NoRecords) -> Outcome {
    let (no_name, no_error) = (ResponseCode::NXDomain, ResponseCode::NoError);
    if no.response_code != no_name && no.response_code != no_error {
        return failed(&no.response_code);
    }
    // RFC 2308 section 2.2: name servers without an SOA are no "no", but "ask them".
    if no.response_code == no_error && no.soa.is_none() && no.ns.is_some() {
        return failed("a referral to other servers");
    }
    let ttl = no.negative_ttl.map_or(NEGATIVE_DEFAULT, |seconds| Duration::from_secs(seconds.into()));
    Outcome::Nothing(ttl.min(LONGEST))
}

fn failed(reason: &(impl ToString + ?Sized)) -> Outcome {
    Outcome::Failed(reason.to_string())
}
