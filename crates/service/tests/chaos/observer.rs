//! What is heard on the links: X has to behave as a host that has claimed its address.

use std::collections::BTreeMap;
use std::net::Ipv6Addr;
use std::time::Duration;

use engine::nd::Message;
use model::{MacAddress, Timestamp};
use platform_fake::Sent;

use crate::packets;

/// RetransTimer of RFC 4861 section 10.
const DAD_WAIT: Duration = Duration::from_secs(1);

/// One X on one uplink.
#[derive(Clone, Copy, Debug)]
struct Claim {
    /// Asked for the first time.
    since: Timestamp,
    /// When somebody has objected. What leaves at that very moment was under way.
    lost: Option<Timestamp>,
}

/// Remembers who has claimed what.
#[derive(Debug, Default)]
pub(crate) struct Observer {
    claims: BTreeMap<(u32, Ipv6Addr), Claim>,
    /// Since when the setting has been so. What was claimed before it may still be used by the old one.
    strict: Option<Timestamp>,
    /// X that have spoken before they asked, and when: apps' packets and the question have threads of their own.
    early: BTreeMap<Ipv6Addr, Timestamp>,
}

/// What others may react to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Spoken {
    /// X is asked for.
    Claim(Ipv6Addr),
    /// X is announced, or given as an answer.
    Announcement { x: Ipv6Addr, overrides: bool },
    /// X asks for the link-layer address of a neighbour.
    Question { x: Ipv6Addr, target: Ipv6Addr },
    /// A packet from X.
    Packet { to: MacAddress, bytes: Vec<u8> },
}

impl Observer {
    /// The setting is so, or still is.
    pub(crate) fn set(&mut self, strict: bool, now: Timestamp) {
        self.strict = strict.then_some(self.strict.unwrap_or(now));
    }

    /// These are in use, and nobody speaks for any other: who comes back has to ask again.
    pub(crate) fn only(&mut self, used: &[Ipv6Addr]) {
        self.claims.retain(|(_, x), _| used.contains(x));
    }

    /// Whether some X was asked for on `link`.
    pub(crate) fn has_claimed(&self, link: u32) -> bool {
        self.claims.keys().any(|(on, _)| *on == link)
    }

    /// A neighbour has objected to X on every link of its network.
    pub(crate) fn object(&mut self, x: Ipv6Addr, now: Timestamp) {
        for (_, claim) in self.claims.iter_mut().filter(|((_, claimed), _)| *claimed == x) {
            claim.lost.get_or_insert(now);
        }
    }

    /// Something was heard on `link`: what it is, or what is wrong with it. `lossy`: some frames could not be sent lately.
    pub(crate) fn hear(&mut self, link: u32, sent: Sent, lossy: bool, now: Timestamp) -> Result<Spoken, String> {
        if let Some((x, at)) = self.early.iter().find(|(_, at)| **at < now) {
            return Err(format!("{x} has spoken at {at:?} and was never claimed"));
        }
        let (x, sure, spoken) = match sent {
            // Errors of the translator come from X, too; those for neighbours are not ours to judge here.
            Sent::Packet { to, bytes } => (packets::source(&bytes), false, Spoken::Packet { to, bytes }),
            Sent::Frame(frame) => {
                let mac = MacAddress(frame[6..12].try_into().unwrap());
                match Message::parse(mac, &frame[14..]).map_err(|error| format!("a frame that is {error}"))? {
                    Message::Solicitation { source, target, .. } if source.is_unspecified() => {
                        self.early.remove(&target);
                        self.claims.insert((link, target), Claim { since: now, lost: None });
                        return Ok(Spoken::Claim(target));
                    }
                    Message::Solicitation { source, target, .. } => {
                        (source, true, Spoken::Question { x: source, target })
                    }
                    Message::Advertisement { target, overrides, .. } => {
                        (target, overrides, Spoken::Announcement { x: target, overrides })
                    }
                }
            }
        };
        // Where X is the same, the network is.
        let claims = self.claims.iter().filter(|((_, claimed), _)| *claimed == x);
        let Some(claim) = claims.map(|(_, claim)| *claim).min_by_key(|claim| (claim.lost, claim.since)) else {
            if !sure && self.strict.is_none() {
                if !lossy {
                    self.early.insert(x, now);
                }
                return Ok(spoken);
            }
            return Err(format!("{x} speaks on {link} and was never claimed: {spoken:?}"));
        };
        if claim.lost.is_some_and(|lost| lost < now) {
            let claims = &self.claims;
            return Err(format!("{x} speaks on {link} although somebody else has it: {spoken:?} {claims:?}"));
        }
        let certain = now.since(claim.since) >= DAD_WAIT;
        // Packets of apps that were in the tunnel when X changed leave by the new one, strict or not.
        let queued = claim.since == now && matches!(spoken, Spoken::Packet { .. });
        if (sure || self.strict.is_some_and(|since| claim.since > since)) && !certain && !queued {
            let strict = self.strict;
            return Err(format!("{x} speaks on {link} before it may: {spoken:?} {claim:?} {strict:?}"));
        }
        self.claims.insert((link, x), claim);
        Ok(spoken)
    }
}
