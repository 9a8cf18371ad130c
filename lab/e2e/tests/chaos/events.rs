//! What can happen, and the dice that choose.

use std::hash::{BuildHasher, RandomState};

/// The lab's uplinks; events name them by their place here.
pub(crate) const UPLINKS: [&str; 2] = ["eth0", "wlan0"];

/// One thing that happens. Each may be repeated, and none needs another one before it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Event {
    Cut(usize),
    Restore(usize),
    Flush(usize),
    NativeIpv4(usize, bool),
    Withdraw(usize),
    /// `true`: the other prefix than at the beginning.
    Announce(usize, bool),
    RouterMute(usize, bool),
    Nat64Dead(usize, bool),
    Forwarding(bool),
    Mtu(usize, u16),
    Command(&'static [&'static str]),
    HangUp,
    KillAndStart,
}

/// xorshift64*: the same seed gives the same events on every machine and with every version of every library.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        // The state must not be zero; neighbouring seeds must not begin alike.
        let mut dice = Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        for _ in 0..8 {
            dice.next();
        }
        dice
    }

    /// A seed that nobody has chosen.
    pub(crate) fn seed() -> u64 {
        RandomState::new().hash_one(0) % 1_000_000
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        // The high half is the better one.
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32
    }

    pub(crate) fn between(&mut self, least: u64, most: u64) -> u64 {
        least + self.next() % (most - least + 1)
    }

    fn coin(&mut self) -> bool {
        self.between(0, 1) == 1
    }

    /// Things end more often than they begin, or nothing would ever work in between.
    fn rarely(&mut self) -> bool {
        self.between(0, 2) == 0
    }

    pub(crate) fn event(&mut self) -> Event {
        let uplink = usize::from(self.coin());
        match self.between(0, 19) {
            0 | 1 => Event::Cut(uplink),
            2..=4 => Event::Restore(uplink),
            5 => Event::Flush(uplink),
            6 | 7 => Event::NativeIpv4(uplink, self.rarely()),
            8 => Event::Withdraw(uplink),
            9 | 10 => Event::Announce(uplink, self.coin()),
            11 | 12 => Event::RouterMute(uplink, self.rarely()),
            13 => Event::Nat64Dead(uplink, self.rarely()),
            14 => Event::Forwarding(self.rarely()),
            15 => Event::Mtu(uplink, [1280, 1400, 1500, 1500][usize::from(self.coin()) + 2 * usize::from(self.coin())]),
            16 => Event::Command(&["pause", "--for", "1h", "--reason", "chaos"]),
            17 => Event::Command(if self.rarely() { &["rearm"] } else { &["resume"] }),
            18 => Event::HangUp,
            _ => Event::KillAndStart,
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_events() {
    let first = |seed| {
        let mut dice = Dice::new(seed);
        (0..200).map(|_| format!("{:?} {}", dice.event(), dice.between(20, 300))).collect::<Vec<_>>()
    };
    assert_eq!(first(7), first(7));
    assert_ne!(first(7), first(8));
    for kind in ["Cut(0)", "Restore(1)", "Flush", "NativeIpv4", "Withdraw", "Announce", "RouterMute", "Nat64Dead"] {
        assert!(first(7).iter().any(|event| event.starts_with(kind)), "{kind} never happens");
    }
    for kind in ["Forwarding", "Mtu", "pause", "rearm", "resume", "HangUp", "KillAndStart"] {
        assert!(first(7).iter().any(|event| event.contains(kind)), "{kind} never happens");
    }
}
