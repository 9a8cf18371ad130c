//! The prefix in the answers for `ipv4only.arpa` (RFC 7050 section 3). Pure: who asks whom is decided elsewhere.

use std::net::{Ipv4Addr, Ipv6Addr};

use xlat::{Pref64, Pref64Error};

/// The well-known IPv4 addresses of `ipv4only.arpa` (RFC 7050 section 2.2).
const WELL_KNOWN: [Ipv4Addr; 2] = [Ipv4Addr::new(192, 0, 0, 170), Ipv4Addr::new(192, 0, 0, 171)];

/// Where RFC 6052 section 2.2 lets an IPv4 address stand.
const LENGTHS: [u8; 6] = [96, 64, 56, 48, 40, 32];

/// The prefixes with which a DNS64 synthesised `answers`, in the order received. Every answer is looked at; one in
/// which a well-known address stands at several places counts only for the place that an answer with the other
/// well-known address confirms.
pub fn prefixes(answers: &[Ipv6Addr]) -> Vec<Pref64> {
    let mut found = Vec::new();
    for answer in answers {
        let usable = |wanted| places(*answer, wanted).filter_map(move |place| Some((place.ok()?, wanted)));
        let mut candidates: Vec<(Pref64, Ipv4Addr)> = WELL_KNOWN.into_iter().flat_map(usable).collect();
        if candidates.len() > 1 {
            let confirmed = |(prefix, wanted): &(Pref64, Ipv4Addr)| {
                WELL_KNOWN.iter().any(|other| other != wanted && answers.contains(&prefix.embed(*other)))
            };
            candidates.retain(confirmed);
        }
        if let [(prefix, _)] = candidates[..]
            && !found.contains(&prefix)
        {
            found.push(prefix);
        }
    }
    found
}

/// Why the first answer that was synthesised where no NAT64 can be tells nothing; `None`: there is no such answer.
pub fn refusal(answers: &[Ipv6Addr]) -> Option<Pref64Error> {
    let refused =
        |answer: &Ipv6Addr| WELL_KNOWN.into_iter().flat_map(|wanted| places(*answer, wanted)).find_map(Result::err);
    answers.iter().find_map(refused)
}

/// Whether an answer was made by no DNS64: the name has no AAAA records of its own, so somebody answers for every name
/// (RFC 7050 section 2.2).
pub fn is_captured(answers: &[Ipv6Addr]) -> bool {
    let synthesised = |answer: &Ipv6Addr| WELL_KNOWN.into_iter().any(|wanted| places(*answer, wanted).next().is_some());
    !answers.is_empty() && !answers.iter().any(synthesised)
}

/// Every prefix under which `answer` stands for `wanted`, or why it can be none.
fn places(answer: Ipv6Addr, wanted: Ipv4Addr) -> impl Iterator<Item = Result<Pref64, Pref64Error>> {
    LENGTHS.iter().filter_map(move |length| {
        let mask = u128::MAX << (128 - u32::from(*length));
        let prefix = |address: u128| Pref64::new(Ipv6Addr::from_bits(address & mask), *length);
        // Where the IPv4 address stands does not depend on the first 16 bits, which belong to every prefix.
        let elsewhere = answer.to_bits() & (u128::MAX >> 16) | 0x2001 << 112;
        let stands = prefix(elsewhere).ok()?.extract(Ipv6Addr::from_bits(elsewhere)) == Some(wanted);
        stands.then(|| prefix(answer.to_bits()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(answers: &[&str]) -> Vec<String> {
        let answers: Vec<Ipv6Addr> = answers.iter().map(|text| text.parse().unwrap()).collect();
        prefixes(&answers).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_well_known_prefix() {
        assert_eq!(found(&["64:ff9b::c000:aa", "64:ff9b::c000:ab"]), ["64:ff9b::/96"]);
        assert_eq!(found(&["64:ff9b::c000:ab"]), ["64:ff9b::/96"], "one of the two is enough");
    }

    /// 192.0.0.170 is c0.00.00.aa; laid out by the drawing in RFC 6052 section 2.2.
    #[test]
    fn all_lengths() {
        for (answer, prefix) in [
            ("2001:db8:c000:aa::", "2001:db8::/32"),
            ("2001:db8:1c0:0:aa::", "2001:db8:100::/40"),
            ("2001:db8:122:c000:0:aa00::", "2001:db8:122::/48"),
            ("2001:db8:122:3c0:0:aa::", "2001:db8:122:300::/56"),
            ("2001:db8:122:344:c0:0:aa00:0", "2001:db8:122:344::/64"),
            ("2001:db8:122:344::c000:aa", "2001:db8:122:344::/96"),
        ] {
            assert_eq!(found(&[answer]), [prefix], "{answer}");
        }
    }

    #[test]
    fn several_prefixes_in_received_order() {
        let answers = ["2001:db8:64::c000:aa", "64:ff9b::c000:aa", "2001:db8:64::c000:ab"];
        assert_eq!(found(&answers), ["2001:db8:64::/96", "64:ff9b::/96"]);
    }

    #[test]
    fn an_address_that_stands_twice_needs_the_other_one() {
        // 192.0.0.170 both behind a /32 and behind a /96.
        let twice = "2001:db8:c000:aa::c000:aa";
        assert!(found(&[twice]).is_empty());
        assert_eq!(found(&[twice, "2001:db8:c000:aa::c000:ab"]), ["2001:db8:c000:aa::/96"]);
    }

    #[test]
    fn an_answer_that_no_dns64_makes_is_somebody_elses() {
        let captured =
            |answers: &[&str]| is_captured(&answers.iter().map(|text| text.parse().unwrap()).collect::<Vec<_>>());
        assert!(captured(&["2001:db8::1"]));
        // The portal's own IPv4 address, synthesised.
        assert!(captured(&["64:ff9b::c0a8:101"]));
        assert!(!captured(&[]));
        assert!(!captured(&["2001:db8::1", "64:ff9b::c000:aa"]));
    }

    #[test]
    fn a_prefix_in_which_no_nat64_can_be_is_refused_with_its_reason() {
        let refused = |answers: &[&str]| {
            let answers: Vec<Ipv6Addr> = answers.iter().map(|text| text.parse().unwrap()).collect();
            (refusal(&answers).map(|error| error.to_string()), is_captured(&answers))
        };
        for (answer, why) in [
            ("::ffff:192.0.0.170", "::ffff:0.0.0.0 lies in ::/8"),
            ("fe80::192.0.0.171", "fe80:: is link-local"),
            ("ff0e:0:c000:aa::", "ff0e:: is multicast"),
        ] {
            assert!(found(&[answer]).is_empty(), "{answer}");
            let (error, captured) = refused(&[answer]);
            assert!(error.as_ref().is_some_and(|error| error.starts_with(why)), "{answer}: {error:?}");
            assert!(!captured, "{answer}: a DNS64 has made it, if a bad one");
        }
        let both = ["::ffff:192.0.0.170", "64:ff9b::192.0.0.170"];
        assert_eq!(found(&both), ["64:ff9b::/96"]);
        assert!(refused(&both).0.is_some());
        assert_eq!(refused(&["64:ff9b::192.0.0.170", "2001:db8::1", "fe80::1"]), (None, false));
    }

    #[test]
    fn other_answers_tell_nothing() {
        assert!(found(&["2001:db8::1", "::", "ff02::1", "64:ff9b::c000:1"]).is_empty());
        assert!(found(&[]).is_empty());
    }
}
