use std::net::Ipv4Addr;

use ipnet::Ipv6Net;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use xlat::Pref64;

use crate::{DEFAULT_CLAT_V4, FastPath, GATEWAY_V4, InterfaceGlob, Pref64Source, ProbeTarget, is_continuity_address};

/// Where a value came from; later ones win.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// Built in.
    Default,
    /// The configuration file.
    Config,
    /// The administrator's policy.
    Policy,
}

/// A value with its origin and whether it may be changed below.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting<T> {
    /// The effective value.
    pub value: T,
    /// Where it came from.
    pub origin: Origin,
    /// Whether lower layers may not override it.
    pub locked: bool,
}

impl<T> Setting<T> {
    /// A built-in default.
    pub const fn default_value(value: T) -> Self {
        Self { value, origin: Origin::Default, locked: false }
    }

    /// Replaces the value from a higher layer, unless it is locked. Says whether it did.
    pub fn set(&mut self, value: T, origin: Origin) -> bool {
        if self.locked {
            return false;
        }
        self.value = value;
        self.origin = origin;
        true
    }
}

/// How X is claimed on the uplink.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Dad {
    /// RFC 4429: used at once, with restraint for a second.
    Optimistic,
    /// RFC 4862: used only after a second without objection.
    Strict,
}

/// A value that a key cannot take.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{key}: {reason}")]
pub struct InvalidSetting {
    /// The key.
    pub key: &'static str,
    /// What is wrong and what is allowed.
    pub reason: String,
}

/// The settings the engine obeys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Master switch.
    pub enabled: Setting<bool>,
    /// Prefixes given by hand instead of learnt ones.
    pub pref64_static: Setting<Vec<Pref64>>,
    /// The host's IPv4 address on the tunnel, in 192.0.0.0/29.
    pub clat_ipv4: Setting<Ipv4Addr>,
    /// How X is claimed.
    pub dad: Setting<Dad>,
    /// Metric of our IPv4 default route.
    pub ipv4_route_metric: Setting<u32>,
    /// Whether local users who are no administrators may pause us.
    pub allow_user_pause: Setting<bool>,
    /// The longest pause of such a user, in minutes; 0: any.
    pub pause_max_minutes: Setting<u16>,
    /// MTU of our IPv4 default route in bytes; 0: uplink IPv6 MTU - 28.
    pub mtu: Setting<u16>,
    /// What each IPv6 path takes, in bytes: packets that their apps let routers fragment are cut to it (RFC 7915 section 4).
    pub lowest_ipv6_mtu: Setting<u16>,
    /// Whether local users who are no administrators may have configuration and policies read again.
    pub allow_user_config: Setting<bool>,
    /// Where prefixes are learnt, best first, each at most once: router advertisements, DNS, and
    /// [`Policy`](Pref64Source::Policy) for [`pref64_static`](Self::pref64_static), which goes in front of all where
    /// this list does not name it. Never empty, never [`Config`](Pref64Source::Config).
    pub pref64_sources: Setting<Vec<Pref64Source>>,
    /// Learnt prefixes have to lie in one of these; empty: anywhere. See [`allows_pref64`](Self::allows_pref64).
    pub pref64_allow: Setting<Vec<Ipv6Net>>,
    /// Learnt prefixes may lie in none of these.
    pub pref64_deny: Setting<Vec<Ipv6Net>>,
    /// Interfaces that may be the uplink; empty: all. See [`allows_interface`](Self::allows_interface).
    pub interfaces_include: Setting<Vec<InterfaceGlob>>,
    /// Interfaces that may not.
    pub interfaces_exclude: Setting<Vec<InterfaceGlob>>,
    /// Whether the service may send packets of its own to find out whether IPv4 works. Without, only the traffic of
    /// others is evidence.
    pub probe_enabled: Setting<bool>,
    /// What is probed through the NAT64; empty: nothing but what the network itself announces.
    pub probe_targets_v4: Setting<Vec<ProbeTarget<Ipv4Addr>>>,
    /// Seconds between two probes while nothing happens; 0: only when there is a reason to doubt.
    pub probe_interval_seconds: Setting<u16>,
    /// Whether public hosts may be probed where no target is given.
    pub allow_internet_probe: Setting<bool>,
    /// Whether flows may go by the kernel's fast path.
    pub fast_path: Setting<FastPath>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            enabled: Setting::default_value(true),
            pref64_static: Setting::default_value(Vec::new()),
            clat_ipv4: Setting::default_value(DEFAULT_CLAT_V4),
            dad: Setting::default_value(Dad::Optimistic),
            ipv4_route_metric: Setting::default_value(2048),
            allow_user_pause: Setting::default_value(true),
            pause_max_minutes: Setting::default_value(60),
            mtu: Setting::default_value(0),
            lowest_ipv6_mtu: Setting::default_value(1280),
            allow_user_config: Setting::default_value(false),
            pref64_sources: Setting::default_value(vec![Pref64Source::Ra, Pref64Source::Dns]),
            pref64_allow: Setting::default_value(Vec::new()),
            pref64_deny: Setting::default_value(Vec::new()),
            interfaces_include: Setting::default_value(Vec::new()),
            interfaces_exclude: Setting::default_value(Vec::new()),
            probe_enabled: Setting::default_value(true),
            probe_targets_v4: Setting::default_value(Vec::new()),
            probe_interval_seconds: Setting::default_value(300),
            allow_internet_probe: Setting::default_value(false),
            fast_path: Setting::default_value(FastPath::Auto),
        }
    }
}

