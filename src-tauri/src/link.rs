//! The connection to the service: does what the controller asks, and tells it what came of it. Nothing piles up: a service that changes faster
//! than anybody reads says only what holds when it is read.

use std::path::PathBuf;

use ipc::{Client, ClientError, Control};
use tokio::sync::mpsc;

use crate::controller::{Event, Lost};
use crate::view::{ActionName, Failed, FailedKind};

/// Our name at the service.
const PROGRAM: &str = concat!("everclat-tray ", env!("CARGO_PKG_VERSION"));

/// Where the service listens, and where to tell what it says.
#[derive(Clone, Debug)]
pub struct Link {
    socket: PathBuf,
    events: mpsc::Sender<Event>,
}

/// A question beside the watch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    /// The status.
    Status,
    /// The settings.
    Settings,
}

impl Link {
    /// A link to the service at `socket` that tells `events`.
    #[must_use]
    pub fn new(socket: PathBuf, events: mpsc::Sender<Event>) -> Self {
        Self { socket, events }
    }

    /// Connects and follows the status until the connection ends; the last event is [`Event::Lost`].
    pub async fn watch(self) {
        let error = match self.try_watch().await {
            Ok(()) => return,
            Err(error) => error,
        };
        self.tell(Event::Lost(lost(&error))).await;
    }

    async fn try_watch(&self) -> Result<(), ClientError> {
        let mut client = Client::connect(&self.socket, PROGRAM).await?;
        let hello = client.service().clone();
        let administrator = hello.administrator.unwrap_or(false);
        self.tell(Event::Connected { program: hello.program, protocol: hello.protocol, administrator }).await;
        match client.settings().await {
            Ok(report) => self.tell(Event::Settings(report)).await,
            // Settings of a newer service: the status may well be understood.
            Err(ClientError::Newer { .. }) => true,
            Err(error) => return Err(error),
        };
        client.watch().await?;
        loop {
            let event = match client.next().await {
                Ok(status) => Event::Heard(Box::new(status)),
                Err(ClientError::Newer { .. }) => Event::NotUnderstood,
                Err(error) => return Err(error),
            };
            if !self.tell(event).await {
                return Ok(());
            }
        }
    }

    /// Answers questions until there are no more, over one connection, which is made when it is needed.
    pub async fn answer(self, mut questions: mpsc::Receiver<Question>) {
        let mut client = None;
        while let Some(question) = questions.recv().await {
            // No answer is no news: how it stands with the service is told by the watch.
            match self.ask(client.take(), question).await {
                Ok((connected, event)) => {
                    client = Some(connected);
                    self.tell(event).await;
                }
                Err(error) => tracing::debug!(%error, "a question was not answered"),
            }
        }
    }

    async fn ask(&self, client: Option<Client>, question: Question) -> Result<(Client, Event), ClientError> {
        let mut client = match client {
            Some(client) => client,
            None => Client::connect(&self.socket, PROGRAM).await?,
        };
        let event = match question {
            Question::Status => Event::Refreshed(Box::new(client.status().await?)),
            Question::Settings => Event::Settings(client.settings().await?),
        };
        Ok((client, event))
    }

    /// Has the service do something; the event is [`Event::Ended`].
    pub async fn control(self, control: Control) {
        let result = match Client::connect(&self.socket, PROGRAM).await {
            Ok(mut client) => client.control(control).await,
            Err(error) => Err(error),
        };
        self.tell(Event::Ended(result.map_err(|error| failed(&error)))).await;
    }

    /// Says whether anybody still listens.
    async fn tell(&self, event: Event) -> bool {
        self.events.send(event).await.is_ok()
    }
}

fn lost(error: &ClientError) -> Lost {
    match error {
        ClientError::NotRunning { .. } => Lost::NotRunning(error.to_string()),
        ClientError::Denied { .. } | ClientError::NotAllowed(_) => Lost::Denied(error.to_string()),
        ClientError::VersionSkew(skew) if skew.service_is_newer => Lost::TooNew(skew.service.clone()),
        ClientError::VersionSkew(skew) => Lost::TooOld(skew.service.clone()),
        ClientError::Newer { .. } | ClientError::Refused(_) | ClientError::Silent | ClientError::Broken(_) => {
            Lost::Broken(error.to_string())
        }
    }
}

/// The controller knows better which action it was.
fn failed(error: &ClientError) -> Failed {
    let kind = match error {
        ClientError::NotAllowed(_) | ClientError::Denied { .. } => FailedKind::Denied,
        ClientError::Refused(_) | ClientError::VersionSkew(_) | ClientError::Newer { .. } => FailedKind::Refused,
        ClientError::NotRunning { .. } | ClientError::Silent | ClientError::Broken(_) => FailedKind::Unreachable,
    };
    Failed { action: ActionName::Rearm, kind, message: error.to_string() }
}
