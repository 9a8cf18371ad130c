//! Packets from apps that are translated already and leave together.

use std::mem::swap;
use std::net::Ipv4Addr;

use platform_api::AT_ONCE;
use xlat::PacketBuf;

/// What a system call costs by itself is nothing beside the copying of such a packet, and others would wait for that: it
/// is the last of its batch. Measured: docs/decisions/0012-user-space-plane.md.
pub(super) const LARGE: usize = 8 << 10;

/// What is to be counted once a packet has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Leaving {
    /// The way that is kept for its flow; `None`: the one in use.
    pub(super) kept: Option<usize>,
    /// Its length as the app sent it.
    pub(super) bytes: usize,
    pub(super) destination: Option<Ipv4Addr>,
}

/// Packets that are ready to leave, in their order.
#[derive(Debug)]
pub(super) struct Batch {
    bufs: [PacketBuf; AT_ONCE],
    /// About the first of them; the others are free. Never grows beyond its first size.
    leaving: Vec<Leaving>,
}

impl Batch {
    pub(super) fn new() -> Self {
        Self { bufs: std::array::from_fn(|_| PacketBuf::new()), leaving: Vec::with_capacity(AT_ONCE) }
    }

    pub(super) fn len(&self) -> usize {
        self.leaving.len()
    }

    /// Takes the packet in `buf`, and leaves a free buffer there; `false`: there is no room.
    pub(super) fn add(&mut self, buf: &mut PacketBuf, leaving: Leaving) -> bool {
        let Some(free) = self.bufs.get_mut(self.leaving.len()) else { return false };
        swap(free, buf);
        self.leaving.push(leaving);
        true
    }

    /// Has all of them leave: those that go the same way one after the other together.
    pub(super) fn leave(&mut self, mut send: impl FnMut(Option<usize>, &mut [PacketBuf], &[Leaving])) {
        let mut rest = self.bufs.as_mut_slice();
        for leaving in self.leaving.chunk_by(|one, next| one.kept == next.kept) {
            let (Some(first), Some((bufs, behind))) = (leaving.first(), rest.split_at_mut_checked(leaving.len()))
            else {
                break;
            };
            send(first.kept, bufs, leaving);
            rest = behind;
        }
        self.leaving.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaving(kept: Option<usize>, bytes: usize) -> Leaving {
        Leaving { kept, bytes, destination: None }
    }

    #[test]
    fn packets_leave_in_order_and_each_by_its_way() {
        let mut batch = Batch::new();
        let mut buf = PacketBuf::new();
        for (byte, kept) in (0..).zip([None, None, Some(1), None, Some(0), Some(0)]) {
            assert!(buf.set_packet(&[byte]));
            assert!(batch.add(&mut buf, leaving(kept, usize::from(byte))));
        }
        let mut seen = Vec::new();
        let run = |kept, bufs: &mut [PacketBuf], leaving: &[Leaving]| {
            let bytes: Vec<usize> = bufs.iter().map(|buf| usize::from(buf.packet()[0])).collect();
            assert_eq!(bytes, leaving.iter().map(|leaving| leaving.bytes).collect::<Vec<_>>());
            seen.push((kept, bytes));
        };
        batch.leave(run);
        assert_eq!(seen, [(None, vec![0, 1]), (Some(1), vec![2]), (None, vec![3]), (Some(0), vec![4, 5])]);
        assert_eq!(batch.len(), 0);
        batch.leave(|_, _, _| panic!("nothing is left"));
    }

    #[test]
    fn a_full_batch_takes_no_more_and_keeps_the_packet_where_it_is() {
        let mut batch = Batch::new();
        let mut buf = PacketBuf::new();
        for _ in 0..AT_ONCE {
            assert!(batch.add(&mut buf, leaving(None, 0)));
        }
        assert!(buf.set_packet(b"one more"));
        assert!(!batch.add(&mut buf, leaving(None, 0)));
        assert_eq!(buf.packet(), b"one more");
    }
}
