//! The advertising side of a router (RFC 4861 section 6.2), changeable while it runs.

use std::collections::hash_map::RandomState;
use std::fs;
use std::hash::BuildHasher;
use std::net::Ipv6Addr;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;

use crate::control::{Request, read_line, write_line};
use crate::ra::{RaConfig, RaDelay, RouterStatus, wire};
use crate::sys::{ControlListener, ControlStream, IcmpSocket};

/// RFC 4861 section 10: MAX_RA_DELAY_TIME.
const MAX_RA_DELAY_MS: u64 = 500;
/// A busy loop would help nobody.
const MIN_INTERVAL: Duration = Duration::from_millis(20);
/// Keeps a broken socket from filling the log.
const ERROR_PAUSE: Duration = Duration::from_millis(200);

enum Event {
    Solicited(Ipv6Addr),
    Asked(Request, ControlStream),
}

pub(super) fn run(interface: &str, config: &Path, control: &Path) -> anyhow::Result<()> {
    let text = fs::read_to_string(config).with_context(|| format!("reading {}", config.display()))?;
    let config: RaConfig = serde_json::from_str(&text).context("the router's configuration")?;
    let socket = IcmpSocket::open(interface).with_context(|| format!("ICMPv6 on {interface}"))?;
    let socket = Arc::new(socket);
    let (events, inbox) = mpsc::channel();
    let hear = (Arc::clone(&socket), events.clone());
    thread::spawn(move || hear_solicitations(&hear.0, &hear.1));
    // Last, because its presence tells that the router is ready.
    let listener = ControlListener::bind(control).with_context(|| format!("listening on {}", control.display()))?;
    thread::spawn(move || hear_control(&listener, &events));

    let mut router = Router::new(config);
    loop {
        for target in router.due(Instant::now()) {
            let message = wire::encode(&router.status.config);
            // Without carrier or address there is nobody to hear it.
            if let Err(error) = socket.send(&message, target) {
                eprintln!("advertisement: {error}");
            }
        }
        match inbox.recv_timeout(router.wait(Instant::now())) {
            Ok(Event::Solicited(source)) => router.solicited(source, Instant::now()),
            Ok(Event::Asked(request, stream)) => {
                router.asked(request, Instant::now());
                if let Err(error) = write_line(&stream, &router.status) {
                    eprintln!("control: {error}");
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => anyhow::bail!("both listeners have ended"),
        }
    }
}

fn hear_solicitations(socket: &IcmpSocket, events: &Sender<Event>) {
    let mut buffer = [0; 1500];
    loop {
        match socket.receive(&mut buffer) {
            Ok((8.., source)) if buffer[0] == wire::ROUTER_SOLICITATION => {
                if events.send(Event::Solicited(source)).is_err() {
                    return;
                }
            }
            Ok(_) => {}
            Err(error) => {
                eprintln!("solicitations: {error}");
                thread::sleep(ERROR_PAUSE);
            }
        }
    }
}

fn hear_control(listener: &ControlListener, events: &Sender<Event>) {
    loop {
        let asked = listener.accept().map_err(anyhow::Error::from).and_then(|stream| Ok((read_line(&stream)?, stream)));
        match asked {
            Ok((request, stream)) => {
                if events.send(Event::Asked(request, stream)).is_err() {
                    return;
                }
            }
            Err(error) => {
                eprintln!("control: {error}");
                thread::sleep(Duration::from_millis(5));
            }
        }
    }
}

/// When to advertise, and to whom: no socket, no clock of its own.
struct Router {
    status: RouterStatus,
    next_unsolicited: Option<Instant>,
    answers: Vec<(Instant, Option<Ipv6Addr>)>,
}

impl Router {
    fn new(config: RaConfig) -> Self {
        let status = RouterStatus { config, sent: 0, solicitations: 0 };
        Self { status, next_unsolicited: None, answers: Vec::new() }
    }

    /// Whom to advertise to now (`None`: all nodes).
    fn due(&mut self, now: Instant) -> Vec<Option<Ipv6Addr>> {
        let mut targets: Vec<_> = self.answers.extract_if(.., |(when, _)| *when <= now).map(|(_, who)| who).collect();
        if self.next_unsolicited.is_none_or(|when| when <= now) {
            let interval = Duration::from_millis(self.status.config.interval_ms).max(MIN_INTERVAL);
            self.next_unsolicited = Some(now + interval);
            targets.push(None);
        }
        if self.status.config.silent {
            return Vec::new();
        }
        targets.sort();
        targets.dedup();
        self.status.sent += u64::try_from(targets.len()).unwrap_or(0);
        targets
    }

    fn wait(&self, now: Instant) -> Duration {
        let times = self.answers.iter().map(|(when, _)| *when).chain(self.next_unsolicited);
        times.min().map_or(Duration::ZERO, |when| when.saturating_duration_since(now))
    }

    fn solicited(&mut self, source: Ipv6Addr, now: Instant) {
        self.status.solicitations += 1;
        let delay = match self.status.config.delay {
            RaDelay::Immediate => 0,
            RaDelay::Rfc4861 => RandomState::new().hash_one(source) % MAX_RA_DELAY_MS,
        };
        // A host without address can only be answered to all (section 6.2.6).
        let target = (!source.is_unspecified()).then_some(source);
        self.answers.push((now + Duration::from_millis(delay), target));
    }

    fn asked(&mut self, request: Request, now: Instant) {
        match request {
            Request::Status => {}
            Request::LinkUp => self.next_unsolicited = Some(now),
            Request::Patch(patch) => {
                if patch.send_now {
                    self.next_unsolicited = Some(now);
                }
                patch.apply(&mut self.status.config);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ra::RaPatch;

    const HOST: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 2);

    fn router(config: RaConfig) -> (Router, Instant) {
        let mut router = Router::new(config);
        let start = Instant::now();
        assert_eq!(router.due(start), [None], "the first one goes out at once");
        (router, start)
    }

    #[test]
    fn unsolicited_ones_keep_the_interval() {
        let (mut router, start) = router(RaConfig { interval_ms: 1000, ..RaConfig::default() });
        assert_eq!(router.wait(start), Duration::from_secs(1));
        assert!(router.due(start + Duration::from_millis(999)).is_empty());
        assert_eq!(router.due(start + Duration::from_secs(1)), [None]);
    }

    #[test]
    fn a_solicitation_is_answered_to_the_host_at_once() {
        let (mut router, start) = router(RaConfig::default());
        router.solicited(HOST, start);
        assert_eq!(router.wait(start), Duration::ZERO);
        assert_eq!(router.due(start), [Some(HOST)]);
        router.solicited(Ipv6Addr::UNSPECIFIED, start);
        assert_eq!(router.due(start), [None]);
        assert_eq!((router.status.sent, router.status.solicitations), (3, 2));
    }

    #[test]
    fn or_after_at_most_half_a_second() {
        let (mut router, start) = router(RaConfig { delay: RaDelay::Rfc4861, ..RaConfig::default() });
        router.solicited(HOST, start);
        assert!(router.wait(start) < Duration::from_millis(MAX_RA_DELAY_MS));
        assert_eq!(router.due(start + Duration::from_millis(MAX_RA_DELAY_MS)), [Some(HOST)]);
    }

    #[test]
    fn a_silent_router_neither_answers_nor_advertises_until_it_speaks_again() {
        let (mut router, start) = router(RaConfig::default());
        router.asked(Request::Patch(RaPatch::silence(true)), start);
        router.solicited(HOST, start);
        assert!(router.due(start).is_empty());
        router.asked(Request::LinkUp, start);
        assert!(router.due(start).is_empty());
        router.asked(Request::Patch(RaPatch::silence(false)), start);
        assert_eq!(router.due(start), [None]);
    }

    #[test]
    fn a_patch_may_wait_for_the_next_regular_one() {
        let (mut router, start) = router(RaConfig::default());
        let patch = RaPatch { send_now: false, ..RaPatch::withdrawn() };
        router.asked(Request::Patch(patch), start);
        assert!(router.due(start).is_empty());
        router.asked(Request::Patch(RaPatch::send_now()), start);
        assert_eq!(router.due(start), [None]);
    }
}
