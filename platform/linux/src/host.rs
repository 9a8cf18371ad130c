use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddrV6};

use futures::{Stream, TryStreamExt};
use ipnet::IpNet;
use model::{Applied, HostIntent, MacAddress, NetworkSnapshot, StepFailure};
use netlink_packet_route::AddressFamily;
use netlink_packet_route::address::AddressMessage;
use netlink_packet_route::link::{AfSpecInet6, AfSpecUnspec, In6AddrGenMode, LinkAttribute, LinkFlags, LinkMessage};
use netlink_packet_route::neighbour::NeighbourFlags;
use netlink_packet_route::route::{RouteAttribute, RouteMessage, RouteMetric, RouteScope, RouteType};
use platform_api::{EVENT_QUEUE, Host, HostError, HostEvent, Observe, TunId};
use rtnetlink::{Handle, LinkUnspec, RouteMessageBuilder};
use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use tokio::sync::{mpsc, watch};
use tracing::warn;

use crate::codec;
use crate::io::LinuxSockets;
use crate::news::{self, NewsLinks, Places};
use crate::plan::{Own, OwnTun, Step, in_place, plan};
use crate::routers::{self, Unheard};
use crate::{ROUTE_PROTOCOL, TUN_NAME, listen, sleep};

const ALL_ROUTERS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 2);
const EXISTS: i32 = libc::EEXIST;
const ABSENT: [i32; 3] = [libc::ESRCH, libc::ENODEV, libc::EADDRNOTAVAIL];

/// The host through rtnetlink.
pub struct LinuxHost {
    netlink: Handle,
    unheard: Unheard,
    links: watch::Sender<NewsLinks>,
    /// What of ours the last snapshot saw.
    seen: Option<Own>,
}

impl std::fmt::Debug for LinuxHost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LinuxHost").finish_non_exhaustive()
    }
}

impl LinuxHost {
    /// Connects to the kernel; must be called inside the runtime.
    ///
    /// # Errors
    /// When the kernel refuses a netlink socket.
    pub fn connect() -> Result<Self, HostError> {
        let (connection, netlink, _) =
            rtnetlink::new_connection().map_err(|error| HostError::new("open a netlink socket", error))?;
        tokio::spawn(connection);
        Ok(Self { netlink, unheard: Unheard::default(), links: watch::Sender::default(), seen: None })
    }

    /// What is of ours, with `tun` as our tunnel.
    async fn own(&self, tun: Option<u32>) -> Result<Own, HostError> {
        let (mut links, mut addresses) = (Vec::new(), Vec::new());
        if let Some(index) = tun {
            links = collect("read the tunnel", self.netlink.link().get().match_index(index).execute()).await?;
            addresses = collect("list addresses", self.netlink.address().get().execute()).await?;
        }
        Ok(own_of(tun, &links, &addresses, &self.routes().await?))
    }

    async fn routes(&self) -> Result<Vec<RouteMessage>, HostError> {
        let mut all = Vec::new();
        for family in [AddressFamily::Inet, AddressFamily::Inet6] {
            let mut request = RouteMessage::default();
            request.header.address_family = family;
            all.extend(collect("list routes", self.netlink.route().get(request).execute()).await?);
        }
        Ok(all)
    }

