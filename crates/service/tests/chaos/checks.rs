//! What must hold after each step, and what must be so in the end.

use std::time::Duration;

use model::{State, Status};
use platform_fake::Call;

use crate::chaos::Chaos;
use crate::events::Event;
use crate::network::Vpn4;
use crate::packets;
use crate::reference::{Provider, provider};

/// Longer than every pause between two tries, and than a conflict of addresses or a quarrel is remembered.
const QUIET: Duration = Duration::from_secs(75);

/// Longer than a verdict that ends by itself may last.
const VERY_QUIET: Duration = Duration::from_secs(700);

/// Between two datagrams of an app that talks.
const TALK: Duration = Duration::from_millis(300);

/// What could not be taken away is asked for again within that.
const CLEANUP: Duration = Duration::from_secs(31);

/// A look at the network that has failed is tried again after a second.
const BLIND: Duration = Duration::from_millis(1_100);

impl Chaos {
    /// What must hold between any two events.
    pub(crate) fn check(&mut self) {
        let status = self.status.clone().unwrap();
        self.check_host(&status);
        if !self.may_be_blind() {
            self.check_addresses(&status);
        }
        self.check_generations();
    }

    pub(crate) fn check_generations(&mut self) {
        for intent in self.fake.take_intents() {
            assert!(intent.generation > self.generation, "{intent:?} after {}", self.generation);
            self.generation = intent.generation;
        }
    }

    /// Whether something of ours may still be there because it could not be taken away.
    fn may_linger(&self) -> bool {
        self.has_failed(&[Call::RemoveRoute, Call::RemoveAddress, Call::Unsilence], CLEANUP)
    }

    /// Whether the service may not know yet what others have undone.
    fn may_be_blind(&self) -> bool {
        self.has_failed(&[Call::Snapshot], BLIND)
    }

    fn check_host(&self, status: &Status) {
        let view = self.fake.view();
        assert!(view.tunnels <= 1 && view.ports <= 3, "{view:?}");
        assert_eq!(view.wakers, view.tunnels + view.ports, "one for each thread: {view:?}");
        assert_eq!(view.threads, view.tunnels + view.ports, "a device without a thread is a black hole: {view:?}");
        for uplink in &self.network.uplinks {
            // X in use and its twin.
            assert!(self.fake.ports_on(uplink.index) <= 2, "three lines on {}", uplink.name);
        }
        if let Some(route) = &view.route {
            let leads = view.is_armed() && view.address == Some(route.address);
            assert!(leads || self.may_linger(), "a default route to nowhere: {view:?}");
        }
        assert_eq!(status.plane.is_some(), view.tunnels == 1, "the status knows whether a plane runs");
        assert!(status.spare.is_none() || status.plane.is_some(), "no spare without a plane");
        if self.may_be_blind() {
            return;
        }
        let leads = view.route.is_some();
        match status.state {
            State::Working => {
                let clat = status.clat.as_ref().expect("a translator");
                assert!(leads && Some(clat.v4) == view.address && status.uplink.is_some(), "{view:?}");
                assert!(!status.pref64.is_empty());
            }
            State::Limited => assert!(status.plane.is_some()),
            State::StandbyNative if self.network.vpn4 != Vpn4::No => {
                assert!(!leads || self.network.vpn4 == Vpn4::Halves || self.may_linger(), "over a VPN: {view:?}");
            }
            State::StandbyNative | State::StandbyOs | State::Paused | State::NoNetwork => {
                assert_eq!((view.tunnels, view.ports), (0, 0), "stood back");
                assert!(view.silent.is_empty() || self.may_linger(), "{view:?}");
            }
            State::Down => assert!(!leads || self.may_linger(), "a dead default is worse than none: {view:?}"),
            State::Checking => {}
        }
        if let Some(clat) = &status.clat {
            assert!(leads && Some(clat.v4) == view.address, "the status believes in a route: {view:?}");
        }
    }

