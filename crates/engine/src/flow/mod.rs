//! Flows of the host's apps, noted as they send, so that each goes on by the way on which it began, and the app hears of it
//! when it cannot.
//!
//! A NAT64 knows a flow by X and a port (RFC 6146 section 3.1). When X changes, what it knows is of no use any more.
//! While the uplink that is left still works, flows that began there [go on](Way::Kept) there. Where nothing is left, an
//! app would wait for minutes for an answer that nobody can send: it is told at once instead ([`Flows::tell`]), by a
//! reset for TCP, by "port unreachable" for UDP; an app that missed it is told again when it sends
//! ([`Flows::answer`]).
//!
//! Sans-IO: packets in, packets out, time as a count of seconds. The table is bounded; a flow that is not in it goes by the
//! way in use.

mod fast;
mod repeated;
mod segment;
mod table;
#[cfg(test)]
mod tests;

use std::net::{Ipv4Addr, Ipv6Addr};

use model::FlowKey;

pub use fast::{Candidate, Fast};
pub use repeated::{NEVER_TOO_BIG, Repeated, Repetition, fragmentation_needed};

use segment::Segment;
use table::{Entry, STRANDED, Stage, Table};

/// Ways by which flows may go on beside the one in use: the second uplink, and a former X on the same one.
pub const KEPT: usize = 2;

/// An app that has sent a datagram longer ago than this, in seconds, no longer waits for the answer.
const ANSWER_EXPECTED: u16 = 10;

/// What an app sees of a way: where a flow begins, and by what the NAT64 knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Home {
    /// The host's address on the tunnel.
    pub v4: Ipv4Addr,
    /// X.
    pub v6: Ipv6Addr,
}

/// By which way a packet goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// By the one in use.
    InUse,
    /// By the one of this number, where its flow began.
    Kept(usize),
    /// By none: its flow cannot go on, and its app is to be [told](Flows::answer).
    None,
}

/// Which flows to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Those that began where they cannot go on.
    Stranded,
    /// All, because none can.
    All,
}

/// See the [module](self).
#[derive(Debug)]
pub struct Flows {
    /// The way in use, then the kept ones.
    homes: [Option<Home>; 1 + KEPT],
    table: Table,
    now: u16,
}

impl Default for Flows {
    fn default() -> Self {
        Self { homes: [None; 1 + KEPT], table: Table::default(), now: 0 }
    }
}

impl Flows {
    /// New flows begin at `used`; those that began at one of `kept` go on there. All others are stranded.
    pub fn settle(&mut self, used: Home, kept: [Option<Home>; KEPT]) {
        let [first, second] = kept;
        let homes = [Some(used), first, second];
        if homes == self.homes {
            return;
        }
        let numbers = self.homes.map(|old| {
            let at = old.and_then(|old| homes.iter().position(|home| *home == Some(old)));
            at.and_then(|at| u8::try_from(at).ok()).unwrap_or(STRANDED)
        });
        for entry in self.table.entries_mut() {
            entry.home = numbers.get(usize::from(entry.home)).copied().unwrap_or(STRANDED);
        }
        self.homes = homes;
    }

    /// The time: seconds since any fixed moment, modulo 65536.
    pub fn tick(&mut self, seconds: u16) {
        self.now = seconds;
    }

    /// By which way an IPv4 packet of an app goes; notes its flow.
    #[inline]
    pub fn route(&mut self, packet: &[u8]) -> Way {
        let [Some(used), ..] = self.homes else { return Way::InUse };
        let Some(segment) = Segment::parse(packet, used.v4) else { return Way::InUse };
        let entry = self.table.find_or_insert(segment.key, self.now);
        entry.note(&segment, self.now)
    }

    /// What the fast path has seen of a flow: the byte that its app expects next, and how long ago, in seconds, the app has
    /// sent. A flow that is not known, or was seen later by [`route`](Self::route), stays as it is.
    pub fn refresh(&mut self, key: &FlowKey, expects: u32, age: u16) {
        let now = self.now;
        if let Some(entry) = fast::table_key(key).and_then(|key| self.table.find(key)) {
            entry.refresh(expects, age, now);
        }
    }

    /// What to tell the app that has sent `packet`, for which there is [no way](Way::None); `None`: it knows.
    #[must_use]
    pub fn answer(&self, packet: &[u8]) -> Option<Vec<u8>> {
        let [Some(used), ..] = self.homes else { return None };
        let segment = Segment::parse(packet, used.v4)?;
        (segment.acknowledges() && !segment.resets()).then(|| segment::reset(used.v4, segment.key, segment.expects))
    }

    /// Ends flows: hands what their apps are to be told to `say`. Messages to apps of UDP come from `gateway`. Returns
    /// how many flows were ended.
    pub fn tell(&mut self, ending: Ending, gateway: Ipv4Addr, mut say: impl FnMut(&[u8])) -> usize {
        let [Some(used), ..] = self.homes else { return 0 };
        let (now, host) = (self.now, used.v4);
        let concerned = |entry: &&mut Entry| ending == Ending::All || entry.home == STRANDED;
        let mut ended = 0;
        for entry in self.table.entries_mut().filter(concerned) {
            let key = entry.key();
            match entry.stage {
                Stage::Open | Stage::Closing => {
                    say(&segment::reset(host, key, entry.expects));
                    entry.stage = Stage::Told;
                    ended += 1;
                }
                // By whichever way it is asked for again.
                Stage::Opening if ending == Ending::Stranded => entry.home = 0,
                Stage::Opening => {
                    say(&segment::refusal(host, key, entry.expects));
                    *entry = Entry::default();
                    ended += 1;
                }
                Stage::Datagrams => {
                    // Fragments have no port by which their app could be found.
                    if entry.age(now) <= ANSWER_EXPECTED && key.ports != 0 {
                        say(&segment::unreachable(gateway, host, key));
                        ended += 1;
                    }
                    *entry = Entry::default();
                }
                Stage::Free | Stage::Told => {}
            }
        }
        ended
    }

    /// Whether a flow lives that began by the kept way of this number.
    #[must_use]
    pub fn lives(&self, kept: usize) -> bool {
        let lives = |entry: &Entry| usize::from(entry.home) == kept + 1 && !entry.is_over(self.now);
        self.table.entries().any(lives)
    }
}
