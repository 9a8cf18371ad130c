//! From the network to the host's apps, and neighbour discovery for X beside it.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use engine::nd::{Agent, AgentConfig, AgentEvent, Message};
use engine::probe::Prober;
use model::{MacAddress, PlaneEvent, Timestamp};
use platform_api::{AT_ONCE, Frame, PlaneIo, TunDevice, UplinkPort, Waker};
use xlat::{DUMMY_SOURCE, PacketBuf, Translator, Verdict};

use super::Shared;
use super::batch::LARGE;
use super::counters::add;
use super::lane::Lane;
use super::lend::Lending;
use super::limit::Limit;
use super::line::{Line, Order, Role};
use super::odd::Odd;

const NEXT_HEADER: usize = 6;
const ICMPV6: u8 = 58;
const ICMP_TYPE: usize = 40;
/// Router solicitation to redirect (RFC 4861 section 4): never for the translator.
const NEIGHBOUR_DISCOVERY: std::ops::RangeInclusive<u8> = 133..=137;

/// An answer to a probe that comes later than this helps nobody.
const PROBE_PATIENCE: Duration = Duration::from_secs(10);
/// Offset of the source in an IPv4 header.
const SOURCE: usize = 12;

/// Runs until the line is no longer wanted or the uplink's socket is gone.
pub(super) fn run<I: PlaneIo>(shared: &Shared<I>, line: &Line<I>) {
    let mut lending = Lending::default();
    loop {
        if line.stop.load(Ordering::Acquire) {
            return;
        }
        let mut inbound = line.inbound();
        let turn = inbound.turn(shared, line, !line.is_lent());
        let lent = lending.decide(shared, line, &inbound.own.role);
        let timeout = inbound.rest(shared.clock.now());
        drop(inbound);
        let waited = turn.and_then(|more| match (lent, more) {
            (true, _) => line.wake.wait(timeout).map(drop),
            (false, true) => Ok(()),
            (false, false) => line.port.wait(&line.wake, lending.sooner(timeout)).map(drop),
        });
        if let Err(error) = waited {
            line.take_back();
            return shared.report(line.dies(), PlaneEvent::Failed(format!("the uplink's socket is gone: {error}")));
        }
    }
}

/// What a line knows of what comes in, for whichever thread takes it.
pub(super) struct Inbound {
    own: Own,
    frames: [Frame; AT_ONCE],
    /// When the line's thread looks again by itself.
    alarm: Option<Timestamp>,
    /// What another thread found out about the port.
    broken: Option<std::io::Error>,
}

impl Inbound {
    pub(super) fn new(lane: Lane, role: Arc<Role>, now: Timestamp) -> Self {
        let own = Own::new(lane, role, now);
        Self { own, frames: std::array::from_fn(|_| Frame::default()), alarm: None, broken: None }
    }

    /// Does what was ordered, takes what there is if that is to be `taken`, and what is due. Says whether there may be more.
    fn turn<I: PlaneIo>(&mut self, shared: &Shared<I>, line: &Line<I>, taken: bool) -> std::io::Result<bool> {
        if let Some(error) = self.broken.take() {
            return Err(error);
        }
        let latest = line.role.load();
        let [Frame { packet: buf, .. }, ..] = &mut self.frames;
        let mut down = Down { shared, line, own: &mut self.own };
        if !Arc::ptr_eq(&latest, &down.own.role) {
            down.switch(Arc::clone(&latest));
        }
        down.obey(buf);
        let more = if taken { down.drain(&mut self.frames)? } else { false };
        down.attend();
        Ok(more)
    }

    /// The same by the tunnel's thread.
    pub(super) fn turn_for<I: PlaneIo>(&mut self, shared: &Shared<I>, line: &Line<I>) -> bool {
        match self.turn(shared, line, true) {
            Ok(more) => {
                let due = self.own.agent.poll_timeout();
                if due.is_some_and(|due| self.alarm.is_none_or(|alarm| due < alarm)) {
                    line.wake.wake();
                }
                more
            }
            Err(error) => {
                self.breaks(line, error);
                false
            }
        }
    }