    fn check_addresses(&self, status: &Status) {
        let used = status.uplink.as_ref().zip(status.clat.as_ref()).map(|(uplink, clat)| (&uplink.name, clat.v6));
        let spare = status.spare.as_ref().map(|spare| (&spare.name, spare.v6));
        for (name, x) in used.into_iter().chain(spare) {
            let hosts = self.network.uplinks.iter().filter(|uplink| uplink.present).flat_map(|uplink| &uplink.nets);
            let hosts: Vec<u8> = hosts.map(|(net, _)| *net).collect();
            let [_, _, _, _, a, b, c, d] = x.segments();
            assert!((a, b, c) != (0, 0, 0) || d > 9, "{x} is an address of the host, which has {hosts:?}");
            if let Some(uplink) = self.network.uplinks.iter().find(|uplink| uplink.is_usable() && uplink.name == *name)
            {
                let inside = uplink.prefixes().any(|prefix| prefix.contains(&x));
                assert!(inside || uplink.nets.is_empty() || !uplink.has_default, "{x} is not of {name}: {uplink:?}");
            }
        }
        if let (Some((first, x)), Some((second, y))) = (used, spare) {
            assert_ne!(first, second, "the spare is another uplink");
            assert!(x != y || x.segments()[..4] == y.segments()[..4], "{x} {y}");
        }
    }

    /// Nothing happens any more, apps talk, and what follows is what the reference says.
    pub(crate) async fn converge(&mut self) {
        self.heal();
        self.look().await;
        self.take_back();
        self.network.uplinks.iter_mut().for_each(|uplink| uplink.objections = 0);
        if self.dice.once_in(2) {
            // Else it would mostly be others who have IPv4.
            let network = &mut self.network;
            (network.native, network.modem, network.other_clat) = (None, false, false);
            (network.vpn4, network.vpn6) = (Vpn4::No, false);
            self.show();
            self.happen(Event::Resume).await;
        }
        self.quiet(QUIET, Duration::from_secs(9)).await;
        if self.is_as_it_should_be().await.is_err() {
            // Some verdicts end only by themselves, and a prefix may have ended just now.
            self.slow += 1;
            self.quiet(VERY_QUIET, Duration::from_secs(40)).await;
            if let Err(wrong) = self.is_as_it_should_be().await {
                panic!("{wrong}");
            }
        }
        self.converged += 1;
        self.armed += u64::from(self.fake.view().is_armed());
    }

    async fn quiet(&mut self, time: Duration, talk: Duration) {
        self.pass(time).await;
        for on in 0..3 {
            self.advertise(on);
        }
        let end = self.fake.now() + talk;
        while self.fake.now() < end {
            self.app_sends();
            self.pass(TALK).await;
        }
        self.look().await;
        self.check();
    }

    pub(crate) async fn is_as_it_should_be(&mut self) -> Result<(), String> {
        let wanted = provider(&self.network, self.fake.now());
        let status = self.status.clone().unwrap();
        let view = self.fake.view();
        let wrong = |what: &str| Err(format!("{what}, but should be {wanted:?}: {:?} {}", status.state, status.code));
        let leads = view.route.is_some();
        match &wanted {
            Provider::Perhaps => Ok(()),
            Provider::Others | Provider::Nobody if leads => wrong("a default route of ours"),
            Provider::Others if status.state != State::StandbyNative && status.state != State::StandbyOs => {
                wrong("others have IPv4")
            }
            Provider::Others if !view.is_clean() => wrong("something of ours is left"),
            Provider::Others => Ok(()),
            Provider::Nobody if status.state == State::Working => wrong("nobody has IPv4"),
            Provider::Nobody => Ok(()),
            Provider::Vpn if leads && self.network.vpn4 == Vpn4::Default => wrong("a second default route"),
            Provider::Vpn if status.state != State::StandbyNative => wrong("a VPN has IPv4"),
            Provider::Vpn => Ok(()),
            Provider::Ours { .. } if status.state != State::Working || !leads => wrong("no IPv4"),
            Provider::Ours { link, pref64 } => {
                let index = view.route.as_ref().map(|route| route.uplink);
                let first = status.pref64.first().map(|first| first.prefix);
                if index != Some(*link) || first != Some(*pref64) {
                    return wrong(&format!("by {index:?} {first:?}"));
                }
                self.received.clear();
                self.left.clear();
                let mark = self.app_sends().ok_or("no route for apps")?;
                self.pass(Duration::from_millis(10)).await;
                let mark = mark.to_be_bytes();
                let out = self.left.iter().find(|(_, packet)| packet.get(48..50) == Some(&mark));
                let by = out.map(|(by, packet)| (*by, pref64.extract(packets::destination(packet))));
                if by != Some((*link, Some(crate::network::SERVER))) {
                    return wrong(&format!("a datagram leaves by {by:?}"));
                }
                if !self.received.iter().any(|packet| packet.get(28..30) == Some(&mark)) {
                    return wrong("no answer comes back");
                }
                Ok(())
            }
        }
    }
}
