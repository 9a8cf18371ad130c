//! RFC 7050 section 3.2.

use std::net::Ipv4Addr;

use model::Pref64;

use super::super::check::check_points_of;
use super::server::{NXDOMAIN, RESPONSE, SAME, Server, a, ptr, soa};
use super::{LINK, Loopback, SECOND};

/// 2001:db8:64::192.0.0.170 and .171, nibble by nibble.
const TAIL: &str = "0.0.0.0.0.c.0.0.0.0.0.0.0.0.0.0.0.0.4.6.0.0.8.b.d.0.1.0.0.2.ip6.arpa";
const NAT64: &str = "nat64.example";
const CHECK: &str = "check.example";

fn wire(name: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for label in name.split('.') {
        bytes.push(label.len().try_into().unwrap());
        bytes.extend(label.as_bytes());
    }
    bytes.push(0);
    bytes
}

async fn points(server: &Server, prefix: &str) -> Vec<String> {
    let prefix: Pref64 = prefix.parse().unwrap();
    let found = check_points_of(&Loopback, LINK, &[server.address], prefix, SECOND * 2).await;
    found.iter().map(Ipv4Addr::to_string).collect()
}

/// Names for each of the two addresses, addresses for each of two names.
async fn operator(
    of_170: &'static [&'static str],
    of_171: &'static [&'static str],
    of_nat64: &'static [&'static str],
    of_check: &'static [&'static str],
) -> Server {
    Server::start(move |_, heard| {
        let names = |names: &[&str]| names.iter().map(|name| ptr(SAME, &wire(name))).collect::<Vec<_>>();
        let addresses = |addresses: &[&str]| addresses.iter().map(|address| a(SAME, 600, address)).collect();
        let records = match heard.kind() {
            12 if heard.is_about(&wire(&format!("a.a.{TAIL}"))) => names(of_170),
            12 if heard.is_about(&wire(&format!("b.a.{TAIL}"))) => names(of_171),
            1 if heard.is_about(&wire(NAT64)) => addresses(of_nat64),
            1 if heard.is_about(&wire(CHECK)) => addresses(of_check),
            _ => Vec::new(),
        };
        let flags = if records.is_empty() { NXDOMAIN } else { RESPONSE };
        let authority = if records.is_empty() { vec![soa(900, 900)] } else { vec![] };
        vec![heard.answer(flags, &records, &authority)]
    })
    .await
}

#[tokio::test]
async fn the_name_behind_the_prefix_leads_to_the_points() {
    let server = operator(&[NAT64], &[NAT64], &["198.51.100.10", "198.51.100.11"], &[]).await;
    assert_eq!(points(&server, "2001:db8:64::/96").await, ["198.51.100.10", "198.51.100.11"]);
    assert_eq!(server.heard().len(), 3, "the name is asked for once");
}

#[tokio::test]
async fn either_address_will_do_and_both_may_differ() {
    let server = operator(&[], &[CHECK], &[], &["198.51.100.12"]).await;
    assert_eq!(points(&server, "2001:db8:64::/96").await, ["198.51.100.12"]);
    let server = operator(&[NAT64], &[CHECK], &["198.51.100.1"], &["198.51.100.2", "198.51.100.1"]).await;
    assert_eq!(points(&server, "2001:db8:64::/96").await, ["198.51.100.1", "198.51.100.2"]);
}

#[tokio::test]
async fn few_points_and_only_public_ones() {
    const MANY: &[&str] = &[
        "10.0.0.1",
        "127.0.0.1",
        "192.0.0.170",
        "198.51.100.1",
        "198.51.100.2",
        "198.51.100.3",
        "198.51.100.4",
        "198.51.100.5",
    ];
    let server = operator(&[NAT64], &[], MANY, &[]).await;
    let found = points(&server, "2001:db8:64::/96").await;
    assert_eq!(found, ["198.51.100.1", "198.51.100.2", "198.51.100.3", "198.51.100.4"]);
}

#[tokio::test]
async fn nobody_is_named_more_often_than_not() {
    let server = operator(&[], &[], &[], &[]).await;
    assert!(points(&server, "2001:db8:64::/96").await.is_empty());
    let server = operator(&[NAT64], &[NAT64], &[], &[]).await;
    assert!(points(&server, "2001:db8:64::/96").await.is_empty());
    let silent = Server::silent().await;
    assert!(points(&silent, "2001:db8:64::/96").await.is_empty());
}

#[tokio::test]
async fn nothing_is_asked_about_the_prefix_that_all_share() {
    let server = operator(&[NAT64], &[], &["198.51.100.10"], &[]).await;
    assert!(points(&server, "64:ff9b::/96").await.is_empty());
    assert!(server.heard().is_empty());
}
