use super::*;

const HOST: Ipv4Addr = Ipv4Addr::new(192, 0, 0, 2);
const GATEWAY: Ipv4Addr = Ipv4Addr::new(192, 0, 0, 1);
const SYN: u8 = 0x02;
const RST: u8 = 0x04;
const ACK: u8 = 0x10;
const FIN: u8 = 0x01;

fn home(x: &str) -> Home {
    Home { v4: HOST, v6: x.parse().unwrap() }
}

fn ethernet() -> Home {
    home("2001:db8:1::a")
}

fn wifi() -> Home {
    home("2001:db8:2::b")
}

/// On Ethernet.
fn flows() -> Flows {
    let mut flows = Flows::default();
    flows.settle(ethernet(), [None; KEPT]);
    flows
}

/// To 198.51.100.7, port 443.
fn tcp(port: u16, flags: u8, sequence: u32, expects: u32) -> Vec<u8> {
    let mut packet = vec![0x45, 0, 0, 40, 0, 0, 0x40, 0, 64, 6, 0, 0, 192, 0, 0, 2, 198, 51, 100, 7];
    packet.extend(port.to_be_bytes());
    packet.extend(443u16.to_be_bytes());
    packet.extend(sequence.to_be_bytes());
    packet.extend(expects.to_be_bytes());
    packet.extend([0x50, flags, 0xff, 0xff, 0, 0, 0, 0]);
    packet
}

/// To 198.51.100.7, port 53.
fn udp(port: u16) -> Vec<u8> {
    let mut packet = vec![0x45, 0, 0, 28, 0, 0, 0x40, 0, 64, 17, 0, 0, 192, 0, 0, 2, 198, 51, 100, 7];
    packet.extend(port.to_be_bytes());
    packet.extend([0, 53, 0, 8, 0, 0]);
    packet
}

/// A connection with three packets: opened, acknowledged, and something said.
fn connect(flows: &mut Flows, port: u16) {
    assert_eq!(flows.route(&tcp(port, SYN, 1000, 0)), Way::InUse);
    assert_eq!(flows.route(&tcp(port, ACK, 1001, 5001)), Way::InUse);
    assert_eq!(flows.route(&tcp(port, ACK, 1001, 0xa0b0_c0d0)), Way::InUse);
}

fn told(flows: &mut Flows, ending: Ending) -> Vec<Vec<u8>> {
    let mut said = Vec::new();
    let ended = flows.tell(ending, GATEWAY, |packet| said.push(packet.to_vec()));
    assert_eq!(ended, said.len());
    said
}

#[test]
fn a_connection_that_is_stranded_is_reset_with_the_number_its_app_expects() {
    let mut flows = flows();
    connect(&mut flows, 40_000);
    flows.settle(wifi(), [None; KEPT]);
    let said = told(&mut flows, Ending::Stranded);
    // By hand: 198.51.100.7:443 to 192.0.0.2:40000, sequence 0xa0b0c0d0, RST and nothing else.
    assert_eq!(said.len(), 1);
    let packet = &said[0];
    assert_eq!(packet[..4], [0x45, 0, 0, 40]);
    assert_eq!(packet[8..10], [64, 6]);
    assert_eq!(packet[12..20], [198, 51, 100, 7, 192, 0, 0, 2]);
    assert_eq!(packet[20..34], [1, 187, 0x9c, 0x40, 0xa0, 0xb0, 0xc0, 0xd0, 0, 0, 0, 0, 0x50, 4]);
    assert_eq!(sum(&packet[..20]), 0xffff, "header checksum");
    let pseudo = [&packet[12..20], &[0, 6, 0, 20], &packet[20..]].concat();
    assert_eq!(sum(&pseudo), 0xffff, "TCP checksum");
    assert!(told(&mut flows, Ending::Stranded).is_empty(), "once");
}

/// RFC 1071, as an oracle.
fn sum(bytes: &[u8]) -> u32 {
    let sum: u32 = bytes.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(pair[1])).sum();
    (sum & 0xffff) + (sum >> 16)
}