    async fn execute(&self, step: &Step) -> Result<(), rtnetlink::Error> {
        match *step {
            Step::Link { index, mtu } => {
                // Before it goes up, or the kernel has given it a link-local IPv6 address already.
                let no_ipv6 = LinkAttribute::AfSpecUnspec(vec![AfSpecUnspec::Inet6(vec![AfSpecInet6::AddrGenMode(
                    In6AddrGenMode::None,
                )])]);
                let quiet = LinkUnspec::new_with_index(index).mtu(mtu).append_extra_attribute(no_ipv6).build();
                self.netlink.link().set(quiet).execute().await?;
                self.netlink.link().set(LinkUnspec::new_with_index(index).up().build()).execute().await
            }
            Step::AddAddress { index, address } => {
                tolerate(self.netlink.address().add(index, IpAddr::V4(address), 32).execute().await, &[EXISTS])
            }
            Step::SetDefault { index, gateway, source, metric, mtu } => {
                let mut route = ours(RouteMessageBuilder::<Ipv4Addr>::new())
                    .gateway(gateway)
                    .onlink()
                    .pref_source(source)
                    .output_interface(index)
                    .priority(metric)
                    .build();
                route.attributes.push(RouteAttribute::Metrics(vec![RouteMetric::Mtu(mtu)]));
                self.netlink.route().add(route).replace().execute().await
            }
            Step::AddBlackhole(address) => {
                let route = ours(RouteMessageBuilder::<Ipv6Addr>::new())
                    .destination_prefix(address, 128)
                    .kind(RouteType::BlackHole)
                    .build();
                tolerate(self.netlink.route().add(route).execute().await, &[EXISTS])
            }
            Step::DeleteDefault { index, metric } => {
                let route = ours(RouteMessageBuilder::<Ipv4Addr>::new())
                    .output_interface(index)
                    .priority(metric)
                    .scope(RouteScope::NoWhere)
                    .build();
                tolerate(self.netlink.route().del(route).execute().await, &ABSENT)
            }
            Step::DeleteAddress { index, address } => {
                let message = rtnetlink::AddressMessageBuilder::<Ipv4Addr>::new()
                    .index(index)
                    .address(address.addr(), address.prefix_len())
                    .build();
                tolerate(self.netlink.address().del(message).execute().await, &ABSENT)
            }
            Step::DeleteBlackhole(net) => {
                let route = ours(RouteMessageBuilder::<Ipv6Addr>::new())
                    .destination_prefix(net.addr(), net.prefix_len())
                    .kind(RouteType::BlackHole)
                    .build();
                tolerate(self.netlink.route().del(route).execute().await, &ABSENT)
            }
        }
    }

    /// The interface by which both halves of IPv4 leave.
    async fn ipv4_through(&self) -> Option<u32> {
        let mut through = None;
        for destination in model::IPV4_HALVES {
            let request = RouteMessageBuilder::<Ipv4Addr>::new().destination_prefix(destination, 32).build();
            let answer = self.netlink.route().get(request).execute().try_next().await.ok().flatten()?;
            let link = codec::route_lookup(&answer)?.link;
            if through.is_some_and(|first| first != link) {
                return None;
            }
            through = Some(link);
        }
        through
    }

    async fn lookup(&self, destination: Ipv6Addr) -> Option<model::RouteLookup> {
        let request = RouteMessageBuilder::<Ipv6Addr>::new().destination_prefix(destination, 128).build();
        // An error is the kernel's word for "unreachable".
        let answer = self.netlink.route().get(request).execute().try_next().await.ok().flatten()?;
        codec::route_lookup(&answer)
    }
}

impl Observe for LinuxHost {
    fn subscribe(&mut self) -> Result<mpsc::Receiver<HostEvent>, HostError> {
        let (sender, receiver) = mpsc::channel(EVENT_QUEUE);
        listen::listen(sender.clone())?;
        routers::listen(self.unheard.clone(), sender.clone())
            .map_err(|error| HostError::new("listen to routers where the kernel does not", error))?;
        if let Err(error) = sleep::listen(sender.clone()) {
            warn!(%error, "not told of sleep; late timers will tell");
        }
        news::listen(Places::default(), self.links.subscribe(), sender);
        Ok(receiver)
    }

