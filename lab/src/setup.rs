//! Namespaces, links, addresses and routes: making them, changing them, taking them away.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context;

use crate::config::LabConfig;
use crate::control::{self, Request};
use crate::error::{Error, Result};
use crate::netns::{Netns, ip_batch, output, with_input};
use crate::plan::{self, CORE, GATEWAY, LAN, Plan, Port, Site, mac_text, server_v6};
use crate::state::{State, Translator};
use crate::{process, tools};

const ETC_NETNS: &str = "/etc/netns";
/// DAD takes a second; the rest is for a busy machine.
const HOST_READY: Duration = Duration::from_secs(10);
const CALL_AGAIN: Duration = Duration::from_millis(50);

/// Something broken on the network side of an uplink.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Packets to every translated prefix vanish: the PLAT is dead, the gateway lives.
    Nat64Dead,
    /// The router neither hears nor says anything on the link, neighbour discovery included; the carrier stays.
    RouterMute,
}

/// Makes the namespaces and the run directory.
pub(crate) fn create(plan: &Plan) -> Result<()> {
    let directory = plan.run_dir();
    fs::create_dir_all(&directory).with_context(|| format!("creating {}", directory.display()))?;
    let lines: Vec<_> = plan.namespaces().iter().map(|netns| format!("netns add {}", netns.name())).collect();
    ip_batch(&[], &lines)?;
    write_resolv_conf(plan)
}

/// Programs started in the host by `ip netns exec` see the routers' DNS servers, best uplink first.
fn write_resolv_conf(plan: &Plan) -> Result<()> {
    let directory = etc_directory(&plan.host);
    let servers = plan.sites.iter().filter(|site| site.uplink.rdnss);
    let text: String = servers.map(|site| format!("nameserver {}\n", site.dns())).collect();
    let write = || fs::create_dir_all(&directory).and_then(|()| fs::write(directory.join("resolv.conf"), text));
    Ok(write().with_context(|| format!("writing {}/resolv.conf", directory.display()))?)
}

fn etc_directory(netns: &Netns) -> PathBuf {
    Path::new(ETC_NETNS).join(netns.name())
}

/// Everything but the services; the host's side of the cables stays down.
pub(crate) fn connect(plan: &Plan, config: &LabConfig) -> Result<()> {
    for netns in plan.namespaces().iter().filter(|netns| **netns != plan.host) {
        // Routers need no duplicate detection of their own; saves two seconds.
        netns.set_sysctls(&[
            ("ipv6/conf/all/forwarding", "1"),
            ("ipv4/ip_forward", "1"),
            ("ipv6/conf/all/accept_dad", "0"),
            ("ipv6/conf/default/accept_dad", "0"),
            ("ipv6/conf/default/keep_addr_on_down", "1"),
            ("ipv6/ip_nonlocal_bind", "1"),
        ])?;
    }
    plan.host.ip_batch(&host_links(plan))?;
    for site in &plan.sites {
        site.netns.set_sysctls(&[
            // The routers' link-local address is chosen, not derived.
            ("ipv6/conf/default/addr_gen_mode", "1"),
        ])?;
        site.netns.ip_batch(&router_links(site))?;
        site.netns.set_sysctls(&[(&format!("ipv6/conf/{LAN}/addr_gen_mode"), "1")])?;
    }
    plan.inet.ip_batch(&inet_lines(plan, config))?;
    for site in &plan.sites {
        site.netns.ip_batch(&router_addresses(site))?;
        if site.uplink.source_guard {
            nft(&site.netns, &source_guard(site))?;
        }
    }
    set_route_metrics(plan)
}

fn host_links(plan: &Plan) -> Vec<String> {
    let mut lines = vec!["link set lo up".to_owned()];
    for site in &plan.sites {
        for port in &site.ports {
            let (mtu, host_mtu) = (site.uplink.mtu, site.uplink.mtu.max(1500));
            let mac = mac_text(port.host_mac);
            // A port of a bridge has no use for the router's address.
            let router_mac =
                if site.is_bridged() { String::new() } else { format!("address {}", mac_text(site.mac())) };
            lines.push(format!(
                "link add {} address {mac} mtu {host_mtu} type veth peer name {} {router_mac} mtu {mtu} netns {}",
                port.uplink,
                port.router_side,
                site.netns.name()
            ));
        }
    }
    lines
}

