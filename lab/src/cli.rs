//! The verbs of `everclat lab`.

mod dhcp4;

use std::ffi::OsString;
use std::net::Ipv4Addr;
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::{Args, Subcommand, ValueEnum};

use crate::config::{Dns64, DnsServer, LabConfig, Nat64, UplinkConfig};
use crate::error::Result;
use crate::lab::Lab;
use crate::ra::{AnnouncedPref64, RaDelay, RaPatch};
use crate::setup::Fault;
use crate::{Pref64, residue};

pub use dhcp4::Dhcp4Args;

/// `everclat lab`: an IPv6-only network in namespaces of this machine.
#[derive(Debug, Args)]
pub struct LabArgs {
    /// Name of the lab, if there are several.
    #[arg(long, global = true, default_value = "lab")]
    pub name: String,
    /// What to do.
    #[command(subcommand)]
    pub command: LabCommand,
}

/// What to do with a lab.
#[derive(Debug, Subcommand)]
pub enum LabCommand {
    /// Build it: two uplinks, routers with PREF64, DNS64, NAT64, servers.
    Up(UpArgs),
    /// Remove it and all it left.
    Down,
    /// Show what runs, and with which addresses.
    Status,
    /// Run a program in the host, or in another namespace of the lab.
    Exec {
        /// Where: host, inet, r1, r2.
        #[arg(long = "in", default_value = "host")]
        place: String,
        /// The program and its arguments.
        #[arg(trailing_var_arg = true, required = true)]
        command: Vec<OsString>,
    },
    /// Pull an uplink's cable.
    Cut(UplinkArg),
    /// Plug it in again.
    Restore(UplinkArg),
    /// Remove the host's addresses and routes of an uplink, as a network manager does after a cut.
    Flush(UplinkArg),
    /// Change what an uplink's router advertises.
    Ra(RaArgs),
    /// Give an uplink native IPv4, or take it away.
    Native4 {
        /// on or off.
        state: Switch,
        /// Where.
        #[command(flatten)]
        uplink: UplinkArg,
    },
    /// Switch DHCPv4 on or off: the router's server, the host's client.
    Dhcp4(Dhcp4Args),
    /// Break or mend something on the network side.
    Fault {
        /// What.
        fault: FaultName,
        /// on or off.
        state: Switch,
        /// Where.
        #[command(flatten)]
        uplink: UplinkArg,
    },
    /// Print the state of the host that a program must leave as it found it.
    Residue,
}

/// Which uplink: `cut wlan0` and `cut --uplink wlan0` are the same.
#[derive(Debug, Args)]
pub struct UplinkArg {
    /// Interface name in the host [default: eth0].
    #[arg(value_name = "UPLINK", conflicts_with = "flag")]
    place: Option<String>,
    /// The same as an option.
    #[arg(id = "flag", long = "uplink", value_name = "UPLINK", hide = true)]
    flag: Option<String>,
}

impl UplinkArg {
    fn name(&self) -> &str {
        self.place.as_deref().or(self.flag.as_deref()).unwrap_or("eth0")
    }
}

/// How to build.
#[derive(Debug, Args)]
pub struct UpArgs {
    /// NAT64 prefix of eth0; wlan0 keeps its own.
    #[arg(long)]
    pub pref64: Option<Pref64>,
    /// Translation on the network side.
    #[arg(long, value_enum, default_value_t = Nat64Name::Tayga)]
    pub nat64: Nat64Name,
    /// Routers do not announce the PREF64; only DNS64 tells it.
    #[arg(long)]
    pub no_ra_pref64: bool,
    /// No DNS64.
    #[arg(long)]
    pub no_dns64: bool,
    /// The routers' DNS server.
    #[arg(long, value_enum, default_value_t = DnsServerName::Unbound)]
    pub dns_server: DnsServerName,
    /// MTU of the uplinks.
    #[arg(long, default_value_t = 1500)]
    pub mtu: u32,
    /// Both uplinks on one link with one router and one /64.
    #[arg(long)]
    pub shared: bool,
    /// Routers take their time to answer (RFC 4861).
    #[arg(long)]
    pub slow_ra: bool,
    /// IPv4-only servers instead of 198.51.100.10 and 203.0.113.10.
    #[arg(long)]
    pub server: Vec<Ipv4Addr>,
    /// Take a running lab of this name down first.
    #[arg(long)]
    pub replace: bool,
}

