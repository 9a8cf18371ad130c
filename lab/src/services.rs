//! The daemons of a lab: advertising routers, DNS64, NAT64 and servers.

pub(crate) mod dhcp4;

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;
use std::process::{Child, Command};
use std::time::Duration;

use anyhow::{Context, anyhow};

use crate::config::{DnsServer, LabConfig, Nat64};
use crate::error::{Error, Result};
use crate::netns::Netns;
use crate::plan::{LAN, Plan, Site, server_v6};
use crate::process::ProcessRecord;
use crate::state::{State, Translator};
use crate::tools::{path_of, unconfined};
use crate::{Pref64, node, probe, process, resolver};

/// Handles of what was started, for reaping.
pub(crate) type Started = Vec<Child>;

const READY: Duration = Duration::from_secs(10);
const IPERF_PORT: u16 = 5201;
const DNS_PORT: u16 = 53;

/// Starts everything; what was started is recorded even if a later start fails.
pub(crate) fn start_all(plan: &Plan, config: &LabConfig, state: &mut State, started: &mut Started) -> Result<()> {
    let mut servers: Vec<IpAddr> = vec![server_v6().into()];
    servers.extend(config.servers_v4.iter().copied().map(IpAddr::from));
    start_servers(plan, config, &plan.inet, "inet", &servers, state, started)?;
    if config.iperf {
        for server in &servers {
            start_iperf(plan, &plan.inet, *server, state, started)?;
        }
    }
    for site in &plan.sites {
        let name = format!("r{}", site.number);
        let own = [site.router_v6().into(), site.neighbour().into()];
        start_servers(plan, config, &site.netns, &name, &own, state, started)?;
        start_dns(plan, site, Names::Honest(site.uplink.dns64_prefix()), state, started)?;
        start_router(plan, config, site, state, started)?;
        for prefix in site.uplink.translated() {
            add_translator(plan, site, site.uplink.nat64, prefix, state, started)?;
        }
    }
    Ok(())
}

/// Every port is open and every DNS server answers.
pub(crate) fn wait_ready(plan: &Plan, config: &LabConfig, state: &State) -> Result<()> {
    wait_for(plan, state, "the servers of inet", || {
        let ports = [node::ECHO_PORT, node::HTTP_PORT].into_iter().chain(config.iperf.then_some(IPERF_PORT));
        is_listening(&plan.inet, &ports.collect::<Vec<_>>())
    })?;
    for site in &plan.sites {
        let name = site.netns.name();
        wait_for(plan, state, &format!("the servers of {name}"), || {
            is_listening(&site.netns, &[node::ECHO_PORT, node::HTTP_PORT])
        })?;
        let control = site.control_socket(&plan.run_dir());
        wait_for(plan, state, &format!("the router in {name}"), || Ok(control.exists()))?;
        wait_for_dns(plan, site, state)?;
        wait_for_translators(plan, site, state)?;
    }
    Ok(())
}

/// Each TAYGA holds its device, each reflector echoes.
pub(crate) fn wait_for_translators(plan: &Plan, site: &Site, state: &State) -> Result<()> {
    let server = state.config.servers_v4.first().copied().unwrap_or(Ipv4Addr::LOCALHOST);
    for translator in state.translators.iter().filter(|translator| translator.site == site.number) {
        let what = format!("the translator of {} in {}", translator.prefix, site.netns.name());
        let target = (translator.prefix.embed(server), node::ECHO_PORT).into();
        let echo = probe::Udp { count: 1, linger: Duration::from_millis(50), ..probe::Udp::to(target) };
        wait_for(plan, state, &what, || match translator.tayga {
            Some(number) => has_carrier(&site.netns, &site.tayga(number).device),
            None => site.netns.enter(|| probe::udp(&echo).is_ok_and(|report| report.received == 1)),
        })?;
    }
    Ok(())
}

/// Waits for the control sockets alone: enough for the host to be plugged in.
pub(crate) fn wait_for_routers(plan: &Plan, state: &State) -> Result<()> {
    for site in &plan.sites {
        let control = site.control_socket(&plan.run_dir());
        wait_for(plan, state, &format!("the router in {}", site.netns.name()), || Ok(control.exists()))?;
    }
    Ok(())
}

/// Lets `site` translate `prefix`.
pub(crate) fn add_translator(
    plan: &Plan,
    site: &Site,
    mode: Nat64,
    prefix: Pref64,
    state: &mut State,
    started: &mut Started,
) -> Result<()> {
    let tayga = match mode {
        Nat64::None => return Ok(()),
        Nat64::Reflector => {
            start_reflector(plan, site, prefix, state, started)?;
            None
        }
        Nat64::Tayga => {
            let used = state.translators.iter().filter(|t| t.site == site.number).count();
            let number = u8::try_from(used).context("too many prefixes")?;
            start_tayga(plan, site, number, prefix, state, started)?;
            Some(number)
        }
    };
    state.translators.push(Translator { site: site.number, prefix, tayga });
    Ok(())
}

