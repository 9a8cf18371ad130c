//! Router advertisements as bytes (RFC 4861 section 4.2, RFC 8106, RFC 8781).
//!
//! The ICMPv6 checksum stays zero: the kernel fills it in for raw ICMPv6 sockets.

use std::net::Ipv6Addr;

use crate::Pref64;
use crate::ra::{AnnouncedPref64, RaConfig, RaPrefix};

/// ICMPv6 type of a router solicitation.
pub const ROUTER_SOLICITATION: u8 = 133;
/// ICMPv6 type of a router advertisement.
pub const ROUTER_ADVERTISEMENT: u8 = 134;

const HEADER_LEN: usize = 16;
const SOURCE_LINK_LAYER: u8 = 1;
const PREFIX_INFORMATION: u8 = 3;
const MTU: u8 = 5;
const RDNSS: u8 = 25;
const PREF64: u8 = 38;

/// The advertisement that `config` describes.
#[must_use]
pub fn encode(config: &RaConfig) -> Vec<u8> {
    let mut out = vec![ROUTER_ADVERTISEMENT, 0, 0, 0, config.hop_limit];
    out.push((u8::from(config.managed) << 7) | (u8::from(config.other) << 6));
    out.extend(config.router_lifetime_s.to_be_bytes());
    // Reachable time and retransmission timer: unspecified by this router.
    out.extend([0; 8]);
    if let Some(mac) = config.source_mac {
        out.extend([SOURCE_LINK_LAYER, 1]);
        out.extend(mac);
    }
    if let Some(mtu) = config.mtu {
        out.extend([MTU, 1, 0, 0]);
        out.extend(mtu.to_be_bytes());
    }
    for prefix in &config.prefixes {
        put_prefix(&mut out, prefix);
    }
    put_rdnss(&mut out, config);
    for announced in &config.pref64 {
        put_pref64(&mut out, announced);
    }
    for raw in &config.raw_options {
        out.extend(raw);
    }
    out
}

fn put_prefix(out: &mut Vec<u8>, prefix: &RaPrefix) {
    out.extend([PREFIX_INFORMATION, 4, prefix.prefix.prefix_len()]);
    out.push((u8::from(prefix.on_link) << 7) | (u8::from(prefix.autonomous) << 6));
    out.extend(prefix.valid_s.to_be_bytes());
    out.extend(prefix.preferred_s.to_be_bytes());
    out.extend([0; 4]);
    out.extend(prefix.prefix.network().octets());
}

fn put_rdnss(out: &mut Vec<u8>, config: &RaConfig) {
    // The length field counts units of 8 octets: one, and two per address.
    let Ok(len) = u8::try_from(1 + 2 * config.rdnss.len()) else { return };
    if config.rdnss.is_empty() {
        return;
    }
    out.extend([RDNSS, len, 0, 0]);
    out.extend(config.rdnss_lifetime_s.to_be_bytes());
    for server in &config.rdnss {
        out.extend(server.octets());
    }
}

fn put_pref64(out: &mut Vec<u8>, announced: &AnnouncedPref64) {
    let code = length_code(announced.prefix.prefix_len());
    let units = announced.lifetime_s.div_ceil(8).min(0x1fff);
    let units = u16::try_from(units).unwrap_or(0x1fff);
    out.extend([PREF64, 2]);
    out.extend(((units << 3) | code).to_be_bytes());
    out.extend(&announced.prefix.prefix().octets()[..12]);
}

/// Prefix length code of RFC 8781 section 4.
fn length_code(len: u8) -> u16 {
    match len {
        64 => 1,
        56 => 2,
        48 => 3,
        40 => 4,
        32 => 5,
        _ => 0,
    }
}

/// Not a router advertisement, or one whose options do not fill it exactly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("malformed router advertisement")]
pub struct Malformed;