impl Settings {
    /// Checks an address for the `ClatIpv4` key.
    ///
    /// # Errors
    /// When it is not a host address of 192.0.0.0/29 or is the gateway's.
    pub fn check_clat_ipv4(address: Ipv4Addr) -> Result<Ipv4Addr, InvalidSetting> {
        if is_continuity_address(address) && address != GATEWAY_V4 && address.octets()[3] != 0 {
            return Ok(address);
        }
        Err(InvalidSetting {
            key: "ClatIpv4",
            reason: format!("{address} is not allowed; use one of 192.0.0.2 to 192.0.0.7 (RFC 7335)"),
        })
    }

    /// Checks a number for the `Mtu` key.
    ///
    /// # Errors
    /// When it is neither 0 nor in 1252 to 65507.
    pub fn check_mtu(mtu: i64) -> Result<u16, InvalidSetting> {
        match u16::try_from(mtu) {
            Ok(mtu) if mtu == 0 || (1252..=65_507).contains(&mtu) => Ok(mtu),
            Ok(_) | Err(_) => Err(InvalidSetting {
                key: "Mtu",
                reason: format!("{mtu} is not allowed; use 0 (automatic) or 1252 to 65507 bytes"),
            }),
        }
    }

    /// Checks a number for the `LowestIpv6Mtu` key.
    ///
    /// # Errors
    /// When it is not in 1280 to 65535.
    pub fn check_lowest_ipv6_mtu(mtu: i64) -> Result<u16, InvalidSetting> {
        match u16::try_from(mtu) {
            Ok(mtu) if mtu >= 1280 => Ok(mtu),
            Ok(_) | Err(_) => Err(InvalidSetting {
                key: "LowestIpv6Mtu",
                reason: format!("{mtu} is not allowed; use 1280 to 65535 bytes (every IPv6 path takes 1280)"),
            }),
        }
    }

    /// Checks a number for the `PauseMaxMinutes` key.
    ///
    /// # Errors
    /// When it is not in 0 to 1440.
    pub fn check_pause_max_minutes(minutes: i64) -> Result<u16, InvalidSetting> {
        match u16::try_from(minutes) {
            Ok(minutes) if minutes <= 1440 => Ok(minutes),
            Ok(_) | Err(_) => Err(InvalidSetting {
                key: "PauseMaxMinutes",
                reason: format!("{minutes} is not allowed; use 0 (no limit) or 1 to 1440 minutes"),
            }),
        }
    }

    /// Checks a number for the `ProbeIntervalSeconds` key.
    ///
    /// # Errors
    /// When it is neither 0 nor in 30 to 3600.
    pub fn check_probe_interval(seconds: i64) -> Result<u16, InvalidSetting> {
        match u16::try_from(seconds) {
            Ok(seconds) if seconds == 0 || (30..=3600).contains(&seconds) => Ok(seconds),
            Ok(_) | Err(_) => Err(InvalidSetting {
                key: "ProbeIntervalSeconds",
                reason: format!("{seconds} is not allowed; use 0 (only when in doubt) or 30 to 3600 seconds"),
            }),
        }
    }

    /// Checks a list for the `Pref64Sources` key.
    ///
    /// # Errors
    /// When it is empty, or names one twice or a source that is no choice.
    pub fn check_pref64_sources(sources: Vec<Pref64Source>) -> Result<Vec<Pref64Source>, InvalidSetting> {
        let twice = sources.iter().enumerate().any(|(index, source)| sources[..index].contains(source));
        if sources.is_empty() || twice || sources.contains(&Pref64Source::Config) {
            let reason = "name one or more of \"ra\", \"dns\" and \"policy\", each once, best first".to_owned();
            return Err(InvalidSetting { key: "Pref64Sources", reason });
        }
        Ok(sources)
    }

    /// Checks a number for the `Ipv4RouteMetric` key.
    ///
    /// # Errors
    /// When it is not in 1 to 4294967295.
    pub fn check_metric(metric: i64) -> Result<u32, InvalidSetting> {
        match u32::try_from(metric) {
            Ok(metric) if metric > 0 => Ok(metric),
            Ok(_) | Err(_) => Err(InvalidSetting {
                key: "Ipv4RouteMetric",
                reason: format!("{metric} is not allowed; use 1 to 4294967295 (2048 loses to native IPv4)"),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locked_values_stay() {
        let mut setting = Setting { value: 1, origin: Origin::Policy, locked: true };
        assert!(!setting.set(2, Origin::Config));
        assert_eq!(setting.value, 1);
        setting.locked = false;
        assert!(setting.set(2, Origin::Config));
        assert_eq!((setting.value, setting.origin), (2, Origin::Config));
    }

    #[test]
    fn addresses_outside_the_continuity_range_are_refused() {
        assert!(Settings::check_clat_ipv4(Ipv4Addr::new(192, 0, 0, 7)).is_ok());
        for bad in [[192, 0, 0, 0], [192, 0, 0, 1], [192, 0, 0, 8], [10, 0, 0, 1]] {
            let error = Settings::check_clat_ipv4(Ipv4Addr::from(bad)).unwrap_err();
            assert!(error.to_string().starts_with("ClatIpv4: "), "{error}");
        }
        assert_eq!(Settings::check_mtu(0), Ok(0));
        assert!(Settings::check_mtu(576).is_err());
        assert!(Settings::check_mtu(-1).is_err());
        assert_eq!(Settings::check_lowest_ipv6_mtu(65_535), Ok(65_535));
        assert!([1279, 65_536, -1].into_iter().all(|mtu| Settings::check_lowest_ipv6_mtu(mtu).is_err()));
        assert!(Settings::check_metric(0).is_err());
    }
}
