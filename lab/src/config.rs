//! What a lab consists of. Pure data; `plan` derives every name and address from it.

use std::net::Ipv4Addr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::ra::{AnnouncedPref64, RaDelay};
use crate::{Pref64, node};

/// Uplinks per lab; bounded by the digit that numbers them in addresses.
pub const MAX_UPLINKS: usize = 8;

/// A whole lab.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LabConfig {
    /// Instance name: namespaces are `ev<name>-host` and so on. Letters, digits and dashes, at most 24.
    pub name: String,
    /// The host's uplinks, best first.
    pub uplinks: Vec<UplinkConfig>,
    /// IPv4-only servers, the first of which has the name `v4only.example`.
    pub servers_v4: Vec<Ipv4Addr>,
    /// Run an iperf3 server beside the others.
    pub iperf: bool,
    /// The executable that plays router and servers (`<exe> lab-node ...`).
    pub node_exe: PathBuf,
    /// Take a living lab of the same name down first, instead of refusing.
    #[serde(skip)]
    pub replace: bool,
}

/// Where the packets for PREF64 are translated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Nat64 {
    /// TAYGA in the router, towards the IPv4-only servers.
    #[default]
    Tayga,
    /// Nowhere: the router owns PREF64::IPv4 and serves there, so that only the CLAT translates.
    Reflector,
    /// There is none, whatever the router announces.
    None,
}

/// What the router's DNS server synthesizes AAAA records with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Dns64 {
    /// The first translated prefix.
    #[default]
    Follow,
    /// It is a plain resolver.
    Off,
    /// This prefix.
    Prefix(Pref64),
}

/// Which program is the router's DNS server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DnsServer {
    /// unbound, a resolver whose root zone is a local file.
    #[default]
    Unbound,
    /// named of BIND 9, with a built-in `ipv4only.arpa`, as wherever it is a DNS64.
    Bind,
}

/// One uplink: an interface of the host and the router behind it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UplinkConfig {
    /// Interface name in the host.
    pub name: String,
    /// Plugged into the link of an earlier uplink (Ethernet and Wi-Fi of one home router: same /64, same
    /// gateway). The fields below, `metric` excepted, are then those of that uplink.
    pub shares: Option<String>,
    /// PREF64 options of the router.
    pub pref64: Vec<AnnouncedPref64>,
    /// Prefixes that are translated; empty means those of `pref64`.
    pub translated: Vec<Pref64>,
    /// How they are translated.
    pub nat64: Nat64,
    /// What the DNS server does.
    pub dns64: Dns64,
    /// Which program that is.
    pub dns_server: DnsServer,
    /// Announce the DNS server (RDNSS).
    pub rdnss: bool,
    /// When solicitations are answered.
    pub ra_delay: RaDelay,
    /// Time between unsolicited advertisements.
    pub ra_interval_ms: u64,
    /// The router never speaks until told otherwise.
    pub silent: bool,
    /// MTU of the link, announced in the RA.
    pub mtu: u32,
    /// Metric of the host's default route through it, as a network manager would set.
    pub metric: u32,
    /// The router drops what has a foreign source address (BCP 38), as access networks do.
    pub source_guard: bool,
}

impl LabConfig {
    /// The default lab under another name.
    #[must_use]
    pub fn named(name: &str) -> Self {
        Self { name: name.to_owned(), ..Self::default() }
    }

    /// Checks what the types cannot say.
    ///
    /// # Errors
    /// [`Error::Config`] with the reason.
    pub fn validate(&self) -> Result<()> {
        let plain = |text: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
        if self.name.is_empty() || self.name.len() > 24 || !plain(&self.name) || self.name.starts_with('-') {
            return refuse(format!("name `{}`: use 1 to 24 letters, digits or dashes", self.name));
        }
        if self.uplinks.is_empty() || self.uplinks.len() > MAX_UPLINKS {
            return refuse(format!("1 to {MAX_UPLINKS} uplinks are possible"));
        }
        if self.servers_v4.is_empty() {
            return refuse("at least one IPv4 server is needed".to_owned());
        }
        for (at, uplink) in self.uplinks.iter().enumerate() {
            uplink.validate(&self.uplinks[..at])?;
        }
        Ok(())
    }
}

impl Default for LabConfig {
    /// `eth0` and `wlan0`, each with its own router and PREF64, behind TAYGA.
    fn default() -> Self {
        Self {
            name: "lab".to_owned(),
            uplinks: vec![
                UplinkConfig::new("eth0", 100, Some(documentation_pref64(0x64))),
                UplinkConfig::new("wlan0", 600, Some(documentation_pref64(0x65))),
            ],
            servers_v4: vec![Ipv4Addr::new(198, 51, 100, 10), Ipv4Addr::new(203, 0, 113, 10)],
            iperf: true,
            node_exe: node::default_exe(),
            replace: false,
        }
    }
}

