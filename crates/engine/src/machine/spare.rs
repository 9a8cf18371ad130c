//! The second uplink, kept ready: gateway resolved, X claimed and answered for, so that taking it costs one swap.

use model::{Dad, Generation, PlaneConfig, SpareConfig, Timestamp};

use super::{Engine, SpareState};
use crate::Action;
use crate::backoff::Backoff;
use crate::decide::{Choice, Decision, Path, Trouble};

impl Engine {
    /// The decision and the way to keep ready beside it. A better uplink is made ready while the one in use serves on:
    /// a gain interrupts nothing.
    pub(super) fn patient(&self, choice: Choice) -> (Decision, Option<Path>) {
        let Choice { decision, mut others } = choice;
        let Decision::Arm(mut first) = decision else { return (decision, None) };
        let used = self.plane.as_ref().filter(|_| !self.is_ready(&first)).map(|plane| plane.config.uplink.link);
        let serves_on = |path: &Path| used == Some(path.link) && path.trouble == Trouble::None;
        if used != Some(first.link)
            && let Some(at) = others.iter().position(serves_on)
        {
            let kept = others.remove(at);
            others.insert(0, std::mem::replace(&mut first, kept));
        }
        // Where flows go on, they are not to be disturbed.
        let lingers = |path: &Path| path.trouble == Trouble::None && self.lingers(path.link);
        let others: Vec<Path> = others.into_iter().filter(|path| path.link != first.link).collect();
        let second = others.iter().find(|path| lingers(path)).or(others.first()).cloned();
        (Decision::Arm(first), second)
    }

    /// Whether packets could go that way at once.
    fn is_ready(&self, path: &Path) -> bool {
        let resolved = path.gateway_mac.or_else(|| self.mac_in_use(path)).is_some();
        let address = self.claims.get(&path.prefix).and_then(|claim| claim.address);
        let claimed = |plane: &PlaneConfig| {
            (plane.uplink.link, plane.uplink.mac, Some(plane.v6)) == (path.link, path.mac, address)
        };
        let plane = self.plane.as_ref().is_some_and(|plane| plane.claimed && claimed(&plane.config));
        let spare = self.spare.as_ref().is_some_and(|spare| spare.claimed && claimed(&spare.config.plane));
        let owned = self.claims.get(&path.prefix).is_some_and(|claim| claim.owned);
        resolved && (self.settings.dad.value == Dad::Optimistic || owned || plane || spare)
    }

    /// Brings the spare in line with what should be ready beside the plane in use.
    pub(super) fn prepare(&mut self, now: Timestamp) {
        let Some(used) = self.plane.as_ref().filter(|plane| plane.started) else { return };
        let used = used.config.uplink.link;
        let second = match &self.decision {
            Decision::Arm(_) => self.second.clone().filter(|path| path.link != used),
            Decision::Stand { .. } => None,
        };
        let resting = self.spare_failure.filter(|(_, backoff)| !backoff.is_due(now)).map(|(link, _)| link);
        let wanted = second.filter(|path| resting != Some(path.link)).and_then(|path| self.spare_config(&path, now));
        let current = self.spare.as_ref().map(|spare| {
            let plane = PlaneConfig { generation: Generation::default(), ..spare.config.plane.clone() };
            SpareConfig { plane, ..spare.config }
        });
        if current == wanted {
            return;
        }
        let Some(mut config) = wanted else {
            self.spare = None;
            return self.push(Action::SetSpare(None));
        };
        self.generation = self.generation.next();
        config.plane.generation = self.generation;
        let claimed = config.answers && self.has_claimed(&config.plane);
        self.spare = Some(SpareState { config: config.clone(), started: false, claimed });
        self.push(Action::SetSpare(Some(config)));
    }

    /// What the spare would be used with; its generation is still to be given.
    fn spare_config(&mut self, path: &Path, now: Timestamp) -> Option<SpareConfig> {
        let Some(gateway_mac) = path.gateway_mac.or_else(|| self.mac_in_use(path)) else {
            self.resolve(path, now);
            return None;
        };
        self.resolving.remove(&path.link);
        self.health.resolved(path.link, path.gateway);
        if self.claims.get(&path.prefix).is_some_and(super::Claim::is_exhausted) {
            return None;
        }
        let used = self.plane.as_ref().map(|plane| plane.config.v6);
        let v6 = self.claim(path);
        let spare = self.spare.as_ref().map(|spare| &spare.config.plane);
        let mut plane = self.plane_config(path, gateway_mac, v6, spare);
        plane.generation = Generation::default();
        let answers = used != Some(v6);
        Some(SpareConfig { plane, answers, lingers: answers && self.lingers(path.link) })
    }

    /// The spare has failed: it is let go, and not tried again at once.
    pub(super) fn spare_failed(&mut self, now: Timestamp) {
        let Some(spare) = self.spare.take() else { return };
        let link = spare.config.plane.uplink.link;
        let previous = self.spare_failure.filter(|(failed, _)| *failed == link).map(|(_, backoff)| backoff);
        self.spare_failure = Some((link, Backoff::after(previous, now)));
        self.push(Action::SetSpare(None));
    }
}
