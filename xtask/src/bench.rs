//! `cargo xtask bench`: Everclat beside native IPv6 and other translators, into docs/performance.md.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};

use crate::install;
use crate::run::{binary, build, cargo, succeed, target_directory, top};

const DOCUMENT: &str = "docs/performance.md";
const PLOT: &str = "docs/images/performance.svg";

/// Options of `cargo xtask bench`.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// How often each contender has its turn
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Of the cable: all, those of the receiver, or none
    #[arg(long, value_enum, default_value_t = Offloads::On)]
    offloads: Offloads,
    /// Another translator that takes TAYGA's configuration file
    #[arg(long)]
    peer: Vec<PathBuf>,
    /// Another build's everclatd, to be compared in the same rounds; leaves the documents as they are
    #[arg(long)]
    build: Vec<PathBuf>,
    /// Only a part of the measurements; leaves the documents as they are
    #[arg(long, value_enum, default_value_t = Part::All)]
    part: Part,
    /// Only look: leave the documents as they are
    #[arg(long)]
    dry: bool,
}

/// Which of `everclat-bench`, by the same names; each has a table of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Offloads {
    On,
    Wire,
    Off,
}

/// Which of `everclat-bench`, by the same names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    All,
    Tcp,
    Udp,
}

impl Part {
    fn name(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        }
    }
}

impl Offloads {
    fn name(self) -> &'static str {
        match self {
            Self::On => "on",
            Self::Wire => "wire",
            Self::Off => "off",
        }
    }
}

/// Measures for several minutes; the machine should have nothing else to do.
pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    ensure!(install::is_root(), "network namespaces need root; type: sudo -E cargo xtask bench");
    install::tools()?;
    build()?;
    succeed(&mut cargo(&["build", "--release", "--locked", "-p", "everclat-bench"]))?;
    let directory = target_directory().join("bench");
    std::fs::create_dir_all(&directory)?;
    let mut command = std::process::Command::new(binary("everclat-bench"));
    command.env("EVERCLAT_BIN_DIR", binary("").as_os_str());
    command.args(["--rounds", &options.rounds.to_string(), "--into"]).arg(&directory);
    command.args(["--offloads", options.offloads.name(), "--part", options.part.name()]);
    for build in &options.build {
        command.arg("--build").arg(std::path::absolute(build)?);
    }
    for peer in &options.peer {
        command.arg("--peer").arg(peer);
    }
    succeed(&mut command)?;
    if !options.dry && options.part == Part::All && options.build.is_empty() {
        let name = format!("offloads {}", options.offloads.name());
        let file = top().join(DOCUMENT);
        let old = std::fs::read_to_string(&file).with_context(|| format!("reading {DOCUMENT}"))?;
        std::fs::write(&file, with_table(&old, &name, &std::fs::read_to_string(directory.join("table.md"))?)?)?;
        if options.offloads == Offloads::On {
            std::fs::copy(directory.join("plot.svg"), top().join(PLOT))?;
        }
        println!("{DOCUMENT} is refreshed");
    }
    Ok(ExitCode::SUCCESS)
}

/// The document with what lies between the marks of `name` replaced.
fn with_table(document: &str, name: &str, table: &str) -> Result<String> {
    let (begin, end) = marks(name);
    let (before, rest) = document.split_once(&begin).with_context(|| format!("{DOCUMENT} has no line {begin:?}"))?;
    let (_, after) = rest.split_once(&end).with_context(|| format!("{DOCUMENT} has no line {end:?}"))?;
    Ok(format!("{before}{begin}\n{}\n{end}{after}", table.trim()))
}

fn marks(name: &str) -> (String, String) {
    (
        format!("<!-- bench, {name}: begin; `cargo xtask bench` replaces this -->"),
        format!("<!-- bench, {name}: end -->"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_between_the_marks_changes() {
        let (begin, end) = marks("offloads on");
        let document = format!("before\n{begin}\nold\n{end}\nafter\n");
        assert_eq!(
            with_table(&document, "offloads on", "new\n").unwrap(),
            format!("before\n{begin}\nnew\n{end}\nafter\n")
        );
        assert!(with_table(&document, "offloads off", "new").is_err());
    }

    #[test]
    fn the_document_has_both_tables() {
        let document = std::fs::read_to_string(top().join(DOCUMENT)).unwrap();
        for name in ["offloads on", "offloads wire", "offloads off"] {
            assert!(with_table(&document, name, "").is_ok(), "{name}");
        }
    }
}
