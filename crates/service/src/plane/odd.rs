//! What packets out of the ordinary need, in one direction.

use model::Timestamp;
use xlat::{DropReason, PacketBuf, Reassembler, Verdict};

use super::counters::Counters;
use super::limit::Limit;

/// How many errors may leave, and the fragmented ICMP messages that are not all there.
#[derive(Debug)]
pub(super) struct Odd {
    pub(super) errors: Limit,
    icmp: Reassembler,
}

impl Odd {
    pub(super) fn new(errors: Limit) -> Self {
        Self { errors, icmp: Reassembler::new() }
    }

    /// What becomes of a packet after all. A fragment of an ICMP message waits for the others, uncounted: `None`. If it is
    /// the last of them, the whole message is translated.
    #[inline]
    pub(super) fn judge(
        &mut self,
        verdict: Verdict,
        buf: &mut PacketBuf,
        counters: &Counters,
        now: impl Fn() -> Timestamp,
        translate: impl FnOnce(&mut PacketBuf) -> Verdict,
    ) -> Option<Verdict> {
        match verdict {
            Verdict::Drop(DropReason::FragmentedIcmp) => self.completes(buf, counters, now()).then(|| translate(buf)),
            Verdict::Forward | Verdict::Fragments(_) | Verdict::Reply(_) | Verdict::Drop(_) => Some(verdict),
        }
    }

    #[cold]
    fn completes(&mut self, buf: &mut PacketBuf, counters: &Counters, now: Timestamp) -> bool {
        let whole = self.icmp.add(buf, now.since_start());
        for _ in 0..self.icmp.take_lost() {
            counters.drop(DropReason::FragmentedIcmp);
        }
        whole
    }
}
