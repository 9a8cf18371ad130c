//! Resolvers as network managers and files name them. All of it is text from the network in the end: lists are bounded,
//! and nothing but addresses comes out.

use std::collections::BTreeMap;
use std::net::Ipv6Addr;

use serde_json::Value;

/// More resolvers of one link than this are noise; the engine keeps as many.
pub const MAX_RESOLVERS: usize = 16;

/// A description of one link by systemd-networkd has a few kilobytes; a file of resolvers far less.
pub const MAX_TEXT: usize = 1 << 20;

const AF_INET6: u64 = 10;

/// NetworkManager's DHCPv6 option `dhcp6_name_servers`: addresses with blanks between them.
#[must_use]
pub fn dhcp6_name_servers(value: &str) -> Vec<Ipv6Addr> {
    bounded(value.split_ascii_whitespace().filter_map(|word| word.parse().ok()))
}

/// What systemd-networkd says about a link (`DescribeLink`, version 250 or later): the resolvers that its network gave it.
/// `None` when networkd does not manage the link, or when this cannot be read.
#[must_use]
pub fn networkd_link(json: &str) -> Option<Vec<Ipv6Addr>> {
    if json.len() > MAX_TEXT {
        return None;
    }
    let link: Value = serde_json::from_str(json).ok()?;
    // Version 249 has "SetupState" instead and says nothing about resolvers, which is not the same as "none".
    let state = link.get("AdministrativeState")?.as_str()?;
    if state == "unmanaged" {
        return None;
    }
    let servers = link.get("DNS").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    Some(bounded(servers.iter().filter_map(networkd_server)))
}

fn networkd_server(server: &Value) -> Option<Ipv6Addr> {
    // Others are "static", "runtime" and "DHCPv4".
    let given = matches!(server.get("ConfigSource")?.as_str()?, "DHCPv6" | "NDisc");
    if !given || server.get("Family")?.as_u64()? != AF_INET6 {
        return None;
    }
    let bytes: Option<Vec<u8>> = server
        .get("Address")?
        .as_array()?
        .iter()
        .map(|byte| byte.as_u64().and_then(|byte| byte.try_into().ok()))
        .collect();
    octets(&bytes?)
}

/// systemd-resolved's property `DNS`: interface (0 for none), address family, address.
#[must_use]
pub fn resolved_servers(servers: &[(i32, i32, Vec<u8>)]) -> BTreeMap<u32, Vec<Ipv6Addr>> {
    let mut links = BTreeMap::<u32, Vec<Ipv6Addr>>::new();
    for (link, _, bytes) in servers {
        if let (Ok(link @ 1..), Some(address)) = (u32::try_from(*link), octets(bytes)) {
            links.entry(link).or_default().push(address);
        }
    }
    links.into_iter().map(|(link, servers)| (link, bounded(servers))).filter(|(_, list)| !list.is_empty()).collect()
}

/// The name servers of a `resolv.conf(5)` that are global IPv6 addresses. Those that strongSwan's plug-in marks as its own
/// are left out: its tunnels may have no interface by which they could be noticed.
#[must_use]
pub fn resolv_conf(text: &str) -> Vec<Ipv6Addr> {
    let lines = text.lines().filter(|line| !line.contains("by strongSwan"));
    let servers = lines.filter_map(|line| {
        let mut words = line.split_ascii_whitespace();
        if words.next()? != "nameserver" {
            return None;
        }
        // An address with a zone does not parse, and is link-local anyway.
        words.next()?.parse().ok()
    });
    bounded(servers.filter(|address: &Ipv6Addr| !address.is_unicast_link_local()))
}

/// Addresses of somebody else, each once.
fn bounded(servers: impl IntoIterator<Item = Ipv6Addr>) -> Vec<Ipv6Addr> {
    let mut list = Vec::new();
    for address in servers {
        let nobody = address.is_unspecified() || address.is_loopback() || address.is_multicast();
        if list.len() < MAX_RESOLVERS && !nobody && address.to_ipv4_mapped().is_none() && !list.contains(&address) {
            list.push(address);
        }
    }
    list
}

