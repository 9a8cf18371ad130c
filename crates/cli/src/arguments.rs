use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Heading of what every verb takes.
const EVERYWHERE: &str = "Everywhere";

/// The same table is in `docs/cli.md`.
pub(crate) const EXIT_CODES: &str = "\
Exit codes of check:
  0   good: IPv4 works, or others provide it
  10  limited              13  conflict with another program or host
  11  not working          14  paused
  12  no network           15  checking, ask again
Exit codes of all verbs:
  0   done                 4   not allowed, or locked by a policy
  1   internal error       5   not in time (wait)
  2   wrong usage          20  a configuration or policy is wrong
  3   no service";

/// Shows whether IPv4 works on this computer, and why or why not
#[derive(Debug, Parser)]
#[command(name = "everclat", version, after_help = EXIT_CODES)]
pub(crate) struct Arguments {
    /// Where the service listens
    #[arg(long, global = true, help_heading = EVERYWHERE, value_name = "PATH", env = "EVERCLAT_SOCKET", default_value = ipc::default_endpoint())]
    pub(crate) socket: PathBuf,

    /// Print JSON
    #[arg(long, global = true, help_heading = EVERYWHERE)]
    pub(crate) json: bool,

    /// Print JSON on one line
    #[arg(long, global = true, help_heading = EVERYWHERE)]
    pub(crate) compact: bool,

    /// No colours, even on a terminal; as the variable NO_COLOR
    #[arg(long, global = true, help_heading = EVERYWHERE)]
    pub(crate) no_color: bool,

    /// Only what was asked for: no progress, and no word where the exit code says it
    #[arg(short, long, global = true, help_heading = EVERYWHERE)]
    pub(crate) quiet: bool,

    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show the state now
    Status(StatusOptions),
    /// Say in one line, and by exit code, whether IPv4 works
    #[command(after_help = EXIT_CODES)]
    Check(CheckOptions),
    /// Show every change, until interrupted; with --json one status a line
    Watch(WatchOptions),
    /// Wait until IPv4 is there; exit code 5 if it is not in time
    Wait(WaitOptions),
    /// Take everything down, look at the network anew, and put it up again
    Rearm,
    /// Show when and why IPv4 was armed again, what was done, and how long it was away
    History,
    /// Leave IPv4 alone for a while
    Pause(PauseOptions),
    /// End a pause
    Resume,
    /// Show and change settings
    Config(ConfigOptions),
    /// Show and check the administrator's policies
    Policy {
        #[command(subcommand)]
        verb: PolicyVerb,
    },
    /// Show the service's log, or log more for a while
    Log(LogOptions),
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Show the versions of this program and of the service
    Version,
    /// An IPv6-only network in namespaces, to see how programs behave without IPv4 (root)
    Lab(lab::cli::LabArgs),
    /// A part of a running lab
    #[command(hide = true)]
    LabNode {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
}

#[derive(Args, Debug)]
pub(crate) struct StatusOptions {
    /// Also the uplink in reserve, drops, all prefixes, interfaces and resolvers
    #[arg(short, long)]
    pub(crate) verbose: bool,

    /// Only what concerns this interface
    #[arg(long, value_name = "NAME")]
    pub(crate) iface: Option<String>,
}

#[derive(Args, Debug)]
pub(crate) struct WatchOptions {
    /// Only what happens: each re-arming and each new state; with --json one event a line
    #[arg(long)]
    pub(crate) events: bool,
}

#[derive(Args, Debug)]
pub(crate) struct CheckOptions {
    /// Exit code 0 for healthy, 1 for anything else
    #[arg(long)]
    pub(crate) binary: bool,

    /// The line in Jamf's extension attribute tags
    #[arg(long)]
    pub(crate) jamf_ea: bool,
}

#[derive(Args, Debug)]
pub(crate) struct ConfigOptions {
    /// The configuration file
    #[arg(long, global = true, value_name = "FILE", default_value = DEFAULT_CONFIG)]
    pub(crate) file: PathBuf,

