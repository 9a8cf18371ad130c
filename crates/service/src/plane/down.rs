//! From the network to the host's apps, and neighbour discovery for X beside it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use arc_swap::Cache;
use engine::nd::{Agent, AgentConfig, AgentEvent, Message};
use model::{MacAddress, PlaneConfig, PlaneEvent, Timestamp};
use platform_api::{PlaneIo, TunDevice, UplinkPort};
use xlat::{PacketBuf, Translator, Verdict};

use super::counters::add;
use super::limit::Limit;
use super::{Active, Shared};

const NEXT_HEADER: usize = 6;
const ICMPV6: u8 = 58;
const ICMP_TYPE: usize = 40;
/// Router solicitation to redirect (RFC 4861 section 4): never for the translator.
const NEIGHBOUR_DISCOVERY: std::ops::RangeInclusive<u8> = 133..=137;

/// Runs until the plane is stopped or the uplink's socket is gone.
pub(super) fn run<I: PlaneIo>(shared: &Shared<I>) {
    let mut active = Cache::new(&shared.active);
    let mut down = Down::new(shared, Arc::clone(active.load()));
    let mut buf = PacketBuf::new();
    loop {
        let latest = active.load();
        if !Arc::ptr_eq(latest, &down.active) {
            down.switch(Arc::clone(latest));
        }
        if shared.stop.load(Ordering::Acquire) {
            return;
        }
        if let Err(error) = down.drain(&mut buf).and_then(|()| down.rest()) {
            let generation = down.active.config.generation;
            return shared.report(generation, PlaneEvent::Failed(format!("the uplink's socket is gone: {error}")));
        }
    }
}

struct Down<'a, I: PlaneIo> {
    shared: &'a Shared<I>,
    active: Arc<Active<I::Port>>,
    translator: Translator,
    agent: Agent,
    errors: Limit,
    /// This configuration has seen a reply, and the engine knows.
    replied: bool,
}

/// After so many packets the thread looks whether it should do something else.
const BATCH: usize = 64;

impl<'a, I: PlaneIo> Down<'a, I> {
    fn new(shared: &'a Shared<I>, active: Arc<Active<I::Port>>) -> Self {
        let now = shared.clock.now();
        Self {
            translator: Translator::new(active.translator.clone()),
            agent: Agent::new(agent_config(&active.config), now),
            errors: Limit::new(now),
            replied: false,
            shared,
            active,
        }
    }

    fn switch(&mut self, active: Arc<Active<I::Port>>) {
        let now = self.shared.clock.now();
        let (old, new) = (&self.active.config, &active.config);
        let same_address = (old.v6, old.uplink.link, old.uplink.mac) == (new.v6, new.uplink.link, new.uplink.mac);
        if same_address {
            self.agent.renew(agent_config(new), now);
        } else {
            self.agent = Agent::new(agent_config(new), now);
        }
        self.translator.replace(active.translator.clone());
        self.active = active;
        self.replied = false;
    }

    /// Takes what there is.
    fn drain(&mut self, buf: &mut PacketBuf) -> std::io::Result<()> {
        let mut replies = false;
        for _ in 0..BATCH {
            let Some(from) = self.active.port.recv(buf)? else { break };
            if is_neighbour_discovery(buf.packet()) {
                if let Ok(message) = Message::parse(from, buf.packet()) {
                    self.agent.handle(&message);
                }
            } else {
                replies |= self.forward(buf, from);
            }
        }
        let now = self.shared.clock.now();
        if replies {
            self.shared.counters.reply_at(now);
            if !self.replied {
                self.replied = true;
                self.shared.report(self.active.config.generation, PlaneEvent::FirstReply);
            }
        }
        self.agent.handle_timeout(now);
        self.speak();
        Ok(())
    }

    /// Says whether an app got a packet.
    fn forward(&mut self, buf: &mut PacketBuf, from: MacAddress) -> bool {
        let counters = &*self.shared.counters;
        match self.translator.v6_to_v4(buf) {
            Verdict::Forward => self.deliver(buf),
            Verdict::Fragments(mut fragments) => {
                let mut delivered = false;
                while fragments.next(buf) {
                    delivered |= self.deliver(buf);
                }
                delivered
            }
            Verdict::Reply(reason) => {
                counters.drop(reason);
                if self.errors.take(self.shared.clock.now()) {
                    // An error message is a courtesy; losing one is no loss.
                    let _ = self.active.port.send(buf, from);
                }
                false
            }
            Verdict::Drop(reason) => {
                counters.drop(reason);
                false
            }
        }
    }

    fn deliver(&self, buf: &mut PacketBuf) -> bool {
        let counters = &*self.shared.counters;
        let bytes = buf.len();
        if self.shared.tun.send(buf).is_err() {
            add(&counters.send_errors, 1);
            return false;
        }
        add(&counters.packets_in, 1);
        add(&counters.bytes_in, bytes);
        true
    }

    fn speak(&mut self) {
        while let Some(frame) = self.agent.poll_frame() {
            if self.active.port.send_frame(&frame).is_err() {
                add(&self.shared.counters.send_errors, 1);
            }
        }
        while let Some(event) = self.agent.poll_event() {
            let event = match event {
                AgentEvent::Claimed(address) => PlaneEvent::Claimed(address),
                AgentEvent::Duplicate(address) => PlaneEvent::Duplicate(address),
                AgentEvent::GatewayMac(mac) => {
                    self.active.gateway_mac.set(mac);
                    continue;
                }
            };
            self.shared.report(self.active.config.generation, event);
        }
    }

    fn rest(&self) -> std::io::Result<()> {
        let timeout = self.agent.poll_timeout().map(|at| until(self.shared.clock.now(), at));
        self.active.port.wait(&self.shared.wake_down, timeout).map(drop)
    }
}

fn agent_config(config: &PlaneConfig) -> AgentConfig {
    AgentConfig { address: config.v6, mac: config.uplink.mac, gateway: config.uplink.gateway, dad: config.dad }
}

/// Rounded up to a millisecond, so that a wait never ends a moment too early and spins.
fn until(now: Timestamp, at: Timestamp) -> Duration {
    at.since(now) + Duration::from_millis(1)
}

fn is_neighbour_discovery(packet: &[u8]) -> bool {
    packet.get(NEXT_HEADER) == Some(&ICMPV6)
        && packet.get(ICMP_TYPE).is_some_and(|kind| NEIGHBOUR_DISCOVERY.contains(kind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_neighbour_discovery_is_kept_from_the_translator() {
        let mut packet = [0u8; 48];
        packet[NEXT_HEADER] = ICMPV6;
        packet[ICMP_TYPE] = 129;
        assert!(!is_neighbour_discovery(&packet), "echo reply");
        packet[ICMP_TYPE] = 136;
        assert!(is_neighbour_discovery(&packet));
        packet[NEXT_HEADER] = 6;
        assert!(!is_neighbour_discovery(&packet));
        assert!(!is_neighbour_discovery(&packet[..40]));
    }
}
