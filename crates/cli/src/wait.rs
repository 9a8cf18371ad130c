use std::time::{Duration, Instant};

use ipc::{Client, ClientError};
use model::Status;
use tokio::time::{sleep, timeout_at};

use crate::arguments::{Arguments, Goal, WaitOptions};
use crate::exit::Exit;
use crate::progress::NOTICEABLE;
use crate::status::json;
use crate::text::title;
use crate::version::PROGRAM;

/// At boot the service may start after whoever waits for it.
const CONNECT_AGAIN: Duration = Duration::from_millis(20);

/// Waits for the goal. Exit 0 when it is reached; 5 when the time is over; 3 when there was no service all the time.
pub(crate) async fn run(arguments: &Arguments, options: &WaitOptions) -> Result<Exit, ClientError> {
    let begin = Instant::now();
    let deadline = tokio::time::Instant::from_std(begin) + options.timeout;
    let mut waiting =
        Waiting { goal: options.goal, last: None, error: None, begin, said: None, quiet: arguments.quiet };
    if let Ok(status) = timeout_at(deadline, waiting.reached(arguments)).await {
        if arguments.json {
            anstream::println!("{}", json(&status, arguments.compact));
        }
        return Ok(Exit::Good);
    }
    match (waiting.last, waiting.error) {
        (Some(status), _) => {
            if arguments.json {
                anstream::println!("{}", json(&*status, arguments.compact));
            }
            if arguments.quiet {
                return Ok(Exit::Timeout);
            }
            anstream::eprintln!(
                "everclat: not {} after {}: {} {}",
                goal_name(options.goal),
                humantime::format_duration(options.timeout),
                status.code,
                title(&status)
            );
            Ok(Exit::Timeout)
        }
        (None, Some(error)) => Err(error),
        (None, None) => Ok(Exit::Timeout),
    }
}

struct Waiting {
    goal: Goal,
    last: Option<Box<Status>>,
    error: Option<ClientError>,
    begin: Instant,
    said: Option<String>,
    quiet: bool,
}

impl Waiting {
    async fn reached(&mut self, arguments: &Arguments) -> Status {
        loop {
            match self.watch(arguments).await {
                Ok(status) => return status,
                Err(error) => {
                    self.say(&error.to_string());
                    self.error = Some(error);
                }
            }
            sleep(CONNECT_AGAIN).await;
        }
    }

    async fn watch(&mut self, arguments: &Arguments) -> Result<Status, ClientError> {
        let mut client = Client::connect(&arguments.socket, PROGRAM).await?;
        client.watch().await?;
        loop {
            let status = match tokio::time::timeout(NOTICEABLE, client.next()).await {
                // What it says next may be known again.
                Ok(Err(error @ ClientError::Newer { .. })) => {
                    self.say(&error.to_string());
                    self.error = Some(error);
                    continue;
                }
                Ok(status) => status?,
                Err(_) => {
                    if let Some(last) = &self.last {
                        let words = format!("{} {}", last.code, title(last));
                        self.say(&words);
                    }
                    continue;
                }
            };
            let reached = match self.goal {
                Goal::Ready => status.is_ready(),
                Goal::Working => status.is_working(),
            };
            if reached {
                return Ok(status);
            }
            self.last = Some(Box::new(status));
        }
    }

    fn say(&mut self, words: &str) {
        if !self.quiet && self.begin.elapsed() >= NOTICEABLE && self.said.as_deref() != Some(words) {
            anstream::eprintln!("waiting: {words}");
            self.said = Some(words.to_owned());
        }
    }
}

const fn goal_name(goal: Goal) -> &'static str {
    match goal {
        Goal::Ready => "ready",
        Goal::Working => "working",
    }
}
