//! What should be in the end, said from the networks alone.

use std::cmp::Reverse;

use model::{Pref64, Timestamp};

use crate::network::{Network, Uplink, Vpn4, prefix};

/// Who should provide IPv4 once everything has been quiet for long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Provider {
    /// We, by this uplink and this prefix.
    Ours { link: u32, pref64: Pref64 },
    /// We, as well as it goes: no router answers.
    Perhaps,
    /// Others, and nothing of ours is there.
    Others,
    /// A VPN, beneath which our tunnel waits without a default route; if it has one, the VPN's wins.
    Vpn,
    /// Nobody, and nothing of ours leads anywhere.
    Nobody,
}

/// The prefixes that may be used on an uplink, best first.
fn prefixes(network: &Network, uplink: &Uplink, now: Timestamp) -> Vec<Pref64> {
    if let Some(fixed) = network.setting.fixed {
        return vec![prefix(fixed)];
    }
    let mut heard: Vec<_> = uplink.heard.iter().filter(|heard| heard.until > now).collect();
    heard.sort_by_key(|heard| (Reverse(heard.rank.0), heard.rank.1));
    heard.into_iter().map(|heard| prefix(heard.prefix)).collect()
}

fn is_candidate(network: &Network, uplink: &Uplink) -> bool {
    let excluded = network.setting.excluded.is_some_and(|start| uplink.name.starts_with(start));
    uplink.is_usable() && uplink.has_default && !uplink.nets.is_empty() && !excluded
}

pub(crate) fn provider(network: &Network, now: Timestamp) -> Provider {
    if !network.setting.enabled || network.paused.is_some_and(|until| until.is_none_or(|until| until > now)) {
        return Provider::Nobody;
    }
    if network.other_clat || network.native.is_some() || network.modem {
        return Provider::Others;
    }
    // Routes for halves, or rules, outlive the link that the VPN needs.
    let linked = network.uplinks.iter().any(Uplink::is_usable);
    let vpn = network.vpn4 == Vpn4::Default || (network.vpn4 == Vpn4::Halves && linked);
    let mut ways: Vec<(&Uplink, Pref64)> = Vec::new();
    for uplink in network.uplinks.iter().filter(|uplink| is_candidate(network, uplink)) {
        ways.extend(prefixes(network, uplink, now).first().map(|first| (uplink, *first)));
    }
    if vpn {
        return Provider::Vpn;
    }
    if network.vpn6 || ways.is_empty() {
        return Provider::Nobody;
    }
    // Sign in first, then a NAT64 that works, then a router that answers; among equals the kernel's own order.
    let order = |(uplink, _): &&(&Uplink, Pref64)| (uplink.metric, uplink.index);
    let open = ways.iter().filter(|(uplink, _)| !uplink.portal);
    let good = open.clone().filter(|(uplink, _)| uplink.alive && uplink.nat64).min_by_key(order);
    if let Some((uplink, pref64)) = good {
        return Provider::Ours { link: uplink.index, pref64: *pref64 };
    }
    if open.clone().any(|(uplink, _)| !uplink.alive) { Provider::Perhaps } else { Provider::Nobody }
}
