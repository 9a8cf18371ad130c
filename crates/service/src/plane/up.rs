//! From the host's apps to the network.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use arc_swap::{ArcSwap, Cache};
use engine::flow::{self, Ending, Fast, Flows, KEPT, NEVER_TOO_BIG, Repeated, Repetition};
use model::PlaneEvent;
use platform_api::{AT_ONCE, Gone, PlaneIo, Sides, TunDevice, UplinkPort};
use tracing::debug;
use xlat::{DropReason, Fragments, PacketBuf, Translator, Verdict};

use super::admit::Admission;
use super::batch::{Batch, LARGE, Leaving};
use super::counters::add;
use super::lend::Borrowed;
use super::limit::Limit;
use super::odd::Odd;
use super::{Shared, Way, Ways};

/// Offset of the destination in an IPv4 header.
const DESTINATION: usize = 16;

/// What a packet gains on its way to IPv6 (RFC 7915 section 4.1).
const GROWTH: u16 = 20;

/// After so many packets the thread looks whether it should do something else.
const BATCH: usize = 64;

/// When all flows are told that they are over, the tunnel is read for so long at most, and so many times a batch: whoever
/// gives the order waits a little longer, and a tunnel holds no more.
const HEARD: Duration = Duration::from_millis(10);
const HEARD_BATCHES: usize = 32;

/// So often, in seconds, it is looked whether flows still go on by a way that is only kept for them.
const LOOK: u16 = 2;

/// Runs until the plane is stopped or the tunnel is gone. Gives back the flows.
pub(super) fn run<I: PlaneIo>(shared: &Shared<I>, flows: Flows) -> Flows {
    let mut up = Up::new(shared, flows);
    let (mut buf, mut batch) = (PacketBuf::new(), Batch::new());
    // After a rest the first packet does not wait until it is known whether there are others.
    let mut room = 1;
    let mut sides = Sides::BOTH;
    loop {
        up.tick();
        let mut left = BATCH;
        let mut more = sides.tun;
        while more && left > 0 {
            up.follow();
            let collected = up.collect(&mut buf, &mut batch, room, &mut left);
            up.flush(&mut batch);
            more = match collected {
                Ok(more) => more,
                Err(error) => return up.gone(&error),
            };
            room = AT_ONCE;
        }
        if shared.stop.load(Ordering::Acquire) {
            return up.end();
        }
        up.obey(&mut buf, &mut batch);
        if up.serve(sides.port) || more {
            sides = Sides::BOTH;
            continue;
        }
        sides = match up.rest() {
            Ok(sides) => sides,
            Err(error) => return up.gone(&error),
        };
        room = 1;
    }
}

struct Up<'a, I: PlaneIo> {
    shared: &'a Shared<I>,
    latest: Cache<&'a ArcSwap<Ways<I>>, Arc<Ways<I>>>,
    ways: Arc<Ways<I>>,
    used: Translator,
    kept: [Option<Translator>; KEPT],
    flows: Flows,
    odd: Odd,
    repeated: Repeated,
    borrowed: Borrowed,
    admission: Admission<I::Fast>,
    /// The version of the fast path that was looked at.
    fast: u64,
    /// When it was last looked whether flows still go on where they were left.
    looked: u16,
}

impl<'a, I: PlaneIo> Up<'a, I> {
    fn new(shared: &'a Shared<I>, flows: Flows) -> Self {
        let latest = Cache::new(&shared.ways);
        let ways = shared.ways.load_full();
        let used = translator(&ways.used);
        let mut up = Self {
            shared,
            latest,
            used,
            kept: [const { None }; KEPT],
            flows,
            odd: Odd::new(Limit::to_the_host(shared.clock.now())),
            repeated: Repeated::default(),
            borrowed: Borrowed::default(),
            admission: Admission::default(),
            fast: shared.fast.version(),
            looked: 0,
            ways: Arc::clone(&ways),
        };
        up.tick();
        up.change(ways);
        up
    }

    /// Follows a change of ways.
    fn follow(&mut self) {
        let latest = self.latest.load();
        if !Arc::ptr_eq(latest, &self.ways) {
            let ways = Arc::clone(latest);
            self.change(ways);
        }
    }

