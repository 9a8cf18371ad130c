//! The programs that the lab runs, and which package has them.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;

use crate::config::{DnsServer, LabConfig, Nat64};
use crate::error::{Error, Result};

/// A program that the lab runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tool {
    /// Name of the executable.
    pub program: &'static str,
    /// Debian and Ubuntu package.
    pub apt: &'static str,
    /// Fedora package.
    pub dnf: &'static str,
}

const IP: Tool = Tool { program: "ip", apt: "iproute2", dnf: "iproute" };
const NFT: Tool = Tool { program: "nft", apt: "nftables", dnf: "nftables" };
const UNBOUND: Tool = Tool { program: "unbound", apt: "unbound", dnf: "unbound" };
const NAMED: Tool = Tool { program: "named", apt: "bind9", dnf: "bind" };
const TAYGA: Tool = Tool { program: "tayga", apt: "tayga", dnf: "tayga" };
const IPERF: Tool = Tool { program: "iperf3", apt: "iperf3", dnf: "iperf3" };

/// `PATH` of an ordinary user lacks the sbin directories, where most of these live.
const DIRECTORIES: [&str; 6] = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];

impl Tool {
    /// One sentence for all that is missing.
    #[must_use]
    pub fn advice(missing: &[Self]) -> String {
        let list = |field: fn(&Self) -> &'static str| missing.iter().map(field).collect::<Vec<_>>().join(" ");
        let (programs, apt, dnf) = (list(|t| t.program), list(|t| t.apt), list(|t| t.dnf));
        format!("not installed: {programs}. Try `apt install {apt}` or `dnf install {dnf}`")
    }

    pub(crate) fn is_installed(&self) -> bool {
        find(self.program).is_some()
    }
}

/// Where `program` is, looking in `PATH` and in the usual system directories.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let directories = std::env::split_paths(&path).chain(DIRECTORIES.map(PathBuf::from));
    directories.map(|directory| directory.join(program)).find(|file| file.is_file())
}

/// `program` with its directory, if it has one: the caller's `PATH` may be bare.
pub(crate) fn path_of(program: &str) -> PathBuf {
    find(program).unwrap_or_else(|| PathBuf::from(program))
}

/// `program`, and what must be put in front of it where AppArmor is at work: Debian and Ubuntu confine some daemons
/// to files of their own, and a lab's are elsewhere.
pub(crate) fn unconfined(program: &str) -> Vec<OsString> {
    let enabled = std::fs::read_to_string("/sys/module/apparmor/parameters/enabled");
    let enabled = enabled.is_ok_and(|text| text.starts_with('Y'));
    let changer = find("aa-exec").filter(|_| enabled);
    let before = changer.map(|changer| [changer.into(), "-p".into(), "unconfined".into(), "--".into()]);
    before.into_iter().flatten().chain([path_of(program).into()]).collect()
}

/// A call of `ip`.
pub(crate) fn ip() -> Command {
    Command::new(path_of("ip"))
}

/// What `config` needs.
fn needed(config: &LabConfig) -> Vec<Tool> {
    let mut tools = vec![IP, NFT];
    for (server, tool) in [(DnsServer::Unbound, UNBOUND), (DnsServer::Bind, NAMED)] {
        if config.uplinks.iter().any(|uplink| uplink.shares.is_none() && uplink.dns_server == server) {
            tools.push(tool);
        }
    }
    if config.uplinks.iter().any(|uplink| uplink.nat64 == Nat64::Tayga && !uplink.translated().is_empty()) {
        tools.push(TAYGA);
    }
    if config.iperf {
        tools.push(IPERF);
    }
    tools
}

/// Refuses with the complete list of what is missing.
pub(crate) fn check(config: &LabConfig) -> Result<()> {
    let missing: Vec<Tool> = needed(config).into_iter().filter(|tool| !tool.is_installed()).collect();
    if missing.is_empty() { Ok(()) } else { Err(Error::MissingTools(missing)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_advice_names_programs_and_both_packages() {
        let advice = Error::MissingTools(vec![IP, TAYGA]).to_string();
        assert_eq!(advice, "not installed: ip tayga. Try `apt install iproute2 tayga` or `dnf install iproute tayga`");
    }

    #[test]
    fn a_reflector_needs_no_tayga() {
        let mut config = LabConfig { iperf: false, ..LabConfig::default() };
        assert!(needed(&config).contains(&TAYGA));
        for uplink in &mut config.uplinks {
            uplink.nat64 = Nat64::Reflector;
        }
        assert_eq!(needed(&config), [IP, NFT, UNBOUND]);
    }

    #[test]
    fn only_the_dns_server_in_use_is_needed() {
        let mut config = LabConfig { iperf: false, ..LabConfig::default() };
        config.uplinks[0].dns_server = DnsServer::Bind;
        assert_eq!(needed(&config), [IP, NFT, UNBOUND, NAMED, TAYGA]);
        config.uplinks.truncate(1);
        assert_eq!(needed(&config), [IP, NFT, NAMED, TAYGA]);
    }
}
