//! `everclat lab dhcp4`.

use clap::{Args, ValueEnum};

use super::{Switch, UplinkArg};
use crate::error::Result;
use crate::lab::Lab;
use crate::services::dhcp4::{ClientEnd, Dhcp4Client, Dhcp4Server};

/// DHCPv4 on an uplink.
#[derive(Debug, Args)]
pub struct Dhcp4Args {
    /// The router's server, or the host's client.
    role: Role,
    /// on or off.
    state: Switch,
    #[command(flatten)]
    uplink: UplinkArg,
    /// Server: length of the leases in seconds; the lab's client takes less than 20 for 20.
    #[arg(long, default_value_t = Dhcp4Server::default().lease_s)]
    lease: u32,
    /// Server: option 108, IPv6-only preferred (RFC 8925), for this many seconds.
    #[arg(long, value_name = "SECONDS")]
    ipv6_only: Option<u32>,
    /// Client: one that does not know option 108.
    #[arg(long)]
    old: bool,
    /// Client off: it crashes, instead of giving its lease back.
    #[arg(long)]
    crash: bool,
}

/// Who of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Role {
    /// On the router.
    Server,
    /// In the host.
    Client,
}

impl Dhcp4Args {
    pub(super) fn apply(&self, lab: &Lab) -> Result<()> {
        let uplink = self.uplink.name();
        match (self.role, self.state) {
            (Role::Server, Switch::On) => lab.start_dhcp4_server(uplink, self.server()),
            (Role::Server, Switch::Off) => lab.stop_dhcp4_server(uplink),
            (Role::Client, Switch::On) => lab.start_dhcp4_client(uplink, Dhcp4Client { asks_ipv6_only: !self.old }),
            (Role::Client, Switch::Off) => {
                lab.stop_dhcp4_client(uplink, if self.crash { ClientEnd::Crashes } else { ClientEnd::Releases })
            }
        }
    }

    fn server(&self) -> Dhcp4Server {
        Dhcp4Server { lease_s: self.lease, ipv6_only_s: self.ipv6_only }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Cli {
        #[command(flatten)]
        dhcp4: Dhcp4Args,
    }

    #[test]
    fn a_server_with_short_leases_on_the_other_uplink() {
        let parse = |line: &str| Cli::try_parse_from(line.split(' ')).unwrap().dhcp4;
        let dhcp4 = parse("dhcp4 server on wlan0 --lease 30 --ipv6-only 1800");
        assert_eq!((dhcp4.role, dhcp4.state, dhcp4.uplink.name()), (Role::Server, Switch::On, "wlan0"));
        assert_eq!(dhcp4.server(), Dhcp4Server { lease_s: 30, ipv6_only_s: Some(1800) });
        let dhcp4 = parse("dhcp4 server on");
        assert_eq!((dhcp4.uplink.name(), dhcp4.server()), ("eth0", Dhcp4Server::default()));
    }
}
