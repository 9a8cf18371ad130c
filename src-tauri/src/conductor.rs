//! Runs the controller: brings it events and time, and has its actions carried out.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use model::Status;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until};

use crate::controller::{Action, Ask, Controller, Event, Facts, Look, Lost, Notice, Now, Ticket};
use crate::link::{Link, Question};
use crate::view::{Failed, Prefs, Theme, View};

/// Events that may wait. With more, who brings them waits: the service then says only what holds when it is read.
const WAITING: usize = 64;
/// Questions that may wait; one that finds no room is asked again a second later.
const QUESTIONS: usize = 2;

/// What carries out what concerns the desktop.
pub trait Hands: Send + 'static {
    /// Shows this in the window.
    fn page(&mut self, view: View);
    /// Shows this in the tray; `None`: no icon.
    fn tray(&mut self, look: Option<Look>);
    /// Notifies. Must not fail, nor wait.
    fn notify(&mut self, notice: Notice);
    /// Opens the window, or raises it.
    fn open_window(&mut self);
    /// Has the window wear this, also one that is opened later.
    fn dress(&mut self, theme: Theme);
    /// Keeps these preferences.
    fn save(&mut self, prefs: &Prefs);
    /// Has the app start at login, or not; tells with [`Event::Autostart`] and [`Event::Ended`] what came of it.
    fn set_autostart(&mut self, on: bool);
    /// Whether there is an icon to open the window from.
    fn has_icon(&mut self, there: bool);
    /// Ends the app.
    fn quit(&mut self);
}

/// Something that waits for an answer.
#[derive(Debug)]
enum Request {
    View(oneshot::Sender<View>),
    Ask(Ask, oneshot::Sender<Result<(), Failed>>),
}

/// How the rest of the app talks to the conductor.
#[derive(Clone, Debug)]
pub struct Remote {
    events: mpsc::Sender<Event>,
    requests: mpsc::Sender<Request>,
}

impl Remote {
    /// Brings an event; dropped when the app is ending.
    pub async fn tell(&self, event: Event) {
        let _ = self.events.send(event).await;
    }

    /// The same for who cannot wait: from outside the runtime only.
    pub fn tell_blocking(&self, event: Event) {
        let _ = self.events.blocking_send(event);
    }

    /// All that the page may know now; `None` when the app is ending.
    pub async fn view(&self) -> Option<View> {
        let (answer, answered) = oneshot::channel();
        self.requests.send(Request::View(answer)).await.ok()?;
        answered.await.ok()
    }

    /// Has something done and waits for its end; `None` when the app is ending.
    pub async fn ask(&self, ask: Ask) -> Option<Result<(), Failed>> {
        let (answer, answered) = oneshot::channel();
        self.requests.send(Request::Ask(ask, answer)).await.ok()?;
        answered.await.ok()
    }

    /// Where events go.
    #[must_use]
    pub fn events(&self) -> mpsc::Sender<Event> {
        self.events.clone()
    }
}

/// The controller with all it needs.
#[derive(Debug)]
pub struct Conductor<H> {
    controller: Controller,
    hands: H,
    link: Link,
    questions: mpsc::Sender<Question>,
    events: mpsc::Receiver<Event>,
    requests: mpsc::Receiver<Request>,
    answers: BTreeMap<Ticket, oneshot::Sender<Result<(), Failed>>>,
    tickets: Ticket,
    begin: Instant,
    /// Why there is no connection; said once, not at every try.
    lost: Option<Lost>,
}

/// The two ends of what leads to a conductor.
#[derive(Debug)]
pub struct Ends {
    events: mpsc::Receiver<Event>,
    requests: mpsc::Receiver<Request>,
}

/// What leads to a conductor, which may be made later.
#[must_use]
pub fn remote() -> (Remote, Ends) {
    let (events, events_end) = mpsc::channel(WAITING);
    let (requests, requests_end) = mpsc::channel(WAITING);
    (Remote { events, requests }, Ends { events: events_end, requests: requests_end })
}

