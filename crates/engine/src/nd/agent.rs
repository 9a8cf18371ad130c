use std::collections::VecDeque;
use std::net::Ipv6Addr;
use std::time::Duration;

use model::{Dad, MacAddress, Timestamp};

use super::message::{Audience, Message, advertisement, dad_probe, solicitation};

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
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Asked, and waiting for objections until then.
    Asking { until: Timestamp },
    /// X is ours; so many announcements are left, the next one is due then.
    Ours { left: u8, next: Timestamp },
    /// X is somebody else's; silent.
    Lost,
}

/// Claims and defends one address.
///
/// Optimistic (RFC 4429): while it asks it already answers, but without the override flag, and sends no solicitation
/// from X. Strict: silent until the second is over.
#[derive(Debug)]
pub struct Agent {
    config: AgentConfig,
    phase: Phase,
    frames: VecDeque<Vec<u8>>,
    events: VecDeque<AgentEvent>,
}

impl Agent {
    /// Starts to claim the address.
    #[must_use]
    pub fn new(config: AgentConfig, now: Timestamp) -> Self {
        let mut agent = Self {
            phase: Phase::Asking { until: now + DAD_WAIT },
            frames: VecDeque::new(),
            events: VecDeque::new(),
            config,
        };
        agent.send(dad_probe(agent.config.mac, agent.config.address));
        if agent.config.dad == Dad::Optimistic {
            // Routers may enter X at once (RFC 9131 section 6.1); without override nothing is taken from anyone.
            agent.announce(false);
        }
        agent
    }

    /// The same address on the same link for another generation. What was found out is said again: whoever listens
    /// may have asked for another generation before the first time.
    pub fn renew(&mut self, config: AgentConfig, now: Timestamp) {
        match self.phase {
            Phase::Asking { .. } => {}
            Phase::Ours { .. } => {
                self.events.push_back(AgentEvent::Claimed(config.address));
                // The gateway may be another one, which does not know X yet.
                self.phase = Phase::Ours { left: 1, next: now };
            }
            Phase::Lost => self.events.push_back(AgentEvent::Duplicate(config.address)),
        }
        self.config = config;
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
                if from_mac == self.config.mac => {}
            Message::Solicitation { from_mac, source, target } if target == self.config.address => {
                self.asked(from_mac, source);
            }
            Message::Advertisement { target, .. } if target == self.config.address => {
                self.phase = Phase::Lost;
                self.events.push_back(AgentEvent::Duplicate(target));
            }
            Message::Advertisement { target, from_mac, target_mac, .. } if target == self.config.gateway => {
                self.events.push_back(AgentEvent::GatewayMac(target_mac.unwrap_or(from_mac)));
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
            Phase::Asking { .. } | Phase::Lost => {}
        }
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        match self.phase {
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
            Phase::Asking { .. } | Phase::Ours { .. } | Phase::Lost => {}
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) is wanted.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        match self.phase {
            Phase::Asking { until } => Some(until),
            Phase::Ours { left, next } if left > 0 => Some(next),
            Phase::Ours { .. } | Phase::Lost => None,
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
        AgentConfig { address: address("2001:db8:1::a"), mac: OURS, gateway: address("fe80::1"), dad }
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
}
