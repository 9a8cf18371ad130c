//! Whole packets, both sides written out. The bytes come from a script outside this repository that packs the headers
//! field by field; nothing here computes them.

use everclat_xlat::{Config, DropReason, Pref64};

use crate::support::{HOST, Outcome, PLAIN, config, hex, inbound, outbound};

#[test]
fn udp_to_the_uplink() {
    let v4 = hex("45b8001e 00004000 40114fe0 c0000002 c6336401 12340035 000a9ad0 6869");
    let v6 = hex("6b800000 000a113f 20010db8 00000000 00000000 0000c1a7 0064ff9b 00000000 00000000 c6336401
         12340035 000a6b72 6869");
    assert_eq!(outbound(&config(PLAIN), &v4).forwarded(), v6);
}

#[test]
fn tcp_from_the_uplink() {
    let v6 = hex("60200000 0014063a 0064ff9b 00000000 00000000 c6336401 20010db8 00000000 00000000 0000c1a7
         01bbc350 01020304 0a0b0c0d 5012ffff b7130000");
    let v4 = hex("45020028 00010000 39069796 c6336401 c0000002 01bbc350 01020304 0a0b0c0d 5012ffff e6710000");
    assert_eq!(inbound(&config(PLAIN), &v6).forwarded(), v4);
}

#[test]
fn echo_reply_from_the_uplink() {
    let v6 = hex("60000000 000c3a3f 0064ff9b 00000000 00000000 c6336401 20010db8 00000000 00000000 0000c1a7
         81004409 42420007 70696e67");
    let v4 = hex("45000020 00010000 3e0192a5 c6336401 c0000002 0000dee5 42420007 70696e67");
    assert_eq!(inbound(&config(PLAIN), &v6).forwarded(), v4);
}

#[test]
fn time_exceeded_from_the_uplink_as_traceroute_sees_it() {
    let v6 = hex("60000000 003a3a3c 0064ff9b 00000000 00000000 cb007109 20010db8 00000000 00000000 0000c1a7
         03006030 00000000
         60000000 000a1101 20010db8 00000000 00000000 0000c1a7 0064ff9b 00000000 00000000 c6336401
         12340035 000a6b72 6869");
    let v4 = hex("4500003a 00010000 3b0183b6 cb007109 c0000002 0b00df52 00000000
         4500001e 00000000 0111cf98 c0000002 c6336401 12340035 000a9ad0 6869");
    assert_eq!(inbound(&config(PLAIN), &v6).forwarded(), v4);
}

#[test]
fn port_unreachable_from_the_host() {
    let v4 = hex("45c0003a 00090000 40018fc3 c0000002 c6336401 0303e74f 00000000
         4500001e 00070000 39119791 c6336401 c0000002 12340035 000a9ad0 6869");
    let v6 = hex("6c000000 003a3a3f 20010db8 00000000 00000000 0000c1a7 0064ff9b 00000000 00000000 c6336401
         010473c9 00000000
         60000000 000a1139 0064ff9b 00000000 00000000 c6336401 20010db8 00000000 00000000 0000c1a7
         12340035 000a6b72 6869");
    assert_eq!(outbound(&config(PLAIN), &v4).forwarded(), v6);
}

/// RFC 7915 appendix A: H6 is 192.0.2.33 and H4 198.51.100.2 under 2001:db8:100::/40. The erratum that doubts these
/// addresses (4818) was rejected.
#[test]
fn the_workflow_of_rfc_7915_appendix_a() {
    let prefix: Pref64 = "2001:db8:100::/40".parse().unwrap();
    let config = Config::new(prefix, [192, 0, 2, 33].into(), "2001:db8:1c0:2:21::".parse().unwrap(), 1500);
    let v4 = hex("4500001f 00074000 40114e70 c0000221 c6336402 12340035 000b8ee9 412e31");
    let v6 = hex("60000000 000b113f 20010db8 01c00002 00210000 00000000 20010db8 01c63364 00020000 00000000
         12340035 000be8bf 412e31");
    assert_eq!(outbound(&config, &v4).forwarded(), v6);
    let v6 = hex("60000000 000b1140 20010db8 01c63364 00020000 00000000 20010db8 01c00002 00210000 00000000
         00351234 000be7bf 412e32");
    let v4 = hex("4500001f 00010000 3f118f76 c6336402 c0000221 00351234 000b8de9 412e32");
    assert_eq!(inbound(&config, &v6).forwarded(), v4);
}

/// RFC 7915 section 5.1: an illegal source is dropped in silence. An IPv4-mapped address, here of 203.0.113.9, is no source
/// (IANA's registry of special-purpose addresses), whatever the message.
#[test]
fn r51_time_exceeded_from_an_ipv4_mapped_address() {
    let v6 = hex("60000000 003a3a3c 00000000 00000000 0000ffff cb007109 20010db8 00000000 00000000 0000c1a7
         03006030 00000000
         60000000 000a1101 20010db8 00000000 00000000 0000c1a7 0064ff9b 00000000 00000000 c6336401
         12340035 000a6b72 6869");
    assert_eq!(inbound(&config(PLAIN), &v6), Outcome::Drop(DropReason::IllegalSource));
}

/// Under 2001:db8:122::/48, from 203.0.113.9, and from the same with a bit of the u octet set. What lies under the prefix is no
/// source without an IPv4 address (draft-ietf-v6ops-icmpext-xlat-v6only-source section 3), so that 192.0.0.8 must not
/// stand for it (section 4.1 there), and RFC 6052 section 2.2 has that octet zero.
#[test]
fn r78_time_exceeded_from_under_the_prefix_with_the_u_octet_set() {
    let prefix: Pref64 = "2001:db8:122::/48".parse().unwrap();
    let config = Config::new(prefix, HOST, PLAIN, 1500);
    let quoted = "60000000 000a1101 20010db8 00000000 00000000 0000c1a7 20010db8 0122c633 00640100 00000000
         12340035 000a9f34 6869";
    let right = "60000000 003a3a3c 20010db8 0122cb00 00710900 00000000 20010db8 00000000 00000000 0000c1a7
         030098ed 00000000";
    let v4 = hex("4500003a 00010000 3b0183b6 cb007109 c0000002 0b00df52 00000000
         4500001e 00000000 0111cf98 c0000002 c6336401 12340035 000a9ad0 6869");
    assert_eq!(inbound(&config, &[hex(right), hex(quoted)].concat()).forwarded(), v4);
    let spoilt = "60000000 003a3a3c 20010db8 0122cb00 01710900 00000000 20010db8 00000000 00000000 0000c1a7
         030097ed 00000000";
    let out = inbound(&config, &[hex(spoilt), hex(quoted)].concat());
    assert_eq!(out, Outcome::Drop(DropReason::NotFromPref64));
}