    async fn snapshot(&mut self, lookups: &[Ipv6Addr], own: Option<&TunId>) -> Result<NetworkSnapshot, HostError> {
        let own = own.map(|tun| tun.index);
        let mut snapshot = NetworkSnapshot::default();
        let links: Vec<_> = collect("list interfaces", self.netlink.link().get().execute()).await?;
        for link in links.iter().filter_map(codec::link).filter(|link| Some(link.index) != own) {
            snapshot.links.insert(link.index, link);
        }
        snapshot.blinks = links.iter().filter_map(codec::blinks).filter(|(link, _)| Some(*link) != own).collect();
        let unheard = links.iter().filter(|link| !codec::hears_routers(link)).map(|link| link.header.index).collect();
        if let Ok(mut known) = self.unheard.lock() {
            *known = unheard;
        }
        let addresses: Vec<_> = collect("list addresses", self.netlink.address().get().execute()).await?;
        for (of, at) in addresses.iter().filter_map(codec::refreshed) {
            let newest = snapshot.refreshed.entry(of).or_insert(at);
            *newest = at.max(*newest);
        }
        for (index, address) in addresses.iter().filter_map(codec::address) {
            if let Some(link) = snapshot.links.get_mut(&index) {
                link.addresses.push(address);
            }
        }
        let routes = self.routes().await?;
        for message in &routes {
            snapshot.routes.extend(codec::route(message).into_iter().filter(|route| Some(route.link) != own));
        }
        self.seen = Some(own_of(own, &links, &addresses, &routes));
        let neighbours: Vec<_> = collect(
            "list neighbours",
            self.netlink.neighbours().get().set_address_family(AddressFamily::Inet6).execute(),
        )
        .await?;
        // Only routers can be a gateway; all others come and go without meaning anything to us.
        let gateways: Vec<Ipv6Addr> = snapshot
            .routes
            .iter()
            .filter_map(|route| match route.gateway {
                Some(IpAddr::V6(gateway)) => Some(gateway),
                Some(IpAddr::V4(_)) | None => None,
            })
            .collect();
        for &destination in lookups {
            if let Some(lookup) = self.lookup(destination).await {
                snapshot.lookups.insert(destination, lookup);
            }
        }
        snapshot.ipv4_through = self.ipv4_through().await.filter(|link| Some(*link) != own);
        snapshot.neighbours = neighbours.iter().filter_map(codec::neighbour).collect();
        snapshot.neighbours.retain(|neighbour| {
            gateways.contains(&neighbour.address)
                || snapshot.lookups.values().any(|lookup| lookup.gateway == Some(neighbour.address))
        });
        snapshot.neighbours.sort_unstable_by_key(|neighbour| (neighbour.link, neighbour.address));
        let links = news::links(&snapshot);
        self.links.send_if_modified(|known| {
            let changed = *known != links;
            *known = links;
            changed
        });
        Ok(snapshot)
    }
}

impl Host for LinuxHost {
    type Sockets = LinuxSockets;

    fn sockets(&self) -> LinuxSockets {
        LinuxSockets
    }

    async fn apply(&mut self, intent: &HostIntent, own: Option<&TunId>) -> Applied {
        let mut applied = Applied { generation: intent.generation, ..Applied::default() };
        let own = own.map(|tun| tun.index);
        let before = match self.own(own).await {
            Ok(before) => before,
            Err(error) => {
                applied.failures.push(StepFailure { step: error.attempt, error: error.source.to_string() });
                return applied;
            }
        };
        for step in plan(intent, &before) {
            if let Err(error) = self.execute(&step).await {
                applied.failures.push(StepFailure { step: step.to_string(), error: text(&error) });
            }
        }
        match self.own(own).await {
            Ok(after) => {
                let failures = std::mem::take(&mut applied.failures);
                applied = Applied { failures, ..in_place(intent, &after) };
            }
            Err(error) => {
                applied.failures.push(StepFailure { step: error.attempt, error: error.source.to_string() });
            }
        }
        applied
    }

    fn in_place(&self, intent: &HostIntent) -> Option<Applied> {
        self.seen.as_ref().filter(|own| own.tun.is_some()).map(|own| in_place(intent, own))
    }

    async fn cleanup_stale(&mut self) -> Result<Vec<String>, HostError> {
        let links: Vec<_> = collect("list interfaces", self.netlink.link().get().execute()).await?;
        let tunnel = links.iter().filter_map(codec::link).find(|link| link.name == TUN_NAME);
        // A tunnel has a carrier exactly while a process holds it.
        if tunnel.as_ref().is_some_and(|tunnel| tunnel.carrier) {
            let attempt = format!("start beside another everclatd that holds {TUN_NAME} in this network namespace");
            return Err(HostError::new(attempt, io::ErrorKind::ResourceBusy.into()));
        }
        let mut removed = Vec::new();
        if let Some(tunnel) = tunnel {
            self.netlink
                .link()
                .del(tunnel.index)
                .execute()
                .await
                .map_err(|error| HostError::new(format!("remove the stale {TUN_NAME}"), io_error(&error)))?;
            removed.push(format!("interface {TUN_NAME}"));
        }
        let own = self.own(None).await?;
        for step in plan(&HostIntent::default(), &own) {
            self.execute(&step).await.map_err(|error| HostError::new(step.to_string(), io_error(&error)))?;
            removed.push(step.to_string());
        }
        Ok(removed)
    }

