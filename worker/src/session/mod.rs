//! The session with the scheduler: it keeps the connection, and goes on without one for as long as the lease allows.

mod attempts;
mod logs;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tidemill_core::operator::{BoxFuture, TaskError, TaskResult};
use tidemill_core::protocol::{AttemptRef, Hello, Report};
use tidemill_core::wire::{Asked, FromWorker, Given, Order, PROTOCOL, ToWorker};
use tidemill_logs::{LogBook, LogLimits, Masker};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, sleep_until};
use tracing::{info, warn};

use crate::book::{Book, Stage};
use crate::host::Stopping;
use crate::project::Project;
use crate::watch::Lookout;
use crate::wire::{Connect, ConnectError, Wire};
use crate::{Config, Ended, Isolation};

/// A beat is sent after this part of the lease.
const BEAT_PART: u32 = 6;

/// When nothing was heard for this part of the lease, others may soon have what runs here: it ends.
const FENCE_PART: f64 = 0.8;

/// How long to wait before connecting again; doubled up to the last.
const AGAIN: Duration = Duration::from_millis(100);
const AGAIN_MAX: Duration = Duration::from_secs(2);

/// How long the end of a worker waits for the answers to its last reports.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// A scheduler that owes an answer for so long may stand still: it is looked whether another one leads, and then again after
/// each pause.
const SILENT: Duration = Duration::from_secs(2);
const PROBE_AGAIN: Duration = Duration::from_secs(1);

/// How many events are taken in before the loop looks round again.
const GULP: usize = 4_096;

/// What attempts tell their session.
#[derive(Debug)]
pub(crate) enum Event {
    /// What became of an attempt.
    Report { attempt: AttemptRef, report: Report },
    /// It waits for something outside.
    Waits {
        attempt: AttemptRef,
        handle: Arc<str>,
        wait: Duration,
        why: Arc<str>,
    },
    /// It could not be seen how what it waits for stands.
    Blind {
        attempt: AttemptRef,
        error: TaskError,
    },
    /// It cannot be stopped yet; it is tried again.
    Stuck {
        attempt: AttemptRef,
        why: Arc<str>,
        again: Duration,
    },
    /// A task needs something that only the scheduler can fetch.
    Ask {
        what: Asked,
        reply: oneshot::Sender<TaskResult<Given>>,
    },
}

/// A connection.
struct Open {
    wire: Wire,
    since: Instant,
    /// The scheduler said welcome.
    is_in: bool,
}

/// The session with the scheduler.
pub(crate) struct Session {
    config: Config,
    project: Arc<Project>,
    runtime: Handle,
    events: (mpsc::UnboundedSender<Event>, mpsc::UnboundedReceiver<Event>),
    book: Book,
    lookout: Lookout,
    asks: HashMap<u64, oneshot::Sender<TaskResult<Given>>>,
    /// What is to be said beside reports.
    outgoing: Vec<FromWorker>,
    asked: u64,
    lease: Duration,
    /// When the last beat was sent that was answered: until then the scheduler knows of us.
    confirmed: Instant,
    beats: HashMap<u64, Instant>,
    beat: u64,
    draining: bool,
    /// Whether a person wants it to take nothing new. It stays.
    resting: bool,
    /// Whether the scheduler hears of what cannot be stopped.
    hears_stuck: bool,
    logs: LogBook,
    isolation: Arc<Isolation>,
}

impl Session {
    pub(crate) fn new(config: Config, project: Arc<Project>, runtime: Handle) -> Self {
        let lookout = Lookout::new(&config.looks_per_second);
        Self {
            isolation: Arc::new(config.isolation.clone()),
            config,
            project,
            runtime,
            events: mpsc::unbounded_channel(),
            book: Book::default(),
            lookout,
            asks: HashMap::new(),
            outgoing: Vec::new(),
            asked: 0,
            lease: Duration::from_secs(30),
            confirmed: Instant::now(),
            beats: HashMap::new(),
            beat: 0,
            draining: false,
            resting: false,
            hears_stuck: false,
            logs: LogBook::new(LogLimits::default(), Masker::new()),
        }
    }