/// A change to a router's advertisements.
#[derive(Debug, Args)]
pub struct RaArgs {
    #[command(flatten)]
    uplink: UplinkArg,
    /// Announce this PREF64 (several times: several options), and translate it.
    #[arg(long)]
    pref64: Vec<Pref64>,
    /// Lifetime of the PREF64s in seconds.
    #[arg(long, default_value_t = 1800)]
    lifetime: u32,
    /// Announce it without translating it.
    #[arg(long, requires = "pref64")]
    announce_only: bool,
    /// Lifetime 0 for what is announced now.
    #[arg(long, conflicts_with = "pref64")]
    withdraw: bool,
    /// Say nothing any more.
    #[arg(long, conflicts_with = "speak")]
    silent: bool,
    /// Speak again.
    #[arg(long)]
    speak: bool,
    /// Router lifetime in seconds; 0: no default router.
    #[arg(long)]
    router_lifetime: Option<u16>,
    /// Milliseconds between unsolicited advertisements.
    #[arg(long)]
    interval_ms: Option<u64>,
    /// Bytes in hex to append as they are, e.g. `2603...`; empty: none any more.
    #[arg(long)]
    raw: Option<String>,
    /// Do not advertise now.
    #[arg(long)]
    later: bool,
}

/// on or off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Switch {
    /// on
    On,
    /// off
    Off,
}

/// [`Fault`] as people type it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FaultName {
    /// The NAT64 swallows everything.
    Nat64Dead,
    /// The router is deaf and dumb; the carrier stays.
    RouterMute,
}

/// [`Nat64`] as people type it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Nat64Name {
    /// TAYGA.
    Tayga,
    /// The router itself serves under the prefix.
    Reflector,
    /// None at all.
    None,
}

/// [`DnsServer`] as people type it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DnsServerName {
    /// unbound.
    Unbound,
    /// named of BIND 9.
    Bind,
}

/// Does it. The exit code is that of the program for `exec`, else 0.
///
/// # Errors
/// What the lab says, see [`crate::Error`].
pub fn run(args: LabArgs) -> Result<ExitCode> {
    let name = args.name;
    match args.command {
        LabCommand::Up(up) => summary(&Lab::up(up.config(&name)?)?)?,
        LabCommand::Down => Lab::remove_by_name(&name)?,
        LabCommand::Status => summary(&Lab::attach(&name)?)?,
        LabCommand::Exec { place, command } => return exec(&Lab::attach(&name)?, &place, &command),
        LabCommand::Cut(uplink) => Lab::attach(&name)?.cut(uplink.name())?,
        LabCommand::Restore(uplink) => Lab::attach(&name)?.restore(uplink.name())?,
        LabCommand::Flush(uplink) => Lab::attach(&name)?.flush(uplink.name())?,
        LabCommand::Ra(ra) => ra.apply(&Lab::attach(&name)?)?,
        LabCommand::Native4 { state, uplink } => {
            Lab::attach(&name)?.native4(uplink.name(), state == Switch::On)?;
        }
        LabCommand::Dhcp4(dhcp4) => dhcp4.apply(&Lab::attach(&name)?)?,
        LabCommand::Fault { fault, state, uplink } => {
            let fault = match fault {
                FaultName::Nat64Dead => Fault::Nat64Dead,
                FaultName::RouterMute => Fault::RouterMute,
            };
            Lab::attach(&name)?.set_fault(uplink.name(), fault, state == Switch::On)?;
        }
        LabCommand::Residue => print!("{}", residue::capture(Lab::attach(&name)?.host())?),
    }
    Ok(ExitCode::SUCCESS)
}

impl UpArgs {
    fn config(self, name: &str) -> Result<LabConfig> {
        let mut config = LabConfig { replace: self.replace, ..LabConfig::named(name) };
        if !self.server.is_empty() {
            config.servers_v4 = self.server;
        }
        if let (Some(prefix), Some(first)) = (self.pref64, config.uplinks.first_mut()) {
            first.pref64 = vec![AnnouncedPref64::new(prefix)];
        }
        for uplink in &mut config.uplinks {
            uplink.nat64 = match self.nat64 {
                Nat64Name::Tayga => Nat64::Tayga,
                Nat64Name::Reflector => Nat64::Reflector,
                Nat64Name::None => Nat64::None,
            };
            uplink.dns_server = match self.dns_server {
                DnsServerName::Unbound => DnsServer::Unbound,
                DnsServerName::Bind => DnsServer::Bind,
            };
            uplink.mtu = self.mtu;
            if self.slow_ra {
                uplink.ra_delay = RaDelay::Rfc4861;
            }
            if self.no_dns64 {
                uplink.dns64 = Dns64::Off;
            }
            if self.no_ra_pref64 {
                uplink.translated = uplink.translated();
                uplink.pref64.clear();
            }
        }
        if self.shared
            && let Some((first, others)) = config.uplinks.split_first_mut()
        {
            for uplink in others {
                *uplink = UplinkConfig::sharing(&uplink.name, uplink.metric, &first.name);
            }
        }
        Ok(config)
    }
}