    fn solicit_routers(&mut self, link: u32, mac: Option<MacAddress>) -> Result<(), HostError> {
        send_router_solicitation(link, mac)
            .map_err(|error| HostError::new(format!("send a router solicitation on interface {link}"), error))
    }

    async fn resolve_neighbour(&mut self, link: u32, address: Ipv6Addr) -> Result<(), HostError> {
        // NTF_USE has the kernel resolve as if it had a packet to send; it answers with a notification.
        let result = self
            .netlink
            .neighbours()
            .add(link, IpAddr::V6(address))
            .state(netlink_packet_route::neighbour::NeighbourState::None)
            .flags(NeighbourFlags::Use)
            .replace()
            .execute()
            .await;
        result.map_err(|error| HostError::new(format!("resolve {address} on interface {link}"), io_error(&error)))
    }
}

/// What of all this is ours, with `tun` as our tunnel.
fn own_of(tun: Option<u32>, links: &[LinkMessage], addresses: &[AddressMessage], routes: &[RouteMessage]) -> Own {
    let message = links.iter().find(|message| Some(message.header.index) == tun);
    let tun = message.map(|message| {
        let mtu = message
            .attributes
            .iter()
            .find_map(|attribute| if let LinkAttribute::Mtu(mtu) = attribute { Some(*mtu) } else { None });
        let held = addresses.iter().filter_map(codec::address).filter(|(link, _)| *link == message.header.index);
        let v4 = held.filter_map(|(_, address)| match address.net {
            IpNet::V4(net) => Some(net),
            IpNet::V6(_) => None,
        });
        OwnTun {
            index: message.header.index,
            up: message.header.flags.contains(LinkFlags::Up),
            mtu: mtu.unwrap_or_default(),
            addresses: v4.collect(),
        }
    });
    Own { tun, routes: routes.iter().filter_map(codec::own_route).collect() }
}

/// Collects a dump; an interrupted or failed one is an error as a whole, never half a list.
async fn collect<T>(attempt: &str, dump: impl Stream<Item = Result<T, rtnetlink::Error>>) -> Result<Vec<T>, HostError> {
    dump.try_collect().await.map_err(|error| HostError::new(attempt, io_error(&error)))
}

trait OurRoute: Sized {
    fn mark(self) -> Self;
}

impl OurRoute for RouteMessageBuilder<Ipv4Addr> {
    fn mark(self) -> Self {
        self.protocol(ROUTE_PROTOCOL.into())
    }
}

impl OurRoute for RouteMessageBuilder<Ipv6Addr> {
    fn mark(self) -> Self {
        self.protocol(ROUTE_PROTOCOL.into())
    }
}

/// Marks a route as ours, so that a fresh process without memory can find it.
fn ours<R: OurRoute>(builder: R) -> R {
    builder.mark()
}

/// Done already is done.
fn tolerate(result: Result<(), rtnetlink::Error>, codes: &[i32]) -> Result<(), rtnetlink::Error> {
    match result {
        Err(rtnetlink::Error::NetlinkError(message)) if codes.contains(&-message.raw_code()) => Ok(()),
        other => other,
    }
}

fn io_error(error: &rtnetlink::Error) -> io::Error {
    if let rtnetlink::Error::NetlinkError(message) = error {
        return message.to_io();
    }
    io::Error::other(error.to_string())
}

fn text(error: &rtnetlink::Error) -> String {
    io_error(error).to_string()
}

/// RFC 4861 section 4.1. The kernel fills in source address and checksum.
fn send_router_solicitation(link: u32, mac: Option<MacAddress>) -> io::Result<()> {
    let socket = Socket::new(Domain::IPV6, Type::RAW, Some(Protocol::ICMPV6))?;
    socket.set_multicast_hops_v6(255)?;
    socket.set_multicast_if_v6(link)?;
    // A host that forwards is itself one of all routers; hearing itself it would list itself as a neighbour.
    socket.set_multicast_loop_v6(false)?;
    // Nothing is read from it, so nothing may pile up in it.
    socket.set_recv_buffer_size(0)?;
    let mut message = vec![133, 0, 0, 0, 0, 0, 0, 0];
    if let Some(mac) = mac {
        message.extend([1, 1]);
        message.extend(mac.0);
    }
    socket.send_to(&message, &SockAddr::from(SocketAddrV6::new(ALL_ROUTERS, 0, 0, link)))?;
    Ok(())
}