/// Reads an advertisement back; what it does not know, or what is malformed inside, goes into `raw_options`.
///
/// # Errors
/// [`Malformed`] when the header or the length of an option is impossible (RFC 4861 section 6.1.2).
pub fn decode(message: &[u8]) -> Result<RaConfig, Malformed> {
    let (header, mut rest) = message.split_at_checked(HEADER_LEN).ok_or(Malformed)?;
    if header[0] != ROUTER_ADVERTISEMENT || header[1] != 0 {
        return Err(Malformed);
    }
    let mut config = RaConfig {
        hop_limit: header[4],
        managed: header[5] & 0x80 != 0,
        other: header[5] & 0x40 != 0,
        router_lifetime_s: u16::from_be_bytes([header[6], header[7]]),
        ..RaConfig::default()
    };
    while !rest.is_empty() {
        let units = usize::from(*rest.get(1).ok_or(Malformed)?);
        if units == 0 {
            return Err(Malformed);
        }
        let (option, next) = rest.split_at_checked(units * 8).ok_or(Malformed)?;
        if take_option(&mut config, option).is_none() {
            config.raw_options.push(option.to_vec());
        }
        rest = next;
    }
    Ok(config)
}

fn take_option(config: &mut RaConfig, option: &[u8]) -> Option<()> {
    match (option[0], option.len()) {
        (SOURCE_LINK_LAYER, 8) => config.source_mac = option[2..8].try_into().ok(),
        (MTU, 8) => config.mtu = Some(u32_at(option, 4)?),
        (PREFIX_INFORMATION, 32) => config.prefixes.push(RaPrefix {
            prefix: ipnet::Ipv6Net::new(address_at(option, 16)?, option[2]).ok()?,
            valid_s: u32_at(option, 4)?,
            preferred_s: u32_at(option, 8)?,
            autonomous: option[3] & 0x40 != 0,
            on_link: option[3] & 0x80 != 0,
        }),
        (RDNSS, 24..) => {
            config.rdnss_lifetime_s = u32_at(option, 4)?;
            config.rdnss.extend((8..option.len()).step_by(16).filter_map(|at| address_at(option, at)));
        }
        (PREF64, 16) => config.pref64.push(take_pref64(option)?),
        _ => return None,
    }
    Some(())
}

fn take_pref64(option: &[u8]) -> Option<AnnouncedPref64> {
    let field = u16::from_be_bytes([option[2], option[3]]);
    let len = match field & 7 {
        0 => 96,
        1 => 64,
        2 => 56,
        3 => 48,
        4 => 40,
        5 => 32,
        _ => return None,
    };
    let mut octets = [0; 16];
    octets[..12].copy_from_slice(&option[4..16]);
    let prefix = Pref64::new(octets.into(), len).ok()?;
    Some(AnnouncedPref64 { prefix, lifetime_s: u32::from(field >> 3) * 8 })
}

fn u32_at(option: &[u8], at: usize) -> Option<u32> {
    option.get(at..at + 4)?.try_into().ok().map(u32::from_be_bytes)
}

