//! Router advertisements: what a lab router says, and how that is changed while it runs.

pub mod wire;

use std::net::Ipv6Addr;

use ipnet::Ipv6Net;
use serde::{Deserialize, Serialize};

use crate::Pref64;

/// When a router answers a solicitation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RaDelay {
    /// At once, so that tests measure the host and not the router.
    #[default]
    Immediate,
    /// After a random 0 to 500 ms (RFC 4861 section 6.2.6).
    Rfc4861,
}

/// One PREF64 option (RFC 8781).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnnouncedPref64 {
    /// The prefix.
    pub prefix: Pref64,
    /// Seconds; sent in units of 8 s, rounded up, at most 65528. 0 withdraws.
    pub lifetime_s: u32,
}

impl AnnouncedPref64 {
    /// `prefix` with the lifetime RFC 8781 advises: three times the usual interval, here 1800 s.
    #[must_use]
    pub fn new(prefix: Pref64) -> Self {
        Self { prefix, lifetime_s: 1800 }
    }
}

/// One prefix information option (RFC 4861 section 4.6.2), on-link and autonomous.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RaPrefix {
    /// The prefix; a /64 for SLAAC.
    pub prefix: Ipv6Net,
    /// Valid lifetime in seconds.
    pub valid_s: u32,
    /// Preferred lifetime in seconds.
    pub preferred_s: u32,
    /// The A flag: hosts may form addresses from it.
    pub autonomous: bool,
    /// The L flag: the prefix is on the link.
    pub on_link: bool,
}

impl RaPrefix {
    /// `prefix`, on-link and autonomous, for a day.
    #[must_use]
    pub fn slaac(prefix: Ipv6Net) -> Self {
        Self { prefix, valid_s: 86_400, preferred_s: 14_400, autonomous: true, on_link: true }
    }
}

/// Everything one router advertises.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RaConfig {
    /// Current hop limit for hosts.
    pub hop_limit: u8,
    /// The M flag: addresses by DHCPv6.
    pub managed: bool,
    /// The O flag: other settings by DHCPv6.
    pub other: bool,
    /// 0: not a default router.
    pub router_lifetime_s: u16,
    /// Source link-layer address option.
    pub source_mac: Option<[u8; 6]>,
    /// MTU option.
    pub mtu: Option<u32>,
    /// Prefix information options.
    pub prefixes: Vec<RaPrefix>,
    /// Recursive DNS servers (RFC 8106).
    pub rdnss: Vec<Ipv6Addr>,
    /// Lifetime of `rdnss` in seconds.
    pub rdnss_lifetime_s: u32,
    /// PREF64 options, in this order.
    pub pref64: Vec<AnnouncedPref64>,
    /// Bytes appended as they are, one entry after the other: malformed options for tests.
    pub raw_options: Vec<Vec<u8>>,
    /// Time between unsolicited advertisements.
    pub interval_ms: u64,
    /// Delay before the answer to a solicitation.
    pub delay: RaDelay,
    /// Say nothing at all, as a router that has died.
    pub silent: bool,
}

impl Default for RaConfig {
    fn default() -> Self {
        Self {
            hop_limit: 64,
            managed: false,
            other: false,
            router_lifetime_s: 1800,
            source_mac: None,
            mtu: None,
            prefixes: Vec::new(),
            rdnss: Vec::new(),
            rdnss_lifetime_s: 1800,
            pref64: Vec::new(),
            raw_options: Vec::new(),
            interval_ms: 10_000,
            delay: RaDelay::Immediate,
            silent: false,
        }
    }
}

/// A running router, as it describes itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouterStatus {
    /// What it advertises.
    pub config: RaConfig,
    /// Advertisements sent, solicited ones included.
    pub sent: u64,
    /// Solicitations heard.
    pub solicitations: u64,
}

