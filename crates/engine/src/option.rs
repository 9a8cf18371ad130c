//! Options of router advertisements: PREF64 (RFC 8781), RDNSS (RFC 8106) and the captive portal's (RFC 8910).

use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use thiserror::Error;
use xlat::{Pref64, Pref64Error};

const TYPE_RDNSS: u8 = 25;
const TYPE_CAPTIVE_PORTAL: u8 = 37;
const TYPE_PREF64: u8 = 38;
/// PREF64 is 16 bytes long, always (RFC 8781 section 4).
const PREF64_UNITS: u8 = 2;

/// An option that we understand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RouterOption {
    /// RFC 8781. A lifetime of zero withdraws the prefix.
    Pref64 {
        /// The prefix.
        prefix: Pref64,
        /// How long it may be used, 0 to 65528 s.
        lifetime: Duration,
    },
    /// RFC 8106 section 5.1. A lifetime of zero withdraws the servers.
    Rdnss {
        /// Recursive resolvers in order of preference.
        servers: Vec<Ipv6Addr>,
        /// How long they may be used; [`Duration::MAX`] for ever.
        lifetime: Duration,
    },
    /// RFC 8910 section 2.3: where to ask whether somebody has to sign in.
    CaptivePortal {
        /// The API's URI; visible ASCII only.
        uri: String,
    },
    /// Any other type; not an error.
    Other(u8),
}

/// Why an option is ignored.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum OptionError {
    /// Fewer bytes than the option says, or none.
    #[error("option of {got} bytes is cut short")]
    Truncated {
        /// Bytes that are there.
        got: usize,
    },
    /// A length that this type cannot have.
    #[error("option type {kind} with length {units} (in units of 8 bytes)")]
    BadLength {
        /// The type.
        kind: u8,
        /// Its length field.
        units: u8,
    },
    /// RFC 8781 section 4: prefix length codes 6 and 7 are reserved.
    #[error("PREF64 with reserved prefix length code {0}")]
    ReservedPrefixLength(u8),
    /// RFC 8910 section 2.3: a URI, padded with NULs.
    #[error("captive portal option without a URI")]
    BadUri,
    /// RFC 6052 section 2.2, or a range in which no NAT64 can be.
    #[error("PREF64: {0}")]
    BadPrefix(#[from] Pref64Error),
}

impl RouterOption {
    /// Reads one option.
    ///
    /// # Errors
    /// When it has to be ignored. Bytes behind the option's own length are not looked at.
    pub fn parse(bytes: &[u8]) -> Result<Self, OptionError> {
        let [kind, units, ..] = *bytes else { return Err(OptionError::Truncated { got: bytes.len() }) };
        if units == 0 {
            return Err(OptionError::BadLength { kind, units });
        }
        let Some(option) = bytes.get(..usize::from(units) * 8) else {
            return Err(OptionError::Truncated { got: bytes.len() });
        };
        match kind {
            TYPE_PREF64 => parse_pref64(option, units),
            TYPE_RDNSS => parse_rdnss(option, units),
            TYPE_CAPTIVE_PORTAL => parse_portal(option),
            other => Ok(Self::Other(other)),
        }
    }
}

fn parse_pref64(option: &[u8], units: u8) -> Result<RouterOption, OptionError> {
    let bad_length = OptionError::BadLength { kind: TYPE_PREF64, units };
    if units != PREF64_UNITS {
        return Err(bad_length);
    }
    let (Some(&[high, low]), Some(top)) = (option.get(2..4).and_then(|b| b.first_chunk::<2>()), option.get(4..16))
    else {
        return Err(bad_length);
    };
    let scaled = u16::from_be_bytes([high, low]);
    let length = match low & 0b111 {
        0 => 96,
        1 => 64,
        2 => 56,
        3 => 48,
        4 => 40,
        5 => 32,
        reserved => return Err(OptionError::ReservedPrefixLength(reserved)),
    };
    let mut octets = [0; 16];
    octets[..12].copy_from_slice(top);
    // Bits behind the prefix length carry nothing; senders should clear them, receivers need not mind.
    let mask = u128::MAX.checked_shl(128 - u32::from(length)).unwrap_or(0);
    let prefix = Ipv6Addr::from_bits(u128::from_be_bytes(octets) & mask);
    // The lower three bits hold the length code, so what remains is the lifetime in seconds (13 bits times 8).
    let lifetime = Duration::from_secs(u64::from(scaled & !0b111));
    Ok(RouterOption::Pref64 { prefix: Pref64::new(prefix, length)?, lifetime })
}

