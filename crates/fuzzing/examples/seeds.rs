//! Writes the first inputs of every fuzz target to `fuzz/seeds`, always the same ones.

use std::fs;
use std::io;
use std::path::Path;

use everclat_fuzzing::targets::seed_of;
use xlat_oracle::generator::{Chance, Generator, Way, draw_setup};

/// Packets for each of the three targets that take some.
const PACKETS: u16 = 40;
/// A longer one teaches a fuzzer little and slows it down.
const LONGEST: usize = 220;

fn main() -> io::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds");
    packets(&root, "v4_to_v6", Some(Way::Out), false)?;
    packets(&root, "v6_to_v4", Some(Way::In), false)?;
    packets(&root, "super_packets", None, true)?;
    for (target, seeds) in
        [("ra_options", router()), ("dns_answers", dns()), ("ipc_frames", frames()), ("config", config())]
    {
        for (number, seed) in seeds.iter().enumerate() {
            write(&root, target, number, seed)?;
        }
    }
    Ok(())
}

fn write(root: &Path, target: &str, number: usize, seed: &[u8]) -> io::Result<()> {
    let directory = root.join(target);
    fs::create_dir_all(&directory)?;
    fs::write(directory.join(format!("first-{number:02}")), seed)
}

fn packets(root: &Path, target: &str, way: Option<Way>, with_offload: bool) -> io::Result<()> {
    let mut packet = Vec::new();
    for number in 0..PACKETS {
        let mut generator = Generator::with_setup(u64::from(number), draw_setup(&mut Chance::new(number.into())));
        let way = way.unwrap_or(if number % 2 == 0 { Way::Out } else { Way::In });
        let offload = loop {
            let offload = generator.packet(&mut packet, way, with_offload);
            if packet.len() <= LONGEST && (!with_offload || offload.flags != 0) {
                break offload;
            }
        };
        write(root, target, number.into(), &seed_of(number, way, &packet, with_offload.then_some(offload)))?;
    }
    Ok(())
}

