//! Whom to ask for prefixes: routers first, resolvers where those announce none.

use model::{Pref64Source, Timestamp};

use super::Engine;
use crate::Action;
use crate::decide::{Candidate, candidates, uplinks};

impl Engine {
    /// Asks routers: new ones, those in doubt, and those whose word ends soon.
    pub(super) fn solicit(&mut self, now: Timestamp) {
        let said = |link: u32| self.discovery.is_confirmed(link) && self.traces.is_spoken(link);
        let mut links = self.solicitor.due(now, said);
        links.extend(self.discovery.refresh(now));
        for link in links {
            self.push(Action::SolicitRouters { link });
        }
    }

    /// Asks the resolvers of uplinks whose routers announce no prefix.
    pub(super) fn ask_dns(&mut self, now: Timestamp) {
        let Some(snapshot) = &self.snapshot else { return };
        let uplinks: Vec<u32> = uplinks(snapshot, &self.settings).into_iter().map(|(link, _)| link.index).collect();
        let settings = &self.settings;
        let by_dns =
            settings.pref64_sources.value.contains(&Pref64Source::Dns) && settings.pref64_static.value.is_empty();
        let idle = self.shutting_down || !settings.enabled.value || !by_dns;
        for link in self.discovery.links().collect::<Vec<_>>() {
            let announced = |candidate: &Candidate| candidate.source == Pref64Source::Ra && !candidate.remembered;
            let is_announced = candidates(link, &self.discovery, &self.settings).iter().any(announced);
            if idle || !uplinks.contains(&link) || is_announced {
                self.asker.forget(link);
                // Nobody asks any more, so nobody would take it back.
                if self.portals.names(link, false) {
                    self.push(Action::StatusChanged);
                }
                continue;
            }
            let servers = self.discovery.resolvers(link);
            if let Some(question) = self.asker.due(link, &servers, now) {
                self.push(Action::AskDns { link, servers, question });
            }
        }
    }
}