fn router_links(site: &Site) -> Vec<String> {
    let mut lines = vec!["link set lo up".to_owned()];
    if site.is_bridged() {
        let mac = mac_text(site.mac());
        lines.push(format!("link add {LAN} address {mac} type bridge stp_state 0 forward_delay 0 mcast_snooping 0"));
        for port in &site.ports {
            lines.push(format!("link set {} master {LAN} up", port.router_side));
        }
    }
    lines.push(format!("link add {CORE} type veth peer name r{} netns {}", site.number, inet_name(site)));
    lines
}

/// The servers' namespace, from a router's name: `evlab-r1` and `evlab-inet`.
fn inet_name(site: &Site) -> String {
    let stem = site.netns.name().rsplit_once('-').map_or("", |(stem, _)| stem);
    format!("{stem}-inet")
}

/// Addresses of a router on its link; lost in part when the link goes down.
pub(crate) fn lan_addresses(site: &Site) -> Vec<String> {
    let replace = |address: String| format!("address replace {address} dev {LAN} nodad");
    let own = [format!("{GATEWAY}/64"), format!("{}/64", site.router_v6()), format!("{}/64", site.neighbour())];
    own.map(replace).into()
}

fn router_addresses(site: &Site) -> Vec<String> {
    let (theirs, ours) = site.core_v6();
    let (theirs4, ours4) = site.core_v4();
    let mut lines = vec![format!("link set {LAN} up"), format!("link set {CORE} up")];
    lines.extend(lan_addresses(site));
    lines.extend([
        format!("address add {}/128 dev lo nodad", site.dns()),
        // Neighbour discovery for forwarded packets needs a link-local address.
        format!("address add fe80::2/64 dev {CORE} nodad"),
        format!("address add {ours}/64 dev {CORE} nodad"),
        format!("address add {ours4}/30 dev {CORE}"),
        format!("route add ::/0 via {theirs} dev {CORE}"),
        format!("route add 0.0.0.0/0 via {theirs4} dev {CORE}"),
    ]);
    lines
}

fn inet_lines(plan: &Plan, config: &LabConfig) -> Vec<String> {
    let mut lines = vec!["link set lo up".to_owned(), format!("address add {}/128 dev lo nodad", server_v6())];
    lines.extend(config.servers_v4.iter().map(|server| format!("address add {server}/32 dev lo")));
    for site in &plan.sites {
        let (ours, router) = site.core_v6();
        let (ours4, router4) = site.core_v4();
        let port = format!("r{}", site.number);
        lines.extend([
            format!("link set {port} up"),
            format!("address add {ours}/64 dev {port} nodad"),
            format!("address add {ours4}/30 dev {port}"),
            format!("route add {} via {router} dev {port}", site.prefix()),
            format!("route add {}/128 via {router} dev {port}", site.dns()),
            format!("route add {} via {router4} dev {port}", site.native4().2),
        ]);
    }
    lines
}

/// Default routes from the kernel's own SLAAC get the metrics that a network manager would give them.
fn set_route_metrics(plan: &Plan) -> Result<()> {
    for port in plan.sites.iter().flat_map(|site| &site.ports) {
        let key = |name: &str| format!("ipv6/conf/{}/{name}", port.uplink);
        plan.host.set_sysctls(&[(&key("ra_defrtr_metric"), &port.metric.to_string())])?;
    }
    Ok(())
}

/// Connects the host: routers are ready, so that it hears them at once.
pub(crate) fn plug_in(plan: &Plan) -> Result<()> {
    let uplinks: Vec<_> = plan.sites.iter().flat_map(|site| &site.ports).map(|port| port.uplink.as_str()).collect();
    let delay = |value: &str| -> Result<()> {
        for uplink in &uplinks {
            plan.host.set_sysctls(&[(&format!("ipv6/conf/{uplink}/router_solicitation_delay"), value)])?;
        }
        Ok(())
    };
    // The kernel waits up to this many seconds before the first DAD probe and solicitation.
    let before = plan.host.sysctl("ipv6/conf/default/router_solicitation_delay")?;
    delay("0")?;
    let lines: Vec<_> = uplinks.iter().map(|uplink| format!("link set {uplink} up")).collect();
    plan.host.ip_batch(&lines)?;
    wait_for_host(plan)?;
    delay(&before)
}