fn address_at(option: &[u8], at: usize) -> Option<Ipv6Addr> {
    <[u8; 16]>::try_from(option.get(at..at + 16)?).ok().map(Ipv6Addr::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAC: [u8; 6] = [0x02, 0xec, 0, 0, 0, 1];

    fn bare() -> RaConfig {
        RaConfig { router_lifetime_s: 1800, ..RaConfig::default() }
    }

    fn options(config: &RaConfig) -> Vec<u8> {
        encode(config)[HEADER_LEN..].to_vec()
    }

    fn pref64_option(prefix: &str, lifetime_s: u32) -> Vec<u8> {
        options(&RaConfig { pref64: vec![AnnouncedPref64 { prefix: prefix.parse().unwrap(), lifetime_s }], ..bare() })
    }

    #[test]
    fn header_as_in_rfc4861_section_4_2() {
        assert_eq!(encode(&bare()), [134, 0, 0, 0, 64, 0, 0x07, 0x08, 0, 0, 0, 0, 0, 0, 0, 0]);
        let flags = encode(&RaConfig { managed: true, other: true, ..bare() })[5];
        assert_eq!(flags, 0xc0);
    }

    #[test]
    fn link_layer_and_mtu_options_as_in_rfc4861_section_4_6() {
        let config = RaConfig { source_mac: Some(MAC), mtu: Some(1500), ..bare() };
        assert_eq!(options(&config), [1, 1, 2, 0xec, 0, 0, 0, 1, 5, 1, 0, 0, 0, 0, 0x05, 0xdc]);
    }

    #[test]
    fn prefix_information_as_in_rfc4861_section_4_6_2() {
        let prefix = RaPrefix { valid_s: 86_400, ..RaPrefix::slaac("2001:db8:1::/64".parse().unwrap()) };
        let config = RaConfig { prefixes: vec![prefix], ..bare() };
        let mut expected = vec![3, 4, 64, 0xc0, 0, 1, 0x51, 0x80, 0, 0, 0x38, 0x40, 0, 0, 0, 0];
        expected.extend([0x20, 0x01, 0x0d, 0xb8, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(options(&config), expected);
    }

    #[test]
    fn rdnss_as_in_rfc8106_section_5_1() {
        let config = RaConfig { rdnss: vec!["2001:db8:53::1".parse().unwrap()], rdnss_lifetime_s: 600, ..bare() };
        let mut expected = vec![25, 3, 0, 0, 0, 0, 0x02, 0x58];
        expected.extend([0x20, 0x01, 0x0d, 0xb8, 0, 0x53, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
        assert_eq!(options(&config), expected);
    }

    #[test]
    fn pref64_as_in_rfc8781_section_4() {
        // 1800 s are 225 units of 8 s: 225 << 3 | PLC 0 = 0x0708.
        let well_known = [38, 2, 0x07, 0x08, 0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(pref64_option("64:ff9b::/96", 1800), well_known);
    }

    #[test]
    fn pref64_length_codes_as_in_rfc8781_section_4() {
        for (len, code) in [(96, 0), (64, 1), (56, 2), (48, 3), (40, 4), (32, 5)] {
            let option = pref64_option(&format!("2001:db8::/{len}"), 8);
            assert_eq!(option[2..4], [0, 8 | code], "/{len}");
            assert_eq!(option[4..16], [0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0], "/{len}");
        }
    }

    #[test]
    fn pref64_lifetime_is_rounded_up_and_bounded() {
        let units = |lifetime_s| {
            let option = pref64_option("64:ff9b::/96", lifetime_s);
            u16::from_be_bytes([option[2], option[3]]) >> 3
        };
        assert_eq!(units(0), 0);
        assert_eq!(units(1), 1);
        assert_eq!(units(8), 1);
        assert_eq!(units(9), 2);
        assert_eq!(units(65_528), 8191);
        assert_eq!(units(1_000_000), 8191);
    }

    #[test]
    fn raw_options_come_last_and_untouched() {
        let truncated = vec![38, 2, 0];
        let config = RaConfig { mtu: Some(1280), raw_options: vec![vec![200, 0], truncated], ..bare() };
        assert_eq!(options(&config), [5, 1, 0, 0, 0, 0, 5, 0, 200, 0, 38, 2, 0]);
    }

    #[test]
    fn decoding_keeps_unknown_and_malformed_options_apart() {
        let mut message = vec![134, 0, 0xab, 0xcd, 64, 0x40, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0];
        let withdrawn = [38, 2, 0, 0, 0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0];
        let code_7 = [38, 2, 0, 7, 0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0];
        let length_3 = [[38, 3, 0, 8, 0, 0, 0, 0], [0; 8], [0; 8]].concat();
        message.extend(withdrawn);
        message.extend(code_7);
        message.extend(&length_3);
        let ra = decode(&message).unwrap();
        assert_eq!((ra.managed, ra.other, ra.router_lifetime_s), (false, true, 9));
        assert_eq!(ra.pref64, [AnnouncedPref64 { prefix: "64:ff9b::/96".parse().unwrap(), lifetime_s: 0 }]);
        assert_eq!(ra.raw_options, [code_7.to_vec(), length_3]);
    }

    #[test]
    fn impossible_option_lengths_spoil_the_whole_message() {
        let message = |option: &[u8]| [&encode(&bare())[..], option].concat();
        assert_eq!(decode(&message(&[38, 0, 0, 0, 0, 0, 0, 0])), Err(Malformed));
        assert_eq!(decode(&message(&[38, 2, 0, 0, 0, 0, 0, 0])), Err(Malformed));
        assert_eq!(decode(&message(&[38])), Err(Malformed));
        assert_eq!(decode(&[134, 0, 0]), Err(Malformed));
        assert_eq!(decode(&[133; 16]), Err(Malformed));
    }
}
