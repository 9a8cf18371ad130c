use std::path::PathBuf;

use clap::Args;

use crate::os;

/// How `everclatd run` was called.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// Configuration file (TOML); it may be absent
    #[arg(long, value_name = "FILE", default_value = os::DEFAULT_CONFIG)]
    pub config: PathBuf,

    /// Directory of the administrator's policies (*.json); it may be absent
    #[arg(long, value_name = "DIR", default_value = os::DEFAULT_POLICY_DIR)]
    pub policy_dir: PathBuf,

    /// Directory for what survives a restart
    #[arg(long, value_name = "DIR", default_value = os::DEFAULT_STATE_DIR)]
    pub state_dir: PathBuf,

    /// Where clients connect
    #[arg(long, value_name = "PATH", env = "EVERCLAT_SOCKET", default_value = ipc::default_endpoint())]
    pub socket: PathBuf,
}