/// Every uplink whose router speaks has a usable global address and a default route.
///
/// The kernel may notice a carrier up to a second late and drops what came before; so the routers repeat
/// themselves until they have been heard.
fn wait_for_host(plan: &Plan) -> Result<()> {
    let speaking: Vec<_> = plan.sites.iter().filter(|site| !site.uplink.silent).collect();
    let start = Instant::now();
    let mut next_call = start;
    plan.host.enter(|| {
        loop {
            let missing = |site: &&&Site| site.ports.iter().any(|port| !is_configured(&port.uplink));
            let waiting: Vec<_> = speaking.iter().filter(missing).collect();
            let Some(first) = waiting.first() else { return Ok(()) };
            if start.elapsed() > HOST_READY {
                let what = format!("SLAAC of the host behind {}", first.netns.name());
                return Err(Error::Timeout { what, after_s: HOST_READY.as_secs() });
            }
            if Instant::now() >= next_call {
                next_call = Instant::now() + CALL_AGAIN;
                for site in waiting {
                    control::ask(&site.control_socket(&plan.run_dir()), &Request::LinkUp)?;
                }
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    })?
}

/// Reads what the calling thread's namespace says.
fn is_configured(uplink: &str) -> bool {
    let read = |file: &str| fs::read_to_string(format!("/proc/thread-self/net/{file}")).unwrap_or_default();
    has_global_address(&read("if_inet6"), uplink) && has_default_route(&read("ipv6_route"), uplink)
}

/// `if_inet6`: address, index, length, scope, flags, device.
fn has_global_address(text: &str, uplink: &str) -> bool {
    const TENTATIVE_OR_FAILED: u32 = 0x40 | 0x08;
    text.lines().any(|line| {
        let fields: Vec<_> = line.split_ascii_whitespace().collect();
        let [_, _, _, scope, flags, device] = fields[..] else { return false };
        let flags = u32::from_str_radix(flags, 16).unwrap_or(u32::MAX);
        device == uplink && scope == "00" && flags & TENTATIVE_OR_FAILED == 0
    })
}

/// `ipv6_route`: destination, length, source, length, next hop, metric, references, use, flags, device.
fn has_default_route(text: &str, uplink: &str) -> bool {
    const GATEWAY_FLAG: u32 = 0x2;
    text.lines().any(|line| {
        let fields: Vec<_> = line.split_ascii_whitespace().collect();
        let [_, length, _, _, _, _, _, _, flags, device] = fields[..] else { return false };
        let flags = u32::from_str_radix(flags, 16).unwrap_or(0);
        device == uplink && length == "00" && flags & GATEWAY_FLAG != 0
    })
}

/// Native IPv4 between host and router; the servers always know the way back.
pub(crate) fn native4(plan: &Plan, site: &Site, port: &Port, on: bool) -> Result<()> {
    let (router, host, net) = site.native4();
    let length = net.prefix_len();
    let uplink = &port.uplink;
    if on {
        site.netns.ip_batch(&[format!("address replace {router}/{length} dev {LAN}")])?;
        return plan.host.ip_batch(&[
            format!("address replace {host}/{length} dev {uplink}"),
            format!("route replace default via {router} dev {uplink} metric {}", port.metric),
        ]);
    }
    // Flushing what is not there is no error, so `off` may be repeated.
    plan.host.ip(&["-4", "route", "flush", "default", "dev", uplink])?;
    plan.host.ip(&["-4", "address", "flush", "dev", uplink, "to", &net.to_string()])?;
    site.netns.ip(&["-4", "address", "flush", "dev", LAN, "to", &net.to_string()]).map(drop)
}

/// Loads a ruleset.
fn nft(netns: &Netns, rules: &str) -> Result<()> {
    with_input(netns.command(tools::path_of("nft")).args(["-f", "-"]), rules).map(drop)
}

fn source_guard(site: &Site) -> String {
    format!(
        "table inet lab_guard {{\nchain in {{\ntype filter hook prerouting priority raw;\n\
         iifname \"{LAN}\" ip6 saddr != {{ fe80::/10, ::/128, {} }} counter drop\n}}\n}}\n",
        site.prefix()
    )
}

pub(crate) fn set_fault(site: &Site, translators: &[Translator], fault: Fault, on: bool) -> Result<()> {
    let (table, rules) = match fault {
        Fault::Nat64Dead => {
            let prefixes = translators.iter().filter(|t| t.site == site.number).map(|t| t.prefix.to_string());
            let set = prefixes.collect::<Vec<_>>().join(", ");
            let rule = if set.is_empty() { String::new() } else { format!("ip6 daddr {{ {set} }} counter drop") };
            ("lab_nat64_dead", format!("chain in {{\ntype filter hook prerouting priority raw;\n{rule}\n}}"))
        }
        Fault::RouterMute => (
            "lab_mute",
            format!(
                "chain in {{\ntype filter hook prerouting priority raw;\niifname \"{LAN}\" drop\n}}\n\
                 chain out {{\ntype filter hook output priority 300;\noifname \"{LAN}\" drop\n}}\n\
                 chain through {{\ntype filter hook forward priority 300;\noifname \"{LAN}\" drop\n}}"
            ),
        ),
    };
    // Declaring before deleting makes both directions repeatable.
    let clear = format!("table inet {table} {{}}\ndelete table inet {table}\n");
    let rules = if on { format!("{clear}table inet {table} {{\n{rules}\n}}\n") } else { clear };
    nft(&site.netns, &rules)
}

/// Removes all that a lab of this name may have left, whoever built it and however far.
pub(crate) fn remove(name: &str) -> Result<()> {
    let namespaces: Vec<_> = plan::possible_namespaces(name).into_iter().filter(Netns::exists).collect();
    // First those of the user: they may want to tidy up while the network still stands.
    let state = State::load(name);
    let own = state.map(|state| state.children).unwrap_or_default();
    let mut guests = process::inside(&namespaces);
    guests.retain(|guest| !own.iter().any(|child| process::group(guest.pid) == Some(child.pid)));
    let stopped = process::stop(&guests).and_then(|()| process::stop(&own));
    // What a program of ours has started, had it not the time to end it.
    let stopped = stopped.and_then(|()| process::stop(&process::inside(&namespaces)));
    for netns in &namespaces {
        output(tools::ip().args(["netns", "delete", netns.name()]))?;
        remove_directory(&etc_directory(netns))?;
    }
    // Of ours alone, and only if nobody else's is in it.
    drop(fs::remove_dir(ETC_NETNS));
    remove_directory(&plan::run_dir(name))?;
    stopped
}

fn remove_directory(path: &Path) -> Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(anyhow::Error::from(error).context(format!("removing {}", path.display())).into())
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TENTATIVE: &str = "20010db8000100000000000000000002 02 40 00 40     eth0\n";
    const READY: &str = "20010db8000100000000000000000002 02 40 00 00     eth0\n";

    #[test]
    fn a_tentative_or_link_local_address_is_not_enough() {
        assert!(has_global_address(READY, "eth0"));
        assert!(!has_global_address(READY, "wlan0"));
        assert!(!has_global_address(TENTATIVE, "eth0"));
        assert!(!has_global_address("fe800000000000000000000000000002 02 40 20 80     eth0\n", "eth0"));
    }

    #[test]
    fn the_kernels_reject_route_is_no_default() {
        let zero = "0".repeat(32);
        let reject = format!("{zero} 00 {zero} 00 {zero} ffffffff 00000001 00000000 00200200       lo\n");
        let gateway = format!(
            "{zero} 00 {zero} 00 fe800000000000000000000000000001 00000064 00000001 00000000 00450003     eth0\n"
        );
        assert!(!has_default_route(&reject, "eth0"));
        assert!(has_default_route(&(reject + &gateway), "eth0"));
        assert!(!has_default_route(&gateway, "wlan0"));
    }
}
