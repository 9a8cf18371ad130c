//! Which of the kernel's notifications may mean another snapshot.

use super::message::{kind, messages};

/// Whether messages from a routing socket tell of a change. Answers to questions and failed lookups do not: everybody's
/// are heard, ours included, and looking must not lead to looking again.
#[must_use]
pub fn is_routing_change(bytes: &[u8]) -> bool {
    messages(bytes).any(|message| {
        matches!(
            message.kind,
            kind::ADD
                | kind::DELETE
                | kind::CHANGE
                | kind::REDIRECT
                | kind::NEWADDR
                | kind::DELADDR
                | kind::IFINFO
                | kind::IFINFO2
        )
    })
}

// `struct kern_event_msg` (`sys/kern_event.h`): six numbers, then data.
const SUBCLASS: usize = 12;
const CODE: usize = 20;

// `KEV_*_SUBCLASS` of `net/net_kev.h`.
const INET: u32 = 1;
const DATA_LINK: u32 = 2;
const INET6: u32 = 6;
/// Neighbours reached, DAD ended, routers and prefixes expired.
const ND6: u32 = 7;
/// `KEV_NETEVENT_SUBCLASS`: the kernel's own CLAT tells of itself here.
const NETEVENT: u32 = 11;

/// `KEV_DL_*`: multicast groups, wake flags, idle counters, capabilities, link quality, peers of AWDL, radio states,
/// quality of service, low power. Frequent, and nothing of it is in a snapshot.
const DATA_LINK_NOISE: [u32; 13] = [7, 8, 17, 18, 19, 20, 21, 22, 24, 26, 27, 28, 29];

/// Whether a message from a kernel event socket for `KEV_NETWORK_CLASS` tells of a change.
#[must_use]
pub fn is_kernel_change(message: &[u8]) -> bool {
    let word = |at: usize| message.get(at..).and_then(|rest| rest.first_chunk()).copied().map(u32::from_le_bytes);
    match word(SUBCLASS) {
        Some(DATA_LINK) => word(CODE).is_some_and(|code| !DATA_LINK_NOISE.contains(&code)),
        Some(INET | INET6 | ND6 | NETEVENT) => true,
        Some(_) | None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Constructed from `struct kern_event_msg`.
    fn event(subclass: u8, code: u8) -> [u8; 24] {
        let mut bytes = [0; 24];
        bytes[0] = 24;
        bytes[4] = 1;
        bytes[8] = 1;
        bytes[SUBCLASS] = subclass;
        bytes[CODE] = code;
        bytes
    }

    #[test]
    fn kernel_events() {
        let cases = [
            ("link off", 2, 12, true),
            ("link on", 2, 13, true),
            ("link quality", 2, 20, false),
            ("a peer of AWDL", 2, 21, false),
            ("neighbour reached", 7, 3, true),
            ("DAD succeeded", 7, 5, true),
            ("address by router advertisement", 6, 5, true),
            ("IPv4 address deleted", 1, 3, true),
            ("the kernel's CLAT", 11, 2, true),
            ("a policy", 8, 1, false),
        ];
        for (what, subclass, code, expected) in cases {
            assert_eq!(is_kernel_change(&event(subclass, code)), expected, "{what}");
        }
        assert!(!is_kernel_change(&event(2, 12)[..16]));
    }

    #[test]
    fn routing_messages() {
        let message = |kind: u8| [4, 0, 5, kind];
        for kind in [1, 2, 3, 6, 0xc, 0xd, 0xe, 0x12] {
            assert!(is_routing_change(&message(kind)), "{kind}");
        }
        // GET, LOSING, MISS, RESOLVE, multicast groups.
        for kind in [4, 5, 7, 0xb, 0xf, 0x10] {
            assert!(!is_routing_change(&message(kind)), "{kind}");
        }
    }
}
