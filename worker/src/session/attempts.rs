//! What becomes of attempts: taken, started, stopped, parked, looked at, given up.

use std::sync::Arc;
use std::time::Duration;

use tidemill_core::crash;
use tidemill_core::operator::TaskError;
use tidemill_core::protocol::{AttemptRef, Duty, Report};
use tidemill_core::wire::{FromWorker, Order};
use tokio::time::Instant;
use tracing::{info, warn};

use super::{Event, Session, key};
use crate::book::{Held, Stage, Wait};
use crate::host::{Stopping, WorkerHost};
use crate::run::{Run, carry_out};

/// A look that could not see how things stand is taken again this often before the attempt fails.
const BLIND_MAX: u32 = 10;
const BLIND_WAIT: Duration = Duration::from_secs(1);
const BLIND_WAIT_MAX: Duration = Duration::from_secs(60);

impl Session {
    pub(super) fn take(&mut self, order: Arc<Order>) {
        crash::here("worker_order_taken");
        let attempt = order.assignment.attempt;
        if self.book.get(attempt).is_some() {
            // It was on its way over the last connection as well.
            return;
        }
        if self.takes_nothing() {
            self.book.report(
                attempt,
                Report::Refused {
                    why: "the worker takes nothing new".into(),
                },
            );
            return;
        }
        if order.assignment.duty == Duty::Watch {
            let handle = order.assignment.handle.clone();
            let wait = Wait {
                handle: handle.unwrap_or_else(|| "null".into()),
                why: "".into(),
                blind: 0,
            };
            self.book.hold(Held {
                stage: Stage::Parked,
                wait: Some(wait),
                ..Held::new(order)
            });
            return self.lookout.add(attempt, Instant::now());
        }
        let works = order.assignment.duty == Duty::Run;
        let stage = self.start(Arc::clone(&order), works, carry_out);
        self.book.hold(Held {
            stage,
            ..Held::new(order)
        });
    }