fn router() -> Vec<Vec<u8>> {
    let fixed = [134, 0, 0, 0, 64, 0, 0x07, 0x08, 0, 0, 0, 0, 0, 0, 0, 0];
    let pref64 = |low: u8| [38, 2, 0x07, low, 0x20, 1, 0x0d, 0xb8, 0, 0x64, 0, 0, 0, 0, 0, 0];
    let mut rdnss = vec![25, 5, 0, 0, 0, 0, 0x0e, 0x10];
    rdnss.extend([0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x53]);
    rdnss.extend([0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
    let portal = [&[37, 4][..], b"https://example.net/captive-p", &[0]].concat();
    let mtu = [5, 1, 0, 0, 0, 0, 0x05, 0xdc];
    let mut seeds: Vec<Vec<u8>> = (0..8).map(|code| [fixed.as_slice(), &pref64(0x08 | code)].concat()).collect();
    seeds.push([fixed.as_slice(), &rdnss].concat());
    seeds.push([fixed.as_slice(), &portal].concat());
    seeds.push([fixed.as_slice(), &mtu, &pref64(0x08), &rdnss, &portal].concat());
    // Single options.
    seeds.extend([pref64(0x08).to_vec(), rdnss, portal]);
    // In which no NAT64 can be.
    seeds.push([&[38, 2, 0x07, 0x08, 0xfe, 0x80][..], &[0; 10]].concat());
    seeds
}

fn dns() -> Vec<Vec<u8>> {
    // Flags, three counts, records; the question is repeated before the records.
    let head = |flags: u16, answers: u8, authority: u8| {
        let mut head = vec![1];
        head.extend(flags.to_be_bytes());
        head.extend([0, answers, 0, authority, 0, 0]);
        head
    };
    let record = |owner: &[u8], kind: u8, data: &[u8]| {
        let mut record = owner.to_vec();
        record.extend([0, kind, 0, 1, 0, 0, 0x0e, 0x10, 0]);
        record.push(u8::try_from(data.len()).unwrap_or_default());
        record.extend(data);
        record
    };
    let same = [0xc0, 12];
    let aaaa = |last: u8| record(&same, 28, &[0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0, 192, 0, 0, last]);
    let short = record(&same, 28, &[0x20, 1, 0x0d, 0xb8, 192, 0, 0, 170, 0, 0, 0, 0, 0, 0, 0, 0]);
    let mapped = record(&same, 28, &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 0, 170]);
    let alias = record(&same, 5, b"\x05alias\x07example\0");
    let at_alias = record(b"\x05alias\x07example\0", 28, &[0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
    let mut soa = b"\x03sns\x03dns\x05icann\x03org\0\x03noc\x03dns\x05icann\x03org\0".to_vec();
    for number in [1_u32, 7200, 3600, 604_800, 3600] {
        soa.extend(number.to_be_bytes());
    }
    let soa = record(&same, 6, &soa);
    let name_server = record(&same, 2, b"\x02ns\x07example\0");
    vec![
        [head(0x8180, 2, 0), aaaa(170), aaaa(171)].concat(),
        [head(0x8180, 1, 0), short].concat(),
        [head(0x8180, 2, 0), alias, at_alias].concat(),
        [head(0x8180, 0, 1), soa.clone()].concat(),
        [head(0x8183, 0, 1), soa].concat(),
        [head(0x8180, 0, 1), name_server].concat(),
        head(0x8182, 0, 0),
        head(0x8185, 0, 0),
        head(0x8380, 0, 0),
        // A whole message behind the identification.
        [&[0, 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0][..], b"\x08ipv4only\x04arpa\0\0\x1c\0\x01"].concat(),
        [head(0x8180, 1, 0), mapped].concat(),
    ]
}

fn frames() -> Vec<Vec<u8>> {
    let lines = [
        r#"{"request":"status"}"#,
        r#"{"request":"settings"}"#,
        r#"{"request":"watch"}"#,
        r#"{"request":"log","follow":false,"level":null,"since_s":60}"#,
        r#"{"request":"log","follow":true,"level":"info","since_s":null}"#,
        r#"{"request":"control","control":"rearm"}"#,
        r#"{"request":"control","control":"pause","seconds":60,"reason":"a call"}"#,
        r#"{"request":"control","control":"resume"}"#,
        r#"{"request":"control","control":"reload"}"#,
        r#"{"request":"control","control":"log_level","level":"debug","seconds":600}"#,
    ];
    let mut seeds: Vec<Vec<u8>> = lines.iter().map(|line| [b"\x01", line.as_bytes()].concat()).collect();
    seeds.push([b"\x01", lines.join("\n").as_bytes()].concat());
    seeds.push(b"\0\0\0\0\x1f{\"protocol\":2,\"program\":\"fuzz\"}\0\0\0\x14{\"request\":\"status\"}".to_vec());
    seeds.push(b"\0\0\0\0\x1f{\"protocol\":0,\"program\":\"fuzz\"}".to_vec());
    seeds.push(b"\0\xff\xff\xff\xff".to_vec());
    seeds.push(br#"x{"reply":"refused","kind":"denied","message":"no"}"#.to_vec());
    seeds
}

fn config() -> Vec<Vec<u8>> {
    let mut toml = String::new();
    let mut json = Vec::new();
    let mut seeds = Vec::new();
    for key in model::key_references() {
        let line = format!("{} = {}\n", key.key, key.default);
        seeds.push(line.clone().into_bytes());
        toml.push_str(&line);
        json.push(format!("\"{}\": {}", key.key, key.default));
    }
    seeds.push(toml.into_bytes());
    seeds.push(format!("{{\n{}\n}}\n", json.join(",\n")).into_bytes());
    seeds.push(
        b"# a note\nPref64Static = [\"64:ff9b::/96\", \"2001:db8::/32\"]\nMtu = 1400\nNoSuchKey = 1\nMtu = 5\n"
            .to_vec(),
    );
    seeds.push(b"{\"$schema\": \"x\", \"Mtu\": 1400, \"Mtu\": \"y\", \"InterfacesExclude\": [\"wwan*\", 5]}".to_vec());
    seeds.push("\u{feff}Enabled = maybe".as_bytes().to_vec());
    seeds
}
