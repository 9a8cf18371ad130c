//! What an administrator may choose from: prefixes, interfaces, probe targets.

use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

use ipnet::Ipv6Net;

use crate::{Pref64, Settings, is_continuity_address};

/// A host that is asked whether a path works, and how: with a port by TCP, without one by echo.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ProbeTarget<A> {
    /// The host.
    pub address: A,
    /// The TCP port; `None`: an echo request.
    pub port: Option<u16>,
}

impl fmt::Display for ProbeTarget<Ipv4Addr> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            Some(port) => write!(f, "{}:{port}", self.address),
            None => write!(f, "{}", self.address),
        }
    }
}

impl FromStr for ProbeTarget<Ipv4Addr> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let form = || format!("`{text}` is not of the form 198.51.100.1 or 198.51.100.1:443");
        let (address, port) = match text.split_once(':') {
            Some((address, port)) => (address, Some(port.parse().map_err(|_| form())?)),
            None => (text, None),
        };
        let address: Ipv4Addr = address.parse().map_err(|_| form())?;
        let unusable = address.is_unspecified()
            || address.is_loopback()
            || address.is_multicast()
            || address.is_broadcast()
            || address.is_link_local()
            || is_continuity_address(address);
        usable(Self { address, port }, text, unusable)
    }
}

fn usable<A>(target: ProbeTarget<A>, text: &str, unusable: bool) -> Result<ProbeTarget<A>, String> {
    if unusable {
        return Err(format!("`{text}` is no host on the internet or in a company network"));
    }
    if target.port == Some(0) {
        return Err(format!("`{text}`: port 0 does not exist; use 1 to 65535"));
    }
    Ok(target)
}

/// Interface names by pattern: `*` any characters, `?` one, `[ab]` one of these.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InterfaceGlob(glob::Pattern);

impl InterfaceGlob {
    /// Whether the interface name `name` is meant.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        self.0.matches(name)
    }
}

impl fmt::Display for InterfaceGlob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str())
    }
}

impl FromStr for InterfaceGlob {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Err("an empty name means no interface; use * for all".to_owned());
        }
        glob::Pattern::new(text).map(Self).map_err(|error| format!("`{text}` is no name pattern: {}", error.msg))
    }
}

impl Settings {
    /// Whether a learnt prefix may be used: it lies in none of `Pref64Deny` and, unless that list is empty, in one of
    /// `Pref64Allow`. `Pref64Static` is the administrator's own and is not asked about.
    #[must_use]
    pub fn allows_pref64(&self, prefix: &Pref64) -> bool {
        let lies_in = |nets: &[Ipv6Net]| {
            nets.iter().any(|net| net.prefix_len() <= prefix.prefix_len() && net.contains(&prefix.prefix()))
        };
        let allowed = &self.pref64_allow.value;
        !lies_in(&self.pref64_deny.value) && (allowed.is_empty() || lies_in(allowed))
    }

    /// Whether an interface may be the uplink: none of `InterfacesExclude` means it and, unless that list is empty, one
    /// of `InterfacesInclude` does.
    #[must_use]
    pub fn allows_interface(&self, name: &str) -> bool {
        let meant = |globs: &[InterfaceGlob]| globs.iter().any(|glob| glob.matches(name));
        let included = &self.interfaces_include.value;
        !meant(&self.interfaces_exclude.value) && (included.is_empty() || meant(included))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_and_back() {
        for text in ["198.51.100.1", "198.51.100.1:443"] {
            assert_eq!(text.parse::<ProbeTarget<Ipv4Addr>>().unwrap().to_string(), text);
        }
        let not_four =
            ["", "host", "198.51.100.1:", "198.51.100.1:0", "198.51.100.1:65536", "192.0.0.1", "127.0.0.1:80"];
        for text in not_four.into_iter().chain(["0.0.0.0", "224.0.0.1", "169.254.1.1", "::1"]) {
            assert!(text.parse::<ProbeTarget<Ipv4Addr>>().is_err(), "{text}");
        }
    }

    #[test]
    fn prefixes_are_allowed_unless_denied() {
        let mut settings = Settings::default();
        let own: Pref64 = "2001:db8:64::/96".parse().unwrap();
        assert!(settings.allows_pref64(&own) && settings.allows_pref64(&Pref64::WELL_KNOWN));
        settings.pref64_allow.value = vec!["2001:db8::/32".parse().unwrap()];
        assert!(settings.allows_pref64(&own) && !settings.allows_pref64(&Pref64::WELL_KNOWN));
        settings.pref64_deny.value = vec!["2001:db8:64::/48".parse().unwrap()];
        assert!(!settings.allows_pref64(&own), "deny wins");
        settings.pref64_allow.value = vec!["2001:db8:64::/112".parse().unwrap()];
        settings.pref64_deny.value.clear();
        assert!(!settings.allows_pref64(&own), "a part of it is not all of it");
    }

    #[test]
    fn interfaces_are_included_unless_excluded() {
        let mut settings = Settings::default();
        assert!(settings.allows_interface("eth0"));
        settings.interfaces_include.value = vec!["e*".parse().unwrap(), "wlan?".parse().unwrap()];
        settings.interfaces_exclude.value = vec!["eth[12]".parse().unwrap()];
        for (name, allowed) in [("eth0", true), ("eth1", false), ("wlan0", true), ("wlan10", false), ("usb0", false)] {
            assert_eq!(settings.allows_interface(name), allowed, "{name}");
        }
        assert!("".parse::<InterfaceGlob>().is_err() && "eth[".parse::<InterfaceGlob>().is_err());
    }
}
