//! How often IPv4 was lost, why, and how long it took to come back.

use std::time::Duration;

use model::{Code, PlaneConfig, State, Timestamp};

/// Accounts of losses and re-armings.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rearming {
    outage: Option<(Timestamp, &'static str)>,
    pub(crate) count: u64,
    /// How long the last one took, and why it was needed.
    pub(crate) last: Option<(Duration, &'static str)>,
}

impl Rearming {
    /// IPv4 through us is lost; the first reason counts.
    pub(crate) fn lost(&mut self, reason: &'static str, now: Timestamp) {
        self.outage.get_or_insert((now, reason));
    }

    /// Nobody misses us now, because others provide IPv4 or a person has paused us. What is measured begins when
    /// that ends.
    pub(crate) fn not_missed(&mut self, reason: &'static str, now: Timestamp) {
        if let Some(outage) = &mut self.outage {
            *outage = (now, reason);
        }
    }

    /// IPv4 is armed. Says whether it had been lost.
    pub(crate) fn armed(&mut self, now: Timestamp) -> bool {
        let Some((since, reason)) = self.outage.take() else { return false };
        self.count = self.count.saturating_add(1);
        self.last = Some((now.since(since), reason));
        true
    }
}

/// Why a decision not to translate means that IPv4 is lost.
pub(crate) fn loss_reason(state: State, code: Code) -> &'static str {
    match state {
        State::StandbyNative | State::StandbyOs => "native-ipv4",
        State::Paused => "paused",
        State::NoNetwork => "uplink-lost",
        State::Down | State::Limited | State::Checking | State::Working => {
            if code == Code::NoPref64 {
                "prefix-withdrawn"
            } else if code == Code::Pref64Expired {
                "prefix-expired"
            } else if code == Code::VpnTakesTraffic {
                "vpn"
            } else {
                "uplink-lost"
            }
        }
    }
}

/// Why flows do not survive the change from `old` to `new`; `None` when they do.
pub(crate) fn change_reason(old: &PlaneConfig, new: &PlaneConfig) -> Option<&'static str> {
    if (old.uplink.link, old.uplink.mac) != (new.uplink.link, new.uplink.mac) {
        Some("uplink-changed")
    } else if old.pref64 != new.pref64 {
        Some("prefix-changed")
    } else if old.v6 != new.v6 {
        Some("address-changed")
    } else if (old.uplink.gateway, old.uplink.gateway_mac) != (new.uplink.gateway, new.uplink.gateway_mac) {
        Some("gateway-changed")
    } else if (old.kind, old.v4) != (new.kind, new.v4) {
        Some("settings-changed")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_from_the_first_loss_and_not_while_nobody_misses_us() {
        let mut rearming = Rearming::default();
        assert!(!rearming.armed(Timestamp::ZERO), "the first arming is none");
        rearming.not_missed("paused", Timestamp::ZERO);
        assert!(!rearming.armed(Timestamp::ZERO));
        rearming.lost("uplink-lost", Timestamp::from_millis(100));
        rearming.lost("prefix-changed", Timestamp::from_millis(120));
        assert!(rearming.armed(Timestamp::from_millis(141)));
        assert_eq!(rearming.last, Some((Duration::from_millis(41), "uplink-lost")));
        rearming.lost("native-ipv4", Timestamp::from_millis(1_000));
        rearming.not_missed("native-ipv4", Timestamp::from_millis(9_000));
        assert!(rearming.armed(Timestamp::from_millis(9_007)));
        assert_eq!((rearming.count, rearming.last), (2, Some((Duration::from_millis(7), "native-ipv4"))));
    }
}
