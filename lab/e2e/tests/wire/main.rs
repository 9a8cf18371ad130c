//! RFC 7915 on the wire: packets into the tunnel and out of the cable, and the other way, byte by byte.
//!
//! The translator's own suite has every value of every field. Here a packet of each kind goes through the real service, its
//! devices and both kernels; nothing that builds or judges a packet is the translator's.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod far_side;
mod from_host;
mod from_network;
mod packets;
mod wire;

use std::fmt::Write;
use std::net::Ipv4Addr;

use anyhow::{Result, ensure};
use everclat_e2e::figure;
use model::Bytes;
use xlat::Pref64;

use wire::{Out, Wire};

/// Counts checks, and remembers those that failed.
#[derive(Default)]
struct Checks {
    made: usize,
    failed: String,
}

impl Checks {
    /// One check: what came out is what the RFC says.
    fn equal(&mut self, what: &str, found: &Out, expected: &Out) {
        self.made += 1;
        if found != expected {
            let _ = writeln!(self.failed, "{what}\n  found    {found:02x?}\n  expected {expected:02x?}");
        }
    }

    /// One packet on the other side, nothing back.
    fn passes(&mut self, what: &str, found: &Out, expected: Vec<u8>) {
        self.equal(what, found, &Out { passed: vec![expected], back: Vec::new() });
    }

    /// Nothing on either side.
    fn silent(&mut self, what: &str, found: &Out) {
        self.equal(what, found, &Out { passed: Vec::new(), back: Vec::new() });
    }

    /// Nothing on the other side, one packet back.
    fn answered(&mut self, what: &str, found: &Out, expected: Vec<u8>) {
        self.equal(what, found, &Out { passed: Vec::new(), back: vec![expected] });
    }

    fn holds(&mut self, what: &str, condition: bool, found: &Out) {
        self.made += 1;
        if !condition {
            let _ = writeln!(self.failed, "{what}\n  found    {found:02x?}");
        }
    }
}

fn run(name: &str, pref64: Pref64, fast: bool) -> Result<()> {
    let mut wire = Wire::new(name, pref64, if fast { "" } else { "FastPath = \"off\"\n" })?;
    let mut checks = Checks::default();
    if fast {
        wire.speed_up()?;
    }
    from_host::headers(&mut wire, &mut checks)?;
    from_host::transports(&mut wire, &mut checks)?;
    from_host::fragments(&mut wire, &mut checks)?;
    from_host::errors(&mut wire, &mut checks)?;
    from_host::refusals(&mut wire, &mut checks)?;
    from_network::headers(&mut wire, &mut checks)?;
    from_network::extensions(&mut wire, &mut checks)?;
    from_network::fragments(&mut wire, &mut checks)?;
    from_network::errors(&mut wire, &mut checks)?;
    from_network::refusals(&mut wire, &mut checks)?;
    let gone = wire.fast()?.packets;
    // All plain packets of the flows that it was told of, and none without it.
    ensure!(if fast { gone.out >= 18 && gone.inward >= 14 } else { gone == Bytes::default() }, "{gone:?}");
    // A reason for each drop, where a helpdesk can see it.
    let drops = wire.end()?;
    ensure!(drops.len() > 10, "{drops:?}");
    let failures = checks.failed.lines().filter(|line| !line.starts_with("  ")).count();
    let by = if fast { ", flows by the fast path" } else { "" };
    figure(&format!("wire checks under {pref64}{by}"), &format!("{} made, {failures} failed", checks.made));
    ensure!(checks.failed.is_empty(), "{}", checks.failed);
    Ok(())
}

#[test]
fn a_prefix_of_96_bits_with_a_neutral_x() -> Result<()> {
    run("e2e-wire", "2001:db8:64::/96".parse()?, false)
}

/// The same packets; what can go by the fast path does.
#[test]
fn flows_by_the_fast_path() -> Result<()> {
    run("e2e-wirefast", "2001:db8:64::/96".parse()?, true)
}

/// Where the IPv4 address stands in another place.
#[test]
fn flows_by_the_fast_path_under_a_prefix_of_32_bits() -> Result<()> {
    run("e2e-wirefast32", "3fff:64::/32".parse()?, true)
}

/// Here every checksum changes, and addresses have a suffix.
#[test]
fn a_prefix_of_64_bits() -> Result<()> {
    run("e2e-wire64", "2001:db8:64:64::/64".parse()?, false)
}

/// RFC 6052 section 3.1: private addresses have no place under the well-known prefix, and the app is told so.
#[test]
fn the_well_known_prefix_is_for_public_addresses() -> Result<()> {
    let mut wire = Wire::new("e2e-wirewkp", Pref64::WELL_KNOWN, "")?;
    let mut checks = Checks::default();
    for private in [[10, 1, 2, 3], [172, 16, 0, 1], [192, 168, 1, 1], [100, 64, 0, 1]] {
        from_host::private(&mut wire, &mut checks, Ipv4Addr::from(private))?;
        from_network::private(&mut wire, &mut checks, Ipv4Addr::from(private))?;
    }
    let drops = wire.end()?;
    ensure!(checks.failed.is_empty(), "{}", checks.failed);
    ensure!(drops.get("private-destination") == Some(&4) && drops.get("private-source") == Some(&4), "{drops:?}");
    Ok(())
}
