use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use interprocess::local_socket::tokio::{Stream, prelude::*};
use model::Status;
use serde::Deserialize;
use serde_json::Value;
use thiserror::Error;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::log::{LogBatch, LogLevel};
use crate::message::{Control, Hello, MIN_PROTOCOL, PROTOCOL, Refusal, RefusalKind, Reply, Request, SettingsReport};
use crate::transport::{Connection, MAX_REPLY, name};

/// A service on this machine answers in a millisecond; one that does not in this time hangs.
const ANSWER: Duration = Duration::from_secs(5);

/// After the service's queue was full, or it had to make room before this client's turn came.
const CONNECT_AGAIN: Duration = Duration::from_millis(5);

/// The first protocol with a log.
const LOG_PROTOCOL: u32 = 2;

/// Why the service could not be asked.
#[derive(Debug, Error)]
pub enum ClientError {
    /// Nobody listens there.
    #[error("the Everclat service is not running (nobody listens at {})", path.display())]
    NotRunning {
        /// The endpoint.
        path: PathBuf,
    },
    /// This user may not connect.
    #[error("no permission to connect to {}", path.display())]
    Denied {
        /// The endpoint.
        path: PathBuf,
    },
    /// Client and service are of versions that do not understand each other.
    #[error("the service and this program differ in version: {}; update both", .0.message)]
    VersionSkew(Skew),
    /// The service says something that this program does not know.
    #[error("the service is newer than this program, which does not understand it ({why}); update this program")]
    Newer {
        /// What it said.
        said: Box<Value>,
        /// What is not understood.
        why: String,
    },
    /// This user may not do that.
    #[error("{0}")]
    NotAllowed(String),
    /// The service refused.
    #[error("the service refused: {0}")]
    Refused(String),
    /// The service does not answer.
    #[error("the service did not answer within {} s", ANSWER.as_secs())]
    Silent,
    /// The connection broke.
    #[error("{}", broken(.0))]
    Broken(#[from] io::Error),
}

/// Which side is too old for the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skew {
    /// Whether it is this program; else it is the service.
    pub service_is_newer: bool,
    /// The service's name and version, as far as it told.
    pub service: String,
    /// For people.
    pub message: String,
}

/// An end without a word is what a service that is stopped leaves behind.
fn broken(error: &io::Error) -> String {
    const ENDED: [io::ErrorKind; 3] =
        [io::ErrorKind::UnexpectedEof, io::ErrorKind::ConnectionReset, io::ErrorKind::BrokenPipe];
    if ENDED.contains(&error.kind()) {
        return "the service has closed the connection; it was stopped, or is starting anew".to_owned();
    }
    format!("the connection to the service broke: {error}")
}

/// A status as the service said it, and as this program understands it.
#[derive(Clone, Debug, PartialEq)]
pub struct Heard {
    /// The document, with fields that only a newer service has.
    pub document: Value,
    /// The status in it.
    pub status: Box<Status>,
}

/// A connection to the service.
#[derive(Debug)]
pub struct Client {
    connection: Connection,
    service: Hello,
}

