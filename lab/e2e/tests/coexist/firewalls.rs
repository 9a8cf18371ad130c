//! Filters that drop what comes from where they do not expect it.

use anyhow::{Context, Result, ensure};
use everclat_e2e::World;

use crate::single;

/// firewalld's zone for a desktop: nothing unasked comes in, and IPv6 packets must come from where their answers go.
const FIREWALLD: &str = "
table inet firewalld {
    chain prerouting {
        type filter hook prerouting priority 10; policy accept;
        icmpv6 type { nd-router-advert, nd-neighbor-solicit } accept
        meta nfproto ipv6 fib saddr . mark . iif oif missing counter drop
    }
    chain input {
        type filter hook input priority 10; policy drop;
        ct state { established, related } accept
        ct state invalid drop
        iifname \"lo\" accept
        icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, nd-router-advert } accept
    }
    chain forward {
        type filter hook forward priority 10; policy drop;
    }
}
";

fn ipv4_works(world: &World, what: &str) -> Result<()> {
    ensure!(world.udp()?.received == 10, "{what}: UDP");
    world.tcp(4 << 20).with_context(|| format!("{what}: TCP"))?;
    ensure!(world.ping("198.51.100.10", 56)?, "{what}: ping");
    Ok(())
}

#[test]
fn strict_reverse_path_filters_do_not_matter() -> Result<()> {
    let world = single("e2e-rpf")?;
    let host = world.lab.host();
    for name in ["all", "default", "eth0"] {
        host.set_sysctls(&[(&format!("ipv4/conf/{name}/rp_filter"), "1")])?;
    }
    host.run(&["nft", FIREWALLD])?;
    let before = world.residue()?;
    let daemon = world.start()?;
    daemon.ready()?;
    ensure!(host.sysctl("ipv4/conf/everclat0/rp_filter")? == "1", "the tunnel has the default, which is strict");
    ipv4_works(&world, "strict")?;
    ensure!(world.ping("2001:db8:100::10", 56)?, "native IPv6");
    daemon.stop()?;
    world.assert_as_before(&before)
}

/// Packets for X are the kernel's to drop, too, and it may; ours are taken before.
#[test]
fn a_filter_that_drops_all_for_x_does_not_matter() -> Result<()> {
    let world = single("e2e-dropx")?;
    let host = world.lab.host();
    let daemon = world.start()?;
    daemon.ready()?;
    let x = daemon.status()?.clat.context("armed")?.v6;
    host.run(&[
        "nft",
        &format!(
            "table ip6 guard {{\n chain in {{\n type filter hook prerouting priority -300; policy accept;\n\
             ip6 daddr {x} counter drop\n }}\n}}"
        ),
    ])?;
    ipv4_works(&world, "dropped behind us")?;
    let rules = host.run(&["nft", "list", "table", "ip6", "guard"])?;
    ensure!(
        rules.contains("counter packets") && !rules.contains("counter packets 0 "),
        "it had nothing to drop: {rules}"
    );
    daemon.stop()
}
