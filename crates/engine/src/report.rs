//! The status document.

use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use model::{
    Bytes, Cause, ClatStatus, CounterSnapshot, Evidence, EvidenceKind, Ignored, InterfaceStatus, LinkKind, Owner,
    PauseStatus, PlaneKind, Pref64Status, Product, Rearm, Rearms, STATUS_SCHEMA, ServiceInfo, SpareStatus, State,
    Status, Timestamp, UplinkStatus,
};

use crate::Engine;

/// What the status says about the process itself.
#[derive(Clone, Debug)]
pub struct ProcessInfo {
    /// Version of the service.
    pub version: String,
    /// Version of the local protocol.
    pub protocol: u32,
    /// Process id.
    pub pid: u32,
}

impl Engine {
    /// The whole status at `now`, which is `wall` on the calendar.
    #[must_use]
    pub fn status(
        &self,
        process: &ProcessInfo,
        counters: &CounterSnapshot,
        now: Timestamp,
        wall: SystemTime,
    ) -> Status {
        let (state, code) = self.verdict;
        let calendar = |at: Timestamp| rfc3339(wall.checked_sub(now.since(at)).unwrap_or(wall));
        let since = calendar(self.verdict_since);
        let causes = if healthy(state) {
            Vec::new()
        } else {
            vec![Cause { code, since: since.clone(), detail: self.verdict_detail.clone() }]
        };
        Status {
            schema: STATUS_SCHEMA.into(),
            product: Product { version: process.version.clone(), protocol: process.protocol },
            service: ServiceInfo { pid: process.pid, uptime_s: now.since_start().as_secs() },
            state,
            code,
            title: code.title().into(),
            since,
            time: calendar(now),
            owner: match state {
                State::Working | State::Limited => Owner::Everclat,
                State::StandbyOs => Owner::Other,
                State::StandbyNative | State::Checking | State::Down | State::Paused | State::NoNetwork => Owner::None,
            },
            plane: self.plane.as_ref().map(|plane| plane.config.kind),
            uplink: self.plane.as_ref().map(|plane| UplinkStatus {
                name: plane.config.uplink.name.clone(),
                mtu: plane.config.uplink.mtu6,
                gateway: plane.config.uplink.gateway,
            }),
            spare: self.spare.as_ref().map(|spare| SpareStatus {
                name: spare.config.plane.uplink.name.clone(),
                pref64: spare.config.plane.pref64,
                v6: spare.config.plane.v6,
                // The same X as in use has been claimed there.
                ready: spare.started && (spare.claimed || !spare.config.answers),
            }),
            pref64: self.pref64_status(now),
            clat: self.clat_status(counters),
            rearms: self.rearms(calendar),
            evidence: self.evidence(counters, now),
            pause: self.pause.as_ref().map(|pause| PauseStatus {
                until: pause.until.map(|until| rfc3339(wall + until.since(now).min(LAST_SECOND))),
                reason: pause.reason.clone(),
            }),
            ignored: Ignored { router_options: self.malformed_options() },
            causes,
            interfaces: self.interfaces(),
        }
    }

    fn rearms(&self, calendar: impl Fn(Timestamp) -> String) -> Rearms {
        let history = self.rearming.history().map(|one| Rearm {
            number: one.number,
            time: calendar(one.at),
            reason: one.reason.into(),
            gap_ms: millis(one.gap),
            standby_ms: one.standby.map(millis),
            from: Some(one.from.clone()),
            to: Some(one.to.clone()),
            left: one.left.map(|why| why.name().into()),
            done: one.done.iter().map(|step| step.name().into()).collect(),
            first_reply_ms: one.first_reply.map(millis),
            flows_ended: one.flows_ended,
        });
        let history: Vec<Rearm> = history.collect();
        let last = history.first();
        Rearms {
            count: self.rearming.count,
            last_ms: last.map(|last| last.gap_ms),
            last_reason: last.map(|last| last.reason.clone()),
            history,
        }
    }