    /// The line's own thread is to find out that its port is gone.
    pub(super) fn breaks<I: PlaneIo>(&mut self, line: &Line<I>, error: std::io::Error) {
        self.broken = Some(error);
        line.take_back();
    }

    /// How long nothing is due.
    fn rest(&mut self, now: Timestamp) -> Option<Duration> {
        self.alarm = self.own.agent.poll_timeout();
        self.alarm.map(|at| until(now, at))
    }
}

struct Own {
    role: Arc<Role>,
    translator: Translator,
    agent: Agent,
    prober: Prober,
    /// No answer to a probe is waited for after that.
    probing: Option<Timestamp>,
    odd: Odd,
    /// This configuration has seen a reply, and the engine knows.
    replied: bool,
    /// The last packet was: the next one probably is, too, and goes alone. Those behind it would only make it wait.
    large: bool,
}

struct Down<'a, I: PlaneIo> {
    shared: &'a Shared<I>,
    line: &'a Line<I>,
    own: &'a mut Own,
}

/// After so many packets the thread looks whether it should do something else.
const BATCH: usize = 64;

impl Own {
    fn new(lane: Lane, role: Arc<Role>, now: Timestamp) -> Self {
        Self {
            translator: lane.translator(&role.translator),
            agent: Agent::new(agent_config(&role), now),
            prober: Prober::new(role.config.v6, role.config.pref64),
            probing: None,
            odd: Odd::new(Limit::to_the_network(now)),
            replied: false,
            large: false,
            role,
        }
    }
}

