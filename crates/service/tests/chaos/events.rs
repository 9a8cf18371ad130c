//! What can happen.

use platform_fake::Call;

use crate::dice::Dice;

/// Something about the networks. The first number says on which uplink.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    /// The interface comes or goes.
    Present(usize, bool),
    Up(usize, bool),
    Carrier(usize, bool),
    /// It is taken away and another one gets its number.
    Replaced(usize),
    Renamed(usize),
    Mac(usize),
    Mtu(usize, u16),
    Metric(usize, u32),
    Forwards(usize, bool),
    /// Its addresses are in these networks from now on.
    Nets(usize, Vec<u8>),
    Deprecated(usize),
    Default(usize, bool),
    Gateway(usize, u8),
    GatewayMac(usize),
    /// The kernel forgets the router's link-layer address.
    Forgotten(usize),
    Alive(usize, bool),
    Nat64(usize, bool),
    Native(Option<usize>),
    Modem(bool),
    OtherClat(bool),
    Taken(bool),
    /// 0: not IPv4; 1: by a default route; 2: by halves. And IPv6, or not.
    Vpn(u8, bool),
    /// Neighbours object to so many claims.
    Objections(usize, u8),
}

/// One thing that happens. Each may be repeated, and none needs another one before it.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    Network(Change),
    /// The router announces these prefixes from now on, and takes others back or not.
    Announces(usize, Vec<(usize, u16)>, bool),
    Garbage(usize, Vec<u8>),
    Resolvers(usize, u8),
    Portal(usize, bool),
    Ipv6Only(usize),
    /// A neighbour says that X in use, or the spare's, is its own.
    Steal(bool),
    /// A neighbour asks for X.
    Asked(bool),
    Packets(u8),
    /// An answer that nobody has asked for.
    Stray(usize),
    UndoRoute,
    UndoAddress,
    UndoTunnel,
    Pause(Option<u64>),
    Resume,
    Rearm,
    Setting,
    Restart,
    /// After so many more successes it fails: so many times, or until it is healed.
    Fail(Call, usize, Option<usize>),
    Heal,
    /// Milliseconds in which everything goes its way.
    Wait(u64),
    /// Seconds in which nothing does.
    Sleep(u64),
}

/// Calls that fail only at the start.
pub(crate) const AT_START: [Call; 2] = [Call::Subscribe, Call::CleanupStale];

impl Dice {
    /// Things are mended more often than they break, or nothing would ever work in between.
    fn good(&mut self) -> bool {
        self.below(6) > 0
    }

    fn announcement(&mut self) -> Vec<(usize, u16)> {
        let count = self.pick(&[0, 1, 1, 1, 2, 3]);
        let first = self.index(4);
        (0..count).map(|place| ((first + place) % 4, self.pick(&[16, 64, 1800, 1800, 65_528]))).collect()
    }

    fn resolvers(&mut self) -> u8 {
        self.pick(&[0, 1, 2])
    }

    fn fault(&mut self) -> Event {
        loop {
            let call = self.pick(&Call::ALL);
            if !AT_START.contains(&call) {
                let times = self.pick(&[Some(1), Some(2), None]);
                return Event::Fail(call, self.index(4), times);
            }
        }
    }

    pub(crate) fn event(&mut self) -> Event {
        // The third uplink is mostly absent.
        let on = self.pick(&[0, 0, 0, 1, 1, 1, 2]);
        match self.below(100) {
            0 | 1 => Event::Network(Change::Present(on, if on == 2 { !self.good() } else { self.good() })),
            2 => Event::Network(Change::Up(on, self.good())),
            3..=7 => Event::Network(Change::Carrier(on, self.good())),
            8 => Event::Network(Change::Replaced(on)),
            9 => Event::Network(Change::Renamed(on)),
            10 => Event::Network(Change::Mac(on)),
            11 | 12 => Event::Network(Change::Mtu(on, self.pick(&[1280, 1400, 1500, 9000]))),
            13 | 14 => Event::Network(Change::Metric(on, self.pick(&[100, 600, 700, 50]))),
            15 => Event::Network(Change::Forwards(on, !self.good())),
            16..=18 => {
                let count = self.pick(&[0, 1, 1, 1, 2]);
                let first = self.below(4);
                Event::Network(Change::Nets(
                    on,
                    (0..count).map(|more| u8::try_from((first + more) % 4 + 1).unwrap()).collect(),
                ))
            }
            19 => Event::Network(Change::Deprecated(on)),
            20 | 21 => Event::Network(Change::Default(on, self.good())),
            22 => Event::Network(Change::Gateway(on, self.pick(&[1, 2]))),
            23 => Event::Network(Change::GatewayMac(on)),
            24 => Event::Network(Change::Forgotten(on)),
            25..=27 => Event::Network(Change::Alive(on, self.good())),
            28 | 29 => Event::Network(Change::Nat64(on, self.good())),
            30..=35 => Event::Announces(on, self.announcement(), self.good()),
            36 => {
                let mut bytes = self.bytes(40);
                if self.good() && bytes.len() > 2 {
                    bytes[0] = self.pick(&[25, 37, 38]);
                    bytes[1] = self.pick(&[0, 1, 2, 3, 5]);
                }
                Event::Garbage(on, bytes)
            }
            37 => Event::Resolvers(on, self.resolvers()),
            38 | 39 => Event::Portal(on, !self.good()),
            40 => Event::Ipv6Only(on),
            41..=43 => Event::Network(Change::Native(self.once_in(10).then_some(on))),
            44 => Event::Network(Change::Modem(self.once_in(12))),
            45 => Event::Network(Change::OtherClat(self.once_in(12))),
            46 => Event::Network(Change::Taken(!self.good())),
            47 | 48 => {
                Event::Network(Change::Vpn(if self.once_in(10) { self.pick(&[1, 2]) } else { 0 }, self.once_in(12)))
            }
            49 | 50 => Event::Network(Change::Objections(on, self.pick(&[0, 1, 1, 2, 4]))),
            51 | 52 => Event::Steal(self.good()),
            53..=55 => Event::Asked(self.good()),
            56..=60 => Event::Packets(self.pick(&[1, 2, 5])),
            61 => Event::Stray(on),
            62 => Event::UndoRoute,
            63 => Event::UndoAddress,
            64 => Event::UndoTunnel,
            65 => Event::Pause(self.pick(&[None, Some(1), Some(1), Some(30), Some(600)])),
            66..=68 => Event::Resume,
            69 => Event::Rearm,
            70 => Event::Setting,
            71 if self.once_in(4) => Event::Restart,
            71..=75 => self.fault(),
            76..=80 => Event::Heal,
            81..=89 => Event::Wait(self.below(30)),
            90..=97 => Event::Wait(self.below(3_000)),
            98 => Event::Wait(self.below(60_000)),
            _ => Event::Sleep(self.pick(&[1, 30, 3_600, 30_000])),
        }
    }
}
