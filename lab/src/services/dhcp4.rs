//! DHCPv4: a server on a router's link, and a client in the host.
//!
//! The server is udhcpd of BusyBox: its leases may be short (dnsmasq's last two minutes at least) and it serves any option.
//! The client is dhcpcd: as network managers do, it takes address and route away when the lease or the carrier is lost, and
//! it keeps RFC 8925. Neither leaves a file outside the lab's directory.

use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Started, is_served, start, wait_for, write_file};
use crate::error::{Error, Result};
use crate::plan::{LAN, Plan, Port, Site};
use crate::process;
use crate::state::State;
use crate::sys::End;
use crate::tools::{Tool, path_of};

const SERVER: Tool = Tool { program: "udhcpd", apt: "udhcpd", dnf: "/usr/sbin/udhcpd" };
const CLIENT: Tool = Tool { program: "dhcpcd", apt: "dhcpcd-base", dnf: "dhcpcd" };

const SERVER_PORT: u16 = 67;
/// How often the client is told to end, and how long it may take each time. dhcpcd 9.4.1 loses a signal that comes while it
/// waits for its privileged half, as it does just after it has a lease.
const TELLINGS: usize = 15;
const UNTIL_TOLD_AGAIN: Duration = Duration::from_secs(1);
/// Last byte of the addresses that are given away; the router has 1, [`Lab::native4`](crate::Lab::native4) 2.
const POOL: (u8, u8) = (100, 199);

/// What a DHCPv4 server gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dhcp4Server {
    /// Length of its leases in seconds. The lab's client takes less than 20 for 20.
    pub lease_s: u32,
    /// Option 108, IPv6-only preferred: V6ONLY_WAIT in seconds (RFC 8925 section 3.1). `None`: not sent. It is sent to clients
    /// that did not ask for it, too, which section 3.3 would not have.
    pub ipv6_only_s: Option<u32>,
}

/// What the host's DHCPv4 client does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dhcp4Client {
    /// It asks for option 108, and then does without IPv4 where that is preferred (RFC 8925 section 3.2).
    pub asks_ipv6_only: bool,
}

/// How the client ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientEnd {
    /// It gives the lease back and takes address and route away.
    Releases,
    /// It dies and takes nothing away; the kernel drops the address when the lease would have ended.
    Crashes,
}

impl Default for Dhcp4Server {
    /// An hour, without option 108.
    fn default() -> Self {
        Self { lease_s: 3600, ipv6_only_s: None }
    }
}

impl Default for Dhcp4Client {
    /// One that knows RFC 8925.
    fn default() -> Self {
        Self { asks_ipv6_only: true }
    }
}

/// Starts the server of `site`, or starts it anew with other settings; it remembers its leases.
pub(crate) fn start_server(
    plan: &Plan,
    site: &Site,
    server: Dhcp4Server,
    state: &mut State,
    started: &mut Started,
) -> Result<()> {
    check(SERVER)?;
    stop_server(site, state)?;
    let (router, _, net) = site.native4();
    site.netns.ip_batch(&[format!("address replace {router}/{} dev {LAN}", net.prefix_len())])?;
    let directory = plan.run_dir();
    let leases = directory.join(format!("r{}-udhcpd.leases", site.number));
    fs::File::options().create(true).append(true).open(&leases)?;
    let text = server_config(router, server, &leases, &directory.join(format!("r{}-udhcpd.pid", site.number)));
    let file = write_file(plan, &format!("r{}-udhcpd.conf", site.number), &text)?;
    let mut command = site.netns.command(path_of(SERVER.program));
    // In the foreground, and without asking first for two seconds whether the address is free.
    command.args(["-f", "-a", "0"]).arg(file);
    start(plan, command, &server_label(site), state, started)?;
    wait_for(plan, state, &server_label(site), || is_served(&site.netns, SERVER_PORT))
}

/// Ends the server. The router keeps its IPv4 address: leases live on, and so do their packets.
pub(crate) fn stop_server(site: &Site, state: &mut State) -> Result<()> {
    process::stop(&state.take_children(&server_label(site)))
}

