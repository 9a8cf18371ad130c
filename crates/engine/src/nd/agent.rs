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
            // The routers of this network know X by our other uplink's address.
            self.events.push_back(AgentEvent::Claimed(self.config.address));
            Phase::Ours { left: ANNOUNCEMENTS, next: now }
        } else {
            self.send(dad_probe(self.config.mac, self.config.address));
            if self.config.dad == Dad::Optimistic {
                self.announce(Audience::AllRouters);
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
            Phase::Ours { .. } if dad_of_another => self.announce(Audience::AllNodes),
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
                self.announce(if self.config.owned { Audience::AllNodes } else { Audience::AllRouters });
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

    /// Nobody asked. To routers X is new: they may enter it at once, and without override nothing is taken from anyone
    /// (RFC 9131 section 6.1.2); one that knows it by another link-layer address learns ours from the solicitation.
    fn announce(&mut self, to: Audience) {
        let overrides = to == Audience::AllNodes;
        self.send(advertisement(self.config.mac, self.config.address, to, overrides));
    }

    fn send(&mut self, frame: Vec<u8>) {
        if self.frames.len() < MAX_QUEUE {
            self.frames.push_back(frame);
        }
    }
}

#[cfg(test)]
mod tests;
