//! How many clients there may be, and who goes when there are more.
//!
//! A newcomer always gets a place. Room is made where most is taken: among the newcomer's own user's connections once they
//! are [`PER_USER`], else among those of the user who holds most. Of these, one that has said nothing yet goes first,
//! then the one that has been idle longest, then the oldest watcher. So one user's flood harms that user at most,
//! administrators have places of their own, and even in a flood of one's own the next honest client is answered.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::task::AbortHandle;

use crate::peer::{Peer, Rights};

/// Trays of several sessions, a few shells, an inventory agent; more of one user at once is a mistake or an attack.
pub(crate) const PER_USER: usize = 64;
/// All users who are no administrators together. With the next one, it leaves a process of 1,024 descriptors (what service
/// managers give) its own.
pub(crate) const USERS: usize = 640;
/// Kept for administrators.
pub(crate) const ADMINISTRATORS: usize = 128;

/// What a client is doing; who comes first here goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// Connected, said nothing yet.
    Silent,
    /// Has said hello, waits for nothing.
    Idle,
    /// Is told about changes.
    Watching,
}

/// Everybody who is connected.
#[derive(Debug, Default)]
pub(crate) struct Places(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    taken: BTreeMap<u64, Taken>,
    /// Who holds which places, in the order in which they go: a flood is met here at every newcomer.
    held: BTreeMap<Owner, BTreeSet<(Phase, u64, u64)>>,
    /// Counts arrivals and signs of life, so that "longest" needs no clock.
    tick: u64,
}

#[derive(Debug)]
struct Taken {
    owner: Owner,
    phase: Phase,
    alive: u64,
    task: Option<AbortHandle>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Owner {
    Administrator,
    User(u32),
    /// The system does not say who.
    Unknown,
}

/// A taken place; free again when dropped.
#[derive(Debug)]
pub(crate) struct Place {
    places: Arc<Places>,
    id: u64,
}

impl Places {
    /// A place for `peer`; somebody else may have to go for it.
    pub(crate) fn take(self: &Arc<Self>, peer: Peer) -> Place {
        let owner = match (peer.rights(), peer.uid) {
            (Rights::Administer, _) => Owner::Administrator,
            (Rights::Read, Some(uid)) => Owner::User(uid),
            (Rights::Read, None) => Owner::Unknown,
        };
        let mut inner = self.lock();
        if let Some(crowded) = inner.crowded(owner) {
            inner.evict(crowded);
        }
        inner.tick += 1;
        let id = inner.tick;
        inner.insert(id, Taken { owner, phase: Phase::Silent, alive: id, task: None });
        Place { places: Arc::clone(self), id }
    }

    /// Who serves the client of the place `id`; ended when the place is needed.
    pub(crate) fn served_by(&self, id: u64, task: AbortHandle) {
        // A client that has left already needs nobody to end it.
        if let Some(taken) = self.lock().taken.get_mut(&id) {
            taken.task = Some(task);
        }
    }

    /// Makes room because the process has no descriptors left. Says whether somebody went.
    pub(crate) fn make_room(&self) -> bool {
        let mut inner = self.lock();
        inner.largest(|_| true).is_some_and(|owner| inner.evict(owner))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Nothing that holds it can panic half-way through a change.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn insert(&mut self, id: u64, taken: Taken) {
        self.held.entry(taken.owner).or_default().insert((taken.phase, taken.alive, id));
        self.taken.insert(id, taken);
    }

    fn remove(&mut self, id: u64) -> Option<Taken> {
        let taken = self.taken.remove(&id)?;
        if let Some(held) = self.held.get_mut(&taken.owner) {
            held.remove(&(taken.phase, taken.alive, id));
            if held.is_empty() {
                self.held.remove(&taken.owner);
            }
        }
        Some(taken)
    }

    fn holds(&self, owner: Owner) -> usize {
        self.held.get(&owner).map_or(0, BTreeSet::len)
    }

    /// Who has to give up a place before `newcomer` gets one.
    fn crowded(&self, newcomer: Owner) -> Option<Owner> {
        let share = match newcomer {
            Owner::Administrator => ADMINISTRATORS,
            Owner::User(_) => PER_USER,
            Owner::Unknown => USERS,
        };
        if self.holds(newcomer) >= share {
            return Some(newcomer);
        }
        let users = self.taken.len() - self.holds(Owner::Administrator);
        if newcomer == Owner::Administrator || users < USERS {
            return None;
        }
        self.largest(|owner| owner != Owner::Administrator)
    }

    /// Who holds most places.
    fn largest(&self, may_be: impl Fn(Owner) -> bool) -> Option<Owner> {
        let candidates = self.held.iter().filter(|(owner, _)| may_be(**owner));
        candidates.max_by_key(|(_, held)| held.len()).map(|(owner, _)| *owner)
    }

    fn evict(&mut self, owner: Owner) -> bool {
        let first = self.held.get(&owner).and_then(|held| held.first().copied());
        let Some(taken) = first.and_then(|(_, _, id)| self.remove(id)) else { return false };
        if let Some(task) = taken.task {
            task.abort();
        }
        true
    }
}

impl Place {
    pub(crate) const fn id(&self) -> u64 {
        self.id
    }

