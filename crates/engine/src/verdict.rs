//! What the machine says about itself: state, code, and prefixes in order.

use model::{Code, State};

use crate::Engine;
use crate::decide::{Candidate, Decision, Trouble, candidates, uplinks};
use crate::machine::{Claim, MAX_DUPLICATES};

impl Engine {
    pub(crate) fn assess(&self) -> (State, Code, String) {
        let path = match &self.decision {
            Decision::Stand { state, code, detail } => return (*state, *code, detail.clone()),
            Decision::Arm(path) => path,
        };
        if let Some(vpn) = &path.beneath {
            let detail = format!("IPv4 leaves through {}; Everclat stays ready for the VPN's own packets", vpn.name);
            return (State::StandbyNative, Code::NativeIpv4, detail);
        }
        match path.trouble {
            Trouble::Portal => {
                let portal = self.portals.on(path.link).map(|portal| portal.describe(&path.name));
                return (State::Down, Code::CaptivePortal, portal.unwrap_or_default());
            }
            Trouble::PathDead => {
                let detail = format!("the router on {} answers, nothing behind {} does", path.name, path.pref64);
                return (State::Down, Code::PlatSilent, detail);
            }
            Trouble::GatewaySilent | Trouble::Refused | Trouble::None => {}
        }
        if self.claims.get(&path.prefix).is_some_and(Claim::is_exhausted) {
            let detail = format!("{MAX_DUPLICATES} addresses in a row are in use on {}", path.name);
            return (State::Down, Code::AddressConflict, detail);
        }
        let failure = self.failures.get(&path.link);
        // Where nothing is armed, there is nothing to quarrel about.
        let armed = self.plane.is_some() && failure.is_none();
        if let Some(undone) = self.undone.filter(|undone| undone.is_quarrel() && armed) {
            let times = undone.times();
            let detail = format!("something on this host took our IPv4 away {times} times; it is put back each time");
            return (State::Limited, Code::Blocked, detail);
        }
        let narrow = self.narrow_path(path);
        match (self.plane_in_use(), failure) {
            (Some(_), _) if path.trouble == Trouble::GatewaySilent => {
                let detail = format!("the router {} on {} has fallen silent", path.gateway, path.name);
                (State::Limited, Code::Unstable, detail)
            }
            (Some(_), _) if narrow.is_some() => {
                let detail = format!(
                    "packets above {} bytes vanish on the way to {}, and nobody says so; none of that size is sent any more",
                    narrow.unwrap_or_default(),
                    path.pref64
                );
                (State::Limited, Code::MtuBlackHole, detail)
            }
            (Some(plane), _) if plane.replied || self.probed.is_some() => {
                (State::Working, Code::Working, String::new())
            }
            (Some(_), _) => (State::Working, Code::Ready, String::new()),
            (None, Some(failure)) => (State::Down, Code::TunFailed, failure.error.clone()),
            (None, None) if self.is_resolving(path) => {
                let detail = format!("the router {} on {} does not answer", path.gateway, path.name);
                (State::Checking, Code::Unstable, detail)
            }
            (None, None) => (State::Checking, Code::Ready, "arming".into()),
        }
    }

    /// The prefixes in order of use: the one that translates first, then the others of its uplink, then the rest.
    pub(crate) fn ordered_prefixes(&self) -> Vec<Candidate> {
        let Some(snapshot) = &self.snapshot else { return Vec::new() };
        let mut links: Vec<u32> = match &self.decision {
            Decision::Arm(path) => vec![path.link],
            Decision::Stand { .. } => Vec::new(),
        };
        links.extend(uplinks(snapshot, &self.settings).into_iter().map(|(link, _)| link.index));
        links.extend(self.discovery.links());
        let mut ordered: Vec<Candidate> = Vec::new();
        for link in links {
            for candidate in candidates(link, &self.discovery, &self.settings) {
                if !ordered.iter().any(|known| known.prefix == candidate.prefix && known.link == candidate.link) {
                    ordered.push(candidate);
                }
            }
        }
        if let Decision::Arm(path) = &self.decision {
            let in_use = ordered.iter().position(|candidate| {
                candidate.prefix == path.pref64 && candidate.link.is_none_or(|link| link == path.link)
            });
            if let Some(index) = in_use {
                ordered[..=index].rotate_right(1);
            }
        }
        ordered
    }
}
