//! Installs what is missing where it may; otherwise says exactly what to type.

use std::process::Command;

use anyhow::{Result, bail};

use crate::run::{describe, exists, succeed};

/// A program that the lab and its tests run, and the packages that hold it.
struct Tool {
    program: &'static str,
    debian: &'static str,
    /// `None`: not packaged; what needs it is skipped there.
    fedora: Option<&'static str>,
}

const TOOLS: [Tool; 19] = [
    Tool { program: "cc", debian: "build-essential", fedora: Some("gcc") },
    // Compiles the kernel's part of the fast path.
    Tool { program: "clang", debian: "clang", fedora: Some("clang") },
    Tool { program: "ip", debian: "iproute2", fedora: Some("iproute") },
    Tool { program: "nstat", debian: "iproute2", fedora: Some("iproute") },
    Tool { program: "nft", debian: "nftables", fedora: Some("nftables") },
    Tool { program: "ping", debian: "iputils-ping", fedora: Some("iputils") },
    Tool { program: "curl", debian: "curl", fedora: Some("curl") },
    Tool { program: "tayga", debian: "tayga", fedora: Some("tayga") },
    Tool { program: "unbound", debian: "unbound", fedora: Some("unbound") },
    Tool { program: "named", debian: "bind9", fedora: Some("bind") },
    // Under this name in Debian alone; Fedora's BusyBox has not been looked at.
    Tool { program: "udhcpd", debian: "udhcpd", fedora: None },
    Tool { program: "dhcpcd", debian: "dhcpcd-base", fedora: Some("dhcpcd") },
    Tool { program: "wg", debian: "wireguard-tools", fedora: Some("wireguard-tools") },
    // For kernels without WireGuard; Fedora's has it.
    Tool { program: "wireguard-go", debian: "wireguard-go", fedora: None },
    Tool { program: "dbus-daemon", debian: "dbus-daemon", fedora: Some("dbus-daemon") },
    Tool { program: "iperf3", debian: "iperf3", fedora: Some("iperf3") },
    // Counts instructions.
    Tool { program: "valgrind", debian: "valgrind", fedora: Some("valgrind") },
    Tool { program: "ethtool", debian: "ethtool", fedora: Some("ethtool") },
    // With it comes dumpcap.
    Tool { program: "tshark", debian: "tshark", fedora: Some("wireshark-cli") },
];

/// Shows the window's page to its tests. Big, so that only they ask for it.
const BROWSER: [Tool; 1] = [Tool { program: "chromium", debian: "chromium", fedora: Some("chromium") }];

/// What the tray app's window is built and tested with.
const WINDOW: [Tool; 4] = [
    Tool { program: "pkg-config", debian: "pkg-config", fedora: Some("pkgconf-pkg-config") },
    Tool { program: "Xvfb", debian: "xvfb", fedora: Some("xorg-x11-server-Xvfb") },
    Tool { program: "dbus-daemon", debian: "dbus-daemon", fedora: Some("dbus-daemon") },
    // Not looked for in Fedora.
    Tool { program: "WebKitWebDriver", debian: "webkit2gtk-driver", fedora: None },
];

/// The library that shows the window; pkg-config knows whether it is here.
const WEBKIT: Tool =
    Tool { program: "webkit2gtk-4.1", debian: "libwebkit2gtk-4.1-dev", fedora: Some("webkit2gtk4.1-devel") };

/// Compilers for what the window brings along on other systems, where Rust alone does not do.
const ELSEWHERE: [Tool; 2] = [
    Tool { program: "clang", debian: "clang", fedora: Some("clang") },
    Tool { program: "x86_64-w64-mingw32-gcc", debian: "gcc-mingw-w64-x86-64", fedora: Some("mingw64-gcc") },
];

/// What pictures of a desktop are made with.
const PICTURES: [Tool; 4] = [
    Tool { program: "openbox", debian: "openbox", fedora: Some("openbox") },
    Tool { program: "xfce4-panel", debian: "xfce4-panel", fedora: Some("xfce4-panel") },
    Tool { program: "xdotool", debian: "xdotool", fedora: Some("xdotool") },
    Tool { program: "import", debian: "imagemagick", fedora: Some("ImageMagick") },
];