#[test]
fn an_app_that_missed_it_is_told_when_it_sends() {
    let mut flows = flows();
    connect(&mut flows, 40_000);
    flows.settle(wifi(), [None; KEPT]);
    told(&mut flows, Ending::Stranded);
    let more = tcp(40_000, ACK, 1001, 0xa0b0_c0ff);
    assert_eq!(flows.route(&more), Way::None);
    let answer = flows.answer(&more).unwrap();
    assert_eq!((answer[33], &answer[24..28]), (RST, &[0xa0, 0xb0, 0xc0, 0xff][..]));
    let farewell = tcp(40_000, RST, 1001, 0);
    assert_eq!((flows.route(&farewell), flows.answer(&farewell)), (Way::None, None), "it knows");
    assert_eq!(flows.route(&tcp(40_000, SYN, 9000, 0)), Way::InUse, "and begins anew");
    assert_eq!(flows.route(&tcp(40_000, ACK, 9001, 7001)), Way::InUse);
}

#[test]
fn what_is_sent_before_anybody_is_told_goes_nowhere() {
    let mut flows = flows();
    connect(&mut flows, 40_000);
    flows.settle(wifi(), [None; KEPT]);
    assert_eq!(flows.route(&tcp(40_000, ACK, 1001, 5001)), Way::None);
    assert!(told(&mut flows, Ending::Stranded).is_empty(), "told by the answer to that");
}

#[test]
fn a_flow_goes_on_where_it_began_and_a_new_one_begins_on_the_way_in_use() {
    let mut flows = Flows::default();
    flows.settle(wifi(), [None; KEPT]);
    connect(&mut flows, 40_000);
    flows.route(&udp(5000));
    flows.settle(ethernet(), [Some(wifi()), None]);
    assert_eq!(flows.route(&tcp(40_000, ACK, 1001, 5001)), Way::Kept(0));
    assert_eq!(flows.route(&udp(5000)), Way::Kept(0));
    assert_eq!(flows.route(&tcp(40_001, SYN, 1, 0)), Way::InUse);
    assert_eq!(flows.route(&udp(5001)), Way::InUse);
    assert!(flows.lives(0));
    assert!(told(&mut flows, Ending::Stranded).is_empty());
    // Time is up.
    flows.settle(ethernet(), [None; KEPT]);
    assert_eq!(told(&mut flows, Ending::Stranded).len(), 2);
    assert_eq!(flows.route(&udp(5000)), Way::InUse, "a datagram goes on by any way");
    assert_eq!(flows.route(&tcp(40_001, ACK, 2, 9)), Way::InUse);
}

#[test]
fn the_same_x_on_another_uplink_changes_nothing() {
    let mut flows = flows();
    connect(&mut flows, 40_000);
    flows.settle(ethernet(), [Some(wifi()), None]);
    assert_eq!(flows.route(&tcp(40_000, ACK, 1001, 5001)), Way::InUse);
    assert!(told(&mut flows, Ending::Stranded).is_empty());
}

/// Back before anybody was told: on the same network again, for instance.
#[test]
fn a_flow_survives_a_way_that_was_gone_for_a_while() {
    let mut flows = flows();
    connect(&mut flows, 40_000);
    flows.settle(ethernet(), [None; KEPT]);
    assert_eq!(flows.route(&tcp(40_000, ACK, 1001, 5001)), Way::InUse);
}

#[test]
fn a_connection_that_is_asked_for_is_asked_for_again_by_the_new_way() {
    let mut flows = flows();
    assert_eq!(flows.route(&tcp(40_000, SYN, 1000, 0)), Way::InUse);
    flows.settle(wifi(), [Some(ethernet()), None]);
    assert_eq!(flows.route(&tcp(40_000, SYN, 1000, 0)), Way::Kept(0), "the answer may be under way");
    flows.settle(wifi(), [None; KEPT]);
    assert!(told(&mut flows, Ending::Stranded).is_empty());
    assert_eq!(flows.route(&tcp(40_000, SYN, 1000, 0)), Way::InUse);
}

