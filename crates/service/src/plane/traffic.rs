//! What the engine wants to know about packets without being told of each: whether any flow, and from whom none comes
//! back. A few relaxed loads and stores per packet.

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering};

/// Destinations noted between two readings; more are as good as these.
const SLOTS: usize = 16;

const SENT: u8 = 1;
const ANSWERED: u8 = 2;

#[derive(Debug, Default)]
struct Slot {
    /// 0.0.0.0: free.
    address: AtomicU32,
    seen: AtomicU8,
}

/// Written by the packet threads, read now and then. A note that is lost in a race costs nothing.
#[derive(Debug, Default)]
pub(crate) struct Traffic {
    /// Somebody wants to hear of the next packet.
    bell: AtomicBool,
    slots: [Slot; SLOTS],
}

impl Traffic {
    /// The next packet from an app is to be told.
    pub(crate) fn set_bell(&self) {
        self.bell.store(true, Ordering::Relaxed);
    }

    /// Whether the next one still is.
    pub(crate) fn is_bell_set(&self) -> bool {
        self.bell.load(Ordering::Relaxed)
    }

    /// An app has sent to `address` by the fast path.
    pub(crate) fn note_sent(&self, address: Ipv4Addr) {
        self.note(address, SENT);
    }

    /// An app has sent to `address`. `true`: that is to be told.
    #[inline]
    pub(crate) fn sent(&self, address: Ipv4Addr) -> bool {
        self.note(address, SENT);
        self.bell.load(Ordering::Relaxed) && self.bell.swap(false, Ordering::Relaxed)
    }

    /// An app has got something from `address`.
    #[inline]
    pub(crate) fn answered(&self, address: Ipv4Addr) {
        self.note(address, ANSWERED);
    }

    #[inline]
    fn note(&self, address: Ipv4Addr, what: u8) {
        let bits = address.to_bits();
        // Fibonacci hashing: the upper bits depend on all of the address.
        let place = bits.wrapping_mul(0x9e37_79b9) >> (32 - SLOTS.trailing_zeros());
        let Some(slot) = usize::try_from(place).ok().and_then(|place| self.slots.get(place)) else { return };
        let known = slot.address.load(Ordering::Relaxed);
        if known == 0 {
            slot.address.store(bits, Ordering::Relaxed);
        } else if known != bits {
            return;
        }
        if slot.seen.load(Ordering::Relaxed) & what == 0 {
            slot.seen.fetch_or(what, Ordering::Relaxed);
        }
    }

    /// Who has been sent to and is mute, and who has answered, since the last call.
    pub(crate) fn take(&self) -> (Vec<Ipv4Addr>, Vec<Ipv4Addr>) {
        let (mut mute, mut answered) = (Vec::new(), Vec::new());
        for slot in &self.slots {
            let seen = slot.seen.swap(0, Ordering::Relaxed);
            let address = Ipv4Addr::from_bits(slot.address.swap(0, Ordering::Relaxed));
            if seen & ANSWERED != 0 {
                answered.push(address);
            } else if seen & SENT != 0 {
                mute.push(address);
            }
        }
        (mute, answered)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_the_mute_from_those_who_answered() {
        let traffic = Traffic::default();
        let (one, two) = (Ipv4Addr::new(198, 51, 100, 7), Ipv4Addr::new(192, 0, 2, 1));
        for _ in 0..3 {
            traffic.sent(one);
            traffic.sent(two);
        }
        traffic.answered(two);
        assert_eq!(traffic.take(), (vec![one], vec![two]));
        assert_eq!(traffic.take(), (vec![], vec![]));
    }

    #[test]
    fn the_bell_rings_once() {
        let traffic = Traffic::default();
        let to = Ipv4Addr::new(198, 51, 100, 7);
        assert!(!traffic.sent(to));
        traffic.set_bell();
        assert!(traffic.sent(to));
        assert!(!traffic.sent(to));
    }

    #[test]
    fn a_flood_of_destinations_is_bounded() {
        let traffic = Traffic::default();
        for last in 0..=255u8 {
            traffic.sent(Ipv4Addr::new(203, 0, 113, last));
        }
        assert_eq!(traffic.take().0.len(), SLOTS);
    }
}