    /// Whether flows that cannot go on are over is not for this thread to say.
    fn change(&mut self, ways: Arc<Ways<I>>) {
        if self.ways.epoch != ways.epoch {
            self.admission.take_back(&mut self.flows);
        }
        if Arc::ptr_eq(&self.ways.used.line, &ways.used.line) {
            self.used.replace(ways.used.role.translator.clone());
        } else {
            self.used = translator(&ways.used);
        }
        self.kept = ways.kept.each_ref().map(|way| way.as_ref().map(translator));
        let homes = ways.kept.each_ref().map(|way| way.as_ref().map(|way| way.role.home()));
        self.flows.settle(ways.used.role.home(), homes);
        self.ways = ways;
        self.open();
    }

    /// Switches the fast path on if that is possible.
    fn open(&mut self) {
        self.fast = self.shared.fast.version();
        if !self.shared.fast.is_on() {
            // Flows of before are none to what is in force next.
            self.admission.take_back(&mut self.flows);
        }
        let lane = self.shared.fast.open(self.ways.epoch, &self.ways.used, self.shared);
        if lane.is_none() {
            self.admission.take_back(&mut self.flows);
        }
        self.admission.set(lane);
    }

    /// Takes what comes in, if it is for this thread to. Says whether there may be more.
    fn serve(&mut self, ready: bool) -> bool {
        let line = &self.ways.used.line;
        if !line.is_lent() {
            return false;
        }
        if self.borrowed.is_much(self.shared) {
            line.take_back();
            return false;
        }
        ready && line.inbound().turn_for(self.shared, line)
    }

    /// Waits for something to do.
    fn rest(&self) -> std::io::Result<Sides> {
        let (shared, line) = (self.shared, &self.ways.used.line);
        if !line.is_lent() {
            return shared.tun.wait(&shared.wake_up).map(|_| Sides::BOTH);
        }
        match I::wait_both(&shared.tun, &line.port, &shared.wake_up) {
            Ok(sides) => Ok(sides),
            Err(Gone::Tun(error)) => Err(error),
            Err(Gone::Port(error)) => {
                line.inbound().breaks(line, error);
                Ok(Sides::BOTH)
            }
        }
    }

    /// Tells the time, and who is no longer needed.
    fn tick(&mut self) {
        let now = u16::try_from(self.shared.clock.now().since_start().as_secs() & 0xffff).unwrap_or_default();
        self.flows.tick(now);
        if self.fast != self.shared.fast.version() {
            self.open();
        }
        if now.wrapping_sub(self.looked) < LOOK {
            return;
        }
        self.looked = now;
        self.admission.look(&mut self.flows);
        for (number, way) in self.ways.kept.iter().enumerate() {
            if let Some(way) = way.as_ref().filter(|_| !self.flows.lives(number)) {
                self.shared.report(way.role.config.generation, PlaneEvent::Abandoned);
            }
        }
    }

    /// Does what was ordered besides.
    fn obey(&mut self, buf: &mut PacketBuf, batch: &mut Batch) {
        for order in self.shared.orders.take() {
            // The ways that it is about may be newer than those followed so far.
            self.follow();
            if order.ending == Ending::All {
                // What apps expect is told by the number that they expect.
                self.shared.fast.suspend();
                self.admission.take_back(&mut self.flows);
            }
            let config = &self.ways.used.role.config;
            let (v4, tun) = (config.v4, &self.shared.tun);
            let ended = self.flows.tell(order.ending, config.gateway_v4, |packet| {
                // Whoever is not told now is told when it sends again.
                let _ = buf.set_packet(packet) && tun.send(buf).is_ok();
            });
            let ended = u64::try_from(ended).unwrap_or(u64::MAX);
            if ended > 0 {
                self.shared.report(config.generation, PlaneEvent::FlowsEnded(ended));
            }
            if order.ending == Ending::All {
                self.hear(buf, batch);
                // What it says may go another way by now. Where that fails, the app finds out by itself.
                if let Err(error) = self.shared.tun.abort(v4) {
                    debug!(%error, "connections not broken off");
                }
            }
            // Nobody waits any longer.
            let _ = order.done.try_send(());
            if order.ending == Ending::All {
                self.open();
            }
        }
    }

    /// Answers what the host has to say about the end of its flows, before the tunnel is gone: from an app that has got more
    /// than it has acknowledged, it believes only the second reset, and has asked for it within our own call (RFC 5961
    /// section 3.2). Other packets go as ever. Where only some flows end, the tunnel is read on anyway.
    fn hear(&mut self, buf: &mut PacketBuf, batch: &mut Batch) {
        let begin = self.shared.clock.now();
        for _ in 0..HEARD_BATCHES {
            let mut left = BATCH;
            let collected = self.collect(buf, batch, AT_ONCE, &mut left);
            self.flush(batch);
            // That the tunnel is gone is found by the next one who reads it.
            if !matches!(collected, Ok(true)) || self.shared.clock.now().since(begin) >= HEARD {
                return;
            }
        }
    }

