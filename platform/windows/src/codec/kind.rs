//! What sort of interface it is.

use model::LinkKind;

use super::InterfaceRow;

// `IF_TYPE_*` of `ipifcons.h`.
const ETHERNET_CSMACD: u32 = 6;
const PPP: u32 = 23;
const SOFTWARE_LOOPBACK: u32 = 24;
const PROP_VIRTUAL: u32 = 53;
const IEEE80211: u32 = 71;
const TUNNEL: u32 = 131;
const BRIDGE: u32 = 209;
const WWANPP: u32 = 243;
const WWANPP2: u32 = 244;

// `NDIS_MEDIUM` of `ntddndis.h`.
const MEDIUM_802_3: i32 = 0;
const MEDIUM_NATIVE_802_11: i32 = 16;
const MEDIUM_IP: i32 = 19;

// Bits of `InterfaceAndOperStatusFlags` (`netioapi.h`).
const HARDWARE: u8 = 0x01;
const FILTER: u8 = 0x02;

/// The kind of the interface `row`; `None` for what is no interface of its own: a filter that sits on one.
///
/// Virtual adapters with Ethernet frames (a Hyper-V switch, a team, a TAP adapter) are bridges to us: an uplink only if
/// a default route says so.
#[must_use]
pub fn kind(row: &InterfaceRow) -> Option<LinkKind> {
    if row.flags & FILTER != 0 {
        return None;
    }
    let framed = matches!(row.medium, MEDIUM_802_3 | MEDIUM_NATIVE_802_11);
    Some(match row.if_type {
        SOFTWARE_LOOPBACK => LinkKind::Loopback,
        ETHERNET_CSMACD | IEEE80211 if framed && row.flags & HARDWARE != 0 => LinkKind::Ethernet,
        ETHERNET_CSMACD | IEEE80211 | PROP_VIRTUAL | BRIDGE if framed => LinkKind::Bridge,
        PPP | TUNNEL | WWANPP | WWANPP2 => LinkKind::PointToPoint,
        PROP_VIRTUAL => LinkKind::PointToPoint,
        _ if row.medium == MEDIUM_IP => LinkKind::PointToPoint,
        _ => LinkKind::Other,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_of_interfaces() {
        const CONNECTOR: u8 = 0x04;
        let cases = [
            ("Ethernet", ETHERNET_CSMACD, MEDIUM_802_3, HARDWARE | CONNECTOR, Some(LinkKind::Ethernet)),
            ("Ethernet-WFP Native MAC Layer LightWeight Filter-0000", ETHERNET_CSMACD, MEDIUM_802_3, FILTER, None),
            ("Wi-Fi", IEEE80211, MEDIUM_802_3, HARDWARE | CONNECTOR, Some(LinkKind::Ethernet)),
            ("Wi-Fi, native frames", IEEE80211, MEDIUM_NATIVE_802_11, HARDWARE | CONNECTOR, Some(LinkKind::Ethernet)),
            ("Wi-Fi-Virtual WiFi Filter Driver-0000", IEEE80211, MEDIUM_NATIVE_802_11, FILTER, None),
            ("Wi-Fi Direct Virtual Adapter", IEEE80211, MEDIUM_802_3, 0, Some(LinkKind::Bridge)),
            ("vEthernet (External)", ETHERNET_CSMACD, MEDIUM_802_3, 0, Some(LinkKind::Bridge)),
            ("Network Bridge", ETHERNET_CSMACD, MEDIUM_802_3, 0, Some(LinkKind::Bridge)),
            ("TAP-Windows, old", PROP_VIRTUAL, MEDIUM_802_3, 0, Some(LinkKind::Bridge)),
            ("Wintun", PROP_VIRTUAL, MEDIUM_IP, 0, Some(LinkKind::PointToPoint)),
            ("WAN Miniport (IPv6)", ETHERNET_CSMACD, 3, 0, Some(LinkKind::Other)),
            ("WAN Miniport (L2TP)", TUNNEL, 15, 0, Some(LinkKind::PointToPoint)),
            ("Teredo", TUNNEL, 15, 0, Some(LinkKind::PointToPoint)),
            ("VPN Connection", PPP, 3, 0, Some(LinkKind::PointToPoint)),
            ("Cellular", WWANPP, 9, HARDWARE | CONNECTOR, Some(LinkKind::PointToPoint)),
            ("Cellular, older", WWANPP2, 9, HARDWARE | CONNECTOR, Some(LinkKind::PointToPoint)),
            ("raw IP by USB", ETHERNET_CSMACD, MEDIUM_IP, HARDWARE, Some(LinkKind::PointToPoint)),
            ("Loopback Pseudo-Interface 1", SOFTWARE_LOOPBACK, 17, 0, Some(LinkKind::Loopback)),
            ("FireWire", 144, 14, HARDWARE, Some(LinkKind::Other)),
        ];
        for (name, if_type, medium, flags, expected) in cases {
            let row = InterfaceRow { if_type, medium, flags, ..InterfaceRow::default() };
            assert_eq!(kind(&row), expected, "{name}");
        }
    }
}