/// Starts the host's client on an uplink, or starts it anew. Whether it gets a lease is seen later.
pub(crate) fn start_client(
    plan: &Plan,
    port: &Port,
    client: Dhcp4Client,
    state: &mut State,
    started: &mut Started,
) -> Result<()> {
    check(CLIENT)?;
    process::stop(&state.take_children(&client_label(port)))?;
    let file = write_file(plan, &format!("{}-dhcpcd.conf", port.uplink), &client_config(port.metric, client))?;
    let mut command = plan.host.command("sh");
    command.args(["-c", IN_ITS_OWN_DIRECTORIES, "sh"]).arg(file).arg(path_of(CLIENT.program)).arg(&port.uplink);
    start(plan, command, &client_label(port), state, started)
}

/// Ends the client. One that does not manage to give its lease back is an error, and not killed: address and route would stay.
pub(crate) fn stop_client(port: &Port, how: ClientEnd, state: &mut State) -> Result<()> {
    let how = match how {
        ClientEnd::Releases => End::Releasing,
        ClientEnd::Crashes => End::WithItsGroup,
    };
    process::stop_with(&state.take_children(&client_label(port)), &[(how, UNTIL_TOLD_AGAIN); TELLINGS])
}

/// Where dhcpcd keeps leases and sockets cannot be told to it, and two labs must not share them. `ip netns exec` has given the
/// process mounts of its own, so these are seen by nobody else and end with it.
const IN_ITS_OWN_DIRECTORIES: &str = "mount -t tmpfs tmpfs /var/lib/dhcpcd && cp \"$1\" /var/lib/dhcpcd/lab.conf && \
    mount -t tmpfs tmpfs /run && exec \"$2\" --nobackground --config /var/lib/dhcpcd/lab.conf \"$3\"";

fn server_label(site: &Site) -> String {
    format!("DHCPv4 server r{}", site.number)
}

fn client_label(port: &Port) -> String {
    format!("DHCPv4 client {}", port.uplink)
}

fn check(tool: Tool) -> Result<()> {
    if tool.is_installed() { Ok(()) } else { Err(Error::MissingTools(vec![tool])) }
}

fn server_config(router: Ipv4Addr, server: Dhcp4Server, leases: &Path, pid: &Path) -> String {
    let [a, b, c, _] = router.octets();
    let (first, last) = (Ipv4Addr::new(a, b, c, POOL.0), Ipv4Addr::new(a, b, c, POOL.1));
    let ipv6_only = server.ipv6_only_s.map(|wait| format!("option 0x6c {wait:08x}\n")).unwrap_or_default();
    format!(
        "interface {LAN}\nstart {first}\nend {last}\nmax_leases 100\nmin_lease 1\n\
         lease_file {}\npidfile {}\n\
         option subnet 255.255.255.0\noption router {router}\noption lease {}\n{ipv6_only}",
        leases.display(),
        pid.display(),
        server.lease_s
    )
}

/// Without its waits for other hosts that may start at the same time or hold the address, and without hooks.
fn client_config(metric: u32, client: Dhcp4Client) -> String {
    let ipv6_only = if client.asks_ipv6_only { "option ipv6_only_preferred\n" } else { "" };
    format!(
        "ipv4only\nnoipv4ll\nnoarp\nnodelay\nnodev\nscript /bin/true\n\
         option subnet_mask, routers\n{ipv6_only}metric {metric}\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn option_108_is_four_bytes_in_hex_or_not_there() {
        let text = |ipv6_only_s| {
            let server = Dhcp4Server { lease_s: 25, ipv6_only_s };
            server_config(Ipv4Addr::new(192, 168, 2, 1), server, Path::new("/run/x/l"), Path::new("/run/x/p"))
        };
        let with = text(Some(1800));
        assert!(with.contains("option lease 25\noption 0x6c 00000708\n"), "{with}");
        assert!(with.contains("start 192.168.2.100\nend 192.168.2.199\n"), "{with}");
        assert!(!text(None).contains("0x6c"));
    }

    #[test]
    fn an_old_client_does_not_ask_for_option_108() {
        let text = |asks_ipv6_only| client_config(600, Dhcp4Client { asks_ipv6_only });
        assert!(text(true).ends_with("option ipv6_only_preferred\nmetric 600\n"));
        assert!(!text(false).contains("ipv6_only"));
    }
}
