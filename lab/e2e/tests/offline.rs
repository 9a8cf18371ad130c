//! Generated packets after translation, in the eyes of Wireshark: no network is needed, only its reader.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

/// IP without a link header, of either version, in a capture file (LINKTYPE_RAW).
const LINKTYPE_RAW: u32 = 101;
const PACKETS: usize = 20_000;

/// What is quoted in ICMP errors is cut, and what the random payload would be to other dissectors is of no interest: the outermost
/// checksums count, and those of all IPv4 headers.
const BAD: &str = "ip.checksum.status == \"Bad\" || icmp.checksum.status#1 == \"Bad\" || icmpv6.checksum.status#1 == \"Bad\" || \
                   ip.bogus_header_length || (!icmp && !icmpv6 && (tcp.checksum.status#1 == \"Bad\" || \
                   udp.checksum.status#1 == \"Bad\"))";

/// Little-endian, microseconds, one packet a microsecond.
fn write(path: &Path, packets: &[Vec<u8>]) -> Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    for word in [0xa1b2_c3d4, 0x0004_0002, 0, 0, 0x0004_0000, LINKTYPE_RAW] {
        file.write_all(&u32::to_le_bytes(word))?;
    }
    for (number, packet) in (0..).zip(packets) {
        let length = u32::try_from(packet.len())?;
        for word in [0, number, length, length] {
            file.write_all(&u32::to_le_bytes(word))?;
        }
        file.write_all(packet)?;
    }
    Ok(file.flush()?)
}

/// The frames that `filter` matches, one per line.
fn frames(path: &Path, filter: &str) -> Result<Vec<String>> {
    let mut command = Command::new("tshark");
    command.arg("-r").arg(path).args(["-n", "-Y", filter]);
    // Fragments of random packets are no whole; each is looked at as it is.
    let strict = ["ip.check_checksum", "tcp.check_checksum", "udp.check_checksum"].map(|name| format!("{name}:TRUE"));
    let single = ["ip.defragment", "ipv6.defragment"].map(|name| format!("{name}:FALSE"));
    for preference in strict.into_iter().chain(single) {
        command.args(["-o", &preference]);
    }
    let output = command.stdin(Stdio::null()).stderr(Stdio::piped()).output().context("tshark")?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect())
}

#[test]
fn wireshark_finds_every_checksum_right() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("generated.pcap");
    let mut packets = everclat_fuzzing::sent(1, PACKETS);
    write(&path, &packets)?;
    let bad = frames(&path, BAD)?;
    let good = "tcp.checksum.status == \"Good\" || udp.checksum.status == \"Good\" || icmp.checksum.status == \"Good\" || \
                icmpv6.checksum.status == \"Good\"";
    let good = frames(&path, good)?.len();
    println!("{} generated packets, {good} with a transport checksum, {} bad", packets.len(), bad.len());
    ensure!(bad.is_empty(), "{} bad:\n{}", bad.len(), bad[..bad.len().min(10)].join("\n"));
    ensure!(good > PACKETS / 2, "only {good} have a checksum");

    // It would notice: the same with one bit of a payload changed.
    let longest = packets.iter().position(|packet| packet[0] >> 4 == 6 && packet[6] == 6).context("TCP over IPv6")?;
    *packets[longest].last_mut().context("a packet")? ^= 1;
    write(&path, &packets)?;
    ensure!(frames(&path, BAD)?.len() == 1, "a damaged packet was not found");
    Ok(())
}
