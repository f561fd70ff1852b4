//! The workers, what waits for one that is not there, and the queues. A worker can be sent to rest.

use std::collections::BTreeMap;

use askama::Template;
use serde::Deserialize;
use tidemill_access::Action;
use tidemill_core::time::Timestamp;
use tidemill_scheduler::engine::{Command, Fleet, Waiting};

use super::page;
use crate::frame::Frame;
use crate::html::Since;
use crate::input::{At, Sent};
use crate::oops::Oops;
use crate::paths;
use crate::said::Done;
use crate::shown::ask;

/// A queue: what waits in it, and what serves it.
#[derive(Default)]
struct Queue {
    waiting: usize,
    /// Since when the one waits that waits longest.
    oldest: Option<Timestamp>,
    workers: usize,
    free: u32,
    slots: u32,
}

/// A queue, as the page shows it.
struct QueueLine {
    name: String,
    waiting: usize,
    oldest: Option<Since>,
    workers: usize,
    free: u32,
    slots: u32,
}

#[derive(Template)]
#[template(path = "workers.html")]
pub(crate) struct WorkersPage {
    frame: Frame,
    fleet: Fleet,
    waiting: Vec<Waiting>,
    queues: Vec<QueueLine>,
    shares: bool,
}

page!(WorkersPage);

impl WorkersPage {
    fn drain_href(&self, worker: &str) -> String {
        format!("/workers/{}/drain", paths::part(worker))
    }
}

pub(crate) async fn show(frame: Frame) -> Result<WorkersPage, Oops> {
    let mut fleet = frame.web.door().fleet().await?;
    let waiting = std::mem::take(&mut fleet.waiting);
    Ok(WorkersPage {
        queues: queues(&frame, &fleet, &waiting),
        waiting: waiting
            .into_iter()
            .filter(|line| frame.sees(&line.dag))
            .collect(),
        fleet,
        shares: frame.may(Action::Share),
        frame,
    })
}

/// Queues are shared: what waits in them is counted over all DAGs, whoever looks. None is named.
fn queues(frame: &Frame, fleet: &Fleet, waiting: &[Waiting]) -> Vec<QueueLine> {
    let mut all: BTreeMap<&str, Queue> = BTreeMap::new();
    for worker in &fleet.workers {
        for queue in &worker.queues {
            let of = all.entry(queue).or_default();
            of.workers += 1;
            of.slots += worker.slots;
            if !worker.draining {
                of.free += worker.slots.saturating_sub(worker.used);
            }
        }
    }
    for line in waiting {
        let of = all.entry(&line.queue).or_default();
        of.waiting += line.tasks;
        // A scheduler of an older build only says since when the next one waits.
        let oldest = line.oldest_since.or(line.next_since);
        of.oldest = [of.oldest, oldest].into_iter().flatten().min();
    }
    let line = |(name, of): (&str, Queue)| QueueLine {
        name: name.to_owned(),
        waiting: of.waiting,
        oldest: of.oldest.map(|at| Since { now: frame.now, at }),
        workers: of.workers,
        free: of.free,
        slots: of.slots,
    };
    all.into_iter().map(line).collect()
}

#[derive(Debug, Deserialize)]
pub(crate) struct DrainForm {
    drain: bool,
}

/// Sends a worker to rest, or calls it back. Twice the same is refused by whoever leads.
pub(crate) async fn drain(
    frame: Frame,
    At(worker): At<String>,
    Sent(form): Sent<DrainForm>,
) -> Result<Done, Oops> {
    let command = Command::Drain {
        worker: worker.as_str().into(),
        drain: form.drain,
    };
    ask(&frame, (None, false), command).await?;
    let says = if form.drain {
        format!("{worker} takes nothing new; what it runs goes on.")
    } else {
        format!("{worker} is told to take orders again.")
    };
    Ok(Done::at("/workers", says))
}
