//! Both translators side by side.

use std::fmt::Write;

use xlat::{Config, PacketBuf, Pref64, Translator, UdpZeroChecksum, Verdict, VnetHeader};
use xlat_oracle::generator::Way;
use xlat_oracle::{Answer, Offload, Oracle, Setup};

use crate::rules;

/// Two translators with the same configuration, and what they work in.
pub struct Bench {
    translator: Translator,
    buf: PacketBuf,
    oracle: Oracle,
    got: Got,
    sound: bool,
}

/// What the translator made of a packet; the buffers are used again and again.
#[derive(Default)]
struct Got {
    kind: Kind,
    reason: &'static str,
    offload: Offload,
    /// Packets, of which the first `count` are of now.
    packets: Vec<Vec<u8>>,
    count: usize,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Kind {
    #[default]
    Drop,
    Forward,
    Fragments,
    Reply,
}

impl Bench {
    /// A bench for `setup`.
    #[must_use]
    pub fn new(setup: &Setup) -> Self {
        Self {
            translator: Translator::new(config(setup)),
            buf: PacketBuf::new(),
            oracle: Oracle::new(setup.clone(), 1),
            got: Got::default(),
            sound: false,
        }
    }

    /// Says that everything given from here on is well-formed and has right checksums; then what comes out has, too.
    #[must_use]
    pub fn for_sound_packets(self) -> Self {
        Self { sound: true, ..self }
    }

    /// Goes on with another setup; identifications go on where they were.
    pub fn replace(&mut self, setup: &Setup) {
        self.translator.replace(config(setup));
        self.oracle.setup = setup.clone();
    }

    /// Gives a packet to both, and holds what comes out against each other and against the rules.
    ///
    /// # Panics
    /// When the two disagree or a rule is broken, with everything that is needed to see it again.
    pub fn check(&mut self, way: Way, packet: &[u8], offload: Offload) -> bool {
        let came_out = self.translate(way, packet, offload);
        let next_id = self.oracle.next_id;
        let expected = match way {
            Way::Out => self.oracle.v4_to_v6(packet, offload),
            Way::In => self.oracle.v6_to_v4(packet, offload),
        };
        let broken = if !self.got.is(&expected) {
            Some("the second translator disagrees".to_owned())
        } else {
            rules::broken(&self.oracle.setup, way, &expected, self.sound)
        };
        if let Some(what) = broken {
            let setup = &self.oracle.setup;
            panic!(
                "{what}\nway: {way:?}\npacket: {}\noffload: {offload:?}\n{setup:?}\nnext id: {next_id}\nexpected: {}\ngot: {}",
                hex(packet),
                shown(&expected),
                self.got.shown()
            );
        }
        came_out
    }

    /// Gives a packet to the first translator alone; returns whether something comes out.
    pub fn translate(&mut self, way: Way, packet: &[u8], offload: Offload) -> bool {
        let (buf, got) = (&mut self.buf, &mut self.got);
        assert!(buf.set_packet(packet), "the packet is too long for the buffer");
        buf.vnet = vnet(offload);
        let verdict = match way {
            Way::Out => self.translator.v4_to_v6(buf),
            Way::In => self.translator.v6_to_v4(buf),
        };
        (got.count, got.reason, got.offload) = (0, "", Offload::default());
        got.kind = match verdict {
            Verdict::Forward => {
                got.keep(buf.packet());
                got.offload = offload_of(buf.vnet);
                Kind::Forward
            }
            Verdict::Fragments(mut pieces) => {
                while pieces.next(buf) {
                    got.keep(buf.packet());
                    // As the plane does: a link header in front must not hurt what follows.
                    if let Some(link) = buf.push_front::<26>() {
                        *link = [0xee; 26];
                    }
                }
                Kind::Fragments
            }
            Verdict::Reply(reason) => {
                got.keep(buf.packet());
                got.offload = offload_of(buf.vnet);
                got.reason = reason.name();
                Kind::Reply
            }
            Verdict::Drop(reason) => {
                got.reason = reason.name();
                Kind::Drop
            }
        };
        got.kind != Kind::Drop
    }
}

impl Got {
    fn keep(&mut self, packet: &[u8]) {
        if self.packets.len() == self.count {
            self.packets.push(Vec::new());
        }
        self.packets[self.count].clear();
        self.packets[self.count].extend_from_slice(packet);
        self.count += 1;
    }