impl<H: Hands> Conductor<H> {
    /// A conductor for the service at `link`. Has to be made in a runtime.
    #[must_use]
    pub fn new(facts: Facts, prefs: Prefs, link: Link, hands: H, ends: Ends) -> Self {
        let (questions, questions_end) = mpsc::channel(QUESTIONS);
        tokio::spawn(link.clone().answer(questions_end));
        let begin = Instant::now();
        Self {
            controller: Controller::new(facts, prefs, Now { mono: Duration::ZERO, wall: Timestamp::now() }),
            hands,
            link,
            questions,
            events: ends.events,
            requests: ends.requests,
            answers: BTreeMap::new(),
            tickets: 0,
            begin,
            lost: None,
        }
    }

    /// Runs until the app ends.
    pub async fn run(mut self) {
        let mut icon = None;
        loop {
            while let Some(action) = self.controller.poll() {
                self.carry_out(action);
            }
            let has_icon = self.controller.has_icon();
            if icon.replace(has_icon) != Some(has_icon) {
                self.hands.has_icon(has_icon);
            }
            let next = self.controller.next().map(|next| self.begin + next);
            let due = async {
                match next {
                    Some(next) => sleep_until(next).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                event = self.events.recv() => match event {
                    Some(event) => self.handle(event),
                    None => return,
                },
                request = self.requests.recv() => match request {
                    Some(request) => self.answer(request),
                    None => return,
                },
                () = due => self.controller.wake(self.now()),
            }
        }
    }

    fn now(&self) -> Now {
        Now { mono: self.begin.elapsed(), wall: Timestamp::now() }
    }

    fn handle(&mut self, event: Event) {
        match &event {
            Event::Connected { program, protocol, .. } => {
                tracing::info!(program, protocol, "connected");
                self.lost = None;
            }
            Event::Lost(lost) if self.lost.as_ref() != Some(lost) => {
                tracing::info!(?lost, "no connection");
                self.lost = Some(lost.clone());
            }
            Event::NotUnderstood => tracing::warn!("the service says what only newer programs understand"),
            Event::Heard(status) => tracing::info!(state = status.state.name(), code = code(status), "heard"),
            Event::Ended(Err(failed)) => tracing::info!(?failed, "an action failed"),
            Event::TrayHost(there) => tracing::info!(there, "panel"),
            Event::Refreshed(_)
            | Event::Settings(_)
            | Event::Lost(_)
            | Event::Asked(..)
            | Event::Ended(Ok(()))
            | Event::Window(_)
            | Event::Watching(_)
            | Event::Scheme(_)
            | Event::Autostart(_)
            | Event::Chosen(_) => tracing::debug!("an event"),
        }
        self.controller.handle(event, self.now());
    }

    fn answer(&mut self, request: Request) {
        match request {
            Request::View(answer) => {
                tracing::info!("the page is up");
                // Who asked may have gone.
                let _ = answer.send(self.controller.view());
            }
            Request::Ask(ask, answer) => {
                self.tickets += 1;
                self.answers.insert(self.tickets, answer);
                self.handle(Event::Asked(Some(self.tickets), ask));
            }
        }
    }

    fn carry_out(&mut self, action: Action) {
        match action {
            Action::Connect => drop(tokio::spawn(self.link.clone().watch())),
            Action::Control(control) => drop(tokio::spawn(self.link.clone().control(control))),
            Action::AskStatus => drop(self.questions.try_send(Question::Status)),
            Action::AskSettings => drop(self.questions.try_send(Question::Settings)),
            Action::Answer(ticket, result) => {
                if let Some(answer) = self.answers.remove(&ticket) {
                    let _ = answer.send(result);
                }
            }
            Action::Page(view) => self.hands.page(*view),
            Action::Tray(look) => self.hands.tray(look.map(|look| *look)),
            Action::Notify(notice) => self.hands.notify(notice),
            Action::OpenWindow => self.hands.open_window(),
            Action::Dress(theme) => self.hands.dress(theme),
            Action::Save(prefs) => self.hands.save(&prefs),
            Action::SetAutostart(on) => self.hands.set_autostart(on),
            Action::Quit => self.hands.quit(),
        }
    }
}

fn code(status: &Status) -> &'static str {
    status.code.as_str()
}
