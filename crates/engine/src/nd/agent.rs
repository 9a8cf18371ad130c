use std::collections::VecDeque;
use std::net::Ipv6Addr;
use std::time::Duration;

use model::{Dad, MacAddress, Timestamp};

use super::message::{Audience, Message, advertisement, dad_probe, reachability_probe, solicitation};

/// RetransTimer of RFC 4861 section 10: how long an objection may take.
const DAD_WAIT: Duration = Duration::from_secs(1);
/// RFC 4861 section 10 allows three of each; one lost frame must not make X unknown to the router.
const ANNOUNCEMENTS: u8 = 2;
/// Between two of our own frames that nobody asked for.
const REPEAT: Duration = Duration::from_secs(1);
/// At most this many answers may wait: an attacker's flood must not make us a memory or a reflector.
const MAX_QUEUE: usize = 32;

/// What the agent stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentConfig {
    /// X.
    pub address: Ipv6Addr,
    /// Our link-layer address on the uplink.
    pub mac: MacAddress,
    /// The next hop towards the NAT64.
    pub gateway: Ipv6Addr,
    /// How X is claimed.
    pub dad: Dad,
    /// X has been claimed on this very network through another uplink of ours: it is only to be announced.
    pub owned: bool,
    /// Another number than before: whether X is still ours is in doubt.
    pub round: u32,
    /// Link-layer addresses of those other uplinks: what comes from them is no objection.
    pub own_macs: Vec<MacAddress>,
    /// Whether X is claimed and answered for here; not while another uplink does.
    pub answers: bool,
}

/// What the agent found out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AgentEvent {
    /// Nobody objected.
    Claimed(Ipv6Addr),
    /// Somebody else has or claims the address.
    Duplicate(Ipv6Addr),
    /// The gateway's link-layer address.
    GatewayMac(MacAddress),
    /// The gateway has answered [`Agent::ask_gateway`].
    GatewayAnswered,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Asked, and waiting for objections until then.
    Asking { until: Timestamp },
    /// X is ours; so many announcements are left, the next one is due then.
    Ours { left: u8, next: Timestamp },
    /// X is somebody else's; silent.
    Lost,
    /// Another uplink of ours answers for X; silent.
    Quiet,
}

/// Claims and defends one address.
///
/// Optimistic (RFC 4429): while it asks it already answers, but without the override flag, and sends no solicitation
/// from X. Strict: silent until the second is over.
#[derive(Debug)]
pub struct Agent {
    config: AgentConfig,
    phase: Phase,
    /// An answer of the gateway is waited for.
    asking_gateway: bool,
    /// The question whether anybody has X has not left the host.
    unasked: bool,
    frames: VecDeque<Vec<u8>>,
    events: VecDeque<AgentEvent>,
}

impl Agent {
    /// Starts to claim the address, or what the configuration says instead.
    #[must_use]
    pub fn new(config: AgentConfig, now: Timestamp) -> Self {
        let mut agent = Self {
            phase: Phase::Quiet,
            asking_gateway: false,
            unasked: false,
            frames: VecDeque::new(),
            events: VecDeque::new(),
            config,
        };
        agent.start(now);
        agent
    }

    fn start(&mut self, now: Timestamp) {
        self.unasked = false;
        self.phase = if !self.config.answers {
            Phase::Quiet
        } else if self.config.owned {
            // With override: the routers of this network know X by our other uplink's address.
            self.events.push_back(AgentEvent::Claimed(self.config.address));
            Phase::Ours { left: ANNOUNCEMENTS, next: now }
        } else {
            self.send(dad_probe(self.config.mac, self.config.address));
            if self.config.dad == Dad::Optimistic {
                // Routers may enter X at once (RFC 9131 section 6.1); without override nothing is taken from anyone.
                self.announce(false);
            }
            Phase::Asking { until: now + DAD_WAIT }
        };
        self.handle_timeout(now);
    }