    fn now(&self) -> &[Vec<u8>] {
        &self.packets[..self.count]
    }

    fn is(&self, answer: &Answer) -> bool {
        match answer {
            Answer::Forward(packet, offload) => {
                self.kind == Kind::Forward && self.now() == std::slice::from_ref(packet) && self.offload == *offload
            }
            Answer::Fragments(pieces) => self.kind == Kind::Fragments && self.now() == pieces,
            Answer::Reply(reason, packet) => {
                self.kind == Kind::Reply
                    && self.reason == *reason
                    && self.now() == std::slice::from_ref(packet)
                    && self.offload == Offload::default()
            }
            Answer::Drop(reason) => self.kind == Kind::Drop && self.reason == *reason,
        }
    }

    fn shown(&self) -> String {
        let packets: Vec<String> = self.now().iter().map(|packet| hex(packet)).collect();
        format!("{:?} {} {:?}\n  {}", self.kind, self.reason, self.offload, packets.join("\n  "))
    }
}

fn shown(answer: &Answer) -> String {
    match answer {
        Answer::Forward(packet, offload) => format!("Forward  {offload:?}\n  {}", hex(packet)),
        Answer::Fragments(pieces) => {
            let pieces: Vec<String> = pieces.iter().map(|packet| hex(packet)).collect();
            format!("Fragments\n  {}", pieces.join("\n  "))
        }
        Answer::Reply(reason, packet) => format!("Reply {reason}\n  {}", hex(packet)),
        Answer::Drop(reason) => format!("Drop {reason}"),
    }
}

impl Bench {
    /// The one packet that the first translator makes of this one; `None` if it makes none, or several.
    pub(crate) fn forwarded(&mut self, way: Way, packet: &[u8], offload: Offload) -> Option<(Vec<u8>, Offload)> {
        self.translate(way, packet, offload);
        (self.got.kind == Kind::Forward).then(|| (self.got.now()[0].clone(), self.got.offload))
    }
}

impl Bench {
    /// What the first translator sends for this packet.
    pub(crate) fn sent(&mut self, way: Way, packet: &[u8], offload: Offload) -> Vec<Vec<u8>> {
        self.translate(way, packet, offload);
        self.got.now().to_vec()
    }
}

/// Bytes as the literal tests of `everclat-xlat` read them.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    let mut text = String::new();
    for (index, byte) in bytes.iter().enumerate() {
        if index > 0 && index % 4 == 0 {
            text.push(' ');
        }
        let _infallible = write!(text, "{byte:02x}");
    }
    text
}

fn config(setup: &Setup) -> Config {
    let prefix = Pref64::new(setup.prefix.bits.into(), setup.prefix.length).expect("a prefix of RFC 6052");
    let mut config = Config::new(prefix, setup.v4.into(), setup.v6.into(), setup.mtu6);
    config.gateway_v4 = setup.gateway.into();
    config.mtu4 = setup.mtu4;
    config.lowest_ipv6_mtu = setup.lowest_ipv6_mtu;
    config.copy_traffic_class = setup.copy_traffic_class;
    config.udp_zero_checksum =
        if setup.drop_udp_without_checksum { UdpZeroChecksum::Drop } else { UdpZeroChecksum::Compute };
    config
}

fn vnet(offload: Offload) -> VnetHeader {
    let Offload { flags, gso_type, hdr_len, gso_size, csum_start, csum_offset } = offload;
    VnetHeader { flags, gso_type, hdr_len, gso_size, csum_start, csum_offset }
}

fn offload_of(vnet: VnetHeader) -> Offload {
    let VnetHeader { flags, gso_type, hdr_len, gso_size, csum_start, csum_offset } = vnet;
    Offload { flags, gso_type, hdr_len, gso_size, csum_start, csum_offset }
}
