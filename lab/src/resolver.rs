//! What the routers' DNS servers are told.

use std::net::Ipv6Addr;
use std::path::Path;

use crate::Pref64;
use crate::config::LabConfig;
use crate::plan::server_v6;

/// A root zone of our own: names that are not in it do not exist, at once.
pub(crate) fn zone(config: &LabConfig) -> String {
    let v4 = config.servers_v4.first().map(ToString::to_string).unwrap_or_default();
    let v6 = server_v6();
    format!(
        "$ORIGIN .\n$TTL 60\n\
         @ SOA ns.example. hostmaster.example. 1 3600 600 86400 60\n\
         @ NS ns.example.\n\
         ns.example. AAAA {v6}\n\
         v4only.example. A {v4}\n\
         dual.example. A {v4}\n\
         dual.example. AAAA {v6}\n\
         v6only.example. AAAA {v6}\n\
         ipv4only.arpa. A 192.0.0.170\n\
         ipv4only.arpa. A 192.0.0.171\n"
    )
}

/// A root zone in which every name has this one address.
pub(crate) fn captured_zone(address: Ipv6Addr) -> String {
    format!(
        "$ORIGIN .\n$TTL 60\n\
         @ SOA ns.example. hostmaster.example. 1 3600 600 86400 60\n\
         @ NS ns.example.\n\
         * AAAA {address}\n"
    )
}

pub(crate) fn unbound_config(directory: &Path, zone: &Path, address: Ipv6Addr, prefix: Option<Pref64>) -> String {
    let modules = if prefix.is_some() { "dns64 iterator" } else { "iterator" };
    let prefix = prefix.map(|prefix| format!("  dns64-prefix: {prefix}\n")).unwrap_or_default();
    format!(
        "server:\n\
         \x20 directory: \"{}\"\n  chroot: \"\"\n  username: \"\"\n  pidfile: \"\"\n\
         \x20 use-syslog: no\n  do-daemonize: no\n  num-threads: 1\n\
         \x20 interface: {address}\n  access-control: ::/0 allow\n\
         \x20 module-config: \"{modules}\"\n{prefix}\
         remote-control:\n  control-enable: no\n\
         auth-zone:\n  name: \".\"\n  zonefile: \"{}\"\n\
         \x20 for-upstream: yes\n  for-downstream: no\n  fallback-enabled: no\n",
        directory.display(),
        zone.display()
    )
}

/// Nothing outside `directory` is read or written: no lock, process or key files, no control channel. The program keeps
/// root but not the right to write everywhere; `directory` is root's.
pub(crate) fn bind_config(directory: &Path, zone: &Path, address: Ipv6Addr, prefix: Option<Pref64>) -> String {
    let dns64 = prefix.map(|prefix| format!("  dns64 {prefix} {{ clients {{ any; }}; }};\n")).unwrap_or_default();
    format!(
        "options {{\n\
         \x20 directory \"{}\";\n  pid-file none;\n  lock-file none;\n  session-keyfile none;\n\
         \x20 listen-on {{ none; }};\n  listen-on-v6 {{ {address}; }};\n\
         \x20 allow-query {{ any; }};\n  allow-recursion {{ any; }};\n  allow-transfer {{ none; }};\n\
         \x20 notify no;\n  dnssec-validation no;\n  max-cache-size 8m;\n{dns64}\
         }};\ncontrols {{ }};\n\
         zone \".\" {{ type primary; file \"{}\"; }};\n",
        directory.display(),
        zone.display()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_dns64_synthesizes() {
        let text = |prefix| unbound_config(Path::new("/run/x"), Path::new("/run/x/z"), server_v6(), prefix);
        let with = text(Some("2001:db8:64::/96".parse().unwrap()));
        assert!(with.contains("module-config: \"dns64 iterator\"\n  dns64-prefix: 2001:db8:64::/96\n"), "{with}");
        assert!(!text(None).contains("dns64"));
        let text = |prefix| bind_config(Path::new("/run/x"), Path::new("/run/x/z"), server_v6(), prefix);
        let with = text(Some("2001:db8:4800::/48".parse().unwrap()));
        assert!(with.contains("dns64 2001:db8:4800::/48 {"), "{with}");
        assert!(!text(None).contains("dns64"));
    }
}