impl UplinkConfig {
    /// An uplink with TAYGA, DNS64 and, if given, this PREF64 announced for 1800 s.
    #[must_use]
    pub fn new(name: &str, metric: u32, pref64: Option<Pref64>) -> Self {
        Self {
            name: name.to_owned(),
            shares: None,
            pref64: pref64.map(AnnouncedPref64::new).into_iter().collect(),
            translated: Vec::new(),
            nat64: Nat64::Tayga,
            dns64: Dns64::Follow,
            dns_server: DnsServer::Unbound,
            rdnss: true,
            ra_delay: RaDelay::Immediate,
            ra_interval_ms: 10_000,
            silent: false,
            mtu: 1500,
            metric,
            source_guard: true,
        }
    }

    /// An uplink plugged into the link of `other`.
    #[must_use]
    pub fn sharing(name: &str, metric: u32, other: &str) -> Self {
        Self { shares: Some(other.to_owned()), ..Self::new(name, metric, None) }
    }

    /// The prefixes that are translated.
    #[must_use]
    pub fn translated(&self) -> Vec<Pref64> {
        match (self.nat64, self.translated.is_empty()) {
            (Nat64::None, _) => Vec::new(),
            (Nat64::Tayga | Nat64::Reflector, false) => self.translated.clone(),
            (Nat64::Tayga | Nat64::Reflector, true) => self.pref64.iter().map(|announced| announced.prefix).collect(),
        }
    }

    /// The prefix of the DNS64.
    #[must_use]
    pub fn dns64_prefix(&self) -> Option<Pref64> {
        match self.dns64 {
            Dns64::Follow => self.translated().first().copied(),
            Dns64::Off => None,
            Dns64::Prefix(prefix) => Some(prefix),
        }
    }

    fn validate(&self, earlier: &[Self]) -> Result<()> {
        let name = &self.name;
        // IFNAMSIZ is 16 with the final zero.
        if name.is_empty() || name.len() > 15 || !name.chars().all(|c| c.is_ascii_alphanumeric()) || name == "lo" {
            return refuse(format!("uplink `{name}`: use 1 to 15 letters and digits"));
        }
        if earlier.iter().any(|other| other.name == *name) {
            return refuse(format!("uplink `{name}` appears twice"));
        }
        if let Some(shared) = &self.shares {
            let first = earlier.iter().find(|other| other.name == *shared);
            if first.is_none_or(|other| other.shares.is_some()) {
                return refuse(format!(
                    "uplink `{name}` can share only the link of an earlier one with its own router"
                ));
            }
        }
        if !(1280..=65_535).contains(&self.mtu) {
            return refuse(format!("uplink `{name}`: the MTU of an IPv6 link is 1280 to 65535"));
        }
        for prefix in self.translated() {
            check_translatable(self.nat64, prefix)?;
        }
        Ok(())
    }
}

/// TAYGA keeps RFC 6052 section 3.1: no documentation or private IPv4 under the well-known prefix.
pub(crate) fn check_translatable(nat64: Nat64, prefix: Pref64) -> Result<()> {
    if nat64 == Nat64::Tayga && prefix.is_well_known() {
        return refuse("TAYGA refuses the lab's IPv4 servers under 64:ff9b::/96; use nat64 = reflector".to_owned());
    }
    Ok(())
}

fn documentation_pref64(third: u16) -> Pref64 {
    let prefix = std::net::Ipv6Addr::new(0x2001, 0xdb8, third, 0, 0, 0, 0, 0);
    Pref64::new(prefix, 96).expect("96 is one of the six lengths and the rest is zero")
}

fn refuse(why: String) -> Result<()> {
    Err(Error::Config(why))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_lab_is_valid_and_survives_its_state_file() {
        let config = LabConfig::default();
        config.validate().unwrap();
        let json = serde_json::to_string(&config).unwrap();
        assert!(json.contains(r#""prefix":"2001:db8:64::/96""#), "{json}");
        assert_eq!(serde_json::from_str::<LabConfig>(&json).unwrap(), config);
    }

    #[test]
    fn contradictions_are_refused_with_their_reason() {
        let broken = |change: fn(&mut LabConfig)| {
            let mut config = LabConfig::default();
            change(&mut config);
            config.validate().unwrap_err().to_string()
        };
        assert!(broken(|c| c.name = "a/b".into()).contains("letters"));
        assert!(broken(|c| c.uplinks.clear()).contains("uplinks"));
        assert!(broken(|c| c.uplinks[1].name = "eth0".into()).contains("twice"));
        assert!(broken(|c| c.uplinks[1].shares = Some("wlan0".into())).contains("share"));
        assert!(broken(|c| c.uplinks[0].mtu = 1279).contains("MTU"));
        assert!(broken(|c| c.uplinks[0].translated = vec!["64:ff9b::/96".parse().unwrap()]).contains("reflector"));
    }

    #[test]
    fn dns64_follows_the_translated_prefix_even_if_the_ra_is_mute() {
        let mut uplink = UplinkConfig::new("eth0", 100, None);
        assert_eq!(uplink.dns64_prefix(), None);
        uplink.translated = vec!["2001:db8:64::/96".parse().unwrap()];
        assert_eq!(uplink.dns64_prefix(), Some(uplink.translated[0]));
        uplink.dns64 = Dns64::Off;
        assert_eq!(uplink.dns64_prefix(), None);
    }
}
