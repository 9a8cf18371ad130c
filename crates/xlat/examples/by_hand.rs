//! Translates one packet, in hex digits, and says what became of it:
//!
//! ```text
//! cargo run -p everclat-xlat --example by_hand -- 45b8001e0000400040114fe0c0000002c633640112340035000a9ad06869
//! ```
//! IPv4 is a packet from 192.0.0.2, IPv6 is one to 2001:db8::c1a7; others are under 64:ff9b::/96. Without a packet it
//! takes this one.

use std::process::ExitCode;

use everclat_xlat::{Config, PacketBuf, Pref64, Translator, Verdict};

/// UDP from 192.0.0.2 to 198.51.100.1, port 53, that says "hi".
const HI: &str = "45b8001e 00004000 40114fe0 c0000002 c6336401 12340035 000a9ad0 6869";

fn main() -> ExitCode {
    let given: String = std::env::args().skip(1).collect();
    let Some(packet) = bytes(if given.is_empty() { HI } else { &given }) else {
        eprintln!("a packet is an even number of hex digits");
        return ExitCode::FAILURE;
    };
    let x = [0x2001, 0xdb8, 0, 0, 0, 0, 0, 0xc1a7].into();
    let mut translator = Translator::new(Config::new(Pref64::WELL_KNOWN, [192, 0, 0, 2].into(), x, 1500));
    let mut buf = PacketBuf::new();
    if !buf.set_packet(&packet) {
        eprintln!("longer than an IP packet can be");
        return ExitCode::FAILURE;
    }
    let from_host = packet.first().is_some_and(|first| first >> 4 == 4);
    let verdict = if from_host { translator.v4_to_v6(&mut buf) } else { translator.v6_to_v4(&mut buf) };
    match verdict {
        Verdict::Forward => println!("goes on as\n{}", hex(buf.packet())),
        Verdict::Fragments(mut pieces) => {
            println!("goes on in pieces");
            while pieces.next(&mut buf) {
                println!("{}", hex(buf.packet()));
            }
        }
        Verdict::Reply(reason) => println!("is answered ({})\n{}", reason.name(), hex(buf.packet())),
        Verdict::Drop(reason) => println!("is dropped ({})", reason.name()),
    }
    ExitCode::SUCCESS
}

fn bytes(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<char> = text.chars().filter(|c| !c.is_whitespace()).collect();
    if !digits.len().is_multiple_of(2) {
        return None;
    }
    digits.chunks(2).map(|pair| u8::from_str_radix(&String::from_iter(pair), 16).ok()).collect()
}

/// In words of four bytes.
fn hex(packet: &[u8]) -> String {
    let words: Vec<String> =
        packet.chunks(4).map(|word| word.iter().map(|byte| format!("{byte:02x}")).collect()).collect();
    words.join(" ")
}
