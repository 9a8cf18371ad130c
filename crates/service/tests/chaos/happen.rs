//! What each event does.

use std::net::Ipv6Addr;
use std::time::Duration;

use ipc::Control;
use model::{Generation, LinkNews};
use platform_api::HostEvent;
use platform_fake::{Call, View, pref64_option};

use crate::chaos::Chaos;
use crate::events::{Change, Event};
use crate::network::{Uplink, Vpn4, prefix};
use crate::observer::Observer;
use crate::packets;
use crate::service::Service;

/// Events told after a failure.
const TOLD: usize = 60;

/// Longer than the service waits after a look at the network that has failed.
const NOTICED_AT_LAST: Duration = Duration::from_millis(1_010);

impl Chaos {
    /// The service ends, and leaves nothing.
    pub(crate) async fn end(&mut self) {
        self.service.take().unwrap().end().await.unwrap();
        self.check_generations();
        let _ = self.fake.take_sent();
        let view = self.fake.view();
        // What cannot be taken away as long as it lives, a fresh process takes away.
        let left = View {
            silent: if self.ill.contains(&Call::Unsilence) { Vec::new() } else { view.silent.clone() },
            ..view.clone()
        };
        assert!(left.is_clean(), "left behind: {view:?}");
    }

    pub(crate) async fn restart(&mut self) {
        self.end().await;
        self.fake.leave_behind(&["everclat0"]);
        self.network.paused = None;
        self.network.uplinks.iter_mut().for_each(|uplink| {
            uplink.heard.clear();
            uplink.portal = false;
        });
        self.generation = Generation::default();
        self.observer = Observer::default();
        self.observer.set(self.network.setting.strict, self.fake.now());
        self.service = Some(Service::start(&self.fake, &self.network.setting.config()).await);
    }