    /// Keeps the session until `stop` says so, or the scheduler refuses this worker.
    pub(crate) async fn run(
        mut self,
        connect: &dyn Connect,
        stop: watch::Receiver<bool>,
    ) -> Result<(), Ended> {
        let mut again = AGAIN;
        let stopping = Stopping::of(stop);
        let mut last_moment: Option<Instant> = None;
        let mut complained = String::new();
        loop {
            // Without a connection everything goes on; only what is to be said waits.
            let mut connecting = connect.connect();
            let wire = loop {
                tokio::select! {
                    biased;
                    tried = &mut connecting => match tried {
                        Ok(wire) => break Some(wire),
                        Err(ConnectError::Never(why)) => return Err(Ended::Unconnected(why)),
                        Err(ConnectError::Later(why)) => {
                            complain(&mut complained, why);
                            let pause = Instant::now() + again;
                            again = (again * 2).min(AGAIN_MAX);
                            connecting = Box::pin(async move {
                                sleep_until(pause).await;
                                connect.connect().await
                            });
                        }
                    },
                    _ = self.go_on(None) => {}
                    () = stopping.clone().told(), if !self.draining => {
                        last_moment = Some(self.drain());
                    }
                    () = until(last_moment) => break None,
                }
                if self.draining && self.book.is_empty() {
                    break None;
                }
            };
            let Some(wire) = wire else { return Ok(()) };
            let mut open = Open {
                wire,
                since: Instant::now(),
                is_in: false,
            };
            complained.clear();
            self.offer(&mut open);
            let ended = self
                .connected(&mut open, connect, &stopping, &mut last_moment)
                .await;
            if let Some(ended) = ended {
                return ended;
            }
            if open.is_in {
                again = AGAIN;
                warn!("the connection with the scheduler ended; connecting again");
            } else {
                tokio::time::sleep(again).await;
                again = (again * 2).min(AGAIN_MAX);
            }
            self.lose();
        }
    }

    /// While there is a connection. None when it ended.
    async fn connected(
        &mut self,
        open: &mut Open,
        connect: &dyn Connect,
        stopping: &Stopping,
        last_moment: &mut Option<Instant>,
    ) -> Option<Result<(), Ended>> {
        let mut probing: Option<BoxFuture<'_, bool>> = None;
        let mut probe_again = Instant::now();
        loop {
            let told = stopping.clone().told();
            let draining = self.draining;
            let silent = self
                .owed_since(open)
                .map(|since| probe_again.max(since + SILENT));
            tokio::select! {
                biased;
                step = self.go_on(Some(open)) => match step {
                    Step::Went => {}
                    Step::Ended => return None,
                    Step::Refused(why) => return Some(Err(Ended::Refused(why))),
                    Step::Unsure if probing.is_none() => probing = Some(connect.another_leads()),
                    Step::Unsure => {}
                },
                another = found_out(&mut probing) => {
                    (probing, probe_again) = (None, Instant::now() + PROBE_AGAIN);
                    if another {
                        info!("another scheduler leads; going there");
                        return None;
                    }
                }
                () = until(silent), if probing.is_none() => probing = Some(connect.another_leads()),
                () = told, if !draining => *last_moment = Some(self.drain()),
                () = until(*last_moment) => {
                    self.give_up();
                    *last_moment = Some(Instant::now() + LAST_WORDS);
                    if draining && self.book.in_stage(|stage| matches!(stage, Stage::Over)).is_empty() {
                        return Some(Ok(()));
                    }
                }
            }
            if self.draining && self.book.is_empty() {
                let _ = open.wire.say.send(vec![FromWorker::Left]).await;
                info!("everything is handed over or done; ending");
                return Some(Ok(()));
            }
            if open.wire.say.is_closed() {
                return None;
            }
        }
    }

