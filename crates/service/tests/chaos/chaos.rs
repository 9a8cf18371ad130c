//! A run: a service, the networks around it, and what happens.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::Ipv6Addr;
use std::time::Duration;

use model::{Generation, MacAddress, Status, Timestamp};
use platform_api::HostEvent;
use platform_fake::{Call, Fake, Sent, View, pref64_option};

use crate::dice::Dice;
use crate::network::{Heard, Network, SERVER, Uplink, prefix};
use crate::observer::{Observer, Spoken};
use crate::packets;
use crate::service::Service;

/// A claim that was not sent is made again after a second.
const LOSSY: Duration = Duration::from_millis(1_100);

/// What was heard of the service, told after a failure.
const SPOKEN: usize = 20;

/// A neighbour who has something against us.
const THEIRS: MacAddress = MacAddress([2, 0, 0, 0, 0, 0x99]);

/// Two advertisements of a router are further apart than the options of one.
const APART: Duration = Duration::from_millis(20);

/// Longer than the service lets pass between two looks at the network.
const NOTICED: Duration = Duration::from_millis(7);

/// What somebody on the link does a moment later.
#[derive(Clone, Debug)]
pub(crate) enum Reaction {
    Advertise(usize),
    Resolved(u32, Ipv6Addr),
    Object(u32, Ipv6Addr),
    Say { link: u32, from: MacAddress, packet: Vec<u8> },
}

pub(crate) struct Chaos {
    pub(crate) fake: Fake,
    pub(crate) service: Option<Service>,
    pub(crate) network: Network,
    pub(crate) dice: Dice,
    /// For what answers the service, so that events do not depend on what it says.
    pub(crate) whims: Dice,
    pub(crate) observer: Observer,
    pub(crate) status: Option<Status>,
    pub(crate) generation: Generation,
    /// Calls that may fail now, and when others may last have failed.
    pub(crate) ill: BTreeSet<Call>,
    pub(crate) failed: BTreeMap<Call, Timestamp>,
    pub(crate) reactions: BTreeMap<(Timestamp, u64), Reaction>,
    /// When a router last advertised, by uplink.
    pub(crate) advertised: [Option<Timestamp>; 3],
    pub(crate) numbers: u64,
    pub(crate) mark: u16,
    /// What apps have got.
    pub(crate) received: Vec<Vec<u8>>,
    /// What left, and by which uplink.
    pub(crate) left: Vec<(u32, Vec<u8>)>,
    /// What was there at the last look.
    pub(crate) view: View,
    /// Calls of the last step, and how often each was made so far.
    pub(crate) calls: Vec<Call>,
    pub(crate) made: BTreeMap<Call, usize>,
    pub(crate) history: VecDeque<String>,
    pub(crate) spoken: VecDeque<String>,
    pub(crate) seed: u64,
    pub(crate) count: u64,
    /// How often all was as it should be, and in how many of these IPv4 was ours, and how often it took minutes.
    pub(crate) converged: u64,
    pub(crate) armed: u64,
    pub(crate) slow: u64,
}

impl Drop for Chaos {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the last events before the failure:");
            for line in &self.history {
                eprintln!("  {line}");
            }
            eprintln!("what was heard of it:");
            for line in &self.spoken {
                eprintln!("  {line}");
            }
            eprintln!("{:#?}", self.network);
            eprintln!("{:?}\n{:?}", self.fake.view(), self.status);
            eprintln!("calls: {:?}, then {:?}", self.calls, self.fake.take_calls());
            let (seed, count) = (self.seed, self.count);
            eprintln!("again: EVERCLAT_CHAOS_SEED={seed} EVERCLAT_CHAOS_EVENTS={count}");
        }
    }
}

impl Chaos {
    pub(crate) async fn start(seed: u64) -> Self {
        Self::start_with(seed, |_| ()).await
    }

