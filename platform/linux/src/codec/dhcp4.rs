//! DHCPv4 answers on the wire, as far as option 108 goes (RFC 8925).

use std::time::Duration;

const UDP: u8 = 17;
const UDP_HEADER: usize = 8;
/// Ports of server and client (RFC 2131 section 4.1).
const PORTS: [u8; 4] = [0, 67, 0, 68];
/// The fixed part of a message (RFC 2131 section 2), its reply code, and the fields that may hold options, too.
const FIXED: usize = 236;
const REPLY: u8 = 2;
const SERVER_NAME: std::ops::Range<usize> = 44..108;
const FILE: std::ops::Range<usize> = 108..236;
const COOKIE: [u8; 4] = [99, 130, 83, 99];

// Options (RFC 2132, RFC 8925 section 3.1).
const PAD: u8 = 0;
const OVERLOAD: u8 = 52;
const MESSAGE_TYPE: u8 = 53;
const IPV6_ONLY_PREFERRED: u8 = 108;
const END: u8 = 255;

const OFFER: u8 = 2;
const ACK: u8 = 5;

/// MIN_V6ONLY_WAIT (RFC 8925 section 3.4). What servers have not configured they send as 0 (section 3.1), which comes to
/// the same (section 3.2); the 1800 s of section 3.4 are a default for servers.
const MIN_WAIT: Duration = Duration::from_secs(300);

/// V6ONLY_WAIT of an OFFER or ACK that is the IPv4 packet `packet`. `None` for every other packet, and without a valid
/// option 108.
#[must_use]
pub fn ipv6_only_wait(packet: &[u8]) -> Option<Duration> {
    let message = bootp(packet)?;
    let (fixed, options) = message.split_at_checked(FIXED)?;
    let options = options.strip_prefix(&COOKIE)?;
    if fixed.first() != Some(&REPLY) {
        return None;
    }
    let kind = find(options, MESSAGE_TYPE)?;
    if kind != [OFFER] && kind != [ACK] {
        return None;
    }
    // RFC 2132 section 9.3: 1 for the file name, 2 for the server name, 3 for both.
    let overload = find(options, OVERLOAD).and_then(|value| value.first()).copied().unwrap_or_default();
    let more = [(1, FILE), (2, SERVER_NAME)].into_iter().filter(|(bit, _)| overload & bit != 0);
    let fields = std::iter::once(options).chain(more.filter_map(|(_, range)| fixed.get(range)));
    let value = fields.into_iter().find_map(|field| find(field, IPV6_ONLY_PREFERRED))?;
    let seconds = u32::from_be_bytes(value.try_into().ok()?);
    Some(Duration::from_secs(seconds.into()).max(MIN_WAIT))
}

/// The payload of a whole IPv4 packet with UDP from a DHCP server to a client. Checksums are not looked at: a packet
/// from this host itself may not have its own yet.
fn bootp(packet: &[u8]) -> Option<&[u8]> {
    let first = packet.first()?;
    let header = usize::from(first & 0x0f) * 4;
    let total = usize::from(u16::from_be_bytes(*packet.get(2..)?.first_chunk()?));
    let fragment = u16::from_be_bytes(*packet.get(6..)?.first_chunk()?) & 0x3fff;
    if first >> 4 != 4 || header < 20 || fragment != 0 || packet.get(9) != Some(&UDP) {
        return None;
    }
    let datagram = packet.get(header..total)?;
    if !datagram.starts_with(&PORTS) {
        return None;
    }
    let length = usize::from(u16::from_be_bytes(*datagram.get(4..)?.first_chunk()?));
    datagram.get(UDP_HEADER..length)
}

