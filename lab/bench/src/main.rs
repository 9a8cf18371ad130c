//! `cargo xtask bench`: Everclat beside native IPv6 and other translators, in the lab's reflector, where only the contender
//! translates.
//!
//! Machines are noisy, so contenders take turns within each round, and a figure is a ratio to native IPv6 of the same round.

#![forbid(unsafe_code)]

mod contender;
mod measure;
mod plot;
mod report;
mod udp;
mod usage;

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use clap::{Parser, ValueEnum};
use everclat_e2e::World;
use lab::{AnnouncedPref64, Nat64, Pref64};

use contender::Contender;
use measure::Sample;

/// Everclat beside native IPv6 and other translators
#[derive(Debug, Parser)]
struct Arguments {
    /// How often each contender has its turn
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Seconds of each transfer
    #[arg(long, default_value_t = 2)]
    seconds: u32,
    /// Offloads of the cable: a virtual one has them, as a desktop's network card does
    #[arg(long, value_enum, default_value_t = Offloads::On)]
    offloads: Offloads,
    /// Another translator that takes TAYGA's configuration file; may be given several times
    #[arg(long)]
    peer: Vec<PathBuf>,
    /// Another build's `everclatd`, to be compared without the fast path; may be given several times
    #[arg(long)]
    build: Vec<PathBuf>,
    /// Only some of the measurements
    #[arg(long, value_enum, default_value_t = Part::All)]
    part: Part,
    /// Everclat alone beside native IPv6
    #[arg(long)]
    alone: bool,
    /// Directory for table.md and plot.svg
    #[arg(long)]
    into: Option<PathBuf>,
}

/// Some of the measurements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Part {
    All,
    /// Streams by TCP.
    Tcp,
    /// Datagrams and round trips.
    Udp,
}

impl Part {
    /// Whether what belongs to `part` is measured.
    pub(crate) fn has(self, part: Self) -> bool {
        self == Self::All || self == part
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Offloads {
    /// Super-packets and unfinished checksums cross the cable.
    On,
    /// Every packet crosses it as on a wire, and is put together with others where it arrives (GRO), as kernels do.
    Wire,
    /// Nobody puts any together either.
    Off,
}

impl Offloads {
    /// What `ethtool -K` is to switch.
    fn features(self) -> &'static [&'static str] {
        match self {
            Self::On => &[],
            Self::Wire => &["tx", "off", "tso", "off", "gso", "off", "gro", "on"],
            Self::Off => &["tx", "off", "rx", "off", "tso", "off", "gso", "off", "gro", "off"],
        }
    }

    /// In the table.
    fn name(self) -> &'static str {
        match self {
            Self::On => "on",
            Self::Wire => "off, but for GRO",
            Self::Off => "off",
        }
    }
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    ensure!(arguments.rounds > 0, "--rounds: at least one");
    let pref64: Pref64 = "2001:db8:64::/96".parse()?;
    let mut world = World::new("bench", |config| {
        config.uplinks.truncate(1);
        config.uplinks[0].nat64 = Nat64::Reflector;
        config.uplinks[0].pref64 = vec![AnnouncedPref64::new(pref64)];
        config.iperf = true;
    })?;
    let features = arguments.offloads.features();
    if !features.is_empty() {
        for (netns, interface) in [(world.lab.host(), "eth0"), (world.lab.router("eth0")?, "lan")] {
            netns.run(&[&["ethtool", "-K", interface], features].concat())?;
        }
    }
    let mut contenders = vec![Contender::Native, Contender::Everclat, Contender::FastPath];
    if !arguments.alone {
        contenders.push(Contender::Tayga("tayga".into()));
        contenders.extend(arguments.peer.iter().cloned().map(Contender::Tayga));
    }
    contenders.extend(arguments.build.iter().cloned().map(Contender::Build));
    let mut samples: Vec<Vec<Sample>> = contenders.iter().map(|_| Vec::new()).collect();
    for round in 0..arguments.rounds {
        for turn in 0..contenders.len() {
            // Another one begins each round: what grows or shrinks with time hits all alike.
            let number = (round + turn) % contenders.len();
            let contender = contenders.get(number).context("a contender")?;
            eprintln!("round {} of {}: {}", round + 1, arguments.rounds, contender.name());
            let running = contender.start(&mut world, pref64)?;
            let sample = measure::all(&world, &running, arguments.seconds, arguments.part);
            running.stop(&world)?;
            let sample = sample.with_context(|| format!("measuring {}", contender.name()))?;
            eprintln!("    {}", sample.summary());
            samples.get_mut(number).context("its samples")?.push(sample);
        }
    }
    let names: Vec<String> = contenders.iter().map(Contender::name).collect();
    let table = report::table(&names, &samples, arguments.part, arguments.offloads.name(), arguments.seconds);
    println!("{table}");
    if let Some(directory) = arguments.into {
        std::fs::write(directory.join("table.md"), &table)?;
        std::fs::write(directory.join("plot.svg"), plot::draw(&names, &samples))?;
    }
    Ok(())
}