    /// The client did something, and is in `phase` from now on.
    pub(crate) fn alive(&self, phase: Phase) {
        let mut inner = self.places.lock();
        inner.tick += 1;
        let alive = inner.tick;
        if let Some(taken) = inner.remove(self.id) {
            inner.insert(self.id, Taken { phase, alive, ..taken });
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.lock().remove(self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(uid: u32) -> Peer {
        Peer { uid: Some(uid), pid: None }
    }

    fn held(places: &Arc<Places>, owner: Owner) -> usize {
        places.lock().holds(owner)
    }

    fn has(places: &Arc<Places>, place: &Place) -> bool {
        places.lock().taken.contains_key(&place.id)
    }

    #[test]
    fn a_flood_crowds_out_only_itself() {
        let places = Arc::new(Places::default());
        let root = places.take(user(0));
        let other = places.take(user(1));
        let flood: Vec<Place> = (0..10_000).map(|_| places.take(user(2))).collect();
        assert!(has(&places, &root) && has(&places, &other));
        assert_eq!(held(&places, Owner::User(2)), PER_USER);
        assert!(has(&places, &flood[9_999]), "the newest is in");
        drop(flood);
        assert_eq!(held(&places, Owner::User(2)), 0);
    }

    #[test]
    fn silent_ones_go_before_idle_ones_before_watchers() {
        let places = Arc::new(Places::default());
        let watcher = places.take(user(1));
        watcher.alive(Phase::Watching);
        let old = places.take(user(1));
        old.alive(Phase::Idle);
        let silent = places.take(user(1));
        let rest: Vec<Place> = (3..PER_USER).map(|_| places.take(user(1))).collect();
        rest.iter().for_each(|place| place.alive(Phase::Idle));
        let new = places.take(user(1));
        assert!(!has(&places, &silent) && has(&places, &old));
        new.alive(Phase::Idle);
        let newer = places.take(user(1));
        assert!(!has(&places, &old), "idle longest");
        newer.alive(Phase::Watching);
        rest.iter().chain([&new]).for_each(|place| place.alive(Phase::Watching));
        let newest = places.take(user(1));
        assert!(!has(&places, &watcher) && has(&places, &newest), "somebody always goes");
    }

    #[test]
    fn when_all_is_full_who_holds_most_gives() {
        let places = Arc::new(Places::default());
        let flood: Vec<Place> =
            (100..110).flat_map(|uid| (0..PER_USER).map(move |_| uid)).map(|uid| places.take(user(uid))).collect();
        assert_eq!(flood.len(), USERS);
        let first = places.take(user(1));
        let second = places.take(user(1));
        assert!(has(&places, &first) && has(&places, &second));
        assert_eq!(held(&places, Owner::User(1)), 2);
        assert_eq!(places.lock().taken.len(), USERS, "bounded");
        let root: Vec<Place> = (0..ADMINISTRATORS).map(|_| places.take(user(0))).collect();
        assert!(root.iter().all(|place| has(&places, place)), "administrators have places of their own");
        assert_eq!(places.lock().taken.len(), USERS + ADMINISTRATORS);
        assert!(places.make_room());
        assert!(!Arc::new(Places::default()).make_room(), "nobody there to go");
    }

    #[tokio::test]
    async fn who_has_to_go_is_no_longer_served() {
        let places = Arc::new(Places::default());
        let (alive, mut gone) = tokio::sync::mpsc::channel::<()>(1);
        let place = places.take(user(1));
        let id = place.id();
        let task = tokio::spawn(async move {
            let _served = (alive, place);
            std::future::pending::<()>().await;
        });
        places.served_by(id, task.abort_handle());
        assert!(places.make_room());
        assert_eq!(gone.recv().await, None);
    }
}
