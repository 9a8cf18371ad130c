//! The translator: what it keeps, what it answers.

mod error;
mod header;
mod inbound;
mod message;
mod offload;
mod outbound;
mod quotation;
mod reply;

use crate::Setup;
pub use offload::Offload;

pub(crate) const ICMP: u8 = 1;
pub(crate) const TCP: u8 = 6;
pub(crate) const UDP: u8 = 17;
pub(crate) const FRAGMENT: u8 = 44;
pub(crate) const ICMPV6: u8 = 58;

/// What becomes of a packet. Reasons are the names that `everclat status -v` shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It goes on as this packet.
    Forward(Vec<u8>, Offload),
    /// It goes on as these.
    Fragments(Vec<Vec<u8>>),
    /// It is refused for this reason, and this ICMP error goes back.
    Reply(&'static str, Vec<u8>),
    /// It is refused in silence.
    Drop(&'static str),
}

/// The second translator.
#[derive(Clone, Debug)]
pub struct Oracle {
    /// What it was told.
    pub setup: Setup,
    /// The identification that the next IPv4 packet gets which needs one.
    pub next_id: u16,
}

/// Why there is no translation.
pub(crate) enum Refusal {
    Silent(&'static str),
    /// To be answered, if the packet is one that may be: type, code, and the four bytes behind the checksum.
    Told(&'static str, u8, u8, [u8; 4]),
}

type Outcome = Result<Answer, Refusal>;

pub(crate) fn silent<T>(reason: &'static str) -> Result<T, Refusal> {
    Err(Refusal::Silent(reason))
}

impl Oracle {
    /// A translator whose first identification is `next_id`.
    #[must_use]
    pub fn new(setup: Setup, next_id: u16) -> Self {
        Self { setup, next_id }
    }

    /// What becomes of a packet from the host.
    pub fn v4_to_v6(&mut self, packet: &[u8], offload: Offload) -> Answer {
        let mut packet = packet.to_vec();
        match outbound::translate(self, &mut packet, offload) {
            Ok(answer) => answer,
            Err(Refusal::Silent(reason)) => Answer::Drop(reason),
            Err(Refusal::Told(reason, kind, code, rest)) => reply::v4(self, &packet, reason, (kind, code, rest)),
        }
    }

    /// What becomes of a packet from the uplink.
    pub fn v6_to_v4(&mut self, packet: &[u8], offload: Offload) -> Answer {
        let mut packet = packet.to_vec();
        match inbound::translate(self, &mut packet, offload) {
            Ok(answer) => answer,
            Err(Refusal::Silent(reason)) => Answer::Drop(reason),
            Err(Refusal::Told(reason, kind, code, rest)) => reply::v6(self, &packet, reason, (kind, code, rest)),
        }
    }

    /// `count` identifications for nobody else, one after the other; the first of them. After 65535 comes 0, but not
    /// within a super-packet.
    fn take_ids(&mut self, count: usize) -> u16 {
        let mut first = self.next_id;
        if usize::from(first) + count > 65_536 {
            first = 0;
        }
        self.next_id = u16::try_from((usize::from(first) + count) % 65_536).expect("a remainder");
        first
    }
}