    #[command(subcommand)]
    pub(crate) verb: ConfigVerb,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigVerb {
    /// Show every setting in force, with its origin
    List,
    /// Show one setting in force
    Get {
        /// The key
        key: String,
    },
    /// Change a setting in the file and have the service take it (administrators)
    Set {
        /// The key
        key: String,
        /// The value, such as true, 1400, strict or 64:ff9b::/96; lists with commas
        value: String,
    },
    /// Take a setting out of the file, so that its default holds (administrators)
    Unset {
        /// The key
        key: String,
    },
    /// Check a file without using it
    Validate {
        /// The file
        path: PathBuf,
    },
    /// Say what a key is for and what it may be; needs no service
    Explain {
        /// The key
        key: String,
    },
}

#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct LogOptions {
    /// Go on with what happens, until interrupted
    #[arg(short, long)]
    pub(crate) follow: bool,

    /// Only what matters so much; debug and trace for administrators
    #[arg(long, value_enum)]
    pub(crate) level: Option<Level>,

    /// Only what is younger, such as 10m or 2h
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(crate) since: Option<Duration>,

    #[command(subcommand)]
    pub(crate) verb: Option<LogVerb>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum LogVerb {
    /// Log more, or less, for a while (administrators)
    Level {
        /// How much
        #[arg(value_enum)]
        level: Level,

        /// For how long, such as 10m or 2h
        #[arg(long = "for", value_name = "TIME", value_parser = duration, default_value = "10m")]
        time: Duration,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Level {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

impl From<Level> for ipc::LogLevel {
    fn from(level: Level) -> Self {
        match level {
            Level::Error => Self::Error,
            Level::Warn => Self::Warn,
            Level::Info => Self::Info,
            Level::Debug => Self::Debug,
            Level::Trace => Self::Trace,
        }
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum PolicyVerb {
    /// Show every setting in force, with its origin and lock
    List,
    /// Check a file without using it; exit code 20 when something in it is wrong
    Validate {
        /// The file
        path: PathBuf,
    },
    /// Have the service read its policies now (administrators)
    Reload,
}

#[cfg(windows)]
const DEFAULT_CONFIG: &str = r"C:\ProgramData\Everclat\config.toml";
#[cfg(target_os = "macos")]
const DEFAULT_CONFIG: &str = "/Library/Application Support/Everclat/config.toml";
#[cfg(all(unix, not(target_os = "macos")))]
const DEFAULT_CONFIG: &str = "/etc/everclat/config.toml";

#[derive(Args, Debug)]
pub(crate) struct PauseOptions {
    /// How long, such as 30m or 1h; a bare number is seconds
    #[arg(long = "for", value_name = "TIME", value_parser = duration, default_value = "30m")]
    pub(crate) length: Duration,

    /// Until resumed (administrators, or where PauseMaxMinutes is 0)
    #[arg(long, conflicts_with = "length")]
    pub(crate) indefinitely: bool,

    /// Why; shown in the status
    #[arg(long, default_value = "")]
    pub(crate) reason: String,
}

#[derive(Args, Debug)]
pub(crate) struct WaitOptions {
    /// What to wait for
    #[arg(long = "for", value_enum, default_value_t = Goal::Ready)]
    pub(crate) goal: Goal,

    /// How long, such as 10s, 500ms or 2m; a bare number is seconds
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "30s")]
    pub(crate) timeout: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Goal {
    /// Armed, or IPv4 is provided by others
    Ready,
    /// Replies were seen, or IPv4 is provided by others
    Working,
}

fn duration(text: &str) -> Result<Duration, String> {
    if let Ok(seconds) = text.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).map_err(|_| format!("`{text}` is no usable number of seconds"));
    }
    humantime::parse_duration(text).map_err(|_| format!("`{text}` is no time; write for example 10s, 500ms or 2m"))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn json_on_one_line_may_be_asked_for_before_or_behind_the_verb() {
        for line in [["everclat", "--compact", "check"], ["everclat", "check", "--compact"]] {
            assert!(Arguments::try_parse_from(line).is_ok_and(|arguments| arguments.compact), "{line:?}");
        }
    }

    #[test]
    fn times() {
        assert_eq!(duration("10s"), Ok(Duration::from_secs(10)));
        assert_eq!(duration("1.5"), Ok(Duration::from_millis(1500)));
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        for bad in ["", "-1", "soon", "1e400"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }
}