    /// Starts something on the tasks' runtime.
    pub(super) fn start<F>(
        &self,
        order: Arc<Order>,
        works: bool,
        how: impl FnOnce(Run) -> F,
    ) -> Stage
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let (stop, stopping) = Stopping::new();
        let run_of = &order.assignment;
        let host = WorkerHost {
            wall: self.config.wall,
            session: self.events.0.clone(),
            services: self.project.services.clone(),
            stopping: stopping.clone(),
            log: self
                .logs
                .open((self.config.wall)(), run_of.attempt, run_of.into()),
            loads: std::sync::Mutex::default(),
            checks: std::sync::Mutex::default(),
        };
        let run = Run {
            order,
            project: Arc::clone(&self.project),
            host: Arc::new(host),
            stopping,
            runtime: self.runtime.clone(),
            isolation: Arc::clone(&self.isolation),
        };
        let abort = self.runtime.spawn(how(run)).abort_handle();
        Stage::Busy { abort, stop, works }
    }

    pub(super) fn stop(&mut self, attempt: AttemptRef) {
        let Some(held) = self.book.get_mut(attempt) else {
            // It never came here. Whoever is asked to release it gets all that is needed for that.
            let why = "the worker does not hold it".into();
            return self.book.report(attempt, Report::Refused { why });
        };
        held.told = true;
        match &held.stage {
            Stage::Busy { stop, .. } => {
                stop.tell();
            }
            Stage::Parked | Stage::Over => self.release(attempt),
        }
    }

    /// Cancels what an attempt may have started outside: nothing of it goes on here any more.
    fn release(&mut self, attempt: AttemptRef) {
        let Some(held) = self.book.get_mut(attempt) else {
            return;
        };
        let handle = held.wait.take().map(|wait| wait.handle);
        let handle = handle.or_else(|| held.order.assignment.handle.clone());
        let order = Arc::clone(&held.order);
        let stage = self.start(order, false, |run| run.release(handle));
        if let Some(held) = self.book.get_mut(attempt) {
            held.stage = stage;
        }
    }

    /// Whether an attempt was told to stop and came to its end, or to a wait, by itself before it heard of that, or could
    /// not even be made. What it may have started is then still to be cancelled.
    fn is_to_be_released(&self, event: &Event) -> Option<AttemptRef> {
        let attempt = match event {
            Event::Report {
                report: Report::Started | Report::Stopped | Report::Refused { .. },
                ..
            } => return None,
            Event::Report { attempt, .. }
            | Event::Waits { attempt, .. }
            | Event::Blind { attempt, .. } => *attempt,
            Event::Stuck { .. } | Event::Ask { .. } => return None,
        };
        self.book
            .get(attempt)
            .is_some_and(|held| held.told)
            .then_some(attempt)
    }

    pub(super) fn event(&mut self, event: Event) {
        if let Some(attempt) = self.is_to_be_released(&event) {
            if let (Event::Waits { handle, why, .. }, Some(held)) =
                (event, self.book.get_mut(attempt))
            {
                let blind = 0;
                held.wait = Some(Wait { handle, why, blind });
            }
            return self.release(attempt);
        }
        match event {
            Event::Report { attempt, report } => {
                // What is not held any more was taken away: somebody else has it.
                if self.book.get(attempt).is_some() {
                    self.book.report(attempt, self.masked(report));
                }
            }
            Event::Waits {
                attempt,
                handle,
                wait,
                why,
            } => self.park(
                attempt,
                Wait {
                    handle,
                    why,
                    blind: 0,
                },
                wait,
            ),
            Event::Blind { attempt, error } => self.blind(attempt, error),
            Event::Stuck {
                attempt,
                why,
                again,
            } => self.stuck(attempt, &why, again),
            Event::Ask { what, reply } => {
                self.asked += 1;
                self.asks.insert(self.asked, reply);
                self.outgoing.push(FromWorker::Ask {
                    id: self.asked,
                    what,
                });
            }
        }
    }

    /// An attempt cannot be stopped yet: people should see why.
    fn stuck(&mut self, attempt: AttemptRef, why: &str, again: Duration) {
        let why: Arc<str> = self.logs.masker().mask(why).into();
        let Some(held) = self.book.get_mut(attempt) else {
            return;
        };
        held.stuck = Some((Arc::clone(&why), Instant::now() + again));
        if self.hears_stuck {
            self.outgoing.push(FromWorker::Stuck {
                attempt,
                why,
                again,
            });
        }
    }

    /// A scheduler that this worker comes to knows nothing of what it could not stop.
    pub(super) fn say_stuck_again(&mut self) {
        if !self.hears_stuck {
            return;
        }
        let now = Instant::now();
        for (attempt, why, at) in self.book.stuck() {
            self.outgoing.push(FromWorker::Stuck {
                attempt,
                why,
                again: at.saturating_duration_since(now),
            });
        }
    }

    pub(super) fn park(&mut self, attempt: AttemptRef, wait: Wait, until: Duration) {
        let draining = self.takes_nothing();
        let Some(held) = self.book.get_mut(attempt) else {
            return;
        };
        let known = held.wait.replace(wait.clone());
        held.stage = Stage::Parked;
        let told = known
            .as_ref()
            .is_some_and(|known| known.handle == wait.handle && known.why == wait.why);
        if !told {
            self.book.report(
                attempt,
                Report::Deferred {
                    handle: wait.handle,
                    wait: until,
                    why: wait.why,
                },
            );
        }
        if draining {
            return self.book.report(attempt, Report::HandedOver);
        }
        self.lookout.add(attempt, Instant::now() + until);
    }

    /// A look could not see how things stand. That changes nothing, unless it lasts.
    pub(super) fn blind(&mut self, attempt: AttemptRef, error: TaskError) {
        let draining = self.takes_nothing();
        let Some(held) = self.book.get_mut(attempt) else {
            return;
        };
        let sensor = self
            .project
            .task(&key(&held.order), held.order.assignment.task.as_str())
            .is_some_and(|(_, task, _)| {
                matches!(task.kind, tidemill_core::spec::TaskKind::Sensor { .. })
            });
        let blind = held.wait.as_ref().map_or(BLIND_MAX, |wait| wait.blind + 1);
        if sensor || !error.kind.is_retried() || blind > BLIND_MAX {
            let report = self.masked(Report::failed(error));
            return self.book.report(attempt, report);
        }
        warn!(attempt = %attempt.attempt, "cannot see how what it waits for stands: {error}");
        held.stage = Stage::Parked;
        if let Some(wait) = &mut held.wait {
            wait.blind = blind;
        }
        if draining {
            return self.book.report(attempt, Report::HandedOver);
        }
        let pause = (BLIND_WAIT * (1 << blind.min(6))).min(BLIND_WAIT_MAX);
        let pause = pause.max(error.retry_after.unwrap_or_default());
        self.lookout.add(attempt, Instant::now() + pause);
    }

    /// Looks at what is due.
    pub(super) fn look(&mut self) {
        let now = Instant::now();
        let (book, project) = (&self.book, &self.project);
        let operator = |attempt: AttemptRef| {
            let order = &book.get(attempt)?.order;
            let (_, task, _) = project.task(&key(order), order.assignment.task.as_str())?;
            Some(task.operator.clone())
        };
        let mut due = Vec::new();
        while let Some(attempt) = self.lookout.take(now, operator) {
            due.push(attempt);
        }
        for attempt in due {
            let Some(held) = self.book.get(attempt) else {
                continue;
            };
            let (Stage::Parked, Some(wait)) = (&held.stage, &held.wait) else {
                continue;
            };
            let (order, handle) = (Arc::clone(&held.order), Arc::clone(&wait.handle));
            let stage = self.start(order, false, |run| run.look(handle));
            if let Some(held) = self.book.get_mut(attempt) {
                held.stage = stage;
            }
        }
    }

    /// Whether it is given nothing any more.
    pub(super) const fn takes_nothing(&self) -> bool {
        self.draining || self.resting
    }

    fn hand_over(&mut self) {
        self.outgoing.push(FromWorker::Draining);
        for attempt in self.book.in_stage(|stage| matches!(stage, Stage::Parked)) {
            self.book.report(attempt, Report::HandedOver);
        }
    }

    /// A person wants it to take nothing new, or to take orders again. One that is ending stays with that.
    pub(super) fn rest(&mut self, rest: bool) {
        let was = self.takes_nothing();
        self.resting = rest;
        match (was, self.takes_nothing()) {
            (false, true) => {
                info!("taking nothing new, because a person wants it");
                self.hand_over();
            }
            (true, false) => {
                info!("taking orders again");
                self.outgoing.push(FromWorker::Ready);
            }
            _ => {}
        }
    }

    /// Takes nothing new, and hands over what it watches. Says when what still runs is given up.
    pub(super) fn drain(&mut self) -> Instant {
        self.draining = true;
        crash::here("worker_draining");
        self.hand_over();
        let running = self
            .book
            .in_stage(|stage| matches!(stage, Stage::Busy { .. }));
        info!(
            running = running.len(),
            seconds = self.config.grace.as_secs(),
            "ending: taking nothing new, waiting for what runs"
        );
        Instant::now() + self.config.grace
    }

    /// What still runs at the end of the grace is given up: another worker runs it again.
    pub(super) fn give_up(&mut self) {
        let busy = self
            .book
            .in_stage(|stage| matches!(stage, Stage::Busy { .. }));
        for attempt in busy {
            let Some(held) = self.book.get_mut(attempt) else {
                continue;
            };
            held.end();
            let works = matches!(held.stage, Stage::Busy { works: true, .. });
            let report = if works {
                Report::failed(TaskError::lost("its worker ended before it was done"))
            } else {
                Report::HandedOver
            };
            self.book.report(attempt, report);
        }
    }

    /// The scheduler may have given what runs here to others: it ends, without touching what it started outside.
    pub(super) fn fence(&mut self) {
        let ended = self.book.fence();
        if ended > 0 {
            warn!(
                ended,
                "no word from the scheduler for most of the lease: what ran here was ended, because others may have it by now"
            );
        }
    }
}