    /// One step of what goes on with and without a connection. Nothing is lost when it is dropped.
    async fn go_on(&mut self, mut open: Option<&mut Open>) -> Step {
        let is_in = open.as_ref().is_some_and(|open| open.is_in);
        let now = Instant::now();
        let look = self
            .lookout
            .next()
            .unwrap_or(now + Duration::from_secs(3600));
        let beat = self.beats_at();
        let logs = self.logs_at(now);
        let fence = self.confirmed + self.lease.mul_f64(FENCE_PART);
        let waiting = is_in && (self.book.has_unsaid() || !self.outgoing.is_empty());
        let mut events = Vec::new();
        let heard = tokio::select! {
            biased;
            heard = hear(open.as_deref_mut().map(|open| &mut open.wire), waiting) => heard,
            _ = self.events.1.recv_many(&mut events, GULP) => Heard::Nothing,
            () = sleep_until(beat), if is_in => {
                self.send_beat();
                Heard::Nothing
            }
            () = sleep_until(logs), if is_in => {
                let wall = (self.config.wall)();
                self.ship(|logs| logs.due(wall));
                Heard::Nothing
            }
            () = self.logs.changed() => Heard::Nothing,
            () = sleep_until(look) => {
                self.look();
                Heard::Nothing
            }
            () = sleep_until(fence), if !self.book.is_quiet() => {
                self.fence();
                // The scheduler may never have noticed: over a new connection both sides compare what is held.
                Heard::End
            }
        };
        for event in events {
            self.event(event);
        }
        let Some(open) = open else { return Step::Went };
        let mut step = Step::Went;
        match heard {
            Heard::Nothing => {}
            Heard::End => return Step::Ended,
            Heard::Messages(messages) => {
                for message in messages {
                    match self.hear(open, message) {
                        Step::Went => {}
                        other => step = other,
                    }
                }
            }
        }
        match self.say(open) {
            Ok(()) => step,
            Err(Closed) => Step::Ended,
        }
    }

    fn offer(&mut self, open: &mut Open) {
        let offer = FromWorker::Offer {
            protocol: PROTOCOL,
            worker: Arc::clone(&self.config.name),
            versions: self.project.versions(),
        };
        // The channel is new and empty.
        let _ = open.wire.say.try_send(vec![offer]);
    }

    fn hear(&mut self, open: &mut Open, message: ToWorker) -> Step {
        match message {
            ToWorker::Need { versions } => self.hello(open, &versions),
            ToWorker::Welcome { lease, hears_stuck } => {
                open.is_in = true;
                self.lease = lease;
                self.hears_stuck = hears_stuck;
                self.say_stuck_again();
                self.confirmed = Instant::now();
                self.beats.clear();
                self.send_beat();
                self.ship(LogBook::unacked);
                info!("connected with the scheduler");
            }
            ToWorker::Assign(order) => self.take(Arc::new(order)),
            ToWorker::Stop(attempt) => self.stop(attempt),
            ToWorker::Answer(attempt, verdict) => self.book.answered(attempt, verdict),
            ToWorker::Beaten { nth, leads } => {
                if let Some(sent) = self.beats.remove(&nth) {
                    self.confirmed = self.confirmed.max(sent);
                    self.beats.retain(|beat, _| *beat > nth);
                }
                if !leads {
                    return Step::Unsure;
                }
            }
            ToWorker::LogsKept(acks) => {
                for ack in acks {
                    self.logs.acked(&ack);
                }
            }
            ToWorker::Given { id, what } => {
                self.mask(&what);
                if let Some(reply) = self.asks.remove(&id) {
                    let _ = reply.send(what);
                }
            }
            ToWorker::Drain { drain } => self.rest(drain),
            ToWorker::Refused { why } => return Step::Refused(why),
        }
        Step::Went
    }