#[test]
fn when_nothing_can_go_on_all_are_told() {
    let mut flows = flows();
    connect(&mut flows, 40_000);
    flows.route(&tcp(40_001, SYN, 0x0102_0304, 0));
    flows.route(&udp(5000));
    let mut said = told(&mut flows, Ending::All);
    said.sort_by_key(|packet| (packet[9], packet[33]));
    // ICMP port unreachable from the gateway, with the datagram's header and ports.
    let icmp = &said[0];
    assert_eq!((&icmp[9..10], &icmp[12..20]), (&[1][..], &[192, 0, 0, 1, 192, 0, 0, 2][..]));
    assert_eq!(icmp[20..22], [3, 3]);
    assert_eq!(sum(&icmp[20..]), 0xffff, "ICMP checksum");
    assert_eq!((icmp[28], icmp[37]), (0x45, 17));
    assert_eq!(icmp[40..52], [192, 0, 0, 2, 198, 51, 100, 7, 0x13, 0x88, 0, 53]);
    // The established one is reset, the other refused: it has nothing but its own SYN to go by.
    assert_eq!(said[1][33], RST);
    assert_eq!((said[2][33], &said[2][28..32]), (RST | ACK, &[1, 2, 3, 5][..]));
    assert!(told(&mut flows, Ending::All).is_empty());
    assert_eq!(flows.route(&tcp(40_000, ACK, 1001, 5001)), Way::None, "it is over for good");
}

#[test]
fn an_old_datagram_waits_for_nothing() {
    let mut flows = flows();
    flows.route(&udp(5000));
    flows.tick(11);
    flows.route(&udp(5001));
    flows.settle(wifi(), [None; KEPT]);
    assert_eq!(told(&mut flows, Ending::Stranded).len(), 1);
}

#[test]
fn what_has_ended_does_not_live() {
    let mut flows = flows();
    connect(&mut flows, 40_000);
    flows.route(&tcp(40_000, FIN | ACK, 1001, 5001));
    flows.route(&udp(5000));
    flows.settle(wifi(), [Some(ethernet()), None]);
    assert!(flows.lives(0));
    assert!(!flows.lives(1));
    flows.tick(121);
    assert!(flows.lives(0), "the peer may still have something to say");
    flows.tick(241);
    assert!(!flows.lives(0));
    flows.tick(242);
    assert_eq!(flows.route(&udp(5000)), Way::InUse, "a new flow, as far as any NAT can tell");
}

#[test]
fn a_flood_of_flows_pushes_out_datagrams_before_connections() {
    let mut flows = flows();
    connect(&mut flows, 40_000);
    for port in 0..=u16::MAX {
        flows.route(&udp(port));
    }
    flows.settle(wifi(), [None; KEPT]);
    assert_eq!(flows.route(&tcp(40_000, ACK, 1001, 5001)), Way::None, "still known");
    let mut count = 0;
    flows.tell(Ending::All, GATEWAY, |_| count += 1);
    assert!((3000..=4096).contains(&count), "{count}");
}

#[test]
fn what_is_no_flow_of_the_host_goes_by_the_way_in_use() {
    let mut flows = flows();
    let ping = [&tcp(1, 0, 0, 0)[..9], &[1], &tcp(1, 0, 0, 0)[10..]].concat();
    let mut foreign = tcp(40_000, ACK, 1, 1);
    foreign[15] = 9;
    let whole = tcp(40_000, ACK, 1, 1);
    for packet in [&[][..], &ping, &foreign, &[0x60; 60], &whole[..33], &udp(7)[..23]] {
        assert_eq!(flows.route(packet), Way::InUse);
        assert_eq!(flows.answer(packet), None);
    }
    assert_eq!(flows.tell(Ending::All, GATEWAY, |_| ()), 0);
    assert_eq!(Flows::default().route(&whole), Way::InUse, "before there is any way");
}

#[test]
fn fragments_of_a_datagram_stay_together() {
    let mut flows = flows();
    let mut first = udp(5000);
    first[6] = 0x20;
    let mut second = udp(0);
    second[7] = 185;
    flows.route(&first);
    flows.settle(wifi(), [Some(ethernet()), None]);
    assert_eq!((flows.route(&first), flows.route(&second)), (Way::Kept(0), Way::Kept(0)));
    assert!(told(&mut flows, Ending::All).is_empty(), "nobody could be found by them");
}
