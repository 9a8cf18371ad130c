//! The programs in the kernel that runs this, in a network namespace of the test's own.

use platform_api::{PlaneIo, TunDevice};
use rustix::thread::{CapabilitySet, CapabilitySets, set_capabilities};

use super::*;
use crate::LinuxIo;
use crate::io::namespace::{in_a_network, ip};

fn loaded() -> LinuxFast {
    LinuxFast::load().unwrap()
}

#[test]
fn super_packets_come_through_this_kernel() {
    in_a_network(|| {
        let tun = LinuxIo.open_tun().unwrap();
        ip("link add dev eth0 type veth peer name far");
        let link = index("eth0").unwrap();
        let fast = loaded();
        let there = std::thread::scope(|scope| {
            // As the service does: the tunnel is switched on while it is waited for.
            let attaching = scope.spawn(|| fast.attach(tun.id(), &[link]));
            std::thread::sleep(Duration::from_millis(50));
            ip("link set everclat0 up");
            attaching.join().unwrap()
        });
        assert_eq!(there, Ok(vec![link]));
        assert_eq!(fast.flows(), []);
        assert_eq!(fast.totals(), FastTotals::default());
        // Once tried, trusted; and what is gone is no obstacle.
        assert_eq!(fast.attach(tun.id(), &[link, 4_000_000]), Ok(vec![link]));
        assert_eq!(fast.attach(tun.id(), &[]), Ok(vec![]));
    });
}

fn index(name: &str) -> io::Result<u32> {
    let socket = std::net::UdpSocket::bind("[::]:0")?;
    Ok(rustix::net::netdevice::name_to_index(socket.as_fd(), name)?)
}

#[test]
fn flows_come_and_go() {
    let fast = match LinuxFast::load() {
        Err(refusal) if refusal.reason == FastReason::Permission => {
            eprintln!("SKIPPED: may not load programs; run as root");
            return;
        }
        loaded => loaded.unwrap(),
    };
    let key = |port| FlowKey { peer: [198, 51, 100, 7].into(), port, peer_port: 443, protocol: 6 };
    fast.start(&trial::config(7)).unwrap();
    fast.admit(&key(1), &FastSeed { expects: 7, end: 9, udp_gso: false }).unwrap();
    fast.admit(&key(2), &FastSeed::default()).unwrap();
    let mut flows = fast.flows();
    flows.sort_by_key(|(key, _)| key.port);
    assert_eq!(flows.iter().map(|(key, flow)| (key.port, flow.expects)).collect::<Vec<_>>(), [(1, 7), (2, 0)]);
    assert!(flows.iter().all(|(_, flow)| flow.answered.is_none() && flow.sent < Duration::from_secs(10)));
    fast.remove(&key(2));
    fast.remove(&key(3));
    assert_eq!(fast.flows().len(), 1);
    fast.clear();
    assert_eq!(fast.flows(), []);
    for port in 0..4096 {
        fast.admit(&key(port), &FastSeed::default()).unwrap();
    }
    assert!(fast.admit(&key(5000), &FastSeed::default()).is_err(), "there is an end");
    let mut ports: Vec<u16> = fast.flows().iter().map(|(key, _)| key.port).collect();
    ports.sort_unstable();
    assert_eq!(ports, (0..4096).collect::<Vec<u16>>(), "each of them once");
    fast.clear();
    assert_eq!(fast.flows(), []);
    fast.hold(true);
    fast.hold(false);
    fast.stop();
}

/// Loads with no other capabilities than these.
fn loads_with(capabilities: CapabilitySet) -> Result<(), FastReason> {
    let load = || {
        let sets =
            CapabilitySets { effective: capabilities, permitted: capabilities, inheritable: CapabilitySet::empty() };
        set_capabilities(None, sets).unwrap();
        LinuxFast::load().map(drop).map_err(|refusal| refusal.reason)
    };
    // Capabilities are a thread's own.
    std::thread::scope(|scope| scope.spawn(load).join().unwrap())
}

#[test]
fn it_needs_one_capability_more_and_says_so() {
    if !rustix::thread::capabilities(None).unwrap().permitted.contains(CapabilitySet::BPF) {
        eprintln!("SKIPPED: has no capabilities to give away; run as root");
        return;
    }
    let without = CapabilitySet::NET_ADMIN | CapabilitySet::NET_RAW;
    assert_eq!(loads_with(without | CapabilitySet::BPF), Ok(()));
    assert_eq!(loads_with(without), Err(FastReason::Permission));
}
