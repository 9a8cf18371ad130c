//! A table of bounded size. Flows that meet in a full set push out the one that matters least.

use super::Way;
use super::segment::{Key, Segment};

/// A flow without packets for so long, in seconds, is over: the least that a NAT must remember UDP (RFC 4787 section 4.3)
/// and TCP (RFC 5382 section 5), and for a connection that the app has closed, twice the maximum segment lifetime (RFC
/// 9293 section 3.4.2).
const DATAGRAMS_OVER: u16 = 120;
const CONNECTION_OVER: u16 = 7_440;
const CLOSED_OVER: u16 = 240;

/// The number of no way.
pub(super) const STRANDED: u8 = u8::MAX;

const SETS: usize = 1024;
const WAYS: usize = 4;

/// How far a flow has got, the ones that matter least first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(super) enum Stage {
    /// There is none.
    #[default]
    Free,
    /// A TCP connection that is over, as its app has been told.
    Told,
    /// A TCP connection that the app has closed.
    Closing,
    /// UDP.
    Datagrams,
    /// A TCP connection that the app asks for.
    Opening,
    /// A TCP connection.
    Open,
}

/// A flow in 16 bytes.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub(super) struct Entry {
    destination: u32,
    ports: u32,
    /// The byte that the app expects next; while it asks for a connection, what it wants acknowledged.
    pub(super) expects: u32,
    /// When the app last sent.
    seen: u16,
    /// The number of the way on which it began; 0: the one in use.
    pub(super) home: u8,
    pub(super) stage: Stage,
}

impl Entry {
    pub(super) fn key(&self) -> Key {
        Key { destination: self.destination, ports: self.ports, is_tcp: self.stage != Stage::Datagrams }
    }

    /// In seconds.
    pub(super) fn age(&self, now: u16) -> u16 {
        now.wrapping_sub(self.seen)
    }

    pub(super) fn is_over(&self, now: u16) -> bool {
        let patience = match self.stage {
            Stage::Free | Stage::Told => return true,
            Stage::Closing => CLOSED_OVER,
            Stage::Datagrams => DATAGRAMS_OVER,
            Stage::Opening | Stage::Open => CONNECTION_OVER,
        };
        self.age(now) > patience
    }

    /// Notes what the app has sent, and says by which way it goes.
    #[inline]
    pub(super) fn note(&mut self, segment: &Segment, now: u16) -> Way {
        match self.stage {
            Stage::Datagrams => {
                // Nothing has been agreed upon that could be lost with the way.
                if self.home == STRANDED || self.is_over(now) {
                    self.home = 0;
                }
            }
            Stage::Free | Stage::Told | Stage::Closing | Stage::Opening | Stage::Open => self.note_tcp(segment),
        }
        self.seen = now;
        match (self.stage, self.home) {
            (Stage::Told, _) | (_, STRANDED) => Way::None,
            (_, 0) => Way::InUse,
            (_, number) => Way::Kept(usize::from(number) - 1),
        }
    }

    /// What was sent elsewhere, not after `now`. A connection that is not open has said more by itself since.
    pub(super) fn refresh(&mut self, expects: u32, age: u16, now: u16) {
        self.seen = now.wrapping_sub(age.min(self.age(now)));
        // Numbers go round: the later one is less than half a round ahead.
        let is_later = expects.wrapping_sub(self.expects) < 1 << 31;
        match self.stage {
            Stage::Open | Stage::Closing if is_later => self.expects = expects,
            Stage::Free | Stage::Told | Stage::Closing | Stage::Datagrams | Stage::Opening | Stage::Open => {}
        }
    }

    #[inline]
    fn note_tcp(&mut self, segment: &Segment) {
        if segment.opens() {
            // Asked for again, it goes where it was asked for first: the answer may be under way.
            if self.stage != Stage::Opening || self.home == STRANDED {
                self.home = 0;
            }
            self.stage = Stage::Opening;
            self.expects = segment.sequence.wrapping_add(1);
            return;
        }
        if self.stage == Stage::Told {
            return;
        }
        if self.home == STRANDED {
            self.stage = Stage::Told;
            return;
        }
        if segment.acknowledges() {
            self.expects = segment.expects;
            if self.stage != Stage::Closing {
                self.stage = Stage::Open;
            }
        }
        if segment.closes() || segment.resets() {
            self.stage = Stage::Closing;
        }
    }
}

/// One cache line.
#[derive(Clone, Copy, Debug, Default)]
#[repr(align(64))]
struct Set([Entry; WAYS]);

#[derive(Debug)]
pub(super) struct Table {
    sets: Box<[Set]>,
    /// For a set that cannot be: there is none.
    spill: Entry,
}

impl Default for Table {
    fn default() -> Self {
        Self { sets: vec![Set::default(); SETS].into_boxed_slice(), spill: Entry::default() }
    }
}

impl Table {
    pub(super) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.sets.iter().flat_map(|set| &set.0).filter(|entry| entry.stage != Stage::Free)
    }

    pub(super) fn entries_mut(&mut self) -> impl Iterator<Item = &mut Entry> {
        self.sets.iter_mut().flat_map(|set| &mut set.0).filter(|entry| entry.stage != Stage::Free)
    }

    /// The flow of `key`, if it is known.
    pub(super) fn find(&mut self, key: Key) -> Option<&mut Entry> {
        let Set(entries) = self.sets.get_mut(place(key))?;
        entries.iter_mut().find(|entry| entry.is(key))
    }

    /// The flow of `key`; a new one makes room for itself.
    #[inline]
    pub(super) fn find_or_insert(&mut self, key: Key, now: u16) -> &mut Entry {
        let Some(Set(entries)) = self.sets.get_mut(place(key)) else { return &mut self.spill };
        let found = entries.iter().position(|entry| entry.is(key)).unwrap_or_else(|| insert(entries, key, now));
        entries.get_mut(found).unwrap_or(&mut self.spill)
    }
}

/// The number of the set in which a flow is.
#[inline]
fn place(key: Key) -> usize {
    // Fibonacci hashing: the upper bits depend on all of the key.
    let mixed = (u64::from(key.destination) << 32 | u64::from(key.ports)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    usize::try_from(mixed >> (64 - SETS.trailing_zeros())).unwrap_or_default()
}

impl Entry {
    #[inline]
    fn is(&self, key: Key) -> bool {
        self.destination == key.destination
            && self.ports == key.ports
            && self.stage != Stage::Free
            && (self.stage != Stage::Datagrams) == key.is_tcp
    }
}

/// Puts a new flow in the place of the one that matters least. Says where.
#[cold]
fn insert(entries: &mut [Entry; WAYS], key: Key, now: u16) -> usize {
    let matters = |entry: &Entry| (!entry.is_over(now), entry.stage, u16::MAX - entry.age(now));
    let least = entries.iter().enumerate().min_by_key(|(_, entry)| matters(entry)).map_or(0, |(at, _)| at);
    if let Some(entry) = entries.get_mut(least) {
        // What is not seen opening has been open before.
        let stage = if key.is_tcp { Stage::Open } else { Stage::Datagrams };
        *entry = Entry { destination: key.destination, ports: key.ports, expects: 0, seen: now, home: 0, stage };
    }
    least
}
