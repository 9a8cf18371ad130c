//! Captive portals: who says that somebody has to sign in first, and when to ask again.
//!
//! Three ways to know: the system's own check; the network's API, which a router advertises (RFC 8910) and which is asked
//! by RFC 8908; and an answer for `ipv4only.arpa` that no DNS64 makes, since the name has no AAAA records of its own
//! (RFC 7050 section 2.2): then names are answered by somebody who wants to be visited.

use std::collections::BTreeMap;
use std::time::Duration;

use model::{PortalAnswer, Timestamp};

/// A portal is asked again so often, and a network that has none now and then.
const WHILE_CAPTIVE: Duration = Duration::from_secs(30);
const WHILE_OPEN: Duration = Duration::from_secs(3600);
/// The API did not answer: it may be behind what it tells about.
const AFTER_FAILURE: Duration = Duration::from_secs(60);

/// Between two questions on one uplink.
const AT_LEAST: Duration = Duration::from_secs(5);
/// An API that has fallen silent was perhaps only there for those who had not signed in.
const FORGET_AFTER: u8 = 2;

/// RFC 8910 section 2: the network says that it has no portal.
const UNRESTRICTED: &str = "urn:ietf:params:capport:unrestricted";

#[derive(Clone, Debug, Default)]
struct PerLink {
    /// The system's own check found one.
    system: bool,
    /// Names are answered by somebody else.
    names: bool,
    /// Where to ask.
    api: Option<String>,
    asking: Option<u64>,
    next: Option<Timestamp>,
    last: Option<Timestamp>,
    failures: u8,
    /// What the API said last.
    captive: Option<Captive>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Captive {
    page: Option<String>,
}

/// What is known about portals, by uplink.
#[derive(Clone, Debug, Default)]
pub(crate) struct Portals {
    links: BTreeMap<u32, PerLink>,
    questions: u64,
}

/// A portal that holds traffic back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Portal<'a> {
    page: Option<&'a str>,
}

impl Portal<'_> {
    /// In words, for a helpdesk.
    pub(crate) fn describe(&self, link: &str) -> String {
        match self.page {
            Some(page) => format!("the network on {link} wants somebody to sign in at {page}"),
            None => format!("the network on {link} wants somebody to sign in"),
        }
    }
}