    /// Takes packets from apps until as many are ready as there is `room` for, one of them is large, there are no more, or
    /// `left` is used up. Says whether there may be more.
    fn collect(
        &mut self,
        buf: &mut PacketBuf,
        batch: &mut Batch,
        room: usize,
        left: &mut usize,
    ) -> std::io::Result<bool> {
        while batch.len() < room && *left > 0 {
            if !self.shared.tun.recv(buf)? {
                return Ok(false);
            }
            *left -= 1;
            let is_large = buf.len() > LARGE;
            self.forward(buf, batch);
            if is_large {
                break;
            }
        }
        Ok(true)
    }

    fn forward(&mut self, buf: &mut PacketBuf, batch: &mut Batch) {
        // The kernel speaks IPv6 on every interface, if only to report multicast groups; the tunnel is for IPv4.
        if buf.packet().first().is_some_and(|byte| byte >> 4 == 6) {
            return;
        }
        let (kept, fast) = match self.flows.route(buf.packet()) {
            flow::Way::InUse => {
                let fast = match self.admission.is_open() {
                    true => Fast::of(buf.packet(), self.ways.used.role.config.v4, buf.vnet.is_gso()),
                    false => Fast::Nothing,
                };
                // A single one that is large: what flows comes in super-packets.
                if buf.len() > usize::from(NEVER_TOO_BIG) && !buf.vnet.is_gso() {
                    self.look(buf, fast);
                }
                (None, fast)
            }
            flow::Way::Kept(number) => (Some(number), Fast::Nothing),
            flow::Way::None => {
                if let Some(answer) = self.flows.answer(buf.packet()) {
                    let _ = buf.set_packet(&answer) && self.shared.tun.send(buf).is_ok();
                }
                return;
            }
        };
        let destination = buf.packet().get(DESTINATION..).and_then(|rest| rest.first_chunk::<4>()).copied();
        let leaving = Leaving { kept, bytes: buf.len(), destination: destination.map(Ipv4Addr::from) };
        if let Some(fragments) = self.translate(buf, batch, leaving, fast) {
            self.send_fragments(fragments, buf, batch, leaving);
        }
    }

    /// Translates; what may leave as it is joins the batch. Gives what has to be cut.
    fn translate(&mut self, buf: &mut PacketBuf, batch: &mut Batch, leaving: Leaving, fast: Fast) -> Option<Fragments> {
        let (shared, counters) = (self.shared, &*self.shared.counters);
        if self.way(leaving.kept).is_none() {
            // Its flow goes on when X is ours again.
            counters.send_error();
            return None;
        }
        let translator = match leaving.kept {
            None => &mut self.used,
            Some(number) => self.kept.get_mut(number).and_then(Option::as_mut)?,
        };
        let verdict = translator.v4_to_v6(buf);
        let now = || shared.clock.now();
        match self.odd.judge(verdict, buf, counters, now, |buf| translator.v4_to_v6(buf))? {
            Verdict::Forward => {
                if !batch.add(buf, leaving) {
                    self.flush(batch);
                    batch.add(buf, leaving);
                }
                self.admission.sent(fast, self.ways.used.role.replied.load(Ordering::Relaxed));
                None
            }
            Verdict::Fragments(fragments) => Some(fragments),
            Verdict::Reply(reason) => {
                counters.drop(reason);
                // As in the kernel, what Path MTU Discovery needs is not limited: without it connections hang.
                if reason == DropReason::TooBig || self.odd.errors.take(now()) {
                    // An answer the host does not take is one packet less; there is nobody else to tell.
                    let _ = shared.tun.send(buf);
                }
                None
            }
            Verdict::Drop(reason) => {
                counters.drop(reason);
                None
            }
        }
    }

    /// Has the batch leave. A packet that the system does not take is lost; it is counted, and the others go.
    fn flush(&self, batch: &mut Batch) {
        let shared = self.shared;
        batch.leave(|kept, bufs, leaving| {
            let Some(way) = self.way(kept) else {
                return bufs.iter().for_each(|_| shared.counters.send_error());
            };
            let mut left = Left::default();
            let sent = |place: usize, sent| match (leaving.get(place), sent) {
                (Some(leaving), Ok(())) => left.note(shared, leaving),
                (None, _) | (_, Err(_)) => shared.counters.send_error(),
            };
            way.line.port.send_all(bufs, way.role.gateway_mac.get(), sent);
            left.count(shared, way, kept);
        });
    }

