//! Routing messages: what `sysctl(CTL_NET, PF_ROUTE, ...)` and the routing socket speak (`net/route.h`, `net/if.h`).

use super::sockaddr;

/// `RTM_VERSION`; messages of another version have a layout we do not know.
const VERSION: u8 = 5;

/// `RTM_*`: what a message is about.
pub(super) mod kind {
    pub(in crate::codec) const ADD: u8 = 0x1;
    pub(in crate::codec) const DELETE: u8 = 0x2;
    pub(in crate::codec) const CHANGE: u8 = 0x3;
    pub(in crate::codec) const GET: u8 = 0x4;
    pub(in crate::codec) const REDIRECT: u8 = 0x6;
    pub(in crate::codec) const NEWADDR: u8 = 0xc;
    pub(in crate::codec) const DELADDR: u8 = 0xd;
    pub(in crate::codec) const IFINFO: u8 = 0xe;
    pub(in crate::codec) const IFINFO2: u8 = 0x12;
}

/// `RTAX_*`: the place of a socket address in a message; its bit in the mask is `1 << RTAX_*`.
pub(super) mod slot {
    pub(in crate::codec) const DST: usize = 0;
    pub(in crate::codec) const GATEWAY: usize = 1;
    pub(in crate::codec) const NETMASK: usize = 2;
    pub(in crate::codec) const IFP: usize = 4;
    pub(in crate::codec) const IFA: usize = 5;
    /// `RTAX_MAX`.
    pub(in crate::codec) const COUNT: usize = 8;
}

/// One message; fields that all of its kinds have in the same place.
#[derive(Clone, Copy)]
pub(super) struct Message<'a> {
    pub(super) kind: u8,
    pub(super) bytes: &'a [u8],
}

impl<'a> Message<'a> {
    /// The `u16` at `at`, in host order.
    pub(super) fn u16(&self, at: usize) -> Option<u16> {
        self.bytes.get(at..)?.first_chunk().copied().map(u16::from_le_bytes)
    }

    /// The `u32` (or the bits of the `int`) at `at`, in host order.
    pub(super) fn u32(&self, at: usize) -> Option<u32> {
        self.bytes.get(at..)?.first_chunk().copied().map(u32::from_le_bytes)
    }

    /// The socket addresses after a header of `header` bytes, as `mask` (`RTA_*`) lists them.
    pub(super) fn addresses(&self, mask: u32, header: usize) -> [Option<&'a [u8]>; slot::COUNT] {
        sockaddr::split(mask, self.bytes.get(header..).unwrap_or_default())
    }
}

/// The messages in `bytes`, as far as they are whole.
pub(super) fn messages(mut bytes: &[u8]) -> impl Iterator<Item = Message<'_>> {
    std::iter::from_fn(move || {
        loop {
            let length = usize::from(u16::from_le_bytes(*bytes.first_chunk()?));
            if length < 4 {
                return None;
            }
            let (message, rest) = bytes.split_at_checked(length)?;
            bytes = rest;
            if let [_, _, VERSION, kind, ..] = *message {
                return Some(Message { kind, bytes: message });
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_versions_are_skipped_and_halves_are_left_out() {
        // Constructed: a version 4 message, a version 5 message, the first half of a third.
        let bytes = [4, 0, 4, 1, 6, 0, 5, 2, 9, 9, 12, 0, 5, 3];
        let kinds: Vec<u8> = messages(&bytes).map(|message| message.kind).collect();
        assert_eq!(kinds, [2]);
    }

    #[test]
    fn a_length_of_zero_ends_the_dump() {
        assert_eq!(messages(&[0; 64]).count(), 0);
    }
}
