//! What others undo is put back: at once, and ever less often if somebody keeps undoing it.

use std::time::Duration;

use model::{Applied, Timestamp};

use super::Engine;
use crate::Action;
use crate::backoff::Backoff;

/// So often in a row it is put back at once; from then on it is a quarrel, and is told.
const AT_ONCE: u32 = 3;
/// Nobody has undone anything for so long: it is over.
const PEACE: Duration = Duration::from_secs(60);

/// Somebody undoes what we have put in place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Undone {
    times: u32,
    last: Timestamp,
    /// When it may be put back; `None`: now.
    backoff: Option<Backoff>,
}

impl Undone {
    /// How often.
    pub(crate) fn times(&self) -> u32 {
        self.times
    }

    /// Whether it is more than bad luck.
    pub(crate) fn is_quarrel(&self) -> bool {
        self.times > AT_ONCE
    }

    pub(super) fn backoff(&self) -> Option<Backoff> {
        self.backoff
    }

    /// When it is over if nothing more happens.
    pub(super) fn over(&self) -> Timestamp {
        self.last + PEACE
    }
}

impl Engine {
    /// A snapshot has looked for what is ours.
    pub(super) fn on_found(&mut self, found: Applied, now: Timestamp) {
        // Something else is under way, or was never in place.
        let settled = found.generation == self.requested.generation && self.applied.generation == found.generation;
        let wanted = (&self.requested.default_v4, &self.requested.silent_v6);
        if !settled || self.plane.is_none() || (&found.default_v4, &found.silent_v6) == wanted {
            return;
        }
        if (&self.applied.default_v4, &self.applied.silent_v6) != wanted {
            // Known already, and to be put back later.
            return;
        }
        self.lost("undone", now);
        self.applied = found;
        let times = self.undone.map_or(0, |undone| undone.times).saturating_add(1);
        let previous = self.undone.and_then(|undone| undone.backoff);
        let backoff = (times > AT_ONCE).then(|| Backoff::after(previous, now));
        self.undone = Some(Undone { times, last: now, backoff });
        self.push(Action::StatusChanged);
    }

    /// Whether something of ours is missing that may be put back now.
    pub(super) fn is_to_mend(&self, now: Timestamp) -> bool {
        let missing = (&self.applied.default_v4, &self.applied.silent_v6)
            != (&self.requested.default_v4, &self.requested.silent_v6);
        let answered = self.applied.generation == self.requested.generation;
        let due = self.undone.is_some_and(|undone| undone.backoff.is_none_or(|backoff| backoff.is_due(now)));
        missing && answered && due
    }
}