/// A change to what a running router advertises; `None` leaves a field as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RaPatch {
    /// Replaces the PREF64 options. An empty list stops announcing without withdrawing.
    pub pref64: Option<Vec<AnnouncedPref64>>,
    /// Announces every PREF64 of the router (after `pref64` was applied) with lifetime 0.
    pub withdraw: bool,
    /// New router lifetime; 0 takes the default route away.
    pub router_lifetime_s: Option<u16>,
    /// The router's link-layer address as it tells it.
    pub source_mac: Option<[u8; 6]>,
    /// Replaces the prefixes.
    pub prefixes: Option<Vec<RaPrefix>>,
    /// Replaces the MTU option; `Some(0)` removes it.
    pub mtu: Option<u32>,
    /// Replaces the DNS servers.
    pub rdnss: Option<Vec<Ipv6Addr>>,
    /// Replaces the raw options.
    pub raw_options: Option<Vec<Vec<u8>>>,
    /// New time between unsolicited advertisements.
    pub interval_ms: Option<u64>,
    /// New delay of answers.
    pub delay: Option<RaDelay>,
    /// Stop or resume advertising and answering.
    pub silent: Option<bool>,
    /// Advertise at once after the change (default).
    pub send_now: bool,
}

impl Default for RaPatch {
    fn default() -> Self {
        Self {
            pref64: None,
            withdraw: false,
            router_lifetime_s: None,
            source_mac: None,
            prefixes: None,
            mtu: None,
            rdnss: None,
            raw_options: None,
            interval_ms: None,
            delay: None,
            silent: None,
            send_now: true,
        }
    }
}

impl RaPatch {
    /// Nothing changes, an advertisement goes out.
    #[must_use]
    pub fn send_now() -> Self {
        Self::default()
    }

    /// The router announces exactly these PREF64s.
    #[must_use]
    pub fn announce(pref64: impl Into<Vec<AnnouncedPref64>>) -> Self {
        Self { pref64: Some(pref64.into()), ..Self::default() }
    }

    /// Lifetime 0 for every PREF64 that the router announces.
    #[must_use]
    pub fn withdrawn() -> Self {
        Self { withdraw: true, ..Self::default() }
    }

    /// The router falls silent (`true`) or speaks again.
    #[must_use]
    pub fn silence(silent: bool) -> Self {
        Self { silent: Some(silent), ..Self::default() }
    }

    /// These bytes follow the regular options from now on.
    #[must_use]
    pub fn raw(options: impl Into<Vec<Vec<u8>>>) -> Self {
        Self { raw_options: Some(options.into()), ..Self::default() }
    }

    /// Applies the change.
    pub fn apply(self, to: &mut RaConfig) {
        replace(&mut to.pref64, self.pref64);
        replace(&mut to.router_lifetime_s, self.router_lifetime_s);
        replace(&mut to.prefixes, self.prefixes);
        replace(&mut to.rdnss, self.rdnss);
        replace(&mut to.raw_options, self.raw_options);
        replace(&mut to.interval_ms, self.interval_ms);
        replace(&mut to.delay, self.delay);
        replace(&mut to.silent, self.silent);
        if self.source_mac.is_some() {
            to.source_mac = self.source_mac;
        }
        if let Some(mtu) = self.mtu {
            to.mtu = (mtu != 0).then_some(mtu);
        }
        if self.withdraw {
            for announced in &mut to.pref64 {
                announced.lifetime_s = 0;
            }
        }
    }
}

fn replace<T>(field: &mut T, change: Option<T>) {
    if let Some(value) = change {
        *field = value;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pref64(text: &str) -> AnnouncedPref64 {
        AnnouncedPref64::new(text.parse().unwrap())
    }

    #[test]
    fn a_patch_changes_only_what_it_names() {
        let before = RaConfig { pref64: vec![pref64("2001:db8:64::/96")], mtu: Some(1500), ..RaConfig::default() };
        let mut after = before.clone();
        RaPatch::send_now().apply(&mut after);
        assert_eq!(after, before);
        RaPatch { silent: Some(true), mtu: Some(0), ..RaPatch::default() }.apply(&mut after);
        assert_eq!(after, RaConfig { silent: true, mtu: None, ..before });
    }

    #[test]
    fn withdrawing_keeps_the_prefix_with_lifetime_zero() {
        let mut config = RaConfig { pref64: vec![pref64("2001:db8:64::/96")], ..RaConfig::default() };
        RaPatch::withdrawn().apply(&mut config);
        assert_eq!(config.pref64, [AnnouncedPref64 { lifetime_s: 0, ..pref64("2001:db8:64::/96") }]);
    }

    #[test]
    fn an_empty_json_patch_sends_now_and_changes_nothing() {
        let patch: RaPatch = serde_json::from_str("{}").unwrap();
        assert_eq!(patch, RaPatch::send_now());
        assert!(serde_json::from_str::<RaPatch>(r#"{"pref65": []}"#).is_err());
    }
}