impl Portals {
    /// The portal on the uplink, if there is one.
    pub(crate) fn on(&self, link: u32) -> Option<Portal<'_>> {
        let per_link = self.links.get(&link)?;
        let page = per_link.captive.as_ref().map(|captive| captive.page.as_deref());
        let captive = per_link.system || per_link.names || page.is_some();
        captive.then(|| Portal { page: page.flatten() })
    }

    /// What the system's own check says. Says whether that is news, as all of these do.
    pub(crate) fn system(&mut self, link: u32, captive: bool) -> bool {
        let before = std::mem::replace(&mut self.links.entry(link).or_default().system, captive);
        before != captive
    }

    /// Whether names are answered by somebody who is no DNS64.
    pub(crate) fn names(&mut self, link: u32, captured: bool) -> bool {
        if !captured && !self.links.contains_key(&link) {
            return false;
        }
        let before = std::mem::replace(&mut self.links.entry(link).or_default().names, captured);
        before != captured
    }

    /// A router advertises this API (RFC 8910).
    pub(crate) fn api(&mut self, link: u32, uri: &str, now: Timestamp) {
        let per_link = self.links.entry(link).or_default();
        if uri == UNRESTRICTED {
            (per_link.api, per_link.captive, per_link.next) = (None, None, None);
        } else if per_link.api.as_deref() != Some(uri) {
            per_link.api = Some(uri.to_owned());
            // What the other one said stays until this one speaks; and routers that take turns start no storm.
            per_link.next = Some(per_link.last.map_or(now, |last| now.max(last + AT_LEAST)));
        }
    }

    /// The questions that are to be asked now: link, number, where.
    pub(crate) fn due(&mut self, uplinks: &[u32], now: Timestamp) -> Vec<(u32, u64, String)> {
        let mut due = Vec::new();
        for (link, per_link) in self.links.iter_mut().filter(|(link, _)| uplinks.contains(link)) {
            let is_due = per_link.asking.is_none() && per_link.next.is_some_and(|next| next <= now);
            if let (true, Some(api)) = (is_due, &per_link.api) {
                self.questions = self.questions.saturating_add(1);
                per_link.asking = Some(self.questions);
                per_link.next = None;
                per_link.last = Some(now);
                due.push((*link, self.questions, api.clone()));
            }
        }
        due
    }

    /// The API has answered, or not. A failure leaves what it said before.
    pub(crate) fn answered(&mut self, link: u32, question: u64, answer: PortalAnswer, now: Timestamp) -> bool {
        let Some(per_link) = self.links.get_mut(&link).filter(|per_link| per_link.asking == Some(question)) else {
            return false;
        };
        per_link.asking = None;
        let failed = matches!(answer, PortalAnswer::Failed { .. });
        let (captive, again) = match answer {
            PortalAnswer::Captive { page } => (Some(Captive { page }), WHILE_CAPTIVE),
            PortalAnswer::Open => (None, WHILE_OPEN),
            PortalAnswer::Failed { .. } if per_link.failures >= FORGET_AFTER => (None, AFTER_FAILURE),
            PortalAnswer::Failed { .. } => (per_link.captive.clone(), AFTER_FAILURE),
        };
        per_link.failures = if failed { per_link.failures.saturating_add(1) } else { 0 };
        per_link.next = Some(now + again);
        std::mem::replace(&mut per_link.captive, captive.clone()) != captive
    }

    /// Forgets interfaces that are no longer there at all.
    pub(crate) fn retain(&mut self, exists: impl Fn(u32) -> bool) {
        self.links.retain(|link, _| exists(*link));
    }

    /// Forgets a network that is no longer attached.
    pub(crate) fn forget(&mut self, link: u32) {
        self.links.remove(&link);
    }

    /// The network on `link` may be another one: its API is to be asked again.
    pub(crate) fn again(&mut self, link: u32, now: Timestamp) {
        if let Some(per_link) = self.links.get_mut(&link).filter(|per_link| per_link.asking.is_none()) {
            per_link.next = per_link.api.is_some().then(|| per_link.last.map_or(now, |last| now.max(last + AT_LEAST)));
        }
    }

    /// Everything is to be asked again.
    pub(crate) fn restart(&mut self, now: Timestamp) {
        for per_link in self.links.values_mut() {
            per_link.names = false;
            per_link.next = per_link.api.is_some().then_some(now);
        }
    }

    /// When something is due.
    pub(crate) fn next(&self) -> Option<Timestamp> {
        self.links.values().filter_map(|per_link| per_link.next).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const API: &str = "https://portal.example/api";

    fn seconds(seconds: u64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    #[test]
    fn an_advertised_api_is_asked_at_once_and_again() {
        let mut portals = Portals::default();
        portals.api(2, API, seconds(1));
        let due = portals.due(&[2], seconds(1));
        assert_eq!(due, [(2, 1, API.to_owned())]);
        assert!(portals.due(&[2], seconds(1)).is_empty(), "asked already");
        let captive = PortalAnswer::Captive { page: Some("https://portal.example/".into()) };
        assert!(!portals.answered(2, 9, captive.clone(), seconds(2)), "nobody asked that");
        assert!(portals.answered(2, 1, captive, seconds(2)));
        assert!(portals.on(2).unwrap().describe("eth0").ends_with("sign in at https://portal.example/"));
        assert_eq!(portals.next(), Some(seconds(32)));
        portals.due(&[2], seconds(32));
        assert!(!portals.answered(2, 2, PortalAnswer::Failed { reason: "slow".into() }, seconds(33)));
        assert!(portals.on(2).is_some(), "what it said stays");
        portals.due(&[2], seconds(93));
        assert!(portals.answered(2, 3, PortalAnswer::Open, seconds(94)));
        assert!(portals.on(2).is_none());
    }

    #[test]
    fn no_portal_by_the_networks_own_word_is_not_asked() {
        let mut portals = Portals::default();
        portals.api(2, UNRESTRICTED, seconds(0));
        assert!(portals.due(&[2], seconds(0)).is_empty());
        assert_eq!((portals.on(2), portals.next()), (None, None));
    }

    #[test]
    fn any_one_source_is_enough() {
        let mut portals = Portals::default();
        assert!(!portals.names(2, false));
        assert!(portals.system(2, true));
        assert!(portals.names(2, true));
        assert!(portals.system(2, false));
        assert!(portals.on(2).is_some());
        assert!(portals.names(2, false));
        assert!(portals.on(2).is_none());
    }
}