impl<I: PlaneIo> Down<'_, I> {
    fn switch(&mut self, role: Arc<Role>) {
        self.own.agent.renew(agent_config(&role), self.shared.clock.now());
        if !self.own.agent.is_claimed() {
            // Before anybody is asked: from then on nothing leaves by the role that goes.
            self.line.note_claim(None);
        }
        self.own.translator.replace(role.translator.clone());
        self.own.prober = Prober::new(role.config.v6, role.config.pref64);
        self.own.probing = None;
        self.own.role = role;
        self.own.replied = false;
    }

    /// Does what was ordered besides.
    fn obey(&mut self, buf: &mut PacketBuf) {
        for order in self.line.take_orders() {
            match order {
                Order::AskGateway => self.own.agent.ask_gateway(self.own.role.gateway_mac.get()),
                Order::Probe(targets) => {
                    self.own.probing = Some(self.shared.clock.now() + PROBE_PATIENCE);
                    for target in targets {
                        let packet = self.own.prober.ask(target);
                        self.send(buf, &packet);
                    }
                }
                Order::Measure(questions) => {
                    self.own.probing = Some(self.shared.clock.now() + PROBE_PATIENCE);
                    for (server, size) in questions {
                        let packet = self.own.prober.measure(server, size);
                        self.send(buf, &packet);
                    }
                }
            }
        }
    }

    fn send(&self, buf: &mut PacketBuf, packet: &[u8]) {
        if !buf.set_packet(packet) {
            return;
        }
        let gateway = self.own.role.gateway_mac.get();
        if !self.line.may_send(&self.own.role) || self.line.port.send(buf, gateway).is_err() {
            self.shared.counters.send_error();
        }
    }

    /// Takes what there is. Says whether there may be more.
    fn drain(&mut self, frames: &mut [Frame]) -> std::io::Result<bool> {
        let mut replies = false;
        let mut more = true;
        let mut left = BATCH;
        while more && left > 0 {
            let room = if self.own.large { 1 } else { AT_ONCE };
            let frames = frames.get_mut(..room).unwrap_or_default();
            let taken = self.line.port.recv_all(frames)?;
            more = taken == room;
            left = left.saturating_sub(taken);
            for Frame { packet, from } in frames.iter_mut().take(taken) {
                self.own.large = packet.len() > LARGE;
                replies |= self.handle(packet, *from);
            }
        }
        if replies {
            self.shared.counters.reply_at(self.shared.clock.now());
            if !self.own.replied {
                self.own.replied = true;
                self.own.role.replied.store(true, Ordering::Relaxed);
                self.shared.report(self.own.role.config.generation, PlaneEvent::FirstReply);
            }
        }
        Ok(more)
    }

    /// Does what is due.
    fn attend(&mut self) {
        let now = self.shared.clock.now();
        self.own.probing.take_if(|until| *until <= now);
        self.own.agent.handle_timeout(now);
        self.speak();
    }

    /// Says what [`forward`](Self::forward) says.
    fn handle(&mut self, buf: &mut PacketBuf, from: MacAddress) -> bool {
        if is_neighbour_discovery(buf.packet()) {
            if let Ok(message) = Message::parse(from, buf.packet()) {
                self.own.agent.handle(&message);
            }
            return false;
        }
        if self.own.probing.is_some() && self.is_answer(buf) {
            return false;
        }
        self.forward(buf, from)
    }

    /// Whether the packet was the answer to a probe; then nobody else gets it.
    fn is_answer(&mut self, buf: &mut PacketBuf) -> bool {
        let Some(answer) = self.own.prober.handle(buf.packet()) else { return self.own.prober.is_rest(buf.packet()) };
        if !self.own.prober.is_waiting() {
            self.own.probing = None;
        }
        if let Some(goodbye) = answer.goodbye {
            self.send(buf, &goodbye);
        }
        let event = match answer.size {
            None => PlaneEvent::ProbeAnswered(answer.target),
            Some(size) => PlaneEvent::Passed { server: answer.target.address, size },
        };
        self.shared.report(self.own.role.config.generation, event);
        true
    }

    /// Says whether an app got a packet that came through the NAT64, by the way in use.
    fn forward(&mut self, buf: &mut PacketBuf, from: MacAddress) -> bool {
        let counters = &*self.shared.counters;
        let verdict = self.own.translator.v6_to_v4(buf);
        let now = || self.shared.clock.now();
        let again = |buf: &mut PacketBuf| self.own.translator.v6_to_v4(buf);
        let Some(verdict) = self.own.odd.judge(verdict, buf, counters, now, again) else { return false };
        match verdict {
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
                if self.line.may_send(&self.own.role) && self.own.odd.errors.take(now()) {
                    // An error message is a courtesy; losing one is no loss.
                    let _ = self.line.port.send(buf, from);
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
        let source = buf.packet().get(SOURCE..).and_then(|rest| rest.first_chunk::<4>()).copied();
        if self.shared.tun.send(buf).is_err() {
            counters.send_error();
            return false;
        }
        let proof = source.map(Ipv4Addr::from).filter(|source| self.own.role.active && *source != DUMMY_SOURCE);
        match proof {
            Some(source) => self.shared.traffic.answered(source),
            None => counters.idle_before_it_counts(),
        }
        add(&counters.incoming.packets, 1);
        add(&counters.incoming.bytes, bytes);
        proof.is_some()
    }

    fn speak(&mut self) {
        while let Some(frame) = self.own.agent.poll_frame() {
            if self.line.port.send_frame(&frame).is_err() {
                self.shared.counters.send_error();
                self.own.agent.not_sent();
            }
        }
        while let Some(event) = self.own.agent.poll_event() {
            let event = match event {
                AgentEvent::Claimed(address) => {
                    self.line.note_claim(Some(self.own.role.config.round));
                    PlaneEvent::Claimed(address)
                }
                AgentEvent::Duplicate(address) => {
                    self.line.note_claim(None);
                    if self.own.role.active {
                        self.shared.fast.halt();
                    }
                    PlaneEvent::Duplicate(address)
                }
                AgentEvent::GatewayMac(mac) => {
                    let known = self.own.role.gateway_mac.get();
                    self.own.role.gateway_mac.set(mac);
                    if known != mac && self.own.role.active {
                        self.shared.fast.renew();
                    }
                    continue;
                }
                AgentEvent::GatewayAnswered => PlaneEvent::GatewayAnswered,
            };
            self.shared.report(self.own.role.config.generation, event);
        }
    }
}

fn agent_config(role: &Role) -> AgentConfig {
    let config = &role.config;
    AgentConfig {
        address: config.v6,
        mac: config.uplink.mac,
        gateway: config.uplink.gateway,
        dad: config.dad,
        owned: config.owned,
        round: config.round,
        own_macs: config.own_macs.clone(),
        answers: role.answers,
    }
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