impl Client {
    /// Connects and says hello; `program` is this program's name and version.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn connect(path: &Path, program: &str) -> Result<Self, ClientError> {
        let deadline = Instant::now() + ANSWER;
        loop {
            let result =
                timeout_at(deadline, Self::try_connect(path, program)).await.unwrap_or(Err(ClientError::Silent));
            match result {
                // In a crowd: the queue was full, or the place went to somebody else before the hello came.
                Err(ClientError::Broken(error)) if crowded_out(&error) && Instant::now() + CONNECT_AGAIN < deadline => {
                    sleep(CONNECT_AGAIN).await;
                }
                result => return result,
            }
        }
    }

    async fn try_connect(path: &Path, program: &str) -> Result<Self, ClientError> {
        let stream = Stream::connect(name(path)?).await.map_err(|error| connect_error(path, error))?;
        let mut connection = Connection::new(stream, MAX_REPLY);
        connection.send(&Hello { protocol: PROTOCOL, program: program.to_owned(), administrator: None }).await?;
        match answer(&mut connection).await? {
            Reply::Hello(service) if (MIN_PROTOCOL..=PROTOCOL).contains(&service.protocol) => {
                Ok(Self { connection, service })
            }
            Reply::Hello(service) => Err(ClientError::VersionSkew(Skew {
                service_is_newer: service.protocol > PROTOCOL,
                message: format!(
                    "{} speaks protocol {}, this program {MIN_PROTOCOL} to {PROTOCOL}",
                    service.program, service.protocol
                ),
                service: service.program,
            })),
            Reply::Status(_) | Reply::Settings(_) | Reply::Log(_) | Reply::Done => Err(unexpected()),
            Reply::Refused(refusal) => Err(refused(refusal)),
        }
    }

    /// The service's hello.
    #[must_use]
    pub fn service(&self) -> &Hello {
        &self.service
    }

    /// The status now.
    ///
    /// # Errors
    /// See [`ClientError`]; [`ClientError::Newer`] still holds the document.
    pub async fn status(&mut self) -> Result<Status, ClientError> {
        Ok(*self.hear().await?.status)
    }

    /// The status now, with its document.
    ///
    /// # Errors
    /// As [`status`](Self::status).
    pub async fn hear(&mut self) -> Result<Heard, ClientError> {
        self.connection.send(&Request::Status).await?;
        heard(answered(&mut self.connection).await?)
    }

    /// Every setting with value, origin and lock, and what is wrong with configuration and policies.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn settings(&mut self) -> Result<SettingsReport, ClientError> {
        self.connection.send(&Request::Settings).await?;
        match answer(&mut self.connection).await? {
            Reply::Settings(report) => Ok(report),
            Reply::Refused(refusal) => Err(refused(refusal)),
            Reply::Hello(_) | Reply::Status(_) | Reply::Log(_) | Reply::Done => Err(unexpected()),
        }
    }

    /// Has the service change something.
    ///
    /// # Errors
    /// See [`ClientError`]; [`ClientError::NotAllowed`] when this user may not.
    pub async fn control(&mut self, control: Control) -> Result<(), ClientError> {
        self.connection.send(&Request::Control(control)).await?;
        match answer(&mut self.connection).await? {
            Reply::Done => Ok(()),
            Reply::Refused(refusal) => Err(refused(refusal)),
            Reply::Hello(_) | Reply::Status(_) | Reply::Settings(_) | Reply::Log(_) => Err(unexpected()),
        }
    }

    /// Asks for the log: what is of `level` or matters more (`None`: all that this user may read) and, with `since`, is
    /// not older than that. Read it with [`next_log`](Self::next_log).
    ///
    /// # Errors
    /// See [`ClientError`]; [`ClientError::VersionSkew`] when the service is too old to have a log.
    pub async fn log(
        &mut self,
        follow: bool,
        level: Option<LogLevel>,
        since: Option<Duration>,
    ) -> Result<(), ClientError> {
        self.needs(LOG_PROTOCOL, "its log")?;
        let since_s = since.map(|since| since.as_secs());
        Ok(self.connection.send(&Request::Log { follow, level, since_s }).await?)
    }

    /// The next entries; waits for some when following.
    ///
    /// # Errors
    /// See [`ClientError`]; [`ClientError::NotAllowed`] when this user may not read them.
    pub async fn next_log(&mut self) -> Result<LogBatch, ClientError> {
        match understand(self.connection.receive().await?.ok_or_else(ended)?)? {
            Reply::Log(batch) => Ok(batch),
            Reply::Refused(refusal) => Err(refused(refusal)),
            Reply::Hello(_) | Reply::Status(_) | Reply::Settings(_) | Reply::Done => Err(unexpected()),
        }
    }

    /// Has the service log more or less for a while.
    ///
    /// # Errors
    /// As [`control`](Self::control) and [`log`](Self::log).
    pub async fn log_level(&mut self, level: LogLevel, time: Duration) -> Result<(), ClientError> {
        self.needs(LOG_PROTOCOL, "a log level that can be changed")?;
        self.control(Control::LogLevel { level, seconds: time.as_secs() }).await
    }

    fn needs(&self, protocol: u32, what: &str) -> Result<(), ClientError> {
        let Hello { protocol: spoken, program, .. } = &self.service;
        if *spoken >= protocol {
            return Ok(());
        }
        Err(ClientError::VersionSkew(Skew {
            service_is_newer: false,
            service: program.clone(),
            message: format!("{program} is older than this program and does not offer {what}"),
        }))
    }

    /// Asks for the status now and after every change; read them with [`next`](Self::next).
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn watch(&mut self) -> Result<(), ClientError> {
        Ok(self.connection.send(&Request::Watch).await?)
    }

    /// The next status of a watch; waits as long as nothing changes.
    ///
    /// # Errors
    /// See [`ClientError`]; the service's end is [`ClientError::Broken`]. After [`ClientError::Newer`] the watch goes on.
    pub async fn next(&mut self) -> Result<Status, ClientError> {
        Ok(*self.hear_next().await?.status)
    }

    /// The next status of a watch, with its document.
    ///
    /// # Errors
    /// As [`next`](Self::next).
    pub async fn hear_next(&mut self) -> Result<Heard, ClientError> {
        heard(self.connection.receive().await?.ok_or_else(ended)?)
    }
}

