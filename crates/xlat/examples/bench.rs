//! Nanoseconds per packet, both directions: `cargo run --release -p everclat-xlat --example bench`.
//!
//! Packets pass in batches, as they do in the service. The headers are written anew before each batch, outside the
//! measured time: a header translated right after it was written would wait for the processor's store buffer, and be
//! measured waiting. Payloads are not copied, as they would not be between a TUN and the uplink.

use std::hint::black_box;
use std::time::{Duration, Instant};

use everclat_xlat::{Config, PacketBuf, Pref64, Translator, Verdict, VnetHeader, neutral_address};

const BATCH: u32 = 32;
const ROUNDS: u32 = 100_000;

fn main() {
    let v4 = "192.0.0.2".parse().expect("a literal");
    let base = "2001:db8:464:1:5a11:c73e::9d42".parse().expect("a literal");
    let neutral = neutral_address(base, 6, v4, Pref64::WELL_KNOWN).expect("a /96 has a solution");
    for (name, v6) in [("neutral", neutral), ("not neutral", base)] {
        let config = Config::new(Pref64::WELL_KNOWN, v4, v6, 1500);
        for (size, payload, gso) in [("64 B", 24_usize, 0), ("64 KB", 64_000, 1400)] {
            let out = tcp_v4(payload);
            let vnet = offload(20, 1, gso);
            let forth = measure(&config, &out, 40, vnet, Translator::v4_to_v6);
            let back = tcp_v6(&config, payload);
            let vnet = offload(40, 4, gso);
            let back = measure(&config, &back, 60, vnet, Translator::v6_to_v4);
            println!("{name:>12} {size:>6}: v4->v6 {forth:5.1} ns, v6->v4 {back:5.1} ns");
        }
    }
}

fn measure(
    config: &Config,
    packet: &[u8],
    headers: usize,
    vnet: VnetHeader,
    translate: fn(&mut Translator, &mut PacketBuf) -> Verdict,
) -> f64 {
    let mut translator = Translator::new(config.clone());
    let mut bufs: Vec<PacketBuf> = (0..BATCH).map(|_| PacketBuf::new()).collect();
    for buf in &mut bufs {
        buf.recv_area(0)[..packet.len()].copy_from_slice(packet);
    }
    let mut spent = Duration::ZERO;
    for _ in 0..ROUNDS {
        for buf in &mut bufs {
            buf.recv_area(0)[..headers].copy_from_slice(black_box(&packet[..headers]));
            buf.received(0, packet.len());
            buf.vnet = vnet;
        }
        let start = Instant::now();
        for buf in &mut bufs {
            assert!(matches!(translate(&mut translator, black_box(buf)), Verdict::Forward));
        }
        spent += start.elapsed();
    }
    spent.as_secs_f64() * 1e9 / f64::from(ROUNDS * BATCH)
}

fn offload(upper: u16, gso_type: u8, gso_size: u16) -> VnetHeader {
    if gso_size == 0 {
        return VnetHeader::default();
    }
    VnetHeader { flags: 1, gso_type, hdr_len: upper + 20, gso_size, csum_start: upper, csum_offset: 16 }
}

fn tcp_v4(payload: usize) -> Vec<u8> {
    let total = u16::try_from(40 + payload).expect("fits");
    let mut packet = vec![0; 40 + payload];
    packet[0] = 0x45;
    packet[2..4].copy_from_slice(&total.to_be_bytes());
    packet[6] = 0x40;
    packet[8] = 64;
    packet[9] = 6;
    packet[12..16].copy_from_slice(&[192, 0, 0, 2]);
    packet[16..20].copy_from_slice(&[198, 51, 100, 1]);
    let sum: u32 = packet[..20].chunks(2).map(|w| u32::from(w[0]) * 256 + u32::from(w[1])).sum();
    let checksum = !u16::try_from(sum % 65_535).expect("below 65535");
    packet[10..12].copy_from_slice(&checksum.to_be_bytes());
    packet[32] = 0x50;
    packet
}

fn tcp_v6(config: &Config, payload: usize) -> Vec<u8> {
    let mut packet = vec![0; 60 + payload];
    packet[0] = 0x60;
    packet[4..6].copy_from_slice(&u16::try_from(20 + payload).expect("fits").to_be_bytes());
    packet[6] = 6;
    packet[7] = 64;
    packet[8..24].copy_from_slice(&config.pref64.embed([198, 51, 100, 1].into()).octets());
    packet[24..40].copy_from_slice(&config.v6.octets());
    packet[52] = 0x50;
    packet
}