fn start_tayga(
    plan: &Plan,
    site: &Site,
    number: u8,
    prefix: Pref64,
    state: &mut State,
    started: &mut Started,
) -> Result<()> {
    let addresses = site.tayga(number);
    let device = &addresses.device;
    site.netns.ip_batch(&[
        format!("tuntap add dev {device} mode tun"),
        format!("link set {device} mtu {} up", site.uplink.mtu.max(1500)),
        format!("route add {prefix} dev {device}"),
        format!("route add {}/128 dev {device}", addresses.v6),
        format!("route add {} dev {device}", addresses.pool),
    ])?;
    let router4 = site.core_v4().1;
    plan.inet.ip_batch(&[format!("route add {} via {router4} dev r{}", addresses.pool, site.number)])?;
    let text = format!(
        "tun-device {device}\nipv4-addr {}\nipv6-addr {}\nprefix {prefix}\ndynamic-pool {}\n",
        addresses.v4, addresses.v6, addresses.pool
    );
    let file = write_file(plan, &format!("r{}-{device}.conf", site.number), &text)?;
    let mut command = site.netns.command(path_of("tayga"));
    command.arg("--nodetach").arg("--config").arg(file);
    start(plan, command, &format!("tayga r{} {prefix}", site.number), state, started)
}

fn start_reflector(plan: &Plan, site: &Site, prefix: Pref64, state: &mut State, started: &mut Started) -> Result<()> {
    site.netns.ip_batch(&[format!("route add local {prefix} dev lo")])?;
    let config = &state.config.clone();
    let embedded: Vec<IpAddr> = config.servers_v4.iter().map(|v4| prefix.embed(*v4).into()).collect();
    let mut command = node_command(config, &site.netns, "serve");
    command.args(["--name", "reflector"]);
    command.args(embedded.iter().flat_map(|address| ["--udp".to_owned(), address.to_string()]));
    start(plan, command, &format!("reflector r{} {prefix}", site.number), state, started)?;
    if config.iperf {
        for address in embedded {
            start_iperf(plan, &site.netns, address, state, started)?;
        }
    }
    Ok(())
}

fn start_servers(
    plan: &Plan,
    config: &LabConfig,
    netns: &Netns,
    name: &str,
    udp: &[IpAddr],
    state: &mut State,
    started: &mut Started,
) -> Result<()> {
    let mut command = node_command(config, netns, "serve");
    command.args(["--tcp", "--name", name]);
    command.args(udp.iter().flat_map(|address| ["--udp".to_owned(), address.to_string()]));
    start(plan, command, &format!("serve {name}"), state, started)
}

/// One server per address: iperf3's UDP answers otherwise leave from another one.
fn start_iperf(plan: &Plan, netns: &Netns, at: IpAddr, state: &mut State, started: &mut Started) -> Result<()> {
    let mut command = netns.command(path_of("iperf3"));
    command.args(["--server", "--bind", &at.to_string()]);
    start(plan, command, &format!("iperf3 {at}"), state, started)
}

fn start_router(plan: &Plan, config: &LabConfig, site: &Site, state: &mut State, started: &mut Started) -> Result<()> {
    let text = serde_json::to_string_pretty(&site.advertisement()).context("encoding an advertisement")?;
    let file = write_file(plan, &format!("r{}-ra.json", site.number), &text)?;
    let mut command = node_command(config, &site.netns, "router");
    command.args(["--interface", LAN, "--config"]).arg(file);
    command.arg("--control").arg(site.control_socket(&plan.run_dir()));
    start(plan, command, &format!("router r{}", site.number), state, started)
}

fn dns_label(site: &Site) -> String {
    format!("DNS r{}", site.number)
}

/// What a DNS server answers with.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Names {
    /// What there is, and what a DNS64 makes of it.
    Honest(Option<Pref64>),
    /// This address, whatever was asked for.
    Captured(Ipv6Addr),
}

fn start_dns(plan: &Plan, site: &Site, names: Names, state: &mut State, started: &mut Started) -> Result<()> {
    let (file, text, prefix) = match names {
        Names::Honest(prefix) => ("root.zone", resolver::zone(&state.config), prefix),
        Names::Captured(address) => ("captured.zone", resolver::captured_zone(address), None),
    };
    let zone = write_file(plan, file, &text)?;
    let command = match site.uplink.dns_server {
        DnsServer::Unbound => {
            let text = resolver::unbound_config(&plan.run_dir(), &zone, site.dns(), prefix);
            let file = write_file(plan, &format!("r{}-unbound.conf", site.number), &text)?;
            let mut command = site.netns.command(path_of("unbound"));
            command.arg("-d").arg("-c").arg(file);
            command
        }
        DnsServer::Bind => {
            let text = resolver::bind_config(&plan.run_dir(), &zone, site.dns(), prefix);
            let file = write_file(plan, &format!("r{}-named.conf", site.number), &text)?;
            let mut program = unconfined("named").into_iter();
            let mut command = site.netns.command(program.next().context("a program")?);
            // In the foreground, logging there; one thread is enough.
            command.args(program).args(["-g", "-6", "-n", "1", "-c"]).arg(file);
            command
        }
    };
    start(plan, command, &dns_label(site), state, started)
}

