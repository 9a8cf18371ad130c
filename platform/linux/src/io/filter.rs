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

/// One instruction, as `struct sock_filter` has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Instruction {
    code: u16,
    skip_if_not: u8,
    value: u32,
}

impl From<Instruction> for SockFilter {
    fn from(Instruction { code, skip_if_not, value }: Instruction) -> Self {
        Self::new(code, 0, skip_if_not, value)
    }
}

/// One condition: load, compare, go on if equal.
struct Check {
    load: u16,
    offset: u32,
    value: u32,
}

/// Accepts frames to our MAC with destination `x`, and neighbour solicitations and advertisements about `x`.
pub(super) fn program(mac: MacAddress, x: Ipv6Addr) -> Vec<Instruction> {
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
    program.push(Instruction { code: RETURN, skip_if_not: 0, value: DROP });
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
fn append(program: &mut Vec<Instruction>, checks: &[Check]) {
    for (number, check) in checks.iter().enumerate() {
        program.push(Instruction { code: check.load, skip_if_not: 0, value: check.offset });
        // Behind this one: two instructions a check, and the return.
        let skip_if_not = u8::try_from((checks.len() - number - 1) * 2 + 1).unwrap_or(u8::MAX);
        program.push(Instruction { code: JUMP_EQUAL, skip_if_not, value: check.value });
    }
    program.push(Instruction { code: RETURN, skip_if_not: 0, value: ACCEPT });
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAC: MacAddress = MacAddress([2, 0, 0, 0, 0, 1]);

    fn x() -> Ipv6Addr {
        "2001:db8:1::a1:b2c3".parse().unwrap()
    }

    /// Runs the program as `filter(7)` of the kernel does; a load past the end drops the packet.
    fn accepts(frame: &[u8]) -> bool {
        let program = program(MAC, x());
        let mut accumulator = 0;
        let mut at = 0;
        loop {
            let Instruction { code, skip_if_not, value } = program[at];
            at += 1;
            let bytes = |count: usize| {
                let start = usize::try_from(value).unwrap();
                let bytes = frame.get(start..start + count)?;
                Some(bytes.iter().fold(0u32, |sum, byte| sum << 8 | u32::from(*byte)))
            };
            match code {
                RETURN => return value != DROP,
                JUMP_EQUAL if accumulator != value => at += usize::from(skip_if_not),
                JUMP_EQUAL => {}
                load => {
                    let size = match load {
                        LOAD_WORD => 4,
                        LOAD_HALF => 2,
                        _ => 1,
                    };
                    let Some(loaded) = bytes(size) else { return false };
                    accumulator = loaded;
                }
            }
        }
    }

    fn frame(to: [u8; 6], destination: &str, next_header: u8, payload: &[u8]) -> Vec<u8> {
        let mut frame = to.to_vec();
        frame.extend([2, 0, 0, 0, 0, 9, 0x86, 0xdd, 0x60, 0, 0, 0, 0, 0, next_header, 64]);
        frame.extend("2001:db8:64::1".parse::<Ipv6Addr>().unwrap().octets());
        frame.extend(destination.parse::<Ipv6Addr>().unwrap().octets());
        frame.extend(payload);
        frame
    }

    fn about(kind: u8, target: &str) -> Vec<u8> {
        let mut payload = vec![kind, 0, 0, 0, 0, 0, 0, 0];
        payload.extend(target.parse::<Ipv6Addr>().unwrap().octets());
        payload
    }

    #[test]
    fn what_is_for_x_comes_in_and_nothing_else() {
        assert!(accepts(&frame(MAC.0, "2001:db8:1::a1:b2c3", 6, &[0; 20])));
        assert!(!accepts(&frame(MAC.0, "2001:db8:1::a1:b2c4", 6, &[0; 20])), "the host's own address");
        assert!(!accepts(&frame([2, 0, 0, 0, 0, 8], "2001:db8:1::a1:b2c3", 6, &[0; 20])), "somebody else's frame");
    }

    #[test]
    fn neighbour_discovery_about_x_comes_in() {
        let group = [0x33, 0x33, 0xff, 0xa1, 0xb2, 0xc3];
        let x = "2001:db8:1::a1:b2c3";
        assert!(accepts(&frame(group, "ff02::1:ffa1:b2c3", 58, &about(135, x))));
        assert!(accepts(&frame([0x33, 0x33, 0, 0, 0, 1], "ff02::1", 58, &about(136, x))));
        assert!(!accepts(&frame(group, "ff02::1:ffa1:b2c3", 58, &about(135, "2001:db8:1::ffa1:b2c3"))), "a namesake");
        assert!(!accepts(&frame(group, "ff02::1:ffa1:b2c3", 58, &about(134, x))), "a router advertisement");
        assert!(!accepts(&frame(group, "ff02::1:ffa1:b2c3", 17, &about(135, x))), "UDP");
    }

    #[test]
    fn short_frames_are_dropped() {
        let whole = frame([0x33, 0x33, 0, 0, 0, 1], "ff02::1", 58, &about(136, "2001:db8:1::a1:b2c3"));
        for cut in 0..whole.len() {
            assert!(!accepts(&whole[..cut]), "cut at {cut}");
        }
    }
}
