use model::{ConfigProblem, SettingEntry, Status};
use serde::{Deserialize, Serialize};

use crate::log::{LogBatch, LogLevel};

/// Version of the protocol: raised with each change that an older peer would misunderstand. 2: the log.
pub const PROTOCOL: u32 = 2;

/// The oldest version the service still speaks (two back, once there are that many).
pub const MIN_PROTOCOL: u32 = 1;

/// The first message of both sides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// The protocol version spoken from now on. A client names the newest it knows; the service answers with the one
    /// to use, which is not newer than that.
    pub protocol: u32,
    /// The program and its version, for logs and people.
    pub program: String,
    /// Whether the service takes its client for an administrator, so that the client need not offer what would be refused. Absent from
    /// clients, who are not asked, and from older services.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub administrator: Option<bool>,
}

/// What a client asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "snake_case")]
pub enum Request {
    /// The status now.
    Status,
    /// The status now and after every change, until the client leaves.
    Watch,
    /// Every setting with value, origin and lock.
    Settings,
    /// The service's log, in batches (protocol 2).
    Log {
        /// Go on with what happens, until the client leaves.
        follow: bool,
        /// Only what matters so much; null: all that this client may read.
        level: Option<LogLevel>,
        /// Only what is younger; null: all there is.
        since_s: Option<u64>,
    },
    /// Change something; what this client may is decided by who it is.
    Control(Control),
}

/// What a client wants changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "control", rename_all = "snake_case")]
pub enum Control {
    /// Take everything down, look at the network anew, and put it up again.
    Rearm,
    /// Leave IPv4 alone for a while.
    Pause {
        /// How long; null: until resumed.
        seconds: Option<u64>,
        /// Why, in the person's words; may be empty.
        reason: String,
    },
    /// End a pause.
    Resume,
    /// Read configuration and policies again.
    Reload,
    /// Log more or less for a while (protocol 2).
    LogLevel {
        /// How much.
        level: LogLevel,
        /// For how long.
        seconds: u64,
    },
}

/// What the service answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "reply", rename_all = "snake_case")]
pub enum Reply {
    /// To the client's hello.
    Hello(Hello),
    /// The whole status.
    Status(Box<Status>),
    /// Every setting.
    Settings(SettingsReport),
    /// Some entries of the log.
    Log(LogBatch),
    /// It was done.
    Done,
    /// The request was not carried out.
    Refused(Refusal),
}

/// Every setting, and what is wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct SettingsReport {
    /// In the order of the documentation.
    pub settings: Vec<SettingEntry>,
    /// What is wrong with configuration and policies, and what in them has no effect; empty when nothing is.
    pub problems: Vec<String>,
    /// The same in parts; empty from a service that does not say.
    #[serde(default)]
    pub details: Vec<ConfigProblem>,
}

/// Why a request was not carried out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// What a program branches on.
    pub kind: RefusalKind,
    /// What a person reads.
    pub message: String,
}

/// What a program branches on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusalKind {
    /// The frame is no request of this protocol version.
    Malformed,
    /// The client's protocol version is not spoken here.
    Version,
    /// This user may not.
    Denied,
    /// The service is stopping.
    Stopping,
    /// It cannot be done here.
    Unable,
    /// A reason that a newer service has.
    #[serde(other)]
    Unknown,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The wire form binds: a client of one version talks to a service of another.
    #[test]
    fn wire_form() {
        let hello = Hello { protocol: 1, program: "everclat 0.1.0".into(), administrator: None };
        assert_eq!(serde_json::to_string(&hello).unwrap(), r#"{"protocol":1,"program":"everclat 0.1.0"}"#);
        assert_eq!(serde_json::to_string(&Request::Status).unwrap(), r#"{"request":"status"}"#);
        assert_eq!(serde_json::to_string(&Request::Watch).unwrap(), r#"{"request":"watch"}"#);
        let pause = Request::Control(Control::Pause { seconds: Some(60), reason: "call".into() });
        assert_eq!(
            serde_json::to_string(&pause).unwrap(),
            r#"{"request":"control","control":"pause","seconds":60,"reason":"call"}"#
        );
        assert_eq!(serde_json::to_string(&Reply::Done).unwrap(), r#"{"reply":"done"}"#);
        let log = Request::Log { follow: true, level: None, since_s: Some(60) };
        assert_eq!(
            serde_json::to_string(&log).unwrap(),
            r#"{"request":"log","follow":true,"level":null,"since_s":60}"#
        );
        let level = Request::Control(Control::LogLevel { level: LogLevel::Debug, seconds: 600 });
        assert_eq!(
            serde_json::to_string(&level).unwrap(),
            r#"{"request":"control","control":"log_level","level":"debug","seconds":600}"#
        );
        let refusal = Reply::Refused(Refusal { kind: RefusalKind::Version, message: "no".into() });
        assert_eq!(serde_json::to_string(&refusal).unwrap(), r#"{"reply":"refused","kind":"version","message":"no"}"#);
        let older = r#"{"reply":"hello","protocol":1,"program":"everclat 0.1.0"}"#;
        assert_eq!(serde_json::to_string(&Reply::Hello(hello.clone())).unwrap(), older);
        assert_eq!(serde_json::from_str::<Reply>(older).unwrap(), Reply::Hello(hello.clone()));
        let told = Reply::Hello(Hello { administrator: Some(true), ..hello });
        assert_eq!(
            serde_json::to_string(&told).unwrap(),
            r#"{"reply":"hello","protocol":1,"program":"everclat 0.1.0","administrator":true}"#
        );
    }
}
