//! Instructions per packet, by kind, for `cargo xtask instructions`: counted by callgrind, so the same on a busy machine.
//!
//! Prints a line for each kind, in order. Callgrind writes its counts whenever [`measured`] returns.

#[expect(dead_code, reason = "which part of a packet is written anew is for the bench of time")]
mod common;

use std::hint::black_box;

use everclat_xlat::{PacketBuf, Translator, Verdict};

use common::{Kind, configs, kinds};

/// Packets of each kind.
const PACKETS: usize = 64;

fn main() {
    println!("{PACKETS} packets");
    for (name, config) in configs() {
        for (way, out) in [("v4_to_v6", true), ("v6_to_v4", false)] {
            for kind in kinds(&config, out) {
                let mut translator = Translator::new(config.clone());
                let mut bufs: Vec<PacketBuf> = (0..PACKETS).map(|_| filled(&kind)).collect();
                measured(&mut translator, &mut bufs, out);
                println!("{way} {name}: {}", kind.name);
            }
        }
    }
}

fn filled(kind: &Kind) -> PacketBuf {
    let mut buf = PacketBuf::new();
    assert!(buf.set_packet(&kind.packet));
    buf.vnet = kind.vnet;
    buf
}

/// When it returns, the counts are written and begin anew.
#[inline(never)]
fn measured(translator: &mut Translator, bufs: &mut [PacketBuf], out: bool) {
    counted(translator, black_box(bufs), out);
}

/// What is counted.
#[inline(never)]
fn counted(translator: &mut Translator, bufs: &mut [PacketBuf], out: bool) {
    for buf in bufs {
        let verdict = if out { translator.v4_to_v6(black_box(buf)) } else { translator.v6_to_v4(black_box(buf)) };
        assert!(!matches!(black_box(verdict), Verdict::Drop(_)));
    }
}
