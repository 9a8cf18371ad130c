//! What is asked by `ioctl`: the argument's bytes before and after.

use std::net::Ipv6Addr;

use super::sockaddr::{AF_INET6, IN6_LENGTH};

/// `IFNAMSIZ`.
const NAME_LENGTH: usize = 16;

/// An `ioctl` command without the argument's size (`sys/ioccom.h`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ioctl {
    direction: u64,
    group: u8,
    number: u8,
}

impl Ioctl {
    const fn read_write(group: u8, number: u8) -> Self {
        Self { direction: 0xc000_0000, group, number }
    }

    const fn write(group: u8, number: u8) -> Self {
        Self { direction: 0x8000_0000, group, number }
    }

    /// The number for the kernel, which copies exactly `length` bytes in and, if it answers, out. `None` when that is
    /// more than a command can say.
    #[must_use]
    pub fn code(self, length: usize) -> Option<u64> {
        let length = u64::try_from(length).ok().filter(|length| *length <= 0x1fff)?;
        Some(self.direction | (length << 16) | (u64::from(self.group) << 8) | u64::from(self.number))
    }
}

/// An interface's medium: `SIOCGIFMEDIA` with `struct ifmediareq` (`net/if.h`, packed to four bytes).
pub type MediaRequest = [u8; 44];

const IFM_STATUS: usize = 24;
/// `IFM_AVALID` (`net/if_media.h`): the next bit means something.
const STATUS_VALID: u32 = 0x1;
/// `IFM_ACTIVE`.
const ACTIVE: u32 = 0x2;

/// The question whether the medium of the interface `name` is connected. The list of media that it could return stays
/// empty: its count is zero and its pointer null.
#[must_use]
pub fn media_request(name: &str) -> Option<(Ioctl, MediaRequest)> {
    Some((Ioctl::read_write(b'i', 56), named(name)?))
}

/// The answer to [`media_request`]; `None` when the interface has no such state.
#[must_use]
pub fn media_active(reply: &MediaRequest) -> Option<bool> {
    let status = word(reply, IFM_STATUS);
    (status & STATUS_VALID != 0).then_some(status & ACTIVE != 0)
}

/// What IPv6 knows about an interface: `SIOCGIFINFO_IN6` with `struct in6_ondireq` (`netinet6/nd6.h`).
pub type NdRequest = [u8; 48];

/// The question for the IPv6 MTU of the interface `name`.
#[must_use]
pub fn nd_request(name: &str) -> Option<(Ioctl, NdRequest)> {
    Some((Ioctl::read_write(b'i', 76), named(name)?))
}

/// The answer to [`nd_request`]: the MTU in bytes, which a router may have lowered.
#[must_use]
pub fn nd_link_mtu(reply: &NdRequest) -> Option<u32> {
    Some(word(reply, NAME_LENGTH)).filter(|mtu| *mtu != 0)
}

/// An address and its state: `SIOCGIFAFLAG_IN6` with `struct in6_ifreq` (`netinet6/in6_var.h`).
pub type AddressFlagsRequest = [u8; 288];

/// The question for the state of `address` of the interface `name`.
#[must_use]
pub fn address_flags_request(name: &str, address: Ipv6Addr) -> Option<(Ioctl, AddressFlagsRequest)> {
    let mut bytes: AddressFlagsRequest = named(name)?;
    bytes[NAME_LENGTH] = IN6_LENGTH;
    bytes[NAME_LENGTH + 1] = AF_INET6;
    // The kernel adds the scope of a link-local address itself.
    bytes[NAME_LENGTH + 8..NAME_LENGTH + 24].copy_from_slice(&address.octets());
    Some((Ioctl::read_write(b'i', 73), bytes))
}

/// The answer to [`address_flags_request`]: `IN6_IFF_*`.
#[must_use]
pub fn address_flags_reply(reply: &AddressFlagsRequest) -> u32 {
    word(reply, NAME_LENGTH)
}

/// Chooses the events of a kernel event socket: `SIOCSKEVFILT` (`sys/kern_event.h`).
pub const SET_EVENT_FILTER: Ioctl = Ioctl::write(b'e', 2);

/// `struct kev_request`: Apple's events about the network, of every subclass.
#[must_use]
pub fn event_filter() -> [u8; 12] {
    // KEV_VENDOR_APPLE, KEV_NETWORK_CLASS, KEV_ANY_SUBCLASS.
    [1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]
}

/// An argument that starts with an interface's name; `None` when the name does not fit with its final zero.
fn named<const N: usize>(name: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    let place = bytes.get_mut(..name.len()).filter(|place| place.len() < NAME_LENGTH)?;
    place.copy_from_slice(name.as_bytes());
    Some(bytes)
}

fn word<const N: usize>(bytes: &[u8; N], at: usize) -> u32 {
    bytes.get(at..).and_then(|rest| rest.first_chunk()).copied().map_or(0, u32::from_le_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_the_headers() {
        // SIOCGIFMEDIA, SIOCGIFINFO_IN6, SIOCGIFAFLAG_IN6, SIOCSKEVFILT of a 64-bit process.
        let (media, bytes) = media_request("en0").unwrap();
        assert_eq!(media.code(bytes.len()), Some(0xc02c_6938));
        let (nd, bytes) = nd_request("en0").unwrap();
        assert_eq!(nd.code(bytes.len()), Some(0xc030_694c));
        let (flags, bytes) = address_flags_request("en0", Ipv6Addr::LOCALHOST).unwrap();
        assert_eq!(flags.code(bytes.len()), Some(0xc120_6949));
        assert_eq!(SET_EVENT_FILTER.code(event_filter().len()), Some(0x800c_6502));
        assert_eq!(SET_EVENT_FILTER.code(0x2000), None);
    }

    #[test]
    fn names_keep_their_final_zero() {
        assert!(media_request("abcdefghijklmno").is_some());
        assert!(media_request("abcdefghijklmnop").is_none());
    }

    #[test]
    fn answers() {
        let (_, mut media) = media_request("en0").unwrap();
        assert_eq!(media_active(&media), None);
        media[IFM_STATUS] = 1;
        assert_eq!(media_active(&media), Some(false));
        media[IFM_STATUS] = 3;
        assert_eq!(media_active(&media), Some(true));
        let (_, mut nd) = nd_request("en0").unwrap();
        assert_eq!(nd_link_mtu(&nd), None);
        nd[16..18].copy_from_slice(&[0xdc, 5]);
        assert_eq!(nd_link_mtu(&nd), Some(1500));
        let (_, mut flags) = address_flags_request("en0", "fe80::1".parse().unwrap()).unwrap();
        assert_eq!(&flags[16..26], &[28, 30, 0, 0, 0, 0, 0, 0, 0xfe, 0x80]);
        flags[16..20].copy_from_slice(&[0x80, 0, 0, 0]);
        assert_eq!(address_flags_reply(&flags), 0x80);
    }
}
