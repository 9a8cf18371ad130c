use std::process::ExitCode;

use ipc::ClientError;
use model::{Code, State, Status};

/// Exit codes; scripts rely on the numbers. 2 is clap's, for bad usage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    Good,
    Internal,
    Unreachable,
    Denied,
    Timeout,
    Limited,
    Down,
    NoNetwork,
    Conflict,
    Paused,
    Checking,
    Usage,
    Invalid,
}

impl Exit {
    pub(crate) const fn number(self) -> u8 {
        match self {
            Self::Good => 0,
            Self::Internal => 1,
            Self::Unreachable => 3,
            Self::Denied => 4,
            Self::Timeout => 5,
            Self::Limited => 10,
            Self::Down => 11,
            Self::NoNetwork => 12,
            Self::Conflict => 13,
            Self::Paused => 14,
            Self::Checking => 15,
            Self::Usage => 2,
            Self::Invalid => 20,
        }
    }
}

impl Exit {
    /// The health that a status stands for.
    pub(crate) fn of(status: &Status) -> Self {
        if matches!(status.code, Code::Conflict | Code::AddressConflict) {
            return Self::Conflict;
        }
        Self::of_state(status.state)
    }

    /// The health that a state stands for.
    pub(crate) const fn of_state(state: State) -> Self {
        match state {
            State::Working | State::StandbyNative | State::StandbyOs => Self::Good,
            State::Limited => Self::Limited,
            State::Down => Self::Down,
            State::NoNetwork => Self::NoNetwork,
            State::Paused => Self::Paused,
            State::Checking => Self::Checking,
        }
    }
}

impl From<&ClientError> for Exit {
    fn from(error: &ClientError) -> Self {
        match error {
            ClientError::NotRunning { .. } | ClientError::Silent | ClientError::Broken(_) => Self::Unreachable,
            ClientError::Denied { .. } | ClientError::NotAllowed(_) => Self::Denied,
            ClientError::VersionSkew(_) | ClientError::Newer { .. } | ClientError::Refused(_) => Self::Internal,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        exit.number().into()
    }
}

/// What to do about it.
pub(crate) fn hint(error: &ClientError) -> Option<&'static str> {
    match error {
        ClientError::NotRunning { .. } => {
            Some("Start it: systemctl start everclatd, or by hand as root: everclatd run")
        }
        ClientError::Silent => Some("Restart it: systemctl restart everclatd"),
        ClientError::Denied { .. }
        | ClientError::NotAllowed(_)
        | ClientError::VersionSkew(_)
        | ClientError::Newer { .. }
        | ClientError::Refused(_)
        | ClientError::Broken(_) => None,
    }
}