    /// The same link for another generation. With the same address, what was found out is said again: whoever listens
    /// may have asked for another generation before the first time.
    pub fn renew(&mut self, config: AgentConfig, now: Timestamp) {
        let claim = |config: &AgentConfig| (config.address, config.mac, config.answers, config.round);
        let same = claim(&config) == claim(&self.config);
        self.config = config;
        if !same {
            self.frames.clear();
            return self.start(now);
        }
        match self.phase {
            Phase::Asking { .. } | Phase::Quiet => {}
            Phase::Ours { .. } => {
                self.events.push_back(AgentEvent::Claimed(self.config.address));
                // The gateway may be another one, which does not know X yet.
                self.phase = Phase::Ours { left: 1, next: now };
            }
            Phase::Lost => self.events.push_back(AgentEvent::Duplicate(self.config.address)),
        }
    }

    /// Asks the gateway at `to` whether it is there. It learns X by that, should it have forgotten. One that did not answer
    /// the last time is asked by multicast besides: another router may have taken its address (RFC 4861 section 7.3.3).
    pub fn ask_gateway(&mut self, to: MacAddress) {
        // From an address that is not ours nothing may be asked (RFC 4429 section 3.2).
        if self.is_claimed() {
            if std::mem::replace(&mut self.asking_gateway, true) {
                self.send(solicitation(self.config.mac, self.config.address, self.config.gateway));
            }
            self.send(reachability_probe(self.config.mac, self.config.address, self.config.gateway, to));
        }
    }

    /// Whether no objection was heard in time.
    #[must_use]
    pub fn is_claimed(&self) -> bool {
        matches!(self.phase, Phase::Ours { .. })
    }

    /// The address it stands for.
    #[must_use]
    pub fn config(&self) -> &AgentConfig {
        &self.config
    }

    /// A valid message from the link.
    pub fn handle(&mut self, message: &Message) {
        match *message {
            // Our own frames come back over some bridges and Wi-Fi access points, and from our other uplink.
            Message::Solicitation { from_mac, .. } | Message::Advertisement { from_mac, .. }
                if from_mac == self.config.mac || self.config.own_macs.contains(&from_mac) => {}
            Message::Solicitation { from_mac, source, target } if target == self.config.address => {
                self.asked(from_mac, source);
            }
            Message::Advertisement { target, .. } if target == self.config.address => match self.phase {
                Phase::Quiet | Phase::Lost => {}
                Phase::Asking { .. } | Phase::Ours { .. } => {
                    self.phase = Phase::Lost;
                    self.events.push_back(AgentEvent::Duplicate(target));
                }
            },
            Message::Advertisement { target, from_mac, target_mac, .. } if target == self.config.gateway => {
                self.events.push_back(AgentEvent::GatewayMac(target_mac.unwrap_or(from_mac)));
                if std::mem::take(&mut self.asking_gateway) {
                    self.events.push_back(AgentEvent::GatewayAnswered);
                }
            }
            Message::Solicitation { .. } | Message::Advertisement { .. } => {}
        }
    }

    fn asked(&mut self, from_mac: MacAddress, source: Ipv6Addr) {
        let dad_of_another = source.is_unspecified();
        match self.phase {
            Phase::Asking { .. } if dad_of_another => {
                // Both ask at the same time: neither may have it (RFC 4862 section 5.4.3).
                self.phase = Phase::Lost;
                self.events.push_back(AgentEvent::Duplicate(self.config.address));
            }
            Phase::Asking { .. } if self.config.dad == Dad::Optimistic => {
                let asker = Audience::Asker { mac: from_mac, address: source };
                self.send(advertisement(self.config.mac, self.config.address, asker, false));
            }
            Phase::Ours { .. } if dad_of_another => self.announce(true),
            Phase::Ours { .. } => {
                let asker = Audience::Asker { mac: from_mac, address: source };
                self.send(advertisement(self.config.mac, self.config.address, asker, true));
            }
            Phase::Asking { .. } | Phase::Lost | Phase::Quiet => {}
        }
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        match self.phase {
            Phase::Asking { until } if until <= now && self.unasked => {
                // Silence says nothing where nobody was asked.
                self.unasked = false;
                self.send(dad_probe(self.config.mac, self.config.address));
                self.phase = Phase::Asking { until: now + DAD_WAIT };
            }
            Phase::Asking { until } if until <= now => {
                self.events.push_back(AgentEvent::Claimed(self.config.address));
                self.phase = Phase::Ours { left: ANNOUNCEMENTS, next: now };
                self.handle_timeout(now);
            }
            Phase::Ours { left, next } if left > 0 && next <= now => {
                self.announce(true);
                // One exchange tells us the gateway's address and the gateway ours.
                self.send(solicitation(self.config.mac, self.config.address, self.config.gateway));
                self.phase = Phase::Ours { left: left - 1, next: now + REPEAT };
            }
            Phase::Asking { .. } | Phase::Ours { .. } | Phase::Lost | Phase::Quiet => {}
        }
    }