impl RaArgs {
    fn apply(self, lab: &Lab) -> Result<()> {
        let uplink = self.uplink.name();
        if !self.announce_only {
            for prefix in &self.pref64 {
                lab.add_nat64(uplink, *prefix)?;
            }
        }
        let announced = |prefix: &Pref64| AnnouncedPref64 { prefix: *prefix, lifetime_s: self.lifetime };
        let pref64: Vec<_> = self.pref64.iter().map(announced).collect();
        let patch = RaPatch {
            pref64: (!pref64.is_empty()).then_some(pref64),
            withdraw: self.withdraw,
            router_lifetime_s: self.router_lifetime,
            raw_options: self.raw.as_deref().map(raw_options).transpose()?,
            interval_ms: self.interval_ms,
            silent: (self.silent || self.speak).then_some(self.silent),
            send_now: !self.later,
            ..RaPatch::default()
        };
        let now = lab.set_ra(uplink, patch)?;
        println!("{}", serde_json::to_string_pretty(&now).context("encoding the advertisement")?);
        Ok(())
    }
}

fn raw_options(hex: &str) -> anyhow::Result<Vec<Vec<u8>>> {
    let digits: Vec<char> = hex.chars().filter(|c| !c.is_whitespace() && *c != ':').collect();
    let byte = |pair: &[char]| match pair {
        [high, low] => u8::from_str_radix(&format!("{high}{low}"), 16).context("raw options are hex bytes"),
        _ => bail!("raw options need an even number of hex digits"),
    };
    let bytes = digits.chunks(2).map(byte).collect::<anyhow::Result<Vec<u8>>>()?;
    Ok(if bytes.is_empty() { Vec::new() } else { vec![bytes] })
}

fn exec(lab: &Lab, place: &str, command: &[OsString]) -> Result<ExitCode> {
    let namespaces = lab.namespaces();
    let found = namespaces.iter().find(|netns| netns.name().ends_with(&format!("-{place}")));
    let netns = found.with_context(|| format!("the lab has no namespace `{place}`"))?;
    let (program, args) = command.split_first().context("nothing to run")?;
    let status = netns.command(program).args(args).status().context("starting `ip netns exec`")?;
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
}

fn summary(lab: &Lab) -> Result<()> {
    println!("lab {} is up: host {}, servers {}", lab.config().name, lab.host().name(), lab.inet().name());
    for uplink in lab.config().uplinks.iter().map(|uplink| uplink.name.as_str()) {
        let router = lab.router(uplink)?.name();
        println!("  {uplink}: {}, router {router}, DNS {}", lab.prefix(uplink)?, lab.dns(uplink)?);
        for announced in lab.ra(uplink)?.config.pref64 {
            println!("    PREF64 {}, {} s", announced.prefix, announced.lifetime_s);
        }
    }
    println!("  IPv6 server {}, IPv4-only server {}", lab.server_v6(), lab.server_v4());
    println!("  logs in {}", lab.directory().display());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Cli {
        #[command(flatten)]
        lab: LabArgs,
    }

    fn up(args: &[&str]) -> LabConfig {
        let cli = Cli::try_parse_from([&["lab", "up"], args].concat()).unwrap();
        let LabCommand::Up(up) = cli.lab.command else { unreachable!("parsed `up`") };
        up.config("x").unwrap()
    }

    #[test]
    fn without_options_it_is_the_default_lab() {
        assert_eq!(up(&[]), LabConfig::named("x"));
    }

    #[test]
    fn a_network_that_tells_its_prefix_by_dns_only() {
        let config = up(&["--no-ra-pref64"]);
        let first = &config.uplinks[0];
        assert!(first.pref64.is_empty());
        assert_eq!(first.dns64_prefix().unwrap().to_string(), "2001:db8:64::/96");
    }

    #[test]
    fn the_dns_server_is_that_of_all_routers() {
        let config = up(&["--dns-server", "bind"]);
        assert!(config.uplinks.iter().all(|uplink| uplink.dns_server == DnsServer::Bind));
    }

    #[test]
    fn a_shared_link_keeps_the_metrics() {
        let config = up(&["--shared"]);
        config.validate().unwrap();
        assert_eq!((config.uplinks[1].shares.as_deref(), config.uplinks[1].metric), (Some("eth0"), 600));
    }

    #[test]
    fn raw_options_are_hex() {
        assert_eq!(raw_options("26:03 00").unwrap(), [vec![0x26, 3, 0]]);
        assert!(raw_options("").unwrap().is_empty());
        assert!(raw_options("2").is_err());
        assert!(raw_options("zz").is_err());
    }

    #[test]
    fn a_program_to_run_keeps_its_own_flags() {
        let cli = Cli::try_parse_from(["lab", "exec", "ping", "-6", "--name", "y"]).unwrap();
        let LabCommand::Exec { command, place } = cli.lab.command else { unreachable!("parsed `exec`") };
        assert_eq!((place.as_str(), command.len(), cli.lab.name.as_str()), ("host", 4, "lab"));
    }
}