    /// Sends the pieces of one packet, behind those that are ready.
    #[cold]
    fn send_fragments(&self, mut fragments: Fragments, buf: &mut PacketBuf, batch: &mut Batch, leaving: Leaving) {
        self.flush(batch);
        let Some(way) = self.way(leaving.kept) else { return self.shared.counters.send_error() };
        let gateway = way.role.gateway_mac.get();
        let mut sent = Ok(());
        while fragments.next(buf) {
            sent = sent.and(way.line.port.send(buf, gateway));
        }
        if sent.is_err() {
            return self.shared.counters.send_error();
        }
        let mut left = Left::default();
        left.note(self.shared, &leaving);
        left.count(self.shared, way, leaving.kept);
    }

    /// The way that is meant, as long as packets may leave by it.
    fn way(&self, kept: Option<usize>) -> Option<&Way<I>> {
        let way = match kept {
            None => Some(&self.ways.used),
            Some(number) => self.ways.kept.get(number).and_then(Option::as_ref),
        };
        way.filter(|way| way.line.may_send(&way.role))
    }

    /// Whether the large segment is sent again and again; its sender is told if nothing else helps.
    fn look(&mut self, buf: &PacketBuf, fast: Fast) {
        let config = &self.ways.used.role.config;
        let size = u16::try_from(buf.len()).unwrap_or(u16::MAX).saturating_add(GROWTH);
        if size > config.path_mtu {
            // The translator answers it.
            return;
        }
        // Of such a flow only what is sent again comes here.
        let again = self.admission.has(fast);
        match self.repeated.sent(buf.packet(), config.v4, again) {
            Repetition::None => {}
            Repetition::Doubtful => {
                let destination = buf.packet().get(DESTINATION..).and_then(|rest| rest.first_chunk::<4>()).copied();
                let server = destination.unwrap_or_default().into();
                self.shared.report(config.generation, PlaneEvent::Unacknowledged { server, size });
            }
            Repetition::Hopeless => {
                let told = flow::fragmentation_needed(buf.packet(), config.gateway_v4, NEVER_TOO_BIG);
                let mut answer = PacketBuf::new();
                // What the host does not take is told with the next one.
                let _ = told.is_some_and(|told| answer.set_packet(&told)) && self.shared.tun.send(&mut answer).is_ok();
            }
        }
    }

    /// All that is known of flows.
    fn end(mut self) -> Flows {
        self.ways.used.line.take_back();
        self.admission.take_back(&mut self.flows);
        self.flows
    }

    fn gone(self, error: &std::io::Error) -> Flows {
        if !self.shared.stop.load(Ordering::Acquire) {
            self.shared.report(self.shared.dies(), PlaneEvent::Failed(format!("the tunnel is gone: {error}")));
        }
        self.end()
    }
}

/// Its identifications are those of errors from the gateway; the same numbers on packets from the line are of other sources.
fn translator<I: PlaneIo>(way: &Way<I>) -> Translator {
    way.line.lane.translator(&way.role.translator)
}

/// Packets that are on their way.
#[derive(Debug, Default)]
struct Left {
    packets: usize,
    bytes: usize,
    /// Somebody wants to hear of one of them.
    rings: bool,
}

impl Left {
    fn note<I: PlaneIo>(&mut self, shared: &Shared<I>, leaving: &Leaving) {
        self.packets += 1;
        self.bytes += leaving.bytes;
        if leaving.kept.is_none() {
            self.rings |= leaving.destination.is_some_and(|destination| shared.traffic.sent(destination));
        }
    }

    fn count<I: PlaneIo>(self, shared: &Shared<I>, way: &Way<I>, kept: Option<usize>) {
        if self.packets == 0 {
            return;
        }
        let outgoing = &shared.counters.outgoing;
        add(&outgoing.packets, self.packets);
        add(&outgoing.bytes, self.bytes);
        if kept.is_some() {
            add(&outgoing.kept, self.packets);
        }
        if self.rings {
            shared.fast.rung(&shared.traffic);
            shared.report(way.role.config.generation, PlaneEvent::Traffic);
        }
    }
}