    /// The same on a host that was prepared for it.
    pub(crate) async fn start_with(seed: u64, prepare: impl FnOnce(&Fake)) -> Self {
        let network = Network::default();
        let fake = Fake::new(network.snapshot());
        prepare(&fake);
        let service = Service::start(&fake, &network.setting.config()).await;
        let mut chaos = Self {
            fake,
            service: Some(service),
            network,
            dice: Dice::new(seed),
            whims: Dice::new(!seed),
            observer: Observer::default(),
            status: None,
            generation: Generation::default(),
            ill: BTreeSet::new(),
            failed: BTreeMap::new(),
            reactions: BTreeMap::new(),
            advertised: [None; 3],
            numbers: 0,
            mark: 0,
            received: Vec::new(),
            left: Vec::new(),
            view: View::default(),
            calls: Vec::new(),
            made: BTreeMap::new(),
            history: VecDeque::new(),
            spoken: VecDeque::new(),
            seed,
            count: 0,
            converged: 0,
            armed: 0,
            slow: 0,
        };
        for on in 0..3 {
            chaos.react(Duration::from_millis(300), Reaction::Advertise(on));
        }
        chaos.look().await;
        chaos
    }

    pub(crate) fn service(&mut self) -> &mut Service {
        self.service.as_mut().unwrap()
    }

    fn react(&mut self, after: Duration, reaction: Reaction) {
        self.numbers += 1;
        self.reactions.insert((self.fake.now() + after, self.numbers), reaction);
    }

    /// The host sees the network as it is now.
    pub(crate) fn show(&mut self) {
        self.network.tidy();
        let snapshot = self.network.snapshot();
        self.fake.change(|seen| *seen = snapshot);
        self.fake.tell(HostEvent::Changed);
    }

    /// Waits until nothing is left to do at this moment, and hears what was said.
    pub(crate) async fn calm(&mut self) {
        loop {
            self.service.as_ref().unwrap().settle().await;
            let sent = self.fake.take_sent();
            self.received.extend(self.fake.take_received());
            for link in self.fake.take_solicited() {
                let place = self.network.uplinks.iter().position(|uplink| uplink.index == link && uplink.present);
                if let Some(place) = place {
                    let delay = Duration::from_millis(1 + self.whims.below(500));
                    self.react(delay, Reaction::Advertise(place));
                }
            }
            for (link, address) in self.fake.take_resolving() {
                self.react(Duration::from_millis(2), Reaction::Resolved(link, address));
            }
            if sent.is_empty() {
                return;
            }
            for (link, sent) in sent {
                self.hear(link, sent);
            }
        }
    }

    /// The same until everything was noticed, and asks what the service says about it.
    pub(crate) async fn look(&mut self) {
        self.pass(NOTICED).await;
        loop {
            self.count_calls();
            let status = self.service().status().await;
            self.status = Some(status);
            self.calm().await;
            // What was due to the millisecond may be done because somebody asks.
            if self.count_calls() == 0 {
                break;
            }
        }
        self.view = self.fake.view();
        let status = self.status.as_ref().unwrap();
        if let Some(line) = self.history.back_mut() {
            let by = self.view.route.as_ref().map(|route| route.uplink);
            line.push_str(&format!(" -> {} {} {by:?}", status.state.name(), status.code));
        }
        // Where there are more, another X may be on its way in or out.
        if status.clat.is_some() && self.view.ports == 1 + usize::from(status.spare.is_some()) {
            let used = status.clat.iter().map(|clat| clat.v6).chain(status.spare.iter().map(|spare| spare.v6));
            self.observer.only(&used.collect::<Vec<_>>());
        }
    }

    fn count_calls(&mut self) -> usize {
        let calls = self.fake.take_calls();
        for call in &calls {
            *self.made.entry(*call).or_default() += 1;
        }
        let count = calls.len();
        if count > 0 {
            self.calls = calls;
        }
        count
    }

    /// How often each call was made.
    pub(crate) fn made(&mut self) -> BTreeMap<Call, usize> {
        self.count_calls();
        self.made.clone()
    }

