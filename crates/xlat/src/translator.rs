//! The translator: configuration, what follows from it, and the one counter.

use core::net::{Ipv4Addr, Ipv6Addr};
use core::ops::RangeInclusive;

use crate::address::{self, Own, Peer};
use crate::checksum::Sum;
use crate::reply::Refusal;
use crate::{Config, PacketBuf, Verdict, inbound, outbound, reply, straight};

/// Translates packets between the host's IPv4 and the uplink's IPv6 (RFC 7915), for one IPv4 address.
///
/// One per thread: nothing is shared. The IPv4 identifications come from a counter of this value, which begins at 1:
/// give each translator a range and a random start of its own by [`set_identifications`](Self::set_identifications).
///
/// # What is refused, and what is answered
/// Every refusal carries a [`DropReason`](crate::DropReason). Answered with an ICMP error are only: a hop limit that
/// ends here, a packet too big for the next link, source routes with hops left (RFC 7915 sections 4.1 and 5.1), and
/// private destinations under the well-known prefix (3/13, "administratively prohibited"). Everything else is silent:
/// RFC 7915 sections 4.4 and 5.4 would allow 3/13 and 1/1 for any of them, but an answer to what never concerned us
/// helps a scanner more than a user. Never answered are ICMP errors, fragments other than the first, and multicast.
pub struct Translator {
    config: Config,
    own: Own,
    /// sum(X) - sum(host's IPv4 address).
    own_delta: Sum,
    /// What translation to IPv6 adds to the sum of the addresses, where that is the same for every peer: under a /96.
    /// Under a /32 it is, too, unless the peer's address carries a suffix, so there it is computed.
    common_delta: Option<Sum>,
    ids: Ids,
}

/// Where IPv4 identifications come from. Invariant: first <= next <= last.
#[derive(Clone, Copy, Debug)]
struct Ids {
    first: u16,
    next: u16,
    last: u16,
}

impl Ids {
    const ALL: Self = Self { first: 0, next: 1, last: u16::MAX };

    /// One, and the `count - 1` after it, which are in the range, too, if it is not smaller than that.
    #[inline(always)]
    fn take(&mut self, count: u16) -> u16 {
        let left = self.last - self.next;
        if count <= left {
            let id = self.next;
            self.next = id + count;
            return id;
        }
        self.take_at_the_end(count, left)
    }

    #[cold]
    fn take_at_the_end(&mut self, count: u16, left: u16) -> u16 {
        let id = if count == left + 1 { self.next } else { self.first };
        self.next = match id.checked_add(count) {
            Some(next) if next <= self.last => next,
            Some(_) | None => self.first,
        };
        id
    }
}

impl Translator {
    /// A translator for `config`.
    #[must_use]
    pub fn new(config: Config) -> Self {
        let own_delta = Sum::of_v6(config.v6) - Sum::of_v4(config.v4);
        let prefix = Sum::of_v6(config.pref64.prefix());
        let common_delta = (config.pref64.prefix_len() == 96).then(|| own_delta + prefix);
        Self { own: Own::new(&config), config, own_delta, common_delta, ids: Ids::ALL }
    }

    /// The configuration in force.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Replaces the configuration whole. Identifications go on where they were.
    pub fn replace(&mut self, config: Config) {
        *self = Self { ids: self.ids, ..Self::new(config) };
    }