fn octets(bytes: &[u8]) -> Option<Ipv6Addr> {
    <[u8; 16]>::try_from(bytes).ok().map(Ipv6Addr::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(addresses: &[&str]) -> Vec<Ipv6Addr> {
        addresses.iter().map(|address| address.parse().unwrap()).collect()
    }

    #[test]
    fn a_lease_names_servers_in_its_order() {
        assert_eq!(dhcp6_name_servers("2001:db8::53  fd00::53 2001:db8::53\n"), list(&["2001:db8::53", "fd00::53"]));
        assert_eq!(dhcp6_name_servers("192.0.2.1 :: ::1 ff02::1 ::ffff:192.0.2.1 nonsense"), list(&[]));
        let flood: String = (0..500).map(|number| format!("2001:db8::{number:x} ")).collect();
        assert_eq!(dhcp6_name_servers(&flood).len(), MAX_RESOLVERS);
    }

    /// Laid out like [`RECORDED`].
    fn described(state: &str, servers: &str) -> String {
        format!(r#"{{"Index":2,"Name":"eth0","AdministrativeState":"{state}","DNS":[{servers}]}}"#)
    }

    fn server(source: &str, last: u8) -> String {
        format!(
            r#"{{"Family":10,"Address":[32,1,13,184,0,0,0,0,0,0,0,0,0,0,0,{last}],"ConfigSource":"{source}",
                "ConfigProvider":[254,128,0,0,0,0,0,0,0,0,0,0,0,0,0,1]}}"#
        )
    }

    #[test]
    fn networkd_says_who_gave_a_server() {
        let all: Vec<String> = ["static", "DHCPv6", "runtime", "NDisc", "DHCPv4", "foreign"]
            .iter()
            .zip(1..)
            .map(|(source, last)| server(source, last))
            .collect();
        assert_eq!(
            networkd_link(&described("configured", &all.join(","))),
            Some(list(&["2001:db8::2", "2001:db8::4"]))
        );
        let ipv4 = r#"{"Family":2,"Address":[192,0,2,1],"ConfigSource":"DHCPv6"}"#;
        assert_eq!(networkd_link(&described("configuring", ipv4)), Some(vec![]));
        assert_eq!(networkd_link(r#"{"AdministrativeState":"configured"}"#), Some(vec![]));
    }

    /// Recorded from systemd-networkd 252.39 of Debian 12 in a network namespace, with a server of its configuration and one
    /// of dnsmasq's advertisement; fields that do not matter here are cut out.
    const RECORDED: &str = r#"{"Index":3,"Name":"eth0","Kind":"veth","Type":"ether","Driver":"veth",
        "HardwareAddress":[134,147,37,48,164,2],"AdministrativeState":"configured","OperationalState":"routable",
        "OnlineState":"online","NetworkFile":"/run/systemd/network/10.network","RequiredForOnline":true,"DNS":[
        {"Family":10,"Address":[32,1,13,184,11,173,0,0,0,0,0,0,0,0,0,1],"ConfigSource":"static"},
        {"Family":10,"Address":[32,1,13,184,0,1,0,0,0,0,0,0,0,0,0,83],"ConfigSource":"NDisc",
        "ConfigProvider":[254,128,0,0,0,0,0,0,232,8,46,255,254,224,214,117]}],
        "DNSSettings":[{"LLMNR":"yes","ConfigSource":"static"},{"MDNS":"no","ConfigSource":"static"}]}"#;

    #[test]
    fn networkd_itself_is_understood() {
        assert_eq!(networkd_link(RECORDED), Some(list(&["2001:db8:1::53"])));
    }

    #[test]
    fn networkd_is_silent_about_what_it_does_not_manage() {
        assert_eq!(networkd_link(&described("unmanaged", &server("DHCPv6", 1))), None);
        for json in [
            "",
            "{}",
            "[]",
            "null",
            r#"{"AdministrativeState":7}"#,
            r#"{"SetupState":"configured"}"#,
            "{\"AdministrativeState\":\"conf",
        ] {
            assert_eq!(networkd_link(json), None, "{json}");
        }
        let odd = [r#"{"Family":10,"Address":[1,2],"ConfigSource":"DHCPv6"}"#, "7", r#"{"Address":"x"}"#, "{}"];
        let odd = format!("{},{}", odd.join(","), server("DHCPv6", 9));
        assert_eq!(networkd_link(&described("configured", &odd)), Some(list(&["2001:db8::9"])), "one odd entry");
        let huge = format!("{}{}", described("configured", &server("DHCPv6", 1)), " ".repeat(MAX_TEXT));
        assert_eq!(networkd_link(&huge), None);
    }

    #[test]
    fn resolved_has_servers_by_link() {
        let address = |text: &str| text.parse::<Ipv6Addr>().unwrap().octets().to_vec();
        let servers = [
            (0, 10, address("2001:db8::1")),
            (2, 10, address("2001:db8::2")),
            (2, 2, vec![192, 0, 2, 1]),
            (-3, 10, address("2001:db8::3")),
            (4, 2, vec![192, 0, 2, 1]),
            (2, 10, address("fe80::1")),
        ];
        assert_eq!(resolved_servers(&servers), BTreeMap::from([(2, list(&["2001:db8::2", "fe80::1"]))]));
    }

    #[test]
    fn resolv_conf_is_read_with_care() {
        let text = "# nameserver 2001:db8::1\nsearch example\nnameserver 127.0.0.53\nnameserver ::1\n\
                    nameserver 2001:db8::2 # dhcp\n  nameserver\t2001:db8::3\nnameserver fe80::1%eth0\n\
                    nameserver fe80::1\nnameserver 2001:db8::4   # by strongSwan\nnameserver 192.0.2.1\nnameserver\n\
                    nameservers 2001:db8::5\noptions edns0 nameserver 2001:db8::6";
        assert_eq!(resolv_conf(text), list(&["2001:db8::2", "2001:db8::3"]));
    }
}
