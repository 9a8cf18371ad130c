//! Which IPv4 identifications a line uses: a share of its own, so that lines at the same time give no number twice, with
//! a start that nobody knows.

use engine::flow::KEPT;
use xlat::Translator;

/// Lines that there can be at once: the one in use, those beside it, and one that is opened before another is closed.
const LANES: usize = KEPT + 2;
/// Identifications of each.
const SHARE: u16 = 0x4000;
const _: () = assert!(LANES <= 4);
/// Those of them that the translator uses; the fast path has the others.
const INSIDE: u16 = SHARE / 2;

fn random() -> u16 {
    // Without randomness from the system numbers begin where anybody can guess: no reason not to run.
    let [a, b, ..] = getrandom::u32().unwrap_or_default().to_ne_bytes();
    u16::from_ne_bytes([a, b])
}

/// A share of the identifications.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lane(u16);

impl Lane {
    /// One that is not among `taken`.
    pub(super) fn free(taken: &[Self]) -> Self {
        let beginnings = (0..LANES).zip((0..=u16::MAX).step_by(usize::from(SHARE)));
        let mut free = beginnings.map(|(_, beginning)| Self(beginning)).filter(|lane| !taken.contains(lane));
        // There are as many as lines at once.
        free.next().unwrap_or(Self(0))
    }

    pub(super) fn translator(self, config: &xlat::Config) -> Translator {
        let mut translator = Translator::new(config.clone());
        translator.set_identifications(self.0..=self.0 | (INSIDE - 1), self.0 | (random() & (INSIDE - 1)));
        translator
    }

    /// Those that the fast path uses: the first, what is added to it at most, and where among them to begin.
    pub(super) fn outside(self) -> (u16, u16, u16) {
        (self.0 | INSIDE, INSIDE - 1, random() & (INSIDE - 1))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use xlat::{PacketBuf, Pref64, Verdict};

    use super::*;

    fn config() -> xlat::Config {
        xlat::Config::new(Pref64::WELL_KNOWN, [192, 0, 0, 2].into(), "2001:db8::2".parse().unwrap(), 1500)
    }

    fn next(translator: &mut Translator) -> u16 {
        let mut packet = vec![0x60, 0, 0, 0, 0, 0, 89, 64];
        packet.extend(Pref64::WELL_KNOWN.embed([198, 51, 100, 1].into()).octets());
        packet.extend(config().v6.octets());
        let mut buf = PacketBuf::new();
        assert!(buf.set_packet(&packet));
        assert!(matches!(translator.v6_to_v4(&mut buf), Verdict::Forward));
        u16::from_be_bytes([buf.packet()[4], buf.packet()[5]])
    }

    #[test]
    fn lines_at_the_same_time_give_no_number_twice() {
        let mut taken = Vec::new();
        for _ in 0..LANES {
            taken.push(Lane::free(&taken));
        }
        let mut given = BTreeSet::new();
        for lane in taken {
            let mut translator = lane.translator(&config());
            assert!((0..INSIDE).all(|_| given.insert(next(&mut translator))), "{lane:?}");
            let (first, mask, start) = lane.outside();
            assert!(start <= mask && (0..=mask).all(|more| given.insert(first | more)), "{lane:?}");
        }
        assert_eq!(given.len(), 0x1_0000);
    }

    #[test]
    fn what_is_given_back_is_given_again() {
        let [first, second] = [Lane::free(&[]), Lane::free(&[Lane(0)])];
        assert_ne!(first, second);
        assert_eq!(Lane::free(&[second]), first);
    }

    #[test]
    fn a_start_is_not_to_be_known() {
        let starts: BTreeSet<u16> = (0..16).map(|_| next(&mut Lane::free(&[]).translator(&config()))).collect();
        // All alike by chance: once in 2^210.
        assert!(starts.len() > 1, "{starts:?}");
    }
}
