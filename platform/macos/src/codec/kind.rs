//! What sort of interface it is.

use model::LinkKind;

/// `IFF_POINTOPOINT` (`net/if.h`).
const POINT_TO_POINT: u32 = 0x10;

// `IFT_*` of `net/if_types.h`.
const OTHER: u8 = 0x01;
const ETHER: u8 = 0x06;
const PPP: u8 = 0x17;
const LOOP: u8 = 0x18;
const GIF: u8 = 0x37;
const STF: u8 = 0x39;
const L2VLAN: u8 = 0x87;
const IEEE8023ADLAG: u8 = 0x88;
const BRIDGE: u8 = 0xd1;
const CELLULAR: u8 = 0xff;

/// Interfaces that call themselves Ethernet and never lead to a network: Apple's peer-to-peer Wi-Fi (`awdl`, `llw`),
/// the access point half of Internet Sharing (`ap`), the link to a co-processor (`anpi`), the host's end of a virtual
/// machine's cable (`vmenet`, a member of `bridge100`).
const NOT_UPLINKS: [&str; 5] = ["anpi", "ap", "awdl", "llw", "vmenet"];

/// The kind of the interface `name` of type `if_type` (`IFT_*`) with `flags` (`IFF_*`).
#[must_use]
pub fn kind(name: &str, if_type: u8, flags: u32) -> LinkKind {
    let family = name.trim_end_matches(|c: char| c.is_ascii_digit());
    match if_type {
        LOOP => LinkKind::Loopback,
        BRIDGE => LinkKind::Bridge,
        ETHER if NOT_UPLINKS.contains(&family) => LinkKind::Other,
        ETHER if family == "bridge" => LinkKind::Bridge,
        ETHER | L2VLAN | IEEE8023ADLAG => LinkKind::Ethernet,
        PPP | GIF | STF | CELLULAR => LinkKind::PointToPoint,
        OTHER if flags & POINT_TO_POINT != 0 => LinkKind::PointToPoint,
        _ => LinkKind::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_of_interfaces() {
        let cases = [
            ("lo0", LOOP, 0x8049, LinkKind::Loopback),
            ("en0", ETHER, 0x8863, LinkKind::Ethernet),
            ("en12", ETHER, 0x8863, LinkKind::Ethernet),
            ("feth1", ETHER, 0x8863, LinkKind::Ethernet),
            ("vlan0", L2VLAN, 0x8843, LinkKind::Ethernet),
            ("bond0", IEEE8023ADLAG, 0x8843, LinkKind::Ethernet),
            ("bridge0", BRIDGE, 0x8863, LinkKind::Bridge),
            ("bridge100", ETHER, 0x8863, LinkKind::Bridge),
            ("awdl0", ETHER, 0x8943, LinkKind::Other),
            ("llw0", ETHER, 0x8863, LinkKind::Other),
            ("ap1", ETHER, 0x8843, LinkKind::Other),
            ("anpi2", ETHER, 0x8863, LinkKind::Other),
            ("vmenet0", ETHER, 0x8963, LinkKind::Other),
            ("utun3", OTHER, 0x8051, LinkKind::PointToPoint),
            ("ipsec0", OTHER, 0x8051, LinkKind::PointToPoint),
            ("ppp0", PPP, 0x8051, LinkKind::PointToPoint),
            ("gif0", GIF, 0x8010, LinkKind::PointToPoint),
            ("stf0", STF, 0, LinkKind::PointToPoint),
            ("pdp_ip0", CELLULAR, 0x8051, LinkKind::PointToPoint),
            ("XHC20", OTHER, 0, LinkKind::Other),
            ("pktap0", 0xfe, 0, LinkKind::Other),
        ];
        for (name, if_type, flags, expected) in cases {
            assert_eq!(kind(name, if_type, flags), expected, "{name}");
        }
    }
}
