//! Interfaces and their addresses, from `sysctl NET_RT_IFLIST2`.

use std::net::IpAddr;

use ipnet::IpNet;
use model::{AddressFlags, Link, LinkAddress, MacAddress};

use super::kind;
use super::message::{self, Message, messages, slot};
use super::sockaddr::{ip, link_layer, prefix_len};

// `struct if_msghdr2` (`net/if.h`); its data are packed to four bytes (`struct if_data64`, `net/if_var.h`).
const IFM_ADDRS: usize = 4;
const IFM_FLAGS: usize = 8;
const IFM_INDEX: usize = 12;
const IFM_TYPE: usize = 32;
const IFM_MTU: usize = 40;
const IFM_LENGTH: usize = 160;

// `struct ifa_msghdr` (`net/if.h`).
const IFAM_ADDRS: usize = 4;
const IFAM_INDEX: usize = 12;
const IFAM_LENGTH: usize = 20;

// `IFF_*` (`net/if.h`).
const UP: u32 = 0x1;
const RUNNING: u32 = 0x40;

// `IN6_IFF_*` (`netinet6/in6_var.h`).
const TENTATIVE: u32 = 0x2;
const DUPLICATED: u32 = 0x4;
const DETACHED: u32 = 0x8;
const DEPRECATED: u32 = 0x10;
const TEMPORARY: u32 = 0x80;
const OPTIMISTIC: u32 = 0x200;

/// IPv6 needs this much (RFC 8200 section 5); a link that says less has IPv6 off.
const MIN_MTU6: u16 = 1280;

/// One interface as the list has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InterfaceRow {
    /// The kernel's number for it.
    pub index: u32,
    /// Its name.
    pub name: String,
    /// `IFT_*`.
    pub if_type: u8,
    /// `IFF_*`.
    pub flags: u32,
    /// The link's MTU in bytes.
    pub mtu: u32,
    /// Its link-layer address, when it has an Ethernet one that we may know.
    pub mac: Option<MacAddress>,
    /// Its addresses with their prefixes. The address of the kernel's own CLAT is not among them: the kernel hides it.
    pub addresses: Vec<IpNet>,
}

/// What is asked about one interface besides the list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinkState {
    /// Whether its medium is connected; `None` when it has none.
    pub active: Option<bool>,
    /// MTU that IPv6 uses there, when IPv6 is on.
    pub mtu6: Option<u32>,
    /// Whether the host forwards IPv6.
    pub forwards_ipv6: bool,
}

/// The interfaces in the answer to `NET_RT_IFLIST2`.
#[must_use]
pub fn interfaces(dump: &[u8]) -> Vec<InterfaceRow> {
    let mut rows: Vec<InterfaceRow> = Vec::new();
    for message in messages(dump) {
        if message.kind == message::kind::IFINFO2 {
            rows.extend(interface(&message));
        } else if message.kind == message::kind::NEWADDR
            && let Some((index, net)) = address(&message)
            && let Some(row) = rows.iter_mut().find(|row| row.index == index)
        {
            row.addresses.push(net);
        }
    }
    rows
}

fn interface(message: &Message<'_>) -> Option<InterfaceRow> {
    let addresses = message.addresses(message.u32(IFM_ADDRS)?, IFM_LENGTH);
    let link = link_layer(addresses[slot::IFP]?)?;
    Some(InterfaceRow {
        index: u32::from(message.u16(IFM_INDEX)?),
        name: link.name,
        if_type: *message.bytes.get(IFM_TYPE)?,
        flags: message.u32(IFM_FLAGS)?,
        mtu: message.u32(IFM_MTU)?,
        mac: link.mac,
        addresses: Vec::new(),
    })
}

fn address(message: &Message<'_>) -> Option<(u32, IpNet)> {
    let addresses = message.addresses(message.u32(IFAM_ADDRS)?, IFAM_LENGTH);
    let address = ip(addresses[slot::IFA]?)?;
    let length = match addresses[slot::NETMASK] {
        Some(mask) => prefix_len(mask, address)?,
        None => match address {
            IpAddr::V4(_) => 32,
            IpAddr::V6(_) => 128,
        },
    };
    Some((u32::from(message.u16(IFAM_INDEX)?), IpNet::new(address, length).ok()?))
}

/// The interface `row` as a link, with what else is known about it.
#[must_use]
pub fn link(row: &InterfaceRow, state: LinkState, addresses: Vec<LinkAddress>) -> Link {
    Link {
        index: row.index,
        name: row.name.clone(),
        kind: kind(&row.name, row.if_type, row.flags),
        mac: row.mac,
        mtu6: u16::try_from(state.mtu6.unwrap_or(row.mtu)).unwrap_or(u16::MAX).max(MIN_MTU6),
        up: row.flags & UP != 0,
        // RUNNING alone stays set when the cable is out.
        carrier: row.flags & RUNNING != 0 && state.active.unwrap_or(true),
        forwards_ipv6: state.forwards_ipv6,
        addresses,
    }
}