/// Restarts the DNS server of `site` with other answers.
pub(crate) fn replace_dns(
    plan: &Plan,
    site: &Site,
    names: Names,
    state: &mut State,
    started: &mut Started,
) -> Result<()> {
    process::stop(&state.take_children(&dns_label(site)))?;
    start_dns(plan, site, names, state, started)?;
    wait_for_dns(plan, site, state)
}

fn node_command(config: &LabConfig, netns: &Netns, role: &str) -> Command {
    let mut command = netns.command(&config.node_exe);
    command.args([node::VERB, role]);
    command
}

fn write_file(plan: &Plan, name: &str, text: &str) -> Result<PathBuf> {
    let path = plan.run_dir().join(name);
    fs::write(&path, text).with_context(|| format!("writing {}", path.display()))?;
    Ok(path)
}

fn start(plan: &Plan, command: Command, what: &str, state: &mut State, started: &mut Started) -> Result<()> {
    let (child, record) = process::start(command, what, &log_file(plan, what))?;
    started.push(child);
    state.children.push(record);
    Ok(())
}

fn log_file(plan: &Plan, what: &str) -> PathBuf {
    let name = what.replace(|c: char| !c.is_ascii_alphanumeric(), "-");
    plan.run_dir().join(format!("{name}.log"))
}

fn wait_for(plan: &Plan, state: &State, what: &str, mut ready: impl FnMut() -> Result<bool>) -> Result<()> {
    let mut failure = None;
    let done = process::wait_until(READY, || match ready() {
        Ok(true) => true,
        Ok(false) => {
            failure = state.children.iter().find(|child| !child.is_alive()).map(|child| ended(plan, child));
            failure.is_some()
        }
        Err(error) => {
            failure = Some(error);
            true
        }
    });
    match failure {
        Some(error) => Err(error),
        None if done => Ok(()),
        None => {
            let what = format!("{what} (logs in {})", plan.run_dir().display());
            Err(Error::Timeout { what, after_s: READY.as_secs() })
        }
    }
}

/// A daemon that should still run; its last words say why it does not.
fn ended(plan: &Plan, child: &ProcessRecord) -> Error {
    let file = log_file(plan, &child.what);
    let log = fs::read_to_string(&file).unwrap_or_default();
    let last = log.trim_end().lines().next_back().unwrap_or("its log is empty");
    Error::Other(anyhow!("{} has ended: {last}", child.what))
}

fn wait_for_dns(plan: &Plan, site: &Site, state: &State) -> Result<()> {
    let server = (site.dns(), DNS_PORT).into();
    let ask = || probe::aaaa(server, "v6only.example", Duration::from_millis(100));
    wait_for(plan, state, &format!("the DNS server of {}", site.netns.name()), || {
        site.netns.enter(|| ask().is_ok_and(|answer| !answer.addresses.is_empty()))
    })
}

/// Whether TCP sockets listen on all these ports.
fn is_listening(netns: &Netns, ports: &[u16]) -> Result<bool> {
    netns.enter(|| {
        let read = |file: &str| fs::read_to_string(format!("/proc/thread-self/net/{file}")).unwrap_or_default();
        let sockets = read("tcp") + &read("tcp6");
        ports.iter().all(|port| has_socket(&sockets, *port, "0A"))
    })
}

/// Whether a UDP socket of IPv4 has this port.
fn is_served(netns: &Netns, port: u16) -> Result<bool> {
    netns.enter(|| {
        let sockets = fs::read_to_string("/proc/thread-self/net/udp").unwrap_or_default();
        has_socket(&sockets, port, "07")
    })
}

/// `/proc/net/tcp` and its like: the second field is the local address and port in hex, the fourth the state (0A: listening;
/// 07: UDP, not connected).
fn has_socket(sockets: &str, port: u16, state: &str) -> bool {
    let suffix = format!(":{port:04X}");
    sockets.lines().any(|line| {
        let mut fields = line.split_ascii_whitespace().skip(1);
        let local = fields.next().unwrap_or_default();
        local.ends_with(&suffix) && fields.nth(1) == Some(state)
    })
}

fn has_carrier(netns: &Netns, device: &str) -> Result<bool> {
    Ok(netns.ip(&["link", "show", "dev", device])?.contains("LOWER_UP"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listening_sockets_are_told_from_connected_ones() {
        let sockets = "  sl  local_address rem_address   st tx_queue rx_queue\n\
            0: 00000000:0050 00000000:0000 0A 00000000:00000000\n\
            1: 0100007F:1451 0100007F:9999 01 00000000:00000000\n";
        assert!(has_socket(sockets, 80, "0A"));
        assert!(!has_socket(sockets, 5201, "0A"));
        assert!(!has_socket(sockets, 7, "0A"));
    }
}