    pub(crate) async fn happen(&mut self, event: Event) {
        self.count += 1;
        let at = self.fake.now().since_start();
        let now = self.fake.now();
        self.history.push_back(format!("{:>6} {at:>12.3?} {event:?}", self.count));
        if self.history.len() > TOLD {
            self.history.pop_front();
        }
        match event {
            Event::Announces(on, announces, withdraws) => {
                let uplink = &mut self.network.uplinks[on];
                let router = uplink.router();
                let (alive, link) = (uplink.alive && uplink.is_usable(), uplink.index);
                let old = std::mem::replace(&mut uplink.announces, announces.clone());
                if alive && withdraws {
                    let kept = |number: usize| announces.iter().any(|(other, _)| *other == number);
                    let gone: Vec<usize> =
                        old.into_iter().map(|(number, _)| number).filter(|old| !kept(*old)).collect();
                    uplink.heard.retain(|heard| heard.router != router || !gone.contains(&heard.prefix));
                    for number in gone {
                        let bytes = pref64_option(prefix(number), 0);
                        self.fake.tell(HostEvent::RouterOption { link, router: Some(router), bytes });
                    }
                }
                self.advertise(on);
            }
            Event::Garbage(on, mut bytes) => {
                // What is a good announcement by chance would have to be known to the reference.
                bytes.truncate(bytes.len().min(7));
                let (link, router) = (self.network.uplinks[on].index, Some(self.network.uplinks[on].router()));
                self.fake.tell(HostEvent::RouterOption { link, router, bytes });
            }
            Event::Resolvers(on, last) => {
                let servers = (0..last).map(|last| Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0x53, u16::from(last)));
                self.news(on, LinkNews::Resolvers(servers.collect()));
            }
            Event::Portal(on, captive) if self.network.uplinks[on].is_usable() => {
                self.network.uplinks[on].portal = captive;
                self.news(on, LinkNews::Portal(captive));
            }
            Event::Portal(..) => {}
            Event::Ipv6Only(on) => self.news(on, LinkNews::Ipv6OnlyPreferred(Duration::from_secs(1800))),
            Event::Steal(active) => {
                // What is on its way was said before; and an objection to a configuration that changes at that very
                // moment is one to an older generation, and is not heard.
                self.look().await;
                if let Some((link, x)) = self.line(!active) {
                    self.object(link, x);
                }
                self.calm().await;
            }
            Event::Asked(active) => self.asked(!active),
            Event::Packets(count) => {
                for _ in 0..count {
                    self.app_sends();
                }
            }
            Event::Stray(on) => {
                let uplink = &self.network.uplinks[on];
                let (link, router, mac) = (uplink.index, uplink.router(), uplink.gateway_mac);
                if self.fake.ports_on(link) > 0 {
                    let all = "ff02::1".parse().unwrap();
                    self.fake.link_sends_on(link, mac, &packets::neighbour(136, router, all, router));
                }
            }
            // Time passes by it: what is said before is to be heard before.
            Event::UndoRoute => {
                self.calm().await;
                self.fake.undo_route();
            }
            Event::UndoAddress => {
                self.calm().await;
                self.fake.undo_address();
            }
            Event::UndoTunnel => {
                self.calm().await;
                self.fake.undo_tunnel();
            }
            Event::Pause(seconds) => {
                self.network.paused = Some(seconds.map(|seconds| now + Duration::from_secs(seconds)));
                self.service().control(Control::Pause { seconds, reason: "chaos".into() }).await;
            }
            Event::Resume => {
                self.network.paused = None;
                self.service().control(Control::Resume).await;
            }
            Event::Rearm => self.service().control(Control::Rearm).await,
            Event::Setting => {
                let dice = &mut self.dice;
                let setting = &mut self.network.setting;
                setting.enabled = !dice.once_in(10);
                setting.strict = dice.once_in(2);
                setting.fixed = dice.once_in(4).then_some(1);
                setting.mtu = dice.pick(&[0, 1300, 1500]);
                setting.v4 = dice.pick(&[2, 3, 7]);
                setting.excluded = dice.once_in(6).then_some("wlan");
                let (config, strict) = (setting.config(), setting.strict);
                self.observer.set(strict, now);
                self.service().configure(&config).await;
            }
            Event::Restart => self.restart().await,
            Event::Fail(call, spared, times) => {
                self.fake.fail_later(call, spared, times);
                self.falls_ill(call);
            }
            Event::Heal => self.heal(),
            Event::Wait(ms) => self.pass(Duration::from_millis(ms)).await,
            Event::Sleep(seconds) => {
                self.calm().await;
                self.fake.pass(Duration::from_secs(seconds));
                self.fake.tell(HostEvent::Changed);
            }
            Event::Network(change) => self.change(change).await,
        }
        self.note_illness();
    }

    fn news(&mut self, on: usize, news: LinkNews) {
        let link = self.network.uplinks[on].index;
        self.fake.tell(HostEvent::News { link, news });
    }

    /// No call fails any more.
    pub(crate) fn heal(&mut self) {
        for call in Call::ALL {
            self.fake.heal(call);
        }
        self.note_illness();
        self.ill.clear();
    }

    /// The call may fail from now on.
    pub(crate) fn falls_ill(&mut self, call: Call) {
        self.ill.insert(call);
    }

    fn note_illness(&mut self) {
        let now = self.fake.now();
        self.failed.extend(self.ill.iter().map(|call| (*call, now)));
    }

    /// Whether one of these calls may have failed within `time`.
    pub(crate) fn has_failed(&self, calls: &[Call], time: Duration) -> bool {
        let lately = |call: &Call| self.failed.get(call).is_some_and(|at| self.fake.now().since(*at) < time);
        calls.iter().any(|call| self.ill.contains(call) || lately(call))
    }

    /// Something about the networks.
    async fn change(&mut self, change: Change) {
        let usable = self.network.uplinks.each_ref().map(Uplink::is_usable);
        let network = &mut self.network;
        match change {
            Change::Present(on, present) => network.uplinks[on].present = present,
            Change::Up(on, up) => network.uplinks[on].up = up,
            Change::Carrier(on, carrier) => network.uplinks[on].carrier = carrier,
            Change::Replaced(on) => {
                network.uplinks[on].present = false;
                self.show();
                self.pass(Duration::from_millis(20)).await;
                let uplink = &mut self.network.uplinks[on];
                uplink.present = true;
                uplink.mac.0[1] ^= 1;
            }
            Change::Renamed(on) => {
                let name = &mut network.uplinks[on].name;
                *name = if name.ends_with('x') { name.replace('x', "") } else { format!("{name}x") };
            }
            Change::Mac(on) => network.uplinks[on].mac.0[2] ^= 1,
            Change::Mtu(on, mtu) => network.uplinks[on].mtu = mtu,
            Change::Metric(on, metric) => network.uplinks[on].metric = metric,
            Change::Forwards(on, forwards) => network.uplinks[on].forwards = forwards,
            Change::Nets(on, nets) => network.uplinks[on].nets = nets.iter().map(|net| (*net, false)).collect(),
            Change::Deprecated(on) => network.uplinks[on].nets.iter_mut().for_each(|net| net.1 = !net.1),
            Change::Default(on, there) => network.uplinks[on].has_default = there,
            Change::Gateway(on, gateway) => {
                network.uplinks[on].gateway = gateway;
                network.uplinks[on].resolved = false;
            }
            Change::GatewayMac(on) => network.uplinks[on].gateway_mac.0[3] ^= 1,
            Change::Forgotten(on) => network.uplinks[on].resolved = false,
            Change::Alive(on, alive) => network.uplinks[on].alive = alive,
            Change::Nat64(on, alive) => network.uplinks[on].nat64 = alive,
            Change::Native(on) => network.native = on,
            Change::Modem(there) => network.modem = there,
            Change::OtherClat(there) => network.other_clat = there,
            Change::Taken(there) => network.taken = there,
            Change::Vpn(four, six) => {
                network.vpn4 = [Vpn4::No, Vpn4::Default, Vpn4::Halves][usize::from(four)];
                network.vpn6 = six;
            }
            Change::Objections(on, count) => network.uplinks[on].objections = count,
        }
        self.show();
        if self.network.uplinks.iter().zip(usable).any(|(uplink, was)| was && !uplink.is_usable()) {
            // What nobody has noticed is not forgotten, and the reference would have to know.
            self.fake.heal(Call::Snapshot);
            self.pass(NOTICED_AT_LAST).await;
        }
    }
}