/// The state that `bits` (`IN6_IFF_*`) mean.
#[must_use]
pub fn address_flags(bits: u32) -> AddressFlags {
    AddressFlags {
        tentative: bits & TENTATIVE != 0 && bits & OPTIMISTIC == 0,
        dad_failed: bits & DUPLICATED != 0,
        // Detached: the router that announced its prefix is gone.
        deprecated: bits & (DEPRECATED | DETACHED) != 0,
        temporary: bits & TEMPORARY != 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::LinkKind;

    /// Constructed from `struct if_msghdr2`, followed by a `sockaddr_dl`.
    fn ifinfo2(index: u16, if_type: u8, flags: u32, mtu: u32, name: &str, mac: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0; IFM_LENGTH];
        bytes[2..4].copy_from_slice(&[5, 0x12]);
        bytes[IFM_ADDRS] = 0x10;
        bytes[IFM_FLAGS..IFM_FLAGS + 4].copy_from_slice(&flags.to_le_bytes());
        bytes[IFM_INDEX..IFM_INDEX + 2].copy_from_slice(&index.to_le_bytes());
        bytes[IFM_TYPE] = if_type;
        bytes[IFM_MTU..IFM_MTU + 4].copy_from_slice(&mtu.to_le_bytes());
        let name_length = u8::try_from(name.len()).unwrap();
        let mac_length = u8::try_from(mac.len()).unwrap();
        bytes.extend([20, 18, index.to_le_bytes()[0], 0, if_type, name_length, mac_length, 0]);
        bytes.extend(name.as_bytes());
        bytes.extend(mac);
        bytes.resize(IFM_LENGTH + 20, 0);
        finish(bytes)
    }

    /// Constructed from `struct ifa_msghdr`.
    fn newaddr(index: u8, mask: &[u8], address: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0, 0, 5, 0xc, 0x24, 0, 0, 0, 0, 0, 0, 0, index, 0, 0, 0, 0, 0, 0, 0];
        bytes.extend(mask);
        bytes.resize(bytes.len().next_multiple_of(4).max(24), 0);
        bytes.extend(address);
        finish(bytes)
    }

    fn finish(mut bytes: Vec<u8>) -> Vec<u8> {
        let length = u16::try_from(bytes.len()).unwrap();
        bytes[..2].copy_from_slice(&length.to_le_bytes());
        bytes
    }

    fn in6(address: &str, scope: [u8; 2]) -> Vec<u8> {
        let mut bytes = vec![28, 30, 0, 0, 0, 0, 0, 0];
        bytes.extend(address.parse::<std::net::Ipv6Addr>().unwrap().octets());
        if scope != [0, 0] {
            bytes[10..12].copy_from_slice(&scope);
        }
        bytes.extend([0; 4]);
        bytes
    }

    #[test]
    fn a_list_of_two_interfaces() {
        let mut mask64 = in6("ffff:ffff:ffff:ffff::", [0, 0]);
        mask64[1] = 0;
        let mut dump = ifinfo2(1, 0x18, 0x8049, 16384, "lo0", &[]);
        dump.extend(newaddr(1, &[5, 0, 0, 0, 0xff], &[16, 2, 0, 0, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]));
        dump.extend(ifinfo2(14, 6, 0x8863, 1500, "en0", &[0x3c, 0x22, 0xfb, 1, 2, 3]));
        dump.extend(newaddr(14, &mask64, &in6("fe80::1c", [0, 14])));
        dump.extend(newaddr(14, &mask64, &in6("2001:db8:1::42", [0, 0])));
        // RTM_NEWMADDR2: groups are in the list, too.
        dump.extend(finish(vec![0, 0, 5, 0x13, 0, 0, 0, 0, 0, 0, 0, 0, 14, 0, 0, 0, 0, 0, 0, 0]));
        let rows = interfaces(&dump);
        assert_eq!(rows.len(), 2);
        assert_eq!((rows[0].name.as_str(), rows[0].mac, rows[0].mtu), ("lo0", None, 16384));
        assert_eq!(rows[0].addresses, ["127.0.0.1/8".parse::<IpNet>().unwrap()]);
        assert_eq!((rows[1].index, rows[1].mac), (14, Some(MacAddress([0x3c, 0x22, 0xfb, 1, 2, 3]))));
        let expected: Vec<IpNet> = vec!["fe80::1c/64".parse().unwrap(), "2001:db8:1::42/64".parse().unwrap()];
        assert_eq!(rows[1].addresses, expected);

        let en0 = link(&rows[1], LinkState { active: Some(true), mtu6: Some(1420), forwards_ipv6: false }, Vec::new());
        assert_eq!((en0.kind, en0.mtu6, en0.is_usable()), (LinkKind::Ethernet, 1420, true));
    }

    #[test]
    fn running_without_a_cable_is_no_carrier() {
        let row = &interfaces(&ifinfo2(5, 6, 0x8863, 9000, "en1", &[2, 2, 2, 2, 2, 2]))[0];
        let unplugged = link(row, LinkState { active: Some(false), ..LinkState::default() }, Vec::new());
        assert_eq!((unplugged.up, unplugged.carrier, unplugged.mtu6), (true, false, 9000));
        assert!(link(row, LinkState::default(), Vec::new()).carrier);
    }

    #[test]
    fn states_of_addresses() {
        let none = AddressFlags::default();
        let cases = [
            (0x40, none),
            (0x42, AddressFlags { tentative: true, ..none }),
            (0x242, none),
            (0x44, AddressFlags { dad_failed: true, ..none }),
            (0xd0, AddressFlags { deprecated: true, temporary: true, ..none }),
            (0x48, AddressFlags { deprecated: true, ..none }),
            (0x440, none),
        ];
        for (bits, expected) in cases {
            assert_eq!(address_flags(bits), expected, "{bits:#x}");
        }
    }
}
