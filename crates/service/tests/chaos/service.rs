//! The service in the test's own thread, so that it is known when nothing is left to do.

use std::time::{Duration, Instant};

use everclat_service::Options;
use ipc::{Client, Control, Server};
use model::Status;
use platform_fake::Fake;
use tempfile::TempDir;
use tokio::sync::{mpsc, oneshot};
use tokio::task::{JoinHandle, yield_now};

/// Who does not come to rest within so many turns spins.
const MAX_TURNS: usize = 2_000;

/// How long ports may take to close, and between two looks whether they have.
const CLOSING: Duration = Duration::from_millis(300);
const GLANCE: Duration = Duration::from_micros(200);

/// Addresses are to be the same in each run of a seed.
const SECRET: [u8; 32] = [7; 32];

pub(crate) struct Service {
    fake: Fake,
    files: TempDir,
    client: Option<Client>,
    stop: oneshot::Sender<()>,
    task: JoinHandle<anyhow::Result<()>>,
}

impl Service {
    /// A service that is about to start.
    pub(crate) async fn start(fake: &Fake, config: &str) -> Self {
        let files = tempfile::tempdir().unwrap();
        let at = |name: &str| files.path().join(name);
        let options = Options {
            config: at("config.toml"),
            policy_dir: at("policy.d"),
            state_dir: at("state"),
            socket: at("everclatd.sock"),
        };
        std::fs::write(&options.config, config).unwrap();
        std::fs::create_dir(&options.state_dir).unwrap();
        std::fs::write(options.state_dir.join("secret"), SECRET).unwrap();
        let server = Server::bind(&options.socket, "everclatd test").await.unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let theirs = fake.clone();
        let task = tokio::spawn(async move {
            let stop = async move {
                let _ = stopped.await;
            };
            // Nobody sends a SIGHUP.
            let reload = mpsc::channel(1).1;
            everclat_service::serve(&options, server, theirs.host(), theirs.io(), theirs.clock(), stop, reload).await
        });
        Self { fake: fake.clone(), files, client: None, stop, task }
    }

    /// Waits until everybody waits for what has not come yet.
    pub(crate) async fn settle(&self) {
        settle(&self.fake).await;
    }

    async fn client(&mut self) -> &mut Client {
        if self.client.is_none() {
            self.client = Some(Client::connect(&self.files.path().join("everclatd.sock"), "test").await.unwrap());
        }
        self.client.as_mut().unwrap()
    }

    pub(crate) async fn status(&mut self) -> Status {
        self.client().await.status().await.unwrap()
    }

    pub(crate) async fn control(&mut self, control: Control) {
        self.client().await.control(control).await.unwrap();
    }

    /// Another configuration.
    pub(crate) async fn configure(&mut self, config: &str) {
        std::fs::write(self.files.path().join("config.toml"), config).unwrap();
        self.control(Control::Reload).await;
    }

    /// Tells it to stop and waits until it has.
    pub(crate) async fn end(self) -> anyhow::Result<()> {
        // It may have ended by itself.
        let _ = self.stop.send(());
        let result = tokio::time::timeout(Duration::from_secs(10), self.task).await;
        self.fake.rest();
        result.unwrap().unwrap()
    }
}

async fn settle(fake: &Fake) {
    let end = Instant::now() + CLOSING;
    for _ in 0..MAX_TURNS {
        let before = fake.activity();
        // Comes back when no task can go on and the sockets have been looked at: twice, for what a task has just sent.
        yield_now().await;
        yield_now().await;
        fake.rest();
        if fake.activity() != before {
            continue;
        }
        if fake.is_tended() || Instant::now() > end {
            return;
        }
        // Ports close in a thread of their own.
        std::thread::sleep(GLANCE);
    }
    let calls = fake.take_calls();
    panic!("spins at {:?}: {:?}", fake.now(), &calls[calls.len().saturating_sub(50)..]);
}
