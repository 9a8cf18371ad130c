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
        Self::of_both(status.state, Some(status.code))
    }

    /// The health that state and code stand for, if the code is known here.
    pub(crate) const fn of_both(state: State, code: Option<Code>) -> Self {
        if let Some(Code::Conflict | Code::AddressConflict) = code {
            return Self::Conflict;
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    /// `check` tells these, whatever else is in the status; helpdesks and scripts have them by heart.
    #[test]
    fn health_of_every_state_and_code() {
        let of_state = [
            (State::Working, 0),
            (State::StandbyNative, 0),
            (State::StandbyOs, 0),
            (State::Limited, 10),
            (State::Down, 11),
            (State::NoNetwork, 12),
            (State::Paused, 14),
            (State::Checking, 15),
        ];
        let mut status = crate::text::tests::working();
        for (state, number) in of_state {
            for code in Code::ALL {
                (status.state, status.code) = (state, *code);
                let expected = if matches!(code.number(), 603 | 605) { 13 } else { number };
                assert_eq!(Exit::of(&status).number(), expected, "{state:?} {code}");
                // Ready for `wait` is what `check` calls good, and IPv4 that limps.
                if expected != 13 {
                    assert_eq!(status.is_ready(), matches!(expected, 0 | 10), "{state:?} {code}");
                }
            }
        }
    }

    #[test]
    fn every_number_is_in_the_table_for_users() {
        let table = include_str!("../../../docs/cli.md");
        for exit in [
            Exit::Good,
            Exit::Internal,
            Exit::Usage,
            Exit::Unreachable,
            Exit::Denied,
            Exit::Timeout,
            Exit::Limited,
            Exit::Down,
            Exit::NoNetwork,
            Exit::Conflict,
            Exit::Paused,
            Exit::Checking,
            Exit::Invalid,
        ] {
            let number = exit.number();
            assert!(table.contains(&format!("\n| {number} |")), "{exit:?}");
            let listed = crate::arguments::EXIT_CODES.split([' ', '\n']).any(|word| word == number.to_string());
            assert!(listed, "{exit:?} in --help");
        }
    }
}