/// The value of the first option `wanted`.
fn find(mut options: &[u8], wanted: u8) -> Option<&[u8]> {
    loop {
        let (code, rest) = options.split_first()?;
        options = match *code {
            PAD => rest,
            END => return None,
            code => {
                let (length, rest) = rest.split_first()?;
                let (value, rest) = rest.split_at_checked(usize::from(*length))?;
                if code == wanted {
                    return Some(value);
                }
                rest
            }
        };
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// An answer of 192.0.2.1 to everybody, laid out by RFC 791, 768 and 2131.
    fn answer(options: &[u8]) -> Vec<u8> {
        let mut message = vec![2, 1, 6, 0, 1, 2, 3, 4];
        message.resize(FIXED, 0);
        message.extend(COOKIE);
        message.extend(options);
        let length = |more: usize| u16::try_from(message.len() + more).unwrap().to_be_bytes();
        let mut packet = vec![0x45, 0, length(28)[0], length(28)[1], 0, 0, 0, 0, 64, 17, 0, 0];
        packet.extend([192, 0, 2, 1, 255, 255, 255, 255, 0, 67, 0, 68, length(8)[0], length(8)[1], 0, 0]);
        packet.extend(&message);
        packet
    }

    fn offers(wait: u32) -> Vec<u8> {
        let [a, b, c, d] = wait.to_be_bytes();
        answer(&[53, 1, 2, 54, 4, 192, 0, 2, 1, 0, 108, 4, a, b, c, d, 255])
    }

    fn seconds(packet: &[u8]) -> Option<u64> {
        ipv6_only_wait(packet).map(|wait| wait.as_secs())
    }

    #[test]
    fn offer_and_ack_say_how_long() {
        assert_eq!(seconds(&offers(1800)), Some(1800));
        assert_eq!(seconds(&answer(&[108, 4, 0, 0, 7, 8, 53, 1, 5, 255])), Some(1800));
        assert_eq!(seconds(&answer(&[53, 1, 5, 108, 4, 0xff, 0xff, 0xff, 0xff])), Some(u32::MAX.into()));
    }

    #[test]
    fn less_than_five_minutes_is_five_minutes() {
        for wait in [0, 1, 299, 300] {
            assert_eq!(seconds(&offers(wait)), Some(300));
        }
    }

    #[test]
    fn other_messages_and_lengths_say_nothing() {
        for options in [
            &[53, 1, 6, 108, 4, 0, 0, 7, 8][..],
            &[53, 1, 2, 255, 108, 4, 0, 0, 7, 8],
            &[53, 1, 2, 108, 3, 0, 7, 8],
            &[53, 1, 2, 108, 5, 0, 0, 0, 7, 8],
            &[53, 1, 2, 108, 4, 0, 0, 7],
            &[53, 1, 2],
            &[53, 2, 2, 2, 108, 4, 0, 0, 7, 8],
            &[108, 4, 0, 0, 7, 8],
            &[],
        ] {
            assert_eq!(seconds(&answer(options)), None, "{options:?}");
        }
        for (at, value) in
            [(0, 0x65), (0, 0x44), (6, 0x20), (7, 1), (9, 6), (21, 68), (23, 67), (28, 1), (28 + 236, 0), (25, 7)]
        {
            let mut packet = offers(1800);
            packet[at] = value;
            assert_eq!(seconds(&packet), None, "byte {at}");
        }
    }

    #[test]
    fn options_may_stand_in_the_name_fields() {
        for (overload, at) in [(1, 108), (2, 44), (3, 108), (3, 44)] {
            let mut packet = answer(&[53, 1, 2, 52, 1, overload, 255]);
            packet[28 + at..28 + at + 7].copy_from_slice(&[108, 4, 0, 0, 7, 8, 255]);
            assert_eq!(seconds(&packet), Some(1800), "overload {overload}, at {at}");
        }
        let mut not_said = answer(&[53, 1, 2, 255]);
        not_said[28 + 44..28 + 51].copy_from_slice(&[108, 4, 0, 0, 7, 8, 255]);
        assert_eq!(seconds(&not_said), None);
    }

    #[test]
    fn trailing_bytes_do_no_harm_and_missing_ones_end_it() {
        let whole = offers(1800);
        for cut in 0..whole.len() {
            assert_eq!(seconds(&whole[..cut]), None, "cut at {cut}");
        }
        let mut padded = whole;
        padded.extend([0; 30]);
        assert_eq!(seconds(&padded), Some(1800));
    }

    proptest! {
        #[test]
        fn no_packet_does_harm(packet in prop::collection::vec(any::<u8>(), 0..700)) {
            let _ = ipv6_only_wait(&packet);
        }

        #[test]
        fn no_options_do_harm(options in prop::collection::vec(any::<u8>(), 0..300), at in 0..560usize, with: u8) {
            let mut packet = answer(&options);
            if let Some(byte) = packet.get_mut(at) {
                *byte = with;
            }
            prop_assert!(ipv6_only_wait(&packet).is_none_or(|wait| wait >= MIN_WAIT));
        }
    }
}