    fn evidence(&self, counters: &CounterSnapshot, now: Timestamp) -> Evidence {
        let replied = self.plane.as_ref().is_some_and(|plane| plane.replied);
        let traffic = counters.last_reply.filter(|_| replied);
        let probe = self.probed.filter(|_| self.plane.is_some());
        // The newer one counts; at the same moment, what apps have got.
        match (traffic, probe) {
            (Some(at), _) if probe.is_none_or(|probe| probe <= at) => {
                Evidence { kind: EvidenceKind::Traffic, age_s: Some(round_ms(now.since(at))) }
            }
            (_, Some(at)) => Evidence { kind: EvidenceKind::Probe, age_s: Some(round_ms(now.since(at))) },
            (_, None) => Evidence { kind: EvidenceKind::None, age_s: None },
        }
    }

    fn clat_status(&self, counters: &CounterSnapshot) -> Option<ClatStatus> {
        let plane = self.plane.as_ref().filter(|plane| plane.config.kind == PlaneKind::Translate)?;
        let route = self.applied.default_v4.as_ref().filter(|route| route.leads)?;
        let mut drops: std::collections::BTreeMap<String, u64> =
            counters.drops.iter().map(|(reason, count)| (reason.name().to_owned(), *count)).collect();
        if counters.send_errors > 0 {
            drops.insert(model::SEND_ERROR.into(), counters.send_errors);
        }
        Some(ClatStatus {
            iface: plane.tun.clone()?,
            v4: plane.config.v4,
            v6: plane.config.v6,
            mtu: route.route_mtu,
            packets: Bytes { out: counters.packets_out, inward: counters.packets_in },
            bytes: Bytes { out: counters.bytes_out, inward: counters.bytes_in },
            drops,
            // Only who runs the plane knows.
            fast_path: None,
        })
    }

    fn pref64_status(&self, now: Timestamp) -> Vec<Pref64Status> {
        let name = |link: u32| Some(self.snapshot.as_ref()?.links.get(&link)?.name.clone());
        self.ordered_prefixes()
            .into_iter()
            .map(|candidate| Pref64Status {
                prefix: candidate.prefix,
                source: candidate.source,
                expires_s: candidate.expires.map(|end| end.since(now).as_secs()),
                uplink: candidate.link.and_then(name),
            })
            .collect()
    }

    fn interfaces(&self) -> Vec<InterfaceStatus> {
        let Some(snapshot) = &self.snapshot else { return Vec::new() };
        let native = |link: u32| {
            snapshot.routes.iter().any(|route| {
                !route.ours
                    && route.link == link
                    && route.is_ipv4_default()
                    && matches!(route.gateway, Some(IpAddr::V4(_)))
            })
        };
        snapshot
            .links
            .values()
            .filter(|link| matches!(link.kind, LinkKind::Ethernet | LinkKind::Bridge | LinkKind::PointToPoint))
            .map(|link| InterfaceStatus {
                name: link.name.clone(),
                kind: None,
                title: None,
                up: link.is_usable(),
                v6: link.global_v6().map(|(net, _)| net).collect(),
                v4_native: native(link.index),
                opt108: self.discovery.prefers_ipv6_only(link.index).map(|wait| wait.as_secs()),
                mtu: link.mtu6,
                resolvers: self.discovery.resolvers(link.index),
            })
            .collect()
    }
}

const fn healthy(state: State) -> bool {
    match state {
        State::Working | State::StandbyNative | State::StandbyOs => true,
        State::Checking | State::Limited | State::Down | State::Paused | State::NoNetwork => false,
    }
}

/// The last second that RFC 3339 can write, counted from 1970; the formatter panics behind it.
const LAST_SECOND: Duration = Duration::from_secs(253_402_300_799);

fn rfc3339(moment: SystemTime) -> String {
    humantime::format_rfc3339_seconds(moment.min(SystemTime::UNIX_EPOCH + LAST_SECOND)).to_string()
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn round_ms(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1000.0).round() / 1000.0
}
