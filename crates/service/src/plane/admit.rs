//! Which flows the tunnel's thread hands to the fast path.
//!
//! A flow is handed over after some packets, so that what is over soon never costs a call into the system, and only while
//! replies have been seen by the way in use: the first one is for the complete translator to see.

use std::sync::Arc;
use std::time::Duration;

use engine::flow::{Candidate, Fast as Word, Flows};
use model::FlowKey;
use platform_api::{FastLane, FastSeed};

/// So many packets come first.
const FIRST: u8 = 8;
/// A flow that was handed over has sent so many packets here after all: the fast path may have lost it.
const ANEW: u8 = 200;
/// A flow of which the fast path has seen nothing for so long makes room for others.
const IDLE: Duration = Duration::from_secs(60);

const SETS: usize = 1024;
const PLACES: usize = 4;

/// A flow, and how many of its packets have been seen here; 0: none is.
#[derive(Clone, Copy, Debug)]
struct Slot {
    key: FlowKey,
    packets: u8,
    udp_gso: bool,
}

const FREE: Slot = Slot {
    key: FlowKey { peer: std::net::Ipv4Addr::UNSPECIFIED, port: 0, peer_port: 0, protocol: 0 },
    packets: 0,
    udp_gso: false,
};

impl Slot {
    fn is_admitted(&self) -> bool {
        self.packets >= FIRST
    }
}

/// Flows that are, or may soon be, with the fast path. What is there is here, too; places are as many as there.
pub(super) struct Admission<L> {
    lane: Option<Arc<L>>,
    sets: Box<[[Slot; PLACES]]>,
    admitted: usize,
}

impl<L> Default for Admission<L> {
    fn default() -> Self {
        Self { lane: None, sets: vec![[FREE; PLACES]; SETS].into_boxed_slice(), admitted: 0 }
    }
}

impl<L: FastLane> Admission<L> {
    /// Flows may be handed over from here on, or no longer.
    pub(super) fn set(&mut self, lane: Option<Arc<L>>) {
        if lane.is_some() {
            self.lane = lane;
        }
    }

    /// Whether there is anything to do for a packet.
    #[inline]
    pub(super) fn is_open(&self) -> bool {
        self.lane.is_some()
    }

    /// Takes back what the fast path knows, and all flows.
    pub(super) fn take_back(&mut self, flows: &mut Flows) {
        let Some(lane) = self.lane.take() else { return };
        if self.admitted > 0 {
            refresh(&*lane, flows);
            lane.clear();
        }
        self.sets.fill([FREE; PLACES]);
        self.admitted = 0;
    }

    /// Has `flows` know what the fast path knows, and leaves to us what it has not seen for long.
    pub(super) fn look(&mut self, flows: &mut Flows) {
        if self.admitted == 0 {
            return;
        }
        let Some(lane) = self.lane.clone() else { return };
        for key in refresh(&*lane, flows) {
            lane.remove(&key);
            self.forget(key);
        }
    }

    /// Whether the fast path has this flow.
    pub(super) fn has(&mut self, word: Word) -> bool {
        match word {
            Word::May(Candidate { key, .. }) => self.find(key).is_some_and(|slot| slot.is_admitted()),
            Word::Ends(_) | Word::Nothing => false,
        }
    }

    /// A packet was translated and sent. `proven`: the way in use has been answered by.
    #[inline]
    pub(super) fn sent(&mut self, word: Word, proven: bool) {
        match word {
            Word::May(candidate) if proven => self.count(candidate),
            Word::Ends(key) => {
                if self.find(key).is_some_and(|slot| slot.is_admitted()) {
                    self.leave(key);
                }
            }
            Word::May(_) | Word::Nothing => {}
        }
    }

    fn count(&mut self, candidate: Candidate) {
        let Some(set) = self.sets.get_mut(place(candidate.key)) else { return };
        let known = set.iter().position(|slot| slot.packets > 0 && slot.key == candidate.key);
        let least = || set.iter().enumerate().min_by_key(|(_, slot)| slot.packets).map_or(0, |(at, _)| at);
        let at = known.unwrap_or_else(least);
        let Some(slot) = set.get_mut(at) else { return };
        if known.is_none() {
            if slot.is_admitted() {
                // All of them are: this one stays with us.
                return;
            }
            *slot = Slot { key: candidate.key, packets: 0, udp_gso: false };
        }
        let was = slot.is_admitted();
        slot.packets = slot.packets.saturating_add(1);
        let newly_gso = candidate.udp_gso && !slot.udp_gso;
        slot.udp_gso |= candidate.udp_gso;
        if (was && !newly_gso && slot.packets < ANEW) || !slot.is_admitted() {
            return;
        }
        let seed = FastSeed { expects: candidate.expects, end: candidate.end, udp_gso: slot.udp_gso };
        let is_in = self.lane.as_ref().is_some_and(|lane| lane.admit(&candidate.key, &seed).is_ok());
        slot.packets = if is_in { FIRST } else { 1 };
        match (was, is_in) {
            (false, true) => self.admitted += 1,
            (true, false) => self.admitted -= 1,
            (true, true) | (false, false) => {}
        }
    }

    #[cold]
    fn leave(&mut self, key: FlowKey) {
        if let Some(lane) = &self.lane {
            lane.remove(&key);
        }
        self.forget(key);
    }

    fn forget(&mut self, key: FlowKey) {
        if let Some(slot) = self.find(key) {
            let was = slot.is_admitted();
            *slot = FREE;
            self.admitted -= usize::from(was);
        }
    }

    fn find(&mut self, key: FlowKey) -> Option<&mut Slot> {
        self.sets.get_mut(place(key))?.iter_mut().find(|slot| slot.packets > 0 && slot.key == key)
    }
}

/// Says which flows the fast path has not seen for long.
fn refresh<L: FastLane>(lane: &L, flows: &mut Flows) -> Vec<FlowKey> {
    let mut idle = Vec::new();
    for (key, flow) in lane.flows() {
        flows.refresh(&key, flow.expects, u16::try_from(flow.sent.as_secs()).unwrap_or(u16::MAX));
        if flow.sent > IDLE && flow.answered.is_none_or(|ago| ago > IDLE) {
            idle.push(key);
        }
    }
    idle
}

/// The number of the set in which a flow is.
fn place(key: FlowKey) -> usize {
    let ports = u32::from(key.port) << 16 | u32::from(key.peer_port);
    // Fibonacci hashing: the upper bits depend on all of the key.
    let whole = u64::from(key.peer.to_bits()) << 32 | u64::from(ports);
    let mixed = (whole ^ u64::from(key.protocol)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    usize::try_from(mixed >> (64 - SETS.trailing_zeros())).unwrap_or_default()
}