fn connect_error(path: &Path, error: io::Error) -> ClientError {
    let path = path.to_owned();
    if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) {
        ClientError::NotRunning { path }
    } else if error.kind() == io::ErrorKind::PermissionDenied {
        ClientError::Denied { path }
    } else {
        ClientError::Broken(error)
    }
}

fn crowded_out(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionReset, NotConnected, UnexpectedEof, WouldBlock};
    // With a full queue Linux says EAGAIN, which interprocess takes for a connection on its way and finds there is none.
    matches!(error.kind(), BrokenPipe | ConnectionReset | NotConnected | UnexpectedEof | WouldBlock)
}

/// The answer as JSON.
async fn answered(connection: &mut Connection) -> Result<Value, ClientError> {
    match timeout(ANSWER, connection.receive()).await {
        Ok(reply) => reply?.ok_or_else(ended),
        Err(_) => Err(ClientError::Silent),
    }
}

async fn answer(connection: &mut Connection) -> Result<Reply, ClientError> {
    understand(answered(connection).await?)
}

fn understand(said: Value) -> Result<Reply, ClientError> {
    Reply::deserialize(&said).map_err(|error| ClientError::Newer { said: Box::new(said), why: error.to_string() })
}

fn heard(mut said: Value) -> Result<Heard, ClientError> {
    let understood = understand(said.clone());
    // What is left is the document as it is promised to scripts.
    let is_status = said.get("reply").is_some_and(|reply| reply == "status");
    if let (true, Some(fields)) = (is_status, said.as_object_mut()) {
        fields.shift_remove("reply");
    }
    match understood {
        Ok(Reply::Status(status)) => Ok(Heard { document: said, status }),
        Ok(Reply::Refused(refusal)) => Err(refused(refusal)),
        Ok(Reply::Hello(_) | Reply::Settings(_) | Reply::Log(_) | Reply::Done) => Err(unexpected()),
        Err(ClientError::Newer { why, .. }) if is_status => Err(ClientError::Newer { said: Box::new(said), why }),
        Err(error) => Err(error),
    }
}

fn refused(refusal: Refusal) -> ClientError {
    match refusal.kind {
        // It no longer speaks what this program speaks. Its name comes first in what it says.
        RefusalKind::Version => ClientError::VersionSkew(Skew {
            service_is_newer: true,
            service: refusal.message.split(" speaks ").next().unwrap_or_default().to_owned(),
            message: refusal.message,
        }),
        RefusalKind::Denied => ClientError::NotAllowed(refusal.message),
        RefusalKind::Malformed | RefusalKind::Stopping | RefusalKind::Unable | RefusalKind::Unknown => {
            ClientError::Refused(refusal.message)
        }
    }
}

fn ended() -> ClientError {
    ClientError::Broken(io::ErrorKind::UnexpectedEof.into())
}

fn unexpected() -> ClientError {
    ClientError::Broken(io::Error::new(io::ErrorKind::InvalidData, "an answer to another question"))
}