fn parse_rdnss(option: &[u8], units: u8) -> Result<RouterOption, OptionError> {
    // RFC 8106 section 5.1: at least one address, so 3 units or any greater odd number.
    let bad_length = OptionError::BadLength { kind: TYPE_RDNSS, units };
    if units < 3 || units.is_multiple_of(2) {
        return Err(bad_length);
    }
    let (Some(lifetime), Some(list)) = (option.get(4..8).and_then(|b| b.first_chunk::<4>()), option.get(8..)) else {
        return Err(bad_length);
    };
    let lifetime = match u32::from_be_bytes(*lifetime) {
        u32::MAX => Duration::MAX,
        seconds => Duration::from_secs(u64::from(seconds)),
    };
    let (addresses, _) = list.as_chunks::<16>();
    let servers = addresses
        .iter()
        .map(|octets| Ipv6Addr::from(*octets))
        .filter(|server| {
            !server.is_unspecified() && !server.is_multicast() && server.to_ipv4_mapped() != Some(Ipv4Addr::UNSPECIFIED)
        })
        .collect();
    Ok(RouterOption::Rdnss { servers, lifetime })
}

fn parse_portal(option: &[u8]) -> Result<RouterOption, OptionError> {
    let padded = option.get(2..).unwrap_or_default();
    let end = padded.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    let uri = padded.get(..end).unwrap_or_default();
    // RFC 3986 section 2: a URI is visible ASCII.
    match str::from_utf8(uri) {
        Ok(uri) if !uri.is_empty() && uri.bytes().all(|byte| byte.is_ascii_graphic()) => {
            Ok(RouterOption::CaptivePortal { uri: uri.to_owned() })
        }
        Ok(_) | Err(_) => Err(OptionError::BadUri),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 64:ff9b::/96 for 1800 s: 1800 / 8 = 225, shifted left by three, code 0.
    const WELL_KNOWN: [u8; 16] = [38, 2, 0x07, 0x08, 0x00, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0];

    #[test]
    fn pref64_of_rfc_8781_section_4() {
        assert_eq!(
            RouterOption::parse(&WELL_KNOWN),
            Ok(RouterOption::Pref64 { prefix: Pref64::WELL_KNOWN, lifetime: Duration::from_secs(1800) })
        );
    }

    #[test]
    fn all_length_codes() {
        for (code, length) in [(0u8, 96), (1, 64), (2, 56), (3, 48), (4, 40), (5, 32)] {
            let option = [38, 2, 0xff, 0xf8 | code, 0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0];
            let Ok(RouterOption::Pref64 { prefix, lifetime }) = RouterOption::parse(&option) else {
                panic!("code {code} refused");
            };
            assert_eq!((prefix.prefix_len(), lifetime.as_secs()), (length, 65_528));
        }
        for code in [6, 7] {
            let mut option = WELL_KNOWN;
            option[3] |= code;
            assert_eq!(RouterOption::parse(&option), Err(OptionError::ReservedPrefixLength(code)));
        }
    }

    #[test]
    fn bits_behind_the_prefix_are_ignored_but_the_u_octet_is_not() {
        let option = [38, 2, 0, 8 | 5, 0x20, 0x01, 0x0d, 0xb8, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
        let Ok(RouterOption::Pref64 { prefix, .. }) = RouterOption::parse(&option) else { panic!("refused") };
        assert_eq!(prefix.to_string(), "2001:db8::/32");
        let option = [38, 2, 0, 8, 0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0x40, 0, 0, 0];
        assert!(matches!(RouterOption::parse(&option), Err(OptionError::BadPrefix(_))));
    }

    #[test]
    fn a_prefix_in_which_no_nat64_can_be_is_refused() {
        for top in [[0xfe, 0x80, 0, 0], [0xff, 0x0e, 0, 0], [0; 4], [0, 0x64, 0xff, 0x9c]] {
            let mut option = WELL_KNOWN;
            option[4..8].copy_from_slice(&top);
            for code in 0..=5 {
                option[3] = 8 | code;
                assert!(matches!(RouterOption::parse(&option), Err(OptionError::BadPrefix(_))), "{option:02x?}");
            }
        }
        let mapped = [38, 2, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff];
        let error = RouterOption::parse(&mapped).unwrap_err().to_string();
        assert!(error.starts_with("PREF64: ::ffff:0.0.0.0 lies in ::/8"), "{error}");
    }

    #[test]
    fn lifetime_zero_withdraws() {
        let mut option = WELL_KNOWN;
        option[2] = 0;
        option[3] = 0;
        assert_eq!(
            RouterOption::parse(&option),
            Ok(RouterOption::Pref64 { prefix: Pref64::WELL_KNOWN, lifetime: Duration::ZERO })
        );
    }

    #[test]
    fn other_lengths_are_ignored() {
        for units in [1u8, 3, 4] {
            let mut option = vec![0; usize::from(units) * 8];
            option[0] = 38;
            option[1] = units;
            assert_eq!(RouterOption::parse(&option), Err(OptionError::BadLength { kind: 38, units }));
        }
        assert_eq!(RouterOption::parse(&[38, 0]), Err(OptionError::BadLength { kind: 38, units: 0 }));
        assert_eq!(RouterOption::parse(&WELL_KNOWN[..15]), Err(OptionError::Truncated { got: 15 }));
        assert_eq!(RouterOption::parse(&[]), Err(OptionError::Truncated { got: 0 }));
        assert_eq!(RouterOption::parse(&[38]), Err(OptionError::Truncated { got: 1 }));
    }

    #[test]
    fn rdnss_of_rfc_8106_section_5_1() {
        let mut option = vec![25, 5, 0, 0, 0, 0, 0x0e, 0x10];
        option.extend("2001:db8::53".parse::<Ipv6Addr>().unwrap().octets());
        option.extend("fe80::1".parse::<Ipv6Addr>().unwrap().octets());
        assert_eq!(
            RouterOption::parse(&option),
            Ok(RouterOption::Rdnss {
                servers: vec!["2001:db8::53".parse().unwrap(), "fe80::1".parse().unwrap()],
                lifetime: Duration::from_secs(3600),
            })
        );
        option[1] = 4;
        assert!(matches!(RouterOption::parse(&option), Err(OptionError::BadLength { kind: 25, units: 4 })));
        assert_eq!(RouterOption::parse(&[24, 1, 0, 0, 0, 0, 0, 0]), Ok(RouterOption::Other(24)));
    }

    #[test]
    fn captive_portal_of_rfc_8910_section_2_3() {
        let mut option = vec![37, 3];
        option.extend(b"https://portal.test/");
        option.extend([0, 0]);
        assert_eq!(
            RouterOption::parse(&option),
            Ok(RouterOption::CaptivePortal { uri: "https://portal.test/".into() })
        );
        option[5] = 0x1b;
        assert_eq!(RouterOption::parse(&option), Err(OptionError::BadUri));
        assert_eq!(RouterOption::parse(&[37, 1, 0, 0, 0, 0, 0, 0]), Err(OptionError::BadUri));
    }
}