/// The systems beside Linux that every test run compiles and lints for.
pub(crate) const TARGETS: [&str; 2] = ["x86_64-pc-windows-gnu", "aarch64-apple-darwin"];

/// A target without std.
pub(crate) const BARE: &str = "x86_64-unknown-none";

/// Programs and targets.
pub(crate) fn everything() -> Result<()> {
    tools()?;
    targets()
}

/// The programs of [`TOOLS`].
pub(crate) fn tools() -> Result<()> {
    install(&TOOLS)
}

/// The program of [`BROWSER`].
pub(crate) fn browser() -> Result<()> {
    install(&BROWSER)
}

/// What the tray app is built and tested with.
pub(crate) fn window() -> Result<()> {
    install(&WINDOW)?;
    if has_webkit() { Ok(()) } else { install_all(&[&WEBKIT]) }
}

/// Whether the library that shows the window is here.
pub(crate) fn has_webkit() -> bool {
    let asked = Command::new("pkg-config").args(["--exists", WEBKIT.program]).status();
    asked.is_ok_and(|status| status.success())
}

/// The programs of [`ELSEWHERE`].
pub(crate) fn elsewhere() -> Result<()> {
    install(&ELSEWHERE)
}

/// The programs of [`PICTURES`].
pub(crate) fn pictures() -> Result<()> {
    install(&PICTURES)
}

fn install(tools: &[Tool]) -> Result<()> {
    let to_be_had = |tool: &&Tool| tool.fedora.is_some() || !exists("dnf");
    let missing: Vec<&Tool> = tools.iter().filter(to_be_had).filter(|tool| !exists(tool.program)).collect();
    install_all(&missing)
}

fn install_all(missing: &[&Tool]) -> Result<()> {
    if missing.is_empty() {
        return Ok(());
    }
    let commands = install_commands(missing)?;
    let typed: Vec<String> = commands.iter().map(describe).collect();
    if !is_root() {
        bail!("programs are missing; as root, type:\n  {}", typed.join(" && "));
    }
    for mut command in commands {
        println!("installing: {}", describe(&command));
        succeed(&mut command)?;
    }
    Ok(())
}

fn install_commands(missing: &[&Tool]) -> Result<Vec<Command>> {
    let mut packages: Vec<&str>;
    if exists("apt-get") {
        packages = missing.iter().map(|tool| tool.debian).collect();
        packages.dedup();
        let mut update = Command::new("apt-get");
        update.args(["update", "-qq"]);
        let mut install = Command::new("apt-get");
        // The packages' own services have no business on a developer's machine; only their programs are used.
        install.env("DEBIAN_FRONTEND", "noninteractive").env("RUNLEVEL", "1");
        install.args(["install", "-y", "-qq", "--no-install-recommends"]).args(packages);
        return Ok(vec![update, install]);
    }
    if exists("dnf") {
        packages = missing.iter().filter_map(|tool| tool.fedora).collect();
        packages.dedup();
        let mut install = Command::new("dnf");
        install.args(["install", "-y"]).args(packages);
        return Ok(vec![install]);
    }
    let programs: Vec<&str> = missing.iter().map(|tool| tool.program).collect();
    bail!("neither apt-get nor dnf is here; install these programs: {}", programs.join(", "))
}

/// The targets of [`TARGETS`], and [`BARE`].
pub(crate) fn targets() -> Result<()> {
    for target in TARGETS.into_iter().chain([BARE]) {
        // Does nothing, quickly, when it is there.
        let mut command = Command::new("rustup");
        command.args(["--quiet", "target", "add", target]);
        if let Err(error) = succeed(&mut command) {
            bail!("{error:#}\nthe target {target} is missing; type:\n  {}", describe(&command));
        }
    }
    Ok(())
}

/// Whether we may install, and build namespaces.
pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}