    /// The same, but does not always ask where nothing of ours has changed on the host: that costs more than all the rest.
    pub(crate) async fn glance(&mut self) {
        self.pass(NOTICED).await;
        if self.fake.view() != self.view || self.whims.once_in(3) {
            self.look().await;
            self.check();
        }
    }

    fn hear(&mut self, link: u32, sent: Sent) {
        let now = self.fake.now();
        let lossy = self.has_failed(&[Call::PortSendFrame, Call::PortRecv, Call::PortWait], LOSSY);
        let spoken = self.observer.hear(link, sent, lossy, now);
        let at = now.since_start();
        let spoken = spoken.unwrap_or_else(|wrong| panic!("at {at:.3?}: {wrong}"));
        self.spoken.push_back(format!("{at:.3?} on {link}: {:.100}", format!("{spoken:?}")));
        if self.spoken.len() > SPOKEN {
            self.spoken.pop_front();
        }
        let Some(uplink) = self.network.at(link).filter(|uplink| uplink.is_usable()) else { return };
        let (router, mac) = (uplink.router(), uplink.gateway_mac);
        let answers = uplink.alive;
        match spoken {
            Spoken::Announcement { .. } => {}
            Spoken::Claim(x) => {
                if uplink.objections > 0 {
                    uplink.objections -= 1;
                    self.react(Duration::from_millis(1), Reaction::Object(link, x));
                }
            }
            Spoken::Question { x, target } if answers && target == router => {
                let packet = packets::neighbour(136, router, x, router);
                self.react(Duration::from_millis(1), Reaction::Say { link, from: mac, packet });
            }
            Spoken::Question { .. } => {}
            Spoken::Packet { to, bytes } => {
                let back = packets::reply(&bytes).filter(|_| answers && uplink.nat64 && to == mac);
                self.left.push((link, bytes));
                if let Some(packet) = back {
                    self.react(Duration::from_millis(1), Reaction::Say { link, from: mac, packet });
                }
            }
        }
    }

    /// Somebody on the network of `link` says that X is its own, which is heard on every uplink that is attached to it.
    pub(crate) fn object(&mut self, link: u32, x: Ipv6Addr) {
        let of_network = |uplink: &&Uplink| uplink.index == link || uplink.prefixes().any(|prefix| prefix.contains(&x));
        let usable = self.network.uplinks.iter().filter(|uplink| uplink.is_usable());
        let packet = packets::neighbour(136, x, "ff02::1".parse().unwrap(), x);
        for uplink in usable.filter(of_network).filter(|uplink| self.fake.ports_on(uplink.index) > 0) {
            self.fake.link_sends_on(uplink.index, THEIRS, &packet);
            self.observer.object(x, self.fake.now());
        }
    }

    fn do_react(&mut self, reaction: Reaction) {
        match reaction {
            Reaction::Advertise(on) => self.advertise(on),
            Reaction::Resolved(link, address) => {
                let Some(uplink) = self.network.at(link) else { return };
                if uplink.is_usable() && uplink.alive && uplink.router() == address && !uplink.resolved {
                    uplink.resolved = true;
                    self.show();
                }
            }
            Reaction::Object(link, x) => self.object(link, x),
            Reaction::Say { link, from, packet } => {
                let usable = self.network.at(link).is_some_and(|uplink| uplink.is_usable());
                if usable && self.fake.ports_on(link) > 0 {
                    self.fake.link_sends_on(link, from, &packet);
                }
            }
        }
    }

