//! What noting flows costs per packet: `cargo run --release -p everclat-engine --example flows`.

#![expect(clippy::print_stdout, reason = "a program")]

use std::hint::black_box;
use std::net::Ipv4Addr;
use std::time::Instant;

use everclat_engine::flow::{Flows, Home, KEPT};

const HOST: Ipv4Addr = Ipv4Addr::new(192, 0, 0, 2);
const PACKETS: u32 = 1 << 16;
const ROUNDS: usize = 31;

/// A TCP segment or a datagram from `port` to 198.51.100.7.
fn packet(is_tcp: bool, port: u16) -> Vec<u8> {
    let protocol = if is_tcp { 6 } else { 17 };
    let mut packet = vec![0x45, 0, 0, 40, 0, 0, 0x40, 0, 64, protocol, 0, 0, 192, 0, 0, 2, 198, 51, 100, 7];
    packet.extend(port.to_be_bytes());
    packet.extend([1, 187, 0, 0, 0, 1, 0, 0, 0, 1, 0x50, 0x10, 0xff, 0xff, 0, 0, 0, 0]);
    packet
}

fn main() {
    println!("ns per packet, median / worst of {ROUNDS} rounds of {PACKETS}");
    for (name, is_tcp, flows) in
        [("one TCP flow", true, 1), ("1000 TCP flows", true, 1000), ("1000 UDP flows", false, 1000)]
    {
        let packets: Vec<Vec<u8>> = (0..flows).map(|port| packet(is_tcp, port)).collect();
        let mut table = Flows::default();
        table.settle(
            Home { v4: HOST, v6: "2001:db8::1".parse().unwrap_or(std::net::Ipv6Addr::LOCALHOST) },
            [None; KEPT],
        );
        let mut rounds: Vec<f64> = (0..ROUNDS)
            .map(|_| {
                let begin = Instant::now();
                for packet in packets.iter().cycle().take(usize::try_from(PACKETS).unwrap_or_default()) {
                    black_box(table.route(black_box(packet)));
                }
                begin.elapsed().as_secs_f64() * 1e9 / f64::from(PACKETS)
            })
            .collect();
        rounds.sort_by(f64::total_cmp);
        println!("{name:16} {:5.1} / {:5.1}", rounds[ROUNDS / 2], rounds[ROUNDS - 1]);
    }
}