    fn hello(
        &mut self,
        open: &mut Open,
        need: &[(tidemill_core::id::DagId, tidemill_core::version::Version)],
    ) {
        let mut messages = Vec::new();
        if !need.is_empty() {
            messages.push(FromWorker::Bring {
                specs: self.project.specs(need),
                pools: self.project.pools.clone(),
            });
        }
        messages.push(FromWorker::Hello(Hello {
            worker: Arc::clone(&self.config.name),
            build: Arc::clone(&self.config.build),
            slots: self.config.slots,
            queues: self.config.queues.clone(),
            labels: self.config.labels.clone(),
            hears_drain: true,
            versions: self.project.versions(),
            holds: self.book.holds(),
        }));
        if self.takes_nothing() {
            messages.push(FromWorker::Draining);
        }
        self.book.say_again();
        let _ = open.wire.say.try_send(messages);
    }

    /// Says what is to be said, if there is room.
    fn say(&mut self, open: &mut Open) -> Result<(), Closed> {
        if !open.is_in || (!self.book.has_unsaid() && self.outgoing.is_empty()) {
            return Ok(());
        }
        match open.wire.say.try_reserve() {
            Ok(place) => {
                let mut messages = std::mem::take(&mut self.outgoing);
                let reports = self.book.unsaid();
                if !reports.is_empty() {
                    messages.push(FromWorker::Reports(reports));
                }
                place.send(messages);
                Ok(())
            }
            Err(mpsc::error::TrySendError::Full(())) => Ok(()),
            Err(mpsc::error::TrySendError::Closed(())) => Err(Closed),
        }
    }

    /// The connection is gone. What was asked over it is asked by its tasks again.
    fn lose(&mut self) {
        for (_, reply) in self.asks.drain() {
            let _ = reply.send(Err(TaskError::transient(
                "the connection with the scheduler ended",
            )));
        }
        self.outgoing.clear();
        self.beats.clear();
        self.hears_stuck = false;
    }

    fn beats_at(&self) -> Instant {
        let last = self.beats.values().copied().max();
        last.unwrap_or(self.confirmed) + self.lease / BEAT_PART
    }

    /// Since when the scheduler owes an answer: to the oldest beat, or to the hello.
    fn owed_since(&self, open: &Open) -> Option<Instant> {
        if open.is_in {
            self.beats.values().copied().min()
        } else {
            Some(open.since)
        }
    }

    fn send_beat(&mut self) {
        self.beat += 1;
        self.beats.insert(self.beat, Instant::now());
        self.outgoing.push(FromWorker::Beat { nth: self.beat });
    }
}

/// What came of a step.
enum Step {
    Went,
    /// The connection ended.
    Ended,
    Refused(Arc<str>),
    /// The scheduler does not know whether it still leads.
    Unsure,
}

/// The connection takes nothing any more.
struct Closed;

/// What a connection gave.
enum Heard {
    Messages(Vec<ToWorker>),
    /// There is room to say more, or it was something else that happened.
    Nothing,
    End,
}

/// The next message; or room to say more, if something waits for it.
async fn hear(wire: Option<&mut Wire>, waiting: bool) -> Heard {
    let Some(wire) = wire else {
        return std::future::pending().await;
    };
    tokio::select! {
        biased;
        messages = wire.hear.recv() => messages.map_or(Heard::End, Heard::Messages),
        place = wire.say.reserve(), if waiting => match place {
            Ok(_) => Heard::Nothing,
            Err(_) => Heard::End,
        },
    }
}

fn key(order: &Order) -> (tidemill_core::id::DagId, tidemill_core::version::Version) {
    (
        order.assignment.dag.clone(),
        order.assignment.version.clone(),
    )
}

/// Says why there is no connection, once for each reason.
fn complain(said: &mut String, why: String) {
    if *said != why {
        warn!("no connection with the scheduler: {why}");
        *said = why;
    }
}

async fn found_out(probing: &mut Option<BoxFuture<'_, bool>>) -> bool {
    match probing {
        Some(probing) => probing.await,
        None => std::future::pending().await,
    }
}

async fn until(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}
