//! The classic BPF program of the packet socket: only what is meant for X crosses into our process.

use std::net::Ipv6Addr;

use model::MacAddress;
use socket2::SockFilter;

// Offsets into an Ethernet frame with IPv6 in it.
const DESTINATION_MAC: u32 = 0;
const NEXT_HEADER: u32 = 14 + 6;
const DESTINATION: u32 = 14 + 24;
const ICMP_TYPE: u32 = 14 + 40;
const ND_TARGET: u32 = 14 + 40 + 8;

const ICMPV6: u32 = 58;
const NEIGHBOUR_SOLICITATION: u32 = 135;
const NEIGHBOUR_ADVERTISEMENT: u32 = 136;

// Opcodes of `linux/bpf_common.h`, put together: BPF_LD, BPF_JMP and BPF_RET with size, mode and operand.
const LOAD_WORD: u16 = 0x20;
const LOAD_HALF: u16 = 0x28;
const LOAD_BYTE: u16 = 0x30;
const JUMP_EQUAL: u16 = 0x15;
const RETURN: u16 = 0x06;

const ACCEPT: u32 = u32::MAX;
const DROP: u32 = 0;

/// One condition: load, compare, go on if equal.
struct Check {
    load: u16,
    offset: u32,
    value: u32,
}

/// Accepts frames to our MAC with destination `x`, and neighbour solicitations and advertisements about `x`.
pub(super) fn program(mac: MacAddress, x: Ipv6Addr) -> Vec<SockFilter> {
    let [a, b, c, d, e, f] = mac.0;
    let mut for_x = address_checks(DESTINATION, x);
    // A hub, a mirror port or promiscuous mode shows frames to others, too.
    for_x.push(Check { load: LOAD_WORD, offset: DESTINATION_MAC, value: u32::from_be_bytes([a, b, c, d]) });
    for_x.push(Check { load: LOAD_HALF, offset: DESTINATION_MAC + 4, value: u32::from(u16::from_be_bytes([e, f])) });

    let about_x = |kind| {
        let mut checks = vec![
            Check { load: LOAD_BYTE, offset: NEXT_HEADER, value: ICMPV6 },
            Check { load: LOAD_BYTE, offset: ICMP_TYPE, value: kind },
        ];
        checks.extend(address_checks(ND_TARGET, x));
        checks
    };
    let mut program = Vec::new();
    for alternative in [for_x, about_x(NEIGHBOUR_SOLICITATION), about_x(NEIGHBOUR_ADVERTISEMENT)] {
        append(&mut program, &alternative);
    }
    program.push(SockFilter::new(RETURN, 0, 0, DROP));
    program
}

fn address_checks(offset: u32, address: Ipv6Addr) -> Vec<Check> {
    let octets = address.octets();
    let (words, _) = octets.as_chunks::<4>();
    (offset..)
        .step_by(4)
        .zip(words)
        .map(|(offset, word)| Check { load: LOAD_WORD, offset, value: u32::from_be_bytes(*word) })
        .collect()
}

/// All checks hold: accept. One fails: on to the next alternative.
fn append(program: &mut Vec<SockFilter>, checks: &[Check]) {
    for (number, check) in checks.iter().enumerate() {
        program.push(SockFilter::new(check.load, 0, 0, check.offset));
        // Behind this one: two instructions a check, and the return.
        let skip = u8::try_from((checks.len() - number - 1) * 2 + 1).unwrap_or(u8::MAX);
        program.push(SockFilter::new(JUMP_EQUAL, 0, skip, check.value));
    }
    program.push(SockFilter::new(RETURN, 0, 0, ACCEPT));
}