    /// A frame could not be sent. If it may have been the question whether anybody has X, that is asked again.
    pub fn not_sent(&mut self) {
        match self.phase {
            Phase::Asking { .. } => self.unasked = true,
            // Announcements are repeated, and answers asked for again.
            Phase::Ours { .. } | Phase::Lost | Phase::Quiet => {}
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) is wanted.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        match self.phase {
            Phase::Asking { until } => Some(until),
            Phase::Ours { left, next } if left > 0 => Some(next),
            Phase::Ours { .. } | Phase::Lost | Phase::Quiet => None,
        }
    }

    /// The next frame to send.
    pub fn poll_frame(&mut self) -> Option<Vec<u8>> {
        self.frames.pop_front()
    }

    /// The next thing found out.
    pub fn poll_event(&mut self) -> Option<AgentEvent> {
        self.events.pop_front()
    }

    fn announce(&mut self, overrides: bool) {
        self.send(advertisement(self.config.mac, self.config.address, Audience::AllNodes, overrides));
    }

    fn send(&mut self, frame: Vec<u8>) {
        if self.frames.len() < MAX_QUEUE {
            self.frames.push_back(frame);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: MacAddress = MacAddress([2, 0, 0, 0, 0, 1]);
    const THEIRS: MacAddress = MacAddress([2, 0, 0, 0, 0, 9]);

    fn address(text: &str) -> Ipv6Addr {
        text.parse().unwrap()
    }

    fn config(dad: Dad) -> AgentConfig {
        AgentConfig {
            address: address("2001:db8:1::a"),
            mac: OURS,
            gateway: address("fe80::1"),
            dad,
            owned: false,
            round: 0,
            own_macs: Vec::new(),
            answers: true,
        }
    }

    fn ms(ms: u64) -> Timestamp {
        Timestamp::from_millis(ms)
    }

    fn sent(agent: &mut Agent) -> Vec<Message> {
        std::iter::from_fn(|| agent.poll_frame()).map(|frame| Message::parse(OURS, &frame[14..]).unwrap()).collect()
    }

    fn asks(source: &str) -> Message {
        Message::Solicitation { from_mac: THEIRS, source: address(source), target: address("2001:db8:1::a") }
    }

    fn overrides(message: &Message) -> bool {
        matches!(message, Message::Advertisement { overrides: true, .. })
    }

    /// Claimed, and nothing left to say.
    fn claimed() -> Agent {
        let mut agent = Agent::new(config(Dad::Optimistic), ms(0));
        agent.handle_timeout(ms(1000));
        agent.handle_timeout(ms(2000));
        while agent.poll_frame().is_some() || agent.poll_event().is_some() {}
        agent
    }

    #[test]
    fn optimistic_announces_without_override_and_is_sure_after_a_second() {
        let mut agent = Agent::new(config(Dad::Optimistic), ms(0));
        let first = sent(&mut agent);
        assert!(matches!(first[0], Message::Solicitation { source, .. } if source.is_unspecified()));
        assert!(matches!(first[1], Message::Advertisement { overrides: false, .. }));
        assert_eq!(first.len(), 2, "RFC 4429 section 3.2: no solicitation from an optimistic address");
        agent.handle(&asks("fe80::9"));
        assert!(!overrides(&sent(&mut agent)[0]));
        assert_eq!(agent.poll_timeout(), Some(ms(1000)));
        agent.handle_timeout(ms(1000));
        assert_eq!(agent.poll_event(), Some(AgentEvent::Claimed(address("2001:db8:1::a"))));
        let after = sent(&mut agent);
        assert!(overrides(&after[0]));
        assert!(matches!(after[1], Message::Solicitation { target, .. } if target == address("fe80::1")));
        agent.handle(&asks("fe80::9"));
        assert!(overrides(&sent(&mut agent)[0]));
        agent.handle_timeout(ms(2000));
        assert_eq!(agent.poll_timeout(), None, "then it sleeps until it is asked");
    }

    #[test]
    fn strict_is_silent_until_it_is_sure() {
        let mut agent = Agent::new(config(Dad::Strict), ms(0));
        assert_eq!(sent(&mut agent).len(), 1);
        agent.handle(&asks("fe80::9"));
        assert!(sent(&mut agent).is_empty());
        agent.handle_timeout(ms(1000));
        assert!(agent.is_claimed());
    }

    #[test]
    fn what_was_not_asked_is_asked_again() {
        let mut agent = Agent::new(config(Dad::Strict), ms(0));
        assert_eq!(sent(&mut agent).len(), 1);
        agent.not_sent();
        agent.handle_timeout(ms(1000));
        assert!(matches!(sent(&mut agent)[..], [Message::Solicitation { source, .. }] if source.is_unspecified()));
        assert_eq!((agent.poll_event(), agent.poll_timeout()), (None, Some(ms(2000))));
        agent.handle_timeout(ms(2000));
        assert!(agent.is_claimed());
    }

    #[test]
    fn an_owner_objects() {
        let mut agent = Agent::new(config(Dad::Optimistic), ms(0));
        let objection = Message::Advertisement {
            from_mac: THEIRS,
            target: address("2001:db8:1::a"),
            target_mac: Some(THEIRS),
            overrides: true,
        };
        agent.handle(&objection);
        assert_eq!(agent.poll_event(), Some(AgentEvent::Duplicate(address("2001:db8:1::a"))));
        sent(&mut agent);
        agent.handle(&asks("fe80::9"));
        assert!(sent(&mut agent).is_empty(), "it no longer answers");
        agent.handle_timeout(ms(1000));
        assert_eq!(agent.poll_event(), None, "and never claims it");
    }

    #[test]
    fn two_that_ask_at_once_both_lose() {
        let mut agent = Agent::new(config(Dad::Optimistic), ms(0));
        agent.handle(&asks("::"));
        assert_eq!(agent.poll_event(), Some(AgentEvent::Duplicate(address("2001:db8:1::a"))));
    }

    #[test]
    fn a_claimed_address_is_defended_to_everyone() {
        let mut agent = claimed();
        agent.handle(&asks("::"));
        assert!(overrides(&sent(&mut agent)[0]));
        assert_eq!(agent.poll_event(), None);
    }

    #[test]
    fn our_own_frames_do_not_count() {
        let mut agent = Agent::new(config(Dad::Optimistic), ms(0));
        let own = Message::Solicitation { from_mac: OURS, source: address("::"), target: address("2001:db8:1::a") };
        agent.handle(&own);
        assert_eq!(agent.poll_event(), None);
    }

    #[test]
    fn another_generation_hears_what_the_one_before_may_have_missed() {
        let mut agent = claimed();
        let elsewhere = AgentConfig { gateway: address("fe80::2"), ..config(Dad::Optimistic) };
        agent.renew(elsewhere.clone(), ms(5000));
        assert_eq!(agent.poll_event(), Some(AgentEvent::Claimed(address("2001:db8:1::a"))));
        agent.handle_timeout(ms(5000));
        let asked = sent(&mut agent);
        assert!(matches!(asked[1], Message::Solicitation { target, .. } if target == address("fe80::2")));

        let mut agent = Agent::new(config(Dad::Optimistic), ms(0));
        agent.handle(&asks("::"));
        agent.poll_event();
        agent.renew(elsewhere, ms(10));
        assert_eq!(agent.poll_event(), Some(AgentEvent::Duplicate(address("2001:db8:1::a"))));
    }

    #[test]
    fn the_gateway_tells_its_address() {
        let mut agent = claimed();
        let answer = Message::Advertisement {
            from_mac: THEIRS,
            target: address("fe80::1"),
            target_mac: Some(MacAddress([2, 0, 0, 0, 0, 7])),
            overrides: true,
        };
        agent.handle(&answer);
        assert_eq!(agent.poll_event(), Some(AgentEvent::GatewayMac(MacAddress([2, 0, 0, 0, 0, 7]))));
    }

    #[test]
    fn a_flood_of_questions_is_bounded() {
        let mut agent = claimed();
        for _ in 0..10_000 {
            agent.handle(&asks("fe80::9"));
        }
        assert_eq!(sent(&mut agent).len(), MAX_QUEUE);
    }

    /// On a network that two uplinks share, X moves: the routers have to learn the new address at once.
    #[test]
    fn an_address_that_moves_is_announced_with_override_and_not_asked_for() {
        let moved = AgentConfig { owned: true, own_macs: vec![THEIRS], ..config(Dad::Strict) };
        let mut agent = Agent::new(moved, ms(0));
        assert_eq!(agent.poll_event(), Some(AgentEvent::Claimed(address("2001:db8:1::a"))));
        let first = sent(&mut agent);
        assert!(overrides(&first[0]));
        assert!(matches!(first[1], Message::Solicitation { target, .. } if target == address("fe80::1")));
        let echo_of_ours = Message::Advertisement {
            from_mac: THEIRS,
            target: address("2001:db8:1::a"),
            target_mac: Some(THEIRS),
            overrides: true,
        };
        agent.handle(&echo_of_ours);
        assert_eq!(agent.poll_event(), None, "our own other uplink");
    }

    #[test]
    fn a_quiet_one_says_nothing_until_it_takes_over() {
        let quiet = AgentConfig { answers: false, ..config(Dad::Optimistic) };
        let mut agent = Agent::new(quiet.clone(), ms(0));
        agent.handle(&asks("fe80::9"));
        agent.handle(&asks("::"));
        agent.ask_gateway(THEIRS);
        agent.handle_timeout(ms(5000));
        assert!(sent(&mut agent).is_empty());
        assert_eq!((agent.poll_event(), agent.poll_timeout()), (None, None));
        agent.renew(AgentConfig { answers: true, owned: true, ..quiet.clone() }, ms(6000));
        assert!(overrides(&sent(&mut agent)[0]));
        assert!(agent.is_claimed());
        agent.renew(quiet, ms(7000));
        agent.handle(&asks("fe80::9"));
        assert!(sent(&mut agent).is_empty(), "and quiet again");
    }

    /// Nobody was there to defend it: it is claimed as if it were new, and answered for meanwhile.
    #[test]
    fn an_address_in_doubt_is_claimed_again() {
        let mut agent = claimed();
        let again = AgentConfig { round: 1, ..config(Dad::Optimistic) };
        agent.renew(again.clone(), ms(5000));
        assert!(!agent.is_claimed());
        let first = sent(&mut agent);
        assert!(matches!(first[0], Message::Solicitation { source, .. } if source.is_unspecified()));
        agent.handle(&asks("fe80::9"));
        assert!(!overrides(&sent(&mut agent)[0]), "it takes nothing from whoever may have it now");
        agent.renew(again, ms(5500));
        assert_eq!(agent.poll_timeout(), Some(ms(6000)), "the same doubt");
        agent.handle_timeout(ms(6000));
        assert_eq!(agent.poll_event(), Some(AgentEvent::Claimed(address("2001:db8:1::a"))));
    }

    #[test]
    fn a_gateway_that_did_not_answer_is_looked_for_behind_another_address() {
        let mut agent = claimed();
        agent.ask_gateway(THEIRS);
        assert_eq!(sent(&mut agent).len(), 1, "the one that is known");
        agent.ask_gateway(THEIRS);
        let multicast: Vec<bool> =
            std::iter::from_fn(|| agent.poll_frame()).map(|frame| frame[..2] == [0x33, 0x33]).collect();
        assert_eq!(multicast, [true, false]);
    }

    #[test]
    fn the_gateway_is_asked_directly_and_its_answer_told_once() {
        let mut agent = claimed();
        let gateway = MacAddress([2, 0, 0, 0, 0, 7]);
        agent.ask_gateway(gateway);
        let frame = agent.poll_frame().unwrap();
        assert_eq!(frame[..6], gateway.0);
        assert_eq!(frame[38..54], address("fe80::1").octets(), "unicast, not to a group");
        let answer = Message::Advertisement {
            from_mac: gateway,
            target: address("fe80::1"),
            target_mac: None,
            overrides: false,
        };
        agent.handle(&answer);
        agent.handle(&answer);
        let events: Vec<_> = std::iter::from_fn(|| agent.poll_event()).collect();
        assert_eq!(events.iter().filter(|event| **event == AgentEvent::GatewayAnswered).count(), 1);
    }
}