    /// The router of an uplink advertises what it announces.
    pub(crate) fn advertise(&mut self, on: usize) {
        let now = self.fake.now();
        let again = Duration::from_secs(100 + self.whims.below(400));
        if !self.reactions.values().any(|due| matches!(due, Reaction::Advertise(other) if *other == on)) {
            self.react(again, Reaction::Advertise(on));
        }
        let uplink = &mut self.network.uplinks[on];
        if !uplink.is_usable() || !uplink.alive {
            return;
        }
        if self.advertised[on].is_some_and(|last| now.since(last) < APART) {
            return self.react(APART, Reaction::Advertise(on));
        }
        self.advertised[on] = Some(now);
        uplink.advertisements += 1;
        let (link, router) = (uplink.index, uplink.router());
        for (place, (number, life)) in uplink.announces.iter().enumerate() {
            // The lowest three bits are another field (RFC 8781 section 4).
            let until = now + Duration::from_secs(u64::from(life & !7));
            uplink.heard.retain(|heard| (heard.prefix, heard.router) != (*number, router));
            let rank = (uplink.advertisements, place);
            uplink.heard.push(Heard { prefix: *number, router, until, rank });
        }
        let options: Vec<Vec<u8>> =
            uplink.announces.iter().map(|(number, life)| pref64_option(prefix(*number), *life)).collect();
        for bytes in options {
            self.fake.tell(HostEvent::RouterOption { link, router: Some(router), bytes });
        }
    }

    /// What is announced no longer is taken back: for how long the service believes it otherwise is its own affair.
    pub(crate) fn take_back(&mut self) {
        for uplink in self.network.uplinks.iter_mut().filter(|uplink| uplink.is_usable()) {
            let (link, router) = (uplink.index, uplink.router());
            let alive = uplink.alive;
            let announced: Vec<usize> = uplink.announces.iter().map(|(number, _)| *number).collect();
            let stands = |heard: &Heard| alive && heard.router == router && announced.contains(&heard.prefix);
            for heard in uplink.heard.iter().filter(|heard| !stands(heard)) {
                let (router, bytes) = (Some(heard.router), pref64_option(prefix(heard.prefix), 0));
                self.fake.tell(HostEvent::RouterOption { link, router, bytes });
            }
            uplink.heard.retain(stands);
        }
    }

    /// Everything goes its way for `time`.
    pub(crate) async fn pass(&mut self, time: Duration) {
        let end = self.fake.now() + time;
        loop {
            self.calm().await;
            let now = self.fake.now();
            if let Some(due) = self.reactions.first_entry().filter(|due| due.key().0 <= now) {
                let reaction = due.remove();
                self.do_react(reaction);
                continue;
            }
            let first = self.reactions.first_key_value().map(|((at, _), _)| *at);
            let next = self.fake.next().into_iter().chain(first).min();
            match next.filter(|next| *next <= end) {
                Some(next) => self.fake.pass(next.since(now)),
                None if now < end => self.fake.pass(end.since(now)),
                None => return,
            }
        }
    }

    /// An app sends a datagram, if the host lets it.
    pub(crate) fn app_sends(&mut self) -> Option<u16> {
        let view = self.fake.view();
        let address = view.route.and(view.address)?;
        self.mark = self.mark.wrapping_add(1);
        self.fake.app_sends(&packets::udp4(address, SERVER, self.mark));
        Some(self.mark)
    }

    /// X and the uplink's number of the line in use, or of the spare.
    pub(crate) fn line(&self, spare: bool) -> Option<(u32, Ipv6Addr)> {
        let status = self.status.as_ref()?;
        let (name, x) = if spare {
            status.spare.as_ref().map(|spare| (&spare.name, spare.v6))?
        } else {
            (&status.uplink.as_ref()?.name, status.clat.as_ref()?.v6)
        };
        let uplink = self.network.uplinks.iter().find(|uplink| uplink.present && uplink.name == *name)?;
        Some((uplink.index, x))
    }

    pub(crate) fn asked(&mut self, spare: bool) {
        let Some((link, x)) = self.line(spare) else { return };
        if self.fake.ports_on(link) > 0 {
            let from = "fe80::99".parse().unwrap();
            self.fake.link_sends_on(link, THEIRS, &packets::neighbour(135, from, model::solicited_node(x), x));
        }
    }
}
