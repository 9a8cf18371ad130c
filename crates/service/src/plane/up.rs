//! From the host's apps to the network.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use arc_swap::Cache;
use model::PlaneEvent;
use platform_api::{PlaneIo, TunDevice, UplinkPort};
use xlat::{PacketBuf, Translator, Verdict};

use super::counters::add;
use super::{Active, Shared};

/// Offset of the destination in an IPv4 header.
const DESTINATION: usize = 16;

/// Runs until the plane is stopped or the tunnel is gone.
pub(super) fn run<I: PlaneIo>(shared: &Shared<I>) {
    let mut active = Cache::new(&shared.active);
    let mut current = Arc::clone(active.load());
    let mut translator = Translator::new(current.role.translator.clone());
    let mut buf = PacketBuf::new();
    loop {
        loop {
            let latest = active.load();
            if !Arc::ptr_eq(latest, &current) {
                current = Arc::clone(latest);
                translator.replace(current.role.translator.clone());
            }
            match shared.tun.recv(&mut buf) {
                Ok(true) => forward(shared, &current, &mut translator, &mut buf),
                Ok(false) => break,
                Err(error) => return gone(shared, &current, &error),
            }
        }
        if shared.stop.load(Ordering::Acquire) {
            return;
        }
        if let Err(error) = shared.tun.wait(&shared.wake_up) {
            return gone(shared, &current, &error);
        }
    }
}

fn forward<I: PlaneIo>(shared: &Shared<I>, active: &Active<I>, translator: &mut Translator, buf: &mut PacketBuf) {
    // The kernel speaks IPv6 on every interface, if only to report multicast groups; the tunnel is for IPv4.
    if buf.packet().first().is_some_and(|byte| byte >> 4 == 6) {
        return;
    }
    let counters = &*shared.counters;
    let bytes = buf.len();
    let destination = buf.packet().get(DESTINATION..).and_then(|rest| rest.first_chunk::<4>()).copied();
    let (port, gateway) = (&active.line.port, active.role.gateway_mac.get());
    let sent = match translator.v4_to_v6(buf) {
        Verdict::Forward => port.send(buf, gateway),
        Verdict::Fragments(mut fragments) => {
            let mut sent = Ok(());
            while fragments.next(buf) {
                sent = sent.and(port.send(buf, gateway));
            }
            sent
        }
        Verdict::Reply(reason) => {
            counters.drop(reason);
            // An answer the host does not take is one packet less; there is nobody else to tell.
            let _ = shared.tun.send(buf);
            return;
        }
        Verdict::Drop(reason) => return counters.drop(reason),
    };
    if sent.is_ok() {
        add(&counters.packets_out, 1);
        add(&counters.bytes_out, bytes);
        if destination.is_some_and(|destination| shared.traffic.sent(destination.into())) {
            shared.report(active.role.config.generation, PlaneEvent::Traffic);
        }
    } else {
        add(&counters.send_errors, 1);
    }
}

fn gone<I: PlaneIo>(shared: &Shared<I>, active: &Active<I>, error: &std::io::Error) {
    if !shared.stop.load(Ordering::Acquire) {
        shared.report(active.role.config.generation, PlaneEvent::Failed(format!("the tunnel is gone: {error}")));
    }
}