    /// Has the IPv4 identifications given from here on come from `range`, beginning at `start` and over again after its
    /// end. A `start` outside of the range is taken as its beginning.
    ///
    /// This crate has no randomness, so choose `start` at random: a counter that begins at the same number each time
    /// tells others what it will be (RFC 7739 section 5). Translators that work for the same host at the same time
    /// need ranges without overlap, or one sender's packets get the same number twice (RFC 6864 section 4.3). A
    /// super-packet uses up one number for each of its segments; a range smaller than that gives some of them twice.
    ///
    /// ```
    /// # use everclat_xlat::{Config, Pref64, Translator};
    /// # let config = Config::new(Pref64::WELL_KNOWN, [192, 0, 0, 2].into(), "2001:db8::2".parse().unwrap(), 1500);
    /// # fn random() -> u16 { 0x1234 }
    /// let (mut one, mut other) = (Translator::new(config.clone()), Translator::new(config));
    /// one.set_identifications(0..=0x7fff, random() & 0x7fff);
    /// other.set_identifications(0x8000..=0xffff, random() | 0x8000);
    /// ```
    pub fn set_identifications(&mut self, range: RangeInclusive<u16>, start: u16) {
        let (first, last) = (*range.start(), *range.end());
        let last = last.max(first);
        let next = if (first..=last).contains(&start) { start } else { first };
        self.ids = Ids { first, next, last };
    }

    /// Translates an IPv4 packet from the host into IPv6 for the uplink (RFC 7915 section 4).
    pub fn v4_to_v6(&mut self, buf: &mut PacketBuf) -> Verdict {
        match straight::v4_to_v6(self, buf) {
            Some(verdict) => verdict,
            None => self.v4_to_v6_in_general(buf),
        }
    }

    #[cold]
    fn v4_to_v6_in_general(&mut self, buf: &mut PacketBuf) -> Verdict {
        match outbound::translate(self, buf) {
            Ok(verdict) => verdict,
            Err(Refusal::Drop(reason)) => Verdict::Drop(reason),
            Err(Refusal::Answer(reason, error)) => reply::v4(self, buf, reason, error),
        }
    }

    /// Translates an IPv6 packet from the uplink into IPv4 for the host (RFC 7915 section 5).
    pub fn v6_to_v4(&mut self, buf: &mut PacketBuf) -> Verdict {
        match straight::v6_to_v4(self, buf) {
            Some(verdict) => verdict,
            None => self.v6_to_v4_in_general(buf),
        }
    }

    #[cold]
    fn v6_to_v4_in_general(&mut self, buf: &mut PacketBuf) -> Verdict {
        match inbound::translate(self, buf) {
            Ok(verdict) => verdict,
            Err(Refusal::Drop(reason)) => Verdict::Drop(reason),
            Err(Refusal::Answer(reason, error)) => reply::v6(self, buf, reason, error),
        }
    }

    /// What translation to IPv6 adds to the sum of the two addresses; subtract it on the way back.
    #[inline(always)]
    pub(crate) fn delta(&self, peer4: Ipv4Addr, peer6: Ipv6Addr) -> Sum {
        match self.common_delta {
            Some(delta) => delta,
            None => self.delta_of(peer4, peer6),
        }
    }

    fn delta_of(&self, peer4: Ipv4Addr, peer6: Ipv6Addr) -> Sum {
        self.own_delta + Sum::of_v6(peer6) - Sum::of_v4(peer4)
    }

    /// What kind of peer an IPv4 address is.
    #[inline(always)]
    pub(crate) fn peer(&self, address: Ipv4Addr) -> Peer {
        address::peer(address, self.own, self.config.pref64)
    }

    /// An IPv4 identification, and the `count - 1` after it, for nobody else.
    #[inline(always)]
    pub(crate) fn take_ids(&mut self, count: u16) -> u16 {
        self.ids.take(count)
    }

    /// The uplink's MTU; IPv6 does not run over less than 1280.
    #[inline]
    pub(crate) fn mtu6(&self) -> u16 {
        self.config.mtu6.max(Config::MIN_MTU6)
    }

    /// The IPv4 side's MTU; IPv4 does not run over less than 68 (RFC 791 section 3.2).
    #[inline]
    pub(crate) fn mtu4(&self) -> u16 {
        self.config.mtu4.max(68)
    }

    #[inline]
    pub(crate) fn traffic_class(&self, received: u8) -> u8 {
        if self.config.copy_traffic_class { received } else { 0 }
    }
}
